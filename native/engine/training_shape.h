/* What a kind of training layer is made of: products, and what of a step stays in the tape. */
#ifndef PYMPS_ENGINE_TRAINING_SHAPE_H
#define PYMPS_ENGINE_TRAINING_SHAPE_H

#include "engine/memory.h"
#include "engine/packing.h"
#include "engine/training.h"

namespace pymps::engine {

inline constexpr size_t kMaxTerms = 4;
inline constexpr size_t kMaxOperands = 4;

/* What the matrices of a term are multiplied by: rows of x, or of a field of the tape. */
struct Operand {
    size_t columns, field;
};

inline constexpr size_t kInputOperand = 0; /* x */

/* A matrix of each of some neighbouring gates, all multiplied by the same operand. */
struct Term {
    pymps_engine_weight part;
    size_t first_gate, gate_count;
    size_t operand;
};

inline constexpr size_t kRecurrentTerm = 0; /* U, or some of them */

struct TrainingShape {
    size_t inputs = 0, outputs = 0;
    size_t stride = 0; /* the outputs, padded to whole vectors */
    size_t lanes = 0;
    size_t gates = 0;
    size_t scratch = 0; /* what a step's gradient keeps to itself, in rows of `stride` floats */
    bool has_memory_cell = false, unit_input = false;
    size_t fields = 0; /* of the tape, beside its gates */
    size_t operand_count = 0, term_count = 0;
    Operand operands[kMaxOperands] = {};
    Term terms[kMaxTerms] = {};               /* W comes last, unless it is the identity */
    size_t diagonal_operands[kMaxGates] = {}; /* by which a gate's diagonal V is multiplied; 0: it has none */

    size_t AddField() { return fields++; }
    size_t AddOperand(size_t columns, size_t field) {
        operands[operand_count] = {columns, field};
        return operand_count++;
    }
    void AddTerm(pymps_engine_weight part, size_t first_gate, size_t gate_count, size_t operand) {
        terms[term_count++] = {part, first_gate, gate_count, operand};
    }
    bool HasDiagonal() const {
        return diagonal_operands[0] + diagonal_operands[1] + diagonal_operands[2] + diagonal_operands[3] > 0;
    }

    size_t Padded(size_t columns) const { return RoundUp(columns, lanes); }
    size_t GateFloats() const { return MultiplySizes(gates, stride); }
    /* Of rows of gates: a little apart, lest they lie in the same sets of a cache, and a load of one waits for a store
     * to another that has the same place in its page. */
    size_t GateStride() const { return AddSizes(GateFloats(), kAlignment / sizeof(float)); }
    size_t TermOutputs(size_t term) const { return MultiplySizes(terms[term].gate_count, stride); }
    size_t TermColumns(size_t term) const { return operands[terms[term].operand].columns; }
};

/* Fields of the tape that every kind has. */
enum TapeField : size_t { kH0Field, kC0Field };

/* One step's tape: all rows' gates, each gate's row padded to the stride; then field by field. */
struct Tape {
    float *data;
    size_t rows, stride, gate_stride;

    Tape(const TrainingShape &shape, void *memory, size_t rows_)
        : data(static_cast<float *>(memory)), rows(rows_), stride(shape.stride), gate_stride(shape.GateStride()) {}

    static size_t Bytes(const TrainingShape &shape, size_t rows) {
        const size_t floats = AddSizes(shape.GateStride(), MultiplySizes(shape.fields, shape.stride));
        return MultiplySizes(MultiplySizes(rows, floats), sizeof(float));
    }

    float *Gate(size_t row, size_t gate) const { return data + row * gate_stride + gate * stride; }
    float *Field(size_t field, size_t row) const { return data + rows * gate_stride + (field * rows + row) * stride; }
};

/* Cuts floats from a piece of memory, each piece aligned; adds up the bytes only where there is none. */
class FloatArena {
  public:
    explicit FloatArena(void *memory) : memory_(static_cast<char *>(memory)) {}

    float *Take(size_t rows, size_t columns) {
        const size_t offset = bytes_;
        bytes_ = AddSizes(bytes_, RoundUp(MultiplySizes(MultiplySizes(rows, columns), sizeof(float)), kAlignment));
        return memory_ == nullptr ? nullptr : reinterpret_cast<float *>(memory_ + offset);
    }
    size_t bytes() const { return bytes_; }

  private:
    char *memory_;
    size_t bytes_ = 0;
};

} // namespace pymps::engine

#endif
