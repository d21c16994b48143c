#include "engine/byte_weights.h"

#include <algorithm>
#include <cmath>

#include "engine/half.h"

namespace pymps::engine {
namespace {

/* 16-bit weights are multiples of a step, from -kMostSteps to kMostSteps; their bytes stand for kMostSteps more. */
constexpr float kMostSteps = 32767;
constexpr int kWideOffset = 32768;

float RoundToHalf(float weight) {
    return FloatFromHalf(HalfFromFloat(weight));
}

/* The power of two of which the largest of an output's weights is at most kMostSteps times as much; infinite where
 * float16 has no room for it. */
float WideStep(const float *weights, size_t columns) {
    float largest = 0;
    for (size_t column = 0; column < columns; ++column) {
        const float magnitude = std::abs(RoundToHalf(weights[column]));
        if (!(magnitude <= 65504)) // a NaN neither
            return INFINITY;
        largest = std::max(largest, magnitude);
    }
    if (largest == 0)
        return 1;
    int exponent;
    std::frexp(largest / kMostSteps, &exponent);
    return std::ldexp(1.0f, exponent);
}

/* A weight as float16, in whole steps. */
int InSteps(float weight, float step) {
    return static_cast<int>(std::nearbyint(RoundToHalf(weight) / step));
}

/* Of the weights that are kept: so an archive of them decides as what it was made of. */
float RootMeanSquare(const float *weights, size_t columns, float step) {
    double squares = 0;
    for (size_t column = 0; column < columns; ++column)
        squares += std::pow(double(step) * InSteps(weights[column], step), 2);
    return static_cast<float>(std::sqrt(squares / double(columns)));
}

} // namespace

bool ByteWeights::Allocate(const Panels &panels) {
    lanes_ = panels.lanes;
    const size_t vectors = MultiplySizes(panels.vectors, gate_count_);
    const size_t bytes =
        MultiplySizes(MultiplySizes(MultiplySizes(RoundUp(columns_, kQuad), lanes_), planes()), vectors);
    const size_t floats = MultiplySizes(vectors, lanes_);
    values_ = AllocateAligned<uint8_t>(bytes);
    minima_ = AllocateAligned<float>(floats);
    steps_ = AllocateAligned<float>(floats);
    if (values_ == nullptr || minima_ == nullptr || steps_ == nullptr)
        return false;
    std::fill_n(values_.get(), bytes, uint8_t{0});
    std::fill_n(minima_.get(), floats, 0.0f);
    std::fill_n(steps_.get(), floats, 0.0f);
    return true;
}

size_t ByteWeights::ByteAt(const Panels &panels, size_t slot, size_t output, size_t column) const {
    const size_t vector = output / lanes_, bytes = kQuad * lanes_ * planes();
    size_t first = vector / panels.panel_vectors * panels.panel_vectors; // behind it only narrower ones
    while (vector - first >= panels.Width(first))
        first += panels.Width(first);
    const size_t in_panel = (column / kQuad * panels.Width(first) + vector - first) * gate_count_ + slot;
    return first * gate_count_ * BytesPerVector() + in_panel * bytes + output % lanes_ * kQuad + column % kQuad;
}

size_t ByteWeights::FloatAt(size_t slot, size_t output) const {
    return (output / lanes_ * gate_count_ + slot) * lanes_ + output % lanes_;
}

bool ByteWeights::Pack(const Panels &panels, const pymps_engine_bytes *gates, size_t gate_count, size_t columns) {
    columns_ = columns;
    for (size_t gate = 0; gate < gate_count; ++gate) {
        if (gates[gate].values != nullptr)
            gates_[gate_count_++] = gate;
    }
    if (gate_count_ == 0)
        return true;
    if (!Allocate(panels))
        return false;
    for (size_t slot = 0; slot < gate_count_; ++slot) {
        const pymps_engine_bytes &source = gates[gates_[slot]];
        const uint8_t *value = source.values;
        for (size_t output = 0; output < panels.outputs; ++output) {
            minima_[FloatAt(slot, output)] = source.minima[output];
            steps_[FloatAt(slot, output)] = source.steps[output];
            for (size_t column = 0; column < columns; ++column)
                values_[ByteAt(panels, slot, output, column)] = *value++;
        }
    }
    return true;
}

namespace {

/* With fewer outputs the integers of h0 take longer than they save (measured on Sapphire Rapids). */
constexpr size_t kLeastWideOutputs = 64;

} // namespace

/* float16 rounds a weight by up to 2^-12 of itself, this by up to half a step. They are taken as equal where a step is
 * at most 2^-11 of the root mean square of an output's weights. */
bool ByteWeights::FitsWide(const PartSource &source, size_t gate_count, size_t outputs) {
    if (outputs < kLeastWideOutputs || source.columns > kMostWideColumns)
        return false;
    for (size_t gate = 0; gate < gate_count; ++gate) {
        for (size_t output = 0; output < outputs; ++output) {
            if (source.gates[gate] == nullptr)
                return false;
            const float *weights = source.gates[gate] + output * source.columns;
            const float step = WideStep(weights, source.columns);
            if (!std::isfinite(step))
                return false;
            const float rms = RootMeanSquare(weights, source.columns, step);
            if (rms != 0 && step > rms * 0x1p-11f)
                return false;
        }
    }
    return true;
}

void ByteWeights::SetOutput(const Panels &panels, size_t slot, size_t output, const float *weights) {
    const float step = WideStep(weights, columns_);
    steps_[FloatAt(slot, output)] = step;
    minima_[FloatAt(slot, output)] = -kWideOffset / 256 * step;
    for (size_t column = 0; column < columns_; ++column) {
        const unsigned value = static_cast<unsigned>(InSteps(weights[column], step) + kWideOffset);
        uint8_t *const high = values_.get() + ByteAt(panels, slot, output, column);
        high[0] = static_cast<uint8_t>(value >> 8);
        high[kQuad * lanes_] = static_cast<uint8_t>(value);
    }
}

bool ByteWeights::PackWide(const Panels &panels, const PartSource &source, size_t gate_count) {
    columns_ = source.columns;
    gate_count_ = gate_count;
    is_wide_ = true;
    if (!Allocate(panels))
        return false;
    for (size_t gate = 0; gate < gate_count; ++gate) {
        gates_[gate] = gate;
        for (size_t output = 0; output < panels.outputs; ++output)
            SetOutput(panels, gate, output, source.gates[gate] + output * columns_);
    }
    return true;
}

size_t ByteWeights::SlotOf(size_t gate) const {
    return static_cast<size_t>(std::find(gates_, gates_ + gate_count_, gate) - gates_);
}

bool ByteWeights::Read(const Panels &panels, size_t gate, uint8_t *values, float *minima, float *steps) const {
    const size_t slot = SlotOf(gate);
    if (slot == gate_count_ || is_wide_)
        return false;
    for (size_t output = 0; output < panels.outputs; ++output) {
        minima[output] = minima_[FloatAt(slot, output)];
        steps[output] = steps_[FloatAt(slot, output)];
        for (size_t column = 0; column < columns_; ++column)
            *values++ = values_[ByteAt(panels, slot, output, column)];
    }
    return true;
}

bool ByteWeights::ReadFloats(const Panels &panels, size_t gate, float *weights) const {
    const size_t slot = SlotOf(gate);
    if (slot == gate_count_)
        return false;
    for (size_t output = 0; output < panels.outputs; ++output) {
        const float minimum = minima_[FloatAt(slot, output)], step = steps_[FloatAt(slot, output)];
        for (size_t column = 0; column < columns_; ++column) {
            const uint8_t *const high = values_.get() + ByteAt(panels, slot, output, column);
            const int wide = is_wide_ ? high[0] * 256 + high[kQuad * lanes_] - kWideOffset : 0;
            *weights++ = is_wide_ ? step * static_cast<float>(wide) : minimum + step * static_cast<float>(high[0]);
        }
    }
    return true;
}

} // namespace pymps::engine
