/* How long a step of a layer takes, next to one read of as many bytes as its weights have: no step can be faster. */
#include "engine/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "../bench/native/engine_step.cc"
#include "hwy/foreach_target.h"

#include <algorithm>
#include <chrono>
#include <cctype>
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

/* The sum of `count` floats, a multiple of 8 vectors: as fast as memory yields them. */
float ReadAll(const float *from, size_t count) {
    namespace hn = hwy::HWY_NAMESPACE;
    const hn::ScalableTag<float> d;
    constexpr size_t kSums = 8, kLanes = hn::MaxLanes(d);
    hn::Vec<decltype(d)> sums[kSums];
    for (auto &sum : sums)
        sum = hn::Zero(d);
    for (size_t i = 0; i < count; i += kSums * kLanes) {
        for (size_t s = 0; s < kSums; ++s)
            sums[s] = hn::Add(sums[s], hn::Load(d, from + i + s * kLanes));
    }
    for (size_t s = 1; s < kSums; ++s)
        sums[0] = hn::Add(sums[0], sums[s]);
    return hn::GetLane(hn::SumOfLanes(d, sums[0]));
}

} // namespace HWY_NAMESPACE
} // namespace bench
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace bench {

HWY_EXPORT(ReadAll);

using pymps::engine::AlignedArray;
using pymps::engine::AllocateAligned;

volatile float sink;

/* Nanoseconds of one call: the best batch of many, as other work on the machine only ever adds. */
template <class Function> double Nanoseconds(Function f) {
    using Clock = std::chrono::steady_clock;
    const auto since = [](Clock::time_point start) {
        return std::chrono::duration<double, std::nano>(Clock::now() - start).count();
    };
    const auto time = [&](size_t calls) {
        const Clock::time_point start = Clock::now();
        for (size_t i = 0; i < calls; ++i)
            f();
        return since(start) / double(calls);
    };
    const Clock::time_point start = Clock::now();
    const size_t calls = std::max(size_t{1}, static_cast<size_t>(3e5 / (time(3) + 1)));
    double best = time(calls);
    for (int batch = 0; batch < 200 && since(start) < 2e9; ++batch)
        best = std::min(best, time(calls));
    return best;
}

double ReadTime(size_t bytes) {
    const size_t count = bytes / sizeof(float);
    const AlignedArray<float> memory = AllocateAligned<float>(count);
    std::fill_n(memory.get(), count, 0.0f);
    return Nanoseconds([&] { sink = HWY_DYNAMIC_DISPATCH(ReadAll)(memory.get(), count); });
}

/* What the layers are made of. All gates share their weights: the engine packs a copy for each. */
struct Weights {
    std::vector<float> w, u, b;

    Weights(size_t inputs, size_t outputs)
        : w(outputs * inputs, 0.01f), u(outputs * outputs, -0.01f), b(outputs, 0.1f) {}
    pymps_engine_gate Sigmoid() const { return {w.data(), u.data(), {}, {}, nullptr, b.data(), {3, 0, 0, 0, nullptr}}; }
    pymps_engine_gate TanH() const { return {w.data(), u.data(), {}, {}, nullptr, b.data(), {5, 1, 1, 0, nullptr}}; }
};

pymps_engine_layer *NewLstm(size_t inputs, size_t outputs, bool half) {
    const Weights weights(inputs, outputs);
    const pymps_engine_gate sigmoid = weights.Sigmoid(), tanh = weights.TanH();
    const pymps_engine_lstm lstm = {
        inputs, outputs, false, false, half, sigmoid, sigmoid, tanh, sigmoid, {5, 1, 1, 0, nullptr}, {}, {}, {}};
    return pymps_engine_lstm_create(&lstm);
}

pymps_engine_layer *NewGru(size_t inputs, size_t outputs, bool half) {
    const Weights weights(inputs, outputs);
    const pymps_engine_gate sigmoid = weights.Sigmoid();
    const pymps_engine_gru gru = {inputs,  outputs, false, half, sigmoid, sigmoid, weights.TanH(),
                                  nullptr, 1,       false, {},   {},      {}};
    return pymps_engine_gru_create(&gru);
}

pymps_engine_layer *NewSingleGate(size_t inputs, size_t outputs, bool half) {
    const Weights weights(inputs, outputs);
    const pymps_engine_single_gate single_gate = {inputs, outputs, false, half, weights.TanH(), {}, {}};
    return pymps_engine_single_gate_create(&single_gate);
}

struct Kind {
    const char *name;
    size_t gates;
    pymps_engine_layer *(*create)(size_t inputs, size_t outputs, bool half);
};

double RunTime(const Kind &kind, size_t inputs, size_t outputs, bool half, size_t steps, size_t rows,
               pymps_engine_team *team) {
    pymps_engine_layer *layer = kind.create(inputs, outputs, half);
    std::vector<float> x(steps * rows * inputs, 0.5f), y(steps * rows * outputs);
    const size_t count = rows * outputs;
    const AlignedArray<float> memory = AllocateAligned<float>(4 * pymps::engine::RoundUp(count, 16));
    std::fill_n(memory.get(), 4 * pymps::engine::RoundUp(count, 16), 0.0f);
    pymps_engine_state states[2];
    for (size_t i = 0; i < 2; ++i)
        states[i] = {memory.get() + 2 * i * pymps::engine::RoundUp(count, 16),
                     memory.get() + (2 * i + 1) * pymps::engine::RoundUp(count, 16), outputs};
    std::vector<pymps_engine_matrix> sources, destinations;
    for (size_t step = 0; step < steps; ++step) {
        sources.push_back({x.data() + step * rows * inputs, rows, inputs * 4, PYMPS_ENGINE_FLOAT32});
        destinations.push_back({y.data() + step * rows * outputs, rows, outputs * 4, PYMPS_ENGINE_FLOAT32});
    }
    // As a stream does: two states and two directions in turn.
    pymps_engine_sequence sequence = {steps, sources.data(), destinations.data(), &states[0], &states[1], 1, false, 0,
                                      0};
    const AlignedArray<char> workspace = AllocateAligned<char>(pymps_engine_workspace_bytes(layer, steps, rows));
    const double time = Nanoseconds([&] {
        pymps_engine_layer_run(layer, &sequence, workspace.get(), team);
        std::swap(states[0], states[1]);
        sequence.descending = !sequence.descending;
    });
    pymps_engine_layer_destroy(layer);
    return time / double(steps);
}

void Measure(const Kind &kind, pymps_engine_team *team) {
    const size_t sizes[][2] = {{16, 16}, {64, 64}, {64, 128}, {128, 256}, {256, 512}, {512, 1024}};
    std::printf("%s on %s, nanoseconds per step\n", kind.name, pymps_engine_target());
    std::printf("inputs outputs weights |    read    T=1 B=1   goal | T=100 B=1 | T=50 B=32  GFLOP/s\n");
    for (const auto &size : sizes) {
        const size_t inputs = size[0], outputs = size[1], count = kind.gates * outputs * (inputs + outputs);
        for (const bool half : {false, true}) {
            const double read = ReadTime(count * (half ? 2 : 4));
            const double step = RunTime(kind, inputs, outputs, half, 1, 1, team), goal = 1.15 * read + 150;
            const double sequence = RunTime(kind, inputs, outputs, half, 100, 1, team);
            const double batch = RunTime(kind, inputs, outputs, half, 50, 32, team);
            std::printf("%6zu %7zu %7s | %7.0f %10.0f %6.2f | %9.0f | %9.0f %8.1f\n", inputs, outputs,
                        half ? "float16" : "float32", read, step, step / goal, sequence, batch,
                        2.0 * 32 * double(count) / batch);
        }
    }
}

/* Measures the kinds that are named, or all, on as many threads as a number says, or on one, and on the instruction set
 * of the environment's choice. */
int Main(int count, char **names) {
    const char *target = std::getenv("PYMPS_PORTABLE_TARGET");
    if (target != nullptr && *target != '\0' && !pymps_engine_set_target(target)) {
        std::fprintf(stderr, "PYMPS_PORTABLE_TARGET: %s is not for this machine\n", target);
        return 1;
    }
    size_t threads = 1;
    if (count > 0 && std::isdigit(names[0][0])) {
        threads = std::strtoul(*names++, nullptr, 10);
        --count;
    }
    pymps_engine_team *team = pymps_engine_team_create(threads);
    for (const Kind &kind : {Kind{"lstm", 4, NewLstm}, Kind{"gru", 3, NewGru}, Kind{"single_gate", 1, NewSingleGate}}) {
        const auto is_kind = [&](const char *name) { return std::strcmp(name, kind.name) == 0; };
        if (count == 0 || std::any_of(names, names + count, is_kind))
            Measure(kind, team);
    }
    pymps_engine_team_destroy(team);
    return 0;
}

} // namespace bench

int main(int argc, char **argv) {
    return bench::Main(argc - 1, argv + 1);
}

#endif
