/* Sums for pixels in pairs: see pair_weights.h. */
#if defined(PYMPS_ENGINE_PAIRS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef PYMPS_ENGINE_PAIRS_INL_H
#undef PYMPS_ENGINE_PAIRS_INL_H
#else
#define PYMPS_ENGINE_PAIRS_INL_H
#endif

#include "engine/pair_weights.h"
#include "engine/product-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace pymps::engine {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/* The differences and the sum that the terms of a pair multiply, out of the channels of four pixels. */
inline void TransformPair(const float *const d[4], size_t channels, float *to, size_t term_stride) {
    const hn::ScalableTag<float> tag;
    size_t c = 0;
    for (; c + kLanes <= channels; c += kLanes) {
        const auto d0 = hn::LoadU(tag, d[0] + c), d1 = hn::LoadU(tag, d[1] + c);
        const auto d2 = hn::LoadU(tag, d[2] + c), d3 = hn::LoadU(tag, d[3] + c);
        hn::StoreU(hn::Sub(d0, d2), tag, to + c);
        hn::StoreU(hn::Add(d1, d2), tag, to + term_stride + c);
        hn::StoreU(hn::Sub(d2, d1), tag, to + 2 * term_stride + c);
        hn::StoreU(hn::Sub(d1, d3), tag, to + 3 * term_stride + c);
    }
    for (; c < channels; ++c) {
        to[c] = d[0][c] - d[2][c];
        to[term_stride + c] = d[1][c] + d[2][c];
        to[2 * term_stride + c] = d[2][c] - d[1][c];
        to[3 * term_stride + c] = d[1][c] - d[3][c];
    }
}

/* Calls f(pair, pixel, count) for the pairs of a tile: the first pixel's place in the tile, and how many there are, two
 * or, where a line ends, one. */
template <class Function> HWY_INLINE void ForEachPair(const Block &tile, const Function &f) {
    size_t x = tile.row % tile.line;
    for (size_t pixel = 0, pair = 0; pixel < tile.rows; ++pair) {
        const size_t count = x + 1 < tile.line ? 2 : 1;
        f(pair, pixel, count);
        pixel += count;
        x = x + count < tile.line ? x + count : 0;
    }
}

/* out = start + the sums that the terms make, of which each pair has `vectors` vectors. */
inline void CombineTerms(const Block &panel, const float *const terms[kPairTerms], size_t vectors, const Sums &sums) {
    const hn::ScalableTag<float> d;
    ForEachPair(panel, [&](size_t pair, size_t pixel, size_t count) HWY_ATTR {
        const float *const start = sums.start + pixel * sums.start_stride;
        float *const out = sums.out + pixel * sums.out_stride;
        for (size_t i = 0; i < vectors * kLanes; i += kLanes) {
            const size_t at = pair * vectors * kLanes + i;
            const auto m1 = hn::Load(d, terms[1] + at), m2 = hn::Load(d, terms[2] + at);
            const auto left = hn::Add(hn::Add(hn::Load(d, terms[0] + at), m1), m2);
            hn::Store(hn::Add(hn::Load(d, start + i), left), d, out + i);
            if (count == 1)
                continue;
            const auto right = hn::Sub(hn::Sub(m1, m2), hn::Load(d, terms[3] + at));
            hn::Store(hn::Add(hn::Load(d, start + sums.start_stride + i), right), d, out + sums.out_stride + i);
        }
    });
}

/* SumProducts for the pixels of up to kTileRows pairs. */
inline void SumPairs(const PairWeights &weights, size_t first_part, size_t part_count, const PartRows *in,
                     const Block &panel, const Sums &sums) {
    constexpr size_t kMostVectors = kMaxGates * kPanelVectors;
    HWY_ALIGN static constexpr float kZeros[kMostVectors * kLanes] = {};
    HWY_ALIGN float memory[kPairTerms][kTileRows * kMostVectors * kLanes];
    Block pairs = panel;
    pairs.rows = 0;
    ForEachPair(panel, [&](size_t, size_t, size_t) { ++pairs.rows; });
    const size_t vectors = panel.vectors * weights.term(0).gate_count();
    for (size_t term = 0; term < kPairTerms; ++term) {
        const float *rows[kMaxParts][kTileRows];
        PartRows of_term[kMaxParts];
        for (size_t part = 0; part < part_count; ++part) {
            for (size_t r = 0; r < pairs.rows; ++r)
                rows[part][r] = in[part].rows[r] + term * in[part].term_stride;
            of_term[part] = {rows[part], in[part].line_stride};
        }
        SumProducts(weights.term(term), first_part, part_count, of_term, pairs,
                    {kZeros, 0, memory[term], vectors * kLanes});
    }
    const float *const terms[kPairTerms] = {memory[0], memory[1], memory[2], memory[3]};
    CombineTerms(panel, terms, vectors, sums);
}

/* SumProducts, in pairs where the tile is of such. */
inline void SumRowsOrPairs(const PackedWeights &weights, const PairWeights &pairs, size_t first_part, size_t part_count,
                           const PartRows *in, const Block &panel, const Sums &sums) {
    if (panel.line == 0)
        SumProducts(weights, first_part, part_count, in, panel, sums);
    else
        SumPairs(pairs, first_part, part_count, in, panel, sums);
}

} // namespace HWY_NAMESPACE
} // namespace pymps::engine
HWY_AFTER_NAMESPACE();

#endif
