/* Products of whole matrices: of many rows with packed weights, and of two matrices along their rows. */
#if defined(PYMPS_ENGINE_MATRIX_PRODUCT_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef PYMPS_ENGINE_MATRIX_PRODUCT_INL_H
#undef PYMPS_ENGINE_MATRIX_PRODUCT_INL_H
#else
#define PYMPS_ENGINE_MATRIX_PRODUCT_INL_H
#endif

#include <algorithm>
#include <array>
#include <utility>

#include "engine/product-inl.h"
#include "engine/rows-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace pymps::engine {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/* `depth` rows of some vectors, cut into panels of kTileVectors; the last one may be narrower. A panel holds its slice
 * of one row after the other. */
struct PackedMatrix {
    float *data = nullptr;
    size_t depth = 0, vectors = 0;

    size_t Width(size_t first) const { return std::min(kTileVectors, vectors - first); }
    float *Panel(size_t first) const { return data + first * kLanes * depth; }
    /* A vector of a row. */
    float *At(size_t row, size_t vector) const {
        const size_t first = vector - vector % kTileVectors;
        return Panel(first) + (row * Width(first) + vector - first) * kLanes;
    }
};

/* `count` elements of a row from `column` on, as floats. */
inline void LoadElements(const pymps_engine_matrix &matrix, size_t row, size_t column, size_t count, float *to) {
    const void *from = MatrixRow(matrix, row);
    if (matrix.type == PYMPS_ENGINE_FLOAT32)
        std::copy_n(static_cast<const float *>(from) + column, count, to);
    else
        FloatsFromHalves(static_cast<const uint16_t *>(from) + column, to, count);
}

/* Row `row` of `to` = the first `columns` of a matrix's row, padded with zeros. */
inline void PackMatrixRow(const pymps_engine_matrix &matrix, size_t matrix_row, size_t columns, size_t row,
                          const PackedMatrix &to) {
    if (matrix.data == nullptr)
        columns = 0;
    for (size_t first = 0; first < to.vectors; first += kTileVectors) {
        const size_t begin = first * kLanes, width = to.Width(first) * kLanes;
        const size_t count = std::min(width, columns - std::min(columns, begin));
        float *packed = to.Panel(first) + row * width;
        if (count > 0)
            LoadElements(matrix, matrix_row, begin, count, packed);
        std::fill(packed + count, packed + width, 0.0f);
    }
}

/* Vector `vector` of every row of `to` = `outputs` rows of the matrix from `first` on, as columns: at most kLanes,
 * zeros where there are fewer. */
inline void PackTransposed(const pymps_engine_matrix &matrix, size_t columns, size_t first, size_t outputs,
                           size_t vector, const PackedMatrix &to) {
    constexpr size_t kColumns = 64;
    HWY_ALIGN float block[kLanes][kColumns] = {};
    for (size_t column = 0; column < columns; column += kColumns) {
        const size_t count = std::min(kColumns, columns - column);
        for (size_t i = 0; matrix.data != nullptr && i < outputs; ++i)
            LoadElements(matrix, first + i, column, count, block[i]);
        for (size_t c = 0; c < count; ++c) {
            float *packed = to.At(column + c, vector);
            for (size_t i = 0; i < kLanes; ++i)
                packed[i] = block[i][c];
        }
    }
}

/* Some rows: tiles [begin, end) of those that all of them are cut into evenly, as far as they exist in a step. The
 * tiles do not depend on who takes which. */
struct Tiles {
    size_t rows, count, begin, end;
    size_t live; // rows of the step

    explicit Tiles(size_t rows_)
        : rows(rows_), count((rows + kTileRows - 1) / kTileRows), begin(0), end(count), live(rows) {}
    Tiles Of(size_t thread, size_t threads) const {
        Tiles share = *this;
        share.begin = count * thread / threads;
        share.end = count * (thread + 1) / threads;
        return share;
    }
    Tiles Live(size_t live_rows) const {
        Tiles step = *this;
        step.live = live_rows;
        return step;
    }

