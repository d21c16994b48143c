/* The training layer: its forward pass against a float64 transcription, its gradients against finite differences of
 * that. */
#include "engine_training_problem.h"

namespace {

using test::At;
using test::Below;
using test::Chance;
using test::Check;
using test::Doubles;
using test::Kind;
using test::Matrix;
using test::Model;
using test::Problem;
using test::SameBits;
using test::TrainingResults;
using test::TrainingState;

constexpr double kStep = 1e-5; // of finite differences

double Tolerance(pymps_engine_type type) {
    return type == PYMPS_ENGINE_FLOAT32 ? 2e-5 : 1e-3;
}

// Compares some elements of a gradient, and its product with a random direction, with finite differences of the loss
// in the values that it belongs to.
void CheckGradient(Problem &problem, const Matrix &gradient, Doubles *values, const char *name) {
    double scale = 1;
    for (size_t i = 0; i < values->size(); ++i)
        scale = std::max(scale, std::fabs(At(gradient, i / gradient.columns, i % gradient.columns)));
    const auto slope = [&](const Doubles &direction) {
        const Doubles before = *values;
        double loss[2];
        for (int side = 0; side < 2; ++side) {
            for (size_t i = 0; i < values->size(); ++i)
                (*values)[i] = before[i] + (side ? kStep : -kStep) * direction[i];
            loss[side] = problem.Loss();
        }
        *values = before;
        return (loss[1] - loss[0]) / (2 * kStep);
    };
    const auto check = [&](const Doubles &direction, double norm) {
        double actual = 0;
        for (size_t i = 0; i < values->size(); ++i)
            actual += direction[i] * At(gradient, i / gradient.columns, i % gradient.columns);
        const double expected = slope(direction), error = std::fabs(actual - expected) / (norm * scale);
        Check(error <= Tolerance(gradient.type), "%s is off by %.2g of %.2g (steps %zu, rows %zu..%zu; %s)", name,
              error, scale, problem.steps(), problem.rows.front(), problem.rows.back(), problem.model.About().c_str());
    };
    for (int i = 0; i < 4; ++i) {
        Doubles direction(values->size());
        direction[Below(values->size())] = 1;
        check(direction, 1);
    }
    Doubles direction(values->size());
    double norm = 0;
    for (double &v : direction) {
        v = test::Random(1, 1)[0];
        norm += v * v;
    }
    check(direction, std::sqrt(norm));
}

bool IsClose(double actual, double expected, pymps_engine_type type) {
    return std::fabs(actual - expected) <=
           (type == PYMPS_ENGINE_FLOAT32 ? 1e-5 : 1e-3) * std::max(1.0, std::fabs(expected));
}

void CheckForward(Problem &problem, const TrainingResults &results) {
    std::vector<Doubles> y(problem.steps());
    Doubles h, c;
    problem.Loss(&y, &h, &c);
    bool holds = true;
    for (size_t step = 0; step < problem.steps(); ++step) {
        for (size_t i = 0; i < y[step].size(); ++i)
            holds &= IsClose(At(results.y[step], i / problem.model.outputs, i % problem.model.outputs), y[step][i],
                             problem.result_type);
        holds &= results.y[step].GapsUntouched();
    }
    Check(holds, "y (%s)", problem.model.About().c_str());
    const TrainingState &last = results.states.back();
    holds = last.h.GapsUntouched() && last.c.GapsUntouched();
    for (size_t i = 0; i < h.size(); ++i) {
        const size_t row = i / problem.model.outputs, column = i % problem.model.outputs;
        holds &= IsClose(At(last.h, row, column), h[i], PYMPS_ENGINE_FLOAT32);
        if (problem.model.kind == test::kLstm)
            holds &= IsClose(At(last.c, row, column), c[i], PYMPS_ENGINE_FLOAT32);
    }
    Check(holds, "the last state (%s)", problem.model.About().c_str());
}

void CheckGradients(Problem &problem, const TrainingResults &results) {
    Model &model = problem.model;
    bool untouched = true;
    for (size_t gate = 0; gate < model.gates; ++gate) {
        for (size_t part = 0; part < test::kWeights; ++part) {
            const char name[] = {'d', "WUVb"[part], char('0' + gate), 0};
            const Matrix &gradient = results.gradients->Of(gate, part);
            untouched &= gradient.GapsUntouched();
            if (!model.weights[gate][part].empty())
                CheckGradient(problem, gradient, &model.weights[gate][part], name);
        }
    }
    for (size_t step = 0; step < problem.steps(); ++step) {
        CheckGradient(problem, results.dx[step], &problem.x_values[step], "dx");
        untouched &= results.dx[step].GapsUntouched();
    }
    const TrainingState &first = results.state_gradients.front();
    CheckGradient(problem, first.h, &problem.h0, "dh0");
    if (model.kind == test::kLstm)
        CheckGradient(problem, first.c, &problem.c0, "dc0");
    untouched &= first.h.GapsUntouched() && first.c.GapsUntouched();
    Check(untouched, "wrote between the rows (%s)", model.About().c_str());
}

bool SameBits(const TrainingState &a, const TrainingState &b) {
    return SameBits(a.h, b.h) && SameBits(a.c, b.c);
}

bool SameWeights(const TrainingResults &a, const TrainingResults &b) {
    for (size_t i = 0; i < a.gradients->matrices.size(); ++i) {
        if (!SameBits(a.gradients->matrices[i], b.gradients->matrices[i]))
            return false;
    }
    return true;
}

template <class Values> bool AllSame(const Values &a, const Values &b) {
    bool same = a.size() == b.size();
    for (size_t i = 0; same && i < a.size(); ++i)
        same = SameBits(a[i], b[i]);
    return same;
}

// What is not wanted makes no difference to the rest.
void CheckOptions(const pymps_engine_training *training, Problem &problem, const TrainingResults &all) {
    const std::string about = problem.model.About();
    TrainingResults some;
    RunForward(training, problem, 0, &some);
    Check(AllSame(some.y, all.y), "y without states (%s)", about.c_str());
    MakeGradients(problem, 1, &some);
    TrainingState *last = problem.has_last ? &problem.last : nullptr;
    RunGradient(training, problem, &some, 0, problem.steps(), last, &some.state_gradients, false, some.gradients.get(),
                false);
    Check(SameWeights(some, all), "weight gradients without dx (%s)", about.c_str());
    Check(SameBits(some.state_gradients[0], all.state_gradients[0]), "dh0, dc0 alone (%s)", about.c_str());
    RunGradient(training, problem, &some, 0, problem.steps(), last, &some.state_gradients, true, nullptr, false);
    Check(AllSame(some.dx, all.dx), "dx without weight gradients (%s)", about.c_str());
}

// The gradient in two calls, the later steps first. `later` leads on from what the first call returns.
void CheckSplit(const pymps_engine_training *training, Problem &problem, const TrainingResults &whole) {
    const size_t split = 1 + Below(problem.steps() - 1);
    const std::string about = problem.model.About();
    TrainingResults parts;
    RunForward(training, problem, 1, &parts);
    MakeGradients(problem, 1, &parts);
    TrainingState later = problem.last; // of its first rows, those that step `split` has
    if (!problem.has_last) {
        Fill(&later.h, 0);
        Fill(&later.c, 0);
    }
    std::vector<TrainingState> between(1, TrainingState(problem.rows[split], problem.model, problem.gap));
    RunGradient(training, problem, &parts, split, problem.steps(), problem.has_last ? &problem.last : nullptr, &between,
                true, parts.gradients.get(), false);
    for (size_t row = 0; row < problem.rows[split]; ++row) {
        for (size_t o = 0; o < problem.model.outputs; ++o) {
            later.h.Set(row, o, static_cast<float>(At(between[0].h, row, o)));
            later.c.Set(row, o, static_cast<float>(At(between[0].c, row, o)));
        }
    }
    RunGradient(training, problem, &parts, 0, split, &later, &parts.state_gradients, true, parts.gradients.get(), true);
    bool same = true;
    for (size_t row = 0; row < problem.rows[split]; ++row) {
        for (size_t o = 0; o < problem.model.outputs; ++o)
            same &= IsClose(At(between[0].h, row, o), At(whole.state_gradients[split].h, row, o), PYMPS_ENGINE_FLOAT32);
    }
    Check(same, "dL/dh between the parts (%s)", about.c_str());
    CheckGradients(problem, parts);
}

void TestRandom(Kind kind) {
    static const size_t sizes[] = {1, 2, 3, 5, 8, 9, 16, 17, 23};
    for (int i = 0; i < 100; ++i) {
        const pymps_engine_type type = test::RandomType(0.3);
        Model model(kind, sizes[Below(9)], sizes[Below(9)], type == PYMPS_ENGINE_FLOAT16, /*bounded=*/false);
        Problem problem(model, type, 1 + Below(5), 1 + Below(i % 4 == 0 ? 15 : 4));
        pymps_engine_training *training = model.Create();
        if (!Check(training != nullptr, "create"))
            return;
        const TrainingResults results = Train(training, problem, problem.steps());
        CheckForward(problem, results);
        CheckGradients(problem, results);
        CheckOptions(training, problem, results);
        if (problem.steps() > 1)
            CheckSplit(training, problem, results);
        pymps_engine_training_destroy(training);
    }
}

// Sizes that cross the limits of panels and chunks.
void TestLarge(Kind kind) {
    for (const auto &size : {std::vector<size_t>{40, 70, 3, 20}, {70, 66, 2, 9}, {6, 10, 90, 5}, {3, 4, 2, 300}}) {
        Model model(kind, size[0], size[1], /*half=*/false, /*bounded=*/true);
        Problem problem(model, PYMPS_ENGINE_FLOAT32, size[2], size[3]);
        pymps_engine_training *training = model.Create();
        const TrainingResults results = Train(training, problem, problem.steps());
        CheckForward(problem, results);
        CheckGradients(problem, results);
        pymps_engine_training_destroy(training);
    }
}

// f'(x) as the engine has it: of a layer that is a bias and its neuron, whose y has the gradient 1.
double Slope(const pymps_engine_neuron &neuron, float x) {
    Model model(test::kSingleGate, 1, 1, /*half=*/false, /*bounded=*/true);
    model.unit_input = false;
    for (Doubles &weights : model.weights[0])
        weights.clear();
    model.weights[0][PYMPS_ENGINE_BIAS] = {x};
    model.neurons[0] = neuron;
    Problem problem(model, PYMPS_ENGINE_FLOAT32, 1, 1);
    problem.has_initial = problem.has_last = false;
    problem.result_type = PYMPS_ENGINE_FLOAT32;
    problem.dy = {Matrix(1, 1, PYMPS_ENGINE_FLOAT32, 0)};
    problem.dy[0].floats = {1};
    pymps_engine_training *training = model.Create();
    const TrainingResults results = Train(training, problem, 1);
    pymps_engine_training_destroy(training);
    return At(results.gradients->Of(0, PYMPS_ENGINE_BIAS), 0, 0);
}

void TestSlopes() {
    const float prelu_slope = -0.375f;
    const pymps_engine_neuron neurons[] = {
        {0, 0, 0, 0, nullptr},        {1, -0.25f, 0, 0, nullptr},      {1, 0, 0, 0, nullptr},
        {2, 0.5f, 0.25f, 0, nullptr}, {3, 0, 0, 0, nullptr},           {4, 0.25f, 0.5f, 0, nullptr},
        {5, 0.5f, 2, 0, nullptr},     {5, 0, 1, 0, nullptr},           {5, 1e30f, 0x1p-4f, 0, nullptr},
        {5, 3e38f, 0.5f, 0, nullptr}, {5, 1e30f, 1e10f, 0, nullptr},   {6, 0, 0, 0, nullptr},
        {7, 0.25f, 2, 0, nullptr},    {8, 0, 0, 0, nullptr},           {9, -0.5f, 0, 0, nullptr},
        {10, 0, 0, 0, &prelu_slope},  {11, -0.25f, 0.75f, 0, nullptr}, {12, 0.5f, 4, 2.5f, nullptr},
        {13, -1, -1, -1, nullptr},    {13, 1, -1, 2, nullptr},         {14, 1, 7.5f, -1, nullptr},
        {14, 1, 7.5f, 10, nullptr},   {15, 0, 0, 0, nullptr}};
    for (const pymps_engine_neuron &neuron : neurons) {
        for (const float x : {-7.0f, -2.75f, -1.0f, -0.3f, -0.01f, 0.02f, 0.4f, 0.875f, 1.5f, 3.0f, 6.0f}) {
            const double expected =
                (neuron_formula(neuron, x + kStep, 0) - neuron_formula(neuron, x - kStep, 0)) / (2 * kStep);
            const double actual = Slope(neuron, x);
            Check(std::fabs(actual - expected) <= 1e-6 * std::max(1.0, std::fabs(expected)),
                  "neuron %d (%g, %g, %g): the slope at %g is %.9g, not %.9g", neuron.type, neuron.a, neuron.b,
                  neuron.c, x, actual, expected);
        }
    }
    // Where there is a corner.
    const struct {
        pymps_engine_neuron neuron;
        float x;
        double slope;
    } exact[] = {{{1, 0.25f, 0, 0, nullptr}, 0, 1},
                 {{6, 0, 0, 0, nullptr}, 0, 0},
                 {{9, 0.5f, 0, 0, nullptr}, 0, 1},
                 {{11, 0.25f, 6, 0, nullptr}, 6, 0},
                 {{11, 0.25f, 6, 0, nullptr}, 0, 1},
                 {{4, 0.25f, 0.5f, 0, nullptr}, 2, 0.25},
                 {{4, 0.25f, 0.5f, 0, nullptr}, -2, 0.25},
                 // Where a * a is no float.
                 {{5, 0x1p-90f, 4, 0, nullptr}, 0, 0x1p-88},
                 {{5, -0x1p-127f, 1, 0, nullptr}, 0, -0x1p-127},
                 {{5, 0x1p100f, -0.5f, 0, nullptr}, 0, -0x1p99},
                 {{5, 1e30f, 1e-3f, 0, nullptr}, 1e10f, 0}, // saturated
                 {{5, 1.7159f, 1, 0, nullptr}, 20, 0}};
    for (const auto &point : exact)
        Check(Slope(point.neuron, point.x) == point.slope, "neuron %d (%g, %g): the slope at %g", point.neuron.type,
              point.neuron.a, point.neuron.b, point.x);
}

void TestTeams(Kind kind) {
    const std::unique_ptr<pymps_engine_team, void (*)(pymps_engine_team *)> teams[] = {
        {pymps_engine_team_create(2), pymps_engine_team_destroy},
        {pymps_engine_team_create(3), pymps_engine_team_destroy}};
    for (const auto &size : {std::vector<size_t>{40, 70, 9, 33}, {64, 64, 20, 4}, {30, 100, 30, 13}}) {
        Model model(kind, size[0], size[1], /*half=*/false, /*bounded=*/true);
        Problem problem(model, PYMPS_ENGINE_FLOAT32, size[2], size[3]);
        pymps_engine_training *training = model.Create();
        const TrainingResults alone = Train(training, problem, 1);
        for (const auto &team : teams) {
            const TrainingResults shared = Train(training, problem, 1, team.get());
            Check(AllSame(alone.y, shared.y) && AllSame(alone.dx, shared.dx) && AllSame(alone.states, shared.states) &&
                      AllSame(alone.state_gradients, shared.state_gradients) && SameWeights(alone, shared),
                  "%zu threads: other results than of one (%s)", &team - teams + 2, model.About().c_str());
        }
        pymps_engine_training_destroy(training);
    }
}

} // namespace

int main() {
    test::ForEachTarget([] {
        TestSlopes();
        test::random_bits.seed(20240229);
        for (const Kind kind : {test::kLstm, test::kGru, test::kSingleGate}) {
            TestRandom(kind);
            TestLarge(kind);
            TestTeams(kind);
        }
    });
    return test::Report();
}
