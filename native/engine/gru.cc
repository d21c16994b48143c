/* The GRU layer. A step takes two passes over the outputs: the gates z and r; then h, which needs all of r h0 and
 * z h0. */
#include "engine/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/gru.cc"
#include "hwy/foreach_target.h"

#include <memory>
#include <new>

#include "engine/gate-inl.h"
#include "engine/gru-inl.h"
#include "engine/recurrent-inl.h"

HWY_BEFORE_NAMESPACE();
namespace pymps::engine {
namespace HWY_NAMESPACE {

class Gru final : public RecurrentLayer {
  public:
    bool Pack(const pymps_engine_gru &description);

    bool ReadWeights(size_t gate, size_t part, float *weights) const override {
        return GateAt(gate).Read(part, weights);
    }
    bool ReadBytes(size_t gate, size_t part, uint8_t *values, float *minima, float *steps) const override {
        return GateAt(gate).ReadBytes(part, values, minima, steps);
    }

  private:
    /* The rows of a step. z, r and h begin as sums; z is then activated in place, and r becomes r h0. */
    struct Grids {
        Grid h0, z, r, h;
        Grid z_h0;       /* if Vh is given */
        Grid complement; /* (1 - z^p)^(1/p), unless usual */
        Grid h1;

        Grids Of(const Block &block) const {
            return {h0.Of(block),   z.Of(block),          r.Of(block), h.Of(block),
                    z_h0.Of(block), complement.Of(block), h1.Of(block)};
        }
    };

    void StartRows(const float *const *x, const QuantizedRows &quantized_x, size_t rows, float *gates,
                   Team *team) const override;
    void Step(const StepInput &input, const State &before, const State &after, float *scratch,
              Team *team) const override;
    const GateWeights &GateAt(size_t gate) const {
        const GateWeights *const gates[] = {&z_, &r_, &h_};
        return *gates[gate];
    }
    Grid GateGrid(float *gates, size_t gate) const { return {gates + gate * shape().stride, shape().gates, kLanes}; }
    void GateTile(const Block &tile, const StepInput &input, const Rows &h0, const Grids &all) const;
    void OutputTile(const Block &tile, const StepInput &input, const Rows &r_h0, const Rows &z_h0,
                    const Grids &all) const;

    /* Whether some gate has bytes as its W or its U. */
    bool HasBytes(GatePart part) const {
        return z_.bytes[part].gate_count() + r_.bytes[part].gate_count() + h_.bytes[part].gate_count() > 0;
    }

