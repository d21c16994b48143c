/* The rows of a run as pixels of images, of which a step needs the neighbours. */
#if defined(PYMPS_ENGINE_IMAGES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef PYMPS_ENGINE_IMAGES_INL_H
#undef PYMPS_ENGINE_IMAGES_INL_H
#else
#define PYMPS_ENGINE_IMAGES_INL_H
#endif

#include <algorithm>

#include "engine/elements-inl.h"
#include "engine/rows-inl.h"
#include "engine/team.h"
#include "engine/tiles-inl.h"
#include "engine/window.h"
#include "engine/workspace.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace pymps::engine {
namespace HWY_NAMESPACE {

/* Calls f(share) for shares that cover [0, count), on all threads of the team, which may be NULL. */
template <class Function> HWY_INLINE void ForEachShare(Team *team, size_t count, const Function &f) {
    if (team == nullptr)
        return f(Share{0, count});
    team->Run([&](size_t thread) HWY_ATTR { f(Share::Of(count, thread, team->threads())); });
}

/* Rows of the caller's or of the layer's own, as floats: in place, where they are not to be framed. */
class Images {
  public:
    /* `memory` may be NULL to learn the size. */
    Images(const WorkspaceShape &shape, size_t width, size_t height, size_t count, char *memory) : count_(count) {
        for (size_t part = 0; part < kMaxParts; ++part) {
            Frame &frame = frames_[part];
            frame = {shape.windows.parts[part], width, height, part == 0 ? shape.inputs : shape.outputs};
            framed_[part] = memory == nullptr ? nullptr : reinterpret_cast<float *>(memory + bytes_);
            const size_t bytes = MultiplySizes(MultiplySizes(count, frame.ImageFloats()), sizeof(float));
            if (part == 0 || !frame.window.IsPixel()) // x may have to be converted
                bytes_ = AddSizes(bytes_, RoundUp(bytes, kAlignment));
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

    /* What a part is multiplied by. The next call for the same part overwrites it. */
    Rows Around(size_t part, const pymps_engine_matrix &pixels, Team *team) const {
        const Frame &frame = frames_[part];
        if (frame.window.IsPixel() && pixels.type == PYMPS_ENGINE_FLOAT32)
            return {static_cast<const float *>(pixels.data), pixels.row_bytes / sizeof(float)};
        ForEachShare(team, MultiplySizes(count_, frame.Lines()), [&](Share lines) HWY_ATTR {
            for (size_t line = lines.begin; line < lines.end; ++line)
                FillLine(frame, pixels, line, framed_[part] + line * frame.LineFloats());
        });
        return {framed_[part], 0, &frame};
    }

  private:
    /* A line of a framed image. */
    static void FillLine(const Frame &frame, const pymps_engine_matrix &pixels, size_t line, float *to) {
        const size_t image = line / frame.Lines(), y = line % frame.Lines(), size = frame.LineFloats();
        if (y < frame.window.top || y - frame.window.top >= frame.height) {
            std::fill_n(to, size, 0.0f);
            return;
        }
        const size_t begin = frame.window.left * frame.channels, count = frame.width * frame.channels;
        std::fill_n(to, begin, 0.0f);
        LoadRows(pixels, (image * frame.height + y - frame.window.top) * frame.width, frame.width, frame.channels,
                 to + begin);
        std::fill(to + begin + count, to + size, 0.0f);
    }

    size_t count_;
    Frame frames_[kMaxParts];
    float *framed_[kMaxParts];
    size_t bytes_ = 0;
};

} // namespace HWY_NAMESPACE
} // namespace pymps::engine
HWY_AFTER_NAMESPACE();

#endif
