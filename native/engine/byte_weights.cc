#include "engine/byte_weights.h"

#include <algorithm>

namespace pymps::engine {
namespace {

/* Null when memory runs out. */
template <class T> AlignedArray<T> Copy(const T *from, size_t count) {
    AlignedArray<T> copy = AllocateAligned<T>(count);
    if (copy != nullptr)
        std::copy_n(from, count, copy.get());
    return copy;
}

} // namespace

bool ByteWeights::PackGate(const pymps_engine_bytes &source, Gate *gate) const {
    const size_t count = MultiplySizes(outputs_, columns_);
    gate->floats = AllocateAligned<float>(count); /* first: the largest, and too large where `count` is */
    if (gate->floats == nullptr)
        return false;
    gate->values = Copy(source.values, count);
    gate->minima = Copy(source.minima, outputs_);
    gate->steps = Copy(source.steps, outputs_);
    return gate->values != nullptr && gate->minima != nullptr && gate->steps != nullptr;
}

bool ByteWeights::Pack(const Panels &panels, const pymps_engine_bytes *gates, size_t gate_count, size_t columns) {
    outputs_ = panels.outputs;
    columns_ = columns;
    for (size_t gate = 0; gate < gate_count; ++gate) {
        if (gates[gate].values == nullptr)
            continue;
        if (!PackGate(gates[gate], &gates_[gate]))
            return false;
        ReadFloats(gate, gates_[gate].floats.get());
    }
    return true;
}

bool ByteWeights::Read(size_t gate, uint8_t *values, float *minima, float *steps) const {
    const Gate &from = gates_[gate];
    if (from.values == nullptr)
        return false;
    std::copy_n(from.values.get(), outputs_ * columns_, values);
    std::copy_n(from.minima.get(), outputs_, minima);
    std::copy_n(from.steps.get(), outputs_, steps);
    return true;
}

bool ByteWeights::ReadFloats(size_t gate, float *weights) const {
    const Gate &from = gates_[gate];
    if (from.values == nullptr)
        return false;
    const uint8_t *value = from.values.get();
    for (size_t output = 0; output < outputs_; ++output) {
        for (size_t column = 0; column < columns_; ++column)
            *weights++ = from.minima[output] + from.steps[output] * static_cast<float>(*value++);
    }
    return true;
}

void ByteWeights::AddFloats(PartSource *source) const {
    for (size_t gate = 0; gate < kMaxGates; ++gate) {
        if (gates_[gate].values != nullptr)
            source->gates[gate] = gates_[gate].floats.get();
    }
}

void ByteWeights::DropFloats() {
    for (Gate &gate : gates_)
        gate.floats.reset();
}

} // namespace pymps::engine
