/* The sum and the activation of one gate, for some rows of some outputs. */
#if defined(PYMPS_ENGINE_GATE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef PYMPS_ENGINE_GATE_INL_H
#undef PYMPS_ENGINE_GATE_INL_H
#else
#define PYMPS_ENGINE_GATE_INL_H
#endif

#include <algorithm>

#include "engine/byte_product-inl.h"
#include "engine/gate_weights.h"
#include "engine/neurons-inl.h"
#include "engine/recurrent-inl.h"
#include "engine/rows-inl.h"
#include "engine/tiles-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace pymps::engine {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/* As wide as the panels of an LSTM are with their four gates. */
inline Panels GatePanels(size_t outputs) {
    return Panels(outputs, kLanes, kMaxGates * kPanelVectors);
}

/* sums = W x + b, for all outputs of any number of rows. */
inline void StartGate(const GateWeights &gate, const float *const *x, const QuantizedRows &quantized_x, size_t rows,
                      const Grid &all_sums, Team *team) {
    ForEachTile(team, gate.panels, rows, /*descending=*/false, [&](const Block &tile) HWY_ATTR {
        const Grid sums = all_sums.Of(tile);
        const PartRows in[] = {{x + tile.row}};
        ForEachPanel(gate.panels, tile, /*descending=*/false, [&](const Block &panel, size_t vector) HWY_ATTR {
            float *out = sums.At(0, vector);
            SumProducts(gate.weights, kInputWeights, 1, in, panel, {gate.Bias(panel.first), 0, out, sums.row_stride});
            AddByteProducts(gate.bytes[kInputWeights], panel, 1, quantized_x, out, sums.row_stride);
        });
        if (gate.unit_input)
            AddUnitInput(gate.panels.outputs, tile, x + tile.row, sums);
    });
}

/* sums = W x + b + U recurrent + V input_gate, for a tile. The rows are all, and so is the grid; `recurrent` is also
 * input.quantized_h, where U is bytes. */
inline void SumGate(const GateWeights &gate, const Block &tile, const StepInput &input, const Rows &recurrent,
                    const Rows &input_gate, const Grid &all_sums) {
    const TileRows x(input.x, tile), u(recurrent, tile), v(input_gate, tile);
    const PartRows in[] = {x, u, v};
    const Grid sums = all_sums.Of(tile);
    ForEachPanel(gate.panels, tile, input.descending, [&](const Block &panel, size_t vector) HWY_ATTR {
        float *out = sums.At(0, vector);
        if (input.started)
            SumProducts(gate.weights, kRecurrentWeights, gate.part_count - 1, in + kRecurrentWeights, panel,
                        {out, sums.row_stride, out, sums.row_stride});
        else
            SumRowsOrPairs(gate.weights, gate.pairs, kInputWeights, gate.part_count, in, panel,
                           {gate.Bias(panel.first), 0, out, sums.row_stride});
        if (!input.started)
            AddByteProducts(gate.bytes[kInputWeights], panel, 1, input.quantized_x, out, sums.row_stride);
        AddByteProducts(gate.bytes[kRecurrentWeights], panel, 1, input.quantized_h, out, sums.row_stride);
    });
    if (gate.unit_input && !input.started)
        AddUnitInput(gate.panels.outputs, tile, x.rows, sums);
}

/* values = the gate's neuron of sums, which may be the same memory. */
inline void ActivateGate(const GateWeights &gate, const Block &block, const Grid &sums, const Grid &values) {
    const pymps_engine_neuron neuron = gate.neuron.At(block.first * kLanes);
    for (size_t r = 0; r < block.rows; ++r)
        ApplyNeuron(neuron, sums.At(r, 0), values.At(r, 0), block.vectors * kLanes);
}

} // namespace HWY_NAMESPACE
} // namespace pymps::engine
HWY_AFTER_NAMESPACE();

#endif
