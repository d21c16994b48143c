/* What the C interface refuses about optimizers and about states that are made for training, by the error's text. */
#include "pymps_training_cells.h"

static pymps_device *device;
static const pymps_training_functions *training;
static pymps_training_layer *layer, *other;
static pymps_training_matrices *weights, *other_weights, *gradients, *other_gradients;

static const pymps_optimizer_options good = {.learning_rate = 0.5f, .gradient_rescale = 1};

/* What every kind asks of the options that all have. */
static void test_options(void) {
    pymps_optimizer_options bad;
    pymps_optimizer *optimizer = NULL;
#define FAILS_WITH(field, value, text)                                                                                 \
    do {                                                                                                               \
        bad = good;                                                                                                    \
        bad.apply_gradient_clipping = true;                                                                            \
        bad.field = value;                                                                                             \
        FAILS(training->sgd_optimizer_create(layer, &bad, 0, false, &optimizer, error),                                \
              "[sgd_optimizer_create] options." text);                                                                 \
        FAILS(training->rms_prop_optimizer_create(layer, &bad, 0.5, 0, &optimizer, error),                             \
              "[rms_prop_optimizer_create] options." text);                                                            \
        FAILS(training->adam_optimizer_create(layer, &bad, 0.5, 0.5, 0, false, &optimizer, error),                     \
              "[adam_optimizer_create] options." text);                                                                \
    } while (0)
    FAILS_WITH(learning_rate, INFINITY, "learning_rate: inf, expected a finite number");
    FAILS_WITH(gradient_rescale, -INFINITY, "gradient_rescale: -inf, expected a finite number");
    FAILS_WITH(gradient_clip_min, 2, "gradient_clip_min, gradient_clip_max: 2, 0, expected a range");
    FAILS_WITH(regularization_type, (pymps_regularization_type)3,
               "regularization_type: 3, expected 0 (none), 1 (L1) or 2 (L2)");
    FAILS_WITH(regularization_scale, INFINITY, "regularization_scale: inf, expected a finite number");
#undef FAILS_WITH
    bad = good;
    bad.gradient_clip_min = 2; /* which nobody reads */
    REQUIRE(training->sgd_optimizer_create(layer, &bad, 0, false, &optimizer, error));
    training->optimizer_release(optimizer);
}

static void test_kinds(void) {
    pymps_optimizer *optimizer = NULL;
#define SGD(layer, options, momentum, optimizer)                                                                       \
    training->sgd_optimizer_create(layer, options, momentum, false, optimizer, error)
#define RMS_PROP(layer, options, decay, epsilon, optimizer)                                                            \
    training->rms_prop_optimizer_create(layer, options, decay, epsilon, optimizer, error)
#define ADAM(layer, options, beta1, beta2, epsilon, optimizer)                                                         \
    training->adam_optimizer_create(layer, options, beta1, beta2, epsilon, false, optimizer, error)
    FAILS(SGD(NULL, &good, 0, &optimizer), "[sgd_optimizer_create] layer: NULL, expected a pointer");
    FAILS(SGD(layer, NULL, 0, &optimizer), "[sgd_optimizer_create] options: NULL, expected a pointer");
    FAILS(SGD(layer, &good, 0, NULL), "[sgd_optimizer_create] optimizer: NULL, expected a pointer");
    FAILS(SGD(layer, &good, INFINITY, &optimizer),
          "[sgd_optimizer_create] momentum_scale: inf, expected a finite number");
    FAILS(RMS_PROP(NULL, &good, 0.5, 0, &optimizer), "[rms_prop_optimizer_create] layer: NULL, expected a pointer");
    FAILS(RMS_PROP(layer, NULL, 0.5, 0, &optimizer), "[rms_prop_optimizer_create] options: NULL, expected a pointer");
    FAILS(RMS_PROP(layer, &good, 0.5, 0, NULL), "[rms_prop_optimizer_create] optimizer: NULL, expected a pointer");
    FAILS(RMS_PROP(layer, &good, 1.5, 0, &optimizer), "[rms_prop_optimizer_create] decay: 1.5, expected 0 to 1");
    FAILS(RMS_PROP(layer, &good, -0.5, 0, &optimizer), "[rms_prop_optimizer_create] decay: -0.5, expected 0 to 1");
    FAILS(RMS_PROP(layer, &good, 0.5, -1, &optimizer),
          "[rms_prop_optimizer_create] epsilon: -1, expected a finite number of at least 0");
    FAILS(ADAM(NULL, &good, 0.5, 0.5, 0, &optimizer), "[adam_optimizer_create] layer: NULL, expected a pointer");
    FAILS(ADAM(layer, NULL, 0.5, 0.5, 0, &optimizer), "[adam_optimizer_create] options: NULL, expected a pointer");
    FAILS(ADAM(layer, &good, 0.5, 0.5, 0, NULL), "[adam_optimizer_create] optimizer: NULL, expected a pointer");
    FAILS(ADAM(layer, &good, 1, 0.5, 0, &optimizer),
          "[adam_optimizer_create] beta1: 1, expected at least 0 and less than 1");
    FAILS(ADAM(layer, &good, 0.5, -1, 0, &optimizer),
          "[adam_optimizer_create] beta2: -1, expected at least 0 and less than 1");
    FAILS(ADAM(layer, &good, 0.5, 0.5, INFINITY, &optimizer),
          "[adam_optimizer_create] epsilon: inf, expected a finite number of at least 0");
#undef SGD
#undef RMS_PROP
#undef ADAM
    CHECK(optimizer == NULL, "an output was changed");
}

