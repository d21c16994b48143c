#include "engine/neuron_slope.h"

#include <cmath>

#include "engine/neuron_type.h"

namespace pymps::engine {
namespace {

double SigmoidValue(double x) {
    return 1 / (1 + std::exp(-x));
}

double SigmoidSlope(double x) {
    const double e = std::exp(-std::fabs(x));
    return e / ((1 + e) * (1 + e));
}

double TanhSlope(double x) {
    const double e = std::exp(-2 * std::fabs(x));
    return 4 * e / ((1 + e) * (1 + e));
}

double GeluSlope(double x) {
    constexpr double kInverseRootOfTwoPi = 0.39894228040143267794;
    return 0.5 * std::erfc(-x * std::sqrt(0.5)) + x * kInverseRootOfTwoPi * std::exp(-0.5 * x * x);
}

double Sign(double x) {
    return x > 0 ? 1 : x < 0 ? -1 : x;
}

} // namespace

double NeuronSlope(const pymps_engine_neuron &neuron, double x, size_t channel) {
    const double a = neuron.a, b = neuron.b, c = neuron.c, z = a * x + b;
    switch (static_cast<NeuronType>(neuron.type)) {
    case NeuronType::kNone:
        break;
    case NeuronType::kReLU:
        return x >= 0 ? 1 : a;
    case NeuronType::kLinear:
        return a;
    case NeuronType::kSigmoid:
        return SigmoidSlope(x);
    case NeuronType::kHardSigmoid:
        return z >= 0 && z <= 1 ? a : 0;
    case NeuronType::kTanH:
        return a * b * TanhSlope(b * x);
    case NeuronType::kAbsolute:
        return Sign(x);
    case NeuronType::kSoftPlus:
        return a * b * SigmoidValue(b * x);
    case NeuronType::kSoftSign:
        return 1 / ((1 + std::fabs(x)) * (1 + std::fabs(x)));
    case NeuronType::kELU:
        return x >= 0 ? 1 : a * std::exp(x);
    case NeuronType::kPReLU:
        return x >= 0 ? 1 : neuron.channel_a[channel];
    case NeuronType::kReLUN:
        return (x >= 0 ? x : a * x) >= b ? 0 : x >= 0 ? 1 : a;
    case NeuronType::kPower:
        return a * c * std::pow(z, c - 1);
    case NeuronType::kExponential:
        return c == -1 ? a * std::exp(z) : a * std::log(c) * std::pow(c, z);
    case NeuronType::kLogarithm:
        return c == -1 ? a / z : a / (std::log(c) * z);
    case NeuronType::kGeLU:
        return GeluSlope(x);
    }
    return 1;
}

bool SlopeNeedsSum(const pymps_engine_neuron &neuron) {
    switch (static_cast<NeuronType>(neuron.type)) {
    case NeuronType::kNone:
    case NeuronType::kLinear:
    case NeuronType::kSigmoid:
    case NeuronType::kSoftSign:
        return false;
    case NeuronType::kTanH:
        return TanhSlopeNeedsSum(neuron);
    default:
        return true;
    }
}

} // namespace pymps::engine
