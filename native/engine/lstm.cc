/* The LSTM layer: a step, cut into tiles and panels. */
#include "engine/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/lstm.cc"
#include "hwy/foreach_target.h"

#include <memory>
#include <new>

#include "engine/byte_product-inl.h"
#include "engine/lstm-inl.h"
#include "engine/recurrent-inl.h"

HWY_BEFORE_NAMESPACE();
namespace pymps::engine {
namespace HWY_NAMESPACE {

class Lstm final : public RecurrentLayer {
  public:
    bool Pack(const pymps_engine_lstm &lstm);

    bool ReadWeights(size_t gate, size_t part, float *weights) const override {
        return weights_.Read(gate, part, weights);
    }
    bool ReadBytes(size_t gate, size_t part, uint8_t *values, float *minima, float *steps) const override {
        return weights_.ReadBytes(gate, part, values, minima, steps);
    }

  private:
    /* Of all tiles. */
    struct Inputs {
        Rows x, h0, c0;
    };

    void StartRows(const float *const *x, const QuantizedRows &quantized_x, size_t rows, float *gates,
                   Team *team) const override;
    void Step(const StepInput &input, const State &before, const State &after, float *scratch,
              Team *team) const override;
    void StepTile(const Block &tile, const StepInput &input, const Inputs &inputs, const State &before,
                  const State &after, float *output_gate) const;
    void OutputTile(const Block &tile, bool descending, const Rows &c1, const State &after, float *output_gate) const;

    /* Rows of gates, of which each vector has four; and rows of anything else. */
    Grid GateGrid(float *gates) const { return {gates, shape().gates, kMaxGates * kLanes}; }
    Grid StateGrid(float *state) const { return {state, shape().stride, kLanes}; }

