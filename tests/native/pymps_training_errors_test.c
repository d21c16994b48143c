/* What the C interface refuses about training, by the error's text; then no output changes. */
#include "pymps_training_cells.h"

static pymps_device *device;
static const pymps_training_functions *training;
static cell simple;

/* Whatever calls want, all of it good, and a second layer's. */
static pymps_training_layer *layer, *other;
static pymps_training_matrices *weights, *other_weights, *gradients, *other_gradients;
static pymps_matrix sources[STEPS], destinations[STEPS], dys[STEPS], dxs[STEPS];
static pymps_command_buffer *commands;
static pymps_training_tape *tape, *other_tape;

static pymps_training_forward good_forward(void) {
    return (pymps_training_forward){
        .weights = weights, .steps = STEPS, .sources = sources, .destinations = destinations};
}

static pymps_training_gradient good_gradient(void) {
    return (pymps_training_gradient){
        .weights = weights,
        .tape = tape,
        .steps = STEPS,
        .sources = sources,
        .dy = dys,
        .dx = dxs,
        .weight_gradients = gradients,
    };
}

static void set_up(void) {
    layer = make_training_layer(device, &simple, &weights);
    other = make_training_layer(device, &simple, &other_weights);
    REQUIRE(training->training_gradients_create(layer, PYMPS_FLOAT32, NULL, &gradients, error));
    REQUIRE(training->training_gradients_create(other, PYMPS_FLOAT32, NULL, &other_gradients, error));
    steps_buffer(device, INPUTS, x, sources);
    steps_buffer(device, OUTPUTS, NULL, destinations);
    steps_buffer(device, OUTPUTS, dy, dys);
    steps_buffer(device, INPUTS, NULL, dxs);
    commands = make_command_buffer(device);
    pymps_training_forward forward = good_forward();
    REQUIRE(training->training_layer_encode_forward(layer, commands, &forward, &tape, error));
    forward.weights = other_weights;
    REQUIRE(training->training_layer_encode_forward(other, commands, &forward, &other_tape, error));
}

/* What was encoded beside all the refusals still runs. */
static void tear_down(void) {
    pymps_training_gradient gradient = good_gradient();
    float came[OUTPUTS * OUTPUTS];
    REQUIRE(training->training_layer_encode_gradient(layer, commands, &gradient, error));
    finish(commands);
    check_derivatives(&simple, api->buffer_contents(dxs[0].buffer), x, X_COUNT, "dx");
    for (size_t i = 0; i < simple.weight_count; i++) {
        const weight *weight = &simple.weights[i];
        read_matrices(device, layer, gradients, weight, came);
        check_derivatives(&simple, came, weight->numbers, weight->rows * weight->columns, "weights");
    }
    pymps_matrix *const all[] = {sources, destinations, dys, dxs};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        api->buffer_release(all[i][0].buffer);
    training->training_tape_release(tape);
    training->training_tape_release(other_tape);
    training->training_matrices_release(weights);
    training->training_matrices_release(gradients);
    training->training_matrices_release(other_weights);
    training->training_matrices_release(other_gradients);
    training->training_layer_release(layer);
    training->training_layer_release(other);
}

/* ---- Layers and matrices ---- */

