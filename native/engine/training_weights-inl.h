/* The caller's weights, states and gradients, in and out of the training layer's scratch memory. */
#if defined(PYMPS_ENGINE_TRAINING_WEIGHTS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef PYMPS_ENGINE_TRAINING_WEIGHTS_INL_H
#undef PYMPS_ENGINE_TRAINING_WEIGHTS_INL_H
#else
#define PYMPS_ENGINE_TRAINING_WEIGHTS_INL_H
#endif

#include <algorithm>

#include "engine/matrix_product-inl.h"
#include "engine/tiles-inl.h"
#include "engine/training_workspace-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace pymps::engine {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

inline constexpr size_t kBlockFloats = 256; // of a row at a time, where it is converted

/* to += a row of the matrix */
inline void AddElements(const pymps_engine_matrix &matrix, size_t row, size_t count, float *to) {
    HWY_ALIGN float block[kBlockFloats];
    for (size_t begin = 0; begin < count; begin += kBlockFloats) {
        const size_t some = std::min(kBlockFloats, count - begin);
        LoadElements(matrix, row, begin, some, block);
        for (size_t i = 0; i < some; ++i)
            to[begin + i] += block[i];
    }
}

/* A row of the matrix = from, or += from; `from` is overwritten. */
inline void StoreSums(float *from, const pymps_engine_matrix &matrix, size_t row, size_t count, bool accumulate) {
    if (accumulate)
        AddElements(matrix, row, count, from);
    StoreRow(from, matrix, row, count);
}

/* b and the diagonal V, zeros where there are none. */
inline void LoadVectors(const TrainingShape &shape, const pymps_engine_training_weights &weights,
                        const GateVectors &vectors) {
    const auto load = [&](const pymps_engine_matrix &matrix, float *to) HWY_ATTR {
        std::fill_n(to, shape.stride, 0.0f);
        if (matrix.data != nullptr)
            LoadElements(matrix, 0, 0, shape.outputs, to);
    };
    for (size_t gate = 0; gate < shape.gates; ++gate) {
        load(weights.matrices[gate][PYMPS_ENGINE_BIAS], vectors.bias + gate * shape.stride);
        if (shape.diagonal_operands[gate] != 0)
            load(weights.matrices[gate][PYMPS_ENGINE_MEMORY_WEIGHTS], vectors.diagonal + gate * shape.stride);
    }
}

/* Calls f(matrix, gate, first, count, vector) for a thread's share of a term: outputs [first, first + count) of one of
 * its gates, which are vector `vector` of the term's. */
template <class Function>
HWY_INLINE void ForEachVector(const TrainingShape &shape, const Term &term,
                              const pymps_engine_training_weights &weights, size_t thread, size_t threads,
                              const Function &f) {
    const size_t gate_vectors = shape.stride / kLanes;
    const Share share = Share::Of(term.gate_count * gate_vectors, thread, threads);
    for (size_t vector = share.begin; vector < share.end; ++vector) {
        const size_t first = vector % gate_vectors * kLanes;
        const size_t gate = term.first_gate + vector / gate_vectors;
        f(weights.matrices[gate][term.part], first, std::min(kLanes, shape.outputs - first), vector);
    }
}

/* A thread's share of the matrices that operands are multiplied by. */
inline void PackForward(const TrainingShape &shape, const pymps_engine_training_weights &weights,
                        const PackedMatrix *terms, size_t thread, size_t threads) {
    for (size_t t = 0; t < shape.term_count; ++t) {
        ForEachVector(shape, shape.terms[t], weights, thread, threads,
                      [&](const pymps_engine_matrix &matrix, size_t first, size_t count, size_t vector)
                          HWY_ATTR { PackTransposed(matrix, shape.TermColumns(t), first, count, vector, terms[t]); });
    }
}

/* The same for those that dL/d(sum) is multiplied by; rows that pad a gate are zeros. */
inline void PackBackward(const TrainingShape &shape, const pymps_engine_training_weights &weights,
                         const PackedMatrix *terms, size_t thread, size_t threads) {
    for (size_t t = 0; t < shape.term_count; ++t) {
        ForEachVector(shape, shape.terms[t], weights, thread, threads,
                      [&](const pymps_engine_matrix &matrix, size_t first, size_t count, size_t vector) HWY_ATTR {
                          for (size_t i = 0; i < kLanes; ++i)
                              PackMatrixRow(matrix, first + i, i < count ? shape.TermColumns(t) : 0,
                                            vector * kLanes + i, terms[t]);
                      });
    }
}

