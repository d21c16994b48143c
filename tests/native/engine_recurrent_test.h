/* What the tests of the layers share: random sequences, whose results are compared with a float64 transcription of the
 * layer's formulas (see engine.h).
 *
 * Each step is compared by itself: the reference starts from the state that the engine reported before it. */
#ifndef PYMPS_TESTS_ENGINE_RECURRENT_TEST_H
#define PYMPS_TESTS_ENGINE_RECURRENT_TEST_H

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "engine_random.h"
#include "engine_test.h"

namespace test {

constexpr float kUntouched = 12345.0f;

// A layer as the checks below see it.
struct Subject {
    size_t inputs, outputs;
    bool has_memory_cell;
    std::string about;
    std::function<pymps_engine_layer *()> create;
    // One row of one step. c0 and c1 only matter to a layer with a memory cell.
    std::function<void(const double *x, const double *h0, const double *c0, double *h1, double *c1)> reference;
    double tolerance = kTolerance;
};

// ---------------------------------------------------------------------------------------------- sequences

// A matrix with space between its rows, which nobody may touch.
struct Matrix {
    size_t rows, columns, row_elements;
    pymps_engine_type type;
    Floats floats;
    std::vector<uint16_t> halves;

    Matrix(size_t r, size_t c, pymps_engine_type t, size_t gap) : rows(r), columns(c), row_elements(c + gap), type(t) {
        if (type == PYMPS_ENGINE_FLOAT32)
            floats.assign(rows * row_elements, kUntouched);
        else
            halves.assign(rows * row_elements, 0x7A7A);
    }

    pymps_engine_matrix View() {
        const bool is_float = type == PYMPS_ENGINE_FLOAT32;
        void *data = is_float ? static_cast<void *>(floats.data()) : static_cast<void *>(halves.data());
        return {data, rows, row_elements * (is_float ? 4 : 2), type};
    }

    void Set(size_t row, size_t column, float value) {
        if (type == PYMPS_ENGINE_FLOAT32)
            floats[row * row_elements + column] = value;
        else
            halves[row * row_elements + column] = HalfBits(value);
    }

    // Whether the matrix holds `value`, rounded to its type.
    bool Holds(size_t row, size_t column, float value) const {
        if (type == PYMPS_ENGINE_FLOAT32)
            return floats[row * row_elements + column] == value;
        return halves[row * row_elements + column] == HalfBits(RoundToHalf(value));
    }

    std::vector<double> Row(size_t row) const { // of floats
        const float *begin = floats.data() + row * row_elements;
        return std::vector<double>(begin, begin + columns);
    }

    bool GapsUntouched() const {
        for (size_t r = 0; r < rows; ++r) {
            for (size_t c = columns; c < row_elements; ++c) {
                if (type == PYMPS_ENGINE_FLOAT32 ? floats[r * row_elements + c] != kUntouched
                                                 : halves[r * row_elements + c] != 0x7A7A)
                    return false;
            }
        }
        return true;
    }
};

// Without a memory cell c stays untouched.
struct State {
    Matrix h, c;
    bool has_memory_cell;

