/* Runs convolutional layers over random sequences, and compares each step with the layer's formulas in float64: the
 * reference starts from the state that the engine reported before it. */
#ifndef PYMPS_TESTS_ENGINE_IMAGE_RUN_H
#define PYMPS_TESTS_ENGINE_IMAGE_RUN_H

#include <functional>

#include "engine_image.h"

namespace test {

// A layer as the checks below see it.
struct ImageSubject {
    size_t inputs, outputs;
    bool has_memory_cell;
    std::string about;
    std::function<pymps_engine_layer *()> create;
    // One step of all pixels. c0 and c1 only matter to a layer with a memory cell.
    std::function<void(const Geometry &g, const Doubles &x, const Doubles &h0, const Doubles &c0, Doubles *h1,
                       Doubles *c1)>
        reference;
    double tolerance;
};

struct ImageSequence {
    Geometry g;
    std::vector<Pixels> x;
    std::unique_ptr<ImageState> initial;
    pymps_engine_type y_type;
    size_t gap;
    bool is_aligned;

    ImageSequence(const ImageSubject &subject, const Geometry &geometry, size_t steps) : g(geometry) {
        const auto random_type = [] {
            return static_cast<pymps_engine_type>(Chance(0.5) ? size_t{PYMPS_ENGINE_FLOAT32} : Below(4));
        };
        y_type = random_type();
        gap = Chance(0.6) ? 0 : 1 + Below(5);
        is_aligned = Chance(0.7);
        for (size_t step = 0; step < steps; ++step) {
            x.emplace_back(g.Pixels(), subject.inputs, random_type(), gap, is_aligned);
            Fill(&x.back(), subject.inputs, 0.7);
        }
        if (Chance(0.4))
            return;
        initial = std::make_unique<ImageState>(g.Pixels(), subject.outputs, gap, is_aligned);
        Fill(&initial->h, subject.outputs, 0.5);
        Fill(&initial->c, subject.outputs, 1.0);
    }

