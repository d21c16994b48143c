/* What all kinds of training layers have in common: a forward pass steps through the sequence and writes the tapes; a
 * gradient goes back, chunk by chunk, and multiplies each chunk's dL/d(sum) by weights (dx) and operands (weight
 * gradients).
 *
 * Rows do not see each other within a pass, so threads share them and never wait for a step of another. */
#if defined(PYMPS_ENGINE_TRAINING_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef PYMPS_ENGINE_TRAINING_INL_H
#undef PYMPS_ENGINE_TRAINING_INL_H
#else
#define PYMPS_ENGINE_TRAINING_INL_H
#endif

#include <algorithm>

#include "engine/matrix_product-inl.h"
#include "engine/neurons-inl.h"
#include "engine/owned_neuron.h"
#include "engine/rows-inl.h"
#include "engine/slopes-inl.h"
#include "engine/team.h"
#include "engine/training_layer.h"
#include "engine/training_step-inl.h"
#include "engine/training_weights-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace pymps::engine {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

class TrainingLayer : public pymps_engine_training {
  public:
    size_t TapeBytes(size_t rows) const final { return Tape::Bytes(shape_, rows); }
    size_t WorkspaceBytes(size_t steps, size_t rows) const final;
    void Forward(const pymps_engine_training_weights &weights, const pymps_engine_sequence &sequence,
                 void *const *tapes, void *workspace, Team *team) const final;
    void Gradient(const pymps_engine_training_weights &weights, const pymps_engine_gradient &gradient, void *workspace,
                  Team *team) const final;

  protected:
    const TrainingShape &shape() const { return shape_; }
    /* Sizes and what all kinds have: x, h0, W and U. `recurrent_gates`: as many gates multiply h0 by their U. */
    TrainingShape StartShape(size_t inputs, size_t outputs, size_t gates, size_t recurrent_gates, bool has_memory_cell);
    /* `shape` is complete but for W and the sums that the neurons' derivatives need. False when memory runs out. */
    bool Start(const TrainingShape &shape, bool unit_input, const pymps_engine_neuron *const *neurons);

    /* Of all gates W x + b, and `with`, unless it is NULL. */
    void StartGates(const ForwardStep &step, const Factor *with) const;
    /* A gate of a row in the tape: its value, instead of its sum. */
    void Activate(const Tape &tape, size_t row, size_t gate) const;
    /* A gate's dL/d(sum), of a row that holds dL/d(value). */
    void FinishGate(const GradientStep &step, size_t row, size_t gate) const;
    Factor FactorOf(const PackedMatrix *terms, size_t term, const ConstRows &rows) const { return {terms[term], rows}; }
    /* out = start + what a term's gates contribute to their operand. */
    void MultiplyBack(const GradientStep &step, size_t term, const ConstRows &start, const MutableRows &out) const;
    ConstRows Field(const Tape &tape, size_t field) const { return {tape.Field(field, 0), shape_.stride}; }
    MutableRows Gates(const Tape &tape, size_t gate) const { return {tape.Gate(0, gate), tape.gate_stride}; }
    const pymps_engine_neuron &neuron(size_t gate) const { return neurons_[gate].neuron; }

  private:
    virtual void StepForward(const ForwardStep &step) const = 0;
    virtual void StepBack(const GradientStep &step) const = 0;

    size_t InputTerm() const { return shape_.term_count - 1; }
    size_t Work(size_t rows) const;
    ConstRows LoadInput(const pymps_engine_matrix &x, const Tiles &tiles, float *scratch) const;
    void ForwardRows(const pymps_engine_sequence &sequence, void *const *tapes, const ForwardWorkspace &workspace,
                     const Tiles &tiles) const;
    void StoreForward(const ForwardStep &step, const pymps_engine_state &to) const;
    Chunk ChunkBefore(const pymps_engine_gradient &gradient, size_t end) const;
    void GradientRows(const pymps_engine_gradient &gradient, const Chunk &chunk, const GradientWorkspace &workspace,
                      const Tiles &tiles) const;
    void PackOperands(const pymps_engine_gradient &gradient, size_t step, size_t chunk_row, const Tiles &tiles,
                      const GradientWorkspace &workspace) const;
    void InputGradients(const pymps_engine_gradient &gradient, const Chunk &chunk, const GradientWorkspace &workspace,
                        const Tiles &tiles) const;
    void AddWeightGradients(const Chunk &chunk, const GradientWorkspace &workspace, size_t thread,
                            size_t threads) const;

