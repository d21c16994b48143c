/* Vectors of float16 in memory, as float32 in registers. */
#if defined(PYMPS_ENGINE_HALF_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef PYMPS_ENGINE_HALF_INL_H
#undef PYMPS_ENGINE_HALF_INL_H
#else
#define PYMPS_ENGINE_HALF_INL_H
#endif

#include "engine/half.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace pymps::engine {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/* No alignment is needed beyond that of an element. Stores round to nearest even. The targets without an instruction
 * go lane by lane: Highway 1.0's emulation truncates, and knows no infinity. */
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_NEON

template <class D> HWY_INLINE hn::Vec<D> LoadHalf(D d, const uint16_t *from) {
    const hn::Rebind<hwy::float16_t, D> dh;
    return hn::PromoteTo(d, hn::LoadU(dh, reinterpret_cast<const hwy::float16_t *>(from)));
}

template <class D> HWY_INLINE void StoreHalf(hn::Vec<D> v, D d, uint16_t *to) {
    const hn::Rebind<hwy::float16_t, D> dh;
    hn::StoreU(hn::DemoteTo(dh, v), dh, reinterpret_cast<hwy::float16_t *>(to));
    (void)d;
}

#else

template <class D> HWY_INLINE hn::Vec<D> LoadHalf(D d, const uint16_t *from) {
    HWY_ALIGN float lanes[hn::MaxLanes(d)];
    for (size_t i = 0; i < hn::MaxLanes(d); ++i)
        lanes[i] = FloatFromHalf(from[i]);
    return hn::Load(d, lanes);
}

template <class D> HWY_INLINE void StoreHalf(hn::Vec<D> v, D d, uint16_t *to) {
    HWY_ALIGN float lanes[hn::MaxLanes(d)];
    hn::Store(v, d, lanes);
    for (size_t i = 0; i < hn::MaxLanes(d); ++i)
        to[i] = HalfFromFloat(lanes[i]);
}

#endif

/* Not inlined: they would burden their callers, which mostly have floats. */
HWY_NOINLINE inline void FloatsFromHalves(const uint16_t *from, float *to, size_t count) {
    const hn::ScalableTag<float> d;
    size_t i = 0;
    for (; i + hn::MaxLanes(d) <= count; i += hn::MaxLanes(d))
        hn::StoreU(LoadHalf(d, from + i), d, to + i);
    for (; i < count; ++i)
        to[i] = FloatFromHalf(from[i]);
}

HWY_NOINLINE inline void HalvesFromFloats(const float *from, uint16_t *to, size_t count) {
    const hn::ScalableTag<float> d;
    size_t i = 0;
    for (; i + hn::MaxLanes(d) <= count; i += hn::MaxLanes(d))
        StoreHalf(hn::LoadU(d, from + i), d, to + i);
    for (; i < count; ++i)
        to[i] = HalfFromFloat(from[i]);
}

} // namespace HWY_NAMESPACE
} // namespace pymps::engine
HWY_AFTER_NAMESPACE();

#endif
