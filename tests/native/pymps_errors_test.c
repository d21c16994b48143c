/* Every argument that the C interface refuses, by its text. No argument may abort, and none may change an output. */
#include "pymps_test.h"

#include <unistd.h>

static void check_failure(int line, pymps_status status, const pymps_error *error, const char *text) {
    bool same = status == PYMPS_ERROR_ARGUMENT && error->status == status && strcmp(error->text, text) == 0;
    CHECK(same, "line %d: status %d: '%s', expected '%s'", line, status, error->text, text);
}

/* `call` has an argument `error`. */
#define FAILS(call, ...)                                                                                               \
    do {                                                                                                               \
        pymps_error error_ = {0}, *error = &error_;                                                                    \
        char text_[sizeof error_.text];                                                                                \
        snprintf(text_, sizeof text_, __VA_ARGS__);                                                                    \
        pymps_status status_ = (call);                                                                                 \
        check_failure(__LINE__, status_, error, text_);                                                                \
    } while (0)

static pymps_device *device;
static size_t limit;

static void test_devices(void) {
    size_t count;
    FAILS(api->device_count(NULL, error), "[device_count] count: NULL, expected a pointer");
    FAILS(api->device_open(0, NULL, error), "[device_open] device: NULL, expected a pointer");
    REQUIRE(api->device_count(&count, error));
    pymps_error error = {0};
    pymps_device *none = NULL;
    CHECK(api->device_open(count, &none, &error) == PYMPS_ERROR_DEVICE && none == NULL, "%d", error.status);
    char text[100];
    snprintf(text, sizeof text, "[device_open] index: %zu, expected less than %zu, the number of devices", count,
             count);
    CHECK(strcmp(error.text, text) == 0, "'%s'", error.text);
    CHECK(api->device_open(count, &none, NULL) == PYMPS_ERROR_DEVICE, "without an error");
    api->device_info(NULL, NULL);
    CHECK(api->device_current_allocated_size_bytes(NULL) == 0, "NULL");
}

static void test_buffers(void) {
    pymps_buffer *buffer = NULL;
    FAILS(api->buffer_create(NULL, 4, PYMPS_STORAGE_SHARED, &buffer, error),
          "[buffer_create] device: NULL, expected a pointer");
    FAILS(api->buffer_create(device, 4, PYMPS_STORAGE_SHARED, NULL, error),
          "[buffer_create] buffer: NULL, expected a pointer");
    const size_t lengths[] = {0, limit + 1, SIZE_MAX};
    for (int i = 0; i < 3; i++)
        FAILS(api->buffer_create(device, lengths[i], PYMPS_STORAGE_SHARED, &buffer, error),
              "[buffer_create] length_bytes: %zu, expected 1 to %zu, the device's max_buffer_length_bytes", lengths[i],
              limit);
    FAILS(api->buffer_create(device, 4, (pymps_storage_mode)3, &buffer, error),
          "[buffer_create] storage_mode: 3, expected 0 (shared), 1 (managed) or 2 (private)");

    size_t page = (size_t)getpagesize();
    char *pages;
    CHECK(posix_memalign((void **)&pages, page, 2 * page) == 0, "no memory");
    FAILS(api->buffer_wrap(device, NULL, page, NULL, NULL, &buffer, error),
          "[buffer_wrap] pointer: NULL, expected a pointer");
    FAILS(api->buffer_wrap(device, pages + 4, page, NULL, NULL, &buffer, error),
          "[buffer_wrap] pointer: %p, expected a multiple of %zu, the page size", (void *)(pages + 4), page);
    FAILS(api->buffer_wrap(device, pages, page + 4, NULL, NULL, &buffer, error),
          "[buffer_wrap] length_bytes: %zu, expected a multiple of %zu, the page size", page + 4, page);
    FAILS(api->buffer_wrap(device, pages, 0, NULL, NULL, &buffer, error),
          "[buffer_wrap] length_bytes: 0, expected 1 to %zu, the device's max_buffer_length_bytes", limit);
    free(pages);
    CHECK(buffer == NULL, "an output was changed");

    buffer = make_buffer(device, 8, PYMPS_STORAGE_SHARED);
    FAILS(api->buffer_did_modify(buffer, 0, 8, error),
          "[buffer_did_modify] buffer: storage mode 0, expected 1 (managed)");
    api->buffer_release(buffer);
    buffer = make_buffer(device, 8, PYMPS_STORAGE_MANAGED);
    FAILS(api->buffer_did_modify(buffer, 4, SIZE_MAX, error),
          "[buffer_did_modify] length_bytes: %zu at offset 4, expected to end within the buffer's 8 bytes", SIZE_MAX);
    api->buffer_release(buffer);
    CHECK(api->buffer_contents(NULL) == NULL && api->buffer_length_bytes(NULL) == 0, "NULL");
}

