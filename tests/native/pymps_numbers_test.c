/* The C interface as an embedder uses it: the numbers of sequences, states and streams of LSTMs. */
#include "pymps_test.h"

static const double tolerance = 1e-5, half_tolerance = 2e-3;

/* Runs `steps` steps of `rows` rows through the stack in double precision, from h and c, rows x outputs each; y
 * receives steps x rows x outputs. Row r takes part in the steps below lengths[r]. */
static void run_reference(const lstm *lstms, size_t count, size_t steps, size_t rows, const size_t *lengths,
                          const float *x, double **h, double **c, double *y) {
    size_t inputs = lstms[0].inputs, outputs = lstms[count - 1].outputs;
    for (size_t t = 0; t < steps; t++) {
        for (size_t r = 0; r < rows && t < lengths[r]; r++) {
            double now[64];
            for (size_t i = 0; i < inputs; i++)
                now[i] = x[(t * rows + r) * inputs + i];
            for (size_t l = 0; l < count; l++) {
                double *h_row = h[l] + r * lstms[l].outputs;
                lstm_step(&lstms[l], now, h_row, c[l] + r * lstms[l].outputs);
                memcpy(now, h_row, lstms[l].outputs * sizeof *now);
            }
            memcpy(y + (t * rows + r) * outputs, now, outputs * sizeof *y);
        }
    }
}

/* A stack over sequences of falling lengths, seen in one buffer that holds x and y side by side, from a given state,
 * against double arithmetic. */
static void check_stack(const lstm *lstms, size_t count, bool half, bool from_state) {
    enum { STEPS = 5, ROWS = 3 };
    static const size_t lengths[ROWS] = {5, 4, 2};
    size_t inputs = lstms[0].inputs, outputs = lstms[count - 1].outputs, width = inputs + outputs + 1;
    uint32_t seed = 7;
    pymps_device *device = open_device();
    pymps_layer *layer = lstm_layer(device, lstms, count, half);
    double *h[2], *c[2], *y = calloc(STEPS * ROWS * outputs, sizeof *y);
    float *h_start[2], *c_start[2], *x = random_numbers(STEPS * ROWS * inputs, &seed);
    for (size_t l = 0; l < count; l++) {
        size_t numbers = ROWS * lstms[l].outputs;
        h_start[l] = random_numbers(numbers, &seed);
        c_start[l] = random_numbers(numbers, &seed);
        h[l] = calloc(numbers, sizeof *h[l]);
        c[l] = calloc(numbers, sizeof *c[l]);
        for (size_t i = 0; i < numbers && from_state; i++) {
            h[l][i] = h_start[l][i];
            c[l][i] = c_start[l][i];
        }
    }
    pymps_state *start = NULL, *states[STEPS];
    if (from_state)
        REQUIRE(api->state_create(layer, ROWS, (const float *const *)h_start, (const float *const *)c_start, &start,
                                  error));

    pymps_buffer *buffer = make_buffer(device, STEPS * ROWS * width * sizeof(float), PYMPS_STORAGE_SHARED);
    float *xy = api->buffer_contents(buffer);
    pymps_matrix sources[STEPS], destinations[STEPS];
    for (size_t t = 0; t < STEPS; t++) {
        size_t rows = 0;
        for (; rows < ROWS && t < lengths[rows]; rows++)
            memcpy(xy + (t * ROWS + rows) * width, x + (t * ROWS + rows) * inputs, inputs * sizeof *x);
        size_t offset = t * ROWS * width * sizeof(float);
        sources[t] = float_matrix(buffer, offset, rows, inputs, width * sizeof(float));
        destinations[t] = float_matrix(buffer, offset + inputs * sizeof(float), rows, outputs, width * sizeof(float));
    }
    pymps_queue *queue;
    pymps_command_buffer *command_buffer;
    REQUIRE(api->queue_create(device, &queue, error));
    REQUIRE(api->command_buffer_create(queue, &command_buffer, error));
    REQUIRE(api->layer_encode_sequence(layer, command_buffer, STEPS, sources, destinations, start, STEPS, false, states,
                                       error));
    REQUIRE(api->command_buffer_commit(command_buffer, error));
    REQUIRE(api->command_buffer_wait(command_buffer, error));

    run_reference(lstms, count, STEPS, ROWS, lengths, x, h, c, y);
    double bound = half ? half_tolerance : tolerance, worst = 0;
    for (size_t t = 0; t < STEPS; t++)
        for (size_t r = 0; r < ROWS; r++) {
            double expected[64] = {0}; /* rows of sequences that ended are not written */
            if (t < lengths[r])
                memcpy(expected, y + (t * ROWS + r) * outputs, outputs * sizeof *y);
            worst = fmax(worst, difference(xy + (t * ROWS + r) * width + inputs, expected, outputs));
            CHECK(xy[(t * ROWS + r) * width + inputs + outputs] == 0, "written behind step %zu, row %zu", t, r);
        }
    CHECK(worst <= bound, "y differs by %g", worst);
    for (size_t l = 0; l < count; l++)
        for (int which = PYMPS_RECURRENT_OUTPUT; which <= PYMPS_MEMORY_CELL; which++) {
            pymps_matrix matrix;
            float numbers[ROWS * 64];
            REQUIRE(api->state_matrix(states[STEPS - 1], l, (pymps_state_matrix)which, &matrix, error));
            REQUIRE(api->matrix_read(device, &matrix, numbers, error));
            api->buffer_release(matrix.buffer);
            worst = difference(numbers, which == PYMPS_MEMORY_CELL ? c[l] : h[l], ROWS * lstms[l].outputs);
            CHECK(worst <= bound, "layer %zu, matrix %d of the state differs by %g", l, which, worst);
        }

    for (size_t t = 0; t < STEPS; t++)
        api->state_release(states[t]);
    for (size_t l = 0; l < count; l++) {
        free(h[l]);
        free(c[l]);
        free(h_start[l]);
        free(c_start[l]);
    }
    free(x);
    free(y);
    api->state_release(start);
    api->command_buffer_release(command_buffer);
    api->queue_release(queue);
    api->buffer_release(buffer);
    api->layer_release(layer);
    api->device_release(device);
}

