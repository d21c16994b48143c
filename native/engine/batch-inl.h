/* How threads share out the rows of a batch, for all of its steps at once. */
#if defined(PYMPS_ENGINE_BATCH_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef PYMPS_ENGINE_BATCH_INL_H
#undef PYMPS_ENGINE_BATCH_INL_H
#else
#define PYMPS_ENGINE_BATCH_INL_H
#endif

#include <algorithm>

#include "engine/engine.h"
#include "engine/tiles-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace pymps::engine {
namespace HWY_NAMESPACE {

/* How many times as fast as a single row the rows of a batch are done, and more. */
inline constexpr size_t kBatchGain = 8;

/* Steps of all rows before `row`. */
inline size_t RowSteps(const pymps_engine_sequence &sequence, size_t row) {
    size_t count = 0;
    for (size_t step = 0; step < sequence.steps; ++step)
        count += std::min(sequence.x[step].rows, row);
    return count;
}

/* The tiles of one thread: each thread has about as many steps of rows to do, whenever these end. */
inline Share TilesOf(const pymps_engine_sequence &sequence, const RowTiles &rows, size_t thread, size_t threads) {
    const size_t all = RowSteps(sequence, rows.rows());
    const auto first_of = [&](size_t sharer) {
        size_t tile = 0;
        while (tile < rows.count() && RowSteps(sequence, rows.Begin(tile)) < all * sharer / threads)
            ++tile;
        return tile;
    };
    return {first_of(thread), thread + 1 < threads ? first_of(thread + 1) : rows.count()};
}

/* Whether no thread would have much more to do than another: a fork and a join in each step cost about as much. */
inline bool IsEven(const pymps_engine_sequence &sequence, const RowTiles &rows, size_t threads) {
    const size_t all = RowSteps(sequence, rows.rows());
    for (size_t thread = 0; thread < threads; ++thread) {
        const RowTiles own = rows.Part(TilesOf(sequence, rows, thread, threads));
        const size_t end = own.begin() + own.rows();
        if (4 * threads * (RowSteps(sequence, end) - RowSteps(sequence, own.begin())) > 5 * all)
            return false;
    }
    return true;
}

} // namespace HWY_NAMESPACE
} // namespace pymps::engine
HWY_AFTER_NAMESPACE();

#endif
