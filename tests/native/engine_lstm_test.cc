/* The LSTM against a float64 transcription of its formulas (see engine.h), over random layers and sequences.
 *
 * Each step is compared by itself: the reference starts from the state that the engine reported before it. */
#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <new>
#include <random>
#include <vector>

#include "engine_test.h"

namespace {

using Floats = std::vector<float>;

constexpr double kTolerance = 2e-6; // of the scale of the outputs, per step
constexpr float kUntouched = 12345.0f;

std::mt19937 random_bits(20240229);

size_t Below(size_t n) {
    return std::uniform_int_distribution<size_t>(0, n - 1)(random_bits);
}
bool Chance(double probability) {
    return std::bernoulli_distribution(probability)(random_bits);
}

Floats Random(size_t count, double deviation) {
    std::normal_distribution<float> normal(0.0f, static_cast<float>(deviation));
    Floats values(count);
    for (float &v : values)
        v = normal(random_bits);
    return values;
}

// To nearest even, by the definition: a multiple of the unit in the last place. Finite values of modest size only.
float RoundToHalf(float value) {
    const int exponent = value == 0 ? -14 : std::max(std::ilogb(value), -14);
    return static_cast<float>(std::ldexp(std::nearbyint(std::ldexp(double(value), 10 - exponent)), exponent - 10));
}

uint16_t HalfBits(float value) { // of a value that is exactly a half
    if (value == 0)
        return std::signbit(value) ? 0x8000 : 0;
    const int exponent = std::max(std::ilogb(value), -14);
    const int significand = static_cast<int>(std::ldexp(std::fabs(value), 10 - exponent));
    return static_cast<uint16_t>((std::signbit(value) ? 0x8000 : 0) + ((exponent + 14) << 10) + significand);
}

// ---------------------------------------------------------------------------------------------- the layer

struct Gate {
    Floats w, u, v, b, slopes; // empty: absent
    pymps_engine_neuron neuron;
};

enum class Memory { kNone, kDiagonal, kFull };

struct Layer {
    size_t inputs, outputs;
    bool unit_input, half_weights;
    Memory memory;
    Gate gates[4]; // input, forget, cell, output
    Floats slopes;
    pymps_engine_neuron cell_to_output;
};

const float *OrNull(const Floats &values) {
    return values.empty() ? nullptr : values.data();
}

pymps_engine_gate Describe(const Gate &gate) {
    return {OrNull(gate.w), OrNull(gate.u), OrNull(gate.v), OrNull(gate.b), gate.neuron};
}

pymps_engine_lstm Describe(const Layer &layer) {
    pymps_engine_lstm lstm = {};
    lstm.inputs = layer.inputs;
    lstm.outputs = layer.outputs;
    lstm.unit_input = layer.unit_input;
    lstm.memory_is_diagonal = layer.memory == Memory::kDiagonal;
    lstm.half_weights = layer.half_weights;
    lstm.input_gate = Describe(layer.gates[0]);
    lstm.forget_gate = Describe(layer.gates[1]);
    lstm.cell_gate = Describe(layer.gates[2]);
    lstm.output_gate = Describe(layer.gates[3]);
    lstm.cell_to_output = layer.cell_to_output;
    return lstm;
}

pymps_engine_neuron Sigmoid() {
    return {3, 0, 0, 0, nullptr};
}
pymps_engine_neuron TanH() {
    return {5, 1, 1, 0, nullptr};
}

// The activations themselves have their own test; here they must reach the right gate with the right parameters.
pymps_engine_neuron RandomNeuron(bool bounded, Floats *slopes, size_t outputs) {
    switch (Below(bounded ? 3 : 6)) {
    case 0:
        return {4, 0.25f, 0.5f, 0, nullptr};
    case 1:
        return {5, 0.75f, 0.5f, 0, nullptr};
    case 2:
        return {8, 0, 0, 0, nullptr};
    case 3:
        return {2, 0.5f, 0.125f, 0, nullptr};
    case 4:
        return {0, 0, 0, 0, nullptr};
    default:
        *slopes = Random(outputs, 0.5);
        return {10, 0, 0, 0, slopes->data()};
    }
}

double Apply(const pymps_engine_neuron &n, double x, size_t channel) {
    switch (n.type) {
    case 0:
        return x;
    case 2:
        return n.a * x + n.b;
    case 3:
        return 1 / (1 + std::exp(-x));
    case 4:
        return std::min(std::max(n.a * x + n.b, 0.0), 1.0);
    case 5:
        return n.a * std::tanh(n.b * x);
    case 8:
        return x / (1 + std::fabs(x));
    default:
        return x >= 0 ? x : n.channel_a[channel] * x;
    }
}

size_t RandomSize() {
    static const size_t sizes[] = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 23, 24, 25, 31, 32, 33, 40, 47, 64, 65, 100};
    return sizes[Below(sizeof(sizes) / sizeof(sizes[0]))];
}

