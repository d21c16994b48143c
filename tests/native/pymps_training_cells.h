/* A recurrent layer with its double precision transcription, a loss of what a pass puts out, and the derivatives of
 * that by finite differences: what the tests of training compare with. */
#ifndef PYMPS_TESTS_PYMPS_TRAINING_CELLS_H
#define PYMPS_TESTS_PYMPS_TRAINING_CELLS_H

#include "pymps_cells.h"
#include "pymps_training.h"

enum { INPUTS = 3, OUTPUTS = 4, STEPS = 3, ROWS = 2, MOST_WEIGHTS = 16 };
static const size_t rows_of[STEPS] = {2, 2, 1}; /* a sequence ends before the other */

static const double DIFFERENCE = 1.0 / 4096; /* exact in float32 beside what next_number gives */
static const double TOLERANCE = 2e-6;

typedef struct weight {
    int matrix_id;
    float *numbers;
    size_t rows, columns;
} weight;

typedef struct cell {
    const char *name;
    void *numbers; /* an lstm, a gru or an rnn */
    void (*step)(const void *numbers, const double *x, double *h, double *c);
    pymps_descriptor *(*describe)(const void *numbers);
    bool has_memory_cell;
    size_t weight_count;
    weight weights[MOST_WEIGHTS];
} cell;

/* ---- The kinds ---- */

static inline void add_weight(cell *cell, int matrix_id, float *numbers, size_t rows, size_t columns) {
    cell->weights[cell->weight_count++] = (weight){matrix_id, numbers, rows, columns};
}

static inline void step_lstm(const void *numbers, const double *x, double *h, double *c) {
    lstm_step(numbers, x, h, c);
}

static inline pymps_descriptor *describe_lstm(const void *numbers) {
    return lstm_describe(numbers, false);
}

static inline cell lstm_cell(lstm *lstm) {
    cell made = {.name = "LSTM", .numbers = lstm, .step = step_lstm, .describe = describe_lstm};
    made.has_memory_cell = true;
    for (int gate = 0; gate < GATES; gate++) {
        int id = PYMPS_LSTM_INPUT_GATE_INPUT_WEIGHTS + 4 * gate;
        add_weight(&made, id, lstm->w[gate], OUTPUTS, INPUTS);
        add_weight(&made, id + 1, lstm->u[gate], OUTPUTS, OUTPUTS);
        if (lstm->memory != MEMORY_NONE)
            add_weight(&made, id + 2, lstm->v[gate], lstm->memory == MEMORY_DIAGONAL ? 1 : OUTPUTS, OUTPUTS);
        add_weight(&made, id + 3, lstm->b[gate], 1, OUTPUTS);
    }
    return made;
}

static inline void step_gru(const void *numbers, const double *x, double *h, double *c) {
    (void)c;
    gru_step(numbers, x, h);
}

static inline pymps_descriptor *describe_gru(const void *numbers) {
    return gru_describe(numbers);
}

static inline cell gru_cell(gru *gru) {
    cell made = {.name = "GRU", .numbers = gru, .step = step_gru, .describe = describe_gru};
    for (int gate = 0; gate < GRU_GATES; gate++) {
        int id = PYMPS_GRU_INPUT_GATE_INPUT_WEIGHTS + 3 * gate;
        add_weight(&made, id, gru->w[gate], OUTPUTS, INPUTS);
        add_weight(&made, id + 1, gru->u[gate], OUTPUTS, OUTPUTS);
        if (gate < 2)
            add_weight(&made, id + 2, gru->b[gate], 1, OUTPUTS);
    }
    add_weight(&made, PYMPS_GRU_OUTPUT_GATE_INPUT_GATE_WEIGHTS, gru->v, OUTPUTS, OUTPUTS);
    add_weight(&made, PYMPS_GRU_OUTPUT_GATE_BIAS_TERMS, gru->b[2], 1, OUTPUTS);
    return made;
}

static inline void step_rnn(const void *numbers, const double *x, double *h, double *c) {
    (void)c;
    rnn_step(numbers, x, h);
}

static inline pymps_descriptor *describe_rnn(const void *numbers) {
    return rnn_describe(numbers, PYMPS_SEQUENCE_FORWARD);
}