    TrainingShape shape_;
    OwnedNeuron neurons_[kMaxGates];
    size_t sum_fields_[kMaxGates] = {}; // of the tape; 0: not kept
};

inline TrainingShape TrainingLayer::StartShape(size_t inputs, size_t outputs, size_t gates, size_t recurrent_gates,
                                               bool has_memory_cell) {
    TrainingShape shape;
    shape.inputs = inputs;
    shape.outputs = outputs;
    shape.lanes = kLanes;
    shape.stride = shape.Padded(outputs);
    shape.gates = gates;
    shape.has_memory_cell = has_memory_cell;
    shape.fields = has_memory_cell ? 2 : 1;
    shape.AddOperand(inputs, 0);
    shape.AddTerm(PYMPS_ENGINE_RECURRENT_WEIGHTS, 0, recurrent_gates, shape.AddOperand(outputs, kH0Field));
    return shape;
}

inline bool TrainingLayer::Start(const TrainingShape &shape, bool unit_input,
                                 const pymps_engine_neuron *const *neurons) {
    shape_ = shape;
    shape_.unit_input = unit_input;
    if (!unit_input)
        shape_.AddTerm(PYMPS_ENGINE_INPUT_WEIGHTS, 0, shape_.gates, kInputOperand);
    for (size_t gate = 0; gate < shape_.gates; ++gate) {
        if (!neurons_[gate].Copy(*neurons[gate], Panels(shape_.outputs, kLanes, 1)))
            return false;
        if (SlopeNeedsSum(*neurons[gate]))
            sum_fields_[gate] = shape_.AddField();
    }
    return true;
}

inline size_t TrainingLayer::WorkspaceBytes(size_t steps, size_t rows) const {
    FloatArena forward(nullptr), gradient(nullptr);
    ForwardWorkspace(shape_, rows, forward);
    GradientWorkspace(shape_, steps, rows, gradient);
    return std::max(forward.bytes(), gradient.bytes());
}

/* Multiply-adds of one of the passes over some rows. */
inline size_t TrainingLayer::Work(size_t rows) const {
    return MultiplySizes(MultiplySizes(rows, shape_.GateFloats()), AddSizes(shape_.inputs, shape_.outputs));
}

inline void TrainingLayer::StartGates(const ForwardStep &step, const Factor *with) const {
    Factor factors[2];
    size_t count = 0;
    if (!shape_.unit_input)
        factors[count++] = FactorOf(step.weights.terms, InputTerm(), step.x);
    if (with != nullptr)
        factors[count++] = *with;
    const ConstRows bias = {step.weights.vectors.bias, 0};
    const MutableRows gates = Gates(step.tape, 0);
    if (count > 0)
        MultiplyRows(factors, count, step.tiles, bias, gates);
    if (!shape_.unit_input)
        return;
    for (size_t row = step.tiles.first_row(); row < step.tiles.last_row(); ++row) {
        if (count == 0)
            std::copy_n(bias.data, shape_.GateFloats(), gates.Row(row));
        for (size_t gate = 0; gate < shape_.gates; ++gate) {
            float *sums = step.tape.Gate(row, gate);
            std::transform(sums, sums + shape_.outputs, step.x.Row(row), sums, [](float a, float b) { return a + b; });
        }
    }
}

inline void TrainingLayer::Activate(const Tape &tape, size_t row, size_t gate) const {
    float *values = tape.Gate(row, gate);
    if (sum_fields_[gate] != 0)
        std::copy_n(values, shape_.stride, tape.Field(sum_fields_[gate], row));
    ApplyNeuron(neurons_[gate].At(0), values, values, shape_.stride);
}

