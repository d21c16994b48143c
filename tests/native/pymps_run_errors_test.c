/* The arguments that running refuses, by the error's text: sequences, matrices, command buffers, states, streams. */
#include "pymps_test.h"

static pymps_device *device;
static size_t limit;

static pymps_layer *make_layer(void) {
    pymps_descriptor *descriptor;
    pymps_layer *layer;
    REQUIRE(api->lstm_descriptor_create(4, 3, &descriptor, error));
    REQUIRE(api->layer_create(device, &descriptor, 1, &layer, error));
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
        FAILS(api->layer_encode_sequence(layer, commands, 1, &bad, &destination, NULL, 0, false, NULL, error),         \
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
    pymps_layer *layer = make_layer(), *other = make_layer();
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
    api->layer_encode_sequence(layer, commands, steps, s, d, state, count, false, states, error)
#define TEXT(text) "[layer_encode_sequence] " text
    FAILS(api->layer_encode_sequence(NULL, commands, 1, s, d, NULL, 0, false, NULL, error),
          TEXT("layer: NULL, expected a pointer"));
    FAILS(api->layer_encode_sequence(layer, NULL, 1, s, d, NULL, 0, false, NULL, error),
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
    pymps_state *own;
    REQUIRE(api->state_create(layer, 1, NULL, NULL, &own, error));
    for (int which = PYMPS_RECURRENT_OUTPUT; which <= PYMPS_MEMORY_CELL; which++) {
        REQUIRE(api->state_matrix(own, 0, (pymps_state_matrix)which, &changed[1], error));
        changed[0] = d[0];
        FAILS(ENCODE(2, s, changed, own, 0, NULL),
              TEXT("destinations[1]: shares memory with state, expected memory of its own"));
        api->buffer_release(changed[1].buffer);
    }
    api->state_release(own);
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
    pymps_layer *layer = make_layer(), *other = make_layer();
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
    test_sequence();
    test_command_buffers();
    test_states_and_streams();
    api->device_release(device);
}

int main(void) {
    for_each_backend(test_all);
    return report();
}
