/* The GRU against a float64 transcription of its formulas (see engine.h). */
#include <limits>

#include "engine_recurrent_test.h"

namespace {

using test::Floats;

double Blend(double z, double p, bool flips, double h, double h0) {
    const double complement = std::pow(1 - std::pow(z, p), 1 / p);
    return flips ? complement * h0 + z * h : complement * h + z * h0;
}

struct Gru : test::Layer {
    test::Gate z, r, h; // h.v is Vh
    float p = 1;
    bool flips = false;

    Gru() = default;
    explicit Gru(const test::Shape &shape) : Layer(shape) {
        for (test::Gate *gate : {&z, &r, &h})
            RandomGate(gate);
        if (test::Chance(0.4))
            h.v = RandomWeights(outputs * outputs);
        if (test::Chance(0.1))
            h.u.clear(); // a minimal gated unit
        flips = test::Chance(0.3);
        p = test::Chance(0.6) ? 1 : std::vector<float>{2, 3.5f, 0.5f, 1.25f}[test::Below(4)];
        const bool usual_neurons = test::Chance(0.6);
        z.neuron = r.neuron = test::Sigmoid();
        h.neuron = test::TanH();
        if (usual_neurons)
            return;
        // Other powers want z in [0, 1].
        if (p == 1)
            z.neuron = test::RandomNeuron(shape.bounded, &z.slopes, outputs);
        r.neuron = test::RandomNeuron(shape.bounded, &r.slopes, outputs);
        h.neuron = test::RandomNeuron(shape.bounded, &h.slopes, outputs);
    }

    pymps_engine_gru Describe() const {
        pymps_engine_gru gru = {};
        gru.inputs = inputs;
        gru.outputs = outputs;
        gru.unit_input = unit_input;
        gru.half_weights = half_weights;
        gru.input_gate = z.Describe();
        gru.recurrent_gate = r.Describe();
        gru.output_gate = h.Describe();
        gru.output_gate.memory_weights = nullptr;
        gru.output_gate_input_gate_weights = test::OrNull(h.v);
        gru.gate_pnorm = p;
        gru.flip_output_gates = flips;
        return gru;
    }

    void Reference(const double *x, const double *h0, double *h1) const {
        std::vector<double> gate(outputs), z_h0(outputs), r_h0(outputs);
        for (size_t o = 0; o < outputs; ++o) {
            gate[o] = z.Activate(Sum(z, o, x, h0), o);
            z_h0[o] = gate[o] * h0[o];
            r_h0[o] = r.Activate(Sum(r, o, x, h0), o) * h0[o];
        }
        for (size_t o = 0; o < outputs; ++o) {
            const double sum = Sum(h, o, x, r_h0.data()) + Product(h.v, o, z_h0.data(), outputs);
            h1[o] = Blend(gate[o], p, flips, h.Activate(sum, o), h0[o]);
        }
    }