static void test_layers(void) {
    pymps_descriptor *descriptor = simple.describe(simple.numbers);
    pymps_training_layer *made = NULL;
    pymps_training_matrices *matrices = NULL;
#define CREATE(device, descriptor, made, matrices)                                                                     \
    training->training_layer_create(device, descriptor, made, matrices, error)
    FAILS(CREATE(NULL, descriptor, &made, &matrices), "[training_layer_create] device: NULL, expected a pointer");
    FAILS(CREATE(device, NULL, &made, &matrices), "[training_layer_create] descriptor: NULL, expected a pointer");
    FAILS(CREATE(device, descriptor, NULL, &matrices), "[training_layer_create] layer: NULL, expected a pointer");
    FAILS(CREATE(device, descriptor, &made, NULL), "[training_layer_create] weights: NULL, expected a pointer");
    api->descriptor_release(descriptor);
    const float numbers[9 * INPUTS * OUTPUTS] = {0};
    REQUIRE(api->single_gate_descriptor_create(INPUTS, OUTPUTS, &descriptor, error));
    pymps_weights kernel = float_weights(numbers, OUTPUTS, INPUTS, NULL, TANH);
    kernel.kernel_width = kernel.kernel_height = 3;
    REQUIRE(api->descriptor_set_weights(descriptor, PYMPS_SINGLE_GATE_INPUT_WEIGHTS, &kernel, error));
    FAILS(CREATE(device, descriptor, &made, &matrices),
          "[training_layer_create] descriptor.kernel_height, kernel_width: 3 x 3 of matrix_id 0, expected 1 x 1 in a "
          "layer of matrices");
    api->descriptor_release(descriptor);
#undef CREATE
    FAILS(training->training_layer_copy(NULL, &made, error), "[training_layer_copy] layer: NULL, expected a pointer");
    FAILS(training->training_layer_copy(layer, NULL, error), "[training_layer_copy] copy: NULL, expected a pointer");
    FAILS(training->training_weights_create(NULL, &matrices, error),
          "[training_weights_create] layer: NULL, expected a pointer");
    FAILS(training->training_weights_create(layer, NULL, error),
          "[training_weights_create] weights: NULL, expected a pointer");
    CHECK(made == NULL && matrices == NULL, "an output was changed");
}

static void test_gradients(void) {
    pymps_training_matrices *made = NULL;
#define CREATE(layer, type, commands, made)                                                                            \
    training->training_gradients_create(layer, (pymps_data_type)(type), commands, made, error)
#define TEXT(text) "[training_gradients_create] " text
    FAILS(CREATE(NULL, PYMPS_FLOAT32, NULL, &made), TEXT("layer: NULL, expected a pointer"));
    FAILS(CREATE(layer, PYMPS_FLOAT32, NULL, NULL), TEXT("gradients: NULL, expected a pointer"));
    FAILS(CREATE(layer, 0x20, NULL, &made),
          TEXT("data_type: 0x20, expected 0x10000020 (float32) or 0x10000010 (float16)"));
    pymps_command_buffer *done = make_command_buffer(device);
    REQUIRE(api->command_buffer_commit(done, error));
    FAILS(CREATE(layer, PYMPS_FLOAT32, done, &made),
          TEXT("command_buffer: already committed, expected to encode before"));
    REQUIRE(api->command_buffer_wait(done, error));
    api->command_buffer_release(done);
#undef TEXT
#undef CREATE
    CHECK(made == NULL, "an output was changed");
}

/* What takes NULL where there is nothing to tell. */
static void test_nothing(void) {
    pymps_training_layer_info info = {.input_feature_channels = 7};
    size_t rows = 7, columns = 7;
    training->training_layer_info(NULL, &info);
    training->training_layer_info(layer, NULL);
    CHECK(info.input_feature_channels == 7, "%zu", info.input_feature_channels);
    CHECK(!training->training_layer_matrix_shape(NULL, PYMPS_SINGLE_GATE_INPUT_WEIGHTS, &rows, &columns), "NULL");
    CHECK(!training->training_layer_matrix_shape(layer, (pymps_matrix_id)1000, &rows, &columns), "1000");
    CHECK(rows == 7 && columns == 7, "%zu x %zu", rows, columns);
    CHECK(training->training_matrices_data_type(NULL) == 0, "NULL");
    CHECK(!training->training_matrices_is_temporary(NULL) && !training->training_tape_is_temporary(NULL), "NULL");
    CHECK(training->optimizer_learning_rate(NULL) == 0 && training->optimizer_time_step(NULL) == 0, "NULL");
    training->optimizer_set_time_step(NULL, 1);
    training->optimizer_release(NULL);
    training->training_tape_release(NULL);
    training->training_matrices_release(NULL);
    training->training_layer_release(NULL);
}

