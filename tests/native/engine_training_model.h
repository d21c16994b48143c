/* Random layers to train, and their forward pass in float64: a transcription of the formulas of engine.h. */
#ifndef PYMPS_TESTS_ENGINE_TRAINING_MODEL_H
#define PYMPS_TESTS_ENGINE_TRAINING_MODEL_H

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "engine/training.h"
#include "engine_random.h"
#include "engine_recurrent_test.h"

namespace test {

using Doubles = std::vector<double>;

constexpr size_t kGates = PYMPS_ENGINE_MOST_GATES, kWeights = PYMPS_ENGINE_WEIGHT_COUNT;

enum Kind { kLstm, kGru, kSingleGate, kKinds };

inline size_t GateCount(Kind kind) {
    return kind == kLstm ? 4 : kind == kGru ? 3 : 1;
}

// Of modest slope, and defined everywhere. `cornered`: some may have a corner at 0, where finite differences fail.
inline pymps_engine_neuron TrainableNeuron(bool cornered, Floats *slopes, size_t outputs) {
    switch (Below(cornered ? 10 : 7)) {
    case 0:
        return {0, 0, 0, 0, nullptr};
    case 1:
        return {2, 0.5f, 0.125f, 0, nullptr};
    case 2:
        return {5, 0.75f, 0.5f, 0, nullptr};
    case 3:
        return {7, 0.5f, 1.5f, 0, nullptr};
    case 4:
        return {8, 0, 0, 0, nullptr};
    case 5:
        return {4, 0.2f, 0.5f, 0, nullptr};
    case 6:
        return {15, 0, 0, 0, nullptr};
    case 7:
        return {1, 0.25f, 0, 0, nullptr};
    case 8:
        return {9, 0.5f, 0, 0, nullptr};
    default:
        *slopes = Random(outputs, 0.5);
        return {10, 0, 0, 0, slopes->data()};
    }
}

struct Model {
    Kind kind;
    size_t inputs, outputs, gates;
    bool unit_input, diagonal, flips = false;
    double p = 1;
    Doubles weights[kGates][kWeights]; // empty: absent
    pymps_engine_neuron neurons[5];    // of the gates; then of the cell
    Floats slopes[5];

    Model(const Model &) = delete; // the neurons point to the slopes

    // `bounded` activations: others may grow without end over many steps.
    Model(Kind kind_, size_t inputs_, size_t outputs_, bool half, bool bounded)
        : kind(kind_), inputs(inputs_), outputs(outputs_), gates(GateCount(kind)), unit_input(Chance(0.15)),
          diagonal(Chance(0.5)) {
        if (unit_input)
            inputs = outputs;
        const bool complete = Chance(0.6), usual = bounded || Chance(0.5);
        const double deviation = 1 / std::sqrt(double(inputs + 2 * outputs));
        const auto random = [&](size_t gate, size_t part, size_t count, double scale) {
            if (!complete && Chance(0.3))
                return;
            for (const float v : Random(count, scale))
                weights[gate][part].push_back(half ? RoundToHalf(v) : v);
        };
        const bool has_memory = kind == kLstm && Chance(0.5);
        for (size_t gate = 0; gate < gates; ++gate) {
            if (!unit_input)
                random(gate, PYMPS_ENGINE_INPUT_WEIGHTS, outputs * inputs, deviation);
            random(gate, PYMPS_ENGINE_RECURRENT_WEIGHTS, outputs * outputs, deviation);
            if (has_memory)
                random(gate, PYMPS_ENGINE_MEMORY_WEIGHTS, diagonal ? outputs : outputs * outputs,
                       diagonal ? 0.5 : deviation);
            random(gate, PYMPS_ENGINE_BIAS, outputs, 0.5);
        }
        if (kind == kGru && Chance(0.4))
            random(2, PYMPS_ENGINE_MEMORY_WEIGHTS, outputs * outputs, deviation);
        if (kind == kGru && Chance(0.15))
            weights[2][PYMPS_ENGINE_RECURRENT_WEIGHTS].clear(); // a minimal gated unit
        flips = Chance(0.3);
        if (kind == kGru && Chance(0.4))
            p = std::vector<double>{2, 3.5, 0.5, 1.25}[Below(4)];
        // Without all weights some sums are exactly 0.
        for (size_t i = 0; i < 5; ++i)
            neurons[i] = usual ? (i < 4 && i != 2 ? Sigmoid() : TanH())
                               : TrainableNeuron(/*cornered=*/complete, &slopes[i], outputs);
        if (p != 1)
            neurons[0] = Sigmoid(); // other powers want z within (0, 1)
    }

    // Whether a weight is one row.
    bool IsVector(size_t part) const {
        return part == PYMPS_ENGINE_BIAS || (part == PYMPS_ENGINE_MEMORY_WEIGHTS && kind == kLstm && diagonal);
    }

