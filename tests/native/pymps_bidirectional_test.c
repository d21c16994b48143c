/* The C interface: sequences in both directions, in every combine mode, and what can't run that way. */
#include "pymps_cells.h"

enum { INPUTS = 3, FORWARD = 4, BACKWARD = 2, STEPS = 5, ROWS = 3 };
static const size_t lengths[ROWS] = {5, 4, 2};
static const double tolerance = 1e-5;

static pymps_device *device;

static size_t rows_at(size_t step) {
    size_t rows = 0;
    while (rows < ROWS && step < lengths[rows])
        rows++;
    return rows;
}

/* Runs a row through a stack of simple RNNs, from its first step on or from its last: y is steps x outputs. */
static void run_reference(const rnn *rnns, size_t count, bool backward, size_t row, const float *x, double *y) {
    double h[2][8] = {{0}};
    size_t outputs = rnns[count - 1].outputs;
    for (size_t i = 0; i < lengths[row]; i++) {
        size_t t = backward ? lengths[row] - 1 - i : i;
        double now[8];
        for (size_t k = 0; k < INPUTS; k++)
            now[k] = x[(t * ROWS + row) * INPUTS + k];
        for (size_t layer = 0; layer < count; layer++) {
            rnn_step(&rnns[layer], now, h[layer]);
            memcpy(now, h[layer], sizeof now);
        }
        memcpy(y + t * outputs, now, outputs * sizeof *y);
    }
}

/* `columns` columns of what came at a row, from `first` on. */
static void check_row(const float *came, size_t width, size_t first, const double *expected, size_t columns,
                      size_t row) {
    for (size_t t = 0; t < lengths[row]; t++) {
        double worst = difference(came + (t * ROWS + row) * width + first, expected + t * columns, columns);
        CHECK(worst <= tolerance, "row %zu, step %zu differs by %g", row, t, worst);
    }
}

/* Sequences of falling lengths through two forward layers and one backward layer, whose order in the stack is mixed. */
static void check_mode(pymps_combine_mode mode, size_t backward_outputs) {
    rnn forward[2] = {rnn_create(INPUTS, 6, 41), rnn_create(6, FORWARD, 42)};
    rnn backward = rnn_create(INPUTS, backward_outputs, 43);
    pymps_descriptor *descriptors[3] = {rnn_describe(&forward[0], PYMPS_SEQUENCE_FORWARD),
                                        rnn_describe(&backward, PYMPS_SEQUENCE_BACKWARD),
                                        rnn_describe(&forward[1], PYMPS_SEQUENCE_FORWARD)};
    pymps_layer *layer = make_layer(device, descriptors, 3);
    pymps_layer_info info;
    api->layer_info(layer, &info);
    CHECK(!info.runs_sequence && info.runs_bidirectional_sequence, "info");
    CHECK(info.forward_output_feature_channels == FORWARD &&
              info.backward_output_feature_channels == backward_outputs && info.input_feature_channels == INPUTS,
          "%zu, %zu channels", info.forward_output_feature_channels, info.backward_output_feature_channels);

    uint32_t seed = 44;
    float *x = random_numbers(STEPS * ROWS * INPUTS, &seed);
    size_t width = mode == PYMPS_COMBINE_CONCATENATE ? FORWARD + backward_outputs : FORWARD;
    pymps_matrix sources[STEPS], first[STEPS], second[STEPS];
    pymps_buffer *from = sequence_buffer(device, STEPS, ROWS, INPUTS, x, sources);
    pymps_buffer *to = sequence_buffer(device, STEPS, ROWS, width, NULL, first);
    pymps_buffer *back = sequence_buffer(device, STEPS, ROWS, backward_outputs, NULL, second);
    for (size_t t = 0; t < STEPS; t++)
        sources[t].rows = first[t].rows = second[t].rows = rows_at(t);
    pymps_command_buffer *commands = make_command_buffer(device);
    REQUIRE(api->layer_encode_bidirectional_sequence(layer, commands, STEPS, sources, first,
                                                     mode == PYMPS_COMBINE_NONE ? second : NULL, mode, error));
    finish(commands);

    const float *came = api->buffer_contents(to), *came_back = api->buffer_contents(back);
    for (size_t row = 0; row < ROWS; row++) {
        double yf[STEPS * FORWARD], yb[STEPS * FORWARD];
        run_reference(forward, 2, false, row, x, yf);
        run_reference(&backward, 1, true, row, x, yb);
        if (mode == PYMPS_COMBINE_ADD)
            for (size_t i = 0; i < lengths[row] * FORWARD; i++)
                yf[i] += yb[i];
        check_row(came, width, 0, yf, FORWARD, row);
        if (mode == PYMPS_COMBINE_CONCATENATE)
            check_row(came, width, FORWARD, yb, backward_outputs, row);
        if (mode == PYMPS_COMBINE_NONE)
            check_row(came_back, backward_outputs, 0, yb, backward_outputs, row);
    }
    api->buffer_release(from);
    api->buffer_release(to);
    api->buffer_release(back);
    api->layer_release(layer);
    for (int i = 0; i < 3; i++)
        api->descriptor_release(descriptors[i]);
    free(x);
    rnn_destroy(&forward[0]);
    rnn_destroy(&forward[1]);
    rnn_destroy(&backward);
}

