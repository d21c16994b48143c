/* Rows of floats between the caller's matrices and the engine's scratch memory. */
#if defined(PYMPS_ENGINE_ROWS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef PYMPS_ENGINE_ROWS_INL_H
#undef PYMPS_ENGINE_ROWS_INL_H
#else
#define PYMPS_ENGINE_ROWS_INL_H
#endif

#include <cstring>

#include "engine/engine.h"
#include "engine/half-inl.h"
#include "engine/product-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace pymps::engine {
namespace HWY_NAMESPACE {

/* Pointers to the rows of one tile. */
struct TileRows {
    const float *rows[kTileRows];

    /* `data` begins at row 0; it may be NULL where nothing will be read. */
    TileRows(const float *data, size_t stride, const Block &tile) {
        for (size_t r = 0; r < tile.rows; ++r)
            rows[r] = data + (tile.row + r) * stride;
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
    FloatsFromHalves(static_cast<const uint16_t *>(source), scratch, columns);
    return scratch;
}

HWY_INLINE void StoreRow(const float *from, const pymps_engine_matrix &matrix, size_t row, size_t columns) {
    void *to = MatrixRow(matrix, row);
    if (matrix.type == PYMPS_ENGINE_FLOAT32)
        std::memcpy(to, from, columns * sizeof(float));
    else
        HalvesFromFloats(from, static_cast<uint16_t *>(to), columns);
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
