/* The C interface of training: passes against double arithmetic and its differences, weights in and out, optimizers. */
#include "pymps_network.h"

/* ---- In double arithmetic ---- */

/* The loss is the sum of dy * y; `y` is wanted where it is not NULL. */
static double loss(const network *n, const double *inputs, double *y) {
    const float *dy = api->buffer_contents(n->dy);
    double sum = 0;
    for (size_t row = 0; row < ROWS; row++) {
        double h[OUTPUTS] = {0}, c[OUTPUTS] = {0};
        for (size_t step = 0; step < STEPS; step++) {
            size_t place = step * STEP_OUTPUTS + row * OUTPUTS;
            lstm_step(&n->lstm, inputs + step * STEP_INPUTS + row * INPUTS, h, c);
            for (size_t o = 0; o < OUTPUTS; o++) {
                sum += dy[place + o] * h[o];
                if (y != NULL)
                    y[place + o] = h[o];
            }
        }
    }
    return sum;
}

static void inputs_of(const network *n, double *inputs) {
    for (size_t i = 0; i < STEPS * STEP_INPUTS; i++)
        inputs[i] = ((const float *)api->buffer_contents(n->x))[i];
}

static const double delta = 1.0 / 1024; /* which leaves a float exact */

static double slope_by_weight(const network *n, float *weight) {
    double inputs[STEPS * STEP_INPUTS];
    inputs_of(n, inputs);
    float before = *weight;
    *weight = before + (float)delta;
    double above = loss(n, inputs, NULL);
    *weight = before - (float)delta;
    double below = loss(n, inputs, NULL);
    *weight = before;
    return (above - below) / (2 * delta);
}

static double slope_by_input(const network *n, size_t place) {
    double inputs[STEPS * STEP_INPUTS];
    inputs_of(n, inputs);
    inputs[place] += delta;
    double above = loss(n, inputs, NULL);
    inputs[place] -= 2 * delta;
    return (above - loss(n, inputs, NULL)) / (2 * delta);
}

/* ---- Weights ---- */

/* The numbers behind an id, row by row; NULL: the LSTM has none. */
static float *numbers_of(const network *n, int id, size_t *rows, size_t *columns) {
    int gate = (id - PYMPS_LSTM_INPUT_GATE_INPUT_WEIGHTS) / 4, part = (id - PYMPS_LSTM_INPUT_GATE_INPUT_WEIGHTS) % 4;
    float *const numbers[] = {n->lstm.w[gate], n->lstm.u[gate], n->lstm.v[gate], n->lstm.b[gate]};
    *columns = part == 0 ? INPUTS : OUTPUTS;
    *rows = part == 3 || (part == 2 && n->lstm.memory == MEMORY_DIAGONAL) ? 1 : OUTPUTS;
    return part == 2 && n->lstm.memory == MEMORY_NONE ? NULL : numbers[part];
}

static const int first_id = PYMPS_LSTM_INPUT_GATE_INPUT_WEIGHTS, last_id = PYMPS_LSTM_INPUT_GATE_INPUT_WEIGHTS + 15;

/* Weights or gradients with an id, which live in `numbers` afterwards. */
static void read_weights(network *n, pymps_training_matrices *matrices, int id, float *numbers) {
    size_t rows, columns;
    CHECK(training->training_layer_matrix_shape(n->layer, (pymps_matrix_id)id, &rows, &columns), "no id %d", id);
    pymps_buffer *buffer = make_buffer(device, rows * columns * sizeof(float), PYMPS_STORAGE_SHARED);
    pymps_matrix matrix = float_matrix(buffer, 0, rows, columns, columns * sizeof(float));
    begin(n);
    REQUIRE(training->training_layer_encode_copy(n->layer, n->commands, matrices, (pymps_matrix_id)id, &matrix, 0, 0,
                                                 false, error));
    end(n);
    memcpy(numbers, api->buffer_contents(buffer), rows * columns * sizeof(float));
    api->buffer_release(buffer);
}

static void check_shapes(network *n) {
    for (int id = first_id; id <= last_id; id++) {
        size_t rows, columns, wanted_rows, wanted_columns;
        bool has = training->training_layer_matrix_shape(n->layer, (pymps_matrix_id)id, &rows, &columns);
        CHECK(has == (numbers_of(n, id, &wanted_rows, &wanted_columns) != NULL), "id %d", id);
        CHECK(!has || (rows == wanted_rows && columns == wanted_columns), "id %d: %zu x %zu", id, rows, columns);
    }
}

/* ---- Passes ---- */

