/* The training layer of the kind with a single gate. */
#include "engine/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/training_single_gate.cc"
#include "hwy/foreach_target.h"

#include <memory>
#include <new>

#include "engine/training-inl.h"

HWY_BEFORE_NAMESPACE();
namespace pymps::engine {
namespace HWY_NAMESPACE {

class SingleGateTraining final : public TrainingLayer {
  public:
    bool Create(const pymps_engine_single_gate &description);

  private:
    void StepForward(const ForwardStep &step) const override;
    void StepBack(const GradientStep &step) const override;
};

bool SingleGateTraining::Create(const pymps_engine_single_gate &description) {
    const pymps_engine_neuron *const neurons[] = {&description.gate.neuron};
    return Start(StartShape(description.inputs, description.outputs, 1, 1, /*has_memory_cell=*/false),
                 description.unit_input, neurons);
}

void SingleGateTraining::StepForward(const ForwardStep &step) const {
    const Factor recurrent = FactorOf(step.weights.terms, kRecurrentTerm, Field(step.tape, kH0Field));
    StartGates(step, &recurrent);
    for (size_t row = step.tiles.first_row(); row < step.tiles.last_row(); ++row) {
        Activate(step.tape, row, 0);
        std::copy_n(step.tape.Gate(row, 0), shape().stride, step.H1(row));
    }
}

void SingleGateTraining::StepBack(const GradientStep &step) const {
    for (size_t row = step.tiles.first_row(); row < step.tiles.last_row(); ++row) {
        std::copy_n(step.dh.Row(row), shape().stride, step.gates.Row(row));
        FinishGate(step, row, 0);
    }
    MultiplyBack(step, kRecurrentTerm, {step.weights.zeros, 0}, step.dh);
}

/* NULL when memory runs out. */
pymps_engine_training *NewSingleGateTraining(const pymps_engine_single_gate &description) {
    std::unique_ptr<SingleGateTraining> layer(new (std::nothrow) SingleGateTraining);
    return layer != nullptr && layer->Create(description) ? layer.release() : nullptr;
}

} // namespace HWY_NAMESPACE
} // namespace pymps::engine
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace pymps::engine {
HWY_EXPORT(NewSingleGateTraining);
} // namespace pymps::engine

extern "C" pymps_engine_training *
pymps_engine_single_gate_training_create(const pymps_engine_single_gate *single_gate) {
    using namespace pymps::engine;
    return HWY_DYNAMIC_DISPATCH(NewSingleGateTraining)(*single_gate);
}

#endif
