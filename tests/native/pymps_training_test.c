/* The C interface: training layers of all kinds, weights in and out, optimizers, against double precision. */
#include "pymps_training_cells.h"

static pymps_device *device;
static const pymps_training_functions *training;

/* What passes read and write. */
typedef struct arrays {
    pymps_matrix x[STEPS], y[STEPS], dy[STEPS], dx[STEPS];
    pymps_state *start, *end;
} arrays;

static arrays make_arrays(pymps_training_layer *layer, const cell *cell) {
    arrays made;
    steps_buffer(device, INPUTS, x, made.x);
    steps_buffer(device, OUTPUTS, NULL, made.y);
    steps_buffer(device, OUTPUTS, dy, made.dy);
    steps_buffer(device, INPUTS, NULL, made.dx);
    const float *c = cell->has_memory_cell ? c0 : NULL, *dc = cell->has_memory_cell ? dc1 : NULL;
    REQUIRE(training->training_state_create(layer, false, ROWS, h0, c, &made.start, error));
    REQUIRE(training->training_state_create(layer, true, ROWS, dh1, dc, &made.end, error));
    return made;
}

static void release_arrays(arrays *arrays) {
    api->buffer_release(arrays->x[0].buffer);
    api->buffer_release(arrays->y[0].buffer);
    api->buffer_release(arrays->dy[0].buffer);
    api->buffer_release(arrays->dx[0].buffer);
    api->state_release(arrays->start);
    api->state_release(arrays->end);
}

static pymps_training_forward forward_of(arrays *arrays, pymps_training_matrices *weights, pymps_state **state) {
    return (pymps_training_forward){
        .weights = weights,
        .steps = STEPS,
        .sources = arrays->x,
        .destinations = arrays->y,
        .state = arrays->start,
        .state_count = 1,
        .states = state,
    };
}

static pymps_training_gradient gradient_of(arrays *arrays, pymps_training_matrices *weights, pymps_training_tape *tape,
                                           pymps_training_matrices *gradients, pymps_state **state) {
    return (pymps_training_gradient){
        .weights = weights,
        .tape = tape,
        .steps = STEPS,
        .sources = arrays->x,
        .dy = arrays->dy,
        .dx = arrays->dx,
        .weight_gradients = gradients,
        .state = arrays->end,
        .state_count = 1,
        .states = state,
    };
}

/* ---- What a layer says of itself ---- */

static void test_layer(pymps_training_layer *layer, const cell *cell) {
    pymps_training_layer_info info;
    training->training_layer_info(layer, &info);
    CHECK(info.input_feature_channels == INPUTS && info.output_feature_channels == OUTPUTS, "%s: %zu to %zu",
          cell->name, info.input_feature_channels, info.output_feature_channels);
    CHECK(info.has_memory_cell == cell->has_memory_cell, "%s", cell->name);
    CHECK(info.weights_data_type == PYMPS_FLOAT32, "%s: 0x%x", cell->name, (unsigned)info.weights_data_type);
    for (int id = -1; id <= PYMPS_GRU_OUTPUT_GATE_BIAS_TERMS + 1; id++) {
        const weight *expected = NULL;
        for (size_t i = 0; i < cell->weight_count; i++)
            expected = cell->weights[i].matrix_id == id ? &cell->weights[i] : expected;
        size_t rows = 0, columns = 0;
        bool is_there = training->training_layer_matrix_shape(layer, (pymps_matrix_id)id, &rows, &columns);
        CHECK(is_there == (expected != NULL), "%s, matrix_id %d", cell->name, id);
        CHECK(rows == (is_there ? expected->rows : 0) && columns == (is_there ? expected->columns : 0),
              "%s, matrix_id %d: %zu x %zu", cell->name, id, rows, columns);
        CHECK(training->training_layer_matrix_shape(layer, (pymps_matrix_id)id, NULL, NULL) == is_there, "%d", id);
    }
}

/* ---- Passes ---- */

static void check_forward(const cell *cell, arrays *arrays, pymps_state *state) {
    double y[Y_COUNT] = {0}, h1[STATE_COUNT], c1[STATE_COUNT], error;
    float came[STATE_COUNT];
    run_cell(cell, y, h1, c1);
    error = difference(api->buffer_contents(arrays->y[0].buffer), y, Y_COUNT); /* 0 where there is no row */
    CHECK(error < TOLERANCE, "%s: y is off by %g", cell->name, error);
    read_state(device, state, PYMPS_RECURRENT_OUTPUT, came);
    error = difference(came, h1, STATE_COUNT);
    CHECK(error < TOLERANCE, "%s: h is off by %g", cell->name, error);
    if (!cell->has_memory_cell)
        return;
    read_state(device, state, PYMPS_MEMORY_CELL, came);
    error = difference(came, c1, STATE_COUNT);
    CHECK(error < TOLERANCE, "%s: c is off by %g", cell->name, error);
}

