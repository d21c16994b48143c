/* All activations of MPSCNNNeuronType over a row.
 *
 * They follow their formulas as float64 arithmetic would: infinity and NaN included. Errors, against the formula in
 * float64: at most 1 ULP, but 1 ULP of |a x| + |b| for Linear and HardSigmoid, 3 ULP for ELU and the bounds of
 * math-inl.h for Sigmoid and TanH, where a result below 2^-126 may be off by 2^-126. */
#if defined(PYMPS_ENGINE_NEURONS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef PYMPS_ENGINE_NEURONS_INL_H
#undef PYMPS_ENGINE_NEURONS_INL_H
#else
#define PYMPS_ENGINE_NEURONS_INL_H
#endif

#include <cmath>
#include <cstring>

#include "engine/engine.h"
#include "engine/math-inl.h"
#include "engine/neuron_type.h"
#include "engine/neuron_value.h"
#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace pymps::engine {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/* y[i] = f(x[i]), a vector at a time. */
template <class Function> HWY_INLINE void MapFloats(const float *x, float *y, size_t count, Function f) {
    const hn::ScalableTag<float> d;
    constexpr size_t kLanes = hn::MaxLanes(d);
    size_t i = 0;
    for (; i + kLanes <= count; i += kLanes)
        hn::StoreU(f(d, hn::LoadU(d, x + i)), d, y + i);
    if (i < count) {
        HWY_ALIGN float rest[kLanes] = {};
        std::memcpy(rest, x + i, (count - i) * sizeof(float));
        hn::Store(f(d, hn::Load(d, rest)), d, rest);
        std::memcpy(y + i, rest, (count - i) * sizeof(float));
    }
}

/* The same in float64 lanes: for functions that would overflow or cancel in float32 and that no one is in a hurry
 * for. The results are rounded one by one: Highway's emulated DemoteTo would turn infinities into the largest float. */
template <class Function> HWY_INLINE void MapDoubles(const float *x, float *y, size_t count, Function f) {
    const hn::ScalableTag<double> d;
    constexpr size_t kLanes = hn::MaxLanes(d);
    for (size_t i = 0; i < count; i += kLanes) {
        const size_t n = HWY_MIN(kLanes, count - i);
        HWY_ALIGN double lanes[kLanes] = {};
        for (size_t j = 0; j < n; ++j)
            lanes[j] = x[i + j];
        hn::Store(f(d, hn::Load(d, lanes)), d, lanes);
        for (size_t j = 0; j < n; ++j)
            y[i + j] = static_cast<float>(lanes[j]);
    }
}

/* y[i] = neuron(x[i]) in float64, one by one. */
HWY_INLINE void MapScalars(const pymps_engine_neuron &neuron, const float *x, float *y, size_t count) {
    for (size_t i = 0; i < count; ++i)
        y[i] = static_cast<float>(NeuronValue(neuron, x[i], i));
}

/* e^z; Highway's own wants z <= 706 and turns NaN into 0. */
template <class D> HWY_INLINE hn::Vec<D> Exp64(D d, hn::Vec<D> z) {
    const auto y = hn::Exp(d, hn::Min(z, hn::Set(d, 706.0)));
    return hn::IfThenElse(hn::Eq(z, z), y, z);
}

/* log z; Highway's own wants 0 < z < infinity. */
template <class D> HWY_INLINE hn::Vec<D> Log64(D d, hn::Vec<D> z) {
    const auto infinity = hn::Inf(d);
    auto y = hn::Log(d, z);
    y = hn::IfThenElse(hn::Eq(z, infinity), infinity, y);
    y = hn::IfThenElse(hn::Eq(z, hn::Zero(d)), hn::Neg(infinity), y);
    return hn::IfThenElse(hn::Ge(z, hn::Zero(d)), y, hn::NaN(d));
}

/* erfc(|x| / sqrt 2) = e^(-x^2 / 2) t P(t) with t = 1 / (1 + 0.4 |x| / sqrt 2), P an interpolation at Chebyshev nodes
 * over t in [0, 1]. Relative error below 1e-9. */
