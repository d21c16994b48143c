/* The arithmetic of one step of an LSTM, for some rows of some outputs. */
#if defined(PYMPS_ENGINE_LSTM_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef PYMPS_ENGINE_LSTM_INL_H
#undef PYMPS_ENGINE_LSTM_INL_H
#else
#define PYMPS_ENGINE_LSTM_INL_H
#endif

#include "engine/lstm_weights.h"
#include "engine/neurons-inl.h"
#include "engine/product-inl.h"
#include "engine/tiles-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace pymps::engine {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

inline void CopyGrid(const Block &block, const Grid &from, const Grid &to) {
    const hn::ScalableTag<float> d;
    for (size_t r = 0; r < block.rows; ++r) {
        for (size_t v = 0; v < block.vectors; ++v)
            hn::Store(hn::Load(d, from.At(r, v)), d, to.At(r, v));
    }
}

/* gate += V c for a diagonal V. */
inline void AddDiagonal(const LstmWeights &weights, const Block &block, LstmGate gate, const Grid &c,
                        const Grid &gates) {
    const hn::ScalableTag<float> d;
    for (size_t v = 0; v < block.vectors; ++v) {
        const auto diagonal = hn::Load(d, weights.diagonal.Slice(block.first + v) + gate * kLanes);
        for (size_t r = 0; r < block.rows; ++r) {
            float *to = gates.At(r, v);
            hn::Store(hn::MulAdd(diagonal, hn::Load(d, c.At(r, v)), hn::Load(d, to)), d, to);
        }
    }
}

/* One of the gates, out of all. */
HWY_INLINE Grid OfGate(const Grid &gates, LstmGate gate) {
    return {gates.data + gate * kLanes, gates.row_stride, gates.vector_stride};
}

/* c1 and h1 of the usual neurons, out of the sums of the gates. */
template <class D>
HWY_INLINE hn::Vec<D> UsualCell(D d, hn::Vec<D> input, hn::Vec<D> forget, hn::Vec<D> cell, hn::Vec<D> c0) {
    return hn::MulAdd(Sigmoid32(d, forget), c0, SigmoidTimesTanh32(d, input, cell));
}
template <class D> HWY_INLINE hn::Vec<D> UsualOutput(D d, hn::Vec<D> output, hn::Vec<D> c1) {
    return SigmoidTimesTanh32(d, output, c1);
}

/* c1 = F c0 + I C. Overwrites the gates. */
inline void UpdateCells(const LstmWeights &weights, const Block &block, const Grid &gates, const Grid &c0,
                        const Grid &c1) {
    const hn::ScalableTag<float> d;
    const Grid input = OfGate(gates, kInputGate), forget = OfGate(gates, kForgetGate), cell = OfGate(gates, kCellGate);
    if (weights.diagonal_memory) {
        AddDiagonal(weights, block, kInputGate, c0, input);
        AddDiagonal(weights, block, kForgetGate, c0, forget);
        AddDiagonal(weights, block, kCellGate, c0, cell);
    }
    if (weights.usual_neurons) {
        for (size_t r = 0; r < block.rows; ++r) {
            for (size_t v = 0; v < block.vectors; ++v) {
                const auto c = UsualCell(d, hn::Load(d, input.At(r, v)), hn::Load(d, forget.At(r, v)),
                                         hn::Load(d, cell.At(r, v)), hn::Load(d, c0.At(r, v)));
                hn::Store(c, d, c1.At(r, v));
            }
        }
        return;
    }
    for (size_t r = 0; r < block.rows; ++r) {
        for (size_t v = 0; v < block.vectors; ++v) {
            float *gate = gates.At(r, v);
            for (size_t g : {kInputGate, kForgetGate, kCellGate})
                ApplyNeuron(weights.neurons[g].At((block.first + v) * kLanes), gate + g * kLanes, gate + g * kLanes,
                            kLanes);
            const auto fresh = hn::Mul(hn::Load(d, input.At(r, v)), hn::Load(d, cell.At(r, v)));
            hn::Store(hn::MulAdd(hn::Load(d, forget.At(r, v)), hn::Load(d, c0.At(r, v)), fresh), d, c1.At(r, v));
        }
    }
}

/* h1 = O gh(c1). Overwrites the gates. */
inline void UpdateOutputs(const LstmWeights &weights, const Block &block, const Grid &output_gates, const Grid &c1,
                          const Grid &h1) {
    const hn::ScalableTag<float> d;
    if (weights.diagonal_memory)
        AddDiagonal(weights, block, kOutputGate, c1, output_gates);
    if (weights.usual_neurons) {
        for (size_t r = 0; r < block.rows; ++r) {
            for (size_t v = 0; v < block.vectors; ++v) {
                const auto gate = hn::Load(d, output_gates.At(r, v)), c = hn::Load(d, c1.At(r, v));
                hn::Store(UsualOutput(d, gate, c), d, h1.At(r, v));
            }
        }
        return;
    }
    for (size_t r = 0; r < block.rows; ++r) {
        for (size_t v = 0; v < block.vectors; ++v) {
            const size_t channel = (block.first + v) * kLanes;
            float *gate = output_gates.At(r, v), *h = h1.At(r, v);
            ApplyNeuron(weights.neurons[kOutputGate].At(channel), gate, gate, kLanes);
            ApplyNeuron(weights.cell_to_output.At(channel), c1.At(r, v), h, kLanes);
            hn::Store(hn::Mul(hn::Load(d, gate), hn::Load(d, h)), d, h);
        }
    }
}

/* c1 and h1 of some vectors, out of the sums of their gates in registers. */
template <size_t kVectors, class V>
HWY_INLINE void UsualNeurons(const V (&sums)[kVectors * kMaxGates], const float *c0, float *c1, float *h1) {
    const hn::ScalableTag<float> d;
    for (size_t v = 0; v < kVectors; ++v) {
        const V *gates = sums + v * kMaxGates;
        const V c = UsualCell(d, gates[kInputGate], gates[kForgetGate], gates[kCellGate], hn::Load(d, c0 + v * kLanes));
        hn::Store(c, d, c1 + v * kLanes);
        hn::Store(UsualOutput(d, gates[kOutputGate], c), d, h1 + v * kLanes);
    }
}

} // namespace HWY_NAMESPACE
} // namespace pymps::engine
HWY_AFTER_NAMESPACE();

#endif