struct Shape {
    size_t inputs, outputs;
    bool bounded; // activations: others may grow without end over many steps
};

void RandomLayer(Layer *layer, Shape shape) {
    layer->unit_input = Chance(0.1);
    layer->outputs = shape.outputs;
    layer->inputs = layer->unit_input ? shape.outputs : shape.inputs;
    layer->half_weights = Chance(0.4);
    layer->memory = std::vector<Memory>{Memory::kNone, Memory::kNone, Memory::kDiagonal, Memory::kFull}[Below(4)];
    const bool usual_neurons = Chance(0.6), complete = Chance(0.6);
    const double deviation = 1 / std::sqrt(double(layer->inputs + 2 * layer->outputs));
    const size_t outputs = layer->outputs;
    for (size_t g = 0; g < 4; ++g) {
        Gate &gate = layer->gates[g];
        const auto weights = [&](size_t count) {
            return complete || Chance(0.7) ? Random(count, deviation) : Floats();
        };
        if (!layer->unit_input)
            gate.w = weights(outputs * layer->inputs);
        gate.u = weights(outputs * outputs);
        if (layer->memory != Memory::kNone)
            gate.v = weights(layer->memory == Memory::kFull ? outputs * outputs : outputs);
        gate.b = complete || Chance(0.7) ? Random(outputs, 0.5) : Floats();
        gate.neuron =
            usual_neurons ? (g == 2 ? TanH() : Sigmoid()) : RandomNeuron(shape.bounded, &gate.slopes, outputs);
    }
    layer->cell_to_output = usual_neurons ? TanH() : RandomNeuron(shape.bounded, &layer->slopes, outputs);
}

// ---------------------------------------------------------------------------------------------- the reference

double Product(const Layer &layer, const Floats &matrix, size_t row, const double *vector, size_t columns) {
    double sum = 0;
    for (size_t k = 0; !matrix.empty() && k < columns; ++k) {
        const float weight = matrix[row * columns + k];
        sum += (layer.half_weights ? RoundToHalf(weight) : weight) * vector[k];
    }
    return sum;
}

double MemoryTerm(const Layer &layer, const Gate &gate, size_t o, const double *c) {
    if (layer.memory == Memory::kFull)
        return Product(layer, gate.v, o, c, layer.outputs);
    if (gate.v.empty())
        return 0;
    return (layer.half_weights ? RoundToHalf(gate.v[o]) : gate.v[o]) * c[o];
}

// One row of one step.
void Reference(const Layer &layer, const double *x, const double *h0, const double *c0, double *h1, double *c1) {
    const auto sum = [&](const Gate &gate, size_t o, const double *c) {
        const double wx = layer.unit_input ? x[o] : Product(layer, gate.w, o, x, layer.inputs);
        return wx + Product(layer, gate.u, o, h0, layer.outputs) + MemoryTerm(layer, gate, o, c) +
               (gate.b.empty() ? 0 : gate.b[o]);
    };
    const auto activate = [&](const Gate &gate, size_t o, const double *c) {
        return Apply(gate.neuron, sum(gate, o, c), o);
    };
    for (size_t o = 0; o < layer.outputs; ++o)
        c1[o] =
            activate(layer.gates[1], o, c0) * c0[o] + activate(layer.gates[0], o, c0) * activate(layer.gates[2], o, c0);
    for (size_t o = 0; o < layer.outputs; ++o)
        h1[o] = activate(layer.gates[3], o, c1) * Apply(layer.cell_to_output, c1[o], o);
}

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

struct State {
    Matrix h, c;
    State(size_t rows, size_t outputs, size_t gap)
        : h(rows, outputs, PYMPS_ENGINE_FLOAT32, gap), c(rows, outputs, PYMPS_ENGINE_FLOAT32, gap) {}
    pymps_engine_state View() { return {h.floats.data(), c.floats.data(), h.row_elements}; }
};

struct Sequence {
    std::vector<size_t> rows; // of each step
    std::vector<Matrix> x;
    std::vector<Floats> values; // x as floats: rows x inputs
    std::unique_ptr<State> initial;
    pymps_engine_type y_type;
    size_t gap;
};

