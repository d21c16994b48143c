/* Which matrices of a sequence share memory, against a comparison byte by byte: the pair that the error names is the
 * first one. */
#include "pymps_test.h"
#include "pymps_training.h"

enum { STEPS = 5, INPUTS = 4, OUTPUTS = 3, LENGTH = 1024 };

static pymps_layer *layer;
static pymps_command_buffer *commands;
static pymps_buffer *buffer;

static bool has_byte(const pymps_matrix *matrix, size_t byte) {
    for (size_t row = 0; row < matrix->rows; row++) {
        size_t start = matrix->offset_bytes + row * matrix->row_bytes;
        if (byte >= start && byte < start + matrix->columns * sizeof(float))
            return true;
    }
    return false;
}

static bool share(const pymps_matrix *a, const pymps_matrix *b) {
    for (size_t byte = 0; byte < LENGTH; byte++)
        if (has_byte(a, byte) && has_byte(b, byte))
            return true;
    return false;
}

/* Encodes; expects the error that the comparison wants, or none. */
static bool check_overlap(const pymps_matrix *sources, const pymps_matrix *destinations) {
    for (size_t s = 0; s < STEPS; s++)
        for (size_t d = 0; d < STEPS; d++)
            if (share(&sources[s], &destinations[d])) {
                FAILS(api->layer_encode_sequence(layer, commands, STEPS, sources, destinations, NULL, 0, false, NULL,
                                                 error),
                      "[layer_encode_sequence] destinations[%zu]: shares memory with sources[%zu], expected memory of "
                      "its own",
                      d, s);
                return true;
            }
    REQUIRE(api->layer_encode_sequence(layer, commands, STEPS, sources, destinations, NULL, 0, false, NULL, error));
    return false;
}

/* Steps at one distance each: the same for both, or not; forward or backward in memory; rows between rows. */
static void test_even_steps(void) {
    static const struct {
        size_t rows, source_rows, destination_rows, source_start, source_distance, destination_distance;
    } cases[] = {
        {1, 16, 12, 128, 32, 32},
        {1, 16, 12, 128, 32, 48},
        {2, 160, 160, 128, 32, 32},
        {2, 16, 12, 256, 64, 64},
        {1, 16, 12, 300, (size_t)-32, (size_t)-32},
        {1, 16, 12, 300, 0, 32},
        {2, 32, 64, 256, 16, 128},
        {1, 16, 12, 300, (size_t)-32, 32},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int overlapping = 0, apart = 0;
        for (size_t start = 192; start <= 400; start += 4) {
            pymps_matrix sources[STEPS], destinations[STEPS];
            for (size_t t = 0; t < STEPS; t++) {
                sources[t] = float_matrix(buffer, cases[i].source_start + t * cases[i].source_distance, cases[i].rows,
                                          INPUTS, cases[i].source_rows);
                destinations[t] = float_matrix(buffer, start + t * cases[i].destination_distance, cases[i].rows,
                                               OUTPUTS, cases[i].destination_rows);
            }
            *(check_overlap(sources, destinations) ? &overlapping : &apart) += 1;
        }
        CHECK(overlapping > 0 && apart > 0, "case %zu: %d overlap, %d do not", i, overlapping, apart);
    }
}

/* Steps anywhere, so that runs of one distance begin and end anywhere. */
static void test_uneven_steps(void) {
    unsigned random = 1;
    int overlapping = 0;
    for (int i = 0; i < 500; i++) {
        pymps_matrix sources[STEPS], destinations[STEPS];
        size_t source = 0, destination = 8;
        for (size_t t = 0; t < STEPS; t++) {
            random = random * 1103515245 + 12345;
            source += random >> 16 & 3 ? 48 : 36;
            destination += random >> 20 & 7 ? 48 : 40;
            sources[t] = float_matrix(buffer, source, 1, INPUTS, random >> 24 & 1 ? 16 : 20);
            destinations[t] = float_matrix(buffer, destination + 8, 1, OUTPUTS, 12);
        }
        overlapping += check_overlap(sources, destinations);
    }
    CHECK(overlapping > 50 && overlapping < 450, "%d of 500 overlap", overlapping);
}

/* Each step is checked, though only its offset is new. */
static void test_offsets(void) {
    pymps_matrix good[STEPS], destinations[STEPS], bad[STEPS];
    for (size_t t = 0; t < STEPS; t++) {
        good[t] = float_matrix(buffer, LENGTH - (t + 1) * 16, 1, INPUTS, 16);
        destinations[t] = float_matrix(buffer, t * 12, 1, OUTPUTS, 12);
    }
#define ENCODE(s, d) api->layer_encode_sequence(layer, commands, STEPS, s, d, NULL, 0, false, NULL, error)
    REQUIRE(ENCODE(good, destinations));
    for (size_t t = 0; t < STEPS; t++) {
        memcpy(bad, good, sizeof bad);
        bad[t].offset_bytes = LENGTH - 12;
        FAILS(ENCODE(bad, destinations),
              "[layer_encode_sequence] sources[%zu].offset_bytes: %d and 1 rows of 16 bytes, expected to end within "
              "the buffer's %d bytes",
              t, LENGTH - 12, LENGTH);
        bad[t].offset_bytes = 402;
        FAILS(ENCODE(bad, destinations),
              "[layer_encode_sequence] sources[%zu].offset_bytes: 402, expected a multiple of 4", t);
        memcpy(bad, destinations, sizeof bad);
        bad[t].offset_bytes = SIZE_MAX - 3;
        FAILS(ENCODE(good, bad),
              "[layer_encode_sequence] destinations[%zu].offset_bytes: %zu and 1 rows of 12 bytes, expected to end "
              "within the buffer's %d bytes",
              t, SIZE_MAX - 3, LENGTH);
    }
    /* Rows of the source that end while the destinations go on. */
    memcpy(bad, destinations, sizeof bad);
    for (size_t t = 0; t < STEPS; t++)
        good[t] = float_matrix(buffer, 512, t < 3 ? 2 : 1, INPUTS, 16);
    for (size_t t = 0; t < STEPS; t++)
        bad[t] = float_matrix(buffer, t * 24, 2, OUTPUTS, 12);
    FAILS(ENCODE(good, bad), "[layer_encode_sequence] destinations[3].rows: 2, expected 1, those of the source");
#undef ENCODE
}

