/* What a kind of training layer sees of a step, and how threads share the work. */
#if defined(PYMPS_ENGINE_TRAINING_STEP_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef PYMPS_ENGINE_TRAINING_STEP_INL_H
#undef PYMPS_ENGINE_TRAINING_STEP_INL_H
#else
#define PYMPS_ENGINE_TRAINING_STEP_INL_H
#endif

#include "engine/matrix_product-inl.h"
#include "engine/team.h"
#include "engine/training_workspace-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace pymps::engine {
namespace HWY_NAMESPACE {

/* Some rows of one step of a forward pass. The tape holds h0 and c0 already. */
struct ForwardStep {
    const ForwardWorkspace &weights;
    Tiles tiles;
    Tape tape;
    ConstRows x;
    MutableRows next_h, next_c; // of the rows that the next step has: its tape
    size_t next_rows;
    MutableRows end_h, end_c; // of the others

    float *H1(size_t row) const { return (row < next_rows ? next_h : end_h).Row(row); }
    float *C1(size_t row) const { return (row < next_rows ? next_c : end_c).Row(row); }
};

/* Some rows of one step of a gradient. dh and dc come in as dL/dh1 and dL/dc1, and leave as dL/dh0 and dL/dc0; gates
 * leave as dL/d(sum), zeros where they are padded. */
struct GradientStep {
    const GradientWorkspace &weights;
    Tiles tiles;
    Tape tape;
    MutableRows gates, dh, dc, scratch;
};

/* Some steps of a gradient; their rows follow each other in the workspace. */
struct Chunk {
    size_t begin, end, rows;
};

/* Calls f(thread, threads) on all threads of the team. */
template <class Function> HWY_INLINE void ForEachThread(Team *team, const Function &f) {
    if (team == nullptr)
        return f(0, 1);
    const size_t threads = team->threads();
    team->Run([&](size_t thread) HWY_ATTR { f(thread, threads); });
}

} // namespace HWY_NAMESPACE
} // namespace pymps::engine
HWY_AFTER_NAMESPACE();

#endif
