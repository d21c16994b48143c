/* The LSTM's training layer. */
#include "engine/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/training_lstm.cc"
#include "hwy/foreach_target.h"

#include <memory>
#include <new>

#include "engine/lstm_weights.h"
#include "engine/training-inl.h"

HWY_BEFORE_NAMESPACE();
namespace pymps::engine {
namespace HWY_NAMESPACE {

class LstmTraining final : public TrainingLayer {
  public:
    bool Create(const pymps_engine_lstm &lstm);

  private:
    void StepForward(const ForwardStep &step) const override;
    void StepBack(const GradientStep &step) const override;
    void UpdateCell(const ForwardStep &step, size_t row) const;
    void UpdateOutput(const ForwardStep &step, size_t row) const;
    void OutputBack(const GradientStep &step, size_t row) const;
    void CellBack(const GradientStep &step, size_t row) const;
    void AddMemory(const pymps_engine_lstm &lstm, TrainingShape *shape);
    bool HasDiagonal(size_t gate) const { return shape().diagonal_operands[gate] != 0; }

    OwnedNeuron cell_to_output_;
    size_t gh_field_ = 0;                             // gh(c1)
    size_t c1_field_ = 0;                             // where the gradient needs it; 0: not kept
    size_t memory_term_ = 0, output_memory_term_ = 0; // full V of i, f, c, and of o; 0: there is none
};

/* What V needs, and the derivative of gh. */
void LstmTraining::AddMemory(const pymps_engine_lstm &lstm, TrainingShape *shape) {
    const pymps_engine_gate *const gates[] = {&lstm.input_gate, &lstm.forget_gate, &lstm.cell_gate, &lstm.output_gate};
    const bool sees_c0 = lstm.input_gate.memory_weights != nullptr || lstm.forget_gate.memory_weights != nullptr ||
                         lstm.cell_gate.memory_weights != nullptr;
    const bool sees_c1 = lstm.output_gate.memory_weights != nullptr;
    if (sees_c1 || SlopeNeedsSum(lstm.cell_to_output))
        c1_field_ = shape->AddField();
    const size_t c0 = sees_c0 ? shape->AddOperand(lstm.outputs, kC0Field) : 0;
    const size_t c1 = sees_c1 ? shape->AddOperand(lstm.outputs, c1_field_) : 0;
    if (lstm.memory_is_diagonal) {
        for (size_t gate = 0; gate < kMaxGates; ++gate) {
            if (gates[gate]->memory_weights != nullptr)
                shape->diagonal_operands[gate] = gate == kOutputGate ? c1 : c0;
        }
        return;
    }
    if (sees_c0) {
        memory_term_ = shape->term_count;
        shape->AddTerm(PYMPS_ENGINE_MEMORY_WEIGHTS, kInputGate, 3, c0);
    }
    if (sees_c1) {
        output_memory_term_ = shape->term_count;
        shape->AddTerm(PYMPS_ENGINE_MEMORY_WEIGHTS, kOutputGate, 1, c1);
    }
}

bool LstmTraining::Create(const pymps_engine_lstm &lstm) {
    const pymps_engine_neuron *const neurons[] = {&lstm.input_gate.neuron, &lstm.forget_gate.neuron,
                                                  &lstm.cell_gate.neuron, &lstm.output_gate.neuron};
    TrainingShape shape = StartShape(lstm.inputs, lstm.outputs, kMaxGates, kMaxGates, /*has_memory_cell=*/true);
    gh_field_ = shape.AddField();
    AddMemory(lstm, &shape);
    return Start(shape, lstm.unit_input, neurons) &&
           cell_to_output_.Copy(lstm.cell_to_output, Panels(lstm.outputs, kLanes, 1));
}

/* to += a b, for whole vectors. */
HWY_INLINE void AddProduct(const float *a, const float *b, float *to, size_t count) {
    const hn::ScalableTag<float> d;
    for (size_t i = 0; i < count; i += kLanes)
        hn::Store(hn::MulAdd(hn::Load(d, a + i), hn::Load(d, b + i), hn::Load(d, to + i)), d, to + i);
}

/* c1 = F c0 + I C */
void LstmTraining::UpdateCell(const ForwardStep &step, size_t row) const {
    const hn::ScalableTag<float> d;
    const size_t stride = shape().stride;
    const float *c0 = step.tape.Field(kC0Field, row);
    for (size_t gate : {kInputGate, kForgetGate, kCellGate}) {
        if (HasDiagonal(gate))
            AddProduct(step.weights.vectors.diagonal + gate * stride, c0, step.tape.Gate(row, gate), stride);
        Activate(step.tape, row, gate);
    }
    const float *input = step.tape.Gate(row, kInputGate), *forget = step.tape.Gate(row, kForgetGate);
    const float *cell = step.tape.Gate(row, kCellGate);
    float *c1 = step.C1(row);
    for (size_t i = 0; i < stride; i += kLanes) {
        const auto fresh = hn::Mul(hn::Load(d, input + i), hn::Load(d, cell + i));
        hn::Store(hn::MulAdd(hn::Load(d, forget + i), hn::Load(d, c0 + i), fresh), d, c1 + i);
    }
    if (c1_field_ != 0)
        std::copy_n(c1, stride, step.tape.Field(c1_field_, row));
}

/* h1 = O gh(c1) */
void LstmTraining::UpdateOutput(const ForwardStep &step, size_t row) const {
    const hn::ScalableTag<float> d;
    const size_t stride = shape().stride;
    const float *c1 = step.C1(row);
    float *output = step.tape.Gate(row, kOutputGate), *gh = step.tape.Field(gh_field_, row), *h1 = step.H1(row);
    if (HasDiagonal(kOutputGate))
        AddProduct(step.weights.vectors.diagonal + kOutputGate * stride, c1, output, stride);
    Activate(step.tape, row, kOutputGate);
    ApplyNeuron(cell_to_output_.At(0), c1, gh, stride);
    for (size_t i = 0; i < stride; i += kLanes)
        hn::Store(hn::Mul(hn::Load(d, output + i), hn::Load(d, gh + i)), d, h1 + i);
}

void LstmTraining::StepForward(const ForwardStep &step) const {
    const Factor recurrent = FactorOf(step.weights.terms, kRecurrentTerm, Field(step.tape, kH0Field));
    StartGates(step, &recurrent);
    if (memory_term_ != 0) {
        const Factor memory = FactorOf(step.weights.terms, memory_term_, Field(step.tape, kC0Field));
        const MutableRows gates = Gates(step.tape, kInputGate);
        MultiplyRows(&memory, 1, step.tiles, {gates.data, gates.stride}, gates);
    }
    const size_t first = step.tiles.first_row(), last = step.tiles.last_row();
    for (size_t row = first; row < last; ++row)
        UpdateCell(step, row);
    if (output_memory_term_ != 0) {
        const Factor memory = FactorOf(step.weights.terms, output_memory_term_, Field(step.tape, c1_field_));
        const MutableRows gates = Gates(step.tape, kOutputGate);
        MultiplyRows(&memory, 1, step.tiles, {gates.data, gates.stride}, gates);
    }
    for (size_t row = first; row < last; ++row)
        UpdateOutput(step, row);
}

/* From dL/dh1: dL/d(sum) of the output gate, and what gh contributes to dL/dc1. */
void LstmTraining::OutputBack(const GradientStep &step, size_t row) const {
    const hn::ScalableTag<float> d;
    const size_t stride = shape().stride;
    const float *output = step.tape.Gate(row, kOutputGate), *gh = step.tape.Field(gh_field_, row);
    float *d_output = step.gates.Row(row) + kOutputGate * stride, *dh = step.dh.Row(row), *dc = step.dc.Row(row);
    for (size_t i = 0; i < stride; i += kLanes) {
        const auto dh1 = hn::Load(d, dh + i);
        hn::Store(hn::Mul(dh1, hn::Load(d, gh + i)), d, d_output + i);
        hn::Store(hn::Mul(dh1, hn::Load(d, output + i)), d, dh + i); // dL/d gh(c1)
    }
    FinishGate(step, row, kOutputGate);
    MultiplySlopes(cell_to_output_.At(0), c1_field_ == 0 ? nullptr : step.tape.Field(c1_field_, row), gh, dh, stride);
    for (size_t i = 0; i < stride; i += kLanes)
        hn::Store(hn::Add(hn::Load(d, dc + i), hn::Load(d, dh + i)), d, dc + i);
    if (HasDiagonal(kOutputGate))
        AddProduct(step.weights.vectors.diagonal + kOutputGate * stride, d_output, dc, stride);
}

/* From dL/dc1: dL/d(sum) of the other gates, and dL/dc0 but for a full V. */
void LstmTraining::CellBack(const GradientStep &step, size_t row) const {
    const hn::ScalableTag<float> d;
    const size_t stride = shape().stride;
    const float *input = step.tape.Gate(row, kInputGate), *forget = step.tape.Gate(row, kForgetGate);
    const float *cell = step.tape.Gate(row, kCellGate), *c0 = step.tape.Field(kC0Field, row);
    float *gates = step.gates.Row(row), *dc = step.dc.Row(row);
    for (size_t i = 0; i < stride; i += kLanes) {
        const auto dc1 = hn::Load(d, dc + i);
        hn::Store(hn::Mul(dc1, hn::Load(d, cell + i)), d, gates + kInputGate * stride + i);
        hn::Store(hn::Mul(dc1, hn::Load(d, c0 + i)), d, gates + kForgetGate * stride + i);
        hn::Store(hn::Mul(dc1, hn::Load(d, input + i)), d, gates + kCellGate * stride + i);
        hn::Store(hn::Mul(dc1, hn::Load(d, forget + i)), d, dc + i);
    }
    for (size_t gate : {kInputGate, kForgetGate, kCellGate}) {
        FinishGate(step, row, gate);
        if (HasDiagonal(gate))
            AddProduct(step.weights.vectors.diagonal + gate * stride, gates + gate * stride, dc, stride);
    }
}

void LstmTraining::StepBack(const GradientStep &step) const {
    const size_t first = step.tiles.first_row(), last = step.tiles.last_row();
    const ConstRows dc = {step.dc.data, step.dc.stride};
    for (size_t row = first; row < last; ++row)
        OutputBack(step, row);
    if (output_memory_term_ != 0)
        MultiplyBack(step, output_memory_term_, dc, step.dc);
    for (size_t row = first; row < last; ++row)
        CellBack(step, row);
    if (memory_term_ != 0)
        MultiplyBack(step, memory_term_, dc, step.dc);
    MultiplyBack(step, kRecurrentTerm, {step.weights.zeros, 0}, step.dh);
}

/* NULL when memory runs out. */
pymps_engine_training *NewLstmTraining(const pymps_engine_lstm &description) {
    std::unique_ptr<LstmTraining> layer(new (std::nothrow) LstmTraining);
    return layer != nullptr && layer->Create(description) ? layer.release() : nullptr;
}

} // namespace HWY_NAMESPACE
} // namespace pymps::engine
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace pymps::engine {
HWY_EXPORT(NewLstmTraining);
} // namespace pymps::engine

extern "C" pymps_engine_training *pymps_engine_lstm_training_create(const pymps_engine_lstm *lstm) {
    using namespace pymps::engine;
    return HWY_DYNAMIC_DISPATCH(NewLstmTraining)(*lstm);
}

#endif
