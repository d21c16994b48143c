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
    const float *StartRow(size_t first, size_t vectors, const StepInput &input, float *buffer) const;
    template <size_t kVectors, class Weight>
    void StepRowPanel(size_t first, size_t width, const StepInput &input, const State &before,
                      const State &after) const;
    template <class Weight>
    void StepRow(size_t begin, size_t end, const StepInput &input, const State &before, const State &after) const;
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

/* What the sums of some vectors of one row begin with; with the products of bytes in it, in `buffer`. */
const float *Lstm::StartRow(size_t first, size_t vectors, const StepInput &input, float *buffer) const {
    const float *start = input.started ? input.gates + first * kMaxGates * kLanes : weights_.bias.Slice(first);
    if (!shape().quantizes_inputs && !shape().quantizes_outputs)
        return start;
    const hn::ScalableTag<float> d;
    const Block panel = {first, vectors, 0, 1, 1, weights_.panels.Next(first, input.descending)};
    for (size_t i = 0; i < vectors * kMaxGates * kLanes; i += kLanes)
        hn::Store(hn::Load(d, start + i), d, buffer + i);
    if (!input.started)
        AddByteProducts(weights_.bytes[kInputPart], panel, kMaxGates, input.quantized_x, buffer, 0);
    AddByteProducts(weights_.bytes[kRecurrentPart], panel, kMaxGates, input.quantized_h, buffer, 0);
    return buffer;
}

/* A panel of one row, from the weights to c1 and h1 without leaving the registers. While its neurons wait for each
 * other, the next panel's sums have begun. */
template <size_t kVectors, class Weight>
HWY_INLINE void Lstm::StepRowPanel(size_t first, size_t width, const StepInput &input, const State &before,
                                   const State &after) const {
    if constexpr (kVectors > 1) {
        if (width < kVectors)
            return StepRowPanel<kVectors / 2, Weight>(first, width, input, before, after);
    }
    const hn::ScalableTag<float> d;
    HWY_ALIGN float buffer[kVectors * kMaxGates * kLanes];
    const float *start = StartRow(first, kVectors, input, buffer);
    hn::Vec<decltype(d)> sums[1][kVectors * kMaxGates];
    for (size_t v = 0; v < kVectors * kMaxGates; ++v)
        sums[0][v] = hn::Load(d, start + v * kLanes);

    const PackedWeights &gates = weights_.gates;
    const float *const rows[] = {input.x.data, before.h};
    const Input inputs[] = {{{&rows[kInputPart]}, gates.part(kInputPart).columns, 1},
                            {{&rows[kRecurrentPart]}, gates.part(kRecurrentPart).columns, 1}};
    const LstmPart part = input.started ? kRecurrentPart : kInputPart;
    const auto slice = [&](size_t vector) { return gates.Slice<Weight>(gates.part(part), vector, kVectors); };
    const Weight *next = slice(weights_.panels.Next(first, input.descending));
    AddColumns(slice(first), kVectors * kMaxGates * kLanes, inputs + part, kMemoryPart - part, sums, gates.fetch(),
               reinterpret_cast<const char *>(next));
    const size_t at = first * kLanes;
    UsualNeurons<kVectors>(sums[0], before.c + at, after.c + at, after.h + at);
}

/* One row of the usual LSTM, vectors [begin, end). */
template <class Weight>
void Lstm::StepRow(size_t begin, size_t end, const StepInput &input, const State &before, const State &after) const {
    ForEachWidth(weights_.panels, begin, end, input.descending, [&](size_t first, size_t width) HWY_ATTR {
        StepRowPanel<kPanelVectors, Weight>(first, width, input, before, after);
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
    if (weights_.is_usual && input.images == nullptr && input.rows.IsSingle()) {
        ForEachShare(team, weights_.panels, [&](size_t begin, size_t end) HWY_ATTR {
            if (weights_.gates.half())
                StepRow<uint16_t>(begin, end, input, before, after);
            else
                StepRow<float>(begin, end, input, before, after);
        });
        return;
    }
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
