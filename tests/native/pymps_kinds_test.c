/* The C interface: descriptors of every kind and 8-bit weights, against double arithmetic; their argument errors. */
#include "pymps_cells.h"

enum { STEPS = 6 };
static const double tolerance = 1e-5;
static const double byte_tolerance = 1e-3; /* what bytes are multiplied with may be rounded, in each step */

/* Runs one layer, and `step` over doubles beside it. */
static void check_layer_within(double most, pymps_descriptor *descriptor, size_t inputs, size_t outputs,
                               const void *cell, void (*step)(const void *cell, const double *x, double *h)) {
    pymps_device *device = open_device();
    pymps_layer *layer = make_layer(device, &descriptor, 1);
    uint32_t seed = 21;
    float *x = random_numbers(STEPS * inputs, &seed), *y = run_layer(device, layer, STEPS, x);
    double *h = calloc(outputs, sizeof *h), *now = malloc(inputs * sizeof *now);
    for (size_t t = 0; t < STEPS; t++) {
        for (size_t i = 0; i < inputs; i++)
            now[i] = x[t * inputs + i];
        step(cell, now, h);
        double worst = difference(y + t * outputs, h, outputs);
        CHECK(worst <= most, "step %zu differs by %g", t, worst);
    }
    free(x);
    free(y);
    free(h);
    free(now);
    api->layer_release(layer);
    api->descriptor_release(descriptor);
    api->device_release(device);
}

static void check_layer(pymps_descriptor *descriptor, size_t inputs, size_t outputs, const void *cell,
                        void (*step)(const void *cell, const double *x, double *h)) {
    check_layer_within(tolerance, descriptor, inputs, outputs, cell, step);
}

static void step_gru(const void *cell, const double *x, double *h) {
    gru_step(cell, x, h);
}

static void step_rnn(const void *cell, const double *x, double *h) {
    rnn_step(cell, x, h);
}

static void test_numbers(void) {
    const double p_norms[] = {1, 2, 2.5};
    for (int i = 0; i < 6; i++) {
        gru gru = gru_create(5, 7, p_norms[i / 2], i % 2 == 1, 3);
        check_layer(gru_describe(&gru), 5, 7, &gru, step_gru);
        gru_destroy(&gru);
    }
    rnn rnn = rnn_create(9, 4, 4);
    check_layer(rnn_describe(&rnn, PYMPS_SEQUENCE_FORWARD), 9, 4, &rnn, step_rnn);
    check_layer(rnn_describe(&rnn, PYMPS_SEQUENCE_BACKWARD), 9, 4, &rnn, step_rnn); /* of no meaning in one direction */
    rnn_destroy(&rnn);
}

/* A stack of all kinds; h and c of each layer, of which only the LSTM has the latter. */
static void test_mixed_stack(void) {
    pymps_device *device = open_device();
    rnn rnn = rnn_create(2, 3, 5);
    gru gru = gru_create(3, 4, 1, false, 6);
    lstm lstm = lstm_create(4, 5, MEMORY_NONE, 7);
    pymps_descriptor *stack[] = {rnn_describe(&rnn, PYMPS_SEQUENCE_FORWARD), gru_describe(&gru),
                                 lstm_describe(&lstm, false)};
    pymps_layer *layer = make_layer(device, stack, 3);
    pymps_layer_info info;
    api->layer_info(layer, &info);
    CHECK(info.input_feature_channels == 2 && info.output_feature_channels == 5 && info.number_of_layers == 3, "%zu",
          info.number_of_layers);
    CHECK(info.runs_sequence && !info.runs_bidirectional_sequence, "info");
    CHECK(info.forward_output_feature_channels == 5 && info.backward_output_feature_channels == 0, "info");

    float h[5] = {0.5f, -0.25f, 0.125f, 0.25f, 0}, c[5] = {1, 2, 3, 4, 5}, read[5];
    const float *h_values[] = {h, h, h}, *c_values[] = {NULL, NULL, c};
    pymps_state *state = NULL;
    REQUIRE(api->state_create(layer, 1, h_values, c_values, &state, error));
    for (size_t index = 0; index < 3; index++) {
        pymps_matrix matrix;
        REQUIRE(api->state_matrix(state, index, PYMPS_RECURRENT_OUTPUT, &matrix, error));
        REQUIRE(api->matrix_read(device, &matrix, read, error));
        CHECK(matrix.columns == index + 3 && memcmp(read, h, matrix.columns * sizeof *h) == 0, "layer %zu", index);
        api->buffer_release(matrix.buffer);
    }
    pymps_matrix matrix;
    REQUIRE(api->state_matrix(state, 2, PYMPS_MEMORY_CELL, &matrix, error));
    REQUIRE(api->matrix_read(device, &matrix, read, error));
    CHECK(memcmp(read, c, sizeof c) == 0, "%g", read[4]);
    api->buffer_release(matrix.buffer);
    FAILS(api->state_matrix(state, 1, PYMPS_MEMORY_CELL, &matrix, error),
          "[state_matrix] which: 1 (memory cell) of layer 1, which has none");
    CHECK(!api->state_is_temporary(state) && api->state_read_count(state) == 0, "temporary");
    api->state_release(state);
    c_values[1] = c;
    FAILS(api->state_create(layer, 1, h_values, c_values, &state, error),
          "[state_create] c[1]: given for a layer without a memory cell, expected NULL");
    api->layer_release(layer);
    for (int i = 0; i < 3; i++)
        api->descriptor_release(stack[i]);
    rnn_destroy(&rnn);
    gru_destroy(&gru);
    lstm_destroy(&lstm);
    api->device_release(device);
}

