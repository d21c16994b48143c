/* Every activation against its formula in the C library's float64, over the whole range of float32. */
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "engine_test.h"
#include "neuron_formula.h"

namespace {

struct Case {
    const char *name;
    int32_t type;
    float a, b, c;
    double ulp;      // the bound that the engine states: units in the last place of the result
    double absolute; // and what it may be off besides, near 0
};

constexpr double kNone = 0.0, kSubnormal = 0x1p-149, kFlushed = 0x1p-126;
const float kInfinity = std::numeric_limits<float>::infinity();

const Case kCases[] = {
    {"None", 0, 3, 3, 3, 0, kNone},
    {"ReLU", 1, 0, 0, 0, 0.5, kNone},
    {"ReLU leaky", 1, 0.1f, 0, 0, 0.5, kNone},
    {"Linear", 2, 1, 0, 0, 0.5, kNone},
    {"Linear", 2, -2.5f, 0.75f, 0, 1, kNone},
    {"Sigmoid", 3, 0, 0, 0, 3, kFlushed},
    {"Sigmoid ignores a, b", 3, 7, 7, 7, 3, kFlushed},
    {"HardSigmoid", 4, 0.2f, 0.5f, 0, 1, kNone},
    {"TanH", 5, 1, 1, 0, 3, kSubnormal},
    {"TanH scaled", 5, 1.7159f, 0.6667f, 0, 4, 4 * kSubnormal},
    {"TanH of nothing", 5, 0, 0, 0, 0, kNone},
    {"Absolute", 6, 0, 0, 0, 0, kNone},
    {"SoftPlus", 7, 1, 1, 0, 1, kNone},
    {"SoftPlus scaled", 7, 0.5f, 2, 0, 1, kNone},
    {"SoftPlus negative", 7, -3, -0.25f, 0, 1, kNone},
    {"SoftSign", 8, 0, 0, 0, 2, kNone},
    {"ELU", 9, 1, 0, 0, 2, kSubnormal},
    {"ELU scaled", 9, 1.6733f, 0, 0, 3, 4 * kSubnormal},
    {"PReLU", 10, 0, 0, 0, 0.5, kNone},
    {"ReLUN", 11, 1, 6, 0, 0.5, kNone},
    {"ReLUN leaky", 11, 0.1f, 6, 0, 0.5, kNone},
    {"Power 2", 12, 1, 0, 2, 1, kNone},
    {"Power 3, shifted", 12, 0.5f, 1, 3, 1, kNone},
    {"Power 0", 12, 1, 1, 0, 1, kNone},
    {"Power 0.5", 12, 1, 0, 0.5f, 1, kNone},
    {"Power -1", 12, 2, 0, -1, 1, kNone},
    {"Power -2.5", 12, -1, 0.25f, -2.5f, 1, kNone},
    {"Exponential e", 13, 1, 0, -1, 1, kNone},
    {"Exponential e, scaled", 13, -0.5f, 3, -1, 1, kNone},
    {"Exponential 2", 13, 1, 0, 2, 1, kNone},
    {"Exponential 0.3", 13, 2, -1, 0.3f, 1, kNone},
    {"Exponential 1", 13, 1, 0, 1, 1, kNone},
    {"Exponential 0", 13, 1, 0, 0, 1, kNone},
    {"Exponential -2", 13, 1, 0, -2, 1, kNone},
    {"Exponential infinity", 13, 1, 0, kInfinity, 1, kNone},
    {"Logarithm e", 14, 1, 0, -1, 1, kNone},
    {"Logarithm e, shifted", 14, 0.5f, 1, -1, 1, kNone},
    {"Logarithm 10", 14, 3, 0.125f, 10, 1, kNone},
    {"Logarithm 0.5", 14, -1, 0, 0.5f, 1, kNone},
    {"Logarithm 1", 14, 1, 0, 1, 1, kNone},
    {"Logarithm 0", 14, 1, 0, 0, 1, kNone},
    {"Logarithm -3", 14, 1, 0, -3, 1, kNone},
    {"GeLU", 15, 0, 0, 0, 1, kNone},
};

float Slope(size_t channel) {
    return 0.25f * static_cast<float>(channel % 7) - 0.5f;
}

double UnitInLastPlace(double value) {
    return value == 0 ? 0x1p-149 : std::ldexp(1.0, std::max(std::ilogb(value) - 23, -149));
}

// What the stated error is measured in. A fused or separate a x + b errs in proportion to its terms, not to its result.
double Scale(const Case &n, double x, double expected) {
    if (n.type == 2 || n.type == 4)
        return std::fmax(std::fabs(expected), std::fmin(std::fabs(n.a * x) + std::fabs(n.b), 0x1.fffffep127));
    return expected;
}

// Infinity counts as 2^128 where the exact result is finite: the largest float is one unit away.
double Finite(double value) {
    return std::fmin(std::fmax(value, -0x1p128), 0x1p128);
}

bool Agrees(const Case &n, float x, float y, double exact) {
    if (std::isnan(exact))
        return std::isnan(y);
    if (std::isinf(exact))
        return y == static_cast<float>(exact);
    const double expected = Finite(exact);
    const double bound = n.ulp * UnitInLastPlace(Scale(n, x, expected)) + n.absolute;
    // The half unit by which a subnormal result is rounded is everyone's.
    return std::fabs(Finite(y) - expected) <= std::fmax(bound, n.ulp == 0 ? 0 : 0x1p-150);
}

std::vector<float> Inputs() {
    std::vector<float> inputs = {0.0f, -0.0f, kInfinity, -kInfinity, std::nanf(""), -std::nanf("1"), 1.0f, -1.0f};
    for (uint64_t bits = 0; bits <= 0xFFFFFFFFu; bits += 4099) {
        const uint32_t pattern = static_cast<uint32_t>(bits);
        float value;
        std::memcpy(&value, &pattern, sizeof(value));
        inputs.push_back(value);
    }
    for (int i = -20000; i <= 20000; ++i) // where the activations bend
        inputs.push_back(static_cast<float>(i) * 1e-3f);
    for (int i = -2000; i <= 2000; ++i) // where they overflow and underflow
        inputs.push_back(static_cast<float>(i) * 0.06f);
    return inputs;
}

void TestCase(const Case &n, const std::vector<float> &inputs) {
    const size_t count = inputs.size();
    std::vector<float> slopes(count), outputs(count);
    std::vector<double> expected(count);
    for (size_t i = 0; i < count; ++i)
        slopes[i] = Slope(i);
    const pymps_engine_neuron neuron = {n.type, n.a, n.b, n.c, n.type == 10 ? slopes.data() : nullptr};
    for (size_t i = 0; i < count; ++i)
        expected[i] = neuron_formula(neuron, inputs[i], i);
    test::ForEachTarget([&] {
        pymps_engine_neuron_apply(&neuron, inputs.data(), outputs.data(), count);
        size_t wrong = 0, at = 0;
        for (size_t i = 0; i < count; ++i) {
            if (!Agrees(n, inputs[i], outputs[i], expected[i]) && wrong++ == 0)
                at = i;
        }
        test::Check(wrong == 0, "%s (a=%g b=%g c=%g): %zu of %zu beyond the bound, first f(%.9g) = %.9g, not %.9g",
                    n.name, n.a, n.b, n.c, wrong, count, inputs[at], outputs[at], expected[at]);
    });
}

// Rows of any length, in place, touch nothing beyond their end.
void TestLengths() {
    for (const Case &n : kCases) {
        for (size_t count = 0; count < 40; ++count) {
            std::vector<float> x(count), slopes(count), y(count + 1, 42.0f), apart(count + 1, 42.0f);
            for (size_t i = 0; i < count; ++i) {
                slopes[i] = Slope(i);
                x[i] = y[i] = 0.37f * static_cast<float>(i) - 5;
            }
            const pymps_engine_neuron neuron = {n.type, n.a, n.b, n.c, n.type == 10 ? slopes.data() : nullptr};
            pymps_engine_neuron_apply(&neuron, x.data(), apart.data(), count);
            pymps_engine_neuron_apply(&neuron, y.data(), y.data(), count);
            bool right = y[count] == 42.0f && apart[count] == 42.0f;
            for (size_t i = 0; i < count; ++i)
                right &= Agrees(n, x[i], y[i], neuron_formula(neuron, x[i], i)) &&
                         std::memcmp(&y[i], &apart[i], sizeof(float)) == 0;
            test::Check(right, "%s: a row of %zu", n.name, count);
        }
    }
}

} // namespace

int main() {
    const std::vector<float> inputs = Inputs();
    for (const Case &n : kCases)
        TestCase(n, inputs);
    test::ForEachTarget(TestLengths);
    return test::Report();
}
