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
#include "engine/team.h"
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

/* [begin, end) of some pieces of work. */
struct Share {
    size_t begin, end;

    static Share Of(size_t count, size_t thread, size_t threads) {
        return {count * thread / threads, count * (thread + 1) / threads};
    }
};

/* How a step is shared out: by panels, so that each thread keeps its part of the weights in its own cache, unless they
 * are so few that one thread would have much more to do than another; by rows then, of which a thread takes whole
 * tiles. Either way panels and row tiles are those of a single thread, and so is every sum. */
struct Cut {
    size_t panels, row_tiles = 1;
    size_t threads = 1;
    bool by_panels = true;

    Cut(const Panels &all, size_t rows, const Team *team) : panels(all.count) {
        if (rows > kTileRows)
            row_tiles = (rows + kTileRows - 1) / kTileRows;
        if (team == nullptr || std::max(panels, row_tiles) < 2)
            return;
        threads = team->threads();
        const size_t most_panels = (panels + threads - 1) / threads, most_tiles = (row_tiles + threads - 1) / threads;
        by_panels = 8 * most_panels * row_tiles <= 9 * most_tiles * panels;
    }

    Share Columns(size_t thread) const { return by_panels ? Share::Of(panels, thread, threads) : Share{0, panels}; }
    Share RowTiles(size_t thread) const {
        return by_panels ? Share{0, row_tiles} : Share::Of(row_tiles, thread, threads);
    }
};

/* Calls f(tile) for all tiles of some panels. */
template <class Function>
HWY_INLINE void ForEachTileOf(const Panels &panels, Share columns, size_t rows, size_t row_tiles, Share tiles,
                              bool descending, const Function &f) {
    // Rows are divided evenly. Where they are few a tile takes more panels: more activations overlap in time.
    const size_t tile_panels = rows == 1 ? kTileRows : kTileRows / std::clamp(rows, size_t{1}, kTileRows);
    const size_t count = (columns.end - columns.begin + tile_panels - 1) / tile_panels;
    const auto first_of = [&](size_t i) HWY_ATTR {
        return (columns.begin + (descending ? count - 1 - i : i) * tile_panels) * panels.panel_vectors;
    };
    for (size_t i = 0; i < count; ++i) {
        const size_t first = first_of(i), next = first_of(i + 1 < count ? i + 1 : i);
        const size_t end = std::min(
            std::min(first + tile_panels * panels.panel_vectors, columns.end * panels.panel_vectors), panels.vectors);
        if (row_tiles == 1) {
            f(Block{first, end - first, 0, rows, rows, next});
            continue;
        }
        for (size_t tile = tiles.begin; tile < tiles.end; ++tile) {
            const size_t row = rows * tile / row_tiles, row_end = rows * (tile + 1) / row_tiles;
            f(Block{first, end - first, row, row_end - row, rows, next});
        }
    }
}

/* Calls f(tile) for all tiles, on all threads of the team, `descending` from the last outputs to the first; those that
 * share weights follow each other. */
template <class Function>
HWY_INLINE void ForEachTile(Team *team, const Panels &panels, size_t rows, bool descending, const Function &f) {
    const Cut cut(panels, rows, team);
    if (cut.threads > 1)
        team->Run([&](size_t thread) HWY_ATTR {
            ForEachTileOf(panels, cut.Columns(thread), rows, cut.row_tiles, cut.RowTiles(thread), descending, f);
        });
    else
        ForEachTileOf(panels, {0, cut.panels}, rows, cut.row_tiles, {0, cut.row_tiles}, descending, f);
}

/* Calls f(panel, vector) for the panels of a tile; `vector` is the panel's first, counted from the tile's. */
template <class Function>
HWY_INLINE void ForEachPanel(const Panels &panels, const Block &tile, bool descending, Function f) {
    size_t end = descending ? tile.vectors : 0;
    for (size_t done = 0; done < tile.vectors;) {
        const size_t width = descending ? panels.WidthBefore(tile.first + end) : panels.Width(tile.first + end);
        const size_t vector = descending ? end - width : end;
        f(Block{tile.first + vector, width, tile.row, tile.rows, tile.all_rows, tile.next, tile.line}, vector);
        end = descending ? vector : end + width;
        done += width;
    }
}

} // namespace HWY_NAMESPACE
} // namespace pymps::engine
HWY_AFTER_NAMESPACE();

#endif