template <class D> HWY_INLINE hn::Vec<D> UpperTail64(D d, hn::Vec<D> x) {
    constexpr double kCoefficients[] = {
        0.0187957205918011827, -0.107356556935200081,  0.237495961295519886,  -0.237465091092360795,
        0.100976660602095452,  -0.0580012860619971994, 0.0276873425965660988, 0.0656407014254464576,
        0.121736814580270338,  0.171516661408002944,   0.20762139624250712,   0.225675842306737258,
        0.225675833391470878,
    };
    const auto one = hn::Set(d, 1.0);
    const auto t = hn::Div(one, hn::MulAdd(hn::Abs(x), hn::Set(d, 0.4 * 0.70710678118654752440), one));
    auto p = hn::Set(d, kCoefficients[0]);
    for (size_t i = 1; i < sizeof(kCoefficients) / sizeof(kCoefficients[0]); ++i)
        p = hn::MulAdd(p, t, hn::Set(d, kCoefficients[i]));
    return hn::Mul(hn::Mul(p, t), Exp64(d, hn::Mul(hn::Mul(x, x), hn::Set(d, -0.5))));
}

template <class D> HWY_INLINE hn::Vec<D> Gelu64(D d, hn::Vec<D> x) {
    const auto tail = UpperTail64(d, x);
    const auto erf_plus_1 = hn::IfThenElse(hn::Lt(x, hn::Zero(d)), tail, hn::Sub(hn::Set(d, 2.0), tail));
    return hn::Mul(hn::Mul(hn::Set(d, 0.5), x), erf_plus_1);
}

/* log(1 + e^z), without overflow. */
template <class D> HWY_INLINE hn::Vec<D> SoftPlus64(D d, hn::Vec<D> z) {
    const auto y = hn::Add(hn::Max(z, hn::Zero(d)), hn::Log1p(d, Exp64(d, hn::Neg(hn::Abs(z)))));
    return hn::IfThenElse(hn::Eq(z, z), y, z);
}

HWY_INLINE void ApplyPRelu(const float *slopes, const float *x, float *y, size_t count) {
    for (size_t i = 0; i < count; ++i)
        y[i] = x[i] >= 0.0f ? x[i] : slopes[i] * x[i];
}

/* c^(a x + b); c == -1 stands for e. */
HWY_INLINE void ApplyExponential(const pymps_engine_neuron &neuron, const float *x, float *y, size_t count) {
    const double a = neuron.a, b = neuron.b, c = neuron.c;
    if (c != -1.0 && !(c > 0.0 && c != 1.0 && std::isfinite(c))) {
        // A base of 0, of 1, below 0 or not finite: pow knows all their special cases.
        return MapScalars(neuron, x, y, count);
    }
    const double log_c = c == -1.0 ? 1.0 : std::log(c);
    MapDoubles(x, y, count, [=](auto d, auto v) HWY_ATTR {
        return Exp64(d, hn::Mul(hn::Set(d, log_c), hn::MulAdd(hn::Set(d, a), v, hn::Set(d, b))));
    });
}

/* log_c(a x + b); c == -1 stands for e. */
HWY_INLINE void ApplyLogarithm(const pymps_engine_neuron &neuron, const float *x, float *y, size_t count) {
    const double a = neuron.a, b = neuron.b, c = neuron.c;
    // Infinite for c == 1. Multiplied, because Highway's emulated Div by 0 gives 0.
    const double scale = c == -1.0 ? 1.0 : 1.0 / std::log(c);
    MapDoubles(x, y, count, [=](auto d, auto v) HWY_ATTR {
        return hn::Mul(Log64(d, hn::MulAdd(hn::Set(d, a), v, hn::Set(d, b))), hn::Set(d, scale));
    });
}