    LstmWeights weights_;
};

bool Lstm::Pack(const pymps_engine_lstm &lstm) {
    if (!weights_.Pack(lstm, kLanes, kPanelVectors, /*may_be_wide=*/HasByteProducts()))
        return false;
    const size_t stride = weights_.panels.PaddedOutputs();
    SetShape({lstm.inputs, lstm.outputs, stride, /*has_memory_cell=*/true, /*gates=*/MultiplySizes(kMaxGates, stride),
              /*scratch=*/weights_.full_output_memory ? stride : 0, weights_.bytes[kInputPart].gate_count() > 0,
              weights_.bytes[kRecurrentPart].gate_count() > 0, /*image_gates=*/0, weights_.windows});
    return true;
}

void Lstm::StartRows(const float *const *x, const QuantizedRows &quantized_x, size_t rows, float *all_gates,
                     Team *team) const {
    ForEachTile(team, weights_.panels, rows, /*descending=*/false, [&](const Block &tile) HWY_ATTR {
        const Grid gates = GateGrid(all_gates).Of(tile);
        const PartRows in[] = {{x + tile.row}};
        ForEachPanel(weights_.panels, tile, /*descending=*/false, [&](const Block &panel, size_t vector) HWY_ATTR {
            float *sums = gates.At(0, vector);
            SumProducts(weights_.gates, kInputPart, 1, in, panel,
                        {weights_.bias.Slice(panel.first), 0, sums, gates.row_stride});
            AddByteProducts(weights_.bytes[kInputPart], panel, kMaxGates, quantized_x, sums, gates.row_stride);
        });
        if (weights_.unit_input)
            AddUnitInput(weights_.panels.outputs, tile, x + tile.row, gates);
    });
}

/* All but the output gate where it has a full V: that one is kept for OutputTile. */
void Lstm::StepTile(const Block &tile, const StepInput &input, const Inputs &inputs, const State &before,
                    const State &after, float *output_gate) const {
    const TileRows x(inputs.x, tile), h0(inputs.h0, tile), c0(inputs.c0, tile);
    const PartRows in[] = {x, h0, c0};
    HWY_ALIGN float buffer[kTilePixels * kMaxGates * kPanelVectors * kLanes];
    Grid gates = {buffer, kMaxGates * tile.vectors * kLanes, kMaxGates * kLanes};
    if (input.started) {
        gates = GateGrid(input.gates).Of(tile);
        ForEachPanel(weights_.panels, tile, input.descending, [&](const Block &panel, size_t vector) HWY_ATTR {
            float *sums = gates.At(0, vector);
            SumProducts(weights_.gates, kRecurrentPart, 2, in + kRecurrentPart, panel,
                        {sums, gates.row_stride, sums, gates.row_stride});
            AddByteProducts(weights_.bytes[kRecurrentPart], panel, kMaxGates, input.quantized_h, sums,
                            gates.row_stride);
        });
    } else {
        ForEachPanel(weights_.panels, tile, input.descending, [&](const Block &panel, size_t vector) HWY_ATTR {
            float *sums = gates.At(0, vector);
            SumRowsOrPairs(weights_.gates, weights_.pairs, kInputPart, 3, in, panel,
                           {weights_.bias.Slice(panel.first), 0, sums, gates.row_stride});
            AddByteProducts(weights_.bytes[kInputPart], panel, kMaxGates, input.quantized_x, sums, gates.row_stride);
            AddByteProducts(weights_.bytes[kRecurrentPart], panel, kMaxGates, input.quantized_h, sums,
                            gates.row_stride);
        });
        if (weights_.unit_input)
            AddUnitInput(weights_.panels.outputs, tile, x.rows, gates);
    }

    const Grid c1 = StateGrid(after.c).Of(tile), output_gates = OfGate(gates, kOutputGate);
    UpdateCells(weights_, tile, gates, StateGrid(before.c).Of(tile), c1);
    if (weights_.full_output_memory)
        CopyGrid(tile, output_gates, StateGrid(output_gate).Of(tile));
    else
        UpdateOutputs(weights_, tile, output_gates, c1, StateGrid(after.h).Of(tile));
}

/* The output gate with a full V: needs all of c1, hence a pass of its own. */
void Lstm::OutputTile(const Block &tile, bool descending, const Rows &all_c1, const State &after,
                      float *output_gate) const {
    const Grid gates = StateGrid(output_gate).Of(tile);
    const TileRows c1(all_c1, tile);
    const PartRows in[] = {c1};
    ForEachPanel(weights_.panels, tile, descending, [&](const Block &panel, size_t vector) HWY_ATTR {
        float *sums = gates.At(0, vector);
        SumRowsOrPairs(weights_.output_memory, weights_.output_memory_pairs, 0, 1, in, panel,
                       {sums, gates.row_stride, sums, gates.row_stride});
    });
    UpdateOutputs(weights_, tile, gates, StateGrid(after.c).Of(tile), StateGrid(after.h).Of(tile));
}

void Lstm::Step(const StepInput &input, const State &before, const State &after, float *scratch, Team *team) const {
    const size_t stride = shape().stride;
    const Inputs inputs = {input.x, input.Around(kRecurrentPart, before.h, stride, team),
                           input.Around(kMemoryPart, before.c, stride, team)};
    input.ForEachTile(team, weights_.panels,
                      [&](const Block &tile) HWY_ATTR { StepTile(tile, input, inputs, before, after, scratch); });
    if (!weights_.full_output_memory)
        return;
    const Rows c1 = input.Around(kMemoryPart, after.c, stride, team);
    input.ForEachTile(team, weights_.panels,
                      [&](const Block &tile) HWY_ATTR { OutputTile(tile, input.descending, c1, after, scratch); });
}

/* NULL when memory runs out. */
pymps_engine_layer *NewLstm(const pymps_engine_lstm &description) {
    std::unique_ptr<Lstm> lstm(new (std::nothrow) Lstm);
    return lstm != nullptr && lstm->Pack(description) ? lstm.release() : nullptr;
}

} // namespace HWY_NAMESPACE
} // namespace pymps::engine
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace pymps::engine {
HWY_EXPORT(NewLstm);
} // namespace pymps::engine

extern "C" pymps_engine_layer *pymps_engine_lstm_create(const pymps_engine_lstm *lstm) {
    using namespace pymps::engine;
    return HWY_DYNAMIC_DISPATCH(NewLstm)(*lstm);
}

#endif
