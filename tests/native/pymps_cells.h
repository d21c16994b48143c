/* A GRU and a simple RNN with their double precision transcriptions, and a way to run a layer. */
#ifndef PYMPS_TESTS_PYMPS_CELLS_H
#define PYMPS_TESTS_PYMPS_CELLS_H

#include "pymps_test.h"

enum { SIGMOID = 3, TANH = 5 };

static inline pymps_weights float_weights(const float *data, size_t outputs, size_t inputs, const float *bias,
                                          int neuron) {
    return (pymps_weights){
        .data = data,
        .data_type = PYMPS_FLOAT32,
        .output_feature_channels = outputs,
        .input_feature_channels = inputs,
        .bias = bias,
        .neuron = {.type = neuron, .a = 1, .b = 1},
    };
}

static inline double dot(const float *row, const double *numbers, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += row[i] * numbers[i];
    return sum;
}

/* ---- GRU: gates z (input gate), r (recurrent gate), h (output gate) ---- */

enum { GRU_GATES = 3 };

typedef struct gru {
    size_t inputs, outputs;
    float *w[GRU_GATES], *u[GRU_GATES], *b[GRU_GATES], *v; /* v: the output gate's input gate weights */
    double p;
    bool flip;
} gru;

static inline gru gru_create(size_t inputs, size_t outputs, double p, bool flip, uint32_t seed) {
    gru made = {.inputs = inputs, .outputs = outputs, .p = p, .flip = flip};
    for (int gate = 0; gate < GRU_GATES; gate++) {
        made.w[gate] = random_numbers(outputs * inputs, &seed);
        made.u[gate] = random_numbers(outputs * outputs, &seed);
        made.b[gate] = random_numbers(outputs, &seed);
    }
    made.v = random_numbers(outputs * outputs, &seed);
    return made;
}

static inline void gru_destroy(gru *gru) {
    for (int gate = 0; gate < GRU_GATES; gate++) {
        free(gru->w[gate]);
        free(gru->u[gate]);
        free(gru->b[gate]);
    }
    free(gru->v);
}

static inline pymps_descriptor *gru_describe(const gru *gru) {
    size_t inputs = gru->inputs, outputs = gru->outputs;
    pymps_descriptor *descriptor;
    REQUIRE(api->gru_descriptor_create(inputs, outputs, &descriptor, error));
    api->descriptor_set_use_float32_weights(descriptor, true);
    REQUIRE(api->gru_descriptor_set_gate_pnorm_value(descriptor, (float)gru->p, error));
    REQUIRE(api->gru_descriptor_set_flip_output_gates(descriptor, gru->flip, error));
    for (int gate = 0; gate < GRU_GATES; gate++) {
        int id = PYMPS_GRU_INPUT_GATE_INPUT_WEIGHTS + 3 * gate;
        pymps_weights weights = float_weights(gru->w[gate], outputs, inputs, gru->b[gate], gate == 2 ? TANH : SIGMOID);
        REQUIRE(api->descriptor_set_weights(descriptor, (pymps_matrix_id)id, &weights, error));
        weights = float_weights(gru->u[gate], outputs, outputs, NULL, 0);
        REQUIRE(api->descriptor_set_weights(descriptor, (pymps_matrix_id)(id + 1), &weights, error));
    }
    pymps_weights weights = float_weights(gru->v, outputs, outputs, NULL, 0);
    REQUIRE(api->descriptor_set_weights(descriptor, PYMPS_GRU_OUTPUT_GATE_INPUT_GATE_WEIGHTS, &weights, error));
    return descriptor;
}

/* One row, one step: h becomes the new one. */
static inline void gru_step(const gru *gru, const double *x, double *h) {
    size_t n = gru->outputs;
    double *z = malloc(4 * n * sizeof *z), *r = z + n, *zh = r + n, *rh = zh + n;
    for (size_t o = 0; o < n; o++) {
        double *gates[2] = {z, r};
        for (int gate = 0; gate < 2; gate++) {
            double sum = gru->b[gate][o] + dot(gru->w[gate] + o * gru->inputs, x, gru->inputs);
            gates[gate][o] = 1 / (1 + exp(-sum - dot(gru->u[gate] + o * n, h, n)));
        }
        zh[o] = z[o] * h[o];
        rh[o] = r[o] * h[o];
    }
    for (size_t o = 0; o < n; o++) {
        double sum = gru->b[2][o] + dot(gru->w[2] + o * gru->inputs, x, gru->inputs);
        double made = tanh(sum + dot(gru->u[2] + o * n, rh, n) + dot(gru->v + o * n, zh, n));
        double rest = pow(1 - pow(z[o], gru->p), 1 / gru->p);
        h[o] = gru->flip ? rest * h[o] + z[o] * made : rest * made + z[o] * h[o];
    }
    free(z);
}

