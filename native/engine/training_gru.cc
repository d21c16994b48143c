/* The GRU's training layer. */
#include "engine/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/training_gru.cc"
#include "hwy/foreach_target.h"

#include <cmath>
#include <memory>
#include <new>

#include "engine/neuron_value.h"
#include "engine/training-inl.h"

HWY_BEFORE_NAMESPACE();
namespace pymps::engine {
namespace HWY_NAMESPACE {

class GruTraining final : public TrainingLayer {
  public:
    bool Create(const pymps_engine_gru &gru);

  private:
    enum Gate : size_t { kZ, kR, kH, kGates };
    enum Scratch : size_t { kComplementBack, kRBack, kZBack, kScratch };

    void StepForward(const ForwardStep &step) const override;
    void StepBack(const GradientStep &step) const override;
    void UpdateGates(const ForwardStep &step, size_t row) const;
    void UpdateComplement(const ForwardStep &step, size_t row) const;
    void UpdateOutput(const ForwardStep &step, size_t row) const;
    void OutputBack(const GradientStep &step, size_t row) const;
    void GatesBack(const GradientStep &step, size_t row) const;

    bool flips_ = false;
    double p_ = 1;
    OwnedNeuron z_neuron_;
    size_t r_h0_field_ = 0, z_h0_field_ = 0; // z h0, where there is a Vh; 0: there is none
    size_t complement_field_ = 0;            // (1 - z^p)^(1/p), and its derivative by z's sum: unless p is 1
    size_t slope_field_ = 0;
    size_t output_term_ = 0, input_gate_term_ = 0; // Uh; Vh, 0: there is none
};

bool GruTraining::Create(const pymps_engine_gru &gru) {
    const pymps_engine_neuron *const neurons[] = {&gru.input_gate.neuron, &gru.recurrent_gate.neuron,
                                                  &gru.output_gate.neuron};
    flips_ = gru.flip_output_gates;
    p_ = gru.gate_pnorm;
    TrainingShape shape = StartShape(gru.inputs, gru.outputs, kGates, 2, /*has_memory_cell=*/false);
    shape.scratch = kScratch;
    r_h0_field_ = shape.AddField();
    output_term_ = shape.term_count;
    shape.AddTerm(PYMPS_ENGINE_RECURRENT_WEIGHTS, kH, 1, shape.AddOperand(gru.outputs, r_h0_field_));
    if (gru.output_gate_input_gate_weights != nullptr) {
        z_h0_field_ = shape.AddField();
        input_gate_term_ = shape.term_count;
        shape.AddTerm(PYMPS_ENGINE_MEMORY_WEIGHTS, kH, 1, shape.AddOperand(gru.outputs, z_h0_field_));
    }
    if (p_ != 1) {
        complement_field_ = shape.AddField();
        slope_field_ = shape.AddField();
    }
    return Start(shape, gru.unit_input, neurons) &&
           z_neuron_.Copy(gru.input_gate.neuron, Panels(gru.outputs, kLanes, 1));
}

/* to = a b, for whole vectors. */
HWY_INLINE void Multiply(const float *a, const float *b, float *to, size_t count) {
    const hn::ScalableTag<float> d;
    for (size_t i = 0; i < count; i += kLanes)
        hn::Store(hn::Mul(hn::Load(d, a + i), hn::Load(d, b + i)), d, to + i);
}

/* From z's sum, in float64: near z = 1 the slope in z is infinite, that in the sum is not. */
void GruTraining::UpdateComplement(const ForwardStep &step, size_t row) const {
    const pymps_engine_neuron neuron = z_neuron_.At(0);
    const float *sums = step.tape.Gate(row, kZ);
    float *complement = step.tape.Field(complement_field_, row), *slope = step.tape.Field(slope_field_, row);
    for (size_t i = 0; i < shape().outputs; ++i) {
        const double z = NeuronValue(neuron, sums[i], i), rest = 1 - std::pow(z, p_);
        const double z_slope = NeuronSlope(neuron, sums[i], i);
        complement[i] = static_cast<float>(std::pow(rest, 1 / p_));
        slope[i] =
            z_slope == 0 ? 0.0f : static_cast<float>(-std::pow(z, p_ - 1) * std::pow(rest, 1 / p_ - 1) * z_slope);
    }
    std::fill(complement + shape().outputs, complement + shape().stride, 0.0f);
    std::fill(slope + shape().outputs, slope + shape().stride, 0.0f);
}

/* z and r, and what h needs of them. */
void GruTraining::UpdateGates(const ForwardStep &step, size_t row) const {
    const size_t stride = shape().stride;
    const float *h0 = step.tape.Field(kH0Field, row);
    if (p_ != 1)
        UpdateComplement(step, row);
    Activate(step.tape, row, kZ);
    Activate(step.tape, row, kR);
    Multiply(step.tape.Gate(row, kR), h0, step.tape.Field(r_h0_field_, row), stride);
    if (z_h0_field_ != 0)
        Multiply(step.tape.Gate(row, kZ), h0, step.tape.Field(z_h0_field_, row), stride);
}

void GruTraining::UpdateOutput(const ForwardStep &step, size_t row) const {
    const hn::ScalableTag<float> d;
    const float *z = step.tape.Gate(row, kZ), *h = step.tape.Gate(row, kH), *h0 = step.tape.Field(kH0Field, row);
    const float *complement = step.tape.Field(complement_field_, row);
    float *h1 = step.H1(row);
    Activate(step.tape, row, kH);
    const float *weighted = flips_ ? h : h0, *other = flips_ ? h0 : h;
    for (size_t i = 0; i < shape().stride; i += kLanes) {
        const auto weight = hn::Load(d, z + i);
        const auto rest = p_ == 1 ? hn::Sub(hn::Set(d, 1.0f), weight) : hn::Load(d, complement + i);
        const auto first = hn::Mul(rest, hn::Load(d, other + i));
        hn::Store(hn::MulAdd(weight, hn::Load(d, weighted + i), first), d, h1 + i);
    }
}

void GruTraining::StepForward(const ForwardStep &step) const {
    StartGates(step, nullptr);
    const Factor recurrent = FactorOf(step.weights.terms, kRecurrentTerm, Field(step.tape, kH0Field));
    const MutableRows gates = Gates(step.tape, kZ), h = Gates(step.tape, kH);
    MultiplyRows(&recurrent, 1, step.tiles, {gates.data, gates.stride}, gates);
    const size_t first = step.tiles.first_row(), last = step.tiles.last_row();
    for (size_t row = first; row < last; ++row)
        UpdateGates(step, row);
    Factor factors[] = {FactorOf(step.weights.terms, output_term_, Field(step.tape, r_h0_field_)), {}};
    if (input_gate_term_ != 0)
        factors[1] = FactorOf(step.weights.terms, input_gate_term_, Field(step.tape, z_h0_field_));
    MultiplyRows(factors, input_gate_term_ != 0 ? 2 : 1, step.tiles, {h.data, h.stride}, h);
    for (size_t row = first; row < last; ++row)
        UpdateOutput(step, row);
}

/* From dL/dh1: dL/d(sum) of h; of z so far dL/dz, and apart what comes by way of (1 - z^p)^(1/p); of h0 what it has of
 * h1 directly. */
void GruTraining::OutputBack(const GradientStep &step, size_t row) const {
    const hn::ScalableTag<float> d;
    const size_t stride = shape().stride;
    const float *z = step.tape.Gate(row, kZ), *h = step.tape.Gate(row, kH), *h0 = step.tape.Field(kH0Field, row);
    const float *complement = step.tape.Field(complement_field_, row), *slope = step.tape.Field(slope_field_, row);
    float *dz = step.gates.Row(row) + kZ * stride, *d_h = step.gates.Row(row) + kH * stride;
    float *apart = step.scratch.Row(row) + kComplementBack * stride, *dh = step.dh.Row(row);
    const float *weighted = flips_ ? h : h0, *other = flips_ ? h0 : h;
    float *d_weighted = flips_ ? d_h : dh, *d_other = flips_ ? dh : d_h;
    for (size_t i = 0; i < stride; i += kLanes) {
        const auto dh1 = hn::Load(d, dh + i), weight = hn::Load(d, z + i);
        const auto by_weight = hn::Load(d, weighted + i), by_rest = hn::Load(d, other + i);
        if (p_ == 1) {
            hn::Store(hn::Mul(dh1, hn::Sub(by_weight, by_rest)), d, dz + i);
            hn::Store(hn::Mul(dh1, hn::Sub(hn::Set(d, 1.0f), weight)), d, d_other + i);
        } else {
            hn::Store(hn::Mul(dh1, by_weight), d, dz + i);
            hn::Store(hn::Mul(hn::Mul(dh1, by_rest), hn::Load(d, slope + i)), d, apart + i);
            hn::Store(hn::Mul(dh1, hn::Load(d, complement + i)), d, d_other + i);
        }
        hn::Store(hn::Mul(dh1, weight), d, d_weighted + i);
    }
    FinishGate(step, row, kH);
}

/* From dL/d(r h0) and dL/d(z h0): dL/d(sum) of r and z, and what h0 has of both products. */
void GruTraining::GatesBack(const GradientStep &step, size_t row) const {
    const hn::ScalableTag<float> d;
    const size_t stride = shape().stride;
    const float *z = step.tape.Gate(row, kZ), *r = step.tape.Gate(row, kR), *h0 = step.tape.Field(kH0Field, row);
    const float *apart = step.scratch.Row(row) + kComplementBack * stride;
    const float *d_r_h0 = step.scratch.Row(row) + kRBack * stride, *d_z_h0 = step.scratch.Row(row) + kZBack * stride;
    float *dz = step.gates.Row(row) + kZ * stride, *dr = step.gates.Row(row) + kR * stride, *dh = step.dh.Row(row);
    for (size_t i = 0; i < stride; i += kLanes) {
        const auto before = hn::Load(d, h0 + i), through_r = hn::Load(d, d_r_h0 + i);
        auto dh0 = hn::MulAdd(through_r, hn::Load(d, r + i), hn::Load(d, dh + i));
        hn::Store(hn::Mul(through_r, before), d, dr + i);
        if (input_gate_term_ != 0) {
            const auto through_z = hn::Load(d, d_z_h0 + i);
            dh0 = hn::MulAdd(through_z, hn::Load(d, z + i), dh0);
            hn::Store(hn::MulAdd(through_z, before, hn::Load(d, dz + i)), d, dz + i);
        }
        hn::Store(dh0, d, dh + i);
    }
    FinishGate(step, row, kR);
    FinishGate(step, row, kZ);
    for (size_t i = 0; p_ != 1 && i < shape().outputs; ++i)
        dz[i] += apart[i];
}

void GruTraining::StepBack(const GradientStep &step) const {
    const size_t first = step.tiles.first_row(), last = step.tiles.last_row(), stride = shape().stride;
    const ConstRows zeros = {step.weights.zeros, 0};
    for (size_t row = first; row < last; ++row)
        OutputBack(step, row);
    MultiplyBack(step, output_term_, zeros, {step.scratch.data + kRBack * stride, step.scratch.stride});
    if (input_gate_term_ != 0)
        MultiplyBack(step, input_gate_term_, zeros, {step.scratch.data + kZBack * stride, step.scratch.stride});
    for (size_t row = first; row < last; ++row)
        GatesBack(step, row);
    MultiplyBack(step, kRecurrentTerm, {step.dh.data, step.dh.stride}, step.dh);
}

/* NULL when memory runs out. */
pymps_engine_training *NewGruTraining(const pymps_engine_gru &description) {
    std::unique_ptr<GruTraining> layer(new (std::nothrow) GruTraining);
    return layer != nullptr && layer->Create(description) ? layer.release() : nullptr;
}

} // namespace HWY_NAMESPACE
} // namespace pymps::engine
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace pymps::engine {
HWY_EXPORT(NewGruTraining);
} // namespace pymps::engine

extern "C" pymps_engine_training *pymps_engine_gru_training_create(const pymps_engine_gru *gru) {
    using namespace pymps::engine;
    return HWY_DYNAMIC_DISPATCH(NewGruTraining)(*gru);
}

#endif