/* Rows of h and c, each padded; zeros for NULL. */
inline void LoadState(const TrainingShape &shape, const pymps_engine_state *state, size_t rows, float *h, float *c) {
    const auto load = [&](const float *from, float *to) HWY_ATTR {
        if (state == nullptr)
            std::fill_n(to, rows * shape.stride, 0.0f);
        else
            CopyRows(from, state->row_floats, to, shape.stride, rows, shape.outputs);
    };
    load(state == nullptr ? nullptr : state->h, h);
    if (shape.has_memory_cell)
        load(state == nullptr ? nullptr : state->c, c);
}

/* dL/dh and dL/dc of all rows of some tiles. */
inline void StoreGradient(const TrainingShape &shape, const Tiles &tiles, const MutableRows &dh, const MutableRows &dc,
                          const pymps_engine_state &to) {
    const Tiles all = tiles.Live(tiles.rows);
    const size_t first = all.first_row(), rows = all.last_row() - first, offset = first * to.row_floats;
    CopyRows(dh.Row(first), dh.stride, to.h + offset, to.row_floats, rows, shape.outputs);
    if (shape.has_memory_cell)
        CopyRows(dc.Row(first), dc.stride, to.c + offset, to.row_floats, rows, shape.outputs);
}

/* sum = the gates of a row, added up. */
inline void SumGates(const float *gates, size_t gate_count, size_t stride, float *sum) {
    std::copy_n(gates, stride, sum);
    for (size_t gate = 1; gate < gate_count; ++gate)
        std::transform(sum, sum + stride, gates + gate * stride, sum, [](float a, float b) { return a + b; });
}

/* What `rows` rows of a chunk add to the gradients of b and the diagonal V: a thread's share of the vectors. */
inline void AddVectorGradients(const TrainingShape &shape, const GradientWorkspace &workspace, size_t rows,
                               size_t thread, size_t threads) {
    const hn::ScalableTag<float> d;
    const size_t gate_vectors = shape.stride / kLanes;
    const Share share = Share::Of(shape.gates * gate_vectors, thread, threads);
    for (size_t vector = share.begin; vector < share.end; ++vector) {
        const size_t column = vector * kLanes, operand = shape.diagonal_operands[vector / gate_vectors];
        auto bias = hn::Zero(d), diagonal = hn::Zero(d);
        for (size_t row = 0; row < rows; ++row) {
            const auto gate = hn::Load(d, workspace.gates.Row(row) + column);
            bias = hn::Add(bias, gate);
            if (operand != 0)
                diagonal =
                    hn::MulAdd(gate, hn::Load(d, workspace.operands[operand].At(row, vector % gate_vectors)), diagonal);
        }
        float *bias_sum = workspace.vector_sums.bias + column;
        hn::Store(hn::Add(hn::Load(d, bias_sum), bias), d, bias_sum);
        if (operand != 0) {
            float *diagonal_sum = workspace.vector_sums.diagonal + column;
            hn::Store(hn::Add(hn::Load(d, diagonal_sum), diagonal), d, diagonal_sum);
        }
    }
}

/* A thread's share of the weights' gradients. */
inline void StoreWeightGradients(const TrainingShape &shape, const GradientWorkspace &workspace,
                                 const pymps_engine_training_weights &to, bool accumulate, size_t thread,
                                 size_t threads) {
    for (size_t t = 0; t < shape.term_count; ++t) {
        const size_t columns = shape.TermColumns(t), stride = shape.Padded(columns);
        ForEachVector(shape, shape.terms[t], to, thread, threads,
                      [&](const pymps_engine_matrix &matrix, size_t first, size_t count, size_t vector) HWY_ATTR {
                          float *sums = workspace.sums[t] + vector * kLanes * stride;
                          for (size_t i = 0; matrix.data != nullptr && i < count; ++i)
                              StoreSums(sums + i * stride, matrix, first + i, columns, accumulate);
                      });
    }
    if (thread > 0)
        return;
    for (size_t gate = 0; gate < shape.gates; ++gate) {
        const pymps_engine_matrix *matrices = to.matrices[gate];
        const pymps_engine_matrix &bias = matrices[PYMPS_ENGINE_BIAS], &v = matrices[PYMPS_ENGINE_MEMORY_WEIGHTS];
        if (bias.data != nullptr)
            StoreSums(workspace.vector_sums.bias + gate * shape.stride, bias, 0, shape.outputs, accumulate);
        if (shape.diagonal_operands[gate] != 0 && v.data != nullptr)
            StoreSums(workspace.vector_sums.diagonal + gate * shape.stride, v, 0, shape.outputs, accumulate);
    }
}

} // namespace HWY_NAMESPACE
} // namespace pymps::engine
HWY_AFTER_NAMESPACE();

#endif
