/* Sums of products of weights that are bytes and quantized rows. All sums of integers are exact. */
#if defined(PYMPS_ENGINE_BYTE_PRODUCT_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef PYMPS_ENGINE_BYTE_PRODUCT_INL_H
#undef PYMPS_ENGINE_BYTE_PRODUCT_INL_H
#else
#define PYMPS_ENGINE_BYTE_PRODUCT_INL_H
#endif

#include "engine/byte_rows-inl.h"
#include "engine/product-inl.h"
#include "hwy/cache_control.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace pymps::engine {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/* Bytes of weights are centred on this, so that the sums stay small. */
inline constexpr int kByteCentre = 128;

/* How many quads, of four products below 2^23 each, an int32 holds. */
inline constexpr size_t kMostQuads = 63;

#if HWY_TARGET == HWY_AVX3

/* Not in the target's own list of features: one that HasByteProducts has found. */
#define PYMPS_VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")))

/* dots[v] = sum over the columns of (w - centre) * x, w of two planes together, for kVectors vectors that stand side by
 * side in each quad. Each of the sums belongs to one power of 256. */
template <size_t kVectors, size_t kPlanes>
PYMPS_VNNI HWY_NOINLINE void DotSplit(const uint8_t *w, size_t quad_stride, size_t quads, const QuantizedRow &x,
                                      float *dots) {
    constexpr size_t kBytes = 64;
    __m512i sums[kVectors][kPlanes + 1];
    for (auto &of_vector : sums) {
        for (auto &sum : of_vector)
            sum = _mm512_setzero_si512();
    }
    const int8_t *high = x.high(), *low = x.low();
    for (size_t quad = 0; quad < quads; ++quad, w += quad_stride, high += kQuad, low += kQuad) {
        int32_t high_bits, low_bits;
        std::memcpy(&high_bits, high, kQuad);
        std::memcpy(&low_bits, low, kQuad);
        const __m512i x_high = _mm512_set1_epi32(high_bits), x_low = _mm512_set1_epi32(low_bits);
        for (size_t i = 0; i < kVectors * kPlanes; ++i)
            hwy::Prefetch(w + kColumnsAhead * quad_stride + i * kBytes);
        for (size_t v = 0; v < kVectors; ++v) {
            for (size_t plane = 0; plane < kPlanes; ++plane) {
                const __m512i weights = _mm512_load_si512(w + (v * kPlanes + plane) * kBytes);
                __m512i *const sum = &sums[v][kPlanes - 1 - plane];
                sum[1] = _mm512_dpbusd_epi32(sum[1], weights, x_high);
                sum[0] = _mm512_dpbusd_epi32(sum[0], weights, x_low);
            }
        }
    }
    const QuantizedHeader &header = x.header();
    const __m512i centre_high = _mm512_set1_epi32(kByteCentre * header.high_sum),
                  centre_low = _mm512_set1_epi32(kByteCentre * header.low_sum);
    for (size_t v = 0; v < kVectors; ++v) {
        sums[v][kPlanes] = _mm512_sub_epi32(sums[v][kPlanes], centre_high);
        sums[v][kPlanes - 1] = _mm512_sub_epi32(sums[v][kPlanes - 1], centre_low);
        __m512 dot = _mm512_cvtepi32_ps(sums[v][kPlanes]);
        for (size_t power = kPlanes; power-- > 0;)
            dot = _mm512_fmadd_ps(dot, _mm512_set1_ps(256.0f), _mm512_cvtepi32_ps(sums[v][power]));
        _mm512_store_ps(dots + v * kLanes, dot);
    }
}

#endif

/* sum += the four products of each lane. */
template <class VI> HWY_INLINE VI AddQuad(VI sum, const uint8_t *w, const int16_t *x) {
    const hn::DFromV<VI> di;
    const hn::RebindToUnsigned<decltype(di)> du;
    const auto quad = hn::Load(du, reinterpret_cast<const uint32_t *>(w));
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_SSE4
    // Bytes 0 and 2 of each lane, then 1 and 3, with the x that are in the same places: multiplied and added in pairs.
    const hn::Repartition<int16_t, decltype(di)> d16;
    int32_t even, odd;
    std::memcpy(&even, x, sizeof(even));
    std::memcpy(&odd, x + 2, sizeof(odd));
    const auto even_bytes = hn::BitCast(d16, hn::And(quad, hn::Set(du, 0x00FF00FFu)));
    const auto odd_bytes = hn::BitCast(d16, hn::And(hn::ShiftRight<8>(quad), hn::Set(du, 0x00FF00FFu)));
    auto unused = hn::Zero(di);
    sum = hn::ReorderWidenMulAccumulate(di, even_bytes, hn::BitCast(d16, hn::Set(di, even)), sum, unused);
    return hn::ReorderWidenMulAccumulate(di, odd_bytes, hn::BitCast(d16, hn::Set(di, odd)), sum, unused);
#else
    const auto byte = hn::Set(du, 0xFFu);
    const auto times = [&](auto bytes, int16_t value)
                           HWY_ATTR { return hn::Mul(hn::BitCast(di, bytes), hn::Set(di, value)); };
    sum = hn::Add(sum, times(hn::And(quad, byte), x[0]));
    sum = hn::Add(sum, times(hn::And(hn::ShiftRight<8>(quad), byte), x[2]));
    sum = hn::Add(sum, times(hn::And(hn::ShiftRight<16>(quad), byte), x[1]));
    return hn::Add(sum, times(hn::ShiftRight<24>(quad), x[3]));
#endif
}

