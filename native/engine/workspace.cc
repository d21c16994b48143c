#include "engine/workspace.h"

namespace pymps::engine {

size_t Workspace::Bytes(const WorkspaceShape &shape, size_t steps, size_t rows) {
    // Each block is rows of one of these; the blocks are rounded up to a few bytes more.
    const size_t sizes[] = {
        MultiplySizes(4, shape.stride),  shape.inputs, shape.gates, shape.scratch, QuantizedRowBytes(shape.inputs),
        QuantizedRowBytes(shape.outputs)};
    size_t row = 0;
    for (size_t size : sizes)
        row = AddSizes(row, size);
    if (MultiplySizes(MultiplySizes(rows, row), sizeof(float)) > SIZE_MAX / 2)
        return SIZE_MAX;
    return Workspace(shape, steps, rows, nullptr).end_;
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