    State(size_t rows, const Subject &subject, size_t gap)
        : h(rows, subject.outputs, PYMPS_ENGINE_FLOAT32, gap), c(rows, subject.outputs, PYMPS_ENGINE_FLOAT32, gap),
          has_memory_cell(subject.has_memory_cell) {}
    pymps_engine_state View() { return {h.floats.data(), has_memory_cell ? c.floats.data() : nullptr, h.row_elements}; }
};

struct Sequence {
    std::vector<size_t> rows; // of each step
    std::vector<Matrix> x;
    std::vector<Floats> values; // x as floats: rows x inputs
    std::unique_ptr<State> initial;
    pymps_engine_type y_type = PYMPS_ENGINE_FLOAT32;
    size_t gap = 0;
};

inline void RandomSequence(const Subject &subject, size_t steps, size_t rows, Sequence *s) {
    const pymps_engine_type x_type = Chance(0.3) ? PYMPS_ENGINE_FLOAT16 : PYMPS_ENGINE_FLOAT32;
    s->y_type = Chance(0.3) ? PYMPS_ENGINE_FLOAT16 : PYMPS_ENGINE_FLOAT32;
    s->gap = Chance(0.5) ? 0 : 1 + Below(5);
    const bool shrinks = Chance(0.5);
    const size_t first_rows = rows;
    for (size_t step = 0; step < steps; ++step) {
        while (shrinks && step > 0 && rows > 1 && Chance(0.25))
            --rows;
        s->rows.push_back(rows);
        s->x.emplace_back(rows, subject.inputs, x_type, s->gap);
        s->values.push_back(Random(rows * subject.inputs, 1.0));
        for (size_t i = 0; i < s->values.back().size(); ++i) {
            float &value = s->values.back()[i];
            value = x_type == PYMPS_ENGINE_FLOAT16 ? RoundToHalf(value) : value;
            s->x.back().Set(i / subject.inputs, i % subject.inputs, value);
        }
    }
    if (Chance(0.5))
        return;
    s->initial = std::make_unique<State>(first_rows, subject, s->gap);
    for (size_t r = 0; r < first_rows; ++r) {
        for (size_t o = 0; o < subject.outputs; ++o) {
            s->initial->h.Set(r, o, Random(1, 0.5)[0]);
            s->initial->c.Set(r, o, Random(1, 1.0)[0]);
        }
    }
}

struct Results {
    std::vector<Matrix> y;
    std::vector<State> states;
};

struct FreeAligned {
    void operator()(void *memory) const { ::operator delete(memory, std::align_val_t(64)); }
};

inline Results Run(const pymps_engine_layer *layer, const Subject &subject, Sequence &s, size_t state_count,
                   pymps_engine_team *team = nullptr) {
    Results results;
    std::vector<pymps_engine_matrix> x, y;
    std::vector<pymps_engine_state> states;
    for (size_t step = 0; step < s.rows.size(); ++step)
        results.y.emplace_back(s.rows[step], subject.outputs, s.y_type, s.gap);
    for (size_t i = 0; i < state_count; ++i)
        results.states.emplace_back(s.rows[0], subject, s.gap);
    for (Matrix &matrix : s.x)
        x.push_back(matrix.View());
    for (Matrix &matrix : results.y)
        y.push_back(matrix.View());
    for (State &state : results.states)
        states.push_back(state.View());
    const pymps_engine_state initial = s.initial ? s.initial->View() : pymps_engine_state{};

    // Exactly as much as was asked for, so that the sanitizer sees what goes beyond; and never zeros.
    const size_t bytes = pymps_engine_workspace_bytes(layer, s.rows.size(), s.rows[0]);
    const std::unique_ptr<void, FreeAligned> workspace(::operator new(bytes, std::align_val_t(64)));
    std::memset(workspace.get(), 0xFF, bytes);
    static bool descending = false; // taken in turns: results that are compared come from both directions
    descending = !descending;
    const pymps_engine_sequence sequence = {
        s.rows.size(), x.data(), y.data(), s.initial ? &initial : nullptr, states.data(), state_count,
        descending,    0,        0};
    pymps_engine_layer_run(layer, &sequence, workspace.get(), team);
    return results;
}

// ---------------------------------------------------------------------------------------------- checks

// The largest difference from the reference, as a part of the scale of the output.
inline double StepError(const Subject &subject, const Sequence &s, const Results &results, size_t step) {
    const State *before = step > 0 ? &results.states[step - 1] : s.initial.get();
    double error = 0, scale = 1;
    const auto compare = [&](double actual, double expected) {
        const double difference = std::fabs(actual - expected);
        error = difference <= error ? error : difference; // keeps NaN
        scale = std::max(scale, std::fabs(expected));
    };
    std::vector<double> h1(subject.outputs), c1(subject.outputs);
    const std::vector<double> zeros(subject.outputs, 0.0);
    for (size_t r = 0; r < s.rows[step]; ++r) {
        const float *values = s.values[step].data() + r * subject.inputs;
        const std::vector<double> x(values, values + subject.inputs);
        const std::vector<double> h0 = before ? before->h.Row(r) : zeros, c0 = before ? before->c.Row(r) : zeros;
        subject.reference(x.data(), h0.data(), c0.data(), h1.data(), c1.data());
        const std::vector<double> h = results.states[step].h.Row(r), c = results.states[step].c.Row(r);
        for (size_t o = 0; o < subject.outputs; ++o) {
            compare(h[o], h1[o]);
            if (subject.has_memory_cell)
                compare(c[o], c1[o]);
        }
    }
    return error / scale;
}

inline bool SameRow(const State &a, const State &b, size_t row) {
    return a.h.Row(row) == b.h.Row(row) && a.c.Row(row) == b.c.Row(row);
}

inline bool OutputsAreStates(const Sequence &s, const Results &results, size_t outputs) {
    for (size_t step = 0; step < s.rows.size(); ++step) {
        for (size_t r = 0; r < s.rows[step]; ++r) {
            const std::vector<double> h = results.states[step].h.Row(r);
            for (size_t o = 0; o < outputs; ++o) {
                if (!results.y[step].Holds(r, o, static_cast<float>(h[o])))
                    return false;
            }
        }
    }
    return true;
}

inline bool GapsUntouched(const Results &results) {
    return std::all_of(results.y.begin(), results.y.end(), [](const Matrix &y) { return y.GapsUntouched(); }) &&
           std::all_of(results.states.begin(), results.states.end(),
                       [](const State &state) { return state.h.GapsUntouched() && state.c.GapsUntouched(); });
}

inline bool EndedRowsRepeat(const Sequence &s, const Results &results) {
    for (size_t step = 1; step < s.rows.size(); ++step) {
        for (size_t r = s.rows[step]; r < s.rows[0]; ++r) {
            if (!SameRow(results.states[step], results.states[step - 1], r))
                return false;
        }
    }
    return true;
}

inline void TestSequence(const Subject &subject, Sequence &s) {
    pymps_engine_layer *layer = subject.create();
    if (!Check(layer != nullptr, "create"))
        return;
    const size_t steps = s.rows.size();
    const Results all = Run(layer, subject, s, steps), last = Run(layer, subject, s, 1);
    pymps_engine_layer_destroy(layer);

    char what[240];
    std::snprintf(what, sizeof(what), "(in %zu, out %zu, %s; steps %zu, rows %zu..%zu)", subject.inputs,
                  subject.outputs, subject.about.c_str(), steps, s.rows.front(), s.rows.back());
    for (size_t step = 0; step < steps; ++step) {
        const double error = StepError(subject, s, all, step);
        if (!Check(error <= subject.tolerance, "step %zu is off by %.2g %s", step, error, what))
            break;
    }
    Check(OutputsAreStates(s, all, subject.outputs), "y differs from h1 %s", what);
    Check(EndedRowsRepeat(s, all), "an ended row changed its state %s", what);
    Check(GapsUntouched(all) && GapsUntouched(last), "wrote between the rows %s", what);
    bool same = true;
    for (size_t r = 0; r < s.rows[0]; ++r)
        same &= SameRow(last.states[0], all.states[steps - 1], r);
    Check(same, "the last state depends on whether the others are wanted %s", what);
}

// RandomLayer is made of a Shape and has Subject(), which is valid as long as the layer.
template <class RandomLayer> void TestRandomSequences() {
    random_bits.seed(20240229);
    for (int i = 0; i < 400; ++i) {
        const RandomLayer layer({RandomSize(), RandomSize(), false});
        Sequence sequence;
        RandomSequence(layer.Subject(), 1 + (Chance(0.5) ? 0 : Below(6)), 1 + (Chance(0.4) ? 0 : Below(9)), &sequence);
        TestSequence(layer.Subject(), sequence);
    }
    // Long ones and tall ones, which cross the limits of chunks and tiles.
    const Shape small[] = {{5, 19, true}, {12, 8, true}, {33, 16, true}};
    for (int i = 0; i < 24; ++i) {
        const RandomLayer layer(small[i % 3]);
        Sequence sequence;
        RandomSequence(layer.Subject(), i % 2 ? 70 : 3, i % 2 ? 1 + Below(9) : 20 + Below(60), &sequence);
        TestSequence(layer.Subject(), sequence);
    }
}

inline bool SameBits(const Matrix &a, const Matrix &b) {
    const size_t bytes = a.floats.size() * sizeof(float);
    return a.halves == b.halves && (bytes == 0 || std::memcmp(a.floats.data(), b.floats.data(), bytes) == 0);
}

inline bool SameBits(const Results &a, const Results &b) {
    for (size_t step = 0; step < a.y.size(); ++step) {
        if (!SameBits(a.y[step], b.y[step]))
            return false;
    }
    for (size_t i = 0; i < a.states.size(); ++i) {
        if (!SameBits(a.states[i].h, b.states[i].h) || !SameBits(a.states[i].c, b.states[i].c))
            return false;
    }
    return true;
}

// Teams change nothing: layers that are large enough to be shared out, by panels and by rows, and batches.
template <class RandomLayer> void TestTeams() {
    const std::unique_ptr<pymps_engine_team, void (*)(pymps_engine_team *)> teams[] = {
        {pymps_engine_team_create(2), pymps_engine_team_destroy},
        {pymps_engine_team_create(3), pymps_engine_team_destroy}};
    const Shape shapes[] = {{40, 300, true}, {250, 130, true}, {70, 33, true}, {32, 32, true}, {300, 400, true}};
    for (int i = 0; i < 20; ++i) {
        const RandomLayer layer(shapes[i % 5]);
        const Subject subject = layer.Subject();
        Sequence sequence;
        if (i % 2)
            RandomSequence(subject, 1 + Below(12), 1 + Below(9), &sequence);
        else
            RandomSequence(subject, 1 + Below(3), 13 + Below(80), &sequence); // each step by itself: few tell as much
        pymps_engine_layer *made = subject.create();
        const Results alone = Run(made, subject, sequence, sequence.rows.size());
        for (const auto &team : teams) {
            const Results shared = Run(made, subject, sequence, sequence.rows.size(), team.get());
            Check(SameBits(alone, shared), "%zu threads, in %zu, out %zu, %s: other results than of one",
                  &team - teams + 2, subject.inputs, subject.outputs, subject.about.c_str());
        }
        pymps_engine_layer_destroy(made);
    }
}

// One step of one row from an initial state: h1.
inline Floats OneStep(const Subject &subject, const Floats &x, const Floats &h0, const Floats &c0) {
    Sequence s;
    s.rows = {1};
    s.x.emplace_back(1, subject.inputs, PYMPS_ENGINE_FLOAT32, 0);
    s.x[0].floats = x;
    s.initial = std::make_unique<State>(1, subject, 0);
    s.initial->h.floats = h0;
    s.initial->c.floats = c0;
    pymps_engine_layer *layer = subject.create();
    const Results results = Run(layer, subject, s, 1);
    pymps_engine_layer_destroy(layer);
    return results.y[0].floats;
}

// Sizes that no machine has: refused, not wrapped round. Description has a gate `Description::*gate`.
template <class Description>
void TestHugeSizes(pymps_engine_layer *(*create)(const Description *), pymps_engine_gate Description::*gate) {
    const float weight = 0;
    Description description = {};
    description.inputs = SIZE_MAX / 2;
    description.outputs = SIZE_MAX / 2;
    (description.*gate).input_weights = &weight;
    Check(create(&description) == nullptr, "weights beyond the address space");
    description.outputs = SIZE_MAX;
    Check(create(&description) == nullptr, "outputs up to SIZE_MAX");
    const uint8_t byte = 0;
    (description.*gate).input_weights = nullptr;
    (description.*gate).input_bytes = {&byte, &weight, &weight};
    Check(create(&description) == nullptr, "outputs of bytes up to SIZE_MAX");
    description.outputs = SIZE_MAX / 2;
    Check(create(&description) == nullptr, "bytes beyond the address space");

    description.inputs = 1000;
    description.outputs = 1000;
    (description.*gate).input_bytes = {};
    pymps_engine_layer *layer = create(&description);
    Check(pymps_engine_workspace_bytes(layer, 1, SIZE_MAX / 1000) == SIZE_MAX, "scratch for SIZE_MAX / 1000 rows");
    Check(pymps_engine_workspace_bytes(layer, SIZE_MAX, SIZE_MAX) == SIZE_MAX, "scratch for SIZE_MAX rows");
    Check(pymps_engine_workspace_bytes(layer, SIZE_MAX, 1) < 4 << 20, "scratch of a long sequence is bounded");
    pymps_engine_layer_destroy(layer);
    pymps_engine_layer_destroy(nullptr);
}

} // namespace test

#endif
