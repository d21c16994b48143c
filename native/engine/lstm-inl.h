/* The arithmetic of one step of an LSTM, for one panel of outputs (see packing.h).
 *
 * `first` and `width` are the panel's first vector and its number of vectors. Gates are laid out as a panel's slice of
 * a column is: input, forget, cell, output gate. Buffers are aligned to a vector and padded to whole vectors. */
#if defined(PYMPS_ENGINE_LSTM_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef PYMPS_ENGINE_LSTM_INL_H
#undef PYMPS_ENGINE_LSTM_INL_H
#else
#define PYMPS_ENGINE_LSTM_INL_H
#endif

#include <algorithm>

#include "engine/lstm_weights.h"
#include "engine/neurons-inl.h"
#include "engine/product-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace pymps::engine {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/* gates = W x + b */
inline void StartGates(const LstmWeights &weights, size_t first, size_t width, const float *const *x, size_t rows,
                       float *gates, size_t gate_stride) {
    const hn::ScalableTag<float> d;
    const size_t count = width * kLanes;
    const float *bias = weights.bias.Slice(first);
    for (size_t r = 0; r < rows; ++r) {
        for (size_t i = 0; i < kMaxGates * count; i += kLanes)
            hn::Store(hn::Load(d, bias + i), d, gates + r * gate_stride + i);
    }
    if (!weights.unit_input)
        return AddProduct(weights.gates, weights.gates.part(kInputPart), first, width, x, rows, gates, gate_stride);

    const size_t begin = first * kLanes;
    const size_t end = std::min(weights.panels.outputs - begin, count);
    for (size_t r = 0; r < rows; ++r) {
        for (size_t gate = 0; gate < kMaxGates; ++gate) {
            for (size_t i = 0; i < end; ++i)
                gates[r * gate_stride + gate * count + i] += x[r][begin + i];
        }
    }
}

/* gate += V c for a diagonal V; `gate` and `c` begin at the panel. */
inline void AddDiagonal(const LstmWeights &weights, size_t first, size_t width, LstmGate which, const float *c,
                        float *gate) {
    const hn::ScalableTag<float> d;
    const size_t count = width * kLanes;
    const float *v = weights.diagonal.Slice(first) + which * count;
    for (size_t i = 0; i < count; i += kLanes)
        hn::Store(hn::MulAdd(hn::Load(d, v + i), hn::Load(d, c + i), hn::Load(d, gate + i)), d, gate + i);
}

/* c1 = F c0 + I C, for one row. Gates and cells begin at the panel; the gates are overwritten. */
inline void UpdateCell(const LstmWeights &weights, size_t first, size_t width, float *gates, const float *c0,
                       float *c1) {
    const hn::ScalableTag<float> d;
    const size_t count = width * kLanes;
    float *input = gates + kInputGate * count, *forget = gates + kForgetGate * count, *cell = gates + kCellGate * count;
    if (weights.diagonal_memory) {
        AddDiagonal(weights, first, width, kInputGate, c0, input);
        AddDiagonal(weights, first, width, kForgetGate, c0, forget);
        AddDiagonal(weights, first, width, kCellGate, c0, cell);
    }
    if (weights.usual_neurons) {
        for (size_t i = 0; i < count; i += kLanes) {
            const auto fresh = hn::Mul(Sigmoid32(d, hn::Load(d, input + i)), Tanh32(d, hn::Load(d, cell + i)));
            hn::Store(hn::MulAdd(Sigmoid32(d, hn::Load(d, forget + i)), hn::Load(d, c0 + i), fresh), d, c1 + i);
        }
        return;
    }
    for (size_t gate : {kInputGate, kForgetGate, kCellGate})
        ApplyNeuron(weights.neurons[gate].At(first * kLanes), gates + gate * count, gates + gate * count, count);
    for (size_t i = 0; i < count; i += kLanes) {
        const auto fresh = hn::Mul(hn::Load(d, input + i), hn::Load(d, cell + i));
        hn::Store(hn::MulAdd(hn::Load(d, forget + i), hn::Load(d, c0 + i), fresh), d, c1 + i);
    }
}

/* h1 = O gh(c1), for one row. All begin at the panel; the gate is overwritten. */
inline void UpdateOutput(const LstmWeights &weights, size_t first, size_t width, float *gate, const float *c1,
                         float *h1) {
    const hn::ScalableTag<float> d;
    const size_t count = width * kLanes;
    if (weights.diagonal_memory)
        AddDiagonal(weights, first, width, kOutputGate, c1, gate);
    if (weights.usual_neurons) {
        for (size_t i = 0; i < count; i += kLanes) {
            const auto o = Sigmoid32(d, hn::Load(d, gate + i));
            hn::Store(hn::Mul(o, Tanh32(d, hn::Load(d, c1 + i))), d, h1 + i);
        }
        return;
    }
    ApplyNeuron(weights.neurons[kOutputGate].At(first * kLanes), gate, gate, count);
    ApplyNeuron(weights.cell_to_output.At(first * kLanes), c1, h1, count);
    for (size_t i = 0; i < count; i += kLanes)
        hn::Store(hn::Mul(hn::Load(d, gate + i), hn::Load(d, h1 + i)), d, h1 + i);
}

} // namespace HWY_NAMESPACE
} // namespace pymps::engine
HWY_AFTER_NAMESPACE();

#endif
