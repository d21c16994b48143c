/* How a step is cut: into tiles of some outputs of some rows, a tile into panels. */
#if defined(PYMPS_ENGINE_TILES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef PYMPS_ENGINE_TILES_INL_H
#undef PYMPS_ENGINE_TILES_INL_H
#else
#define PYMPS_ENGINE_TILES_INL_H
#endif

#include <algorithm>

#include "engine/packing.h"
#include "engine/product-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace pymps::engine {
namespace HWY_NAMESPACE {

/* Rows of vectors in memory, every one aligned. Those that go with a block begin where it begins. */
struct Grid {
    float *data;
    size_t row_stride, vector_stride;

    HWY_INLINE float *At(size_t row, size_t vector) const { return data + row * row_stride + vector * vector_stride; }
    HWY_INLINE Grid Of(const Block &block) const { return {At(block.row, block.first), row_stride, vector_stride}; }
};

/* sums += x, for every gate of a vector: W is the identity. */
inline void AddUnitInput(size_t outputs, const Block &block, const float *const *x, const Grid &sums) {
    const size_t begin = block.first * kLanes, count = std::min(outputs - begin, block.vectors * kLanes);
    for (size_t r = 0; r < block.rows; ++r) {
        for (size_t i = 0; i < count; ++i) {
            for (size_t gate = 0; gate < sums.vector_stride; gate += kLanes)
                sums.At(r, i / kLanes)[gate + i % kLanes] += x[r][begin + i];
        }
    }
}

/* Calls f(tile) for all tiles, `backward` from the last outputs to the first; those that share weights follow each
 * other. */
template <class Function> HWY_INLINE void ForEachTile(const Panels &panels, size_t rows, bool backward, Function f) {
    // Rows are shared out evenly. Where they are few a tile takes more panels: more activations overlap in time.
    const size_t tiles = (rows + kTileRows - 1) / kTileRows;
    const size_t width = kTileRows / std::clamp(rows, size_t{1}, kTileRows) * panels.panel_vectors;
    const size_t count = (panels.vectors + width - 1) / width;
    for (size_t i = 0; i < count; ++i) {
        const size_t first = (backward ? count - 1 - i : i) * width;
        for (size_t tile = 0; tile < tiles; ++tile) {
            const size_t row = rows * tile / tiles, end = rows * (tile + 1) / tiles;
            f(Block{first, std::min(width, panels.vectors - first), row, end - row});
        }
    }
}

/* Calls f(panel, vector) for the panels of a tile; `vector` is the panel's first, counted from the tile's. */
template <class Function> HWY_INLINE void ForEachPanel(const Panels &panels, const Block &tile, Function f) {
    for (size_t vector = 0; vector < tile.vectors;) {
        const size_t first = tile.first + vector, width = panels.Width(first);
        f(Block{first, width, tile.row, tile.rows}, vector);
        vector += width;
    }
}

} // namespace HWY_NAMESPACE
} // namespace pymps::engine
HWY_AFTER_NAMESPACE();

#endif