static void check_gradients(network *n) {
    for (int id = first_id; id <= last_id; id++) {
        size_t rows, columns;
        float *numbers = numbers_of(n, id, &rows, &columns), gradient[OUTPUTS * OUTPUTS], kept[OUTPUTS * OUTPUTS];
        if (numbers == NULL)
            continue;
        double wanted[OUTPUTS * OUTPUTS], same[OUTPUTS * OUTPUTS];
        for (size_t i = 0; i < rows * columns; i++) {
            wanted[i] = slope_by_weight(n, &numbers[i]);
            same[i] = numbers[i];
        }
        read_weights(n, n->gradients, id, gradient);
        double worst = difference(gradient, wanted, rows * columns);
        CHECK(worst < 1e-5, "id %d differs by %g", id, worst);
        read_weights(n, n->weights, id, kept);
        CHECK(difference(kept, same, rows * columns) == 0, "weights %d", id);
    }
    double wanted[STEPS * STEP_INPUTS];
    for (size_t i = 0; i < STEPS * STEP_INPUTS; i++)
        wanted[i] = slope_by_input(n, i);
    double worst = difference(api->buffer_contents(n->dx), wanted, STEPS * STEP_INPUTS);
    CHECK(worst < 1e-5, "dx differs by %g", worst);
}

/* The state after the last step is the output; a gradient's state is there for each step. */
static void check_states(network *n, pymps_state *last, pymps_state **gradients) {
    float numbers[STEP_OUTPUTS];
    pymps_matrix h, c;
    REQUIRE(api->state_matrix(last, 0, PYMPS_RECURRENT_OUTPUT, &h, error));
    REQUIRE(api->matrix_read(device, &h, numbers, error));
    api->buffer_release(h.buffer);
    const float *y = (const float *)api->buffer_contents(n->y) + (STEPS - 1) * STEP_OUTPUTS;
    CHECK(memcmp(numbers, y, sizeof numbers) == 0, "the last state");
    api->state_release(last);
    for (size_t step = 0; step < STEPS; step++) {
        REQUIRE(api->state_matrix(gradients[step], 0, PYMPS_MEMORY_CELL, &c, error));
        CHECK(c.rows == ROWS && c.columns == OUTPUTS, "%zu x %zu", c.rows, c.columns);
        api->buffer_release(c.buffer);
        api->state_release(gradients[step]);
    }
}

static void test_passes(void) {
    for (memory_kind memory = MEMORY_NONE; memory <= MEMORY_FULL; memory++) {
        network n = network_create(memory);
        check_shapes(&n);
        pymps_state *last, *gradients[STEPS];
        pymps_training_tape *tape;
        pymps_training_forward forward = forward_of(&n, 1, &last);
        REQUIRE(training->training_layer_encode_forward(n.layer, n.commands, &forward, &tape, error));
        pymps_training_gradient gradient = gradient_of(&n, tape, STEPS, gradients);
        REQUIRE(training->training_layer_encode_gradient(n.layer, n.commands, &gradient, error));
        end(&n);
        CHECK(!training->training_tape_is_temporary(tape), "temporary");
        training->training_tape_release(tape);
        double inputs[STEPS * STEP_INPUTS], y[STEPS * STEP_OUTPUTS];
        inputs_of(&n, inputs);
        loss(&n, inputs, y);
        double worst = difference(api->buffer_contents(n.y), y, STEPS * STEP_OUTPUTS);
        CHECK(worst < 1e-5, "y differs by %g", worst);
        check_gradients(&n);
        check_states(&n, last, gradients);
        network_destroy(&n);
    }
}

/* A copy of the layer does the second half, from where the first has led. */
static void test_copies_and_temporaries(void) {
    network n = network_create(MEMORY_FULL);
    pymps_training_layer *copy;
    REQUIRE(training->training_layer_copy(n.layer, &copy, error));
    pymps_training_matrices *temporary;
    REQUIRE(training->training_gradients_create(copy, PYMPS_FLOAT16, n.commands, &temporary, error));
    CHECK(training->training_matrices_is_temporary(temporary), "lasts");
    CHECK(training->training_matrices_data_type(temporary) == PYMPS_FLOAT16, "type");
    pymps_state *last, *between;
    pymps_training_tape *tape;
    pymps_training_forward forward = forward_of(&n, 1, &last);
    forward.states_are_temporary = forward.tape_is_temporary = true;
    REQUIRE(training->training_layer_encode_forward(n.layer, n.commands, &forward, &tape, error));
    CHECK(training->training_tape_is_temporary(tape) && api->state_is_temporary(last), "lasts");

    pymps_training_gradient gradient = gradient_of(&n, tape, 1, &between);
    gradient.first_step = 1, gradient.steps = STEPS - 1;
    gradient.states_are_temporary = true;
    gradient.sources++, gradient.dy++, gradient.dx++;
    REQUIRE(training->training_layer_encode_gradient(copy, n.commands, &gradient, error));
    FAILS(training->training_layer_encode_gradient(n.layer, n.commands, &gradient, error),
          "[training_layer_encode_gradient] tape: temporary, and the gradient of step 1 is encoded already, expected "
          "to be used once");
    gradient = gradient_of(&n, tape, 0, NULL);
    gradient.steps = 1;
    gradient.state = between;
    gradient.accumulate_weight_gradients = true;
    REQUIRE(training->training_layer_encode_gradient(n.layer, n.commands, &gradient, error));
    end(&n);
    check_gradients(&n);
    training->training_tape_release(tape);
    training->training_matrices_release(temporary);
    api->state_release(between);
    api->state_release(last);
    training->training_layer_release(copy);
    network_destroy(&n);
}