    size_t Row(size_t tile) const { return std::min(live, rows * tile / count); }
    size_t first_row() const { return Row(begin); }
    size_t last_row() const { return Row(end); } // beyond the last
};

/* Rows `stride` floats apart. */
template <class T> struct Strided {
    T *data;
    size_t stride;

    T *Row(size_t row) const { return data + row * stride; }
};
using ConstRows = Strided<const float>;
using MutableRows = Strided<float>;

/* What rows are multiplied by. */
struct Factor {
    PackedMatrix matrix;
    ConstRows rows;
};

/* So many rows of a panel stay in the first-level cache, from one tile to the next. */
inline constexpr size_t kBlockDepth = 128;

/* `depth` rows of a panel that is `width` vectors wide. */
HWY_INLINE void MultiplyTile(const float *panel, size_t width, const Input &input, size_t rows, const Sums &sums) {
    const size_t column_stride = width * kLanes;
    if (width == kTileVectors)
        return SumRows<kTileVectors>(rows, panel, column_stride, &input, 1, sums);
    for (size_t v = 0; v < width; ++v)
        SumRows<1>(rows, panel + v * kLanes, column_stride, &input, 1, sums.From(v));
}

/* out = start + rows * some of a factor's depth, for one panel; both begin at the panel. */
HWY_INLINE void MultiplyBlock(const Factor &factor, size_t first, size_t begin, size_t depth, const Tiles &tiles,
                              const ConstRows &start, const MutableRows &out) {
    const size_t width = factor.matrix.Width(first);
    const float *block = factor.matrix.Panel(first) + begin * width * kLanes;
    for (size_t tile = tiles.begin; tile < tiles.end; ++tile) {
        const size_t row = tiles.Row(tile), rows = tiles.Row(tile + 1) - row;
        if (rows == 0)
            break;
        const float *in[kTileRows];
        for (size_t r = 0; r < rows; ++r)
            in[r] = factor.rows.Row(row + r) + begin;
        Sums sums = {start.Row(row), start.stride, out.Row(row), out.stride};
        // Each tile fetches a part of the next block: a cache line for each row of this one.
        const size_t ahead = width * kLanes + (tile - tiles.begin) % width * kLanes;
        sums.later = reinterpret_cast<const char *>(block + ahead * depth);
        MultiplyTile(block, width, {{in}, depth, 1}, rows, sums);
    }
}

/* out = start + sum over the factors of rows * matrix. The matrices have the same vectors; all rows but those of the
 * factors are aligned, and `out` may be `start`. */
inline void MultiplyRows(const Factor *factors, size_t factor_count, const Tiles &tiles, const ConstRows &start,
                         const MutableRows &out) {
    const size_t vectors = factors->matrix.vectors;
    for (size_t first = 0; first < vectors; first += kTileVectors) {
        const MutableRows to = {out.data + first * kLanes, out.stride};
        ConstRows from = {start.data + first * kLanes, start.stride};
        for (const Factor *factor = factors; factor < factors + factor_count; ++factor) {
            for (size_t begin = 0; begin < factor->matrix.depth; begin += kBlockDepth) {
                const size_t depth = std::min(kBlockDepth, factor->matrix.depth - begin);
                MultiplyBlock(*factor, first, begin, depth, tiles, from, to);
                from = {to.data, to.stride};
            }
        }
    }
}

