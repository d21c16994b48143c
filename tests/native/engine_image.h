/* Random sequences of images for the tests of convolutional layers, and convolutions in float64. */
#ifndef PYMPS_TESTS_ENGINE_IMAGE_H
#define PYMPS_TESTS_ENGINE_IMAGE_H

#include <memory>
#include <new>
#include <string>

#include "engine_random.h"
#include "engine_test.h"

namespace test {

using Doubles = std::vector<double>; // pixels x channels

struct Geometry {
    size_t images, width, height;

    size_t Pixels() const { return images * width * height; }
};

inline size_t OneOf(std::initializer_list<size_t> sizes) {
    return sizes.begin()[Below(sizes.size())];
}

// ---------------------------------------------------------------------------------------------- the caller's memory

inline double HalfValue(uint16_t bits) { // finite
    const int exponent = bits >> 10 & 31, significand = bits & 1023;
    const double magnitude =
        exponent == 0 ? std::ldexp(significand, -24) : std::ldexp(significand + 1024, exponent - 25);
    return bits & 0x8000 ? -magnitude : magnitude;
}

// Exactly as much memory as there are pixels, so that the sanitizer sees what goes beyond. Between the pixels there may
// be space, which nobody may touch.
class Pixels {
  public:
    Pixels(size_t pixels, size_t channels, pymps_engine_type type, size_t gap, bool is_aligned)
        : pixels_(pixels), channels_(channels), row_elements_(channels + gap), offset_(is_aligned ? 0 : 4),
          size_(type == PYMPS_ENGINE_FLOAT32  ? 4
                : type == PYMPS_ENGINE_UNORM8 ? 1
                                              : 2),
          type_(type), memory_(static_cast<unsigned char *>(::operator new(Bytes(), std::align_val_t(64)))) {
        std::memset(memory_.get(), kGap, Bytes());
    }

    pymps_engine_matrix View() { return {At(0, 0), pixels_, row_elements_ * size_, type_}; }
    float *Floats() { return static_cast<float *>(At(0, 0)); }
    size_t row_elements() const { return row_elements_; }

    // Rounds a number to the type.
    void Set(size_t pixel, size_t channel, double value) {
        void *const at = At(pixel, channel);
        const float single = static_cast<float>(value);
        const auto clamped = [&](double scale) { return std::nearbyint(std::fmin(std::fmax(value, 0), 1) * scale); };
        const uint8_t byte = static_cast<uint8_t>(clamped(255));
        const uint16_t bits =
            type_ == PYMPS_ENGINE_FLOAT16 ? HalfBits(RoundToHalf(single)) : static_cast<uint16_t>(clamped(65535));
        std::memcpy(at,
                    size_ == 4   ? static_cast<const void *>(&single)
                    : size_ == 2 ? static_cast<const void *>(&bits)
                                 : &byte,
                    size_);
    }

    double Get(size_t pixel, size_t channel) const {
        const void *const at = At(pixel, channel);
        float single = 0;
        uint16_t bits = 0;
        switch (type_) {
        case PYMPS_ENGINE_FLOAT32:
            std::memcpy(&single, at, 4);
            return single;
        case PYMPS_ENGINE_UNORM8:
            return *static_cast<const uint8_t *>(at) / 255.0;
        default:
            std::memcpy(&bits, at, 2);
            return type_ == PYMPS_ENGINE_FLOAT16 ? HalfValue(bits) : bits / 65535.0;
        }
    }

    Doubles Values() const {
        Doubles values(pixels_ * channels_);
        for (size_t i = 0; i < values.size(); ++i)
            values[i] = Get(i / channels_, i % channels_);
        return values;
    }

    // Whether it holds what these numbers round to.
    bool Holds(const Doubles &values) const {
        for (size_t i = 0; i < values.size(); ++i) {
            const double v = values[i], held = Get(i / channels_, i % channels_);
            const double unorm = std::fmin(std::fmax(v, 0), 1);
            const bool holds = type_ == PYMPS_ENGINE_FLOAT32   ? held == v
                               : type_ == PYMPS_ENGINE_FLOAT16 ? held == RoundToHalf(static_cast<float>(v))
                               : type_ == PYMPS_ENGINE_UNORM8  ? std::fabs(held - unorm) * 255 <= 0.5 + 1e-4
                                                               : std::fabs(held - unorm) * 65535 <= 0.5 + 1e-2;
            if (!holds)
                return false;
        }
        return true;
    }

    bool GapsUntouched() const {
        for (size_t i = 0; i < pixels_ * (row_elements_ - channels_) * size_; ++i) {
            const size_t gap = (row_elements_ - channels_) * size_;
            const size_t byte = (i / gap * row_elements_ + channels_) * size_ + i % gap;
            if (memory_.get()[offset_ + byte] != kGap)
                return false;
        }
        return true;
    }

    bool SameBits(const Pixels &other) const { return std::memcmp(memory_.get(), other.memory_.get(), Bytes()) == 0; }

  private:
    static constexpr unsigned char kGap = 0x7A;
    struct Free {
        void operator()(void *memory) const { ::operator delete(memory, std::align_val_t(64)); }
    };

