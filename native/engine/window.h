/* Windows of convolutions, and images with a frame of zeros around them.
 *
 * A framed image has as many lines and columns more as its window reaches beyond the edges: pixel (x, y) of the image
 * has its window at (x, y) of the framed one. The window's values are then a few lines, each contiguous, and nothing
 * needs to know where the image ends. Where pixels are summed in pairs, a framed image has a place for each two pixels
 * of a line instead, with what all terms of the pair multiply: see pair_weights.h. */
#ifndef PYMPS_ENGINE_WINDOW_H
#define PYMPS_ENGINE_WINDOW_H

#include <algorithm>

#include "engine/engine.h"
#include "engine/memory.h"
#include "engine/packing.h"
#include "engine/pair_weights.h"

namespace pymps::engine {

struct Window {
    size_t width = 1, height = 1, left = 0, top = 0;
    bool is_absent = true; /* of a part without weights */

    Window() = default;
    explicit Window(const pymps_engine_window &window) : is_absent(false) {
        if (window.width == 0)
            return;
        width = window.width;
        height = window.height;
        left = window.left;
        top = window.top;
    }

    bool IsPixel() const { return width == 1 && height == 1; }
    /* Of a source that has the columns of one tap. */
    void Widen(PartSource *source) const {
        source->columns = MultiplySizes(MultiplySizes(width, height), source->columns);
        source->lines = height;
    }
};

/* Of the parts of a layer. */
struct Windows {
    Window parts[kMaxParts];

    /* Whether a pixel needs its neighbours. */
    bool AreLarge() const {
        return std::any_of(parts, parts + kMaxParts, [](const Window &window) { return !window.IsPixel(); });
    }
    /* Whether the sums of pixels that stand side by side are made together. */
    bool MakePairs() const {
        return AreLarge() && std::all_of(parts, parts + kMaxParts, [](const Window &window) {
                   return window.is_absent || window.width == kPairTaps;
               });
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
    bool in_pairs;

    size_t Lines() const { return AddSizes(height, window.height - 1); }
    size_t Places() const { return in_pairs ? width / 2 + width % 2 : AddSizes(width, window.width - 1); }
    size_t TermFloats() const { return MultiplySizes(Places(), channels); } /* of a line; or all of it */
    size_t LineFloats() const { return in_pairs ? MultiplySizes(kPairTerms, TermFloats()) : TermFloats(); }
    size_t ImageFloats() const { return MultiplySizes(Lines(), LineFloats()); }
};

} // namespace pymps::engine

#endif
