/* How long a step of a convolutional layer takes, and what share of the machine's multiply-adds that is. */
#include "engine/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "../bench/native/engine_image.cc"
#include "hwy/foreach_target.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "engine/engine.h"
#include "engine/memory.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace bench {
namespace HWY_NAMESPACE {

/* Independent chains of multiply-adds, enough to hide their latency; returns how many operations that were. */
double MultiplyAdd(size_t count, float *result) {
    namespace hn = hwy::HWY_NAMESPACE;
    const hn::ScalableTag<float> d;
    constexpr size_t kChains = 12;
    const auto factor = hn::Set(d, result[0]), term = hn::Set(d, result[1]);
    hn::Vec<decltype(d)> chains[kChains];
#pragma clang loop unroll(full)
    for (size_t chain = 0; chain < kChains; ++chain)
        chains[chain] = hn::Set(d, static_cast<float>(chain));
    for (size_t i = 0; i < count; ++i) {
#pragma clang loop unroll(full)
        for (size_t chain = 0; chain < kChains; ++chain)
            chains[chain] = hn::MulAdd(chains[chain], factor, term);
    }
#pragma clang loop unroll(full)
    for (size_t chain = 1; chain < kChains; ++chain)
        chains[0] = hn::Add(chains[0], chains[chain]);
    result[2] = hn::GetLane(hn::SumOfLanes(d, chains[0]));
    return 2.0 * double(count * kChains * hn::Lanes(d));
}

} // namespace HWY_NAMESPACE
} // namespace bench
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace bench {

HWY_EXPORT(MultiplyAdd);

using pymps::engine::AlignedArray;
using pymps::engine::AllocateAligned;
using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

/* Of one call: the best of those of a second, as other work on the machine only ever adds. */
template <class Function> double Seconds(Function f) {
    const Clock::time_point start = Clock::now();
    double best = 1e9;
    while (SecondsSince(start) < 1) {
        const Clock::time_point before = Clock::now();
        f();
        best = std::min(best, SecondsSince(before));
    }
    return best;
}

/* GFLOP/s of one core. */
double Peak() {
    float numbers[] = {0.999f, 0.001f, 0};
    double operations = 0;
    const double seconds = Seconds([&] { operations = HWY_DYNAMIC_DISPATCH(MultiplyAdd)(size_t{100000}, numbers); });
    return operations / seconds * 1e-9;
}

struct Size {
    size_t width, height, inputs, outputs;
};

constexpr pymps_engine_window kWindow = {3, 3, 1, 1};
constexpr pymps_engine_neuron kSigmoid = {3, 0, 0, 0, nullptr}, kTanH = {5, 1, 1, 0, nullptr};

/* All gates share their weights: the engine packs a copy for each. */
pymps_engine_layer *NewLstm(const Size &size) {
    const std::vector<float> w(size.outputs * 9 * size.inputs, 0.01f), u(size.outputs * 9 * size.outputs, -0.01f);
    const pymps_engine_gate sigmoid = {w.data(), u.data(), {}, {}, nullptr, nullptr, kSigmoid};
    pymps_engine_lstm lstm = {};
    lstm.inputs = size.inputs;
    lstm.outputs = size.outputs;
    lstm.input_gate = lstm.forget_gate = lstm.cell_gate = lstm.output_gate = sigmoid;
    lstm.cell_gate.neuron = lstm.cell_to_output = kTanH;
    lstm.input_window = lstm.recurrent_window = kWindow;
    return pymps_engine_lstm_create(&lstm);
}

pymps_engine_layer *NewGru(const Size &size) {
    const std::vector<float> w(size.outputs * 9 * size.inputs, 0.01f), u(size.outputs * 9 * size.outputs, -0.01f);
    const pymps_engine_gate sigmoid = {w.data(), u.data(), {}, {}, nullptr, nullptr, kSigmoid};
    pymps_engine_gru gru = {};
    gru.inputs = size.inputs;
    gru.outputs = size.outputs;
    gru.input_gate = gru.recurrent_gate = gru.output_gate = sigmoid;
    gru.output_gate.neuron = kTanH;
    gru.gate_pnorm = 1;
    gru.input_window = gru.recurrent_window = kWindow;
    return pymps_engine_gru_create(&gru);
}

struct Kind {
    const char *name;
    size_t gates;
    pymps_engine_layer *(*create)(const Size &size);
};

/* A step of a stream: two states in turn. */
double StepSeconds(const Kind &kind, const Size &size, pymps_engine_team *team) {
    pymps_engine_layer *layer = kind.create(size);
    const size_t pixels = size.width * size.height, count = pixels * size.outputs;
    const std::vector<float> values(pixels * size.inputs, 0.5f);
    std::vector<float> results(count);
    const AlignedArray<float> memory = AllocateAligned<float>(4 * count);
    std::fill_n(memory.get(), 4 * count, 0.0f);
    pymps_engine_state states[2];
    for (size_t i = 0; i < 2; ++i)
        states[i] = {memory.get() + 2 * i * count, memory.get() + (2 * i + 1) * count, size.outputs};
    const pymps_engine_matrix x = {const_cast<float *>(values.data()), pixels, size.inputs * 4, PYMPS_ENGINE_FLOAT32};
    const pymps_engine_matrix y = {results.data(), pixels, size.outputs * 4, PYMPS_ENGINE_FLOAT32};
    const pymps_engine_sequence sequence = {1, &x, &y, &states[0], &states[1], 1, false, size.width, size.height};
    const AlignedArray<char> workspace =
        AllocateAligned<char>(pymps_engine_image_workspace_bytes(layer, size.width, size.height, 1));
    const double seconds = Seconds([&] {
        pymps_engine_layer_run(layer, &sequence, workspace.get(), team);
        std::swap(states[0], states[1]);
    });
    pymps_engine_layer_destroy(layer);
    return seconds;
}

/* On the instruction set of the environment's choice. */
int Main() {
    const char *target = std::getenv("PYMPS_PORTABLE_TARGET");
    if (target != nullptr && *target != '\0' && !pymps_engine_set_target(target)) {
        std::fprintf(stderr, "PYMPS_PORTABLE_TARGET: %s is not for this machine\n", target);
        return 1;
    }
    const double peak = Peak();
    std::printf("%s: %.1f GFLOP/s are one core's peak\n", pymps_engine_target(), peak);
    std::printf("layer    image  in out threads |      ms GFLOP/s  of peak\n");
    for (const Kind &kind : {Kind{"lstm", 4, NewLstm}, Kind{"gru", 3, NewGru}}) {
        for (const Size &size : {Size{64, 64, 16, 16}, Size{32, 32, 64, 64}, Size{64, 64, 1, 32}}) {
            for (size_t threads : {1, 2}) {
                pymps_engine_team *team = pymps_engine_team_create(threads);
                const double seconds = StepSeconds(kind, size, team);
                const double operations = 2.0 * double(kind.gates * 9 * size.width * size.height * size.outputs *
                                                       (size.inputs + size.outputs));
                std::printf("%-6s %3zux%-3zu %3zu %3zu %7zu | %7.3f %7.1f %7.1f%%\n", kind.name, size.width,
                            size.height, size.inputs, size.outputs, threads, seconds * 1e3, operations / seconds * 1e-9,
                            100 * operations / seconds * 1e-9 / (peak * double(threads)));
                pymps_engine_team_destroy(team);
            }
        }
    }
    return 0;
}

} // namespace bench

int main() {
    return bench::Main();
}

#endif