/* ---- Optimizers ---- */

static const pymps_optimizer_options options = {.learning_rate = 0.5f, .gradient_rescale = 0.5f};

static void run_passes(network *n) {
    pymps_training_tape *tape;
    pymps_training_forward forward = forward_of(n, 0, NULL);
    begin(n);
    REQUIRE(training->training_layer_encode_forward(n->layer, n->commands, &forward, &tape, error));
    pymps_training_gradient gradient = gradient_of(n, tape, 0, NULL);
    REQUIRE(training->training_layer_encode_gradient(n->layer, n->commands, &gradient, error));
    end(n);
    training->training_tape_release(tape);
}

static void step(network *n, pymps_optimizer *optimizer) {
    begin(n);
    REQUIRE(training->optimizer_encode(optimizer, n->commands, n->gradients, n->weights, error));
    end(n);
}

/* w - lr * rescale * g. */
static void test_sgd(void) {
    network n = network_create(MEMORY_NONE);
    pymps_optimizer *sgd;
    REQUIRE(training->sgd_optimizer_create(n.layer, &options, 0, false, &sgd, error));
    CHECK(training->optimizer_learning_rate(sgd) == 0.5f, "learning rate");
    REQUIRE(training->optimizer_set_learning_rate(sgd, 0.25f, error));
    run_passes(&n);
    step(&n, sgd);
    CHECK(training->optimizer_time_step(sgd) == 1, "%zu", training->optimizer_time_step(sgd));
    for (int id = first_id; id <= last_id; id++) {
        size_t rows, columns;
        const float *before = numbers_of(&n, id, &rows, &columns);
        float gradient[OUTPUTS * OUTPUTS], after[OUTPUTS * OUTPUTS];
        double wanted[OUTPUTS * OUTPUTS];
        if (before == NULL)
            continue;
        read_weights(&n, n.gradients, id, gradient);
        read_weights(&n, n.weights, id, after);
        for (size_t i = 0; i < rows * columns; i++)
            wanted[i] = before[i] - 0.25 * 0.5 * gradient[i];
        CHECK(difference(after, wanted, rows * columns) < 1e-6, "id %d", id);
    }
    training->optimizer_release(sgd);
    network_destroy(&n);
}

/* The first step of each moves a weight by the learning rate over sqrt(1 - decay), or by the rate itself. */
static void test_other_optimizers(void) {
    const int id = PYMPS_LSTM_OUTPUT_GATE_INPUT_WEIGHTS;
    for (int kind = 0; kind < 3; kind++) {
        network n = network_create(MEMORY_DIAGONAL);
        pymps_optimizer *optimizer;
        if (kind == 0)
            REQUIRE(training->rms_prop_optimizer_create(n.layer, &options, 0.75, 0, &optimizer, error));
        else
            REQUIRE(training->adam_optimizer_create(n.layer, &options, 0.5, 0.75, 0, kind == 2, &optimizer, error));
        run_passes(&n);
        step(&n, optimizer);
        size_t rows, columns;
        const float *before = numbers_of(&n, id, &rows, &columns);
        float gradient[OUTPUTS * OUTPUTS], after[OUTPUTS * OUTPUTS];
        read_weights(&n, n.gradients, id, gradient);
        read_weights(&n, n.weights, id, after);
        for (size_t i = 0; i < rows * columns; i++) {
            double moved = before[i] - (gradient[i] > 0 ? 1 : -1) * (kind == 0 ? 1 : 0.5);
            CHECK(gradient[i] != 0 && fabs(after[i] - moved) < 1e-4, "%g, expected %g", (double)after[i], moved);
        }
        training->optimizer_set_time_step(optimizer, 9);
        step(&n, optimizer);
        CHECK(training->optimizer_time_step(optimizer) == 10, "%zu", training->optimizer_time_step(optimizer));
        training->optimizer_release(optimizer);
        network_destroy(&n);
    }
}

static void test_all(void) {
    device = open_device();
    training = api->training;
    test_passes();
    test_copies_and_temporaries();
    test_sgd();
    test_other_optimizers();
    api->device_release(device);
}

int main(void) {
    for_each_backend(test_all);
    return report();
}
