/* gates += weights * inputs, one panel of outputs at a time, for up to kTileRows rows of input. */
#if defined(PYMPS_ENGINE_PRODUCT_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef PYMPS_ENGINE_PRODUCT_INL_H
#undef PYMPS_ENGINE_PRODUCT_INL_H
#else
#define PYMPS_ENGINE_PRODUCT_INL_H
#endif

#include "engine/half-inl.h"
#include "engine/packing.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace pymps::engine {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

inline constexpr size_t kLanes = hn::MaxLanes(hn::ScalableTag<float>());

/* Enough independent sums to hide the latency of a fused multiply-add (4 cycles, 2 or 4 started in each), in no more
 * registers than there are. A panel's four gates make kMaxGates * kPanelVectors sums, a tile of rows kTileRows *
 * kPanelVectors. */
inline constexpr size_t kPanelVectors = HWY_TARGET == HWY_NEON ? 4 : 2;
inline constexpr size_t kSums = kMaxGates * kPanelVectors;
inline constexpr size_t kTileRows = 6;

template <class D> HWY_INLINE hn::Vec<D> LoadWeights(D d, const float *from) {
    return hn::Load(d, from);
}
template <class D> HWY_INLINE hn::Vec<D> LoadWeights(D d, const uint16_t *from) {
    return LoadHalf(d, from);
}

/* sums[r][v] += w[v] * in[r][column] */
template <size_t kRows, size_t kVectors, class Weight, class V>
HWY_INLINE void AddColumn(const Weight *w, const float *const *in, size_t column, V (&sums)[kRows][kVectors]) {
    const hn::ScalableTag<float> d;
    V weights[kVectors];
    for (size_t v = 0; v < kVectors; ++v)
        weights[v] = LoadWeights(d, w + v * kLanes);
    for (size_t r = 0; r < kRows; ++r) {
        const V value = hn::Set(d, in[r][column]);
        for (size_t v = 0; v < kVectors; ++v)
            sums[r][v] = hn::MulAdd(weights[v], value, sums[r][v]);
    }
}

/* out[r][v] += sum over the columns of w[column][v] * in[r][column], with everything summed in registers. */
template <size_t kRows, size_t kVectors, class Weight>
HWY_NOINLINE void AddTile(const Weight *w, size_t column_stride, size_t columns, const float *const *in, float *out,
                          size_t out_stride) {
    const hn::ScalableTag<float> d;
    using V = hn::Vec<decltype(d)>;
    // A tile too small to fill the pipeline sums neighbouring columns apart.
    constexpr size_t kChains = HWY_MAX(size_t{1}, kSums / (kRows * kVectors));
    V sums[kChains][kRows][kVectors];
    for (size_t r = 0; r < kRows; ++r) {
        for (size_t v = 0; v < kVectors; ++v) {
            sums[0][r][v] = hn::Load(d, out + r * out_stride + v * kLanes);
            for (size_t chain = 1; chain < kChains; ++chain)
                sums[chain][r][v] = hn::Zero(d);
        }
    }

    const float *rows[kRows];
    for (size_t r = 0; r < kRows; ++r)
        rows[r] = in[r];
    size_t column = 0;
    for (; column + kChains <= columns; column += kChains) {
        for (size_t chain = 0; chain < kChains; ++chain, w += column_stride)
            AddColumn<kRows, kVectors>(w, rows, column + chain, sums[chain]);
    }
    for (; column < columns; ++column, w += column_stride)
        AddColumn<kRows, kVectors>(w, rows, column, sums[0]);

    for (size_t r = 0; r < kRows; ++r) {
        for (size_t v = 0; v < kVectors; ++v) {
            for (size_t chain = 1; chain < kChains; ++chain)
                sums[0][r][v] = hn::Add(sums[0][r][v], sums[chain][r][v]);
            hn::Store(sums[0][r][v], d, out + r * out_stride + v * kLanes);
        }
    }
}

/* One gate of up to kTileRows rows. */
template <size_t kVectors, class Weight>
HWY_INLINE void AddGate(const Weight *w, size_t column_stride, size_t columns, const float *const *in, size_t rows,
                        float *out, size_t out_stride) {
    switch (rows) {
    case 1:
        return AddTile<1, kVectors>(w, column_stride, columns, in, out, out_stride);
    case 2:
        return AddTile<2, kVectors>(w, column_stride, columns, in, out, out_stride);
    case 3:
        return AddTile<3, kVectors>(w, column_stride, columns, in, out, out_stride);
    case 4:
        return AddTile<4, kVectors>(w, column_stride, columns, in, out, out_stride);
    case 5:
        return AddTile<5, kVectors>(w, column_stride, columns, in, out, out_stride);
    case kTileRows:
        return AddTile<kTileRows, kVectors>(w, column_stride, columns, in, out, out_stride);
    }
}

template <size_t kVectors, class Weight>
HWY_INLINE void AddSlice(const Weight *w, const Part &part, const float *const *in, size_t rows, float *gates,
                         size_t row_stride) {
    constexpr size_t kGate = kVectors * kLanes;
    const size_t column_stride = part.gate_count * kGate;
    // A single row has registers to spare: it takes all gates in one pass.
    if (rows == 1 && part.gate_count == kMaxGates)
        return AddTile<1, kMaxGates * kVectors>(w, column_stride, part.columns, in, gates, row_stride);
    for (size_t g = 0; g < part.gate_count; ++g)
        AddGate<kVectors>(w + g * kGate, column_stride, part.columns, in, rows, gates + part.gates[g] * kGate,
                          row_stride);
}

/* gates[r * row_stride + (gate * width + v) * kLanes + lane] += part of `weights` * in[r], for the panel of `width`
 * vectors that starts at vector `first`. rows <= kTileRows. gates is aligned to a vector, and so are its rows. */
inline void AddProduct(const PackedWeights &weights, const Part &part, size_t first, size_t width,
                       const float *const *in, size_t rows, float *gates, size_t row_stride) {
    if (part.gate_count == 0)
        return;
    const bool full = width == kPanelVectors;
    if (weights.half()) {
        const uint16_t *w = weights.Slice<uint16_t>(part, first, width);
        full ? AddSlice<kPanelVectors>(w, part, in, rows, gates, row_stride)
             : AddSlice<1>(w, part, in, rows, gates, row_stride);
    } else {
        const float *w = weights.Slice<float>(part, first, width);
        full ? AddSlice<kPanelVectors>(w, part, in, rows, gates, row_stride)
             : AddSlice<1>(w, part, in, rows, gates, row_stride);
    }
}

} // namespace HWY_NAMESPACE
} // namespace pymps::engine
HWY_AFTER_NAMESPACE();

#endif