static void test_descriptors(void) {
    pymps_descriptor *descriptor = NULL;
    FAILS(api->lstm_descriptor_create(0, 4, &descriptor, error),
          "[lstm_descriptor_create] input_feature_channels: 0, expected at least 1");
    FAILS(api->lstm_descriptor_create(4, 0, &descriptor, error),
          "[lstm_descriptor_create] output_feature_channels: 0, expected at least 1");
    FAILS(api->lstm_descriptor_create(4, 4, NULL, error),
          "[lstm_descriptor_create] descriptor: NULL, expected a pointer");
    REQUIRE(api->lstm_descriptor_create(2, 3, &descriptor, error));

    const float data[9] = {0}, slopes[3] = {0};
    const pymps_weights good = {data, PYMPS_FLOAT32, 3, 2, NULL, {0}, NULL};
    const pymps_matrix_id input = PYMPS_LSTM_CELL_GATE_INPUT_WEIGHTS, memory = PYMPS_LSTM_CELL_GATE_MEMORY_WEIGHTS;
    pymps_weights bad = good;
#define SET(id) api->descriptor_set_weights(descriptor, id, &bad, error)
    FAILS(api->descriptor_set_weights(NULL, input, &bad, error),
          "[descriptor_set_weights] descriptor: NULL, expected a pointer");
    const int ids[] = {-1, 0, 2, 6, 10, 14, 18, 1000};
    for (int i = 0; i < 8; i++)
        FAILS(SET((pymps_matrix_id)ids[i]),
              "[descriptor_set_weights] matrix_id: %d, expected the MPSRNNMatrixId of an LSTM's weights", ids[i]);
    bad.data = NULL;
    FAILS(SET(input), "[descriptor_set_weights] weights.data: NULL, expected a pointer");
    bad = good;
    bad.data_type = (pymps_data_type)8;
    FAILS(SET(input), "[descriptor_set_weights] weights.data_type: 0x8, expected 0x10000020 (float32) or 0x10000010 "
                      "(float16)");
    bad = good;
    bad.output_feature_channels = 2;
    FAILS(SET(input), "[descriptor_set_weights] weights.output_feature_channels: 2, expected 3");
    bad = good;
    bad.input_feature_channels = 1;
    FAILS(SET(input), "[descriptor_set_weights] weights.input_feature_channels: 1, expected 2");
    bad = good;
    FAILS(SET(PYMPS_LSTM_INPUT_GATE_RECURRENT_WEIGHTS),
          "[descriptor_set_weights] weights.input_feature_channels: 2, expected 3");
    FAILS(SET(memory), "[descriptor_set_weights] weights.input_feature_channels: 2, expected 3, or 1 for a diagonal");
    const int types[] = {-1, 16};
    for (int i = 0; i < 2; i++) {
        bad.neuron.type = types[i];
        FAILS(SET(input), "[descriptor_set_weights] weights.neuron.type: %d, expected 0 to 15, an MPSCNNNeuronType",
              types[i]);
    }
    bad.neuron = (pymps_neuron){.type = 10};
    FAILS(SET(input), "[descriptor_set_weights] weights.neuron.channel_a: NULL, expected one value per output channel");
    bad.neuron = (pymps_neuron){.type = 10, .channel_a = slopes, .channel_count = 2};
    FAILS(SET(input), "[descriptor_set_weights] weights.neuron.channel_count: 2, expected 3, the output channels");
    bad.neuron = (pymps_neuron){.type = 3, .channel_a = slopes, .channel_count = 3};
    FAILS(SET(input),
          "[descriptor_set_weights] weights.neuron.channel_a: given for type 3, expected only for PReLU (10)");
#undef SET
    pymps_neuron neuron = {.type = 10, .channel_a = slopes, .channel_count = 3};
    FAILS(api->lstm_descriptor_set_cell_to_output_neuron(descriptor, &neuron, error),
          "[lstm_descriptor_set_cell_to_output_neuron] neuron.type: 10 (PReLU), expected a type with the same "
          "parameters for all channels");
    neuron = (pymps_neuron){.type = 77};
    FAILS(api->lstm_descriptor_set_cell_to_output_neuron(descriptor, &neuron, error),
          "[lstm_descriptor_set_cell_to_output_neuron] neuron.type: 77, expected 0 to 15, an MPSCNNNeuronType");
    FAILS(api->lstm_descriptor_set_cell_to_output_neuron(descriptor, NULL, error),
          "[lstm_descriptor_set_cell_to_output_neuron] neuron: NULL, expected a pointer");
    FAILS(api->lstm_descriptor_set_memory_weights_are_diagonal(NULL, true, error),
          "[lstm_descriptor_set_memory_weights_are_diagonal] descriptor: NULL, expected a pointer");
    api->descriptor_set_use_float32_weights(NULL, true);
    api->descriptor_set_use_layer_input_unit_transform_mode(NULL, true);
    api->descriptor_release(descriptor);
}

