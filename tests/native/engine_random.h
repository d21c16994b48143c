/* Random layers for the engine's tests, and their sums in float64. */
#ifndef PYMPS_TESTS_ENGINE_RANDOM_H
#define PYMPS_TESTS_ENGINE_RANDOM_H

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "engine/engine.h"
#include "neuron_formula.h"

namespace test {

using Floats = std::vector<float>;

inline std::mt19937 random_bits;

inline size_t Below(size_t n) {
    return std::uniform_int_distribution<size_t>(0, n - 1)(random_bits);
}
inline bool Chance(double probability) {
    return std::bernoulli_distribution(probability)(random_bits);
}

inline Floats Random(size_t count, double deviation) {
    std::normal_distribution<float> normal(0.0f, static_cast<float>(deviation));
    Floats values(count);
    for (float &v : values)
        v = normal(random_bits);
    return values;
}

inline constexpr double kTolerance = 2e-6; // of the scale of the outputs, per step

// The same where half weights may be integers of 16 bits, multiplied with others: on AVX-512, from 64 outputs on.
inline constexpr double kHalfTolerance = 1e-4;

// The same where weights are bytes: what these are multiplied with may be rounded.
inline constexpr double kByteTolerance = 2e-4;

inline const float *OrNull(const Floats &values) {
    return values.empty() ? nullptr : values.data();
}

// To nearest even, by the definition: a multiple of the unit in the last place. Finite values of modest size only.
inline float RoundToHalf(float value) {
    const int exponent = value == 0 ? -14 : std::max(std::ilogb(value), -14);
    return static_cast<float>(std::ldexp(std::nearbyint(std::ldexp(double(value), 10 - exponent)), exponent - 10));
}

inline uint16_t HalfBits(float value) { // of a value that is exactly a half
    if (value == 0)
        return std::signbit(value) ? 0x8000 : 0;
    const int exponent = std::max(std::ilogb(value), -14);
    const int significand = static_cast<int>(std::ldexp(std::fabs(value), 10 - exponent));
    return static_cast<uint16_t>((std::signbit(value) ? 0x8000 : 0) + ((exponent + 14) << 10) + significand);
}

inline pymps_engine_neuron Sigmoid() {
    return {3, 0, 0, 0, nullptr};
}
inline pymps_engine_neuron TanH() {
    return {5, 1, 1, 0, nullptr};
}

// The activations themselves have their own test; here they must reach the right gate with the right parameters.
inline pymps_engine_neuron RandomNeuron(bool bounded, Floats *slopes, size_t outputs) {
    switch (Below(bounded ? 3 : 6)) {
    case 0:
        return {4, 0.25f, 0.5f, 0, nullptr};
    case 1:
        return {5, 0.75f, 0.5f, 0, nullptr};
    case 2:
        return {8, 0, 0, 0, nullptr};
    case 3:
        return {2, 0.5f, 0.125f, 0, nullptr};
    case 4:
        return {0, 0, 0, 0, nullptr};
    default:
        *slopes = Random(outputs, 0.5);
        return {10, 0, 0, 0, slopes->data()};
    }
}

inline size_t RandomSize() {
    static const size_t sizes[] = {1,  2,  3,  4,  5,  7,  8,  9,  15, 16,  17, 23,
                                   24, 25, 31, 32, 33, 40, 47, 64, 65, 100, 130};
    return sizes[Below(sizeof(sizes) / sizeof(sizes[0]))];
}

// What a test is to make a random layer of.
struct Shape {
    size_t inputs, outputs;
    bool bounded; // activations: others may grow without end over many steps
};

struct Bytes {
    std::vector<uint8_t> values; // empty: there are none
    Floats minima, steps;

    Bytes() = default;
    // The least and the greatest weight of an output lie at either side of zero, or on one, or are the same.
    Bytes(size_t outputs, size_t columns, double deviation) : values(outputs * columns), steps(outputs) {
        std::uniform_int_distribution<int> byte(0, 255);
        for (uint8_t &value : values)
            value = static_cast<uint8_t>(byte(random_bits));
        minima = Random(outputs, deviation);
        const Floats maxima = Random(outputs, deviation);
        for (size_t o = 0; o < outputs; ++o)
            steps[o] = Chance(0.1) ? 0 : (maxima[o] - minima[o]) / 255;
    }