void RandomSequence(const Layer &layer, size_t steps, size_t rows, Sequence *s) {
    const pymps_engine_type x_type = Chance(0.3) ? PYMPS_ENGINE_FLOAT16 : PYMPS_ENGINE_FLOAT32;
    s->y_type = Chance(0.3) ? PYMPS_ENGINE_FLOAT16 : PYMPS_ENGINE_FLOAT32;
    s->gap = Chance(0.5) ? 0 : 1 + Below(5);
    const bool shrinks = Chance(0.5);
    const size_t first_rows = rows;
    for (size_t step = 0; step < steps; ++step) {
        while (shrinks && step > 0 && rows > 1 && Chance(0.25))
            --rows;
        s->rows.push_back(rows);
        s->x.emplace_back(rows, layer.inputs, x_type, s->gap);
        s->values.push_back(Random(rows * layer.inputs, 1.0));
        for (size_t i = 0; i < s->values.back().size(); ++i) {
            float &value = s->values.back()[i];
            value = x_type == PYMPS_ENGINE_FLOAT16 ? RoundToHalf(value) : value;
            s->x.back().Set(i / layer.inputs, i % layer.inputs, value);
        }
    }
    if (Chance(0.5))
        return;
    s->initial = std::make_unique<State>(first_rows, layer.outputs, s->gap);
    for (size_t r = 0; r < first_rows; ++r) {
        for (size_t o = 0; o < layer.outputs; ++o) {
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

Results Run(const pymps_engine_layer *layer, const Layer &about, Sequence &s, size_t state_count) {
    Results results;
    std::vector<pymps_engine_matrix> x, y;
    std::vector<pymps_engine_state> states;
    for (size_t step = 0; step < s.rows.size(); ++step)
        results.y.emplace_back(s.rows[step], about.outputs, s.y_type, s.gap);
    for (size_t i = 0; i < state_count; ++i)
        results.states.emplace_back(s.rows[0], about.outputs, s.gap);
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
    const pymps_engine_sequence sequence = {s.rows.size(), x.data(),   y.data(), s.initial ? &initial : nullptr,
                                            states.data(), state_count};
    pymps_engine_layer_run(layer, &sequence, workspace.get());
    return results;
}

// ---------------------------------------------------------------------------------------------- checks

std::vector<double> RowOf(const Matrix &matrix, size_t row) {
    const float *begin = matrix.floats.data() + row * matrix.row_elements;
    return std::vector<double>(begin, begin + matrix.columns);
}

// The largest difference from the reference, as a part of the scale of the output.
double StepError(const Layer &layer, const Sequence &s, const Results &results, size_t step) {
    const State *before = step > 0 ? &results.states[step - 1] : s.initial.get();
    double error = 0, scale = 1;
    std::vector<double> h1(layer.outputs), c1(layer.outputs);
    const std::vector<double> zeros(layer.outputs, 0.0);
    for (size_t r = 0; r < s.rows[step]; ++r) {
        const float *values = s.values[step].data() + r * layer.inputs;
        const std::vector<double> x(values, values + layer.inputs);
        const std::vector<double> h0 = before ? RowOf(before->h, r) : zeros, c0 = before ? RowOf(before->c, r) : zeros;
        Reference(layer, x.data(), h0.data(), c0.data(), h1.data(), c1.data());
        const std::vector<double> h = RowOf(results.states[step].h, r), c = RowOf(results.states[step].c, r);
        for (size_t o = 0; o < layer.outputs; ++o) {
            const double difference = std::max(std::fabs(h[o] - h1[o]), std::fabs(c[o] - c1[o]));
            error = difference <= error ? error : difference; // keeps NaN
            scale = std::max({scale, std::fabs(h1[o]), std::fabs(c1[o])});
        }
    }
    return error / scale;
}

bool SameRow(const State &a, const State &b, size_t row) {
    return RowOf(a.h, row) == RowOf(b.h, row) && RowOf(a.c, row) == RowOf(b.c, row);
}

bool OutputsAreStates(const Sequence &s, const Results &results, size_t outputs) {
    for (size_t step = 0; step < s.rows.size(); ++step) {
        for (size_t r = 0; r < s.rows[step]; ++r) {
            for (size_t o = 0; o < outputs; ++o) {
                if (!results.y[step].Holds(r, o, static_cast<float>(RowOf(results.states[step].h, r)[o])))
                    return false;
            }
        }
    }
    return true;
}

bool GapsUntouched(const Results &results) {
    return std::all_of(results.y.begin(), results.y.end(), [](const Matrix &y) { return y.GapsUntouched(); }) &&
           std::all_of(results.states.begin(), results.states.end(),
                       [](const State &state) { return state.h.GapsUntouched() && state.c.GapsUntouched(); });
}

bool EndedRowsRepeat(const Sequence &s, const Results &results) {
    for (size_t step = 1; step < s.rows.size(); ++step) {
        for (size_t r = s.rows[step]; r < s.rows[0]; ++r) {
            if (!SameRow(results.states[step], results.states[step - 1], r))
                return false;
        }
    }
    return true;
}

void TestSequence(const Layer &layer, Sequence &s) {
    const pymps_engine_lstm description = Describe(layer);
    pymps_engine_layer *packed = pymps_engine_lstm_create(&description);
    if (!test::Check(packed != nullptr, "create"))
        return;
    const size_t steps = s.rows.size();
    const Results all = Run(packed, layer, s, steps), last = Run(packed, layer, s, 1);
    pymps_engine_layer_destroy(packed);

    char what[160];
    std::snprintf(what, sizeof(what),
                  "(in %zu, out %zu, unit %d, half %d, memory %d, neuron %d; steps %zu, rows %zu..%zu)", layer.inputs,
                  layer.outputs, layer.unit_input, layer.half_weights, static_cast<int>(layer.memory),
                  layer.gates[0].neuron.type, steps, s.rows.front(), s.rows.back());
    for (size_t step = 0; step < steps; ++step) {
        const double error = StepError(layer, s, all, step);
        if (!test::Check(error <= kTolerance, "step %zu is off by %.2g %s", step, error, what))
            break;
    }
    test::Check(OutputsAreStates(s, all, layer.outputs), "y differs from h1 %s", what);
    test::Check(EndedRowsRepeat(s, all), "an ended row changed its state %s", what);
    test::Check(GapsUntouched(all) && GapsUntouched(last), "wrote between the rows %s", what);
    bool same = true;
    for (size_t r = 0; r < s.rows[0]; ++r)
        same &= SameRow(last.states[0], all.states[steps - 1], r);
    test::Check(same, "the last state depends on whether the others are wanted %s", what);
}

void TestRandomSequences() {
    random_bits.seed(20240229);
    for (int i = 0; i < 400; ++i) {
        Layer layer;
        RandomLayer(&layer, {RandomSize(), RandomSize(), false});
        Sequence sequence;
        RandomSequence(layer, 1 + (Chance(0.5) ? 0 : Below(6)), 1 + (Chance(0.4) ? 0 : Below(9)), &sequence);
        TestSequence(layer, sequence);
    }
    // Long ones and tall ones, which cross the limits of chunks and tiles.
    const Shape small[] = {{5, 19, true}, {12, 8, true}, {33, 16, true}};
    for (int i = 0; i < 24; ++i) {
        Layer layer;
        RandomLayer(&layer, small[i % 3]);
        Sequence sequence;
        RandomSequence(layer, i % 2 ? 70 : 3, i % 2 ? 1 + Below(9) : 20 + Below(60), &sequence);
        TestSequence(layer, sequence);
    }
}

// Nothing but activations: every weight is absent.
void TestNoWeights() {
    pymps_engine_lstm description = {};
    description.inputs = 3;
    description.outputs = 5;
    description.output_gate.neuron = {2, 0, 0.5f, 0, nullptr};
    description.forget_gate.neuron = {2, 0, 2, 0, nullptr};
    pymps_engine_layer *layer = pymps_engine_lstm_create(&description);
    Layer about = {};
    about.outputs = 5;
    Sequence s;
    s.rows = {1};
    s.x.emplace_back(1, 3, PYMPS_ENGINE_FLOAT32, 0);
    s.initial = std::make_unique<State>(1, 5, 0);
    s.y_type = PYMPS_ENGINE_FLOAT32;
    s.gap = 0;
    const Results results = Run(layer, about, s, 1);
    pymps_engine_layer_destroy(layer);
    test::Check(results.states[0].c.floats == Floats(5, 2 * kUntouched) && results.y[0].floats == Floats(5, kUntouched),
                "no weights: c1 = 2 c0, h1 = c1 / 2");
}

// Sizes that no machine has: refused, not wrapped round.
void TestHugeSizes() {
    const float weight = 0;
    pymps_engine_lstm description = {};
    description.inputs = SIZE_MAX / 2;
    description.outputs = SIZE_MAX / 2;
    description.input_gate.input_weights = &weight;
    test::Check(pymps_engine_lstm_create(&description) == nullptr, "weights beyond the address space");
    description.outputs = SIZE_MAX;
    test::Check(pymps_engine_lstm_create(&description) == nullptr, "outputs up to SIZE_MAX");

    description.inputs = 1000;
    description.outputs = 1000;
    description.input_gate.input_weights = nullptr;
    pymps_engine_layer *layer = pymps_engine_lstm_create(&description);
    test::Check(pymps_engine_workspace_bytes(layer, 1, SIZE_MAX / 1000) == SIZE_MAX,
                "scratch for SIZE_MAX / 1000 rows");
    test::Check(pymps_engine_workspace_bytes(layer, SIZE_MAX, SIZE_MAX) == SIZE_MAX, "scratch for SIZE_MAX rows");
    test::Check(pymps_engine_workspace_bytes(layer, SIZE_MAX, 1) < 4 << 20, "scratch of a long sequence is bounded");
    pymps_engine_layer_destroy(layer);
    pymps_engine_layer_destroy(nullptr);
}

} // namespace

int main() {
    test::ForEachTarget([] {
        TestRandomSequences();
        TestNoWeights();
        TestHugeSizes();
    });
    return test::Report();
}
