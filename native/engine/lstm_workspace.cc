#include "engine/lstm_workspace.h"

#include <algorithm>

namespace pymps::engine {

LstmWorkspace::LstmWorkspace(const LstmWeights &weights, size_t steps, size_t rows, void *memory)
    : memory_(static_cast<char *>(memory)) {
    const size_t chunk_rows = std::min(MultiplySizes(steps, rows), kChunkRows);
    stride = weights.panels.PaddedOutputs();
    for (LstmState &state : states)
        state = {Take(rows, stride), Take(rows, stride)};
    x = Take(std::max(rows, chunk_rows), weights.inputs);
    gates = Take(steps > 1 ? chunk_rows : 0, MultiplySizes(kMaxGates, stride));
    output_gate = Take(weights.full_output_memory ? rows : 0, stride);
}

float *LstmWorkspace::Take(size_t rows, size_t columns) {
    const size_t offset = bytes_;
    bytes_ = AddSizes(bytes_, RoundUp(MultiplySizes(MultiplySizes(rows, columns), sizeof(float)), kAlignment));
    return memory_ == nullptr ? nullptr : reinterpret_cast<float *>(memory_ + offset);
}

} // namespace pymps::engine
