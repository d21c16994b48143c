/* The activations by their formulas, in the C library's float64. */
#ifndef PYMPS_TESTS_NEURON_FORMULA_H
#define PYMPS_TESTS_NEURON_FORMULA_H

#include <cmath>

#include "engine/engine.h"

namespace test {

inline double SoftPlus(double z) {
    return std::isnan(z) ? z : std::fmax(z, 0.0) + std::log1p(std::exp(-std::fabs(z)));
}

inline double NeuronFormula(const pymps_engine_neuron &n, double x, size_t channel) {
    const double a = n.a, b = n.b, c = n.c, z = a * x + b;
    switch (n.type) {
    case 0:
        return x;
    case 1:
        return x >= 0 ? x : a * x;
    case 2:
        return z;
    case 3:
        return 1 / (1 + std::exp(-x));
    case 4:
        return z < 0 ? 0 : z > 1 ? 1 : z;
    case 5:
        return a * std::tanh(b * x);
    case 6:
        return std::fabs(x);
    case 7:
        return a * SoftPlus(b * x);
    case 8:
        return x / (1 + std::fabs(x));
    case 9:
        return x >= 0 ? x : a * std::expm1(x);
    case 10:
        return x >= 0 ? x : n.channel_a[channel] * x;
    case 11: {
        const double rectified = x >= 0 ? x : a * x;
        return rectified > b ? b : rectified;
    }
    case 12:
        return std::pow(z, c);
    case 13:
        return n.c == -1.0f ? std::exp(z) : std::pow(c, z);
    case 14:
        return n.c == -1.0f ? std::log(z) : std::log(z) / std::log(c);
    default:
        return 0.5 * x * std::erfc(-x * std::sqrt(0.5));
    }
}

} // namespace test

#endif