static pymps_descriptor *describe(size_t inputs, size_t outputs) {
    pymps_descriptor *descriptor;
    REQUIRE(api->lstm_descriptor_create(inputs, outputs, &descriptor, error));
    return descriptor;
}

static void test_layers(void) {
    pymps_layer *layer = NULL;
    pymps_descriptor *pair[2] = {describe(2, 3), describe(4, 3)};
    FAILS(api->layer_create(NULL, pair, 1, &layer, error), "[layer_create] device: NULL, expected a pointer");
    FAILS(api->layer_create(device, NULL, 1, &layer, error), "[layer_create] descriptors: NULL, expected a pointer");
    FAILS(api->layer_create(device, pair, 0, &layer, error), "[layer_create] count: 0, expected at least 1 descriptor");
    FAILS(api->layer_create(device, pair, 1, NULL, error), "[layer_create] layer: NULL, expected a pointer");
    FAILS(api->layer_create(device, pair, 2, &layer, error),
          "[layer_create] descriptors[1].input_feature_channels: 4, expected 3, the output channels of the layer "
          "before");
    FAILS(api->layer_create(device, (pymps_descriptor *[]){pair[0], NULL}, 2, &layer, error),
          "[layer_create] descriptors[1]: NULL, expected a descriptor");
    api->descriptor_set_use_layer_input_unit_transform_mode(pair[0], true);
    FAILS(api->layer_create(device, pair, 1, &layer, error),
          "[layer_create] descriptors[0].use_layer_input_unit_transform_mode: 2 input channels, expected 3, the "
          "output channels");
    api->descriptor_set_use_layer_input_unit_transform_mode(pair[0], false);

    const float data[9] = {0};
    pymps_weights weights = {data, PYMPS_FLOAT32, 3, 1, NULL, {0}, NULL};
    REQUIRE(api->descriptor_set_weights(pair[0], PYMPS_LSTM_FORGET_GATE_MEMORY_WEIGHTS, &weights, error));
    FAILS(api->layer_create(device, pair, 1, &layer, error),
          "[layer_create] descriptors[0].memory_weights_are_diagonal: false, expected true: matrix_id 9 has 3 x 1 "
          "weights");
    REQUIRE(api->lstm_descriptor_set_memory_weights_are_diagonal(pair[0], true, error));
    weights.input_feature_channels = 3;
    REQUIRE(api->descriptor_set_weights(pair[0], PYMPS_LSTM_INPUT_GATE_MEMORY_WEIGHTS, &weights, error));
    FAILS(api->layer_create(device, pair, 1, &layer, error),
          "[layer_create] descriptors[0].memory_weights_are_diagonal: true, expected false: matrix_id 5 has 3 x 3 "
          "weights");

    pymps_descriptor *huge = describe(SIZE_MAX, SIZE_MAX / 2);
    FAILS(api->layer_create(device, &huge, 1, &layer, error),
          "[layer_create] descriptors[0].output_feature_channels: %zu (input: %zu), expected weights of at most %zu "
          "bytes, the device's max_buffer_length_bytes",
          SIZE_MAX / 2, SIZE_MAX, limit);
    weights.output_feature_channels = weights.input_feature_channels = SIZE_MAX / 2;
    FAILS(api->descriptor_set_weights(huge, PYMPS_LSTM_INPUT_GATE_MEMORY_WEIGHTS, &weights, error),
          "[descriptor_set_weights] weights.data: %zu x %zu numbers, more than memory can hold", SIZE_MAX / 2,
          SIZE_MAX / 2);
    CHECK(layer == NULL, "an output was changed");
    FAILS(api->layer_copy(NULL, &layer, error), "[layer_copy] layer: NULL, expected a pointer");
    api->layer_info(NULL, NULL);
    api->descriptor_release(huge);
    api->descriptor_release(pair[0]);
    api->descriptor_release(pair[1]);
}

