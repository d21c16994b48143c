/* The scratch memory of a forward pass and of a gradient. */
#if defined(PYMPS_ENGINE_TRAINING_WORKSPACE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef PYMPS_ENGINE_TRAINING_WORKSPACE_INL_H
#undef PYMPS_ENGINE_TRAINING_WORKSPACE_INL_H
#else
#define PYMPS_ENGINE_TRAINING_WORKSPACE_INL_H
#endif

#include <algorithm>

#include "engine/matrix_product-inl.h"
#include "engine/training_shape.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace pymps::engine {
namespace HWY_NAMESPACE {

inline PackedMatrix TakeMatrix(FloatArena &arena, size_t depth, size_t columns) {
    const size_t padded = RoundUp(columns, kLanes);
    return {arena.Take(depth, padded), depth, padded / kLanes};
}

/* b and the diagonal V: one row of all gates each. */
struct GateVectors {
    float *bias, *diagonal;

    GateVectors(const TrainingShape &shape, FloatArena &arena)
        : bias(arena.Take(1, shape.GateFloats())),
          diagonal(arena.Take(1, shape.HasDiagonal() ? shape.GateFloats() : 0)) {}
};

struct ForwardWorkspace {
    PackedMatrix terms[kMaxTerms]; /* operand by gates */
    GateVectors vectors;
    float *x;     /* of one step, where it is float16 */
    float *h, *c; /* of the rows that have ended */

    ForwardWorkspace(const TrainingShape &shape, size_t rows, FloatArena &arena) : vectors(shape, arena) {
        for (size_t t = 0; t < shape.term_count; ++t)
            terms[t] = TakeMatrix(arena, shape.TermColumns(t), shape.TermOutputs(t));
        x = arena.Take(rows, shape.inputs);
        h = arena.Take(rows, shape.stride);
        c = shape.has_memory_cell ? arena.Take(rows, shape.stride) : nullptr;
    }
};

/* Steps are taken back in chunks: as many as have this many rows together, or one. What all their rows contribute is
 * then one product for each matrix, of what the second-level cache still holds. */
inline constexpr size_t kGradientRows = 256;

struct GradientWorkspace {
    GateVectors vector_sums; /* the gradients of all weights, summed; these come first */
    float *sums[kMaxTerms];  /* gates by operand */
    size_t sum_floats;       /* of both together */
    GateVectors vectors;
    PackedMatrix terms[kMaxTerms];       /* gates by operand */
    float *zeros;                        /* a row of any kind */
    float *dh, *dc;                      /* dL/dh and dL/dc of all rows, between two steps */
    float *scratch;                      /* of a step */
    MutableRows gates;                   /* dL/d(sum) of a chunk's rows */
    PackedMatrix operands[kMaxOperands]; /* of a chunk's rows */
    float *dx;                           /* of a chunk's rows */

    GradientWorkspace(const TrainingShape &shape, size_t steps, size_t rows, FloatArena &arena)
        : vector_sums(shape, arena), sums{}, sum_floats(TakeSums(shape, arena)), vectors(shape, arena) {
        const size_t chunk_rows = std::max(rows, std::min(MultiplySizes(steps, rows), kGradientRows));
        for (size_t t = 0; t < shape.term_count; ++t)
            terms[t] = TakeMatrix(arena, shape.TermOutputs(t), shape.TermColumns(t));
        zeros = arena.Take(1, std::max(shape.stride, shape.Padded(shape.inputs)));
        dh = arena.Take(rows, shape.stride);
        dc = shape.has_memory_cell ? arena.Take(rows, shape.stride) : nullptr;
        scratch = arena.Take(rows, MultiplySizes(shape.scratch, shape.stride));
        gates = {arena.Take(chunk_rows, shape.GateStride()), shape.GateStride()};
        for (size_t i = 0; i < shape.operand_count; ++i)
            operands[i] = TakeMatrix(arena, chunk_rows, shape.operands[i].columns);
        dx = arena.Take(chunk_rows, shape.Padded(shape.inputs));
    }

  private:
    size_t TakeSums(const TrainingShape &shape, FloatArena &arena) {
        for (size_t t = 0; t < shape.term_count; ++t)
            sums[t] = arena.Take(shape.TermOutputs(t), shape.Padded(shape.TermColumns(t)));
        return arena.bytes() / sizeof(float);
    }
};

} // namespace HWY_NAMESPACE
} // namespace pymps::engine
HWY_AFTER_NAMESPACE();

#endif