static void check_gradient(const cell *cell, pymps_training_layer *layer, arrays *arrays,
                           pymps_training_matrices *gradients, pymps_state *state) {
    float came[STATE_COUNT], numbers[OUTPUTS * OUTPUTS];
    check_derivatives(cell, api->buffer_contents(arrays->dx[0].buffer), x, X_COUNT, "dx");
    read_state(device, state, PYMPS_RECURRENT_OUTPUT, came);
    check_derivatives(cell, came, h0, STATE_COUNT, "dh0");
    if (cell->has_memory_cell) {
        read_state(device, state, PYMPS_MEMORY_CELL, came);
        check_derivatives(cell, came, c0, STATE_COUNT, "dc0");
    }
    for (size_t i = 0; i < cell->weight_count; i++) {
        const weight *weight = &cell->weights[i];
        char what[32];
        snprintf(what, sizeof what, "matrix_id %d", weight->matrix_id);
        read_matrices(device, layer, gradients, weight, numbers);
        check_derivatives(cell, numbers, weight->numbers, weight->rows * weight->columns, what);
    }
}

/* Both passes on one command buffer. */
static void test_passes(pymps_training_layer *layer, pymps_training_matrices *weights, const cell *cell,
                        bool tape_is_temporary) {
    arrays arrays = make_arrays(layer, cell);
    pymps_state *after, *before;
    pymps_training_tape *tape;
    pymps_training_matrices *gradients;
    REQUIRE(training->training_gradients_create(layer, PYMPS_FLOAT32, NULL, &gradients, error));
    pymps_command_buffer *commands = make_command_buffer(device);
    pymps_training_forward forward = forward_of(&arrays, weights, &after);
    forward.tape_is_temporary = tape_is_temporary;
    REQUIRE(training->training_layer_encode_forward(layer, commands, &forward, &tape, error));
    CHECK(training->training_tape_is_temporary(tape) == tape_is_temporary, "%s", cell->name);
    pymps_training_gradient gradient = gradient_of(&arrays, weights, tape, gradients, &before);
    REQUIRE(training->training_layer_encode_gradient(layer, commands, &gradient, error));
    training->training_tape_release(tape);
    finish(commands);
    check_forward(cell, &arrays, after);
    check_gradient(cell, layer, &arrays, gradients, before);
    api->state_release(after);
    api->state_release(before);
    training->training_matrices_release(gradients);
    release_arrays(&arrays);
}

/* The last step by itself, then those before it, which add to its gradients; each on a command buffer of its own. */
static void test_parts(pymps_training_layer *layer, pymps_training_matrices *weights, const cell *cell) {
    arrays arrays = make_arrays(layer, cell);
    pymps_state *after, *middle, *before, *ended;
    pymps_training_tape *tape;
    pymps_training_matrices *gradients;
    REQUIRE(training->training_gradients_create(layer, PYMPS_FLOAT32, NULL, &gradients, error));
    pymps_command_buffer *commands = make_command_buffer(device);
    pymps_training_forward forward = forward_of(&arrays, weights, &after);
    REQUIRE(training->training_layer_encode_forward(layer, commands, &forward, &tape, error));
    finish(commands);
    /* Of the row that the last step has; what the other row's end gets is for the step before. */
    const float *dc = cell->has_memory_cell ? dc1 : NULL;
    REQUIRE(training->training_state_create(layer, true, rows_of[STEPS - 1], dh1, dc, &ended, error));
    pymps_training_gradient gradient = gradient_of(&arrays, weights, tape, gradients, &middle);
    gradient.first_step = STEPS - 1;
    gradient.steps = 1;
    gradient.sources += STEPS - 1;
    gradient.dy += STEPS - 1;
    gradient.dx += STEPS - 1;
    gradient.state = ended;
    commands = make_command_buffer(device);
    REQUIRE(training->training_layer_encode_gradient(layer, commands, &gradient, error));
    finish(commands);

    float dh[STATE_COUNT], dcell[STATE_COUNT];
    memcpy(dh, dh1, sizeof dh);
    memcpy(dcell, dc1, sizeof dcell);
    read_state(device, middle, PYMPS_RECURRENT_OUTPUT, dh);
    if (cell->has_memory_cell)
        read_state(device, middle, PYMPS_MEMORY_CELL, dcell);
    api->state_release(ended);
    api->state_release(arrays.end);
    REQUIRE(training->training_state_create(layer, true, ROWS, dh, cell->has_memory_cell ? dcell : NULL, &arrays.end,
                                            error));
    gradient = gradient_of(&arrays, weights, tape, gradients, &before);
    gradient.steps = STEPS - 1;
    gradient.accumulate_weight_gradients = true;
    commands = make_command_buffer(device);
    REQUIRE(training->training_layer_encode_gradient(layer, commands, &gradient, error));
    finish(commands);
    check_gradient(cell, layer, &arrays, gradients, before);
    training->training_tape_release(tape);
    training->training_matrices_release(gradients);
    api->state_release(after);
    api->state_release(middle);
    api->state_release(before);
    release_arrays(&arrays);
}