static void test_copies(void) {
    const pymps_matrix good = sources[0];
    pymps_matrix matrix = float_matrix(good.buffer, 0, OUTPUTS, INPUTS, INPUTS * sizeof(float)), bad = matrix;
    pymps_training_matrices *temporary;
    REQUIRE(training->training_gradients_create(layer, PYMPS_FLOAT32, commands, &temporary, error));
#define COPY(layer, commands, matrices, id, matrix, row, column)                                                       \
    training->training_layer_encode_copy(layer, commands, matrices, (pymps_matrix_id)(id), matrix, row, column, false, \
                                         error)
#define TEXT(text) "[training_layer_encode_copy] " text
    FAILS(COPY(NULL, commands, weights, 0, &matrix, 0, 0), TEXT("layer: NULL, expected a pointer"));
    FAILS(COPY(layer, NULL, weights, 0, &matrix, 0, 0), TEXT("command_buffer: NULL, expected a pointer"));
    FAILS(COPY(layer, commands, NULL, 0, &matrix, 0, 0), TEXT("matrices: NULL, expected a pointer"));
    FAILS(COPY(layer, commands, weights, 0, NULL, 0, 0), TEXT("matrix: NULL, expected a pointer"));
    FAILS(COPY(layer, commands, other_weights, 0, &matrix, 0, 0),
          TEXT("matrices: of another layer, expected those of this layer or of a copy"));
    FAILS(COPY(layer, commands, temporary, 0, &matrix, 0, 0), TEXT("matrices: temporary, expected ones that last"));
    FAILS(COPY(layer, commands, weights, PYMPS_GRU_INPUT_GATE_BIAS_TERMS, &matrix, 0, 0),
          TEXT("matrix_id: 21, expected that of weights which the layer's descriptor has"));
    FAILS(COPY(layer, commands, weights, -1, &matrix, 0, 0),
          TEXT("matrix_id: -1, expected that of weights which the layer's descriptor has"));
    FAILS(COPY(layer, commands, weights, 0, &matrix, 1, 0), TEXT("matrix.rows: 4, expected 4 from row 1 on"));
    FAILS(COPY(layer, commands, weights, 0, &matrix, SIZE_MAX, 0), TEXT("matrix.rows: 4, expected 4 from row %zu on"),
          SIZE_MAX);
    FAILS(COPY(layer, commands, weights, 0, &matrix, 0, 1), TEXT("matrix.columns: 3, expected 3 from column 1 on"));
    bad.data_type = PYMPS_FLOAT16;
    FAILS(COPY(layer, commands, gradients, 0, &bad, 0, 0), TEXT("matrix.data_type: 0x10000010, expected 0x10000020"));
    bad = matrix;
    bad.buffer = NULL;
    FAILS(COPY(layer, commands, weights, 0, &bad, 0, 0), TEXT("matrix.buffer: NULL, expected a buffer"));
    bad = matrix;
    bad.row_bytes = 2;
    FAILS(COPY(layer, commands, weights, 0, &bad, 0, 0),
          TEXT("matrix.row_bytes: 2, expected a multiple of 4 and at least 12"));
#undef TEXT
#undef COPY
    training->training_matrices_release(temporary);
}

/* ---- Passes ---- */

