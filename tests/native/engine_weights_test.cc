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

/* `given`: empty where it was NULL. */
void CheckRead(const Owned &owned, size_t gate, size_t part, const Floats &given, bool half) {
    Floats read(given.empty() ? 1 : given.size(), 7.0f);
    const bool present = pymps_engine_layer_read_weights(owned.layer, gate, part, read.data());
    test::Check(present == !given.empty(), "gate %zu, part %zu: present %d", gate, part, present);
    if (!present)
        return (void)test::Check(read[0] == 7.0f, "gate %zu, part %zu: written though absent", gate, part);
    for (size_t i = 0; i < given.size(); ++i) {
        const float expected = half ? test::RoundToHalf(given[i]) : given[i];
        if (!test::Check(read[i] == expected, "gate %zu, part %zu: [%zu] %g, expected %g", gate, part, i,
                         double(read[i]), double(expected)))
            return;
    }
}

struct Sizes {
    size_t inputs = test::RandomSize(), outputs = test::RandomSize();
    bool half = test::Chance(0.5);

    Floats W() const { return test::Chance(0.8) ? test::Random(outputs * inputs, 1) : Floats(); }
    Floats U() const { return test::Chance(0.8) ? test::Random(outputs * outputs, 1) : Floats(); }
    Floats Diagonal() const { return test::Chance(0.8) ? test::Random(outputs, 1) : Floats(); }
};

void TestSingleGate() {
    const Sizes sizes;
    const Floats w = sizes.W(), u = sizes.U();
    pymps_engine_single_gate description = {sizes.inputs, sizes.outputs, false, sizes.half, {}};
    description.gate = {test::OrNull(w), test::OrNull(u), {}, {}, nullptr, nullptr, test::TanH()};
    const Owned owned(pymps_engine_single_gate_create(&description));
    CheckRead(owned, 0, 0, w, sizes.half);
    CheckRead(owned, 0, 1, u, sizes.half);
}

void TestGru() {
    const Sizes sizes;
    Floats w[3], u[3];
    pymps_engine_gru gru = {};
    gru.inputs = sizes.inputs;
    gru.outputs = sizes.outputs;
    gru.half_weights = sizes.half;
    gru.gate_pnorm = 1;
    pymps_engine_gate *const gates[] = {&gru.input_gate, &gru.recurrent_gate, &gru.output_gate};
    for (size_t g = 0; g < 3; ++g) {
        w[g] = sizes.W();
        u[g] = sizes.U();
        *gates[g] = {test::OrNull(w[g]), test::OrNull(u[g]), {}, {}, nullptr, nullptr, test::Sigmoid()};
    }
    const Floats vh = sizes.U();
    gru.output_gate_input_gate_weights = test::OrNull(vh);
    const Owned owned(pymps_engine_gru_create(&gru));
    const bool has_recurrent_gate = !u[2].empty(); // r acts through Uh alone
    for (size_t g = 0; g < 3; ++g) {
        CheckRead(owned, g, 0, g == 1 && !has_recurrent_gate ? Floats() : w[g], sizes.half);
        CheckRead(owned, g, 1, g == 1 && !has_recurrent_gate ? Floats() : u[g], sizes.half);
    }
    CheckRead(owned, 2, 2, vh, sizes.half);
}

void TestLstm() {
    const Sizes sizes;
    Floats w[4], u[4], v[4];
    pymps_engine_lstm lstm = {};
    lstm.inputs = sizes.inputs;
    lstm.outputs = sizes.outputs;
    lstm.half_weights = sizes.half;
    lstm.memory_is_diagonal = test::Chance(0.5);
    pymps_engine_gate *const gates[] = {&lstm.input_gate, &lstm.forget_gate, &lstm.cell_gate, &lstm.output_gate};
    bool has_diagonal = false;
    for (size_t g = 0; g < 4; ++g) {
        w[g] = sizes.W();
        u[g] = sizes.U();
        v[g] = lstm.memory_is_diagonal ? sizes.Diagonal() : sizes.U();
        has_diagonal = has_diagonal || (lstm.memory_is_diagonal && !v[g].empty());
        *gates[g] = {test::OrNull(w[g]), test::OrNull(u[g]), {}, {}, test::OrNull(v[g]), nullptr, test::Sigmoid()};
    }
    const Owned owned(pymps_engine_lstm_create(&lstm));
    for (size_t g = 0; g < 4; ++g) {
        CheckRead(owned, g, 0, w[g], sizes.half);
        CheckRead(owned, g, 1, u[g], sizes.half);
        const bool kept_as_zeros = has_diagonal && v[g].empty(); // beside vectors that were given
        CheckRead(owned, g, 2, kept_as_zeros ? Floats(sizes.outputs) : v[g], sizes.half);
    }
}

void TestUnitInput() {
    const Floats w = test::Random(9, 1);
    pymps_engine_single_gate description = {3, 3, true, false, {}};
    description.gate.input_weights = w.data();
    const Owned owned(pymps_engine_single_gate_create(&description));
    CheckRead(owned, 0, 0, Floats(), false);
}

} // namespace

int main() {
    test::ForEachTarget([] {
        for (int i = 0; i < 40; ++i) {
            TestSingleGate();
            TestGru();
            TestLstm();
        }
        TestUnitInput();
    });
    return test::Report();
}