static pymps_layer *make_layer(pymps_device *of, size_t inputs, size_t outputs) {
    pymps_descriptor *descriptor = describe(inputs, outputs);
    pymps_layer *layer;
    REQUIRE(api->layer_create(of, &descriptor, 1, &layer, error));
    api->descriptor_release(descriptor);
    return layer;
}

/* What encoding refuses about one matrix; the first source stands for all. */
static void test_matrix(pymps_layer *layer, pymps_command_buffer *commands, pymps_buffer *x, pymps_buffer *y) {
    const pymps_matrix good = float_matrix(x, 0, 2, 4, 16), destination = float_matrix(y, 0, 2, 3, 12);
    pymps_matrix bad;
#define FAILS_WITH(field, value, ...)                                                                                  \
    do {                                                                                                               \
        bad = good;                                                                                                    \
        bad.field = value;                                                                                             \
        FAILS(api->layer_encode_sequence(layer, commands, 1, &bad, &destination, NULL, 0, NULL, error),                \
              "[layer_encode_sequence] sources[0]." __VA_ARGS__);                                                      \
    } while (0)
    FAILS_WITH(buffer, NULL, "buffer: NULL, expected a buffer");
    FAILS_WITH(data_type, (pymps_data_type)0x20,
               "data_type: 0x20, expected 0x10000020 (float32) or 0x10000010 (float16)");
    FAILS_WITH(rows, 0, "rows: 0, expected at least 1");
    FAILS_WITH(columns, 0, "columns: 0, expected at least 1");
    FAILS_WITH(columns, 3, "columns: 3, expected 4, the layer's input channels");
    FAILS_WITH(columns, SIZE_MAX, "row_bytes: 16, expected a multiple of 4 and at least %zu", SIZE_MAX);
    FAILS_WITH(row_bytes, 12, "row_bytes: 12, expected a multiple of 4 and at least 16");
    FAILS_WITH(row_bytes, 18, "row_bytes: 18, expected a multiple of 4 and at least 16");
    FAILS_WITH(offset_bytes, 2, "offset_bytes: 2, expected a multiple of 4");
    FAILS_WITH(offset_bytes, 36,
               "offset_bytes: 36 and 2 rows of 16 bytes, expected to end within the buffer's 64 bytes");
    FAILS_WITH(offset_bytes, SIZE_MAX - 3,
               "offset_bytes: %zu and 2 rows of 16 bytes, expected to end within the buffer's 64 bytes", SIZE_MAX - 3);
    FAILS_WITH(rows, SIZE_MAX, "offset_bytes: 0 and %zu rows of 16 bytes, expected to end within the buffer's 64 bytes",
               SIZE_MAX);
#undef FAILS_WITH
    float numbers[4];
    bad = good;
    bad.rows = 0;
    FAILS(api->matrix_read(NULL, &good, numbers, error), "[matrix_read] device: NULL, expected a pointer");
    FAILS(api->matrix_read(device, NULL, numbers, error), "[matrix_read] matrix: NULL, expected a pointer");
    FAILS(api->matrix_read(device, &good, NULL, error), "[matrix_read] destination: NULL, expected a pointer");
    FAILS(api->matrix_read(device, &bad, numbers, error), "[matrix_read] matrix.rows: 0, expected at least 1");
}