static void test_forward(void) {
    pymps_training_forward forward;
    pymps_training_tape *made = NULL;
    pymps_state *states[STEPS] = {NULL}, *state, *foreign, *of_gradients, *one_row;
    pymps_matrix changed[STEPS];
    REQUIRE(training->training_state_create(layer, false, ROWS, NULL, NULL, &state, error));
    REQUIRE(training->training_state_create(other, false, ROWS, NULL, NULL, &foreign, error));
    REQUIRE(training->training_state_create(layer, true, ROWS, NULL, NULL, &of_gradients, error));
    REQUIRE(training->training_state_create(layer, false, 1, NULL, NULL, &one_row, error));
#define ENCODE(layer, commands, forward, made)                                                                         \
    training->training_layer_encode_forward(layer, commands, forward, made, error)
#define TEXT(text) "[training_layer_encode_forward] " text
#define FAILS_WITH(field, value, ...)                                                                                  \
    do {                                                                                                               \
        forward = good_forward();                                                                                      \
        forward.states = states;                                                                                       \
        forward.field = value;                                                                                         \
        FAILS(ENCODE(layer, commands, &forward, &made), "[training_layer_encode_forward] " __VA_ARGS__);               \
    } while (0)
    forward = good_forward();
    FAILS(ENCODE(NULL, commands, &forward, &made), TEXT("layer: NULL, expected a pointer"));
    FAILS(ENCODE(layer, NULL, &forward, &made), TEXT("command_buffer: NULL, expected a pointer"));
    FAILS(ENCODE(layer, commands, NULL, &made), TEXT("forward: NULL, expected a pointer"));
    FAILS(ENCODE(layer, commands, &forward, NULL), TEXT("tape: NULL, expected a pointer"));
    FAILS_WITH(weights, NULL, "weights: NULL, expected a pointer");
    FAILS_WITH(weights, other_weights, "weights: of another layer, expected those of this layer or of a copy");
    FAILS_WITH(weights, gradients, "weights: gradients, expected weights");
    FAILS_WITH(sources, NULL, "sources: NULL, expected a pointer");
    FAILS_WITH(destinations, NULL, "destinations: NULL, expected a pointer");
    FAILS_WITH(steps, 0, "steps: 0, expected at least 1");
    FAILS_WITH(sources, dys, "sources[0].columns: 4, expected 3, the layer's input channels");
    FAILS_WITH(destinations, sources, "destinations[0].columns: 3, expected 4, the layer's output channels");
    FAILS_WITH(state_count, 2, "state_count: 2, expected 0, 1 or 3, the steps");
    FAILS_WITH(state, foreign, "state: of another layer, expected one of this layer or of a copy of it");
    FAILS_WITH(state, of_gradients, "state: of the other kind of pass, expected one of a forward pass");
    FAILS_WITH(state, one_row, "state: 1 rows, expected 2");
    memcpy(changed, destinations, sizeof changed);
    changed[2].rows = 2;
    FAILS_WITH(destinations, changed, "destinations[2].rows: 2, expected 1, those of the source");
    changed[2] = destinations[2];
    changed[1] = float_matrix(sources[0].buffer, 4, 2, OUTPUTS, OUTPUTS * sizeof(float));
    FAILS_WITH(destinations, changed, "destinations[1]: shares memory with sources[0], expected memory of its own");
    memcpy(changed, sources, sizeof changed);
    changed[1].rows = 1;
    changed[2].rows = 2;
    FAILS_WITH(sources, changed, "sources[2].rows: 2, expected at most 1, those of the step before");
#undef FAILS_WITH
#undef TEXT
#undef ENCODE
    CHECK(made == NULL && states[0] == NULL, "an output was changed");
    api->state_release(state);
    api->state_release(foreign);
    api->state_release(of_gradients);
    api->state_release(one_row);
}