inline void TrainingLayer::FinishGate(const GradientStep &step, size_t row, size_t gate) const {
    float *d = step.gates.Row(row) + gate * shape_.stride;
    const float *sums = sum_fields_[gate] == 0 ? nullptr : step.tape.Field(sum_fields_[gate], row);
    MultiplySlopes(neurons_[gate].At(0), sums, step.tape.Gate(row, gate), d, shape_.stride);
    std::fill(d + shape_.outputs, d + shape_.stride, 0.0f);
}

inline void TrainingLayer::MultiplyBack(const GradientStep &step, size_t term, const ConstRows &start,
                                        const MutableRows &out) const {
    const float *gates = step.gates.data + shape_.terms[term].first_gate * shape_.stride;
    const Factor factor = FactorOf(step.weights.terms, term, {gates, step.gates.stride});
    MultiplyRows(&factor, 1, step.tiles, start, out);
}

inline ConstRows TrainingLayer::LoadInput(const pymps_engine_matrix &x, const Tiles &tiles, float *scratch) const {
    if (x.type == PYMPS_ENGINE_FLOAT32)
        return {static_cast<const float *>(x.data), x.row_bytes / sizeof(float)};
    for (size_t row = tiles.first_row(); row < tiles.last_row(); ++row)
        LoadRow(x, row, shape_.inputs, scratch + row * shape_.inputs);
    return {scratch, shape_.inputs};
}

/* A row that has ended repeats its last state. */
inline void TrainingLayer::StoreForward(const ForwardStep &step, const pymps_engine_state &to) const {
    const Tiles all = step.tiles.Live(step.tiles.rows);
    for (size_t row = all.first_row(); row < all.last_row(); ++row) {
        const bool has_ended = row >= step.tape.rows;
        const float *h = has_ended ? step.end_h.Row(row) : step.H1(row);
        std::copy_n(h, shape_.outputs, to.h + row * to.row_floats);
        if (!shape_.has_memory_cell)
            continue;
        const float *c = has_ended ? step.end_c.Row(row) : step.C1(row);
        std::copy_n(c, shape_.outputs, to.c + row * to.row_floats);
    }
}

inline void TrainingLayer::ForwardRows(const pymps_engine_sequence &sequence, void *const *tapes,
                                       const ForwardWorkspace &workspace, const Tiles &tiles) const {
    const size_t stride = shape_.stride;
    for (size_t i = 0; i < sequence.steps; ++i) {
        const bool is_last = i + 1 == sequence.steps;
        const pymps_engine_matrix &x = sequence.x[i];
        const size_t next_rows = is_last ? 0 : sequence.x[i + 1].rows;
        const Tape next(shape_, is_last ? nullptr : tapes[i + 1], next_rows);
        const Tiles live = tiles.Live(x.rows);
        const ForwardStep step = {workspace,
                                  live,
                                  Tape(shape_, tapes[i], x.rows),
                                  LoadInput(x, live, workspace.x),
                                  {is_last ? nullptr : next.Field(kH0Field, 0), stride},
                                  {is_last ? nullptr : next.Field(kC0Field, 0), stride},
                                  next_rows,
                                  {workspace.h, stride},
                                  {workspace.c, stride}};
        StepForward(step);
        for (size_t row = live.first_row(); row < live.last_row(); ++row)
            StoreRow(step.H1(row), sequence.y[i], row, shape_.outputs);
        if (sequence.state_count > 1)
            StoreForward(step, sequence.states[i]);
        else if (sequence.state_count == 1 && is_last)
            StoreForward(step, sequence.states[0]);
    }
}

