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

/* One vector of one column of `matrix`: zero beyond the last output. */
template <class T>
void PackVector(const Panels &panels, const float *matrix, size_t columns, size_t column, size_t vector, T *packed) {
    const size_t begin = vector * panels.lanes, count = std::min(panels.outputs - begin, panels.lanes);
    for (size_t i = 0; i < count; ++i)
        Convert(matrix[(begin + i) * columns + column], packed + i);
    std::fill(packed + count, packed + panels.lanes, T(0));
}

float Restore(float packed) {
    return packed;
}
float Restore(uint16_t packed) {
    return FloatFromHalf(packed);
}

/* The reverse of PackVector. */
template <class T>
void UnpackVector(const Panels &panels, const T *packed, size_t columns, size_t column, size_t vector, float *matrix) {
    const size_t begin = vector * panels.lanes, count = std::min(panels.outputs - begin, panels.lanes);
    for (size_t i = 0; i < count; ++i)
        matrix[(begin + i) * columns + column] = Restore(packed[i]);
}

void RoundToHalves(float *values, size_t count) {
    std::transform(values, values + count, values, [](float v) { return FloatFromHalf(HalfFromFloat(v)); });
}

} // namespace

template <class T> void PackedWeights::Fill(const Panels &panels, const PartSource *sources, T *packed) const {
    for (size_t first = 0; first < panels.vectors; first += panels.Width(first)) {
        const size_t end = first + panels.Width(first);
        for (size_t p = 0; p < kMaxParts; ++p) {
            const Part &part = parts_[p];
            for (size_t column = 0; column < part.columns; ++column) {
                for (size_t vector = first; vector < end; ++vector) {
                    for (size_t g = 0; g < part.gate_count; ++g, packed += panels.lanes)
                        PackVector(panels, sources[p].gates[part.gates[g]], part.columns, column, vector, packed);
                }
            }
        }
    }
}

bool PackedWeights::Pack(const Panels &panels, WeightFormat format, size_t gate_count, const PartSource *sources,
                         size_t source_count) {
    half_ = format == WeightFormat::kHalf;
    gate_count_ = gate_count;
    lanes_ = panels.lanes;
    for (size_t p = 0; p < source_count; ++p) {
        Part &part = parts_[p];
        part.offset = depth_;
        for (size_t gate = 0; gate < gate_count; ++gate) {
            if (sources[p].gates[gate] != nullptr)
                part.gates[part.gate_count++] = gate;
        }
        part.columns = part.gate_count == 0 ? 0 : sources[p].columns;
        part.lines = sources[p].lines;
        part.line_columns = part.columns / part.lines;
        depth_ = AddSizes(depth_, MultiplySizes(part.columns, part.gate_count));
    }
    if (depth_ == 0)
        return true;

    const size_t count = MultiplySizes(depth_, panels.PaddedOutputs());
    const size_t bytes = MultiplySizes(count, half_ ? sizeof(uint16_t) : sizeof(float));
    fetch_ahead_ = FetchAheadBytes(bytes);
    data_ = AllocateAligned<unsigned char>(bytes);
    if (data_ == nullptr)
        return false;
    if (half_) {
        Fill(panels, sources, reinterpret_cast<uint16_t *>(data_.get()));
        return true;
    }
    float *const floats = reinterpret_cast<float *>(data_.get());
    Fill(panels, sources, floats);
    if (format == WeightFormat::kRounded)
        RoundToHalves(floats, count);
    return true;
}

template <class T>
void PackedWeights::ReadGate(const Panels &panels, const Part &part, size_t slot, float *matrix) const {
    for (size_t first = 0; first < panels.vectors; first += panels.Width(first)) {
        const size_t width = panels.Width(first);
        const T *packed = Slice<T>(part, first, width) + slot * lanes_;
        for (size_t column = 0; column < part.columns; ++column) {
            for (size_t vector = first; vector < first + width; ++vector, packed += part.gate_count * lanes_)
                UnpackVector(panels, packed, part.columns, column, vector, matrix);
        }
    }
}

bool PackedWeights::Unpack(const Panels &panels, size_t part, size_t gate, float *matrix) const {
    const Part &from = parts_[part];
    const size_t slot = static_cast<size_t>(std::find(from.gates, from.gates + from.gate_count, gate) - from.gates);
    if (slot == from.gate_count)
        return false;
    if (half_)
        ReadGate<uint16_t>(panels, from, slot, matrix);
    else
        ReadGate<float>(panels, from, slot, matrix);
    return true;
}

bool PackedVector::Pack(const Panels &panels, const float *const gates[kMaxGates], bool half) {
    lanes_ = panels.lanes;
    const size_t count = MultiplySizes(kMaxGates, panels.PaddedOutputs());
    values_ = AllocateAligned<float>(count);
    if (values_ == nullptr)
        return false;
    float *packed = values_.get();
    for (size_t vector = 0; vector < panels.vectors; ++vector) {
        for (size_t gate = 0; gate < kMaxGates; ++gate, packed += lanes_) {
            if (gates[gate] != nullptr)
                PackVector(panels, gates[gate], 1, 0, vector, packed);
            else
                std::fill(packed, packed + lanes_, 0.0f);
        }
    }
    if (half)
        RoundToHalves(values_.get(), count);
    return true;
}

void PackedVector::Unpack(const Panels &panels, size_t gate, float *values) const {
    for (size_t vector = 0; vector < panels.vectors; ++vector)
        UnpackVector(panels, Slice(vector) + gate * lanes_, 1, 0, vector, values);
}

AlignedArray<float> PaddedCopy(const float *values, const Panels &panels) {
    const size_t padded = panels.PaddedOutputs(), count = values == nullptr ? 0 : panels.outputs;
    AlignedArray<float> copy = AllocateAligned<float>(padded);
    if (copy != nullptr) {
        std::copy_n(values, count, copy.get());
        std::fill(copy.get() + count, copy.get() + padded, 0.0f);
    }
    return copy;
}

} // namespace pymps::engine
