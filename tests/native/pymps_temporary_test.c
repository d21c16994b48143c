/* The C interface: temporary states and their read counts. */
#include "pymps_cells.h"

enum { INPUTS = 3, OUTPUTS = 4, STEPS = 4 };
static const size_t result_bytes = OUTPUTS * sizeof(float);

static pymps_device *device;
static pymps_layer *layer;
static pymps_matrix x[STEPS], y[STEPS];

/* Two sequences on one command buffer, the second of which starts where the first ends. */
static void test_numbers(void) {
    pymps_command_buffer *commands = make_command_buffer(device);
    float expected[STEPS * OUTPUTS], *came = api->buffer_contents(y[0].buffer);
    REQUIRE(api->layer_encode_sequence(layer, commands, STEPS, x, y, NULL, 0, false, NULL, error));
    finish(commands);
    memcpy(expected, came, sizeof expected);

    for (int all = 0; all < 2; all++) {
        memset(came, 0, sizeof expected);
        pymps_state *states[2] = {NULL, NULL}, *last;
        commands = make_command_buffer(device);
        REQUIRE(api->layer_encode_sequence(layer, commands, 2, x, y, NULL, all ? 2 : 1, true, states, error));
        last = states[all];
        CHECK(api->state_is_temporary(last) && api->state_read_count(last) == 1, "%zu", api->state_read_count(last));
        REQUIRE(api->state_set_read_count(last, 2, error));
        REQUIRE(api->layer_encode_sequence(layer, commands, 2, x + 2, y, last, 0, false, NULL, error));
        CHECK(api->state_read_count(last) == 1, "%zu", api->state_read_count(last));
        REQUIRE(api->layer_encode_sequence(layer, commands, 2, x + 2, y + 2, last, 0, false, NULL, error));
        CHECK(api->state_read_count(last) == 0, "%zu", api->state_read_count(last));
        FAILS(api->layer_encode_sequence(layer, commands, 2, x + 2, y + 2, last, 0, false, NULL, error),
              "[layer_encode_sequence] state: temporary with a read count of 0, expected at least 1");
        FAILS(api->state_set_read_count(last, 1, error),
              "[state_set_read_count] state: a read count of 0, which is final");
        finish(commands);
        CHECK(memcmp(came + 2 * OUTPUTS, expected + 2 * OUTPUTS, 2 * result_bytes) == 0, "differ");
        api->state_release(states[0]);
        api->state_release(states[1]);
    }
}

static void test_rules(void) {
    pymps_command_buffer *commands = make_command_buffer(device), *other = make_command_buffer(device);
    pymps_state *temporary, *lasting;
    pymps_stream *stream;
    REQUIRE(api->stream_create(layer, 1, &stream, error));
    REQUIRE(api->layer_encode_sequence(layer, commands, 1, x, y, NULL, 1, true, &temporary, error));
    REQUIRE(api->layer_encode_sequence(layer, commands, 1, x, y, NULL, 1, false, &lasting, error));
    static const char elsewhere[] = "state: temporary, expected to be used on the command buffer that made it";
    FAILS(api->layer_encode_sequence(layer, other, 1, x, y, temporary, 0, false, NULL, error),
          "[layer_encode_sequence] %s", elsewhere);
    FAILS(api->stream_set_state(stream, temporary, error), "[stream_set_state] %s", elsewhere);
    pymps_matrix matrix;
    FAILS(api->state_matrix(temporary, 0, PYMPS_RECURRENT_OUTPUT, &matrix, error),
          "[state_matrix] state: temporary, expected one whose matrices can be read");
    FAILS(api->state_set_read_count(lasting, 2, error),
          "[state_set_read_count] state: not temporary, expected one with a read count");
    FAILS(api->state_set_read_count(NULL, 2, error), "[state_set_read_count] state: NULL, expected a pointer");
    CHECK(!api->state_is_temporary(lasting) && api->state_read_count(lasting) == 0, "temporary");
    CHECK(!api->state_is_temporary(NULL) && api->state_read_count(NULL) == 0, "NULL");
    REQUIRE(api->command_buffer_commit(commands, error));
    FAILS(api->state_set_read_count(temporary, 2, error),
          "[state_set_read_count] state: its command buffer is committed, expected to be changed before");
    REQUIRE(api->command_buffer_wait(commands, error));
    api->state_release(temporary);
    api->state_release(lasting);
    api->stream_release(stream);
    api->command_buffer_release(commands);

    /* One that nobody reads, and one that outlives its command buffer. */
    pymps_state *unread;
    REQUIRE(api->layer_encode_sequence(layer, other, 1, x, y, NULL, 1, true, &unread, error));
    api->state_release(unread);
    REQUIRE(api->layer_encode_sequence(layer, other, 1, x, y, NULL, 1, true, &unread, error));
    api->command_buffer_release(other);
    api->state_release(unread);
}

static void test_all(void) {
    device = open_device();
    rnn rnn = rnn_create(INPUTS, OUTPUTS, 51);
    pymps_descriptor *descriptor = rnn_describe(&rnn, PYMPS_SEQUENCE_FORWARD);
    layer = make_layer(device, &descriptor, 1);
    uint32_t seed = 52;
    float *numbers = random_numbers(STEPS * INPUTS, &seed);
    pymps_buffer *from = sequence_buffer(device, STEPS, 1, INPUTS, numbers, x);
    pymps_buffer *to = sequence_buffer(device, STEPS, 1, OUTPUTS, NULL, y);
    test_numbers();
    test_rules();
    api->buffer_release(from);
    api->buffer_release(to);
    free(numbers);
    api->layer_release(layer);
    api->descriptor_release(descriptor);
    rnn_destroy(&rnn);
    api->device_release(device);
}

int main(void) {
    for_each_backend(test_all);
    return report();
}
