/* The layer with a single gate: h1 = g(W x + U h0 + b). */
#include "engine/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/single_gate.cc"
#include "hwy/foreach_target.h"

#include <memory>
#include <new>

#include "engine/gate-inl.h"
#include "engine/recurrent-inl.h"

HWY_BEFORE_NAMESPACE();
namespace pymps::engine {
namespace HWY_NAMESPACE {

class SingleGate final : public RecurrentLayer {
  public:
    bool Pack(const pymps_engine_single_gate &description);

    bool ReadWeights(size_t, size_t part, float *weights) const override { return gate_.Read(part, weights); }
    bool ReadBytes(size_t, size_t part, uint8_t *values, float *minima, float *steps) const override {
        return gate_.ReadBytes(part, values, minima, steps);
    }

  private:
    void StartRows(const float *const *x, const QuantizedRows &quantized_x, size_t rows, float *gates,
                   Team *team) const override;
    void Step(const StepInput &input, const State &before, const State &after, float *scratch,
              Team *team) const override;

    GateWeights gate_;
};

bool SingleGate::Pack(const pymps_engine_single_gate &description) {
    const Panels panels = GatePanels(description.outputs);
    const size_t stride = panels.PaddedOutputs();
    const bool is_bounded = IsSigmoid(description.gate.neuron) || IsPlainTanH(description.gate.neuron);
    GateForm form = {description.inputs,
                     description.unit_input,
                     description.half_weights,
                     /*may_be_wide=*/HasByteProducts() && is_bounded,
                     {}};
    if (!description.unit_input)
        form.windows.parts[kInputWeights] = Window(description.input_window);
    form.windows.parts[kRecurrentWeights] = Window(description.recurrent_window);
    if (!gate_.Pack(description.gate, nullptr, form, panels))
        return false;
    SetShape({description.inputs, description.outputs, stride, /*has_memory_cell=*/false, /*gates=*/stride,
              /*scratch=*/0, gate_.bytes[kInputWeights].gate_count() > 0,
              gate_.bytes[kRecurrentWeights].gate_count() > 0, /*image_gates=*/stride, form.windows});
    return true;
}

void SingleGate::StartRows(const float *const *x, const QuantizedRows &quantized_x, size_t rows, float *gates,
                           Team *team) const {
    StartGate(gate_, x, quantized_x, rows, {gates, shape().stride, kLanes}, team);
}

void SingleGate::Step(const StepInput &input, const State &before, const State &after, float *, Team *team) const {
    const Rows h0 = input.Around(kRecurrentWeights, before.h, shape().stride, team);
    const Grid h1 = {after.h, shape().stride, kLanes};
    const Grid sums = {input.gates, shape().gates, kLanes};
    input.ForEachTile(team, gate_.panels, [&](const Block &tile) HWY_ATTR {
        SumGate(gate_, tile, input, h0, {}, sums);
        ActivateGate(gate_, tile, sums.Of(tile), h1.Of(tile));
    });
}

/* NULL when memory runs out. */
pymps_engine_layer *NewSingleGate(const pymps_engine_single_gate &description) {
    std::unique_ptr<SingleGate> layer(new (std::nothrow) SingleGate);
    return layer != nullptr && layer->Pack(description) ? layer.release() : nullptr;
}

} // namespace HWY_NAMESPACE
} // namespace pymps::engine
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace pymps::engine {
HWY_EXPORT(NewSingleGate);
} // namespace pymps::engine

extern "C" pymps_engine_layer *pymps_engine_single_gate_create(const pymps_engine_single_gate *single_gate) {
    using namespace pymps::engine;
    return HWY_DYNAMIC_DISPATCH(NewSingleGate)(*single_gate);
}

#endif
