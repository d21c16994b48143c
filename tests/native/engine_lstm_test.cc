/* The LSTM against a float64 transcription of its formulas (see engine.h). */
#include "engine_recurrent_test.h"

namespace {

using test::Floats;

enum class Memory { kNone, kDiagonal, kFull };

struct Lstm : test::Layer {
    Memory memory = Memory::kNone;
    test::Gate gates[4]; // input, forget, cell, output
    Floats slopes;
    pymps_engine_neuron cell_to_output;

    explicit Lstm(const test::Shape &shape) : Layer(shape) {
        memory = std::vector<Memory>{Memory::kNone, Memory::kNone, Memory::kDiagonal, Memory::kFull}[test::Below(4)];
        const bool usual_neurons = test::Chance(0.6);
        for (size_t g = 0; g < 4; ++g) {
            test::Gate &gate = gates[g];
            RandomGate(&gate);
            if (memory != Memory::kNone)
                gate.v = RandomWeights(memory == Memory::kFull ? outputs * outputs : outputs);
            gate.neuron = usual_neurons ? (g == 2 ? test::TanH() : test::Sigmoid())
                                        : test::RandomNeuron(shape.bounded, &gate.slopes, outputs);
        }
        cell_to_output = usual_neurons ? test::TanH() : test::RandomNeuron(shape.bounded, &slopes, outputs);
    }

    pymps_engine_lstm Describe() const {
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
        return lstm;
    }

    double MemoryTerm(const test::Gate &gate, size_t o, const double *c) const {
        if (memory == Memory::kFull)
            return Product(gate.v, o, c, outputs);
        return gate.v.empty() ? 0 : Rounded(gate.v[o]) * c[o];
    }

    void Reference(const double *x, const double *h0, const double *c0, double *h1, double *c1) const {
        const auto activate = [&](const test::Gate &gate, size_t o, const double *c) {
            return gate.Activate(Sum(gate, o, x, h0) + MemoryTerm(gate, o, c), o);
        };
        for (size_t o = 0; o < outputs; ++o)
            c1[o] = activate(gates[1], o, c0) * c0[o] + activate(gates[0], o, c0) * activate(gates[2], o, c0);
        for (size_t o = 0; o < outputs; ++o)
            h1[o] = activate(gates[3], o, c1) * neuron_formula(cell_to_output, c1[o], o);
    }

    test::Subject Subject() const {
        char about[120];
        std::snprintf(about, sizeof(about), "unit %d, half %d, bytes %d, memory %d, neuron %d", unit_input,
                      half_weights, has_bytes, static_cast<int>(memory), gates[0].neuron.type);
        return {inputs,
                outputs,
                true,
                about,
                [this] {
                    const pymps_engine_lstm description = Describe();
                    return pymps_engine_lstm_create(&description);
                },
                [this](const double *x, const double *h0, const double *c0, double *h1, double *c1) {
                    Reference(x, h0, c0, h1, c1);
                },
                Tolerance()};
    }
};

// Nothing but activations: every weight is absent.
void TestNoWeights() {
    pymps_engine_lstm description = {};
    description.inputs = 3;
    description.outputs = 5;
    description.output_gate.neuron = {2, 0, 0.5f, 0, nullptr};
    description.forget_gate.neuron = {2, 0, 2, 0, nullptr};
    const test::Subject subject = {3, 5, true, "", [&] { return pymps_engine_lstm_create(&description); }, {}};
    const Floats y = OneStep(subject, Floats(3), Floats(5), Floats(5, 0.75f));
    test::Check(y == Floats(5, 0.75f), "no weights: c1 = 2 c0, h1 = c1 / 2");
}

} // namespace

int main() {
    test::ForEachTarget([] {
        test::TestRandomSequences<Lstm>();
        test::TestTeams<Lstm>();
        TestNoWeights();
        test::TestHugeSizes(pymps_engine_lstm_create, &pymps_engine_lstm::input_gate);
    });
    return test::Report();
}
