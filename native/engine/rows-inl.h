/* Rows of floats between the caller's matrices and the engine's scratch memory. */
#if defined(PYMPS_ENGINE_ROWS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef PYMPS_ENGINE_ROWS_INL_H
#undef PYMPS_ENGINE_ROWS_INL_H
#else
#define PYMPS_ENGINE_ROWS_INL_H
#endif

#include <algorithm>
#include <cstring>

#include "engine/elements-inl.h"
#include "engine/engine.h"
#include "engine/product-inl.h"
#include "engine/window.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace pymps::engine {
namespace HWY_NAMESPACE {

/* Rows that stand some floats apart; or the windows of the pixels of framed images. `data` begins at the first of all;
 * it may be NULL where nothing will be read. */
struct Rows {
    const float *data;
    size_t stride;
    const Frame *frame = nullptr; // NULL: there is none, and the stride counts
};

/* Pointers to the rows of one tile. */
struct TileRows {
    const float *rows[kTilePixels];
    size_t line_stride = 0, term_stride = 0; // of windows, and of pairs

    TileRows(const Rows &all, const Block &tile) {
        if (all.frame != nullptr) {
            Point(all.data, *all.frame, tile);
        } else {
            for (size_t r = 0; r < tile.rows; ++r)
                rows[r] = all.data + (tile.row + r) * all.stride;
        }
    }

    operator PartRows() const { return {rows, line_stride, term_stride}; }

  private:
    /* To the places of all pixels, or of the first ones of pairs. */
    HWY_NOINLINE void Point(const float *data, const Frame &frame, const Block &tile) {
        line_stride = frame.LineFloats();
        term_stride = frame.in_pairs ? frame.TermFloats() : 0;
        const size_t step = frame.in_pairs ? 2 : 1;
        const size_t line_end = line_stride - (frame.width + step - 1) / step * frame.channels;
        size_t x = tile.row % frame.width, y = tile.row / frame.width;
        const size_t image = y / frame.height;
        y %= frame.height;
        const float *place = data + image * frame.ImageFloats() + y * line_stride + x / step * frame.channels;
        for (size_t pixel = 0, r = 0; pixel < tile.rows; ++r) {
            rows[r] = place;
            place += frame.channels;
            const size_t count = std::min(step, frame.width - x);
            pixel += count;
            x += count;
            if (x < frame.width)
                continue;
            x = 0;
            place += line_end;
            if (++y < frame.height)
                continue;
            y = 0;
            place += (frame.window.height - 1) * line_stride;
        }
    }
};

HWY_INLINE void *MatrixRow(const pymps_engine_matrix &matrix, size_t row) {
    return static_cast<char *>(matrix.data) + row * matrix.row_bytes;
}

/* Row `row` as floats: in place where they are floats, otherwise converted into `scratch`. */
HWY_INLINE const float *LoadRow(const pymps_engine_matrix &matrix, size_t row, size_t columns, float *scratch) {
    const void *source = MatrixRow(matrix, row);
    if (matrix.type == PYMPS_ENGINE_FLOAT32)
        return static_cast<const float *>(source);
    LoadElements(matrix.type, source, scratch, columns);
    return scratch;
}

HWY_INLINE void StoreRow(const float *from, const pymps_engine_matrix &matrix, size_t row, size_t columns) {
    StoreElements(matrix.type, from, MatrixRow(matrix, row), columns);
}

HWY_INLINE bool HasGaps(const pymps_engine_matrix &matrix, size_t columns) {
    return matrix.row_bytes != columns * ElementBytes(matrix.type);
}

/* Rows [row, row + rows) as floats, without gaps. */
inline void LoadRows(const pymps_engine_matrix &matrix, size_t row, size_t rows, size_t columns, float *to) {
    if (!HasGaps(matrix, columns))
        return LoadElements(matrix.type, MatrixRow(matrix, row), to, rows * columns);
    for (size_t r = 0; r < rows; ++r)
        LoadElements(matrix.type, MatrixRow(matrix, row + r), to + r * columns, columns);
}

/* The reverse; `from` begins at row 0. */
inline void StoreRows(const float *from, size_t stride, const pymps_engine_matrix &matrix, size_t row, size_t rows,
                      size_t columns) {
    if (stride == columns && !HasGaps(matrix, columns))
        return StoreElements(matrix.type, from + row * stride, MatrixRow(matrix, row), rows * columns);
    for (size_t r = row; r < row + rows; ++r)
        StoreRow(from + r * stride, matrix, r, columns);
}

HWY_INLINE void CopyRows(const float *from, size_t from_stride, float *to, size_t to_stride, size_t rows,
                         size_t columns) {
    for (size_t r = 0; r < rows; ++r)
        std::memcpy(to + r * to_stride, from + r * from_stride, columns * sizeof(float));
}

} // namespace HWY_NAMESPACE
} // namespace pymps::engine
HWY_AFTER_NAMESPACE();

#endif