/* The first pair of results that share memory; false where none do. */
static bool find_pair(const pymps_matrix *results, size_t *first, size_t *second) {
    for (*first = 0; *first < STEPS; ++*first)
        for (*second = *first + 1; *second < STEPS; ++*second)
            if (share(&results[*first], &results[*second]))
                return true;
    return false;
}

/* dx of two rows at each step: at one distance, rows between rows or not; then anywhere. */
static void test_gradients(pymps_device *device, pymps_descriptor *descriptor) {
    const pymps_training_functions *training = api->training;
    pymps_training_layer *trained;
    pymps_training_matrices *weights;
    pymps_training_tape *tape;
    pymps_matrix x[STEPS], y[STEPS], dy[STEPS], dx[STEPS];
    REQUIRE(training->training_layer_create(device, descriptor, &trained, &weights, error));
    pymps_buffer *others = make_buffer(device, LENGTH, PYMPS_STORAGE_SHARED);
    for (size_t t = 0; t < STEPS; t++) {
        x[t] = float_matrix(others, t * 32, 2, INPUTS, 16);
        y[t] = float_matrix(others, 256 + t * 24, 2, OUTPUTS, 12);
        dy[t] = float_matrix(others, 512 + t * 24, 2, OUTPUTS, 12);
    }
    const pymps_training_forward forward = {.weights = weights, .steps = STEPS, .sources = x, .destinations = y};
    REQUIRE(training->training_layer_encode_forward(trained, commands, &forward, &tape, error));
    const pymps_training_gradient gradient = {
        .weights = weights, .tape = tape, .steps = STEPS, .sources = x, .dy = dy, .dx = dx};
    unsigned random = 1;
    int overlapping = 0, apart = 0;
    for (int i = 0; i < 600; i++) {
        random = random * 1103515245 + 12345;
        const size_t distance = (random >> 16) % 20 * 4, rows = random >> 24 & 1 ? 16 : 96;
        for (size_t t = 0; t < STEPS; t++) {
            random = random * 1103515245 + 12345;
            dx[t] = float_matrix(buffer, i < 200 ? t * distance : (random >> 16) % 40 * 16, 2, INPUTS, rows);
        }
        size_t first, second;
        if (find_pair(dx, &first, &second))
            FAILS(training->training_layer_encode_gradient(trained, commands, &gradient, error),
                  "[training_layer_encode_gradient] dx[%zu]: shares memory with dx[%zu], expected memory of its own",
                  second, first);
        else
            REQUIRE(training->training_layer_encode_gradient(trained, commands, &gradient, error));
        *(find_pair(dx, &first, &second) ? &overlapping : &apart) += 1;
    }
    CHECK(overlapping > 50 && apart > 50, "%d overlap, %d do not", overlapping, apart);
    training->training_tape_release(tape);
    training->training_matrices_release(weights);
    training->training_layer_release(trained);
    api->buffer_release(others);
}

/* A stream hands out one state under two handles; the memory that one shows is refused with the other. */
static void test_a_state_of_two_handles(void) {
    pymps_stream *stream;
    REQUIRE(api->stream_create(layer, 1, &stream, error));
    REQUIRE(api->stream_step(stream, error));
    pymps_state *one = api->stream_state(stream), *other = api->stream_state(stream);
    pymps_matrix source = float_matrix(buffer, 0, 1, INPUTS, 16), h;
    REQUIRE(api->state_matrix(one, 0, PYMPS_RECURRENT_OUTPUT, &h, error));
    FAILS(api->layer_encode_sequence(layer, commands, 1, &source, &h, other, 0, false, NULL, error),
          "[layer_encode_sequence] destinations[0]: shares memory with state, expected memory of its own");
    api->buffer_release(h.buffer);
    api->state_release(one);
    api->state_release(other);
    api->stream_release(stream);
}

static void test_all(void) {
    pymps_device *device = open_device();
    pymps_descriptor *descriptor;
    pymps_queue *queue;
    REQUIRE(api->lstm_descriptor_create(INPUTS, OUTPUTS, &descriptor, error));
    REQUIRE(api->layer_create(device, &descriptor, 1, &layer, error));
    REQUIRE(api->queue_create(device, &queue, error));
    REQUIRE(api->command_buffer_create(queue, &commands, error));
    buffer = make_buffer(device, LENGTH, PYMPS_STORAGE_SHARED);
    test_even_steps();
    test_uneven_steps();
    test_offsets();
    test_a_state_of_two_handles();
    test_gradients(device, descriptor);
    api->buffer_release(buffer);
    api->command_buffer_release(commands);
    api->queue_release(queue);
    api->layer_release(layer);
    api->descriptor_release(descriptor);
    api->device_release(device);
}

int main(void) {
    for_each_backend(test_all);
    return report();
}