static void test_sequence(void) {
    pymps_layer *layer = make_layer(device, 4, 3), *other = make_layer(device, 4, 3);
    pymps_buffer *x = make_buffer(device, 64, PYMPS_STORAGE_SHARED),
                 *y = make_buffer(device, 64, PYMPS_STORAGE_PRIVATE);
    pymps_queue *queue;
    pymps_command_buffer *commands;
    REQUIRE(api->queue_create(device, &queue, error));
    REQUIRE(api->command_buffer_create(queue, &commands, error));
    test_matrix(layer, commands, x, y);

    pymps_matrix s[2] = {float_matrix(x, 0, 1, 4, 16), float_matrix(x, 16, 1, 4, 16)};
    pymps_matrix d[2] = {float_matrix(y, 0, 1, 3, 12), float_matrix(y, 12, 1, 3, 12)}, changed[2] = {d[0], d[1]};
    pymps_state *states[2] = {NULL, NULL}, *foreign, *two_rows;
    REQUIRE(api->state_create(other, 1, NULL, NULL, &foreign, error));
    REQUIRE(api->state_create(layer, 2, NULL, NULL, &two_rows, error));
#define ENCODE(steps, s, d, state, count, states)                                                                      \
    api->layer_encode_sequence(layer, commands, steps, s, d, state, count, states, error)
#define TEXT(text) "[layer_encode_sequence] " text
    FAILS(api->layer_encode_sequence(NULL, commands, 1, s, d, NULL, 0, NULL, error),
          TEXT("layer: NULL, expected a pointer"));
    FAILS(api->layer_encode_sequence(layer, NULL, 1, s, d, NULL, 0, NULL, error),
          TEXT("command_buffer: NULL, expected a pointer"));
    FAILS(ENCODE(1, NULL, d, NULL, 0, NULL), TEXT("sources: NULL, expected a pointer"));
    FAILS(ENCODE(1, s, NULL, NULL, 0, NULL), TEXT("destinations: NULL, expected a pointer"));
    FAILS(ENCODE(0, s, d, NULL, 0, NULL), TEXT("steps: 0, expected at least 1"));
    FAILS(ENCODE(2, s, d, NULL, 3, states), TEXT("state_count: 3, expected 0, 1 or 2, the steps"));
    FAILS(ENCODE(2, s, d, NULL, 2, NULL), TEXT("states: NULL, expected a place for 2 states"));
    FAILS(ENCODE(2, s, d, foreign, 0, NULL),
          TEXT("state: of another layer, expected one of this layer or of a copy of it"));
    FAILS(ENCODE(2, s, d, two_rows, 0, NULL), TEXT("state: 2 rows, expected 1"));
    changed[1].columns = 2;
    FAILS(ENCODE(2, s, changed, NULL, 0, NULL),
          TEXT("destinations[1].columns: 2, expected 3, the layer's output channels"));
    changed[1] = d[1];
    changed[1].rows = 2;
    FAILS(ENCODE(2, s, changed, NULL, 0, NULL), TEXT("destinations[1].rows: 2, expected 1, those of the source"));
    changed[1] = d[1];
    changed[1].data_type = PYMPS_FLOAT16;
    FAILS(ENCODE(2, s, changed, NULL, 0, NULL),
          TEXT("destinations[1].data_type: 0x10000010, expected 0x10000020, as in sources[0]"));
    FAILS(ENCODE(2, changed, d, NULL, 0, NULL), TEXT("sources[0].columns: 3, expected 4, the layer's input channels"));
    changed[0] = s[0];
    changed[1] = s[1];
    changed[1].data_type = PYMPS_FLOAT16;
    FAILS(ENCODE(2, changed, d, NULL, 0, NULL),
          TEXT("sources[1].data_type: 0x10000010, expected 0x10000020, as in sources[0]"));
    changed[1] = s[1];
    changed[1].rows = 2;
    FAILS(ENCODE(2, changed, d, NULL, 0, NULL),
          TEXT("sources[1].rows: 2, expected at most 1, those of the step before"));
    /* One shared byte is too much, in whichever order the matrices lie. */
    changed[0] = float_matrix(x, 36, 1, 3, 12);
    changed[1] = float_matrix(x, 28, 1, 3, 12);
    FAILS(ENCODE(2, s, changed, NULL, 0, NULL),
          TEXT("destinations[1]: shares memory with sources[1], expected memory of its own"));
    changed[0] = float_matrix(x, 12, 2, 3, 16); /* between the rows of one source, over the end of the other */
    s[0] = float_matrix(x, 0, 2, 4, 32);
    FAILS(ENCODE(1, s, changed, NULL, 0, NULL),
          TEXT("destinations[0]: shares memory with sources[0], expected memory of its own"));
    s[0] = float_matrix(x, 0, 1, 4, 16);
    CHECK(states[0] == NULL && states[1] == NULL, "an output was changed");
    REQUIRE(ENCODE(2, s, d, NULL, 0, NULL));
    REQUIRE(api->command_buffer_commit(commands, error));
    FAILS(ENCODE(2, s, d, NULL, 0, NULL), TEXT("command_buffer: already committed, expected to encode before"));
#undef ENCODE
#undef TEXT
    api->state_release(foreign);
    api->state_release(two_rows);
    api->command_buffer_release(commands);
    api->queue_release(queue);
    api->buffer_release(x);
    api->buffer_release(y);
    api->layer_release(layer);
    api->layer_release(other);
}