static void test_numbers(void) {
    for (memory_kind memory = MEMORY_NONE; memory <= MEMORY_FULL; memory++)
        for (int options = 0; options < 4; options++) {
            lstm lstms[2] = {lstm_create(5, 7, memory, 1), lstm_create(7, 3, MEMORY_NONE, 2)};
            check_stack(lstms, 1, options & 1, options & 2);
            check_stack(lstms, 2, options & 1, options & 2);
            lstm_destroy(&lstms[0]);
            lstm_destroy(&lstms[1]);
        }
    lstm unit = lstm_create(6, 6, MEMORY_NONE, 3);
    unit.unit_input = true;
    check_stack(&unit, 1, false, false);
    lstm_destroy(&unit);
}

/* A state may be taken from any step: running in two halves gives what one run gives. */
static void test_states(void) {
    pymps_device *device = open_device();
    lstm lstm = lstm_create(3, 9, MEMORY_DIAGONAL, 4);
    pymps_layer *layer = lstm_layer(device, &lstm, 1, false), *copy;
    REQUIRE(api->layer_copy(layer, &copy, error));
    pymps_buffer *x = make_buffer(device, 4 * 12, PYMPS_STORAGE_SHARED);
    pymps_buffer *y = make_buffer(device, 2 * 4 * 36, PYMPS_STORAGE_SHARED);
    float *numbers = api->buffer_contents(x), *results = api->buffer_contents(y);
    uint32_t seed = 5;
    for (int i = 0; i < 12; i++)
        numbers[i] = next_number(&seed);
    pymps_matrix sources[4], whole[4], halves[4];
    for (size_t t = 0; t < 4; t++) {
        sources[t] = float_matrix(x, t * 12, 1, 3, 12);
        whole[t] = float_matrix(y, t * 36, 1, 9, 36);
        halves[t] = float_matrix(y, (4 + t) * 36, 1, 9, 36);
    }
    pymps_queue *queue;
    pymps_command_buffer *first, *second;
    pymps_state *states[4], *middle;
    REQUIRE(api->queue_create(device, &queue, error));
    REQUIRE(api->command_buffer_create(queue, &first, error));
    REQUIRE(api->command_buffer_create(queue, &second, error));
    REQUIRE(api->layer_encode_sequence(layer, first, 4, sources, whole, NULL, 4, false, states, error));
    REQUIRE(api->layer_encode_sequence(layer, first, 2, sources, halves, NULL, 1, false, &middle, error));
    REQUIRE(api->layer_encode_sequence(copy, second, 2, sources + 2, halves + 2, middle, 0, false, NULL, error));
    REQUIRE(api->command_buffer_commit(first, error));
    REQUIRE(api->command_buffer_commit(second, error));
    REQUIRE(api->command_buffer_wait(second, error));
    CHECK(memcmp(results, results + 36, 36 * sizeof *results) == 0, "two halves differ from one run");

    pymps_state *zeros;
    float values[9];
    pymps_matrix matrix;
    REQUIRE(api->state_create(layer, 1, NULL, NULL, &zeros, error));
    for (int which = PYMPS_RECURRENT_OUTPUT; which <= PYMPS_MEMORY_CELL; which++) {
        static const double none[9];
        REQUIRE(api->state_matrix(zeros, 0, (pymps_state_matrix)which, &matrix, error));
        REQUIRE(api->matrix_read(device, &matrix, values, error));
        api->buffer_release(matrix.buffer);
        CHECK(difference(values, none, 9) == 0, "matrix %d is not zero", which);
    }
    for (size_t t = 0; t < 4; t++)
        api->state_release(states[t]);
    api->state_release(middle);
    api->state_release(zeros);
    api->command_buffer_release(first);
    api->command_buffer_release(second);
    api->queue_release(queue);
    api->buffer_release(x);
    api->buffer_release(y);
    api->layer_release(copy);
    api->layer_release(layer);
    lstm_destroy(&lstm);
    api->device_release(device);
}