/* ---- 8-bit weights ---- */

static float *numbers_of(const pymps_weights *weights) {
    size_t inputs = weights->input_feature_channels, count = weights->output_feature_channels * inputs;
    const uint8_t *bytes = weights->data;
    float *numbers = malloc(count * sizeof *numbers);
    for (size_t i = 0; i < count; i++) {
        if (weights->lookup_table != NULL) {
            numbers[i] = weights->lookup_table[bytes[i]];
        } else {
            const float *range = weights->ranges[i / inputs];
            numbers[i] = bytes[i] / 255.0f * (range[1] - range[0]) + range[0];
        }
    }
    return numbers;
}

static void test_uint8(void) {
    enum { INPUTS = 3, OUTPUTS = 5 };
    uint8_t bytes[OUTPUTS * OUTPUTS];
    float table[256], ranges[OUTPUTS][2];
    uint32_t seed = 8;
    for (int i = 0; i < OUTPUTS * OUTPUTS; i++)
        bytes[i] = (uint8_t)(37 * i + 11);
    for (int i = 0; i < 256; i++)
        table[i] = next_number(&seed);
    for (int i = 0; i < OUTPUTS; i++) {
        ranges[i][0] = next_number(&seed) - 0.5f;
        ranges[i][1] = next_number(&seed) + 0.5f;
    }
    for (int use_table = 0; use_table < 2; use_table++) {
        rnn rnn = rnn_create(INPUTS, OUTPUTS, 9);
        pymps_descriptor *descriptor = rnn_describe(&rnn, PYMPS_SEQUENCE_FORWARD);
        free(rnn.w);
        free(rnn.u);
        pymps_weights weights = float_weights(NULL, OUTPUTS, INPUTS, rnn.b, TANH);
        weights.data = bytes;
        weights.data_type = PYMPS_UINT8;
        weights.lookup_table = use_table ? table : NULL;
        weights.ranges = use_table ? NULL : (const float(*)[2])ranges;
        rnn.w = numbers_of(&weights);
        REQUIRE(api->descriptor_set_weights(descriptor, PYMPS_SINGLE_GATE_INPUT_WEIGHTS, &weights, error));
        weights.input_feature_channels = OUTPUTS;
        rnn.u = numbers_of(&weights);
        REQUIRE(api->descriptor_set_weights(descriptor, PYMPS_SINGLE_GATE_RECURRENT_WEIGHTS, &weights, error));
        check_layer_within(use_table ? tolerance : byte_tolerance, descriptor, INPUTS, OUTPUTS, &rnn, step_rnn);
        rnn_destroy(&rnn);
    }
}

/* A diagonal of bytes: each output channel has a range of its own. */
static void test_uint8_diagonal(void) {
    enum { CHANNELS = 3 };
    const uint8_t bytes[CHANNELS] = {0, 128, 255};
    const float ranges[CHANNELS][2] = {{0.25f, 1}, {-1, 1}, {0, -0.75f}};
    lstm with = lstm_create(2, CHANNELS, MEMORY_DIAGONAL, 10);
    pymps_descriptor *descriptors[2];
    pymps_weights weights = float_weights(NULL, CHANNELS, 1, NULL, 0);
    weights.data = bytes;
    weights.data_type = PYMPS_UINT8;
    weights.ranges = ranges;
    float *numbers = numbers_of(&weights);
    descriptors[0] = lstm_describe(&with, false);
    REQUIRE(api->descriptor_set_weights(descriptors[0], PYMPS_LSTM_FORGET_GATE_MEMORY_WEIGHTS, &weights, error));
    memcpy(with.v[1], numbers, sizeof(float) * CHANNELS);
    descriptors[1] = lstm_describe(&with, false);
    float *y[2];
    pymps_device *device = open_device();
    uint32_t seed = 11;
    float *x = random_numbers(STEPS * 2, &seed);
    for (int i = 0; i < 2; i++) {
        pymps_layer *layer = make_layer(device, &descriptors[i], 1);
        y[i] = run_layer(device, layer, STEPS, x);
        api->layer_release(layer);
        api->descriptor_release(descriptors[i]);
    }
    for (size_t i = 0; i < STEPS * CHANNELS; i++)
        CHECK(fabsf(y[0][i] - y[1][i]) <= tolerance, "%zu: %g, expected %g", i, y[0][i], y[1][i]);
    free(x);
    free(y[0]);
    free(y[1]);
    free(numbers);
    lstm_destroy(&with);
    api->device_release(device);
}