static void test_command_buffers(void) {
    enum { MOST = 64 };
    pymps_queue *queue = NULL;
    pymps_command_buffer *commands[MOST], *more = NULL;
    FAILS(api->queue_create(NULL, &queue, error), "[queue_create] device: NULL, expected a pointer");
    FAILS(api->queue_create(device, NULL, error), "[queue_create] queue: NULL, expected a pointer");
    REQUIRE(api->queue_create(device, &queue, error));
    FAILS(api->command_buffer_create(NULL, &more, error), "[command_buffer_create] queue: NULL, expected a pointer");
    FAILS(api->command_buffer_create(queue, NULL, error),
          "[command_buffer_create] command_buffer: NULL, expected a pointer");
    for (int i = 0; i < MOST; i++)
        REQUIRE(api->command_buffer_create(queue, &commands[i], error));
    FAILS(api->command_buffer_create(queue, &more, error),
          "[command_buffer_create] queue: 64 command buffers wait for their commit, expected less");
    CHECK(more == NULL, "an output was changed");
    FAILS(api->command_buffer_wait(commands[0], error),
          "[command_buffer_wait] command_buffer: not committed, expected a commit before");
    REQUIRE(api->command_buffer_commit(commands[0], error));
    REQUIRE(api->command_buffer_wait(commands[0], error));
    REQUIRE(api->command_buffer_wait(commands[0], error));
    FAILS(api->command_buffer_commit(commands[0], error),
          "[command_buffer_commit] command_buffer: already committed, expected one commit");
    FAILS(api->command_buffer_commit(NULL, error), "[command_buffer_commit] command_buffer: NULL, expected a pointer");
    FAILS(api->command_buffer_wait(NULL, error), "[command_buffer_wait] command_buffer: NULL, expected a pointer");
    api->command_buffer_release(commands[0]);
    api->command_buffer_release(commands[1]);
    for (int i = 0; i < 2; i++)
        REQUIRE(api->command_buffer_create(queue, &commands[i], error));
    for (int i = 0; i < MOST; i++)
        api->command_buffer_release(commands[i]);
    api->queue_release(queue);
}