/* y[i] = neuron(x[i]); channel_a, if there is one, belongs to x[0]. x may equal y. */
inline void ApplyNeuron(const pymps_engine_neuron &neuron, const float *x, float *y, size_t count) {
    const float a = neuron.a, b = neuron.b;
    switch (static_cast<NeuronType>(neuron.type)) {
    case NeuronType::kNone:
        return MapFloats(x, y, count, [](auto, auto v) HWY_ATTR { return v; });
    case NeuronType::kReLU:
        return MapFloats(x, y, count, [=](auto d, auto v) HWY_ATTR {
            return hn::IfThenElse(hn::Ge(v, hn::Zero(d)), v, hn::Mul(hn::Set(d, a), v));
        });
    case NeuronType::kLinear:
        return MapFloats(x, y, count,
                         [=](auto d, auto v) HWY_ATTR { return hn::MulAdd(hn::Set(d, a), v, hn::Set(d, b)); });
    case NeuronType::kSigmoid:
        return MapFloats(x, y, count, [](auto d, auto v) HWY_ATTR { return Sigmoid32(d, v); });
    case NeuronType::kHardSigmoid:
        return MapFloats(x, y, count, [=](auto d, auto v) HWY_ATTR {
            const auto zero = hn::Zero(d), one = hn::Set(d, 1.0f);
            const auto z = hn::MulAdd(hn::Set(d, a), v, hn::Set(d, b));
            return hn::IfThenElse(hn::Gt(z, one), one, hn::IfThenElse(hn::Lt(z, zero), zero, z));
        });
    case NeuronType::kTanH:
        return MapFloats(x, y, count, [=](auto d, auto v) HWY_ATTR {
            return hn::Mul(hn::Set(d, a), Tanh32(d, hn::Mul(hn::Set(d, b), v)));
        });
    case NeuronType::kAbsolute:
        return MapFloats(x, y, count, [](auto, auto v) HWY_ATTR { return hn::Abs(v); });
    case NeuronType::kSoftPlus:
        return MapDoubles(x, y, count, [=](auto d, auto v) HWY_ATTR {
            return hn::Mul(hn::Set(d, double(a)), SoftPlus64(d, hn::Mul(hn::Set(d, double(b)), v)));
        });
    case NeuronType::kSoftSign:
        return MapFloats(x, y, count,
                         [](auto d, auto v) HWY_ATTR { return hn::Div(v, hn::Add(hn::Set(d, 1.0f), hn::Abs(v))); });
    case NeuronType::kELU:
        return MapFloats(x, y, count, [=](auto d, auto v) HWY_ATTR {
            const auto z = hn::Min(hn::Max(v, hn::Set(d, -87.0f)), hn::Zero(d));
            const auto below = hn::Mul(hn::Set(d, a), KeepNaN(d, v, ExpMinusOne32(d, z)));
            return hn::IfThenElse(hn::Ge(v, hn::Zero(d)), v, below);
        });
    case NeuronType::kPReLU:
        return ApplyPRelu(neuron.channel_a, x, y, count);
    case NeuronType::kReLUN:
        return MapFloats(x, y, count, [=](auto d, auto v) HWY_ATTR {
            const auto limit = hn::Set(d, b);
            const auto z = hn::IfThenElse(hn::Ge(v, hn::Zero(d)), v, hn::Mul(hn::Set(d, a), v));
            return hn::IfThenElse(hn::Gt(z, limit), limit, z);
        });
    case NeuronType::kPower:
        // The special cases of pow (zeros, signs, whole exponents of negative bases) are worth more than speed here.
        return MapScalars(neuron, x, y, count);
    case NeuronType::kExponential:
        return ApplyExponential(neuron, x, y, count);
    case NeuronType::kLogarithm:
        return ApplyLogarithm(neuron, x, y, count);
    case NeuronType::kGeLU:
        return MapDoubles(x, y, count, [](auto d, auto v) HWY_ATTR { return Gelu64(d, v); });
    }
}

} // namespace HWY_NAMESPACE
} // namespace pymps::engine
HWY_AFTER_NAMESPACE();

#endif
