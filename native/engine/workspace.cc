#include "engine/workspace.h"

namespace pymps::engine {

size_t Workspace::Bytes(const WorkspaceShape &shape, size_t rows, size_t step_rows) {
    // The blocks are rounded up to a few bytes more than their rows take.
    size_t step = 0;
    for (size_t size :
         {shape.inputs, shape.gates, shape.scratch, QuantizedRowBytes(shape.inputs), QuantizedRowBytes(shape.outputs)})
        step = AddSizes(step, size);
    const size_t floats = AddSizes(MultiplySizes(rows, MultiplySizes(4, shape.stride)), MultiplySizes(step_rows, step));
    if (MultiplySizes(floats, sizeof(float)) > SIZE_MAX / 2)
        return SIZE_MAX;
    return Workspace(shape, rows, step_rows, nullptr).end_;
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

} // namespace pymps::engine
