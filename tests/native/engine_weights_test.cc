/* Weights read back from a layer are those that it was made of. */
#include "engine_random.h"
#include "engine_test.h"

namespace {

using test::Floats;

struct Owned {
    explicit Owned(pymps_engine_layer *layer_) : layer(layer_) {}
    ~Owned() { pymps_engine_layer_destroy(layer); }
    pymps_engine_layer *layer;
};

/* How far from its rounded value half_weights may keep U: where integers are fast, as multiples of a step that is at
 * most 2^-11 of the root mean square of an output's weights. */
double IntegerRounding(const Floats &u, size_t index) {
    const size_t outputs = static_cast<size_t>(std::lround(std::sqrt(double(u.size()))));
    double squares = 0;
    for (size_t i = index / outputs * outputs; i < (index / outputs + 1) * outputs; ++i)
        squares += double(u[i]) * u[i];
    return 0x1p-12 * std::sqrt(squares / double(outputs));
}

/* `given`: empty where it was NULL. */
void CheckRead(const Owned &owned, size_t gate, size_t part, const Floats &given, bool half) {
    Floats read(given.empty() ? 1 : given.size(), 7.0f);
    const bool present = pymps_engine_layer_read_weights(owned.layer, gate, part, read.data());
    test::Check(present == !given.empty(), "gate %zu, part %zu: present %d", gate, part, present);
    if (!present)
        return (void)test::Check(read[0] == 7.0f, "gate %zu, part %zu: written though absent", gate, part);
    for (size_t i = 0; i < given.size(); ++i) {
        const float expected = half ? test::RoundToHalf(given[i]) : given[i];
        const double rounding = half && part == 1 ? IntegerRounding(given, i) : 0;
        if (!test::Check(std::fabs(read[i] - expected) <= rounding, "gate %zu, part %zu: [%zu] %g, expected %g", gate,
                         part, i, double(read[i]), double(expected)))
            return;
    }
}

/* The floats that bytes stand for, which are not rounded. */
void CheckFloats(const Owned &owned, size_t gate, size_t part, const test::Bytes &given) {
    const size_t outputs = given.minima.size(), columns = given.values.size() / outputs;
    Floats read(given.values.size(), 7.0f);
    test::Check(pymps_engine_layer_read_weights(owned.layer, gate, part, read.data()), "gate %zu, part %zu: no floats",
                gate, part);
    for (size_t i = 0; i < read.size(); ++i) {
        const size_t o = i / columns;
        const double expected = given.At(o, i % columns),
                     scale = std::fabs(given.minima[o]) + 255 * std::fabs(given.steps[o]);
        if (!test::Check(std::fabs(read[i] - expected) <= 0x1p-23 * scale, "gate %zu, part %zu: [%zu] %g, expected %g",
                         gate, part, i, double(read[i]), expected))
            return;
    }
}

/* W or U; empty where both were NULL. */
void CheckRead(const Owned &owned, size_t gate, size_t part, const test::Weights &given, bool half) {
    const test::Bytes &bytes = given.bytes;
    const size_t outputs = bytes.minima.empty() ? 1 : bytes.minima.size();
    test::Bytes read;
    read.values.resize(bytes.values.empty() ? 1 : bytes.values.size(), 7);
    read.minima.resize(outputs, 7.0f);
    read.steps.resize(outputs, 7.0f);
    const bool present = pymps_engine_layer_read_bytes(owned.layer, gate, part, read.values.data(), read.minima.data(),
                                                       read.steps.data());
    test::Check(present == !bytes.values.empty(), "gate %zu, part %zu: bytes present %d", gate, part, present);
    if (!present) {
        test::Check(read.values[0] == 7 && read.minima[0] == 7.0f && read.steps[0] == 7.0f,
                    "gate %zu, part %zu: bytes written though absent", gate, part);
        return CheckRead(owned, gate, part, given.floats, half);
    }
    test::Check(read.values == bytes.values && read.minima == bytes.minima && read.steps == bytes.steps,
                "gate %zu, part %zu: other bytes", gate, part);
    CheckFloats(owned, gate, part, bytes);
}

struct Sizes {
    size_t inputs = test::RandomSize(), outputs = test::RandomSize();
    bool half = test::Chance(0.5);

