/* Convolutional layers of all kinds against a float64 transcription of their formulas (see engine.h). */
#include "engine_image_run.h"

namespace {

using test::Doubles;
using test::Floats;
using test::Geometry;

std::string AboutWindows(const test::ImageLayer &layer) {
    const auto about = [](const pymps_engine_window &w) {
        char text[60];
        std::snprintf(text, sizeof(text), "%zux%zu-%zu-%zu ", w.width, w.height, w.left, w.top);
        return std::string(text);
    };
    return "unit " + std::to_string(layer.unit_input) + ", half " + std::to_string(layer.half_weights) + ", windows " +
           about(layer.w_window) + about(layer.u_window) + about(layer.v_window);
}

// ---------------------------------------------------------------------------------------------- LSTM

enum class Memory { kNone, kDiagonal, kFull };

struct Lstm : test::ImageLayer {
    Memory memory;
    test::Gate gates[4]; // input, forget, cell, output
    Floats slopes;
    pymps_engine_neuron cell_to_output;

    explicit Lstm(const test::Shape &shape) : ImageLayer(shape) {
        memory = std::vector<Memory>{Memory::kNone, Memory::kDiagonal, Memory::kFull}[test::Below(3)];
        const bool usual_neurons = test::Chance(0.6);
        for (size_t g = 0; g < 4; ++g) {
            test::Gate &gate = gates[g];
            RandomImageGate(&gate);
            if (memory == Memory::kFull)
                gate.v = RandomKernel(v_window, outputs);
            if (memory == Memory::kDiagonal)
                gate.v = test::Random(outputs, 0.5);
            gate.neuron = usual_neurons ? (g == 2 ? test::TanH() : test::Sigmoid())
                                        : test::RandomNeuron(shape.bounded, &gate.slopes, outputs);
        }
        cell_to_output = usual_neurons ? test::TanH() : test::RandomNeuron(shape.bounded, &slopes, outputs);
    }

    pymps_engine_layer *Create() const {
        pymps_engine_lstm lstm = {};
        lstm.inputs = inputs;
        lstm.outputs = outputs;
        lstm.unit_input = unit_input;
        lstm.memory_is_diagonal = memory == Memory::kDiagonal;
        lstm.half_weights = half_weights;
        lstm.input_gate = gates[0].Describe();
        lstm.forget_gate = gates[1].Describe();
        lstm.cell_gate = gates[2].Describe();
        lstm.output_gate = gates[3].Describe();
        lstm.cell_to_output = cell_to_output;
        lstm.input_window = w_window;
        lstm.recurrent_window = u_window;
        lstm.memory_window = v_window;
        return pymps_engine_lstm_create(&lstm);
    }

    Doubles GateOf(size_t index, const Geometry &g, const Doubles &x, const Doubles &h0, const Doubles &c) const {
        const test::Gate &gate = gates[index];
        Doubles sums = Sums(gate, g, x, h0);
        if (memory == Memory::kFull)
            Convolve(gate.v, v_window, g, outputs, c, &sums);
        for (size_t i = 0; memory == Memory::kDiagonal && i < sums.size(); ++i)
            sums[i] += Rounded(gate.v[i % outputs]) * c[i];
        return Activate(gate, sums);
    }

    void Reference(const Geometry &g, const Doubles &x, const Doubles &h0, const Doubles &c0, Doubles *h1,
                   Doubles *c1) const {
        const Doubles input = GateOf(0, g, x, h0, c0), forget = GateOf(1, g, x, h0, c0), cell = GateOf(2, g, x, h0, c0);
        for (size_t i = 0; i < c0.size(); ++i)
            (*c1)[i] = forget[i] * c0[i] + input[i] * cell[i];
        const Doubles output = GateOf(3, g, x, h0, *c1);
        for (size_t i = 0; i < c0.size(); ++i)
            (*h1)[i] = output[i] * neuron_formula(cell_to_output, (*c1)[i], i % outputs);
    }

    test::ImageSubject Subject() const {
        return {inputs,
                outputs,
                true,
                "LSTM, memory " + std::to_string(static_cast<int>(memory)) + ", neuron " +
                    std::to_string(gates[0].neuron.type) + ", " + AboutWindows(*this),
                [this] { return Create(); },
                [this](const Geometry &g, const Doubles &x, const Doubles &h0, const Doubles &c0, Doubles *h1,
                       Doubles *c1) { Reference(g, x, h0, c0, h1, c1); },
                Tolerance()};
    }
};

// ---------------------------------------------------------------------------------------------- GRU

struct Gru : test::ImageLayer {
    test::Gate z, r, h; // h.v is Vh
    float p;
    bool flips;

    explicit Gru(const test::Shape &shape) : ImageLayer(shape) {
        for (test::Gate *gate : {&z, &r, &h})
            RandomImageGate(gate);
        if (test::Chance(0.4))
            h.v = RandomKernel(v_window, outputs);
        if (test::Chance(0.1))
            h.u.clear(); // a minimal gated unit
        flips = test::Chance(0.3);
        p = test::Chance(0.6) ? 1 : std::vector<float>{2, 3.5f, 0.5f}[test::Below(3)];
        z.neuron = r.neuron = test::Sigmoid();
        h.neuron = test::TanH();
        if (test::Chance(0.6))
            return;
        if (p == 1) // other powers want z in [0, 1]
            z.neuron = test::RandomNeuron(shape.bounded, &z.slopes, outputs);
        r.neuron = test::RandomNeuron(shape.bounded, &r.slopes, outputs);
        h.neuron = test::RandomNeuron(shape.bounded, &h.slopes, outputs);
    }

