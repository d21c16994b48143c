#include "engine/workspace.h"

#include <algorithm>

#include "engine/byte_weights.h"

namespace pymps::engine {

Workspace::Workspace(const WorkspaceShape &shape, size_t steps, size_t rows, void *memory)
    : memory_(static_cast<char *>(memory)) {
    const size_t chunk_rows = IsBatch(shape, rows) ? rows : std::min(MultiplySizes(steps, rows), kChunkRows);
    for (State &state : states)
        state = {Take(rows, shape.stride), shape.has_memory_cell ? Take(rows, shape.stride) : nullptr};
    x = Take(chunk_rows, shape.inputs);
    gates = Take(chunk_rows, shape.gates);
    scratch = Take(chunk_rows, shape.scratch);
    quantized_x = TakeBytes(shape.quantizes_inputs ? MultiplySizes(chunk_rows, QuantizedRowBytes(shape.inputs)) : 0);
    quantized_h = TakeBytes(shape.quantizes_outputs ? MultiplySizes(chunk_rows, QuantizedRowBytes(shape.outputs)) : 0);
}

Workspace Workspace::From(const WorkspaceShape &shape, size_t row) const {
    Workspace rest = *this;
    for (State &state : rest.states)
        state = {state.h + row * shape.stride, shape.has_memory_cell ? state.c + row * shape.stride : nullptr};
    rest.x += row * shape.inputs;
    rest.gates += row * shape.gates;
    rest.scratch += row * shape.scratch;
    rest.quantized_x += shape.quantizes_inputs ? row * QuantizedRowBytes(shape.inputs) : 0;
    rest.quantized_h += shape.quantizes_outputs ? row * QuantizedRowBytes(shape.outputs) : 0;
    return rest;
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
