/* The derivatives of the activations over a row. */
#if defined(PYMPS_ENGINE_SLOPES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef PYMPS_ENGINE_SLOPES_INL_H
#undef PYMPS_ENGINE_SLOPES_INL_H
#else
#define PYMPS_ENGINE_SLOPES_INL_H
#endif

#include "engine/math-inl.h"
#include "engine/neuron_slope.h"
#include "engine/neuron_type.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace pymps::engine {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/* d[i] *= slope(from[i]), for whole vectors, all aligned. */
template <class Function> HWY_INLINE void ScaleBySlopes(const float *from, float *d, size_t count, Function slope) {
    const hn::ScalableTag<float> tag;
    for (size_t i = 0; i < count; i += hn::MaxLanes(tag))
        hn::Store(hn::Mul(hn::Load(tag, d + i), slope(tag, hn::Load(tag, from + i))), tag, d + i);
}

/* d[i] *= f'(x[i]) with y[i] = f(x[i]): dL/dx from dL/dy. x is read only where SlopeNeedsSum says so. For whole
 * vectors, all aligned; channel_a, if there is one, belongs to x[0]. */
inline void MultiplySlopes(const pymps_engine_neuron &neuron, const float *x, const float *y, float *d, size_t count) {
    const float a = neuron.a, b = neuron.b;
    switch (static_cast<NeuronType>(neuron.type)) {
    case NeuronType::kNone:
        return;
    case NeuronType::kReLU:
        return ScaleBySlopes(x, d, count, [=](auto tag, auto v) HWY_ATTR {
            return hn::IfThenElse(hn::Ge(v, hn::Zero(tag)), hn::Set(tag, 1.0f), hn::Set(tag, a));
        });
    case NeuronType::kLinear:
        return ScaleBySlopes(y, d, count, [=](auto tag, auto) HWY_ATTR { return hn::Set(tag, a); });
    case NeuronType::kSigmoid:
        return ScaleBySlopes(y, d, count,
                             [](auto tag, auto v) HWY_ATTR { return hn::Mul(v, hn::Sub(hn::Set(tag, 1.0f), v)); });
    case NeuronType::kTanH:
        if (TanhSlopeNeedsSum(neuron))
            break;
        // a b (1 - tanh^2), and 0 where y is a; a (a - y) could overflow
        return ScaleBySlopes(y, d, count, [=](auto tag, auto v) HWY_ATTR {
            const auto limit = hn::Set(tag, a), scale = hn::Set(tag, b / a);
            return hn::Mul(hn::Mul(scale, hn::Sub(limit, v)), hn::Add(limit, v));
        });
    case NeuronType::kSoftSign:
        // 1 - |y| = 1 / (1 + |x|)
        return ScaleBySlopes(y, d, count, [](auto tag, auto v) HWY_ATTR {
            const auto rest = hn::Sub(hn::Set(tag, 1.0f), hn::Abs(v));
            return hn::Mul(rest, rest);
        });
    case NeuronType::kPReLU:
        for (size_t i = 0; i < count; ++i)
            d[i] = x[i] >= 0.0f ? d[i] : neuron.channel_a[i] * d[i];
        return;
    default:
        break;
    }
    // No one is in a hurry for the others.
    for (size_t i = 0; i < count; ++i)
        d[i] = static_cast<float>(d[i] * NeuronSlope(neuron, x[i], i));
}

} // namespace HWY_NAMESPACE
} // namespace pymps::engine
HWY_AFTER_NAMESPACE();

#endif