static pymps_descriptor *describe(size_t inputs, size_t outputs, pymps_sequence_direction direction) {
    pymps_descriptor *descriptor;
    REQUIRE(api->lstm_descriptor_create(inputs, outputs, &descriptor, error));
    REQUIRE(api->descriptor_set_layer_sequence_direction(descriptor, direction, error));
    return descriptor;
}

static void test_stacks(void) {
    pymps_descriptor *ahead = describe(3, 4, PYMPS_SEQUENCE_FORWARD), *back = describe(3, 4, PYMPS_SEQUENCE_BACKWARD);
    pymps_descriptor *square = describe(3, 3, PYMPS_SEQUENCE_BACKWARD), *far = describe(5, 4, PYMPS_SEQUENCE_BACKWARD);
    pymps_descriptor *after = describe(4, 2, PYMPS_SEQUENCE_BACKWARD);
    pymps_layer_info info;
    struct {
        pymps_descriptor *stack[3];
        size_t count;
        bool runs_sequence, runs_bidirectional_sequence;
    } stacks[] = {
        {{ahead}, 1, true, false},        {{back}, 1, true, false},         {{ahead, back}, 2, false, true},
        {{square, ahead}, 2, true, true}, {{ahead, after}, 2, true, false}, {{ahead, back, after}, 3, false, true},
    };
    for (size_t i = 0; i < sizeof stacks / sizeof *stacks; i++) {
        pymps_layer *layer = make_layer(device, stacks[i].stack, stacks[i].count);
        api->layer_info(layer, &info);
        CHECK(info.runs_sequence == stacks[i].runs_sequence, "stack %zu", i);
        CHECK(info.runs_bidirectional_sequence == stacks[i].runs_bidirectional_sequence, "stack %zu", i);
        api->layer_release(layer);
    }

    pymps_layer *layer = NULL;
    FAILS(
        api->layer_create(device, (pymps_descriptor *[]){ahead, far}, 2, &layer, error),
        "[layer_create] descriptors[1].input_feature_channels: 5, expected 3, the input channels of the layers of the "
        "other direction");
    FAILS(
        api->layer_create(device, (pymps_descriptor *[]){back, ahead, far}, 3, &layer, error),
        "[layer_create] descriptors[2].input_feature_channels: 5, expected 4, the output channels of the layer before "
        "of its direction");
    pymps_descriptor *all[] = {ahead, back, square, far, after};
    for (int i = 0; i < 5; i++)
        api->descriptor_release(all[i]);
}

