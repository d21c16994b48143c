/* Sums of products of packed weights and inputs: one panel of outputs of up to kTileRows rows at a time. */
#if defined(PYMPS_ENGINE_PRODUCT_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef PYMPS_ENGINE_PRODUCT_INL_H
#undef PYMPS_ENGINE_PRODUCT_INL_H
#else
#define PYMPS_ENGINE_PRODUCT_INL_H
#endif

#include <array>
#include <utility>

#include "engine/half-inl.h"
#include "engine/packing.h"
#include "hwy/cache_control.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace pymps::engine {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

inline constexpr size_t kLanes = hn::MaxLanes(hn::ScalableTag<float>());

/* kSums independent sums hide the latency of a fused multiply-add (4 cycles, 2 or 4 started in each) and still fit in
 * registers. One row sums up to kSums vectors at once, two rows half of them, more rows a tile of at most kTileRows x
 * kTileVectors. The panels of an LSTM, four gates wide, are no wider than that needs: what the first-level cache still
 * holds of the last one serves the next step, if that begins there. */
inline constexpr size_t kPanelVectors = HWY_TARGET == HWY_NEON ? 4 : kLanes == 16 ? 1 : 2;
inline constexpr size_t kSums = HWY_TARGET == HWY_NEON ? 16 : 8;
inline constexpr size_t kTileRows = 6;
inline constexpr size_t kTilePixels = 2 * kTileRows; // where a row of products is for two of them
inline constexpr size_t kTileVectors = kLanes == 16 ? 4 : kPanelVectors;

/* What will be wanted `ahead` bytes after kBytes at `from`. */
template <size_t kBytes> HWY_INLINE void FetchAhead(const void *from, size_t ahead) {
    for (size_t i = 0; i < kBytes; i += kAlignment)
        hwy::Prefetch(static_cast<const char *>(from) + ahead + i);
}

/* One row reads its weights for the first time; several find them in the second-level cache, where the tiles before
 * have fetched them to. */
template <size_t kRows, size_t kVectors, class Weight>
HWY_INLINE void Fetch(const Weight *w, size_t ahead, const char *&later) {
    if constexpr (kRows == 1) {
        FetchAhead<kVectors * kLanes * sizeof(Weight)>(w, ahead);
    } else {
        __builtin_prefetch(later, 0, 2);
        later += kAlignment;
    }
}

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

    // What there is less of stays in registers: one value of each row, or the weights.
    if constexpr (kRows < kVectors) {
        V values[kRows];
        for (size_t r = 0; r < kRows; ++r)
            values[r] = hn::Set(d, in[r][column]);
        for (size_t v = 0; v < kVectors; ++v) {
            const V weights = LoadWeights(d, w + v * kLanes);
            for (size_t r = 0; r < kRows; ++r)
                sums[r][v] = hn::MulAdd(weights, values[r], sums[r][v]);
        }
    } else {
        V weights[kVectors];
        for (size_t v = 0; v < kVectors; ++v)
            weights[v] = LoadWeights(d, w + v * kLanes);
        for (size_t r = 0; r < kRows; ++r) {
            const V value = hn::Set(d, in[r][column]);
            for (size_t v = 0; v < kVectors; ++v)
                sums[r][v] = hn::MulAdd(weights[v], value, sums[r][v]);
        }
    }
}

/* Some outputs of some rows: vectors [first, first + vectors) of rows [row, row + rows). */
struct Block {
    size_t first, vectors;
    size_t row, rows;
    size_t all_rows; // that these weights are used for, tile by tile
    size_t next;     // the first vector of the weights that come after them
    size_t line = 0; // of an image whose pixels are summed in pairs: its width
};

/* The rows that a part is multiplied by. Where it has more than one line, they begin `line_stride` floats apart. */
struct PartRows {
    const float *const *rows;
    size_t line_stride = 0, term_stride = 0; // see pair_weights.h
};

/* The same, and how much of them: `columns` for each of `lines`. */
struct Input {
    PartRows in;
    size_t columns, lines;
};

/* What to add to, and where to put the sum: rows that stand some floats apart, aligned to a vector. Both may be the
 * same. */
struct Sums {
    const float *start;
    size_t start_stride;
    float *out;
    size_t out_stride;
    size_t ahead = 0;            // how far, in bytes, one row fetches weights ahead
    const char *later = nullptr; // weights after all these: of them several rows fetch a cache line a column