inline void TrainingLayer::Forward(const pymps_engine_training_weights &weights, const pymps_engine_sequence &sequence,
                                   void *const *tapes, void *memory, Team *team) const {
    const size_t rows = sequence.x[0].rows;
    FloatArena arena(memory);
    const ForwardWorkspace workspace(shape_, rows, arena);
    const size_t work = Work(MultiplySizes(sequence.steps, rows));
    const Teamwork teamwork(team, work, work);
    Team *const all = teamwork.For(work);

    LoadVectors(shape_, weights, workspace.vectors);
    ForEachThread(all, [&](size_t thread, size_t threads)
                           HWY_ATTR { PackForward(shape_, weights, workspace.terms, thread, threads); });
    const Tape first(shape_, tapes[0], rows);
    LoadState(shape_, sequence.initial, rows, first.Field(kH0Field, 0), first.Field(kC0Field, 0));
    const Tiles tiles(rows);
    ForEachThread(tiles.count > 1 ? all : nullptr, [&](size_t thread, size_t threads) HWY_ATTR {
        ForwardRows(sequence, tapes, workspace, tiles.Of(thread, threads));
    });
}

inline Chunk TrainingLayer::ChunkBefore(const pymps_engine_gradient &gradient, size_t end) const {
    Chunk chunk = {end - 1, end, gradient.x[end - 1].rows};
    while (chunk.begin > 0 && chunk.rows + gradient.x[chunk.begin - 1].rows <= kGradientRows)
        chunk.rows += gradient.x[--chunk.begin].rows;
    return chunk;
}

/* The rows of x, h0, ... of a step, as rows of what the weights' gradients multiply. */
inline void TrainingLayer::PackOperands(const pymps_engine_gradient &gradient, size_t step, size_t chunk_row,
                                        const Tiles &tiles, const GradientWorkspace &workspace) const {
    const pymps_engine_matrix &x = gradient.x[step];
    const Tape tape(shape_, gradient.tapes[step], x.rows);
    for (size_t row = tiles.first_row(); row < tiles.last_row(); ++row) {
        if (!shape_.unit_input)
            PackMatrixRow(x, row, shape_.inputs, chunk_row + row, workspace.operands[kInputOperand]);
        for (size_t i = kInputOperand + 1; i < shape_.operand_count; ++i) {
            const pymps_engine_matrix field = {tape.Field(shape_.operands[i].field, 0), x.rows,
                                               shape_.stride * sizeof(float), PYMPS_ENGINE_FLOAT32};
            PackMatrixRow(field, row, shape_.outputs, chunk_row + row, workspace.operands[i]);
        }
    }
}

inline void TrainingLayer::GradientRows(const pymps_engine_gradient &gradient, const Chunk &chunk,
                                        const GradientWorkspace &workspace, const Tiles &tiles) const {
    const size_t stride = shape_.stride;
    const MutableRows dh = {workspace.dh, stride}, dc = {workspace.dc, stride};
    size_t chunk_row = chunk.rows;
    for (size_t i = chunk.end; i-- > chunk.begin;) {
        const size_t rows = gradient.x[i].rows;
        const Tiles live = tiles.Live(rows);
        chunk_row -= rows;
        for (size_t row = live.first_row(); row < live.last_row(); ++row)
            AddElements(gradient.dy[i], row, shape_.outputs, dh.Row(row));
        StepBack({workspace,
                  live,
                  Tape(shape_, gradient.tapes[i], rows),
                  {workspace.gates.Row(chunk_row), workspace.gates.stride},
                  dh,
                  dc,
                  {workspace.scratch, shape_.scratch * stride}});
        if (gradient.weight_gradients != nullptr)
            PackOperands(gradient, i, chunk_row, live, workspace);
        if (gradient.state_count > 1)
            StoreGradient(shape_, tiles, dh, dc, gradient.states[i]);
        else if (gradient.state_count == 1 && i == 0)
            StoreGradient(shape_, tiles, dh, dc, gradient.states[0]);
    }
}

