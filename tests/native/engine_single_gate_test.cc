/* The layer with a single gate against a float64 transcription of its formula (see engine.h). */
#include "engine_recurrent_test.h"

namespace {

struct SingleGate : test::Layer {
    test::Gate gate;

    explicit SingleGate(const test::Shape &shape) : Layer(shape) {
        RandomGate(&gate);
        gate.neuron = test::Chance(0.6) ? test::TanH() : test::RandomNeuron(shape.bounded, &gate.slopes, outputs);
    }

    pymps_engine_single_gate Describe() const {
        return {inputs, outputs, unit_input, half_weights, gate.Describe(), {}, {}};
    }

    void Reference(const double *x, const double *h0, double *h1) const {
        for (size_t o = 0; o < outputs; ++o)
            h1[o] = gate.Activate(Sum(gate, o, x, h0), o);
    }

    test::Subject Subject() const {
        char about[120];
        std::snprintf(about, sizeof(about), "unit %d, half %d, bytes %d, neuron %d", unit_input, half_weights,
                      has_bytes, gate.neuron.type);
        return {
            inputs,
            outputs,
            false,
            about,
            [this] {
                const pymps_engine_single_gate description = Describe();
                return pymps_engine_single_gate_create(&description);
            },
            [this](const double *x, const double *h0, const double *, double *h1, double *) { Reference(x, h0, h1); },
            Tolerance()};
    }
};

} // namespace

int main() {
    test::ForEachTarget([] {
        test::TestRandomSequences<SingleGate>();
        test::TestTeams<SingleGate>();
        test::TestHugeSizes(pymps_engine_single_gate_create, &pymps_engine_single_gate::gate);
    });
    return test::Report();
}