    HWY_INLINE Sums From(size_t vector) const {
        return {start + vector * kLanes, start_stride, out + vector * kLanes, out_stride, ahead, later};
    }
};

/* out[r][v] = start[r][v] + sum over the columns of all inputs of w[column][v] * in[r][column], with everything summed
 * in registers. */
template <size_t kRows, size_t kVectors, class Weight>
HWY_NOINLINE void SumTile(const Weight *w, size_t column_stride, const Input *inputs, size_t input_count,
                          const Sums &sums) {
    const hn::ScalableTag<float> d;
    using V = hn::Vec<decltype(d)>;
    // A tile too small to fill the pipeline sums neighbouring columns apart.
    constexpr size_t kChains = (kSums + kRows * kVectors - 1) / (kRows * kVectors);
    V chains[kChains][kRows][kVectors];
    for (size_t r = 0; r < kRows; ++r) {
        for (size_t v = 0; v < kVectors; ++v) {
            chains[0][r][v] = hn::Load(d, sums.start + r * sums.start_stride + v * kLanes);
            for (size_t chain = 1; chain < kChains; ++chain)
                chains[chain][r][v] = hn::Zero(d);
        }
    }

    const char *later = sums.later;
    for (const Input *input = inputs; input < inputs + input_count; ++input) {
        const float *rows[kRows];
        for (size_t r = 0; r < kRows; ++r)
            rows[r] = input->in.rows[r];
        for (size_t lines = input->lines;;) {
            size_t column = 0;
            for (; column + kChains <= input->columns; column += kChains) {
                for (size_t chain = 0; chain < kChains; ++chain, w += column_stride) {
                    Fetch<kRows, kVectors>(w, sums.ahead, later);
                    AddColumn(w, rows, column + chain, chains[chain]);
                }
            }
            for (; column < input->columns; ++column, w += column_stride) {
                Fetch<kRows, kVectors>(w, sums.ahead, later);
                AddColumn(w, rows, column, chains[0]);
            }
            if (--lines == 0)
                break;
            for (size_t r = 0; r < kRows; ++r)
                rows[r] += input->in.line_stride;
        }
    }

    for (size_t r = 0; r < kRows; ++r) {
        for (size_t v = 0; v < kVectors; ++v) {
            for (size_t chain = 1; chain < kChains; ++chain)
                chains[0][r][v] = hn::Add(chains[0][r][v], chains[chain][r][v]);
            hn::Store(chains[0][r][v], d, sums.out + r * sums.out_stride + v * kLanes);
        }
    }
}

template <class Weight>
using TileFunction = void (*)(const Weight *w, size_t column_stride, const Input *inputs, size_t input_count,
                              const Sums &sums);

/* SumTile for 1, 2, ... rows. */
template <size_t kVectors, class Weight, size_t... kRows>
constexpr std::array<TileFunction<Weight>, sizeof...(kRows)> TilesOf(std::index_sequence<kRows...>) {
    return {SumTile<kRows + 1, kVectors, Weight>...};
}

/* The same for a number of rows known only now. */
template <size_t kVectors, class Weight>
HWY_INLINE void SumRows(size_t rows, const Weight *w, size_t column_stride, const Input *inputs, size_t input_count,
                        const Sums &sums) {
    static constexpr auto kTiles = TilesOf<kVectors, Weight>(std::make_index_sequence<kTileRows>());
    kTiles[rows - 1](w, column_stride, inputs, input_count, sums);
}

/* Parts that all gates have, `vectors` vectors in a column. */
template <class Weight>
HWY_INLINE void SumAllGates(const Weight *w, size_t vectors, const Input *inputs, size_t input_count, size_t rows,
                            const Sums &sums) {
    const size_t column_stride = vectors * kLanes;
    size_t v = 0;
    for (; rows == 1 && v + kSums <= vectors; v += kSums)
        SumTile<1, kSums>(w + v * kLanes, column_stride, inputs, input_count, sums.From(v));
    for (; rows == 1 && v + kSums / 2 <= vectors; v += kSums / 2)
        SumTile<1, kSums / 2>(w + v * kLanes, column_stride, inputs, input_count, sums.From(v));
    for (; rows == 2 && v + kSums / 2 <= vectors; v += kSums / 2)
        SumTile<2, kSums / 2>(w + v * kLanes, column_stride, inputs, input_count, sums.From(v));
    for (; v + kTileVectors <= vectors; v += kTileVectors)
        SumRows<kTileVectors>(rows, w + v * kLanes, column_stride, inputs, input_count, sums.From(v));
    for (; v < vectors; ++v)
        SumRows<1>(rows, w + v * kLanes, column_stride, inputs, input_count, sums.From(v));
}