static void test_gradient(void) {
    pymps_training_gradient gradient;
    pymps_state *states[STEPS] = {NULL}, *foreign, *of_forward, *one_row;
    pymps_matrix changed[STEPS];
    REQUIRE(training->training_state_create(other, true, ROWS, NULL, NULL, &foreign, error));
    REQUIRE(training->training_state_create(layer, false, ROWS, NULL, NULL, &of_forward, error));
    REQUIRE(training->training_state_create(layer, true, 1, NULL, NULL, &one_row, error));
#define ENCODE(layer, commands, gradient) training->training_layer_encode_gradient(layer, commands, gradient, error)
#define TEXT(text) "[training_layer_encode_gradient] " text
#define FAILS_WITH(field, value, ...)                                                                                  \
    do {                                                                                                               \
        gradient = good_gradient();                                                                                    \
        gradient.states = states;                                                                                      \
        gradient.field = value;                                                                                        \
        FAILS(ENCODE(layer, commands, &gradient), "[training_layer_encode_gradient] " __VA_ARGS__);                    \
    } while (0)
    gradient = good_gradient();
    FAILS(ENCODE(NULL, commands, &gradient), TEXT("layer: NULL, expected a pointer"));
    FAILS(ENCODE(layer, NULL, &gradient), TEXT("command_buffer: NULL, expected a pointer"));
    FAILS(ENCODE(layer, commands, NULL), TEXT("gradient: NULL, expected a pointer"));
    FAILS_WITH(weights, NULL, "weights: NULL, expected a pointer");
    FAILS_WITH(weights, gradients, "weights: gradients, expected weights");
    FAILS_WITH(tape, NULL, "tape: NULL, expected a pointer");
    FAILS_WITH(tape, other_tape, "tape: of another layer, expected one of this layer or of a copy of it");
    FAILS_WITH(steps, 0, "steps: 0, expected at least 1");
    FAILS_WITH(steps, 4, "steps: 4 from step 0 on, expected at most the tape's 3");
    FAILS_WITH(first_step, 1, "steps: 3 from step 1 on, expected at most the tape's 3");
    FAILS_WITH(first_step, SIZE_MAX, "steps: 3 from step %zu on, expected at most the tape's 3", SIZE_MAX);
    FAILS_WITH(sources, NULL, "sources: NULL, expected a pointer");
    FAILS_WITH(dy, NULL, "dy: NULL, expected a pointer");
    FAILS_WITH(dy, sources, "dy[0].columns: 3, expected 4, the layer's output channels");
    FAILS_WITH(dx, destinations, "dx[0].columns: 4, expected 3, the layer's input channels");
    FAILS_WITH(dx, sources, "dx[0]: shares memory with sources[0], expected memory of its own");
    FAILS_WITH(weight_gradients, weights, "weight_gradients: weights, expected gradients");
    FAILS_WITH(weight_gradients, other_gradients,
               "weight_gradients: of another layer, expected those of this layer or of a copy");
    FAILS_WITH(state_count, 2, "state_count: 2, expected 0, 1 or 3, the steps");
    FAILS_WITH(state, foreign, "state: of another layer, expected one of this layer or of a copy of it");
    FAILS_WITH(state, of_forward, "state: of the other kind of pass, expected one of a gradient pass");
    memcpy(changed, sources, sizeof changed);
    changed[1].rows = 1;
    FAILS_WITH(sources, changed, "sources[1].rows: 1, expected 2, those of the tape");
    memcpy(changed, dys, sizeof changed);
    changed[1].rows = 1;
    FAILS_WITH(dy, changed, "dy[1].rows: 1, expected 2, those of the source");
#undef FAILS_WITH
    gradient = good_gradient();
    gradient.steps = 1, gradient.state = one_row;
    FAILS(ENCODE(layer, commands, &gradient), TEXT("state: 1 rows, expected 2"));
    pymps_training_matrices *others;
    REQUIRE(training->training_weights_create(layer, &others, error));
    gradient = good_gradient();
    gradient.weights = others;
    FAILS(ENCODE(layer, commands, &gradient), TEXT("weights: others, expected those of the forward pass"));
    training->training_matrices_release(others);
    CHECK(states[0] == NULL, "an output was changed");
    api->state_release(foreign);
    api->state_release(of_forward);
    api->state_release(one_row);
}

/* ---- What lives on one command buffer alone ---- */