/* dx of some of a chunk's rows. */
inline void TrainingLayer::InputGradients(const pymps_engine_gradient &gradient, const Chunk &chunk,
                                          const GradientWorkspace &workspace, const Tiles &tiles) const {
    const size_t padded = shape_.Padded(shape_.inputs);
    const MutableRows dx = {workspace.dx, padded};
    if (shape_.unit_input) {
        for (size_t row = tiles.first_row(); row < tiles.last_row(); ++row)
            SumGates(workspace.gates.Row(row), shape_.gates, shape_.stride, dx.Row(row));
    } else {
        const Factor factor = FactorOf(workspace.terms, InputTerm(), {workspace.gates.data, workspace.gates.stride});
        MultiplyRows(&factor, 1, tiles, {workspace.zeros, 0}, dx);
    }
    size_t chunk_row = 0;
    for (size_t i = chunk.begin; i < chunk.end; chunk_row += gradient.x[i++].rows) {
        const size_t begin = std::max(tiles.first_row(), chunk_row);
        const size_t end = std::min(tiles.last_row(), chunk_row + gradient.x[i].rows);
        for (size_t row = begin; row < end; ++row)
            StoreRow(dx.Row(row), gradient.dx[i], row - chunk_row, shape_.inputs);
    }
}

/* A thread's share of what a chunk adds to the weights' gradients: some gates' outputs of each matrix. */
inline void TrainingLayer::AddWeightGradients(const Chunk &chunk, const GradientWorkspace &workspace, size_t thread,
                                              size_t threads) const {
    for (size_t t = 0; t < shape_.term_count; ++t) {
        const Term &term = shape_.terms[t];
        const ConstRows gates = {workspace.gates.data + term.first_gate * shape_.stride, workspace.gates.stride};
        MultiplyTransposed(gates, workspace.operands[term.operand], chunk.rows,
                           Tiles(shape_.TermOutputs(t)).Of(thread, threads),
                           {workspace.sums[t], shape_.Padded(shape_.TermColumns(t))});
    }
    AddVectorGradients(shape_, workspace, chunk.rows, thread, threads);
}

inline void TrainingLayer::Gradient(const pymps_engine_training_weights &weights, const pymps_engine_gradient &gradient,
                                    void *memory, Team *team) const {
    const size_t rows = gradient.x[0].rows;
    FloatArena arena(memory);
    const GradientWorkspace workspace(shape_, gradient.steps, rows, arena);
    const size_t work = Work(MultiplySizes(gradient.steps, rows));
    const Teamwork teamwork(team, work, work);
    Team *const all = teamwork.For(work);

    LoadVectors(shape_, weights, workspace.vectors);
    LoadState(shape_, gradient.last, rows, workspace.dh, workspace.dc);
    std::fill_n(workspace.zeros, std::max(shape_.stride, shape_.Padded(shape_.inputs)), 0.0f);
    std::fill_n(workspace.vector_sums.bias, workspace.sum_floats, 0.0f);
    ForEachThread(all, [&](size_t thread, size_t threads)
                           HWY_ATTR { PackBackward(shape_, weights, workspace.terms, thread, threads); });

    const Tiles tiles(rows);
    for (size_t end = gradient.steps; end > 0;) {
        const Chunk chunk = ChunkBefore(gradient, end);
        ForEachThread(tiles.count > 1 ? all : nullptr, [&](size_t thread, size_t threads) HWY_ATTR {
            GradientRows(gradient, chunk, workspace, tiles.Of(thread, threads));
        });
        ForEachThread(all, [&](size_t thread, size_t threads) HWY_ATTR {
            if (gradient.dx != nullptr)
                InputGradients(gradient, chunk, workspace, Tiles(chunk.rows).Of(thread, threads));
            if (gradient.weight_gradients != nullptr)
                AddWeightGradients(chunk, workspace, thread, threads);
        });
        end = chunk.begin;
    }
    if (gradient.weight_gradients == nullptr)
        return;
    ForEachThread(all, [&](size_t thread, size_t threads) HWY_ATTR {
        StoreWeightGradients(shape_, workspace, *gradient.weight_gradients, gradient.accumulate, thread, threads);
    });
}

} // namespace HWY_NAMESPACE
} // namespace pymps::engine
HWY_AFTER_NAMESPACE();

#endif