    pymps_engine_layer *Create() const {
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
        gru.input_window = w_window;
        gru.recurrent_window = u_window;
        gru.memory_window = v_window;
        return pymps_engine_gru_create(&gru);
    }

    void Reference(const Geometry &g, const Doubles &x, const Doubles &h0, Doubles *h1) const {
        const Doubles gate = Activate(z, Sums(z, g, x, h0));
        Doubles r_h0 = Activate(r, Sums(r, g, x, h0)), z_h0 = gate;
        for (size_t i = 0; i < h0.size(); ++i) {
            r_h0[i] *= h0[i];
            z_h0[i] *= h0[i];
        }
        Doubles sums = Sums(h, g, x, r_h0);
        Convolve(h.v, v_window, g, outputs, z_h0, &sums);
        const Doubles fresh = Activate(h, sums);
        for (size_t i = 0; i < h0.size(); ++i) {
            const double complement = std::pow(1 - std::pow(gate[i], p), 1.0 / p);
            (*h1)[i] = flips ? complement * h0[i] + gate[i] * fresh[i] : complement * fresh[i] + gate[i] * h0[i];
        }
    }

    test::ImageSubject Subject() const {
        char about[100];
        std::snprintf(about, sizeof(about), "GRU, Uh %d, Vh %d, p %g, flip %d, neurons %d %d %d, ", !h.u.empty(),
                      !h.v.empty(), double(p), flips, z.neuron.type, r.neuron.type, h.neuron.type);
        return {inputs,
                outputs,
                false,
                about + AboutWindows(*this),
                [this] { return Create(); },
                [this](const Geometry &g, const Doubles &x, const Doubles &h0, const Doubles &, Doubles *h1,
                       Doubles *) { Reference(g, x, h0, h1); },
                Tolerance()};
    }
};

// ---------------------------------------------------------------------------------------------- single gate

struct SingleGate : test::ImageLayer {
    test::Gate gate;

    explicit SingleGate(const test::Shape &shape) : ImageLayer(shape) {
        RandomImageGate(&gate);
        gate.neuron = test::Chance(0.6) ? test::TanH() : test::RandomNeuron(shape.bounded, &gate.slopes, outputs);
    }

    pymps_engine_layer *Create() const {
        const pymps_engine_single_gate description = {inputs,          outputs,  unit_input, half_weights,
                                                      gate.Describe(), w_window, u_window};
        return pymps_engine_single_gate_create(&description);
    }

    test::ImageSubject Subject() const {
        return {inputs,
                outputs,
                false,
                "single gate, neuron " + std::to_string(gate.neuron.type) + ", " + AboutWindows(*this),
                [this] { return Create(); },
                [this](const Geometry &g, const Doubles &x, const Doubles &h0, const Doubles &, Doubles *h1,
                       Doubles *) { *h1 = Activate(gate, Sums(gate, g, x, h0)); },
                Tolerance()};
    }
};

// ---------------------------------------------------------------------------------------------- beside numbers

// Weights read back are those that the layer was made of, rounded where they are halves.
void TestRead() {
    const Lstm lstm({5, 19, true});
    const std::unique_ptr<pymps_engine_layer, void (*)(pymps_engine_layer *)> layer(lstm.Create(),
                                                                                    pymps_engine_layer_destroy);
    for (size_t g = 0; g < 4; ++g) {
        const Floats *const given[] = {&lstm.gates[g].w.floats, &lstm.gates[g].u.floats, &lstm.gates[g].v};
        for (size_t part = 0; part < 3; ++part) {
            Floats read(given[part]->size() + 1), expected = *given[part];
            const bool is_there = pymps_engine_layer_read_weights(layer.get(), g, part, read.data());
            for (float &weight : expected)
                weight = static_cast<float>(lstm.Rounded(weight));
            read.pop_back();
            test::Check(is_there == !expected.empty() && (!is_there || read == expected),
                        "weights read back differ: gate %zu, part %zu, half %d", g, part, lstm.half_weights);
        }
    }
}

// Sizes that no machine has: refused, not wrapped round.
void TestHugeSizes() {
    const float weight = 0;
    pymps_engine_lstm description = {};
    description.inputs = description.outputs = 1;
    description.input_gate.input_weights = &weight;
    description.input_window = {SIZE_MAX / 4, SIZE_MAX / 4, 1, 1};
    test::Check(pymps_engine_lstm_create(&description) == nullptr, "a window beyond the address space");
    description.input_window = {1, 2, 0, 1};
    const float weights[2] = {1, 2};
    description.input_gate.input_weights = weights;
    pymps_engine_layer *layer = pymps_engine_lstm_create(&description);
    for (const Geometry &g : {Geometry{1, SIZE_MAX / 2, 3}, {SIZE_MAX, 1, 1}, {1, 1, SIZE_MAX}, {3, 1, SIZE_MAX / 9}})
        test::Check(pymps_engine_image_workspace_bytes(layer, g.width, g.height, g.images) == SIZE_MAX,
                    "scratch for %zu images of %zu x %zu", g.images, g.width, g.height);
    pymps_engine_layer_destroy(layer);
}

} // namespace

int main() {
    test::ForEachTarget([] {
        test::TestRandomImages<Lstm>();
        test::TestRandomImages<Gru>();
        test::TestRandomImages<SingleGate>();
        test::TestImageTeams<Lstm>();
        test::TestImageTeams<Gru>();
        test::TestImageTeams<SingleGate>();
        for (int i = 0; i < 20; ++i)
            TestRead();
        TestHugeSizes();
    });
    return test::Report();
}