/* DotSplit for one plane and rows that are not split. */
template <size_t kVectors>
HWY_NOINLINE void DotWhole(const uint8_t *w, size_t quad_stride, size_t quads, const QuantizedRow &x, float *dots) {
    const hn::ScalableTag<float> d;
    const hn::RebindToSigned<decltype(d)> di;
    hn::Vec<decltype(d)> totals[kVectors];
    for (auto &total : totals)
        total = hn::ConvertTo(d, hn::Set(di, -kByteCentre * x.header().sum));
    const int16_t *values = x.whole();
    for (size_t quad = 0; quad < quads;) {
        hn::Vec<decltype(di)> sums[kVectors];
        for (auto &sum : sums)
            sum = hn::Zero(di);
        for (const size_t end = HWY_MIN(quads, quad + kMostQuads); quad < end; ++quad, w += quad_stride) {
            for (size_t v = 0; v < kVectors; ++v)
                sums[v] = AddQuad(sums[v], w + v * kQuad * kLanes, values + quad * kQuad);
        }
        for (size_t v = 0; v < kVectors; ++v)
            totals[v] = hn::Add(totals[v], hn::ConvertTo(d, sums[v]));
    }
    for (size_t v = 0; v < kVectors; ++v)
        hn::Store(totals[v], d, dots + v * kLanes);
}

template <size_t kVectors>
HWY_INLINE void Dot(const ByteWeights &weights, const uint8_t *w, size_t quad_stride, const QuantizedRow &x,
                    float *dots) {
#if HWY_TARGET == HWY_AVX3
    if (weights.is_wide())
        return DotSplit<kVectors, 2>(w, quad_stride, weights.quads(), x, dots);
    if (HasByteProducts())
        return DotSplit<kVectors, 1>(w, quad_stride, weights.quads(), x, dots);
#endif
    DotWhole<kVectors>(w, quad_stride, weights.quads(), x, dots);
}

/* The dot products of all vectors of a panel, `vectors` of them, a power of two times the gates that are here. */
inline void DotPanel(const ByteWeights &weights, const uint8_t *w, size_t vectors, const QuantizedRow &x, float *dots) {
    const size_t bytes = kQuad * kLanes * (weights.is_wide() ? 2 : 1), quad_stride = vectors * bytes;
    size_t v = 0;
    for (; v + kSums <= vectors; v += kSums)
        Dot<kSums>(weights, w + v * bytes, quad_stride, x, dots + v * kLanes);
    for (; v + kSums / 2 <= vectors; v += kSums / 2)
        Dot<kSums / 2>(weights, w + v * bytes, quad_stride, x, dots + v * kLanes);
    for (; v < vectors; ++v)
        Dot<1>(weights, w + v * bytes, quad_stride, x, dots + v * kLanes);
}

/* sums[r] += weights * x[r] for the rows of a panel. The sums begin at the panel, and hold for each vector
 * `layer_gates` gates. */
inline void AddByteProducts(const ByteWeights &weights, const Block &panel, size_t layer_gates, const QuantizedRows &x,
                            float *sums, size_t sums_stride) {
    const hn::ScalableTag<float> d;
    if (weights.gate_count() == 0)
        return;
    const size_t gates = weights.gate_count(), vectors = panel.vectors * gates;
    const uint8_t *const w = weights.Slice(panel.first);
    const float *const steps = weights.Steps(panel.first), *const minima = weights.Minima(panel.first);
    HWY_ALIGN float dots[kSums * kLanes];
    for (size_t r = 0; r < panel.rows; ++r, sums += sums_stride) {
        const QuantizedRow row = x.At(panel.row + r);
        DotPanel(weights, w, vectors, row, dots);
        const auto scale = hn::Set(d, row.header().scale);
        const auto x_sum =
            hn::Mul(scale, hn::ConvertTo(d, hn::Set(hn::RebindToSigned<decltype(d)>(), row.header().sum)));
        for (size_t v = 0; v < vectors; ++v) {
            float *const sum = sums + (v / gates * layer_gates + weights.gate(v % gates)) * kLanes;
            const auto step = hn::Load(d, steps + v * kLanes);
            const auto centre = hn::MulAdd(step, hn::Set(d, float{kByteCentre}), hn::Load(d, minima + v * kLanes));
            const auto dot = hn::MulAdd(hn::Mul(scale, step), hn::Load(d, dots + v * kLanes), hn::Load(d, sum));
            hn::Store(hn::MulAdd(centre, x_sum, dot), d, sum);
        }
    }
}

} // namespace HWY_NAMESPACE
} // namespace pymps::engine
HWY_AFTER_NAMESPACE();

#endif