static void test_errors(void) {
    pymps_descriptor *descriptors[2] = {describe(3, 4, PYMPS_SEQUENCE_FORWARD),
                                        describe(3, 2, PYMPS_SEQUENCE_BACKWARD)};
    pymps_layer *layer = make_layer(device, descriptors, 2), *plain = make_layer(device, descriptors, 1);
    pymps_command_buffer *commands = make_command_buffer(device);
    pymps_matrix x[2], y[2], z[2], wide[2], bad[2];
    pymps_buffer *buffers[] = {
        sequence_buffer(device, 2, 1, 3, NULL, x),
        sequence_buffer(device, 2, 1, 4, NULL, y),
        sequence_buffer(device, 2, 1, 2, NULL, z),
        sequence_buffer(device, 2, 1, 6, NULL, wide),
    };
#define TEXT(text) "[layer_encode_bidirectional_sequence] " text
#define ENCODE(steps, y, z, mode)                                                                                      \
    api->layer_encode_bidirectional_sequence(layer, commands, steps, x, y, z, (pymps_combine_mode)(mode), error)
    FAILS(api->layer_encode_bidirectional_sequence(NULL, commands, 2, x, y, z, PYMPS_COMBINE_NONE, error),
          TEXT("layer: NULL, expected a pointer"));
    FAILS(ENCODE(2, NULL, z, 0), TEXT("forward_destinations: NULL, expected a pointer"));
    FAILS(ENCODE(2, y, NULL, 0), TEXT("backward_destinations: NULL, expected a pointer for combine_mode 0 (none)"));
    FAILS(ENCODE(2, wide, z, 2), TEXT("backward_destinations: given for combine_mode 2, expected NULL"));
    FAILS(ENCODE(2, y, NULL, 1),
          TEXT("combine_mode: 1 (add) for 4 forward and 2 backward output channels, expected as many of both"));
    FAILS(ENCODE(2, y, NULL, 3), TEXT("combine_mode: 3, expected 0 (none), 1 (add) or 2 (concatenate)"));
    FAILS(ENCODE(0, y, z, 0), TEXT("steps: 0, expected at least 1"));
    FAILS(ENCODE(2, z, y, 0),
          TEXT("forward_destinations[0].columns: 2, expected 4, the output channels of the forward layers"));
    FAILS(ENCODE(2, y, x, 0),
          TEXT("backward_destinations[0].columns: 3, expected 2, the output channels of the backward layers"));
    FAILS(ENCODE(2, y, NULL, 2),
          TEXT("forward_destinations[0].columns: 4, expected 6, the output channels of both directions"));
    memcpy(bad, y, sizeof bad);
    bad[1].rows = 2;
    bad[1].offset_bytes = 0;
    FAILS(ENCODE(2, bad, z, 0), TEXT("forward_destinations[1].rows: 2, expected 1, those of the source"));

    bad[0] = float_matrix(x[0].buffer, 0, 1, 4, 16);
    bad[1] = y[1];
    FAILS(ENCODE(2, bad, z, 0),
          TEXT("forward_destinations[0]: shares memory with sources[0], expected memory of its own"));
    bad[0] = z[0];
    bad[1] = float_matrix(x[0].buffer, 16, 1, 2, 8);
    FAILS(ENCODE(2, y, bad, 0),
          TEXT("backward_destinations[1]: shares memory with sources[1], expected memory of its own"));
    bad[1] = float_matrix(y[0].buffer, 0, 1, 2, 8);
    FAILS(ENCODE(2, y, bad, 0),
          TEXT("backward_destinations[1]: shares memory with forward_destinations[0], expected memory of its own"));
    FAILS(api->layer_encode_bidirectional_sequence(plain, commands, 2, x, y, z, PYMPS_COMBINE_NONE, error),
          TEXT("layer: a stack without both directions from the same input channels, expected forward and backward "
               "layers"));

    static const char two_ways[] =
        "layer: a stack of two directions, expected one whose layers take the outputs of the "
        "layer before";
    pymps_state *state = NULL;
    pymps_stream *stream = NULL;
    FAILS(api->layer_encode_sequence(layer, commands, 2, x, z, NULL, 0, false, NULL, error),
          "[layer_encode_sequence] %s", two_ways);
    FAILS(api->state_create(layer, 1, NULL, NULL, &state, error), "[state_create] %s", two_ways);
    FAILS(api->stream_create(layer, 1, &stream, error), "[stream_create] %s", two_ways);
    REQUIRE(api->command_buffer_commit(commands, error));
    FAILS(ENCODE(2, y, z, 0), TEXT("command_buffer: already committed, expected to encode before"));
#undef ENCODE
    api->command_buffer_release(commands);
    for (int i = 0; i < 4; i++)
        api->buffer_release(buffers[i]);
    for (int i = 0; i < 2; i++)
        api->descriptor_release(descriptors[i]);
    api->layer_release(layer);
    api->layer_release(plain);
}

static void test_all(void) {
    device = open_device();
    check_mode(PYMPS_COMBINE_NONE, BACKWARD);
    check_mode(PYMPS_COMBINE_ADD, FORWARD);
    check_mode(PYMPS_COMBINE_CONCATENATE, BACKWARD);
    test_stacks();
    test_errors();
    api->device_release(device);
}

int main(void) {
    for_each_backend(test_all);
    return report();
}