    GateWeights z_, r_, h_;
    bool has_recurrent_ = false;  /* Uh is given, hence r has an effect */
    bool has_input_gate_ = false; /* Vh is given */
    bool flips_ = false;
    bool usual_ = false; /* sigmoid, sigmoid, tanh; p is 1, and nothing above is out of the ordinary */
    double p_ = 1;
};

bool Gru::Pack(const pymps_engine_gru &gru) {
    const Panels panels = GatePanels(gru.outputs);
    const size_t stride = panels.PaddedOutputs();
    has_recurrent_ = gru.output_gate.recurrent_weights != nullptr || gru.output_gate.recurrent_bytes.values != nullptr;
    has_input_gate_ = gru.output_gate_input_gate_weights != nullptr;
    flips_ = gru.flip_output_gates;
    p_ = gru.gate_pnorm;
    usual_ = IsSigmoid(gru.input_gate.neuron) && IsSigmoid(gru.recurrent_gate.neuron) &&
             IsPlainTanH(gru.output_gate.neuron) && has_recurrent_ && !has_input_gate_ && !flips_ && p_ == 1;
    GateForm form = {gru.inputs, gru.unit_input, gru.half_weights, /*may_be_wide=*/HasByteProducts() && usual_, {}};
    // Of what is packed alone: nothing else can be read, and a layer made from that has to sum as this one does.
    const auto has = [&](const float *pymps_engine_gate::*weights) {
        return gru.input_gate.*weights != nullptr || gru.output_gate.*weights != nullptr ||
               (has_recurrent_ && gru.recurrent_gate.*weights != nullptr);
    };
    if (!gru.unit_input && has(&pymps_engine_gate::input_weights))
        form.windows.parts[kInputWeights] = Window(gru.input_window);
    if (has(&pymps_engine_gate::recurrent_weights))
        form.windows.parts[kRecurrentWeights] = Window(gru.recurrent_window);
    if (has_input_gate_)
        form.windows.parts[kInputGateWeights] = Window(gru.memory_window);
    const auto pack = [&](GateWeights &gate, const pymps_engine_gate &source, const float *input_gate_weights) {
        return gate.Pack(source, input_gate_weights, form, panels);
    };
    if (!pack(z_, gru.input_gate, nullptr) || (has_recurrent_ && !pack(r_, gru.recurrent_gate, nullptr)) ||
        !pack(h_, gru.output_gate, gru.output_gate_input_gate_weights))
        return false;
    const size_t layer_bytes = z_.WeightBytes() + r_.WeightBytes() + h_.WeightBytes();
    for (GateWeights *gate : {&z_, &r_, &h_})
        gate->SetFetch(layer_bytes);
    SetShape({gru.inputs, gru.outputs, stride, /*has_memory_cell=*/false, /*gates=*/MultiplySizes(3, stride),
              /*scratch=*/MultiplySizes(2, stride), HasBytes(kInputWeights), HasBytes(kRecurrentWeights),
              /*image_gates=*/MultiplySizes(3, stride), form.windows});
    return true;
}

void Gru::StartRows(const float *const *x, const QuantizedRows &quantized_x, size_t rows, float *gates,
                    Team *team) const {
    StartGate(z_, x, quantized_x, rows, GateGrid(gates, 0), team);
    if (has_recurrent_)
        StartGate(r_, x, quantized_x, rows, GateGrid(gates, 1), team);
    StartGate(h_, x, quantized_x, rows, GateGrid(gates, 2), team);
}

/* z and r, and all that h needs of them. */
void Gru::GateTile(const Block &tile, const StepInput &input, const Rows &h0, const Grids &all) const {
    const Grids at = all.Of(tile);
    SumGate(z_, tile, input, h0, {}, all.z);
    if (has_recurrent_)
        SumGate(r_, tile, input, h0, {}, all.r);
    if (usual_)
        return UsualGates(tile, at.h0, at.z, at.r);

    if (p_ != 1)
        PnormComplement(z_.neuron, p_, tile, at.z, at.complement);
    ActivateGate(z_, tile, at.z, at.z);
    if (p_ == 1)
        Complement(tile, at.z, at.complement);
    if (has_input_gate_)
        Multiply(tile, at.z, at.h0, at.z_h0);
    if (has_recurrent_) {
        ActivateGate(r_, tile, at.r, at.r);
        Multiply(tile, at.r, at.h0, at.r);
    }
}

void Gru::OutputTile(const Block &tile, const StepInput &input, const Rows &r_h0, const Rows &z_h0,
                     const Grids &all) const {
    const Grids at = all.Of(tile);
    SumGate(h_, tile, input, r_h0, z_h0, all.h);
    if (usual_)
        return UsualBlend(tile, at.h, at.z, at.h0, at.h1);

    ActivateGate(h_, tile, at.h, at.h);
    if (flips_)
        Blend(tile, at.complement, at.h0, at.z, at.h, at.h1);
    else
        Blend(tile, at.complement, at.h, at.z, at.h0, at.h1);
}

void Gru::Step(const StepInput &input, const State &before, const State &after, float *scratch, Team *team) const {
    const size_t stride = shape().stride;
    const Grids grids = {{before.h, stride, kLanes},    GateGrid(input.gates, 0),
                         GateGrid(input.gates, 1),      GateGrid(input.gates, 2),
                         {scratch, 2 * stride, kLanes}, {scratch + stride, 2 * stride, kLanes},
                         {after.h, stride, kLanes}};
    const Rows h0 = input.Around(kRecurrentWeights, before.h, stride, team);
    input.ForEachTile(team, z_.panels, [&](const Block &tile) HWY_ATTR { GateTile(tile, input, h0, grids); });
    if (h_.bytes[kRecurrentWeights].gate_count() > 0) { // which multiply r h0 from here on
        for (size_t r = 0; r < input.rows.rows(); ++r)
            QuantizeRow(grids.r.At(r, 0), shape().outputs, input.quantized_h.At(r));
    }
    const auto around = [&](GatePart part, const Grid &grid, bool is_wanted) HWY_ATTR {
        return is_wanted ? input.Around(part, grid.data, grid.row_stride, team) : Rows{};
    };
    const Rows r_h0 = around(kRecurrentWeights, grids.r, has_recurrent_),
               z_h0 = around(kInputGateWeights, grids.z_h0, has_input_gate_);
    input.ForEachTile(team, z_.panels, [&](const Block &tile) HWY_ATTR { OutputTile(tile, input, r_h0, z_h0, grids); });
}

/* NULL when memory runs out. */
pymps_engine_layer *NewGru(const pymps_engine_gru &description) {
    std::unique_ptr<Gru> gru(new (std::nothrow) Gru);
    return gru != nullptr && gru->Pack(description) ? gru.release() : nullptr;
}

} // namespace HWY_NAMESPACE
} // namespace pymps::engine
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace pymps::engine {
HWY_EXPORT(NewGru);
} // namespace pymps::engine

extern "C" pymps_engine_layer *pymps_engine_gru_create(const pymps_engine_gru *gru) {
    using namespace pymps::engine;
    return HWY_DYNAMIC_DISPATCH(NewGru)(*gru);
}

#endif
