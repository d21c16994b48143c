/* The activations by their formulas, in the C library's float64. */
#ifndef PYMPS_TESTS_NEURON_FORMULA_H
#define PYMPS_TESTS_NEURON_FORMULA_H

#include <math.h>

#include "engine/engine.h"

static inline double soft_plus(double z) {
    return isnan(z) ? z : fmax(z, 0) + log1p(exp(-fabs(z)));
}

static inline double neuron_formula(pymps_engine_neuron n, double x, size_t channel) {
    const double a = n.a, b = n.b, c = n.c, z = a * x + b;
    switch (n.type) {
    case 0:
        return x;
    case 1:
        return x >= 0 ? x : a * x;
    case 2:
        return z;
    case 3:
        return 1 / (1 + exp(-x));
    case 4:
        return z < 0 ? 0 : z > 1 ? 1 : z;
    case 5:
        return a * tanh(b * x);
    case 6:
        return fabs(x);
    case 7:
        return a * soft_plus(b * x);
    case 8:
        return x / (1 + fabs(x));
    case 9:
        return x >= 0 ? x : a * expm1(x);
    case 10:
        return x >= 0 ? x : n.channel_a[channel] * x;
    case 11: {
        const double rectified = x >= 0 ? x : a * x;
        return rectified > b ? b : rectified;
    }
    case 12:
        return pow(z, c);
    case 13:
        return n.c == -1 ? exp(z) : pow(c, z);
    case 14:
        return n.c == -1 ? log(z) : log(z) / log(c);
    default:
        return 0.5 * x * erfc(-x * sqrt(0.5));
    }
}

#endif
