/* Random sequences to train on: run by the engine, and their loss in float64. */
#ifndef PYMPS_TESTS_ENGINE_TRAINING_PROBLEM_H
#define PYMPS_TESTS_ENGINE_TRAINING_PROBLEM_H

#include "engine_training_model.h"

namespace test {

inline double At(const Matrix &matrix, size_t row, size_t column) {
    const size_t i = row * matrix.row_elements + column;
    if (matrix.type == PYMPS_ENGINE_FLOAT32)
        return matrix.floats[i];
    const int bits = matrix.halves[i], exponent = bits >> 10 & 31, fraction = bits & 1023;
    const double magnitude = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
    return bits & 0x8000 ? -magnitude : magnitude;
}

inline pymps_engine_type RandomType(double half_chance) {
    return Chance(half_chance) ? PYMPS_ENGINE_FLOAT16 : PYMPS_ENGINE_FLOAT32;
}

// Row by row, as they were put into the matrix.
inline Doubles Fill(Matrix *matrix, double deviation) {
    Doubles values;
    for (size_t i = 0; i < matrix->rows * matrix->columns; ++i) {
        const float value = Random(1, deviation)[0];
        values.push_back(matrix->type == PYMPS_ENGINE_FLOAT32 ? value : RoundToHalf(value));
        matrix->Set(i / matrix->columns, i % matrix->columns, static_cast<float>(values.back()));
    }
    return values;
}

// h and c of some rows, or their gradients.
struct TrainingState {
    Matrix h, c;
    bool has_memory_cell;

    TrainingState(size_t rows, const Model &model, size_t gap)
        : h(rows, model.outputs, PYMPS_ENGINE_FLOAT32, gap), c(rows, model.outputs, PYMPS_ENGINE_FLOAT32, gap),
          has_memory_cell(model.kind == kLstm) {}
    pymps_engine_state View() { return {h.floats.data(), has_memory_cell ? c.floats.data() : nullptr, h.row_elements}; }
};

struct FreeMemory {
    void operator()(void *memory) const { ::operator delete(memory, std::align_val_t(64)); }
};
using Memory = std::unique_ptr<void, FreeMemory>;

// Exactly as much as was asked for, so that the sanitizer sees what goes beyond; and never zeros.
inline Memory Allocate(size_t bytes) {
    Memory memory(::operator new(bytes, std::align_val_t(64)));
    std::memset(memory.get(), 0xFF, bytes);
    return memory;
}

// One matrix for each weight that a model has.
struct WeightMatrices {
    std::vector<Matrix> matrices;
    pymps_engine_training_weights view = {};

    WeightMatrices(const WeightMatrices &) = delete; // the view points to the matrices
    WeightMatrices(const Model &model, pymps_engine_type type, size_t gap) {
        matrices.reserve(kGates * kWeights);
        for (size_t gate = 0; gate < model.gates; ++gate) {
            for (size_t part = 0; part < kWeights; ++part) {
                const Doubles &weights = model.weights[gate][part];
                const bool is_vector = model.IsVector(part);
                const size_t rows = is_vector ? 1 : model.outputs;
                matrices.emplace_back(rows, weights.size() / rows, type, gap);
                for (size_t i = 0; i < weights.size(); ++i)
                    matrices.back().Set(i / matrices.back().columns, i % matrices.back().columns,
                                        static_cast<float>(weights[i]));
                if (!weights.empty())
                    view.matrices[gate][part] = matrices.back().View();
            }
        }
    }
    const Matrix &Of(size_t gate, size_t part) const { return matrices[gate * kWeights + part]; }
};

// A sequence, and what its loss multiplies: L = sum of y * dy, and of each row's last state times `last`.
struct Problem {
    Model &model;
    std::vector<size_t> rows;
    std::vector<Matrix> x, dy;
    std::vector<Doubles> x_values, dy_values;
    TrainingState initial, last;
    Doubles h0, c0, dh_last, dc_last; // zeros where there is no such state
    bool has_initial, has_last;
    size_t gap;
    pymps_engine_type weight_type, result_type;

    Problem(Model &m, pymps_engine_type weights, size_t steps, size_t first_rows)
        : model(m), initial(first_rows, m, Below(3)), last(first_rows, m, Below(3)), has_initial(Chance(0.6)),
          has_last(Chance(0.6)), gap(Below(3)), weight_type(weights), result_type(RandomType(0.2)) {
        const bool shrinks = Chance(0.5);
        const pymps_engine_type x_type = RandomType(0.3), dy_type = RandomType(0.3);
        for (size_t step = 0, count = first_rows; step < steps; ++step) {
            while (shrinks && step > 0 && count > 1 && Chance(0.3))
                --count;
            rows.push_back(count);
            x.emplace_back(count, model.inputs, x_type, gap);
            dy.emplace_back(count, model.outputs, dy_type, gap);
            x_values.push_back(Fill(&x.back(), 1));
            dy_values.push_back(Fill(&dy.back(), 1));
        }
        h0 = Fill(&initial.h, has_initial ? 0.7 : 0);
        c0 = Fill(&initial.c, has_initial ? 0.7 : 0);
        dh_last = Fill(&last.h, has_last ? 0.7 : 0);
        dc_last = Fill(&last.c, has_last ? 0.7 : 0);
    }

    size_t steps() const { return rows.size(); }