  private:
    void Fill(Pixels *pixels, size_t channels, double deviation) const {
        const Floats values = Random(g.Pixels() * channels, deviation);
        for (size_t i = 0; i < values.size(); ++i)
            pixels->Set(i / channels, i % channels, values[i]);
    }
};

struct ImageResults {
    std::vector<Pixels> y;
    std::vector<ImageState> states;
};

inline ImageResults Run(const pymps_engine_layer *layer, const ImageSubject &subject, ImageSequence &s,
                        size_t state_count, pymps_engine_team *team = nullptr) {
    ImageResults results;
    std::vector<pymps_engine_matrix> x, y;
    std::vector<pymps_engine_state> states;
    for (size_t step = 0; step < s.x.size(); ++step)
        results.y.emplace_back(s.g.Pixels(), subject.outputs, s.y_type, s.gap, s.is_aligned);
    for (size_t i = 0; i < state_count; ++i)
        results.states.emplace_back(s.g.Pixels(), subject.outputs, s.gap, s.is_aligned);
    for (Pixels &pixels : s.x)
        x.push_back(pixels.View());
    for (Pixels &pixels : results.y)
        y.push_back(pixels.View());
    for (ImageState &state : results.states)
        states.push_back(state.View(subject.has_memory_cell));
    const pymps_engine_state initial = s.initial ? s.initial->View(subject.has_memory_cell) : pymps_engine_state{};

    const size_t bytes = pymps_engine_image_workspace_bytes(layer, s.g.width, s.g.height, s.g.images);
    Pixels workspace(1, bytes / 4, PYMPS_ENGINE_FLOAT32, 0, true); // never zeros
    static bool descending = false; // taken in turns: results that are compared come from both directions
    descending = !descending;
    const pymps_engine_sequence sequence = {x.size(),      x.data(),    y.data(),   s.initial ? &initial : nullptr,
                                            states.data(), state_count, descending, s.g.width,
                                            s.g.height};
    pymps_engine_layer_run(layer, &sequence, workspace.View().data, team);
    return results;
}

// The largest difference from the reference, as a part of the scale of the output.
inline double StepError(const ImageSubject &subject, const ImageSequence &s, const ImageResults &results, size_t step) {
    const ImageState *const before = step > 0 ? &results.states[step - 1] : s.initial.get();
    const Doubles zeros(s.g.Pixels() * subject.outputs);
    Doubles h1(zeros.size()), c1(zeros.size());
    subject.reference(s.g, s.x[step].Values(), before ? before->h.Values() : zeros,
                      before && subject.has_memory_cell ? before->c.Values() : zeros, &h1, &c1);
    double error = 0, scale = 1;
    const auto compare = [&](const Doubles &actual, const Doubles &expected) {
        for (size_t i = 0; i < expected.size(); ++i) {
            const double difference = std::fabs(actual[i] - expected[i]);
            error = difference <= error ? error : difference; // keeps NaN
            scale = std::max(scale, std::fabs(expected[i]));
        }
    };
    compare(results.states[step].h.Values(), h1);
    if (subject.has_memory_cell)
        compare(results.states[step].c.Values(), c1);
    return error / scale;
}

inline bool SameBits(const ImageResults &a, const ImageResults &b) {
    for (size_t step = 0; step < a.y.size(); ++step) {
        if (!a.y[step].SameBits(b.y[step]))
            return false;
    }
    for (size_t i = 0; i < a.states.size(); ++i) {
        if (!a.states[i].h.SameBits(b.states[i].h) || !a.states[i].c.SameBits(b.states[i].c))
            return false;
    }
    return true;
}

inline void TestImageSequence(const ImageSubject &subject, ImageSequence &s) {
    pymps_engine_layer *layer = subject.create();
    if (!Check(layer != nullptr, "create"))
        return;
    const size_t steps = s.x.size();
    const ImageResults all = Run(layer, subject, s, steps), last = Run(layer, subject, s, 1);
    pymps_engine_layer_destroy(layer);

    char what[240];
    std::snprintf(what, sizeof(what), "(in %zu, out %zu, %s; %zu steps, %zu images of %zu x %zu, gap %zu)",
                  subject.inputs, subject.outputs, subject.about.c_str(), steps, s.g.images, s.g.width, s.g.height,
                  s.gap);
    for (size_t step = 0; step < steps; ++step) {
        const double error = StepError(subject, s, all, step);
        if (!Check(error <= subject.tolerance, "step %zu is off by %.2g %s", step, error, what))
            break;
        Check(all.y[step].Holds(all.states[step].h.Values()), "y differs from h1 %s", what);
        Check(all.y[step].SameBits(last.y[step]), "y depends on the states that are wanted %s", what);
        Check(all.y[step].GapsUntouched() && all.states[step].h.GapsUntouched() && all.states[step].c.GapsUntouched(),
              "wrote between the pixels %s", what);
    }
    Check(last.states[0].h.SameBits(all.states[steps - 1].h) && last.states[0].c.SameBits(all.states[steps - 1].c),
          "the last state depends on whether the others are wanted %s", what);
}

// RandomLayer is made of a Shape and has Subject(), which is valid as long as the layer.
template <class RandomLayer> void TestRandomImages() {
    random_bits.seed(20240301);
    for (int i = 0; i < 120; ++i) {
        const auto channels = [] { return OneOf({1, 2, 3, 4, 5, 8, 15, 16, 17, 20, 32, 33}); };
        const auto side = [] { return OneOf({1, 1, 2, 3, 4, 6, 7, 9}); };
        const RandomLayer layer({channels(), channels(), false});
        ImageSequence sequence(layer.Subject(), {OneOf({1, 1, 2, 3}), side(), side()},
                               1 + (Chance(0.5) ? 0 : Below(4)));
        TestImageSequence(layer.Subject(), sequence);
    }
}

// Teams change nothing: layers that are large enough to be shared out, by panels and by pixels.
template <class RandomLayer> void TestImageTeams() {
    const std::unique_ptr<pymps_engine_team, void (*)(pymps_engine_team *)> teams[] = {
        {pymps_engine_team_create(2), pymps_engine_team_destroy},
        {pymps_engine_team_create(3), pymps_engine_team_destroy}};
    const Shape shapes[] = {{3, 16, true}, {8, 72, true}, {20, 33, true}};
    for (int i = 0; i < 12; ++i) {
        const RandomLayer layer(shapes[i % 3]);
        const ImageSubject subject = layer.Subject();
        ImageSequence sequence(subject, {1 + Below(2), 5 + Below(9), 5 + Below(9)}, 1 + Below(3));
        pymps_engine_layer *made = subject.create();
        const ImageResults alone = Run(made, subject, sequence, sequence.x.size());
        for (const auto &team : teams) {
            const ImageResults shared = Run(made, subject, sequence, sequence.x.size(), team.get());
            Check(SameBits(alone, shared), "%zu threads, in %zu, out %zu, %s: other results than of one",
                  &team - teams + 2, subject.inputs, subject.outputs, subject.about.c_str());
        }
        pymps_engine_layer_destroy(made);
    }
}

} // namespace test

#endif
