#include "engine/workspace.h"

#include <algorithm>

namespace pymps::engine {

Workspace::Workspace(const WorkspaceShape &shape, size_t steps, size_t rows, void *memory)
    : memory_(static_cast<char *>(memory)) {
    const size_t chunk_rows = std::min(MultiplySizes(steps, rows), kChunkRows);
    for (State &state : states)
        state = {Take(rows, shape.stride), shape.has_memory_cell ? Take(rows, shape.stride) : nullptr};
    x = Take(chunk_rows, shape.inputs);
    gates = Take(chunk_rows, shape.gates);
    scratch = Take(chunk_rows, shape.scratch);
}

float *Workspace::Take(size_t rows, size_t columns) {
    const size_t offset = bytes_;
    bytes_ = AddSizes(bytes_, RoundUp(MultiplySizes(MultiplySizes(rows, columns), sizeof(float)), kAlignment));
    return memory_ == nullptr ? nullptr : reinterpret_cast<float *>(memory_ + offset);
}

} // namespace pymps::engine