    pymps_engine_bytes Describe() const {
        return {values.empty() ? nullptr : values.data(), minima.data(), steps.data()};
    }
    double At(size_t row, size_t column) const {
        const size_t columns = values.size() / minima.size();
        return minima[row] + double(steps[row]) * values[row * columns + column];
    }
};

// W or U, as floats or as bytes.
struct Weights {
    Floats floats;
    Bytes bytes;

    bool empty() const { return floats.empty() && bytes.values.empty(); }
    void clear() { *this = Weights(); }
};

struct Gate {
    Weights w, u;
    Floats v, b, slopes; // empty: absent
    pymps_engine_neuron neuron;

    Gate() = default;
    Gate(const Gate &) = delete; // the neuron points to the slopes

    pymps_engine_gate Describe() const {
        return {
            OrNull(w.floats), OrNull(u.floats), w.bytes.Describe(), u.bytes.Describe(), OrNull(v), OrNull(b), neuron};
    }
    double Activate(double sum, size_t output) const { return neuron_formula(neuron, sum, output); }
};

// What layers of all kinds have.
struct Layer {
    size_t inputs = 0, outputs = 0;
    bool unit_input = false, half_weights = false;
    bool complete = true;   // no weights are absent
    bool has_bytes = false; // some W and U may be bytes

    Layer() = default;
    explicit Layer(const Shape &shape) {
        unit_input = Chance(0.1);
        outputs = shape.outputs;
        inputs = unit_input ? shape.outputs : shape.inputs;
        half_weights = Chance(0.4);
        complete = Chance(0.6);
        has_bytes = Chance(0.4);
    }

    double Tolerance() const {
        const bool may_be_integers = half_weights && outputs >= 64 && !std::strcmp(pymps_engine_target(), "AVX3");
        return has_bytes ? kByteTolerance : may_be_integers ? kHalfTolerance : kTolerance;
    }
    double Deviation() const { return 1 / std::sqrt(double(inputs + 2 * outputs)); }

    Floats RandomWeights(size_t count) const { return complete || Chance(0.7) ? Random(count, Deviation()) : Floats(); }

    Weights RandomMatrix(size_t columns) const {
        if (has_bytes && Chance(0.7))
            return {{}, Bytes(outputs, columns, Deviation())};
        return {RandomWeights(outputs * columns), {}};
    }

    // All but V and the neuron.
    void RandomGate(Gate *gate) const {
        if (!unit_input)
            gate->w = RandomMatrix(inputs);
        gate->u = RandomMatrix(outputs);
        gate->b = complete || Chance(0.7) ? Random(outputs, 0.5) : Floats();
    }

    double Rounded(float weight) const { return half_weights ? RoundToHalf(weight) : weight; }

    // One row of a matrix times a vector.
    double Product(const Floats &matrix, size_t row, const double *vector, size_t columns) const {
        double sum = 0;
        for (size_t k = 0; !matrix.empty() && k < columns; ++k)
            sum += Rounded(matrix[row * columns + k]) * vector[k];
        return sum;
    }

    double Product(const Weights &matrix, size_t row, const double *vector, size_t columns) const {
        double sum = Product(matrix.floats, row, vector, columns);
        for (size_t k = 0; !matrix.bytes.values.empty() && k < columns; ++k)
            sum += matrix.bytes.At(row, k) * vector[k];
        return sum;
    }

    // W x + U h + b.
    double Sum(const Gate &gate, size_t o, const double *x, const double *h) const {
        const double wx = unit_input ? x[o] : Product(gate.w, o, x, inputs);
        return wx + Product(gate.u, o, h, outputs) + (gate.b.empty() ? 0 : gate.b[o]);
    }
};

} // namespace test

#endif