    size_t Bytes() const { return offset_ + pixels_ * row_elements_ * size_; }
    void *At(size_t pixel, size_t channel) const {
        return memory_.get() + offset_ + (pixel * row_elements_ + channel) * size_;
    }

    size_t pixels_, channels_, row_elements_, offset_, size_;
    pymps_engine_type type_;
    std::unique_ptr<unsigned char, Free> memory_;
};

struct ImageState {
    Pixels h, c;

    ImageState(size_t pixels, size_t channels, size_t gap, bool is_aligned)
        : h(pixels, channels, PYMPS_ENGINE_FLOAT32, gap, is_aligned),
          c(pixels, channels, PYMPS_ENGINE_FLOAT32, gap, is_aligned) {}
    pymps_engine_state View(bool has_memory_cell) {
        return {h.Floats(), has_memory_cell ? c.Floats() : nullptr, h.row_elements()};
    }
};

// ---------------------------------------------------------------------------------------------- layers

inline pymps_engine_window RandomWindow() {
    if (Chance(0.2))
        return {};
    const size_t width = OneOf({1, 2, 3, 3, 3, 4, 5, 7}), height = OneOf({1, 2, 3, 3, 3, 4, 5});
    // Those of Apple's layers, or any.
    if (Chance(0.7))
        return {width, height, width / 2, height / 2};
    return {width, height, Below(width), Below(height)};
}

inline size_t Taps(const pymps_engine_window &window) {
    return window.width == 0 ? 1 : window.width * window.height;
}

// What convolutional layers of all kinds have. Gates and neurons are those of other layers.
struct ImageLayer : Layer {
    pymps_engine_window w_window = RandomWindow(), u_window = RandomWindow(), v_window = RandomWindow();

    explicit ImageLayer(const Shape &shape) : Layer(shape) {
        has_bytes = false;
        if (Chance(0.5))
            return;
        // Three taps wide, all of them: then pixels are summed in pairs.
        for (pymps_engine_window *window : {&w_window, &u_window, &v_window})
            *window = {3, window->width == 0 ? 1 : window->height, Below(3), window->top};
    }

    // Rounding errors grow with the root of a sum's terms, of which there may be more than a row of a matrix has here.
    double Tolerance() const {
        const size_t terms = Taps(w_window) * inputs + (Taps(u_window) + Taps(v_window)) * outputs;
        return kTolerance * std::sqrt(std::max(1.0, double(terms) / 400));
    }

    Floats RandomKernel(const pymps_engine_window &window, size_t channels) const {
        const size_t columns = Taps(window) * channels;
        const double deviation = 1 / std::sqrt(2.0 * double(columns));
        return complete || Chance(0.7) ? Random(outputs * columns, deviation) : Floats();
    }
    // All but V and the neuron.
    void RandomImageGate(Gate *gate) const {
        if (!unit_input)
            gate->w.floats = RandomKernel(w_window, inputs);
        gate->u.floats = RandomKernel(u_window, outputs);
        gate->b = complete || Chance(0.7) ? Random(outputs, 0.5) : Floats();
    }

    // sums += the kernel, convolved with some channels of all pixels.
    void Convolve(const Floats &kernel, const pymps_engine_window &given, const Geometry &g, size_t channels,
                  const Doubles &pixels, Doubles *sums) const {
        const pymps_engine_window window = given.width == 0 ? pymps_engine_window{1, 1, 0, 0} : given;
        for (size_t p = 0; !kernel.empty() && p < g.Pixels(); ++p) {
            const size_t x = p % g.width, y = p / g.width % g.height;
            for (size_t tap = 0; tap < window.width * window.height; ++tap) {
                // Beyond the left and upper edge these wrap round, and are too large.
                const size_t from_x = x + tap % window.width - window.left;
                const size_t from_y = y + tap / window.width - window.top;
                if (from_x >= g.width || from_y >= g.height)
                    continue;
                const size_t from = p - y * g.width - x + from_y * g.width + from_x;
                for (size_t o = 0; o < outputs; ++o) {
                    const float *const weights = &kernel[(o * Taps(window) + tap) * channels];
                    for (size_t c = 0; c < channels; ++c)
                        (*sums)[p * outputs + o] += Rounded(weights[c]) * pixels[from * channels + c];
                }
            }
        }
    }

    // W x + U h + b.
    Doubles Sums(const Gate &gate, const Geometry &g, const Doubles &x, const Doubles &h) const {
        Doubles sums = unit_input ? x : Doubles(g.Pixels() * outputs);
        for (size_t i = 0; !gate.b.empty() && i < sums.size(); ++i)
            sums[i] += gate.b[i % outputs];
        Convolve(gate.w.floats, w_window, g, inputs, x, &sums);
        Convolve(gate.u.floats, u_window, g, outputs, h, &sums);
        return sums;
    }
    Doubles Activate(const Gate &gate, Doubles sums) const {
        for (size_t i = 0; i < sums.size(); ++i)
            sums[i] = gate.Activate(sums[i], i % outputs);
        return sums;
    }
};

} // namespace test

#endif