/* Steps a stream and the reference side by side, and returns the largest difference. */
static double step_stream(pymps_stream *stream, const lstm *lstm, size_t rows, size_t steps, double *h, double *c) {
    pymps_matrix source, destination;
    api->stream_source(stream, &source);
    api->stream_destination(stream, &destination);
    float *x = api->buffer_contents(source.buffer), *y = api->buffer_contents(destination.buffer);
    uint32_t seed = 6;
    double worst = 0, row[64];
    for (size_t t = 0; t < steps; t++) {
        for (size_t i = 0; i < rows * lstm->inputs; i++)
            x[i] = next_number(&seed);
        REQUIRE(api->stream_step(stream, error));
        for (size_t r = 0; r < rows; r++) {
            for (size_t i = 0; i < lstm->inputs; i++)
                row[i] = x[r * lstm->inputs + i];
            lstm_step(lstm, row, h + r * lstm->outputs, c + r * lstm->outputs);
        }
        worst = fmax(worst, difference(y, h, rows * lstm->outputs));
    }
    return worst;
}

static void test_streams(void) {
    enum { ROWS = 2, INPUTS = 5, OUTPUTS = 11 };
    pymps_device *device = open_device();
    lstm lstm = lstm_create(INPUTS, OUTPUTS, MEMORY_NONE, 8);
    pymps_layer *layer = lstm_layer(device, &lstm, 1, false);
    pymps_stream *stream;
    REQUIRE(api->stream_create(layer, ROWS, &stream, error));
    api->layer_release(layer);

    double h[ROWS * OUTPUTS] = {0}, c[ROWS * OUTPUTS] = {0}, kept_h[ROWS * OUTPUTS], kept_c[ROWS * OUTPUTS];
    double at_keeping[ROWS * OUTPUTS];
    CHECK(api->stream_state(stream) == NULL, "a state before the first step");
    double worst = step_stream(stream, &lstm, ROWS, 20, h, c);
    CHECK(worst <= tolerance, "differs by %g", worst);
    pymps_state *kept = api->stream_state(stream);
    CHECK(kept != NULL, "no state after a step");
    memcpy(kept_h, h, sizeof h);
    memcpy(kept_c, c, sizeof c);
    memcpy(at_keeping, c, sizeof c);
    pymps_matrix cell; /* outlives its state */
    float cells[ROWS * OUTPUTS];
    REQUIRE(api->state_matrix(kept, 0, PYMPS_MEMORY_CELL, &cell, error));
    api->state_release(kept);
    kept = api->stream_state(stream);
    worst = step_stream(stream, &lstm, ROWS, 5, h, c);
    CHECK(worst <= tolerance, "differs by %g", worst);

    REQUIRE(api->stream_set_state(stream, kept, error));
    worst = step_stream(stream, &lstm, ROWS, 5, kept_h, kept_c);
    CHECK(worst <= tolerance, "after stream_set_state: differs by %g", worst);
    REQUIRE(api->matrix_read(device, &cell, cells, error));
    CHECK(difference(cells, at_keeping, ROWS * OUTPUTS) <= tolerance, "the kept memory cell has changed");
    api->buffer_release(cell.buffer);
    REQUIRE(api->stream_set_state(stream, NULL, error));
    CHECK(api->stream_state(stream) == NULL, "a state after a reset");
    memset(h, 0, sizeof h);
    memset(c, 0, sizeof c);
    worst = step_stream(stream, &lstm, ROWS, 5, h, c);
    CHECK(worst <= tolerance, "after a reset: differs by %g", worst);
    api->stream_release(stream);
    api->state_release(kept);
    lstm_destroy(&lstm);
    api->device_release(device);
}

static void test_all(void) {
    test_numbers();
    test_states();
    test_streams();
}

int main(void) {
    for_each_backend(test_all);
    return report();
}