/* ---- Simple RNN ---- */

typedef struct rnn {
    size_t inputs, outputs;
    float *w, *u, *b;
} rnn;

static inline rnn rnn_create(size_t inputs, size_t outputs, uint32_t seed) {
    return (rnn){inputs, outputs, random_numbers(outputs * inputs, &seed), random_numbers(outputs * outputs, &seed),
                 random_numbers(outputs, &seed)};
}

static inline void rnn_destroy(rnn *rnn) {
    free(rnn->w);
    free(rnn->u);
    free(rnn->b);
}

static inline pymps_descriptor *rnn_describe(const rnn *rnn, pymps_sequence_direction direction) {
    pymps_descriptor *descriptor;
    REQUIRE(api->single_gate_descriptor_create(rnn->inputs, rnn->outputs, &descriptor, error));
    api->descriptor_set_use_float32_weights(descriptor, true);
    REQUIRE(api->descriptor_set_layer_sequence_direction(descriptor, direction, error));
    pymps_weights weights = float_weights(rnn->w, rnn->outputs, rnn->inputs, rnn->b, TANH);
    REQUIRE(api->descriptor_set_weights(descriptor, PYMPS_SINGLE_GATE_INPUT_WEIGHTS, &weights, error));
    weights = float_weights(rnn->u, rnn->outputs, rnn->outputs, NULL, 0);
    REQUIRE(api->descriptor_set_weights(descriptor, PYMPS_SINGLE_GATE_RECURRENT_WEIGHTS, &weights, error));
    return descriptor;
}

static inline void rnn_step(const rnn *rnn, const double *x, double *h) {
    size_t n = rnn->outputs;
    double *made = malloc(n * sizeof *made);
    for (size_t o = 0; o < n; o++)
        made[o] = tanh(rnn->b[o] + dot(rnn->w + o * rnn->inputs, x, rnn->inputs) + dot(rnn->u + o * n, h, n));
    memcpy(h, made, n * sizeof *h);
    free(made);
}

/* ---- Running ---- */

static inline pymps_layer *make_layer(pymps_device *device, pymps_descriptor *const *descriptors, size_t count) {
    pymps_layer *layer;
    REQUIRE(api->layer_create(device, descriptors, count, &layer, error));
    return layer;
}

/* A command buffer of a queue of its own. */
static inline pymps_command_buffer *make_command_buffer(pymps_device *device) {
    pymps_queue *queue;
    pymps_command_buffer *command_buffer;
    REQUIRE(api->queue_create(device, &queue, error));
    REQUIRE(api->command_buffer_create(queue, &command_buffer, error));
    api->queue_release(queue);
    return command_buffer;
}

/* Commits, waits and releases. */
static inline void finish(pymps_command_buffer *command_buffer) {
    REQUIRE(api->command_buffer_commit(command_buffer, error));
    REQUIRE(api->command_buffer_wait(command_buffer, error));
    api->command_buffer_release(command_buffer);
}

/* steps x rows x columns numbers in a buffer of their own, and a matrix for each step. */
static inline pymps_buffer *sequence_buffer(pymps_device *device, size_t steps, size_t rows, size_t columns,
                                            const float *numbers, pymps_matrix *matrices) {
    size_t row_bytes = columns * sizeof(float);
    pymps_buffer *buffer = make_buffer(device, steps * rows * row_bytes, PYMPS_STORAGE_SHARED);
    if (numbers != NULL)
        memcpy(api->buffer_contents(buffer), numbers, steps * rows * row_bytes);
    for (size_t step = 0; step < steps; step++)
        matrices[step] = float_matrix(buffer, step * rows * row_bytes, rows, columns, row_bytes);
    return buffer;
}

/* What the layer makes of steps x 1 x inputs numbers, from zeros; for free(). */
static inline float *run_layer(pymps_device *device, pymps_layer *layer, size_t steps, const float *x) {
    pymps_layer_info info;
    api->layer_info(layer, &info);
    size_t outputs = info.output_feature_channels;
    pymps_matrix sources[64], destinations[64];
    pymps_buffer *from = sequence_buffer(device, steps, 1, info.input_feature_channels, x, sources);
    pymps_buffer *to = sequence_buffer(device, steps, 1, outputs, NULL, destinations);
    pymps_command_buffer *commands = make_command_buffer(device);
    REQUIRE(api->layer_encode_sequence(layer, commands, steps, sources, destinations, NULL, 0, false, NULL, error));
    finish(commands);
    float *y = malloc(steps * outputs * sizeof *y);
    memcpy(y, api->buffer_contents(to), steps * outputs * sizeof *y);
    api->buffer_release(from);
    api->buffer_release(to);
    return y;
}

#endif
