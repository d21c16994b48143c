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

/* How rows are cut into tiles: evenly, and once for all steps of a run, so that what a row is summed with does not
 * depend on who runs it. These are some of a run's tiles, one after the other. */
class RowTiles {
  public:
    RowTiles() = default;
    RowTiles(size_t rows) : all_rows_(rows), all_((rows + kTileRows - 1) / kTileRows), count_(all_), rows_(rows) {}

    size_t count() const { return count_; }
    size_t rows() const { return rows_; }
    /* Whether the run has one row alone. One that is left of several is another matter: who has it to itself depends on
     * the threads. */
    bool IsSingle() const { return all_rows_ == 1; }
    /* The first row, counted from the run's first. */
    size_t begin() const { return begin_; }
    /* The first row of a tile, or the end of the last one, counted from begin(). */
    size_t Begin(size_t tile) const { return std::min(Bound(tile) - begin_, rows_); }

    RowTiles Part(Share tiles) const {
        RowTiles part = *this;
        if (tiles.begin == 0 && tiles.end == count_)
            return part;
        part.first_ += tiles.begin;
        part.count_ = tiles.end - tiles.begin;
        part.begin_ += Begin(tiles.begin);
        part.rows_ = Begin(tiles.end) - Begin(tiles.begin);
        return part;
    }

    /* Without the rows from `end` on, counted from the run's first. */
    RowTiles Before(size_t end) const {
        RowTiles rest = *this;
        if (end >= begin_ + rows_)
            return rest;
        rest.rows_ = std::max(end, begin_) - begin_;
        while (rest.count_ > 0 && Bound(rest.count_ - 1) >= end)
            --rest.count_;
        return rest;
    }

  private:
    size_t Bound(size_t tile) const { return all_rows_ * (first_ + tile) / all_; }

    size_t all_rows_ = 0, all_ = 0;
    size_t first_ = 0, count_ = 0;
    size_t begin_ = 0, rows_ = 0;
};

/* How a step is shared out: by panels, so that each thread keeps its part of the weights in its own cache, unless they
 * are so few that one thread would have much more to do than another; by rows then, of which a thread takes whole
 * tiles. Either way panels and row tiles are those of a single thread, and so is every sum. */
struct Cut {
    size_t panels, row_tiles;
    size_t threads = 1;
    bool by_panels = true;

    Cut(const Panels &all, const RowTiles &rows, const Team *team) : panels(all.count), row_tiles(rows.count()) {
        if (team == nullptr || std::max(panels, row_tiles) < 2)
            return;
        threads = team->threads();
        const size_t most_panels = (panels + threads - 1) / threads, most_tiles = (row_tiles + threads - 1) / threads;
        by_panels = 8 * most_panels * row_tiles <= 9 * most_tiles * panels;
    }

    Share Columns(size_t thread) const { return by_panels ? Share::Of(panels, thread, threads) : Share{0, panels}; }
    Share Tiles(size_t thread) const { return by_panels ? Share{0, row_tiles} : Share::Of(row_tiles, thread, threads); }
};

/* Calls f(tile) for some tiles of some panels. */
template <class Function>
HWY_INLINE void ForEachTileOf(const Panels &panels, Share columns, const RowTiles &all, Share tiles, bool descending,
                              const Function &f) {
    // Rows are divided evenly. Where they are few a tile takes more panels: more activations overlap in time.
    const size_t rows = all.rows();
    const size_t tile_panels = rows == 1 ? kTileRows : kTileRows / std::clamp(rows, size_t{1}, kTileRows);
    const size_t count = (columns.end - columns.begin + tile_panels - 1) / tile_panels;
    const auto first_of = [&](size_t i) HWY_ATTR {
        return (columns.begin + (descending ? count - 1 - i : i) * tile_panels) * panels.panel_vectors;
    };
    for (size_t i = 0; i < count; ++i) {
        const size_t first = first_of(i), next = first_of(i + 1 < count ? i + 1 : i);
        const size_t end = std::min(
            std::min(first + tile_panels * panels.panel_vectors, columns.end * panels.panel_vectors), panels.vectors);
        if (all.count() == 1) {
            f(Block{first, end - first, 0, rows, rows, next});
            continue;
        }
        size_t row = all.Begin(tiles.begin);
        for (size_t tile = tiles.begin; tile < tiles.end; ++tile) {
            const size_t row_end = all.Begin(tile + 1);
            f(Block{first, end - first, row, row_end - row, rows, next});
            row = row_end;
        }
    }
}

/* Calls f(tile) for all tiles, on all threads of the team, `descending` from the last outputs to the first; those that
 * share weights follow each other. */
template <class Function>
HWY_INLINE void ForEachTile(Team *team, const Panels &panels, const RowTiles &rows, bool descending,
                            const Function &f) {
    const Cut cut(panels, rows, team);
    if (cut.threads > 1)
        team->Run([&](size_t thread)
                      HWY_ATTR { ForEachTileOf(panels, cut.Columns(thread), rows, cut.Tiles(thread), descending, f); });
    else
        ForEachTileOf(panels, {0, cut.panels}, rows, {0, cut.row_tiles}, descending, f);
}

/* Calls f(first, width) for the panels of some vectors. */
template <class Function>
HWY_INLINE void ForEachWidth(const Panels &panels, size_t from, size_t end, bool descending, const Function &f) {
    while (from < end) {
        const size_t width = descending ? panels.WidthBefore(end) : panels.Width(from);
        f(descending ? end - width : from, width);
        if (descending)
            end -= width;
        else
            from += width;
    }
}

/* Calls f(first, end) on all threads of the team, for the vectors of each one's panels. */
template <class Function> HWY_INLINE void ForEachShare(Team *team, const Panels &panels, const Function &f) {
    if (team == nullptr || panels.count < 2)
        return f(0, panels.vectors);
    team->Run([&](size_t thread) HWY_ATTR {
        const Share share = Share::Of(panels.count, thread, team->threads());
        f(share.begin * panels.panel_vectors, std::min(share.end * panels.panel_vectors, panels.vectors));
    });
}

/* Calls f(panel, vector) for the panels of a tile; `vector` is the panel's first, counted from the tile's. */
template <class Function>
HWY_INLINE void ForEachPanel(const Panels &panels, const Block &tile, bool descending, const Function &f) {
    ForEachWidth(panels, tile.first, tile.first + tile.vectors, descending, [&](size_t first, size_t width) HWY_ATTR {
        const size_t next = tile.all_rows == 1 ? panels.Next(first, descending) : tile.next;
        f(Block{first, width, tile.row, tile.rows, tile.all_rows, next, tile.line}, first - tile.first);
    });
}

} // namespace HWY_NAMESPACE
} // namespace pymps::engine
HWY_AFTER_NAMESPACE();

#endif