static inline cell rnn_cell(rnn *rnn) {
    cell made = {.name = "simple RNN", .numbers = rnn, .step = step_rnn, .describe = describe_rnn};
    add_weight(&made, PYMPS_SINGLE_GATE_INPUT_WEIGHTS, rnn->w, OUTPUTS, INPUTS);
    add_weight(&made, PYMPS_SINGLE_GATE_RECURRENT_WEIGHTS, rnn->u, OUTPUTS, OUTPUTS);
    add_weight(&made, PYMPS_SINGLE_GATE_BIAS_TERMS, rnn->b, 1, OUTPUTS);
    return made;
}

/* ---- The loss: all that comes out, times given numbers, summed ---- */

enum { X_COUNT = STEPS * ROWS * INPUTS, Y_COUNT = STEPS * ROWS * OUTPUTS, STATE_COUNT = ROWS * OUTPUTS };

static float x[X_COUNT], dy[Y_COUNT];
static float h0[STATE_COUNT], c0[STATE_COUNT], dh1[STATE_COUNT], dc1[STATE_COUNT];

static inline void fill_problem(uint32_t seed) {
    struct {
        float *numbers;
        size_t count;
    } all[] = {{x, X_COUNT},      {dy, Y_COUNT},      {h0, STATE_COUNT},
               {c0, STATE_COUNT}, {dh1, STATE_COUNT}, {dc1, STATE_COUNT}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (size_t k = 0; k < all[i].count; k++)
            all[i].numbers[k] = next_number(&seed);
}

/* What a pass puts out, and the loss of it. `y`, `h1` and `c1` may be NULL. */
static inline double run_cell(const cell *cell, double *y, double *h1, double *c1) {
    double loss = 0;
    for (size_t row = 0; row < ROWS; row++) {
        double h[OUTPUTS], c[OUTPUTS], input[INPUTS];
        for (size_t o = 0; o < OUTPUTS; o++) {
            h[o] = h0[row * OUTPUTS + o];
            c[o] = c0[row * OUTPUTS + o];
        }
        for (size_t step = 0; step < STEPS && row < rows_of[step]; step++) {
            for (size_t i = 0; i < INPUTS; i++)
                input[i] = x[(step * ROWS + row) * INPUTS + i];
            cell->step(cell->numbers, input, h, c);
            for (size_t o = 0; o < OUTPUTS; o++)
                loss += dy[(step * ROWS + row) * OUTPUTS + o] * h[o];
            if (y != NULL)
                memcpy(y + (step * ROWS + row) * OUTPUTS, h, sizeof h);
        }
        for (size_t o = 0; o < OUTPUTS; o++)
            loss += dh1[row * OUTPUTS + o] * h[o] + (cell->has_memory_cell ? dc1[row * OUTPUTS + o] * c[o] : 0);
        if (h1 != NULL)
            memcpy(h1 + row * OUTPUTS, h, sizeof h);
        if (c1 != NULL)
            memcpy(c1 + row * OUTPUTS, c, sizeof c);
    }
    return loss;
}

/* dL/d(number), which is one of the cell's weights or of the arrays above. */
static inline double derivative(const cell *cell, float *number) {
    float before = *number;
    *number = before + (float)DIFFERENCE;
    double above = run_cell(cell, NULL, NULL, NULL);
    *number = before - (float)DIFFERENCE;
    double below = run_cell(cell, NULL, NULL, NULL);
    *number = before;
    return (above - below) / (2 * DIFFERENCE);
}

static inline void check_derivatives(const cell *cell, const float *came, float *numbers, size_t count,
                                     const char *what) {
    for (size_t i = 0; i < count; i++) {
        double expected = derivative(cell, &numbers[i]);
        CHECK(fabs(came[i] - expected) < TOLERANCE, "%s, %s[%zu]: %g, expected %g", cell->name, what, i,
              (double)came[i], expected);
    }
}

/* What a float16 number is; none is infinite here. */
static inline double number_of(uint16_t half) {
    int exponent = half >> 10 & 31, fraction = half & 1023;
    double value = exponent == 0 ? ldexp(fraction, -24) : ldexp(fraction + 1024, exponent - 25);
    return half & 0x8000 ? -value : value;
}

/* ---- On a device ---- */

static inline pymps_training_layer *make_training_layer(pymps_device *device, const cell *cell,
                                                        pymps_training_matrices **weights) {
    pymps_descriptor *descriptor = cell->describe(cell->numbers);
    pymps_training_layer *layer;
    REQUIRE(api->training->training_layer_create(device, descriptor, &layer, weights, error));
    api->descriptor_release(descriptor);
    return layer;
}

/* One matrix for each step, of its rows, in a buffer of its own. */
static inline pymps_buffer *steps_buffer(pymps_device *device, size_t columns, const float *numbers,
                                         pymps_matrix *matrices) {
    pymps_buffer *buffer = sequence_buffer(device, STEPS, ROWS, columns, numbers, matrices);
    for (size_t step = 0; step < STEPS; step++)
        matrices[step].rows = rows_of[step];
    return buffer;
}

static inline void read_state(pymps_device *device, pymps_state *state, pymps_state_matrix which, float *numbers) {
    pymps_matrix matrix;
    REQUIRE(api->state_matrix(state, 0, which, &matrix, error));
    REQUIRE(api->matrix_read(device, &matrix, numbers, error));
    api->buffer_release(matrix.buffer);
}

/* A matrix of zeros with room around the weights, whose first number then lies at (1, 2). */
enum { FIRST_ROW = 1, FIRST_COLUMN = 2 };

static inline pymps_matrix make_frame(pymps_device *device, const weight *weight) {
    size_t rows = weight->rows + FIRST_ROW + 1, columns = weight->columns + FIRST_COLUMN + 1;
    size_t row_bytes = (columns + 1) * sizeof(float);
    return float_matrix(make_buffer(device, rows * row_bytes, PYMPS_STORAGE_SHARED), 0, rows, columns, row_bytes);
}

static inline float *number_in(const pymps_matrix *frame, size_t row, size_t column) {
    char *start = api->buffer_contents(frame->buffer);
    return (float *)(start + (FIRST_ROW + row) * frame->row_bytes) + FIRST_COLUMN + column;
}

/* What the matrices hold for this weight; numbers around it must stay 0. */
static inline void read_matrices(pymps_device *device, pymps_training_layer *layer, pymps_training_matrices *matrices,
                                 const weight *weight, float *numbers) {
    pymps_matrix frame = make_frame(device, weight);
    pymps_command_buffer *commands = make_command_buffer(device);
    REQUIRE(api->training->training_layer_encode_copy(layer, commands, matrices, (pymps_matrix_id)weight->matrix_id,
                                                      &frame, FIRST_ROW, FIRST_COLUMN, false, error));
    finish(commands);
    for (size_t row = 0; row < weight->rows; row++)
        for (size_t column = 0; column < weight->columns; column++) {
            numbers[row * weight->columns + column] = *number_in(&frame, row, column);
            *number_in(&frame, row, column) = 0;
        }
    const float *all = api->buffer_contents(frame.buffer);
    for (size_t i = 0; i < frame.rows * frame.row_bytes / sizeof(float); i++)
        CHECK(all[i] == 0, "matrix_id %d: a number outside is %g", weight->matrix_id, (double)all[i]);
    api->buffer_release(frame.buffer);
}

static inline void write_matrices(pymps_device *device, pymps_training_layer *layer, pymps_training_matrices *matrices,
                                  const weight *weight, const float *numbers) {
    pymps_matrix frame = make_frame(device, weight);
    for (size_t row = 0; row < weight->rows; row++)
        for (size_t column = 0; column < weight->columns; column++)
            *number_in(&frame, row, column) = numbers[row * weight->columns + column];
    pymps_command_buffer *commands = make_command_buffer(device);
    REQUIRE(api->training->training_layer_encode_copy(layer, commands, matrices, (pymps_matrix_id)weight->matrix_id,
                                                      &frame, FIRST_ROW, FIRST_COLUMN, true, error));
    finish(commands);
    api->buffer_release(frame.buffer);
}

#endif