static void test_steps(void) {
    pymps_optimizer *optimizer;
    REQUIRE(training->adam_optimizer_create(layer, &good, 0.5, 0.5, 0, false, &optimizer, error));
    pymps_command_buffer *commands = make_command_buffer(device);
#define ENCODE(optimizer, commands, gradients, weights)                                                                \
    training->optimizer_encode(optimizer, commands, gradients, weights, error)
#define TEXT(text) "[optimizer_encode] " text
    FAILS(ENCODE(NULL, commands, gradients, weights), TEXT("optimizer: NULL, expected a pointer"));
    FAILS(ENCODE(optimizer, NULL, gradients, weights), TEXT("command_buffer: NULL, expected a pointer"));
    FAILS(ENCODE(optimizer, commands, NULL, weights), TEXT("gradients: NULL, expected a pointer"));
    FAILS(ENCODE(optimizer, commands, gradients, NULL), TEXT("weights: NULL, expected a pointer"));
    FAILS(ENCODE(optimizer, commands, weights, weights), TEXT("gradients: weights, expected gradients"));
    FAILS(ENCODE(optimizer, commands, gradients, gradients), TEXT("weights: gradients, expected weights"));
    FAILS(ENCODE(optimizer, commands, other_gradients, weights),
          TEXT("gradients: of another layer, expected those of this layer or of a copy"));
    FAILS(ENCODE(optimizer, commands, gradients, other_weights),
          TEXT("weights: of another layer, expected those of this layer or of a copy"));
    FAILS(training->optimizer_set_learning_rate(NULL, 1, error),
          "[optimizer_set_learning_rate] optimizer: NULL, expected a pointer");
    FAILS(training->optimizer_set_learning_rate(optimizer, INFINITY, error),
          "[optimizer_set_learning_rate] learning_rate: inf, expected a finite number");
    REQUIRE(api->command_buffer_commit(commands, error));
    FAILS(ENCODE(optimizer, commands, gradients, weights),
          TEXT("command_buffer: already committed, expected to encode before"));
#undef TEXT
#undef ENCODE
    CHECK(training->optimizer_learning_rate(optimizer) == 0.5f, "it was changed");
    CHECK(training->optimizer_time_step(optimizer) == 0, "it counts what was not encoded");
    REQUIRE(api->command_buffer_wait(commands, error));
    api->command_buffer_release(commands);
    training->optimizer_release(optimizer);
}

