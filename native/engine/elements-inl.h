/* Floats in memory in all types that the caller's matrices may have. */
#if defined(PYMPS_ENGINE_ELEMENTS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef PYMPS_ENGINE_ELEMENTS_INL_H
#undef PYMPS_ENGINE_ELEMENTS_INL_H
#else
#define PYMPS_ENGINE_ELEMENTS_INL_H
#endif

#include <cmath>
#include <cstring>

#include "engine/engine.h"
#include "engine/half-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace pymps::engine {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

inline size_t ElementBytes(pymps_engine_type type) {
    return type == PYMPS_ENGINE_FLOAT32 ? 4 : type == PYMPS_ENGINE_UNORM8 ? 1 : 2;
}

/* What an integer divides by to become a number between 0 and 1. */
template <class T> inline constexpr float kUnormScale = static_cast<float>(T(~T(0)));

template <class T> HWY_INLINE void FloatsFromUnorm(const T *from, float *to, size_t count) {
    const hn::ScalableTag<float> d;
    const hn::RebindToSigned<decltype(d)> di;
    const hn::Rebind<T, decltype(d)> dt;
    size_t i = 0;
    for (; i + hn::MaxLanes(d) <= count; i += hn::MaxLanes(d)) {
        const auto integers = hn::PromoteTo(di, hn::LoadU(dt, from + i));
        hn::StoreU(hn::Div(hn::ConvertTo(d, integers), hn::Set(d, kUnormScale<T>)), d, to + i);
    }
    for (; i < count; ++i)
        to[i] = static_cast<float>(from[i]) / kUnormScale<T>;
}

/* NaN becomes 0. */
template <class T> HWY_INLINE void UnormFromFloats(const float *from, T *to, size_t count) {
    const hn::ScalableTag<float> d;
    const hn::Rebind<T, decltype(d)> dt;
    size_t i = 0;
    for (; i + hn::MaxLanes(d) <= count; i += hn::MaxLanes(d)) {
        const auto v = hn::LoadU(d, from + i);
        const auto clamped = hn::Min(hn::IfThenElseZero(hn::Gt(v, hn::Zero(d)), v), hn::Set(d, 1.0f));
        hn::StoreU(hn::DemoteTo(dt, hn::NearestInt(hn::Mul(clamped, hn::Set(d, kUnormScale<T>)))), dt, to + i);
    }
    for (; i < count; ++i) {
        const float clamped = from[i] > 0 ? std::fmin(from[i], 1.0f) : 0.0f;
        to[i] = static_cast<T>(std::nearbyint(clamped * kUnormScale<T>));
    }
}

inline void LoadElements(pymps_engine_type type, const void *from, float *to, size_t count) {
    switch (type) {
    case PYMPS_ENGINE_FLOAT32:
        std::memcpy(to, from, count * sizeof(float));
        break;
    case PYMPS_ENGINE_FLOAT16:
        FloatsFromHalves(static_cast<const uint16_t *>(from), to, count);
        break;
    case PYMPS_ENGINE_UNORM8:
        FloatsFromUnorm(static_cast<const uint8_t *>(from), to, count);
        break;
    case PYMPS_ENGINE_UNORM16:
        FloatsFromUnorm(static_cast<const uint16_t *>(from), to, count);
        break;
    }
}

inline void StoreElements(pymps_engine_type type, const float *from, void *to, size_t count) {
    switch (type) {
    case PYMPS_ENGINE_FLOAT32:
        std::memcpy(to, from, count * sizeof(float));
        break;
    case PYMPS_ENGINE_FLOAT16:
        HalvesFromFloats(from, static_cast<uint16_t *>(to), count);
        break;
    case PYMPS_ENGINE_UNORM8:
        UnormFromFloats(from, static_cast<uint8_t *>(to), count);
        break;
    case PYMPS_ENGINE_UNORM16:
        UnormFromFloats(from, static_cast<uint16_t *>(to), count);
        break;
    }
}

} // namespace HWY_NAMESPACE
} // namespace pymps::engine
HWY_AFTER_NAMESPACE();

#endif