/* out[r][v] += sum over k of a[k][r] * b[k][v], the sums in registers. */
template <size_t kRows, size_t kVectors>
HWY_NOINLINE void AddOuterProducts(const ConstRows &a, const float *b, size_t b_stride, size_t depth, MutableRows out) {
    const hn::ScalableTag<float> d;
    hn::Vec<decltype(d)> sums[kRows][kVectors];
#pragma clang loop unroll(full)
    for (size_t r = 0; r < kRows; ++r) {
#pragma clang loop unroll(full)
        for (size_t v = 0; v < kVectors; ++v)
            sums[r][v] = hn::Load(d, out.Row(r) + v * kLanes);
    }
    const float *from = a.data;
    const size_t a_stride = a.stride;
    for (size_t k = 0; k < depth; ++k, from += a_stride, b += b_stride) {
        hn::Vec<decltype(d)> vectors[kVectors];
#pragma clang loop unroll(full)
        for (size_t v = 0; v < kVectors; ++v)
            vectors[v] = hn::Load(d, b + v * kLanes);
#pragma clang loop unroll(full)
        for (size_t r = 0; r < kRows; ++r) {
            const auto value = hn::Set(d, from[r]);
#pragma clang loop unroll(full)
            for (size_t v = 0; v < kVectors; ++v)
                sums[r][v] = hn::MulAdd(vectors[v], value, sums[r][v]);
        }
    }
#pragma clang loop unroll(full)
    for (size_t r = 0; r < kRows; ++r) {
#pragma clang loop unroll(full)
        for (size_t v = 0; v < kVectors; ++v)
            hn::Store(sums[r][v], d, out.Row(r) + v * kLanes);
    }
}

using OuterFunction = void (*)(const ConstRows &a, const float *b, size_t b_stride, size_t depth, MutableRows out);

/* AddOuterProducts for 1, 2, ... rows. */
template <size_t kVectors, size_t... kRows>
constexpr std::array<OuterFunction, sizeof...(kRows)> OuterTilesOf(std::index_sequence<kRows...>) {
    return {AddOuterProducts<kRows + 1, kVectors>...};
}

/* Rows that a panel is read of at a time: few enough for the pages that those of `a` lie in (measured at 256 outputs
 * with AVX-512: 6 % faster than 128). */
inline constexpr size_t kOuterDepth = 64;

/* Tiles that go over all of b together, so that their part of `a` and their sums stay in the second-level cache. */
inline constexpr size_t kOuterTiles = 32;

/* out[r] += sum over k of a[k][r] * b[k], for the tiles of a's columns and the first `depth` rows: a block of both. */
HWY_INLINE void MultiplyTransposedBlock(const ConstRows &a, const PackedMatrix &b, size_t first, size_t begin,
                                        size_t depth, const Tiles &tiles, const MutableRows &out) {
    static constexpr auto kWide = OuterTilesOf<kTileVectors>(std::make_index_sequence<kTileRows>());
    static constexpr auto kNarrow = OuterTilesOf<1>(std::make_index_sequence<kTileRows>());
    const size_t width = b.Width(first), b_stride = width * kLanes;
    const float *panel = b.Panel(first) + begin * b_stride;
    for (size_t tile = tiles.begin; tile < tiles.end; ++tile) {
        const size_t row = tiles.Row(tile), rows = tiles.Row(tile + 1) - row;
        const ConstRows columns = {a.Row(begin) + row, a.stride};
        float *sums = out.Row(row) + first * kLanes;
        if (width == kTileVectors) {
            kWide[rows - 1](columns, panel, b_stride, depth, {sums, out.stride});
            continue;
        }
        for (size_t v = 0; v < width; ++v)
            kNarrow[rows - 1](columns, panel + v * kLanes, b_stride, depth, {sums + v * kLanes, out.stride});
    }
}

/* The same for all of both. */
inline void MultiplyTransposed(const ConstRows &a, const PackedMatrix &b, size_t depth, const Tiles &tiles,
                               const MutableRows &out) {
    Tiles some = tiles;
    for (; some.begin < tiles.end; some.begin = some.end) {
        some.end = std::min(tiles.end, some.begin + kOuterTiles);
        for (size_t first = 0; first < b.vectors; first += kTileVectors) {
            for (size_t begin = 0; begin < depth; begin += kOuterDepth)
                MultiplyTransposedBlock(a, b, first, begin, std::min(kOuterDepth, depth - begin), some, out);
        }
    }
}

} // namespace HWY_NAMESPACE
} // namespace pymps::engine
HWY_AFTER_NAMESPACE();

#endif
