#include "engine/packing.h"

#include <algorithm>

#include "engine/half.h"

namespace pymps::engine {
namespace {

void Convert(float value, float *packed) {
    *packed = value;
}
void Convert(float value, uint16_t *packed) {
    *packed = HalfFromFloat(value);
}

/* packed[i] = row `first_output + i` of one column of `matrix`, zero beyond the last output. */
template <class T>
void PackColumn(const Panels &panels, const float *matrix, size_t columns, size_t column, size_t first_output,
                size_t count, T *packed) {
    const size_t end = std::min(panels.outputs, first_output + count) - first_output;
    for (size_t i = 0; i < end; ++i)
        Convert(matrix[(first_output + i) * columns + column], packed + i);
    std::fill(packed + end, packed + count, T(0));
}

} // namespace

template <class T> void PackedWeights::Fill(const Panels &panels, const PartSource *sources, T *packed) const {
    for (size_t first = 0; first < panels.vectors; first += panels.Width(first)) {
        const size_t count = panels.Width(first) * panels.lanes;
        for (size_t p = 0; p < kMaxParts; ++p) {
            const Part &part = parts_[p];
            for (size_t column = 0; column < part.columns; ++column) {
                for (size_t g = 0; g < part.gate_count; ++g, packed += count)
                    PackColumn(panels, sources[p].gates[part.gates[g]], part.columns, column, first * panels.lanes,
                               count, packed);
            }
        }
    }
}

bool PackedWeights::Pack(const Panels &panels, bool half, const PartSource *sources, size_t source_count) {
    half_ = half;
    lanes_ = panels.lanes;
    for (size_t p = 0; p < source_count; ++p) {
        Part &part = parts_[p];
        part.offset = depth_;
        for (size_t gate = 0; gate < kMaxGates; ++gate) {
            if (sources[p].gates[gate] != nullptr)
                part.gates[part.gate_count++] = gate;
        }
        part.columns = part.gate_count == 0 ? 0 : sources[p].columns;
        depth_ = AddSizes(depth_, MultiplySizes(part.columns, part.gate_count));
    }
    if (empty())
        return true;

    const size_t count = MultiplySizes(depth_, panels.PaddedOutputs());
    if (half) {
        halves_ = AllocateAligned<uint16_t>(count);
        if (halves_ != nullptr)
            Fill(panels, sources, halves_.get());
        return halves_ != nullptr;
    }
    floats_ = AllocateAligned<float>(count);
    if (floats_ != nullptr)
        Fill(panels, sources, floats_.get());
    return floats_ != nullptr;
}

bool PackedVector::Pack(const Panels &panels, const float *const gates[kMaxGates], bool half) {
    lanes_ = panels.lanes;
    values_ = AllocateAligned<float>(MultiplySizes(kMaxGates, panels.PaddedOutputs()));
    if (values_ == nullptr)
        return false;
    float *packed = values_.get();
    for (size_t first = 0; first < panels.vectors; first += panels.Width(first)) {
        const size_t count = panels.Width(first) * panels.lanes;
        for (size_t gate = 0; gate < kMaxGates; ++gate, packed += count) {
            if (gates[gate] != nullptr)
                PackColumn(panels, gates[gate], 1, 0, first * panels.lanes, count, packed);
            else
                std::fill(packed, packed + count, 0.0f);
            if (half)
                std::transform(packed, packed + count, packed, [](float v) { return FloatFromHalf(HalfFromFloat(v)); });
        }
    }
    return true;
}

} // namespace pymps::engine
