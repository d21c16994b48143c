/* The rows of a run as pixels of images, of which a step needs the neighbours. */
#if defined(PYMPS_ENGINE_IMAGES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef PYMPS_ENGINE_IMAGES_INL_H
#undef PYMPS_ENGINE_IMAGES_INL_H
#else
#define PYMPS_ENGINE_IMAGES_INL_H
#endif

#include <algorithm>

#include "engine/pairs-inl.h"
#include "engine/rows-inl.h"
#include "engine/team.h"
#include "engine/tiles-inl.h"
#include "engine/window.h"
#include "engine/workspace.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace pymps::engine {
namespace HWY_NAMESPACE {

/* Calls f(share) for shares that together are [0, count), on all threads of the team, which may be NULL. */
template <class Function> HWY_INLINE void ShareOut(Team *team, size_t count, const Function &f) {
    if (team == nullptr)
        return f(Share{0, count});
    team->Run([&](size_t thread) HWY_ATTR { f(Share::Of(count, thread, team->threads())); });
}

/* What the parts of a layer are multiplied by: rows in place, or framed. */
class Images {
  public:
    /* `memory` may be NULL to learn the size. */
    Images(const WorkspaceShape &shape, size_t width, size_t height, size_t count, char *memory)
        : memory_(memory), count_(count), in_pairs_(shape.windows.MakePairs() && width > 1) {
        const size_t pixels = MultiplySizes(count, MultiplySizes(width, height));
        x_ = Take(MultiplySizes(pixels, shape.inputs));
        zeros_ = Take(std::max(shape.inputs, shape.outputs));
        if (memory != nullptr)
            std::fill_n(zeros_, std::max(shape.inputs, shape.outputs), 0.0f);
        for (size_t part = 0; part < kMaxParts; ++part) {
            Frame &frame = frames_[part];
            frame = {shape.windows.parts[part], width, height, part == 0 ? shape.inputs : shape.outputs, in_pairs_};
            framed_[part] = Take(frame.window.IsPixel() ? 0 : MultiplySizes(count, frame.ImageFloats()));
        }
    }

    size_t bytes() const { return bytes_; }

    /* That a pixel is multiplied with. */
    size_t columns() const {
        size_t columns = 0;
        for (const Frame &frame : frames_)
            columns += frame.window.width * frame.window.height * frame.channels;
        return columns;
    }

    /* How many rows a step is cut into tiles of: pixels or pairs of them. */
    size_t tile_rows() const {
        const Frame &frame = frames_[0];
        return count_ * frame.height * (in_pairs_ ? frame.Places() : frame.width);
    }

    /* The pixels of a tile of those. */
    Block PixelsOf(const Block &tile) const {
        if (!in_pairs_)
            return tile;
        const size_t width = frames_[0].width, pairs = frames_[0].Places();
        const auto pixel = [&](size_t pair) { return pair / pairs * width + pair % pairs * 2; };
        const size_t row = pixel(tile.row), end = pixel(tile.row + tile.rows);
        return {tile.first, tile.vectors, row, end - row, pixel(tile.all_rows), tile.next, width};
    }

    /* x as floats. */
    Rows Load(const pymps_engine_matrix &x, Team *team) const {
        const size_t channels = frames_[0].channels;
        if (x.type == PYMPS_ENGINE_FLOAT32)
            return {static_cast<const float *>(x.data), x.row_bytes / sizeof(float)};
        ShareOut(team, x.rows, [&](Share rows) HWY_ATTR {
            LoadRows(x, rows.begin, rows.end - rows.begin, channels, x_ + rows.begin * channels);
        });
        return {x_, channels};
    }

    /* What a part is multiplied by, out of the pixels' rows. The next call for the same part overwrites it. */
    Rows Around(size_t part, const Rows &pixels, Team *team) const {
        const Frame &frame = frames_[part];
        if (frame.window.IsPixel())
            return pixels;
        float *const framed = framed_[part];
        ShareOut(team, count_ * frame.Lines(), [&](Share lines) HWY_ATTR {
            for (size_t line = lines.begin; line < lines.end; ++line)
                FillLine(frame, pixels, line, framed + line * frame.LineFloats());
        });
        return {framed, 0, &frame};
    }

  private:
    float *Take(size_t floats) {
        const size_t offset = bytes_;
        bytes_ = AddSizes(bytes_, RoundUp(MultiplySizes(floats, sizeof(float)), kAlignment));
        return memory_ == nullptr ? nullptr : reinterpret_cast<float *>(memory_ + offset);
    }

    /* A line of a framed image. */
    void FillLine(const Frame &frame, const Rows &pixels, size_t line, float *to) const {
        const size_t image = line / frame.Lines(), y = line % frame.Lines(), top = frame.window.top;
        if (y < top || y - top >= frame.height) {
            std::fill_n(to, frame.LineFloats(), 0.0f);
            return;
        }
        const float *const from = pixels.data + (image * frame.height + y - top) * frame.width * pixels.stride;
        if (in_pairs_)
            FillPairs(frame, from, pixels.stride, to);
        else
            FillPixels(frame, from, pixels.stride, to);
    }

    static void FillPixels(const Frame &frame, const float *from, size_t stride, float *to) {
        float *const begin = to + frame.window.left * frame.channels;
        std::fill(to, begin, 0.0f);
        if (stride == frame.channels)
            std::copy_n(from, frame.width * frame.channels, begin);
        else
            CopyRows(from, stride, begin, frame.channels, frame.width, frame.channels);
        std::fill(begin + frame.width * frame.channels, to + frame.LineFloats(), 0.0f);
    }

    void FillPairs(const Frame &frame, const float *from, size_t stride, float *to) const {
        for (size_t pair = 0; pair < frame.Places(); ++pair) {
            const float *d[4];
            for (size_t i = 0; i < 4; ++i) {
                const size_t x = 2 * pair + i - frame.window.left; // too large, too, where it is below zero
                d[i] = x < frame.width ? from + x * stride : zeros_;
            }
            TransformPair(d, frame.channels, to + pair * frame.channels, frame.TermFloats());
        }
    }

    char *const memory_;
    size_t bytes_ = 0;
    size_t count_;
    bool in_pairs_;
    Frame frames_[kMaxParts];
    float *x_, *zeros_, *framed_[kMaxParts];
};

} // namespace HWY_NAMESPACE
} // namespace pymps::engine
HWY_AFTER_NAMESPACE();

#endif
