#include "engine/workspace.h"

#include "engine/byte_weights.h"

namespace pymps::engine {

Workspace::Workspace(const WorkspaceShape &shape, size_t rows, size_t step_rows, void *memory)
    : memory_(static_cast<char *>(memory)) {
    for (State &state : states)
        state = {Take(rows, shape.stride), shape.has_memory_cell ? Take(rows, shape.stride) : nullptr};
    x = Take(step_rows, shape.inputs);
    gates = Take(step_rows, shape.gates);
    scratch = Take(step_rows, shape.scratch);
    quantized_x = TakeBytes(shape.quantizes_inputs ? MultiplySizes(step_rows, QuantizedRowBytes(shape.inputs)) : 0);
    quantized_h = TakeBytes(shape.quantizes_outputs ? MultiplySizes(step_rows, QuantizedRowBytes(shape.outputs)) : 0);
}

char *Workspace::TakeBytes(size_t bytes) {
    const size_t offset = bytes_;
    bytes_ = AddSizes(bytes_, RoundUp(bytes, kAlignment));
    return memory_ == nullptr ? nullptr : memory_ + offset;
}

float *Workspace::Take(size_t rows, size_t columns) {
    return reinterpret_cast<float *>(TakeBytes(MultiplySizes(MultiplySizes(rows, columns), sizeof(float))));
}

} // namespace pymps::engine