/* ---- Errors ---- */

static void test_errors(void) {
    pymps_descriptor *gru = NULL, *gate = NULL, *lstm = NULL;
    FAILS(api->gru_descriptor_create(0, 4, &gru, error),
          "[gru_descriptor_create] input_feature_channels: 0, expected at least 1");
    FAILS(api->single_gate_descriptor_create(4, 0, &gate, error),
          "[single_gate_descriptor_create] output_feature_channels: 0, expected at least 1");
    REQUIRE(api->gru_descriptor_create(2, 3, &gru, error));
    REQUIRE(api->single_gate_descriptor_create(2, 3, &gate, error));
    REQUIRE(api->lstm_descriptor_create(2, 3, &lstm, error));

    const float values[] = {0, -1, INFINITY, NAN};
    for (int i = 0; i < 4; i++)
        FAILS(api->gru_descriptor_set_gate_pnorm_value(gru, values[i], error),
              "[gru_descriptor_set_gate_pnorm_value] value: %g, expected a finite number above 0", (double)values[i]);
    FAILS(api->gru_descriptor_set_flip_output_gates(lstm, true, error),
          "[gru_descriptor_set_flip_output_gates] descriptor: of an LSTM, expected one of a GRU");
    FAILS(api->lstm_descriptor_set_memory_weights_are_diagonal(gate, true, error),
          "[lstm_descriptor_set_memory_weights_are_diagonal] descriptor: of a single gate, expected one of an LSTM");
    FAILS(api->descriptor_set_layer_sequence_direction(gru, (pymps_sequence_direction)2, error),
          "[descriptor_set_layer_sequence_direction] direction: 2, expected 0 (forward) or 1 (backward)");
    FAILS(api->descriptor_set_layer_sequence_direction(NULL, PYMPS_SEQUENCE_FORWARD, error),
          "[descriptor_set_layer_sequence_direction] descriptor: NULL, expected a pointer");

    const float data[9] = {0}, ranges[3][2] = {{0}}, table[256] = {0};
    pymps_weights weights = float_weights(data, 3, 2, NULL, 0);
#define SET(descriptor, id) api->descriptor_set_weights(descriptor, id, &weights, error)
    FAILS(SET(gru, PYMPS_LSTM_INPUT_GATE_INPUT_WEIGHTS),
          "[descriptor_set_weights] matrix_id: 3, expected the MPSRNNMatrixId of a GRU's weights");
    FAILS(SET(gru, (pymps_matrix_id)28),
          "[descriptor_set_weights] matrix_id: 28, expected the MPSRNNMatrixId of a GRU's weights");
    FAILS(SET(gate, PYMPS_GRU_INPUT_GATE_INPUT_WEIGHTS),
          "[descriptor_set_weights] matrix_id: 19, expected the MPSRNNMatrixId of a single gate's weights");
    FAILS(SET(gru, PYMPS_GRU_OUTPUT_GATE_INPUT_GATE_WEIGHTS),
          "[descriptor_set_weights] weights.input_feature_channels: 2, expected 3");
    weights.ranges = ranges;
    FAILS(SET(gate, PYMPS_SINGLE_GATE_INPUT_WEIGHTS),
          "[descriptor_set_weights] weights.ranges, lookup_table: given for data_type 0x10000020, expected for uint8");
    weights.data_type = PYMPS_UINT8;
    weights.lookup_table = table;
    FAILS(SET(gate, PYMPS_SINGLE_GATE_INPUT_WEIGHTS),
          "[descriptor_set_weights] weights.ranges, lookup_table: 2 of them given, expected one for uint8");
    weights.ranges = NULL;
    weights.lookup_table = NULL;
    FAILS(SET(gate, PYMPS_SINGLE_GATE_INPUT_WEIGHTS),
          "[descriptor_set_weights] weights.ranges, lookup_table: 0 of them given, expected one for uint8");
#undef SET
    api->descriptor_release(gru);
    api->descriptor_release(gate);
    api->descriptor_release(lstm);
    api->descriptor_release(NULL);
}

static void test_all(void) {
    test_numbers();
    test_mixed_stack();
    test_uint8();
    test_uint8_diagonal();
    test_errors();
}

int main(void) {
    for_each_backend(test_all);
    return report();
}
