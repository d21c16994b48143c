/* What the tests of the C interface share: counting checks, and an LSTM with its double precision transcription. */
#ifndef PYMPS_TESTS_PYMPS_TEST_H
#define PYMPS_TESTS_PYMPS_TEST_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pymps.h"

static int passed, failed;

/* Counts a check; where it fails, says what came instead (the first 20 times). */
#define CHECK(condition, ...)                                                                                          \
    do {                                                                                                               \
        if (condition) {                                                                                               \
            ++passed;                                                                                                  \
        } else if (++failed <= 20) {                                                                                   \
            printf("FAILED %s:%d: %s: ", __FILE__, __LINE__, #condition);                                              \
            printf(__VA_ARGS__);                                                                                       \
            printf("\n");                                                                                              \
        }                                                                                                              \
    } while (0)

/* For what the rest of a test can't do without. */
#define REQUIRE(call)                                                                                                  \
    do {                                                                                                               \
        pymps_error error_ = {0};                                                                                      \
        pymps_error *error = &error_;                                                                                  \
        if ((call) != PYMPS_OK) {                                                                                      \
            printf("FAILED %s:%d: %s: %s\n", __FILE__, __LINE__, #call, error_.text);                                  \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

static inline int report(void) {
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0;
}

static const pymps_backend *api;

static inline pymps_device *open_device(void) {
    pymps_device *device;
    REQUIRE(api->device_open(0, 0, &device, error));
    return device;
}

/* Multiples of 1/64 within [-0.5, 0.5): float16 holds them as exactly as float32 does. */
static inline float next_number(uint32_t *seed) {
    *seed = *seed * 1664525u + 1013904223u;
    return (float)((int)(*seed >> 26) - 32) / 64;
}

static inline float *random_numbers(size_t count, uint32_t *seed) {
    float *numbers = malloc(count * sizeof *numbers);
    for (size_t i = 0; i < count; i++)
        numbers[i] = next_number(seed);
    return numbers;
}

/* Exact for what next_number gives. */
static inline uint16_t half_of(float number) {
    uint32_t bits;
    memcpy(&bits, &number, sizeof bits);
    if ((bits & 0x7fffffff) == 0)
        return 0;
    return (uint16_t)((bits >> 16 & 0x8000) | ((bits >> 13 & 0x3ffff) - (112 << 10)));
}

/* Gates in the order of MPSRNNMatrixId: input, forget, cell, output. */
enum { GATES = 4 };
typedef enum memory_kind { MEMORY_NONE, MEMORY_DIAGONAL, MEMORY_FULL } memory_kind;

typedef struct lstm {
    size_t inputs, outputs;
    memory_kind memory;
    bool unit_input;
    float *w[GATES], *u[GATES], *v[GATES], *b[GATES];
} lstm;

static inline lstm lstm_create(size_t inputs, size_t outputs, memory_kind memory, uint32_t seed) {
    lstm made = {.inputs = inputs, .outputs = outputs, .memory = memory};
    for (int gate = 0; gate < GATES; gate++) {
        made.w[gate] = random_numbers(outputs * inputs, &seed);
        made.u[gate] = random_numbers(outputs * outputs, &seed);
        made.v[gate] = random_numbers(outputs * outputs, &seed);
        made.b[gate] = random_numbers(outputs, &seed);
    }
    return made;
}

static inline void lstm_destroy(lstm *lstm) {
    for (int gate = 0; gate < GATES; gate++) {
        free(lstm->w[gate]);
        free(lstm->u[gate]);
        free(lstm->v[gate]);
        free(lstm->b[gate]);
    }
}

static inline void set_weights(pymps_descriptor *descriptor, int matrix_id, pymps_weights weights, bool half) {
    size_t count = weights.output_feature_channels * weights.input_feature_channels;
    uint16_t *halves = malloc(count * sizeof *halves);
    for (size_t i = 0; i < count; i++)
        halves[i] = half_of(((const float *)weights.data)[i]);
    if (half) {
        weights.data = halves;
        weights.data_type = PYMPS_FLOAT16;
    }
    REQUIRE(api->descriptor_set_weights(descriptor, (pymps_matrix_id)matrix_id, &weights, error));
    free(halves);
}

/* A descriptor with the LSTM's weights, float32 throughout unless `half`. */
static inline pymps_descriptor *lstm_describe(const lstm *lstm, bool half) {
    pymps_descriptor *descriptor;
    size_t outputs = lstm->outputs;
    REQUIRE(api->lstm_descriptor_create(lstm->inputs, outputs, &descriptor, error));
    api->descriptor_set_use_float32_weights(descriptor, !half);
    api->descriptor_set_use_layer_input_unit_transform_mode(descriptor, lstm->unit_input);
    REQUIRE(api->lstm_descriptor_set_memory_weights_are_diagonal(descriptor, lstm->memory == MEMORY_DIAGONAL, error));
    for (int gate = 0; gate < GATES; gate++) {
        int id = PYMPS_LSTM_INPUT_GATE_INPUT_WEIGHTS + 4 * gate;
        pymps_neuron neuron = {.type = gate == 2 ? 5 : 3, .a = 1, .b = 1}; /* TanH for the cell gate, else Sigmoid */
        pymps_weights weights = {
            .data = lstm->w[gate],
            .data_type = PYMPS_FLOAT32,
            .output_feature_channels = outputs,
            .input_feature_channels = lstm->inputs,
            .bias = lstm->b[gate],
            .neuron = neuron,
            .label = "W",
        };
        set_weights(descriptor, id, weights, half);
        weights = (pymps_weights){
            .data = lstm->u[gate],
            .data_type = PYMPS_FLOAT32,
            .output_feature_channels = outputs,
            .input_feature_channels = outputs,
        };
        set_weights(descriptor, id + 1, weights, half);
        weights.data = lstm->v[gate];
        weights.input_feature_channels = lstm->memory == MEMORY_DIAGONAL ? 1 : outputs;
        if (lstm->memory != MEMORY_NONE)
            set_weights(descriptor, id + 2, weights, half);
    }
    return descriptor;
}

static inline pymps_layer *lstm_layer(pymps_device *device, const lstm *lstms, size_t count, bool half) {
    pymps_descriptor *descriptors[8];
    for (size_t i = 0; i < count; i++)
        descriptors[i] = lstm_describe(&lstms[i], half);
    pymps_layer *layer;
    REQUIRE(api->layer_create(device, descriptors, count, &layer, error));
    for (size_t i = 0; i < count; i++)
        api->descriptor_release(descriptors[i]);
    return layer;
}

/* One row, one step: c and h become the new ones. */
static inline void lstm_step(const lstm *lstm, const double *x, double *h, double *c) {
    size_t n = lstm->outputs;
    double *z = malloc(3 * n * sizeof *z), *h1 = z + n, *c1 = h1 + n;
    memcpy(c1, c, n * sizeof *c1);
    static const int order[GATES] = {2, 0, 1, 3}; /* the output gate's peephole reads the new cell */
    for (int k = 0; k < GATES; k++) {
        int gate = order[k];
        const double *cell = gate == 3 ? c1 : c;
        for (size_t o = 0; o < n; o++) {
            double sum = lstm->b[gate][o] + (lstm->unit_input ? x[o] : 0);
            for (size_t i = 0; i < lstm->inputs && !lstm->unit_input; i++)
                sum += lstm->w[gate][o * lstm->inputs + i] * x[i];
            for (size_t i = 0; i < n; i++)
                sum += lstm->u[gate][o * n + i] * h[i];
            for (size_t i = 0; i < n && lstm->memory == MEMORY_FULL; i++)
                sum += lstm->v[gate][o * n + i] * cell[i];
            if (lstm->memory == MEMORY_DIAGONAL)
                sum += lstm->v[gate][o] * cell[o];
            double value = gate == 2 ? tanh(sum) : 1 / (1 + exp(-sum));
            if (gate == 2)
                z[o] = value;
            else if (gate == 0)
                z[o] *= value;
            else if (gate == 1)
                c1[o] = value * c[o] + z[o];
            else
                h1[o] = value * tanh(c1[o]);
        }
    }
    memcpy(h, h1, n * sizeof *h);
    memcpy(c, c1, n * sizeof *c);
    free(z);
}

/* The largest difference between `count` numbers and the expected ones. */
static inline double difference(const float *numbers, const double *expected, size_t count) {
    double largest = 0;
    for (size_t i = 0; i < count; i++) {
        double here = fabs(numbers[i] - expected[i]);
        largest = here > largest || isnan(here) ? here : largest;
    }
    return largest;
}

static inline pymps_buffer *make_buffer(pymps_device *device, size_t length_bytes, pymps_storage_mode storage_mode) {
    pymps_buffer *buffer;
    REQUIRE(api->buffer_create(device, length_bytes, storage_mode, &buffer, error));
    return buffer;
}

static inline pymps_matrix float_matrix(pymps_buffer *buffer, size_t offset_bytes, size_t rows, size_t columns,
                                        size_t row_bytes) {
    return (pymps_matrix){buffer, offset_bytes, rows, columns, row_bytes, PYMPS_FLOAT32};
}

static inline void check_failure(int line, pymps_status status, const pymps_error *error, const char *text) {
    bool same = status == PYMPS_ERROR_ARGUMENT && error->status == status && strcmp(error->text, text) == 0;
    CHECK(same, "line %d: status %d: '%s', expected '%s'", line, status, error->text, text);
}

/* An argument error with this text; `call` has an argument `error`. */
#define FAILS(call, ...)                                                                                               \
    do {                                                                                                               \
        pymps_error error_ = {0}, *error = &error_;                                                                    \
        char text_[sizeof error_.text];                                                                                \
        snprintf(text_, sizeof text_, __VA_ARGS__);                                                                    \
        pymps_status status_ = (call);                                                                                 \
        check_failure(__LINE__, status_, error, text_);                                                                \
    } while (0)

/* Calls test() on every backend that has a device. */
static inline void for_each_backend(void (*test)(void)) {
    size_t count, devices;
    const pymps_backend *const *backends = pymps_backends(&count);
    for (size_t i = 0; i < count; i++) {
        api = backends[i];
        REQUIRE(api->device_count(&devices, error));
        if (devices > 0)
            test();
    }
}

#endif