    test::Subject Subject() const {
        char about[160];
        std::snprintf(about, sizeof(about), "unit %d, half %d, bytes %d, Uh %d, Vh %d, p %g, flip %d, neurons %d %d %d",
                      unit_input, half_weights, has_bytes, !h.u.empty(), !h.v.empty(), p, flips, z.neuron.type,
                      r.neuron.type, h.neuron.type);
        return {
            inputs,
            outputs,
            false,
            about,
            [this] {
                const pymps_engine_gru description = Describe();
                return pymps_engine_gru_create(&description);
            },
            [this](const double *x, const double *h0, const double *, double *h1, double *) { Reference(x, h0, h1); },
            Tolerance()};
    }
};

bool Agree(double actual, double expected) {
    if (std::isnan(expected) || std::isinf(expected))
        return std::isnan(expected) ? std::isnan(actual) : actual == expected;
    return std::fabs(actual - expected) <= test::kTolerance * std::max(1.0, std::fabs(expected));
}

// h1 of a layer without weights: z is the neuron of the bias, h and h0 are given.
void TestBlend(const pymps_engine_neuron &neuron, const Floats &biases, float p, bool flips) {
    constexpr float kNew = 0.75f, kOld = -0.5f;
    Gru gru;
    gru.inputs = 1;
    gru.outputs = biases.size();
    gru.z.b = biases;
    gru.z.neuron = neuron;
    gru.r.neuron = {};
    gru.h.neuron = {2, 0, kNew, 0, nullptr};
    gru.p = p;
    gru.flips = flips;
    const Floats h1 = OneStep(gru.Subject(), {0}, Floats(biases.size(), kOld), {});
    for (size_t i = 0; i < biases.size(); ++i) {
        const double z = neuron_formula(neuron, biases[i], i), expected = Blend(z, p, flips, kNew, kOld);
        test::Check(Agree(h1[i], expected), "p %g, flip %d, neuron %d: bias %.9g gives %.9g, not %.9g", p, flips,
                    neuron.type, biases[i], h1[i], expected);
    }
}

// Whatever z is, h1 follows the formula: NaN and infinity included.
void TestAnyInputGate() {
    const float infinity = std::numeric_limits<float>::infinity(), nan = std::nanf("");
    const Floats any = {-infinity, -3, -1, -0.5f, -0.0f, 0, 1e-20f, 0.25f, 0.5f, 1, 1.5f, 2, 1e6f, infinity, nan};
    for (const float p : {1.0f, 2.0f, 3.0f, 0.5f, 0.25f, 1.7f}) {
        for (const bool flips : {false, true})
            TestBlend({}, any, p, flips);
    }
}

// z close to 1, where (1 - z^p)^(1/p) is steep: the rounding of z to float32 would show.
void TestSaturatedInputGate() {
    for (const float p : {1.0f, 2.0f, 4.0f, 1.1f}) {
        TestBlend(test::Sigmoid(), {-100, -20, -5, 3, 5, 8, 10, 12, 15, 17, 100}, p, false);
        TestBlend(test::TanH(), {0.5f, 1, 2, 4, 6, 8, 50}, p, false);
    }
}

// Every activation of z, in float64 too.
void TestInputGateNeurons() {
    const Floats biases = {-2, -0.625f, -0.25f, 0, 0.125f, 0.375f, 0.5f, 0.875f, 3};
    Floats slopes(biases.size());
    for (size_t i = 0; i < slopes.size(); ++i)
        slopes[i] = -0.0625f * static_cast<float>(i);
    const pymps_engine_neuron neurons[] = {
        {0, 0, 0, 0, nullptr},         {1, -0.25f, 0, 0, nullptr},   {2, 0.5f, 0.25f, 0, nullptr},
        {3, 0, 0, 0, nullptr},         {4, 0.25f, 0.5f, 0, nullptr}, {5, 0.5f, 2, 0, nullptr},
        {6, 0, 0, 0, nullptr},         {7, 0.25f, 2, 0, nullptr},    {8, 0, 0, 0, nullptr},
        {9, -0.5f, 0, 0, nullptr},     {10, 0, 0, 0, slopes.data()}, {11, -0.25f, 0.75f, 0, nullptr},
        {12, 0.5f, 0.25f, 2, nullptr}, {13, -1, -1, -1, nullptr},    {13, 1, -1, 2, nullptr},
        {14, 1, 1.5f, -1, nullptr},    {14, 1, 1.5f, 10, nullptr},   {15, 0, 0, 0, nullptr}};
    for (const pymps_engine_neuron &neuron : neurons) {
        for (const float p : {1.0f, 1.5f})
            TestBlend(neuron, biases, p, false);
    }
}

} // namespace

int main() {
    test::ForEachTarget([] {
        test::TestRandomSequences<Gru>();
        test::TestTeams<Gru>();
        TestAnyInputGate();
        TestSaturatedInputGate();
        TestInputGateNeurons();
        test::TestHugeSizes(pymps_engine_gru_create, &pymps_engine_gru::output_gate);
    });
    return test::Report();
}
