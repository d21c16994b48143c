#include "engine/neuron_value.h"

#include <cmath>

#include "engine/neuron_type.h"

namespace pymps::engine {

double NeuronValue(const pymps_engine_neuron &neuron, double x, size_t channel) {
    const double a = neuron.a, b = neuron.b, c = neuron.c;
    switch (static_cast<NeuronType>(neuron.type)) {
    case NeuronType::kNone:
        break;
    case NeuronType::kReLU:
        return x >= 0 ? x : a * x;
    case NeuronType::kLinear:
        return a * x + b;
    case NeuronType::kSigmoid:
        return 1 / (1 + std::exp(-x));
    case NeuronType::kHardSigmoid: {
        const double y = a * x + b;
        return y > 1 ? 1 : y < 0 ? 0 : y;
    }
    case NeuronType::kTanH:
        return a * std::tanh(b * x);
    case NeuronType::kAbsolute:
        return std::fabs(x);
    case NeuronType::kSoftPlus: {
        const double y = b * x;
        return a * (y > 0 ? y + std::log1p(std::exp(-y)) : std::log1p(std::exp(y)));
    }
    case NeuronType::kSoftSign:
        return x / (1 + std::fabs(x));
    case NeuronType::kELU:
        return x >= 0 ? x : a * std::expm1(x);
    case NeuronType::kPReLU:
        return x >= 0 ? x : neuron.channel_a[channel] * x;
    case NeuronType::kReLUN: {
        const double y = x >= 0 ? x : a * x;
        return y > b ? b : y;
    }
    case NeuronType::kPower:
        return std::pow(a * x + b, c);
    case NeuronType::kExponential:
        return c == -1 ? std::exp(a * x + b) : std::pow(c, a * x + b);
    case NeuronType::kLogarithm:
        return c == -1 ? std::log(a * x + b) : std::log(a * x + b) / std::log(c);
    case NeuronType::kGeLU:
        return 0.5 * x * std::erfc(-x * std::sqrt(0.5));
    }
    return x;
}

} // namespace pymps::engine