/* A part that some gates lack: vector by vector, each to its place. */
template <class Weight>
HWY_INLINE void SumSomeGates(const Weight *w, const Part &part, size_t gate_count, size_t width, const Input &input,
                             size_t rows, const Sums &sums) {
    const size_t vectors = width * part.gate_count;
    for (size_t v = 0; v < vectors; ++v) {
        const size_t place = v / part.gate_count * gate_count + part.gates[v % part.gate_count];
        SumRows<1>(rows, w + v * kLanes, vectors * kLanes, &input, 1, sums.From(place));
    }
}

/* out = start, where no product has put a sum into out yet. */
HWY_INLINE void CopyStart(size_t rows, size_t vectors, Sums &sums) {
    const hn::ScalableTag<float> d;
    for (size_t r = 0; sums.start != sums.out && r < rows; ++r) {
        for (size_t i = 0; i < vectors * kLanes; i += kLanes)
            hn::Store(hn::Load(d, sums.start + r * sums.start_stride + i), d, sums.out + r * sums.out_stride + i);
    }
    sums.start = sums.out;
    sums.start_stride = sums.out_stride;
}

/* Where a tile fetches from: the weights `next`, to which each tile of the same weights contributes as much as it has
 * of all rows. */
template <class Weight>
HWY_INLINE const char *LaterWeights(const Weight *next, size_t vectors, const Input *inputs, size_t input_count,
                                    const Block &panel) {
    if (panel.row == 0)
        return reinterpret_cast<const char *>(next);
    size_t columns = 0;
    for (size_t i = 0; i < input_count; ++i)
        columns += inputs[i].columns * inputs[i].lines;
    const size_t bytes = vectors * columns * kLanes * sizeof(Weight);
    return reinterpret_cast<const char *>(next) + bytes * panel.row / panel.all_rows / kAlignment * kAlignment;
}

template <class Weight>
HWY_INLINE void SumParts(const PackedWeights &weights, size_t first_part, size_t part_count, const PartRows *in,
                         const Block &panel, Sums sums) {
    const size_t gate_count = weights.gate_count(), vectors = panel.vectors * gate_count;
    Input inputs[kMaxParts];
    sums.ahead = weights.fetch_ahead();
    size_t p = first_part;
    const size_t end = first_part + part_count;
    while (p < end) {
        const Part &part = weights.part(p);
        const Weight *w = weights.Slice<Weight>(part, panel.first, panel.vectors);
        // Neighbouring parts that all gates have are one matrix, and their inputs one long input.
        size_t count = 0;
        for (; p < end && weights.part(p).gate_count == gate_count; ++p)
            inputs[count++] = {in[p - first_part], weights.part(p).line_columns, weights.part(p).lines};
        if (count > 0) {
            sums.later =
                LaterWeights(weights.Slice<Weight>(part, panel.next, panel.vectors), vectors, inputs, count, panel);
            SumAllGates(w, vectors, inputs, count, panel.rows, sums);
            sums.start = sums.out;
            sums.start_stride = sums.out_stride;
            continue;
        }
        CopyStart(panel.rows, vectors, sums);
        sums.later = reinterpret_cast<const char *>(w); // a part that is rare enough
        SumSomeGates(w, part, gate_count, panel.vectors, {in[p - first_part], part.line_columns, part.lines},
                     panel.rows, sums);
        ++p;
    }
    CopyStart(panel.rows, vectors, sums);
}

/* out[r] = start[r] + sum over some parts of part * in[part][r], for a panel of up to kTileRows rows. `sums` and `in`
 * begin at the block; sums hold for each vector its gates. */
inline void SumProducts(const PackedWeights &weights, size_t first_part, size_t part_count, const PartRows *in,
                        const Block &panel, const Sums &sums) {
    if (weights.half())
        SumParts<uint16_t>(weights, first_part, part_count, in, panel, sums);
    else
        SumParts<float>(weights, first_part, part_count, in, panel, sums);
}

} // namespace HWY_NAMESPACE
} // namespace pymps::engine
HWY_AFTER_NAMESPACE();

#endif