static void test_temporaries(void) {
    pymps_command_buffer *elsewhere = make_command_buffer(device);
    pymps_training_tape *short_lived;
    pymps_training_matrices *temporary;
    pymps_optimizer *optimizer;
    const pymps_optimizer_options options = {.learning_rate = 0, .gradient_rescale = 1};
    REQUIRE(training->sgd_optimizer_create(layer, &options, 0, false, &optimizer, error));
    REQUIRE(training->training_gradients_create(layer, PYMPS_FLOAT32, commands, &temporary, error));
    pymps_training_forward forward = good_forward();
    forward.tape_is_temporary = true;
    REQUIRE(training->training_layer_encode_forward(layer, commands, &forward, &short_lived, error));
    pymps_training_gradient gradient = good_gradient();
    gradient.tape = short_lived;
    FAILS(ENCODE(layer, elsewhere, &gradient),
          TEXT("tape: temporary, expected to be used on the command buffer that made it"));
    gradient.first_step = 1;
    gradient.steps = 1;
    gradient.sources = sources + 1;
    gradient.dy = dys + 1;
    gradient.dx = NULL;
    gradient.weight_gradients = temporary;
    REQUIRE(ENCODE(layer, commands, &gradient));
    FAILS(ENCODE(layer, commands, &gradient),
          TEXT("tape: temporary, and the gradient of step 1 is encoded already, expected to be used once"));
    gradient = good_gradient();
    gradient.tape = short_lived;
    FAILS(ENCODE(layer, commands, &gradient),
          TEXT("tape: temporary, and the gradient of step 1 is encoded already, expected to be used once"));
    gradient.tape = tape;
    gradient.weight_gradients = temporary;
    FAILS(ENCODE(layer, elsewhere, &gradient),
          TEXT("weight_gradients: temporary, expected to be used on the command buffer that made them"));
    FAILS(training->optimizer_encode(optimizer, elsewhere, temporary, weights, error),
          "[optimizer_encode] gradients: temporary, expected to be used on the command buffer that made them");
    REQUIRE(training->optimizer_encode(optimizer, commands, temporary, weights, error));
    FAILS(training->optimizer_encode(optimizer, commands, temporary, weights, error),
          "[optimizer_encode] gradients: temporary and read already, expected to be read once");
    FAILS(ENCODE(layer, commands, &gradient),
          TEXT("weight_gradients: temporary and read already, expected to be read once"));
#undef TEXT
#undef ENCODE
    CHECK(training->optimizer_time_step(optimizer) == 1, "%zu", training->optimizer_time_step(optimizer));
    training->training_tape_release(short_lived);
    training->training_matrices_release(temporary);
    training->optimizer_release(optimizer);
    api->command_buffer_release(elsewhere);
}

/* ---- After the commit, and all of it ---- */

static void test_committed(void) {
    pymps_command_buffer *done = make_command_buffer(device);
    REQUIRE(api->command_buffer_commit(done, error));
    REQUIRE(api->command_buffer_wait(done, error));
    pymps_training_forward forward = good_forward();
    pymps_training_gradient gradient = good_gradient();
    pymps_training_tape *made = NULL;
    pymps_matrix matrix = float_matrix(sources[0].buffer, 0, OUTPUTS, INPUTS, INPUTS * sizeof(float));
    static const char text[] = "command_buffer: already committed, expected to encode before";
    FAILS(training->training_layer_encode_forward(layer, done, &forward, &made, error),
          "[training_layer_encode_forward] %s", text);
    FAILS(training->training_layer_encode_gradient(layer, done, &gradient, error),
          "[training_layer_encode_gradient] %s", text);
    FAILS(training->training_layer_encode_copy(layer, done, weights, PYMPS_SINGLE_GATE_INPUT_WEIGHTS, &matrix, 0, 0,
                                               true, error),
          "[training_layer_encode_copy] %s", text);
    CHECK(made == NULL, "an output was changed");
    api->command_buffer_release(done);
}

static void test_all(void) {
    device = open_device();
    training = api->training;
    rnn rnn = rnn_create(INPUTS, OUTPUTS, 94);
    simple = rnn_cell(&rnn);
    fill_problem(95);
    memset(h0, 0, sizeof h0);
    memset(dh1, 0, sizeof dh1);
    set_up();
    test_layers();
    test_gradients();
    test_nothing();
    test_copies();
    test_forward();
    test_gradient();
    test_temporaries();
    test_committed();
    tear_down();
    rnn_destroy(&rnn);
    api->device_release(device);
}

int main(void) {
    for_each_backend(test_all);
    return report();
}
