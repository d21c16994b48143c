/* What the tests of training by the C interface share: an LSTM to train, and the matrices of its passes. */
#ifndef PYMPS_TESTS_PYMPS_NETWORK_H
#define PYMPS_TESTS_PYMPS_NETWORK_H

#include "pymps_test.h"
#include "pymps_training.h"

enum { STEPS = 3, ROWS = 2, INPUTS = 3, OUTPUTS = 4, STEP_INPUTS = ROWS * INPUTS, STEP_OUTPUTS = ROWS * OUTPUTS };

static pymps_device *device;
static const pymps_training_functions *training;

/* x, dy and dx lie one behind the other. */
typedef struct network {
    lstm lstm;
    pymps_training_layer *layer;
    pymps_training_matrices *weights, *gradients;
    pymps_buffer *x, *y, *dy, *dx;
    pymps_matrix sources[STEPS], destinations[STEPS], y_gradients[STEPS], x_gradients[STEPS];
    pymps_queue *queue;
    pymps_command_buffer *commands;
} network;

static inline pymps_buffer *make_steps(size_t columns, uint32_t seed, pymps_matrix matrices[STEPS]) {
    pymps_buffer *buffer = make_buffer(device, STEPS * ROWS * columns * sizeof(float), PYMPS_STORAGE_SHARED);
    for (size_t i = 0; i < STEPS * ROWS * columns; i++)
        ((float *)api->buffer_contents(buffer))[i] = next_number(&seed);
    for (size_t step = 0; step < STEPS; step++)
        matrices[step] =
            float_matrix(buffer, step * ROWS * columns * sizeof(float), ROWS, columns, columns * sizeof(float));
    return buffer;
}

static inline void begin(network *n) {
    if (n->commands != NULL)
        api->command_buffer_release(n->commands);
    REQUIRE(api->command_buffer_create(n->queue, &n->commands, error));
}

static inline void end(network *n) {
    REQUIRE(api->command_buffer_commit(n->commands, error));
    REQUIRE(api->command_buffer_wait(n->commands, error));
}

static inline network network_create(memory_kind memory) {
    network n = {.lstm = lstm_create(INPUTS, OUTPUTS, memory, 7)};
    pymps_descriptor *descriptor = lstm_describe(&n.lstm, false);
    REQUIRE(training->training_layer_create(device, descriptor, &n.layer, &n.weights, error));
    api->descriptor_release(descriptor);
    REQUIRE(training->training_gradients_create(n.layer, PYMPS_FLOAT32, NULL, &n.gradients, error));
    n.x = make_steps(INPUTS, 1, n.sources);
    n.y = make_steps(OUTPUTS, 2, n.destinations);
    n.dy = make_steps(OUTPUTS, 3, n.y_gradients);
    n.dx = make_steps(INPUTS, 4, n.x_gradients);
    REQUIRE(api->queue_create(device, &n.queue, error));
    begin(&n);
    return n;
}

static inline void network_destroy(network *n) {
    api->command_buffer_release(n->commands);
    api->queue_release(n->queue);
    pymps_buffer *buffers[] = {n->x, n->y, n->dy, n->dx};
    for (int i = 0; i < 4; i++)
        api->buffer_release(buffers[i]);
    training->training_matrices_release(n->gradients);
    training->training_matrices_release(n->weights);
    training->training_layer_release(n->layer);
    lstm_destroy(&n->lstm);
}

static inline pymps_training_forward forward_of(network *n, size_t state_count, pymps_state **states) {
    return (pymps_training_forward){.weights = n->weights,
                                    .steps = STEPS,
                                    .sources = n->sources,
                                    .destinations = n->destinations,
                                    .state_count = state_count,
                                    .states = states};
}

static inline pymps_training_gradient gradient_of(network *n, pymps_training_tape *tape, size_t state_count,
                                                  pymps_state **states) {
    return (pymps_training_gradient){.weights = n->weights,
                                     .tape = tape,
                                     .steps = STEPS,
                                     .sources = n->sources,
                                     .dy = n->y_gradients,
                                     .dx = n->x_gradients,
                                     .weight_gradients = n->gradients,
                                     .state_count = state_count,
                                     .states = states};
}

#endif
