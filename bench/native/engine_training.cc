/* How long a forward pass and a gradient of an LSTM take, and how near to the peak of the machine's multiply-adds. */
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "engine/memory.h"
#include "engine/training.h"

namespace {

using pymps::engine::AlignedArray;
using pymps::engine::AllocateAligned;

constexpr size_t kSteps = 50, kRows = 32, kGates = 4;

/* Milliseconds of one call: the best of many, as other work on the machine only ever adds. */
template <class Function> double Milliseconds(Function f) {
    using Clock = std::chrono::steady_clock;
    const Clock::time_point start = Clock::now();
    const auto since = [](Clock::time_point begin) {
        return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
    };
    double best = 1e9;
    for (int i = 0; i < 20 || since(start) < 1500; ++i) {
        const Clock::time_point begin = Clock::now();
        f();
        best = std::min(best, since(begin));
    }
    return best;
}

struct Weights {
    std::vector<float> w, u, b;
    pymps_engine_training_weights view = {};

    Weights(size_t inputs, size_t outputs)
        : w(kGates * outputs * inputs, 0.01f), u(kGates * outputs * outputs, -0.01f), b(kGates * outputs, 0.1f) {
        for (size_t gate = 0; gate < kGates; ++gate) {
            view.matrices[gate][0] = {&w[gate * outputs * inputs], outputs, inputs * 4, PYMPS_ENGINE_FLOAT32};
            view.matrices[gate][1] = {&u[gate * outputs * outputs], outputs, outputs * 4, PYMPS_ENGINE_FLOAT32};
            view.matrices[gate][3] = {&b[gate * outputs], 1, outputs * 4, PYMPS_ENGINE_FLOAT32};
        }
    }
};

struct Matrices {
    std::vector<float> values;
    std::vector<pymps_engine_matrix> views;

    explicit Matrices(size_t columns) : values(kSteps * kRows * columns) {
        for (size_t i = 0; i < values.size(); ++i)
            values[i] = static_cast<float>(std::rand()) / static_cast<float>(RAND_MAX) - 0.5f;
        for (size_t step = 0; step < kSteps; ++step)
            views.push_back({&values[step * kRows * columns], kRows, columns * 4, PYMPS_ENGINE_FLOAT32});
    }
};

void Measure(size_t inputs, size_t outputs, pymps_engine_team *team) {
    Weights weights(inputs, outputs), gradients(inputs, outputs);
    const float *w = weights.w.data(), *b = weights.b.data();
    const pymps_engine_gate sigmoid = {w, w, {}, {}, nullptr, b, {3, 0, 0, 0, nullptr}};
    const pymps_engine_gate tanh = {w, w, {}, {}, nullptr, b, {5, 1, 1, 0, nullptr}};
    const pymps_engine_lstm lstm = {
        inputs, outputs, false, false, false, sigmoid, sigmoid, tanh, sigmoid, {5, 1, 1, 0, nullptr}, {}, {}, {}};
    pymps_engine_training *training = pymps_engine_lstm_training_create(&lstm);
    Matrices x(inputs), dx(inputs), y(outputs), dy(outputs);
    const size_t tape_bytes = pymps_engine_training_tape_bytes(training, kRows);
    const AlignedArray<char> tape = AllocateAligned<char>(kSteps * tape_bytes);
    const size_t workspace_bytes = pymps_engine_training_workspace_bytes(training, kSteps, kRows);
    const AlignedArray<char> workspace = AllocateAligned<char>(workspace_bytes);
    std::vector<void *> tapes;
    for (size_t step = 0; step < kSteps; ++step)
        tapes.push_back(tape.get() + step * tape_bytes);

    const pymps_engine_sequence sequence = {kSteps, x.views.data(), y.views.data(), nullptr, nullptr, 0, false, 0, 0};
    const pymps_engine_gradient gradient = {kSteps,          x.views.data(), tapes.data(), dy.views.data(),
                                            dx.views.data(), nullptr,        nullptr,      0,
                                            &gradients.view, false};
    const double forward = Milliseconds([&] {
        pymps_engine_training_forward(training, &weights.view, &sequence, tapes.data(), workspace.get(), team);
    });
    const double back = Milliseconds(
        [&] { pymps_engine_training_gradient(training, &weights.view, &gradient, workspace.get(), team); });
    const double flops = 2.0 * kSteps * kRows * kGates * double(outputs * (inputs + outputs)) * 1e-6;
    std::printf("%6zu %7zu | %7.3f %8.1f | %8.3f %8.1f | %5.1f %9.1f\n", inputs, outputs, forward, flops / forward,
                back, 2 * flops / back, 1e-6 * double(kSteps * tape_bytes), 1e-6 * double(workspace_bytes));
    pymps_engine_training_destroy(training);
}

} // namespace

/* On as many threads as the argument says, or on one; on the instruction set of the environment's choice. */
int main(int argc, char **argv) {
    const char *target = std::getenv("PYMPS_PORTABLE_TARGET");
    if (target != nullptr && *target != '\0' && !pymps_engine_set_target(target)) {
        std::fprintf(stderr, "PYMPS_PORTABLE_TARGET: %s is not for this machine\n", target);
        return 1;
    }
    const size_t threads = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 1;
    pymps_engine_team *team = pymps_engine_team_create(threads);
    std::printf("Training an LSTM on %s, T=%zu, B=%zu, threads: %zu\n", pymps_engine_target(), kSteps, kRows, threads);
    std::printf("inputs outputs | forward  GFLOP/s | gradient  GFLOP/s |  tape workspace\n");
    std::printf("               |      ms          |       ms          |    MB        MB\n");
    for (const auto &size : {std::pair<size_t, size_t>{16, 16}, {64, 64}, {64, 128}, {128, 256}, {256, 512}})
        Measure(size.first, size.second, team);
    pymps_engine_team_destroy(team);
    return 0;
}