static void test_states(void) {
    pymps_device_info info;
    api->device_info(device, &info);
    const size_t limit = info.max_buffer_length_bytes, rows = limit / (OUTPUTS * sizeof(float)) + 1;
    const float numbers[OUTPUTS] = {0};
    pymps_state *state = NULL;
#define CREATE(layer, is_gradient, rows, c, state)                                                                     \
    training->training_state_create(layer, is_gradient, rows, NULL, c, state, error)
#define TEXT(text) "[training_state_create] " text
    for (int is_gradient = 0; is_gradient < 2; is_gradient++) {
        FAILS(CREATE(NULL, is_gradient, 1, NULL, &state), TEXT("layer: NULL, expected a pointer"));
        FAILS(CREATE(layer, is_gradient, 1, NULL, NULL), TEXT("state: NULL, expected a pointer"));
        FAILS(CREATE(layer, is_gradient, 0, NULL, &state), TEXT("rows: 0, expected at least 1"));
        FAILS(CREATE(layer, is_gradient, 1, numbers, &state),
              TEXT("c: given for a layer without a memory cell, expected NULL"));
        FAILS(CREATE(layer, is_gradient, rows, NULL, &state),
              TEXT("rows: %zu of 4 channels, expected at most %zu bytes, the device's max_buffer_length_bytes"), rows,
              limit);
    }
#undef TEXT
#undef CREATE
    CHECK(state == NULL, "an output was changed");
    pymps_matrix matrix;
    REQUIRE(training->training_state_create(layer, true, 1, numbers, NULL, &state, error));
    CHECK(!api->state_is_temporary(state) && api->state_read_count(state) == 0, "temporary");
    FAILS(api->state_set_read_count(state, 1, error),
          "[state_set_read_count] state: not temporary, expected one with a read count");
    FAILS(api->state_matrix(state, 0, PYMPS_MEMORY_CELL, &matrix, error),
          "[state_matrix] which: 1 (memory cell) of layer 0, which has none");
    FAILS(api->state_matrix(state, 1, PYMPS_RECURRENT_OUTPUT, &matrix, error),
          "[state_matrix] layer_index: 1, expected less than 1");
    api->state_release(state);
}

/* The states of a layer for inference are none for training. */
static void test_inference(const cell *cell) {
    pymps_descriptor *descriptor = cell->describe(cell->numbers);
    pymps_layer *inference = make_layer(device, &descriptor, 1);
    pymps_state *state, *of_training;
    pymps_stream *stream;
    pymps_matrix sources[STEPS], destinations[STEPS];
    REQUIRE(api->state_create(inference, ROWS, NULL, NULL, &state, error));
    REQUIRE(training->training_state_create(layer, false, ROWS, NULL, NULL, &of_training, error));
    REQUIRE(api->stream_create(inference, ROWS, &stream, error));
    steps_buffer(device, INPUTS, x, sources);
    steps_buffer(device, OUTPUTS, NULL, destinations);
    pymps_command_buffer *commands = make_command_buffer(device);
    pymps_training_tape *tape = NULL;
    pymps_training_forward forward = {
        .weights = weights, .steps = STEPS, .sources = sources, .destinations = destinations, .state = state};
    static const char text[] = "state: of another layer, expected one of this layer or of a copy of it";
    FAILS(training->training_layer_encode_forward(layer, commands, &forward, &tape, error),
          "[training_layer_encode_forward] %s", text);
    FAILS(api->layer_encode_sequence(inference, commands, STEPS, sources, destinations, of_training, 0, false, NULL,
                                     error),
          "[layer_encode_sequence] %s", text);
    FAILS(api->stream_set_state(stream, of_training, error), "[stream_set_state] %s", text);
    api->command_buffer_release(commands);
    api->buffer_release(sources[0].buffer);
    api->buffer_release(destinations[0].buffer);
    api->stream_release(stream);
    api->state_release(state);
    api->state_release(of_training);
    api->layer_release(inference);
    api->descriptor_release(descriptor);
}

static void test_all(void) {
    device = open_device();
    training = api->training;
    rnn rnn = rnn_create(INPUTS, OUTPUTS, 96);
    const cell simple = rnn_cell(&rnn);
    layer = make_training_layer(device, &simple, &weights);
    other = make_training_layer(device, &simple, &other_weights);
    REQUIRE(training->training_gradients_create(layer, PYMPS_FLOAT32, NULL, &gradients, error));
    REQUIRE(training->training_gradients_create(other, PYMPS_FLOAT32, NULL, &other_gradients, error));
    test_options();
    test_kinds();
    test_steps();
    test_states();
    test_inference(&simple);
    training->training_layer_release(layer);
    training->training_layer_release(other);
    training->training_matrices_release(weights);
    training->training_matrices_release(gradients);
    training->training_matrices_release(other_weights);
    training->training_matrices_release(other_gradients);
    rnn_destroy(&rnn);
    api->device_release(device);
}

int main(void) {
    for_each_backend(test_all);
    return report();
}