    // y and the last states are wanted where they are not NULL.
    double Loss(std::vector<Doubles> *y = nullptr, Doubles *h_last = nullptr, Doubles *c_last = nullptr) const {
        double loss = 0;
        const size_t n = model.outputs;
        for (size_t row = 0; row < rows[0]; ++row) {
            const long begin = long(row * n), end = begin + long(n);
            Doubles h(h0.begin() + begin, h0.begin() + end), c(c0.begin() + begin, c0.begin() + end);
            for (size_t step = 0; step < steps() && row < rows[step]; ++step) {
                model.Step(&x_values[step][row * model.inputs], &h, &c);
                for (size_t o = 0; o < n; ++o)
                    loss += h[o] * dy_values[step][row * n + o];
                if (y != nullptr)
                    (*y)[step].insert((*y)[step].end(), h.begin(), h.end());
            }
            for (size_t o = 0; o < n; ++o)
                loss += h[o] * dh_last[row * n + o] + (model.kind == kLstm ? c[o] * dc_last[row * n + o] : 0);
            if (h_last != nullptr) {
                h_last->insert(h_last->end(), h.begin(), h.end());
                c_last->insert(c_last->end(), c.begin(), c.end());
            }
        }
        return loss;
    }
};

// What the engine makes of a problem.
struct TrainingResults {
    std::vector<Matrix> y, dx;
    std::vector<TrainingState> states, state_gradients;
    std::unique_ptr<WeightMatrices> gradients;
    std::vector<Memory> tapes;
};

template <class Values> auto Views(Values &values, size_t begin = 0) {
    std::vector<decltype(values[0].View())> views;
    for (size_t i = begin; i < values.size(); ++i)
        views.push_back(values[i].View());
    return views;
}

inline void RunForward(const pymps_engine_training *training, Problem &problem, size_t state_count,
                       TrainingResults *results, pymps_engine_team *team = nullptr) {
    const WeightMatrices weights(problem.model, problem.weight_type, problem.gap);
    std::vector<void *> tapes;
    for (const size_t rows : problem.rows) {
        results->y.emplace_back(rows, problem.model.outputs, problem.result_type, problem.gap);
        results->tapes.push_back(Allocate(pymps_engine_training_tape_bytes(training, rows)));
        tapes.push_back(results->tapes.back().get());
    }
    for (size_t i = 0; i < state_count; ++i)
        results->states.emplace_back(problem.rows[0], problem.model, problem.gap);
    const auto x = Views(problem.x), y = Views(results->y);
    const auto states = Views(results->states);
    const pymps_engine_state initial = problem.initial.View();
    const Memory workspace =
        Allocate(pymps_engine_training_workspace_bytes(training, problem.steps(), problem.rows[0]));
    const pymps_engine_sequence sequence = {
        problem.steps(), x.data(), y.data(), problem.has_initial ? &initial : nullptr, states.data(), state_count,
        false,           0,        0};
    pymps_engine_training_forward(training, &weights.view, &sequence, tapes.data(), workspace.get(), team);
}

// Steps [begin, end) of a problem whose forward pass has run. `last` may be NULL, `gradients` and `dx` too.
inline void RunGradient(const pymps_engine_training *training, Problem &problem, TrainingResults *results, size_t begin,
                        size_t end, TrainingState *last, std::vector<TrainingState> *states, bool wants_dx,
                        WeightMatrices *gradients, bool accumulate, pymps_engine_team *team = nullptr) {
    const WeightMatrices weights(problem.model, problem.weight_type, problem.gap);
    std::vector<void *> tapes;
    for (size_t step = begin; step < end; ++step)
        tapes.push_back(results->tapes[step].get());
    const auto x = Views(problem.x, begin), dy = Views(problem.dy, begin), dx = Views(results->dx, begin);
    const auto state_views = Views(*states);
    const pymps_engine_state last_view = last == nullptr ? pymps_engine_state{} : last->View();
    const Memory workspace =
        Allocate(pymps_engine_training_workspace_bytes(training, end - begin, problem.rows[begin]));
    const pymps_engine_gradient gradient = {end - begin,
                                            x.data(),
                                            tapes.data(),
                                            dy.data(),
                                            wants_dx ? dx.data() : nullptr,
                                            last == nullptr ? nullptr : &last_view,
                                            state_views.data(),
                                            states->size(),
                                            gradients == nullptr ? nullptr : &gradients->view,
                                            accumulate};
    pymps_engine_training_gradient(training, &weights.view, &gradient, workspace.get(), team);
}

inline void MakeGradients(Problem &problem, size_t state_count, TrainingResults *results) {
    for (const size_t rows : problem.rows)
        results->dx.emplace_back(rows, problem.model.inputs, problem.result_type, problem.gap);
    for (size_t i = 0; i < state_count; ++i)
        results->state_gradients.emplace_back(problem.rows[0], problem.model, problem.gap);
    results->gradients = std::make_unique<WeightMatrices>(problem.model, problem.result_type, problem.gap);
}

inline TrainingResults Train(const pymps_engine_training *training, Problem &problem, size_t state_count,
                             pymps_engine_team *team = nullptr) {
    TrainingResults results;
    RunForward(training, problem, state_count, &results, team);
    MakeGradients(problem, state_count, &results);
    RunGradient(training, problem, &results, 0, problem.steps(), problem.has_last ? &problem.last : nullptr,
                &results.state_gradients, true, results.gradients.get(), false, team);
    return results;
}

} // namespace test

#endif