/* The gradient of some steps, on a command buffer of its own; returns the state before them. */
static pymps_state *gradient_of_steps(pymps_training_layer *layer, pymps_training_gradient gradient, size_t first,
                                      size_t steps, pymps_state *last) {
    pymps_state *before;
    gradient.first_step = first;
    gradient.steps = steps;
    gradient.sources += first;
    gradient.dy += first;
    gradient.dx += first;
    gradient.state = last;
    gradient.states = &before;
    pymps_command_buffer *commands = make_command_buffer(device);
    REQUIRE(training->training_layer_encode_gradient(layer, commands, &gradient, error));
    finish(commands);
    return before;
}

/* The state of the last step, which has one row, is all that the steps before it get: nothing comes from behind the end
 * of the other row. */
static void test_rows_that_end(pymps_training_layer *layer, pymps_training_matrices *weights, const cell *cell) {
    size_t rows = rows_of[STEPS - 1];
    memset(dh1 + rows * OUTPUTS, 0, (ROWS - rows) * OUTPUTS * sizeof *dh1);
    memset(dc1 + rows * OUTPUTS, 0, (ROWS - rows) * OUTPUTS * sizeof *dc1);
    arrays arrays = make_arrays(layer, cell);
    pymps_state *after, *last, *none;
    pymps_training_tape *tape;
    pymps_training_matrices *gradients;
    REQUIRE(training->training_gradients_create(layer, PYMPS_FLOAT32, NULL, &gradients, error));
    pymps_command_buffer *commands = make_command_buffer(device);
    pymps_training_forward forward = forward_of(&arrays, weights, &after);
    REQUIRE(training->training_layer_encode_forward(layer, commands, &forward, &tape, error));
    finish(commands);
    REQUIRE(training->training_state_create(layer, true, rows, dh1, cell->has_memory_cell ? dc1 : NULL, &last, error));
    pymps_training_gradient gradient = gradient_of(&arrays, weights, tape, gradients, &none);
    pymps_state *middle = gradient_of_steps(layer, gradient, STEPS - 1, 1, last);
    gradient.accumulate_weight_gradients = true;
    pymps_state *before = gradient_of_steps(layer, gradient, 0, STEPS - 1, middle);
    check_gradient(cell, layer, &arrays, gradients, before);
    gradient.accumulate_weight_gradients = false;
    pymps_state *whole = gradient_of_steps(layer, gradient, 0, STEPS, last);
    check_gradient(cell, layer, &arrays, gradients, whole);
    pymps_state *more;
    REQUIRE(training->training_state_create(layer, true, ROWS + 1, NULL, NULL, &more, error));
    gradient.state = more;
    commands = make_command_buffer(device);
    FAILS(training->training_layer_encode_gradient(layer, commands, &gradient, error),
          "[training_layer_encode_gradient] state: 3 rows, expected 1 to 2");
    api->command_buffer_release(commands);
    pymps_state *states[] = {after, last, middle, before, whole, more};
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        api->state_release(states[i]);
    training->training_tape_release(tape);
    training->training_matrices_release(gradients);
    release_arrays(&arrays);
}

/* ---- Weights ---- */

/* New ones are zeros; filled, they are as good as those that the layer was made with. */
static void test_weights(pymps_training_layer *layer, pymps_training_matrices *weights, const cell *cell) {
    pymps_training_matrices *others;
    float numbers[OUTPUTS * OUTPUTS];
    REQUIRE(training->training_weights_create(layer, &others, error));
    CHECK(training->training_matrices_data_type(others) == PYMPS_FLOAT32, "%s", cell->name);
    CHECK(!training->training_matrices_is_temporary(others), "%s", cell->name);
    for (size_t i = 0; i < cell->weight_count; i++) {
        const weight *weight = &cell->weights[i];
        size_t bytes = weight->rows * weight->columns * sizeof(float);
        read_matrices(device, layer, weights, weight, numbers);
        CHECK(memcmp(numbers, weight->numbers, bytes) == 0, "%s, matrix_id %d", cell->name, weight->matrix_id);
        read_matrices(device, layer, others, weight, numbers);
        for (size_t k = 0; k < weight->rows * weight->columns; k++)
            CHECK(numbers[k] == 0, "%s, matrix_id %d: %g", cell->name, weight->matrix_id, (double)numbers[k]);
        write_matrices(device, layer, others, weight, weight->numbers);
        read_matrices(device, layer, others, weight, numbers);
        CHECK(memcmp(numbers, weight->numbers, bytes) == 0, "%s, matrix_id %d", cell->name, weight->matrix_id);
    }
    test_passes(layer, others, cell, false);
    training->training_matrices_release(others);
}

