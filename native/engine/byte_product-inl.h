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

/* As many sums as two rows of 16-bit weights leave room for. */
inline constexpr size_t kDotVectors = 4;

/* How many quads, of four products below 2^23 each, an int32 holds. */
inline constexpr size_t kMostQuads = 63;

#if HWY_TARGET == HWY_AVX3

/* The target's features and the one that HasByteProducts has found. */
#define PYMPS_VNNI __attribute__((target(HWY_TARGET_STR ",avx512vnni")))

/* So early that the sums get registers; the compiler by itself would take its time. */
#define PYMPS_UNROLL _Pragma("clang loop unroll(full)")

/* dots[r][v] = sum over the columns of (w - centre) * x, w of two planes together, for kRows rows of x and kVectors
 * vectors that stand side by side in each quad. Each of the sums belongs to one power of 256. */
template <size_t kRows, size_t kVectors, size_t kPlanes, class Fetching>
PYMPS_VNNI HWY_NOINLINE void DotSplit(const uint8_t *w, size_t quad_stride, size_t quads, Fetching fetching,
                                      const QuantizedRow *x, float *dots, size_t dots_stride) {
    constexpr size_t kBytes = 64;
    __m512i sums[kRows][kVectors][kPlanes + 1];
    const int8_t *high[kRows], *low[kRows];
    PYMPS_UNROLL
    for (size_t r = 0; r < kRows; ++r) {
        high[r] = x[r].high();
        low[r] = x[r].low();
        PYMPS_UNROLL
        for (size_t v = 0; v < kVectors; ++v) {
            PYMPS_UNROLL
            for (size_t power = 0; power <= kPlanes; ++power)
                sums[r][v][power] = _mm512_setzero_si512();
        }
    }
    const auto broadcast = [](const int8_t *quad) {
        int32_t bits;
        std::memcpy(&bits, quad, kQuad);
        return bits;
    };
    for (size_t quad = 0; quad < quads; ++quad, w += quad_stride) {
        fetching.template Column<kVectors * kPlanes * kBytes>(w);
        __m512i x_high[kRows], x_low[kRows];
        PYMPS_UNROLL
        for (size_t r = 0; r < kRows; ++r) {
            x_high[r] = _mm512_set1_epi32(broadcast(high[r] + quad * kQuad));
            x_low[r] = _mm512_set1_epi32(broadcast(low[r] + quad * kQuad));
        }
        PYMPS_UNROLL
        for (size_t v = 0; v < kVectors; ++v) {
            PYMPS_UNROLL
            for (size_t plane = 0; plane < kPlanes; ++plane) {
                const __m512i weights = _mm512_load_si512(w + (v * kPlanes + plane) * kBytes);
                const size_t power = kPlanes - 1 - plane;
                PYMPS_UNROLL
                for (size_t r = 0; r < kRows; ++r) {
                    sums[r][v][power + 1] = _mm512_dpbusd_epi32(sums[r][v][power + 1], weights, x_high[r]);
                    sums[r][v][power] = _mm512_dpbusd_epi32(sums[r][v][power], weights, x_low[r]);
                }
            }
        }
    }
    PYMPS_UNROLL
    for (size_t r = 0; r < kRows; ++r) {
        const QuantizedHeader &header = x[r].header();
        const __m512i centre_high = _mm512_set1_epi32(kByteCentre * header.high_sum),
                      centre_low = _mm512_set1_epi32(kByteCentre * header.low_sum);
        PYMPS_UNROLL
        for (size_t v = 0; v < kVectors; ++v) {
            __m512i *const sum = sums[r][v];
            sum[kPlanes] = _mm512_sub_epi32(sum[kPlanes], centre_high);
            sum[kPlanes - 1] = _mm512_sub_epi32(sum[kPlanes - 1], centre_low);
            __m512 dot = _mm512_cvtepi32_ps(sum[kPlanes]);
            PYMPS_UNROLL
            for (size_t power = kPlanes; power-- > 0;)
                dot = _mm512_fmadd_ps(dot, _mm512_set1_ps(256.0f), _mm512_cvtepi32_ps(sum[power]));
            _mm512_store_ps(dots + r * dots_stride + v * kLanes, dot);
        }
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
        total = hn::Set(d, -float{kByteCentre} * x.header().sum);
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

/* DotSplit or DotWhole, as the weights and the machine want it. */
template <size_t kRows, size_t kVectors, class Fetching>
HWY_INLINE void Dot(const ByteWeights &weights, const uint8_t *w, size_t quad_stride, Fetching fetching,
                    const QuantizedRow *x, float *dots, size_t dots_stride) {
    const size_t quads = weights.quads();
#if HWY_TARGET == HWY_AVX3
    if (weights.is_wide())
        return DotSplit<kRows, kVectors, 2>(w, quad_stride, quads, fetching, x, dots, dots_stride);
    if (IsSplit(weights.columns()))
        return DotSplit<kRows, kVectors, 1>(w, quad_stride, quads, fetching, x, dots, dots_stride);
#endif
    (void)fetching;
    for (size_t r = 0; r < kRows; ++r)
        DotWhole<kVectors>(w, quad_stride, quads, x[r], dots + r * dots_stride);
}

/* The dot products of all vectors of a panel, `vectors` of them, a power of two times the gates that are here. */
template <size_t kRows, class Fetching>
HWY_INLINE void DotPanel(const ByteWeights &weights, const uint8_t *w, size_t vectors, Fetching fetching,
                         const QuantizedRow *x, float *dots) {
    const size_t bytes = kQuad * kLanes * (weights.is_wide() ? 2 : 1), quad_stride = vectors * bytes;
    size_t v = 0;
    for (; v + kDotVectors <= vectors; v += kDotVectors)
        Dot<kRows, kDotVectors>(weights, w + v * bytes, quad_stride, fetching, x, dots + v * kLanes, vectors * kLanes);
    for (; v < vectors; ++v)
        Dot<kRows, 1>(weights, w + v * bytes, quad_stride, fetching, x, dots + v * kLanes, vectors * kLanes);
}

/* sums += weights * x for one row of a panel, out of the dot products of its integers. */
inline void AddDots(const ByteWeights &weights, const Block &panel, size_t layer_gates, const QuantizedHeader &x,
                    const float *dots, float *sums) {
    const hn::ScalableTag<float> d;
    const size_t gates = weights.gate_count();
    const float *const steps = weights.Steps(panel.first), *const minima = weights.Minima(panel.first);
    const auto scale = hn::Set(d, x.scale), x_sum = hn::Mul(scale, hn::Set(d, x.sum));
    for (size_t vector = 0, v = 0; vector < panel.vectors; ++vector) {
        for (size_t slot = 0; slot < gates; ++slot, ++v) {
            float *const sum = sums + (vector * layer_gates + weights.gate(slot)) * kLanes;
            const auto step = hn::Load(d, steps + v * kLanes);
            const auto centre = hn::MulAdd(step, hn::Set(d, float{kByteCentre}), hn::Load(d, minima + v * kLanes));
            const auto dot = hn::MulAdd(hn::Mul(scale, step), hn::Load(d, dots + v * kLanes), hn::Load(d, sum));
            hn::Store(hn::MulAdd(centre, x_sum, dot), d, sum);
        }
    }
}

/* sums[r] += weights * x[r] for the rows of a panel. The sums begin at the panel, and hold for each vector
 * `layer_gates` gates. */
inline void AddByteProducts(const ByteWeights &weights, const Block &panel, size_t layer_gates, const QuantizedRows &x,
                            float *sums, size_t sums_stride) {
    if (weights.gate_count() == 0)
        return;
    const size_t vectors = panel.vectors * weights.gate_count();
    const uint8_t *const w = weights.Slice(panel.first);
    const FetchNext next = {reinterpret_cast<const char *>(weights.Slice(panel.next)), weights.quads() * kAlignment};
    HWY_ALIGN float dots[2 * kMaxGates * kPanelVectors * kLanes];
    for (size_t r = 0; r < panel.rows;) {
        const bool two = r + 2 <= panel.rows;
        const QuantizedRow rows[] = {x.At(panel.row + r), x.At(panel.row + r + two)};
        const auto dot = [&](auto fetching) HWY_ATTR {
            if (two)
                DotPanel<2>(weights, w, vectors, fetching, rows, dots);
            else
                DotPanel<1>(weights, w, vectors, fetching, rows, dots);
        };
        if (weights.fetch() == Fetch::kNothing)
            dot(FetchNothing());
        else if (weights.fetch() == Fetch::kNextPanel && panel.all_rows == 1)
            dot(next);
        else
            dot(FetchAhead());
        for (size_t i = 0; i <= two; ++i, ++r, sums += sums_stride)
            AddDots(weights, panel, layer_gates, rows[i].header(), dots + i * vectors * kLanes, sums);
    }
}

} // namespace HWY_NAMESPACE
} // namespace pymps::engine
HWY_AFTER_NAMESPACE();

#endif
