/* Windows of convolutions, and images with a frame of zeros around them.
 *
 * A framed image has as many lines and columns more as its window reaches beyond the edges: pixel (x, y) of the image
 * has its window at (x, y) of the framed one. The window's values are then a few lines, each contiguous, and nothing
 * needs to know where the image ends. */
#ifndef PYMPS_ENGINE_WINDOW_H
#define PYMPS_ENGINE_WINDOW_H

#include <algorithm>

#include "engine/engine.h"
#include "engine/memory.h"
#include "engine/packing.h"

namespace pymps::engine {

struct Window {
    size_t width = 1, height = 1, left = 0, top = 0;

    Window() = default;
    explicit Window(const pymps_engine_window &window) {
        if (window.width != 0)
            *this = Window(window.width, window.height, window.left, window.top);
    }

    bool IsPixel() const { return width == 1 && height == 1; }
    /* Of a source that has the columns of one tap. */
    void Widen(PartSource *source) const {
        source->columns = MultiplySizes(MultiplySizes(width, height), source->columns);
        source->lines = height;
    }

  private:
    Window(size_t width_, size_t height_, size_t left_, size_t top_)
        : width(width_), height(height_), left(left_), top(top_) {}
};

/* Of the parts of a layer. */
struct Windows {
    Window parts[kMaxParts];

    /* Whether a pixel needs its neighbours. */
    bool AreLarge() const {
        return std::any_of(parts, parts + kMaxParts, [](const Window &window) { return !window.IsPixel(); });
    }
    /* Weights that are used for many pixels are not worth unpacking each time. */
    WeightFormat Format(bool half) const {
        return !half ? WeightFormat::kFloat : AreLarge() ? WeightFormat::kRounded : WeightFormat::kHalf;
    }
};

/* Images of one size, framed for a window. */
struct Frame {
    Window window;
    size_t width, height; /* without the frame */
    size_t channels;

    size_t Lines() const { return AddSizes(height, window.height - 1); }
    size_t LineFloats() const { return MultiplySizes(AddSizes(width, window.width - 1), channels); }
    size_t ImageFloats() const { return MultiplySizes(Lines(), LineFloats()); }
};

} // namespace pymps::engine

#endif