    test::Weights W() const { return Matrix(inputs); }
    test::Weights U() const { return Matrix(outputs); }
    test::Weights Matrix(size_t columns) const {
        if (test::Chance(0.3))
            return {{}, test::Bytes(outputs, columns, 1)};
        return {Full(columns), {}};
    }
    Floats Full(size_t columns) const { return test::Chance(0.8) ? test::Random(outputs * columns, 1) : Floats(); }
};

void TestSingleGate() {
    const Sizes sizes;
    test::Gate gate;
    gate.w = sizes.W();
    gate.u = sizes.U();
    gate.neuron = test::TanH();
    pymps_engine_single_gate description = {sizes.inputs, sizes.outputs, false, sizes.half, {}, {}, {}};
    description.gate = gate.Describe();
    const Owned owned(pymps_engine_single_gate_create(&description));
    CheckRead(owned, 0, 0, gate.w, sizes.half);
    CheckRead(owned, 0, 1, gate.u, sizes.half);
}

/* What is read back makes the same layer again, to the last bit: also where a row is next to nothing, holds one weight
 * that is far larger than the others, or overflows float16. */
void TestHalvesAgain(float scale, float outlier) {
    const size_t outputs = 70;
    test::Gate gate;
    gate.w.floats = test::Random(outputs, 1);
    gate.u.floats = test::Random(outputs * outputs, 1);
    gate.neuron = test::TanH();
    std::transform(gate.u.floats.begin(), gate.u.floats.begin() + outputs, gate.u.floats.begin(),
                   [&](float weight) { return weight * scale; });
    gate.u.floats[5 * outputs] += outlier;
    Floats read[2] = {Floats(outputs * outputs), Floats(outputs * outputs)};
    for (Floats &back : read) {
        pymps_engine_single_gate description = {1, outputs, false, /*half_weights=*/true, {}, {}, {}};
        description.gate = gate.Describe();
        const Owned owned(pymps_engine_single_gate_create(&description));
        pymps_engine_layer_read_weights(owned.layer, 0, 1, back.data());
        test::Check(outlier < 65504 || std::isinf(back[5 * outputs]), "70000 is %g", double(back[5 * outputs]));
        gate.u.floats = back;
    }
    test::Check(read[0] == read[1], "scale %g, outlier %g: other weights", double(scale), double(outlier));
}

void TestGru() {
    const Sizes sizes;
    test::Gate sources[3];
    pymps_engine_gru gru = {};
    gru.inputs = sizes.inputs;
    gru.outputs = sizes.outputs;
    gru.half_weights = sizes.half;
    gru.gate_pnorm = 1;
    pymps_engine_gate *const gates[] = {&gru.input_gate, &gru.recurrent_gate, &gru.output_gate};
    for (size_t g = 0; g < 3; ++g) {
        sources[g].w = sizes.W();
        sources[g].u = sizes.U();
        sources[g].neuron = test::Sigmoid();
        *gates[g] = sources[g].Describe();
    }
    const Floats vh = sizes.Full(sizes.outputs);
    gru.output_gate_input_gate_weights = test::OrNull(vh);
    const Owned owned(pymps_engine_gru_create(&gru));
    if (sources[2].u.empty()) { // r acts through Uh alone
        sources[1].w.clear();
        sources[1].u.clear();
    }
    for (size_t g = 0; g < 3; ++g) {
        CheckRead(owned, g, 0, sources[g].w, sizes.half);
        CheckRead(owned, g, 1, sources[g].u, sizes.half);
    }
    CheckRead(owned, 2, 2, vh, sizes.half);
}

void TestLstm() {
    const Sizes sizes;
    test::Gate sources[4];
    pymps_engine_lstm lstm = {};
    lstm.inputs = sizes.inputs;
    lstm.outputs = sizes.outputs;
    lstm.half_weights = sizes.half;
    lstm.memory_is_diagonal = test::Chance(0.5);
    pymps_engine_gate *const gates[] = {&lstm.input_gate, &lstm.forget_gate, &lstm.cell_gate, &lstm.output_gate};
    bool has_diagonal = false;
    for (size_t g = 0; g < 4; ++g) {
        sources[g].w = sizes.W();
        sources[g].u = sizes.U();
        sources[g].v = sizes.Full(lstm.memory_is_diagonal ? 1 : sizes.outputs);
        sources[g].neuron = test::Sigmoid();
        has_diagonal = has_diagonal || (lstm.memory_is_diagonal && !sources[g].v.empty());
        *gates[g] = sources[g].Describe();
    }
    const Owned owned(pymps_engine_lstm_create(&lstm));
    for (size_t g = 0; g < 4; ++g) {
        CheckRead(owned, g, 0, sources[g].w, sizes.half);
        CheckRead(owned, g, 1, sources[g].u, sizes.half);
        const Floats &v = sources[g].v;
        const bool kept_as_zeros = has_diagonal && v.empty(); // beside vectors that were given
        CheckRead(owned, g, 2, kept_as_zeros ? Floats(sizes.outputs) : v, sizes.half);
    }
}

void TestUnitInput() {
    const Floats w = test::Random(9, 1);
    pymps_engine_single_gate description = {3, 3, true, false, {}, {}, {}};
    description.gate.input_weights = w.data();
    const Owned owned(pymps_engine_single_gate_create(&description));
    CheckRead(owned, 0, 0, Floats(), false);
    description.gate.input_weights = nullptr;
    const test::Bytes bytes(3, 3, 1);
    description.gate.input_bytes = bytes.Describe();
    const Owned other(pymps_engine_single_gate_create(&description));
    CheckRead(other, 0, 0, test::Weights(), false);
}

} // namespace

int main() {
    test::ForEachTarget([] {
        for (int i = 0; i < 40; ++i) {
            TestSingleGate();
            TestGru();
            TestLstm();
        }
        for (const float scale : {1.0f, 1e-9f, 100.0f}) {
            for (const float outlier : {0.0f, 5.0f, 10.0f, 15.0f, 40.0f, 70000.0f})
                TestHalvesAgain(scale, outlier);
        }
        TestUnitInput();
    });
    return test::Report();
}