    double Sum(size_t gate, size_t part, size_t output, const double *operand, size_t columns) const {
        const Doubles &matrix = weights[gate][part];
        double sum = 0;
        for (size_t i = 0; !matrix.empty() && i < columns; ++i)
            sum += matrix[output * columns + i] * operand[i];
        return sum;
    }
    double Memory(size_t gate, size_t output, const double *c) const {
        const Doubles &v = weights[gate][PYMPS_ENGINE_MEMORY_WEIGHTS];
        if (diagonal)
            return v.empty() ? 0 : v[output] * c[output];
        return Sum(gate, PYMPS_ENGINE_MEMORY_WEIGHTS, output, c, outputs);
    }
    // W x + U h + b.
    double Start(size_t gate, size_t output, const double *x, const double *h) const {
        const Doubles &b = weights[gate][PYMPS_ENGINE_BIAS];
        return (unit_input ? x[output] : Sum(gate, PYMPS_ENGINE_INPUT_WEIGHTS, output, x, inputs)) +
               Sum(gate, PYMPS_ENGINE_RECURRENT_WEIGHTS, output, h, outputs) + (b.empty() ? 0 : b[output]);
    }
    double Activate(size_t neuron, double sum, size_t output) const {
        return neuron_formula(neurons[neuron], sum, output);
    }

    // h and c of one row, from before to after.
    void Step(const double *x, Doubles *h, Doubles *c) const {
        const Doubles h0 = *h, c0 = *c;
        Doubles r_h0(outputs), z_h0(outputs), z(outputs);
        for (size_t o = 0; o < outputs; ++o) {
            if (kind == kSingleGate) {
                (*h)[o] = Activate(0, Start(0, o, x, h0.data()), o);
            } else if (kind == kLstm) {
                double gate[3];
                for (size_t g = 0; g < 3; ++g)
                    gate[g] = Activate(g, Start(g, o, x, h0.data()) + Memory(g, o, c0.data()), o);
                (*c)[o] = gate[1] * c0[o] + gate[0] * gate[2];
            } else {
                z[o] = Activate(0, Start(0, o, x, h0.data()), o);
                z_h0[o] = z[o] * h0[o];
                r_h0[o] = Activate(1, Start(1, o, x, h0.data()), o) * h0[o];
            }
        }
        for (size_t o = 0; kind == kLstm && o < outputs; ++o)
            (*h)[o] = Activate(3, Start(3, o, x, h0.data()) + Memory(3, o, c->data()), o) * Activate(4, (*c)[o], o);
        for (size_t o = 0; kind == kGru && o < outputs; ++o) {
            const double sum =
                Start(2, o, x, r_h0.data()) + Sum(2, PYMPS_ENGINE_MEMORY_WEIGHTS, o, z_h0.data(), outputs);
            const double fresh = Activate(2, sum, o), rest = std::pow(1 - std::pow(z[o], p), 1 / p);
            (*h)[o] = flips ? rest * h0[o] + z[o] * fresh : rest * fresh + z[o] * h0[o];
        }
    }

    pymps_engine_training *Create() const {
        static const float there = 0; // weights are looked at, not into
        pymps_engine_gate described[kGates] = {};
        for (size_t gate = 0; gate < gates; ++gate) {
            const auto pointer = [&](size_t part) { return weights[gate][part].empty() ? nullptr : &there; };
            described[gate] = {pointer(PYMPS_ENGINE_INPUT_WEIGHTS),
                               pointer(PYMPS_ENGINE_RECURRENT_WEIGHTS),
                               {},
                               {},
                               pointer(PYMPS_ENGINE_MEMORY_WEIGHTS),
                               pointer(PYMPS_ENGINE_BIAS),
                               neurons[gate]};
        }
        if (kind == kLstm) {
            const pymps_engine_lstm lstm = {
                inputs,       outputs,    unit_input, diagonal, false, described[0], described[1], described[2],
                described[3], neurons[4], {},         {},       {}};
            return pymps_engine_lstm_training_create(&lstm);
        }
        if (kind == kGru) {
            const float *vh = described[2].memory_weights;
            described[2].memory_weights = nullptr;
            const pymps_engine_gru gru = {inputs,       outputs,      unit_input, false,    described[0],
                                          described[1], described[2], vh,         float(p), flips,
                                          {},           {},           {}};
            return pymps_engine_gru_training_create(&gru);
        }
        const pymps_engine_single_gate single_gate = {inputs, outputs, unit_input, false, described[0], {}, {}};
        return pymps_engine_single_gate_training_create(&single_gate);
    }

    std::string About() const {
        static const char *const names[] = {"LSTM", "GRU", "single gate"};
        char about[200];
        std::snprintf(about, sizeof(about),
                      "%s, in %zu, out %zu, unit %d, diagonal %d, p %g, flips %d, neurons %d %d %d %d %d", names[kind],
                      inputs, outputs, unit_input, diagonal, p, flips, neurons[0].type, neurons[1].type,
                      neurons[2].type, neurons[3].type, neurons[4].type);
        std::string text = about;
        for (size_t gate = 0; gate < gates; ++gate) {
            text += " ";
            for (size_t part = 0; part < kWeights; ++part)
                text += weights[gate][part].empty() ? "-" : std::string(1, "WUVb"[part]);
        }
        return text;
    }
};

} // namespace test

#endif