static void test_halves(pymps_training_layer *layer, pymps_training_matrices *weights, const cell *cell) {
    pymps_command_buffer *commands = make_command_buffer(device);
    pymps_training_matrices *halves, *temporary;
    REQUIRE(training->training_gradients_create(layer, PYMPS_FLOAT16, NULL, &halves, error));
    REQUIRE(training->training_gradients_create(layer, PYMPS_FLOAT16, commands, &temporary, error));
    CHECK(training->training_matrices_data_type(halves) == PYMPS_FLOAT16, "%s", cell->name);
    CHECK(training->training_matrices_data_type(temporary) == PYMPS_FLOAT16, "%s", cell->name);
    CHECK(!training->training_matrices_is_temporary(halves), "%s", cell->name);
    CHECK(training->training_matrices_is_temporary(temporary), "%s", cell->name);
    training->training_matrices_release(temporary);
    arrays arrays = make_arrays(layer, cell);
    pymps_training_tape *tape;
    pymps_training_forward forward = forward_of(&arrays, weights, NULL);
    forward.state_count = 0;
    REQUIRE(training->training_layer_encode_forward(layer, commands, &forward, &tape, error));
    pymps_training_gradient gradient = gradient_of(&arrays, weights, tape, halves, NULL);
    gradient.state_count = 0;
    gradient.dx = NULL;
    REQUIRE(training->training_layer_encode_gradient(layer, commands, &gradient, error));
    const weight *weight = &cell->weights[0];
    size_t row_bytes = weight->columns * sizeof(uint16_t);
    pymps_buffer *buffer = make_buffer(device, weight->rows * row_bytes, PYMPS_STORAGE_SHARED);
    pymps_matrix matrix = {buffer, 0, weight->rows, weight->columns, row_bytes, PYMPS_FLOAT16};
    REQUIRE(training->training_layer_encode_copy(layer, commands, halves, (pymps_matrix_id)weight->matrix_id, &matrix,
                                                 0, 0, false, error));
    finish(commands);
    const uint16_t *came = api->buffer_contents(buffer);
    for (size_t i = 0; i < weight->rows * weight->columns; i++) {
        double expected = derivative(cell, &weight->numbers[i]);
        CHECK(fabs(number_of(came[i]) - expected) < 1e-3 * (1 + fabs(expected)), "%s: %g, expected %g", cell->name,
              number_of(came[i]), expected);
    }
    api->buffer_release(buffer);
    training->training_tape_release(tape);
    training->training_matrices_release(halves);
    release_arrays(&arrays);
}

/* ---- All kinds ---- */

static void test_cell(cell cell, uint32_t seed) {
    fill_problem(seed);
    pymps_training_matrices *weights;
    pymps_training_layer *layer = make_training_layer(device, &cell, &weights), *copy;
    test_layer(layer, &cell);
    test_weights(layer, weights, &cell);
    test_passes(layer, weights, &cell, false);
    test_passes(layer, weights, &cell, true);
    test_parts(layer, weights, &cell);
    test_halves(layer, weights, &cell);
    test_rows_that_end(layer, weights, &cell);
    REQUIRE(training->training_layer_copy(layer, &copy, error));
    training->training_layer_release(layer);
    test_layer(copy, &cell);
    test_passes(copy, weights, &cell, false);
    training->training_layer_release(copy);
    training->training_matrices_release(weights);
}

static void test_all(void) {
    device = open_device();
    training = api->training;
    for (int memory = MEMORY_NONE; memory <= MEMORY_FULL; memory++) {
        lstm lstm = lstm_create(INPUTS, OUTPUTS, (memory_kind)memory, 81);
        test_cell(lstm_cell(&lstm), 82);
        lstm_destroy(&lstm);
    }
    for (int flip = 0; flip < 2; flip++) {
        gru gru = gru_create(INPUTS, OUTPUTS, flip ? 1.5 : 1, flip, 83);
        test_cell(gru_cell(&gru), 84);
        gru_destroy(&gru);
    }
    rnn rnn = rnn_create(INPUTS, OUTPUTS, 85);
    test_cell(rnn_cell(&rnn), 86);
    rnn_destroy(&rnn);
    api->device_release(device);
}

int main(void) {
    for_each_backend(test_all);
    return report();
}
