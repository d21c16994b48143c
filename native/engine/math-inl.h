/* The exponential family that the recurrence leans on, in float32. All take any input; NaN gives NaN. */
#if defined(PYMPS_ENGINE_MATH_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef PYMPS_ENGINE_MATH_INL_H
#undef PYMPS_ENGINE_MATH_INL_H
#else
#define PYMPS_ENGINE_MATH_INL_H
#endif

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace pymps::engine {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/* e^x = scale (1 + fraction), scale a power of two, fraction in (-0.3, 0.42). */
template <class D> struct Exponential {
    hn::Vec<D> scale, fraction;
};

/* x in [-87, 89]; beyond 88.4 the scale is infinite. NaN gives a NaN for the fraction. */
template <class D> HWY_INLINE Exponential<D> SplitExponential(D d, hn::Vec<D> x) {
    const hn::RebindToSigned<D> di;
    // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits.
    const auto magic = hn::Set(d, 12582912.0f);
    const auto shifted = hn::MulAdd(x, hn::Set(d, 1.44269504f), magic);
    const auto n = hn::Sub(shifted, magic);
    const auto bits = hn::Add(hn::ShiftLeft<23>(hn::BitCast(di, shifted)), hn::Set(di, 0x3F800000));

    // ln 2 in two parts; the product of the first with n is exact even where there is no fused multiply-add.
    auto r = hn::NegMulAdd(n, hn::Set(d, 0.693145751953125f), x);
    r = hn::NegMulAdd(n, hn::Set(d, 1.42860677e-6f), r);

    // e^r - 1 = r + r^2 P(r), P minimax in the relative error of e^r (3e-9).
    const auto r2 = hn::Mul(r, r);
    const auto p01 = hn::MulAdd(r, hn::Set(d, 0.166665204f), hn::Set(d, 0.499999934f));
    const auto p23 = hn::MulAdd(r, hn::Set(d, 8.36874511e-3f), hn::Set(d, 4.16683908e-2f));
    const auto p = hn::MulAdd(r2, hn::MulAdd(r2, hn::Set(d, 1.38145402e-3f), p23), p01);
    return {hn::BitCast(d, bits), hn::MulAdd(p, r2, r)};
}

template <class D> HWY_INLINE hn::Vec<D> KeepNaN(D d, hn::Vec<D> x, hn::Vec<D> y) {
    (void)d;
    return hn::IfThenElse(hn::IsNaN(x), x, y);
}

/* x86's Min and Max keep a NaN in their second argument; the others need not. */
inline constexpr bool kClampsKeepNaN = HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_SSE4;

/* The smaller or the larger of two, or the NaN that x is. */
template <class D> HWY_INLINE hn::Vec<D> AtMost(D d, float limit, hn::Vec<D> x) {
    const auto y = hn::Min(hn::Set(d, limit), x);
    return kClampsKeepNaN ? y : KeepNaN(d, x, y);
}
template <class D> HWY_INLINE hn::Vec<D> AtLeast(D d, float limit, hn::Vec<D> x) {
    const auto y = hn::Max(hn::Set(d, limit), x);
    return kClampsKeepNaN ? y : KeepNaN(d, x, y);
}

/* 1 + e^-x. */
template <class D> HWY_INLINE hn::Vec<D> SigmoidDivisor(D d, hn::Vec<D> x) {
    const auto one = hn::Set(d, 1.0f);
    const auto z = AtMost(d, 89.0f, AtLeast(d, -87.0f, hn::Neg(x)));
    const auto e = SplitExponential(d, z);
    return hn::MulAdd(hn::Add(e.fraction, one), e.scale, one);
}

/* Error at most 3 ULP, or 2^-126 where the result would be subnormal (it becomes 0). */
template <class D> HWY_INLINE hn::Vec<D> Sigmoid32(D d, hn::Vec<D> x) {
    return hn::Div(hn::Set(d, 1.0f), SigmoidDivisor(d, x));
}

/* e^x - 1 for x in [-87, 88]. Error at most 2 ULP. */
template <class D> HWY_INLINE hn::Vec<D> ExpMinusOne32(D d, hn::Vec<D> x) {
    const auto e = SplitExponential(d, x);
    return hn::MulAdd(e.fraction, e.scale, hn::Sub(e.scale, hn::Set(d, 1.0f)));
}

/* e^2|x| - 1: tanh |x| is this, divided by 2 more than this, which keeps its precision near 0. */
template <class D> HWY_INLINE hn::Vec<D> TanhDividend(D d, hn::Vec<D> x) {
    const auto magnitude = AtMost(d, 10.0f, hn::Abs(x)); // tanh(10) rounds to 1
    return ExpMinusOne32(d, hn::Add(magnitude, magnitude));
}

/* Error at most 3 ULP. */
template <class D> HWY_INLINE hn::Vec<D> Tanh32(D d, hn::Vec<D> x) {
    const auto e = TanhDividend(d, x);
    return hn::CopySign(hn::Div(e, hn::Add(e, hn::Set(d, 2.0f))), x);
}

/* sigmoid(x) * tanh(y) with one division. Error at most 6 ULP, or 2^-126. */
template <class D> HWY_INLINE hn::Vec<D> SigmoidTimesTanh32(D d, hn::Vec<D> x, hn::Vec<D> y) {
    const auto e = TanhDividend(d, y);
    const auto divisor = hn::Mul(SigmoidDivisor(d, x), hn::Add(e, hn::Set(d, 2.0f)));
    return hn::CopySign(hn::Div(e, divisor), y);
}

} // namespace HWY_NAMESPACE
} // namespace pymps::engine
HWY_AFTER_NAMESPACE();

#endif