static void test_states_and_streams(void) {
    pymps_layer *layer = make_layer(device, 4, 3), *other = make_layer(device, 4, 3);
    pymps_state *state = NULL, *foreign;
    pymps_stream *stream = NULL;
    pymps_matrix matrix;
    const size_t rows = limit / 16 + 1;
#define TOO_MANY "rows: %zu of 4 channels, expected at most %zu bytes, the device's max_buffer_length_bytes"
    FAILS(api->state_create(NULL, 1, NULL, NULL, &state, error), "[state_create] layer: NULL, expected a pointer");
    FAILS(api->state_create(layer, 0, NULL, NULL, &state, error), "[state_create] rows: 0, expected at least 1");
    FAILS(api->state_create(layer, 1, NULL, NULL, NULL, error), "[state_create] state: NULL, expected a pointer");
    FAILS(api->state_create(layer, rows, NULL, NULL, &state, error), "[state_create] " TOO_MANY, rows, limit);
    FAILS(api->stream_create(NULL, 1, &stream, error), "[stream_create] layer: NULL, expected a pointer");
    FAILS(api->stream_create(layer, 0, &stream, error), "[stream_create] rows: 0, expected at least 1");
    FAILS(api->stream_create(layer, 1, NULL, error), "[stream_create] stream: NULL, expected a pointer");
    FAILS(api->stream_create(layer, SIZE_MAX, &stream, error), "[stream_create] " TOO_MANY, SIZE_MAX, limit);
    CHECK(state == NULL && stream == NULL, "an output was changed");

    REQUIRE(api->state_create(layer, 1, NULL, NULL, &state, error));
    REQUIRE(api->state_create(other, 1, NULL, NULL, &foreign, error));
    REQUIRE(api->stream_create(layer, 2, &stream, error));
    FAILS(api->state_matrix(NULL, 0, PYMPS_MEMORY_CELL, &matrix, error),
          "[state_matrix] state: NULL, expected a pointer");
    FAILS(api->state_matrix(state, 1, PYMPS_MEMORY_CELL, &matrix, error),
          "[state_matrix] layer_index: 1, expected less than 1");
    FAILS(api->state_matrix(state, 0, (pymps_state_matrix)2, &matrix, error),
          "[state_matrix] which: 2, expected 0 (recurrent output) or 1 (memory cell)");
    FAILS(api->state_matrix(state, 0, PYMPS_MEMORY_CELL, NULL, error),
          "[state_matrix] matrix: NULL, expected a pointer");
    FAILS(api->stream_set_state(stream, foreign, error),
          "[stream_set_state] state: of another layer, expected one of this layer or of a copy of it");
    FAILS(api->stream_set_state(stream, state, error), "[stream_set_state] state: 1 rows, expected 2");
    FAILS(api->stream_set_state(NULL, state, error), "[stream_set_state] stream: NULL, expected a pointer");
    FAILS(api->stream_step(NULL, error), "[stream_step] stream: NULL, expected a pointer");
    api->stream_source(NULL, &matrix);
    api->stream_destination(stream, NULL);
    CHECK(api->stream_state(NULL) == NULL, "NULL");
    api->state_release(state);
    api->state_release(foreign);
    api->stream_release(stream);
    api->layer_release(layer);
    api->layer_release(other);
}

static void test_all(void) {
    pymps_device_info info;
    device = open_device();
    api->device_info(device, &info);
    limit = info.max_buffer_length_bytes;
    test_devices();
    test_buffers();
    test_descriptors();
    test_layers();
    test_sequence();
    test_command_buffers();
    test_states_and_streams();
    api->device_release(device);
}

int main(void) {
    for_each_backend(test_all);
    return report();
}
