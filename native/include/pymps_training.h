/* pymps_training.h: what training has beside pymps.h: forward passes that remember, gradients through time, weights
 * that are read and written (MPSRNNMatrixTrainingLayer), and optimizers (MPSNNOptimizer). Descriptors, queues, command
 * buffers and devices are those of pymps.h, and so are its rules.
 *
 * States of a training layer are handles of pymps.h's type: state_release, state_matrix, state_is_temporary,
 * state_read_count and state_set_read_count take them. A state of forward passes holds h and c, one of gradient passes
 * dL/dh and dL/dc, where L is whatever is differentiated.
 *
 * Blocking: nothing waits for the device but training_state_create.
 */
#ifndef PYMPS_TRAINING_H
#define PYMPS_TRAINING_H

#include "pymps.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pymps_training_layer pymps_training_layer;
typedef struct pymps_training_matrices pymps_training_matrices;
typedef struct pymps_training_tape pymps_training_tape;
typedef struct pymps_optimizer pymps_optimizer;

typedef struct pymps_training_layer_info {
    size_t input_feature_channels, output_feature_channels;
    bool has_memory_cell;
    pymps_data_type weights_data_type;
} pymps_training_layer_info;

/* A forward pass over `steps` steps. */
typedef struct pymps_training_forward {
    pymps_training_matrices *weights;
    size_t steps;
    const pymps_matrix *sources, *destinations; /* as in layer_encode_sequence */
    pymps_state *state;                         /* h and c to start from; NULL: zeros */
    size_t state_count;                         /* 0, 1 or `steps`, as in layer_encode_sequence */
    bool states_are_temporary;
    pymps_state **states;
    bool tape_is_temporary; /* lives on this command buffer alone; each step is differentiated once */
} pymps_training_forward;

/* The gradient of `steps` steps of a forward pass, from its step `first_step` on. */
typedef struct pymps_training_gradient {
    pymps_training_matrices *weights; /* those of the forward pass, with the values that they had then */
    pymps_training_tape *tape;
    size_t first_step, steps;
    const pymps_matrix *sources;               /* of these steps, with the values that they had then */
    const pymps_matrix *dy;                    /* dL/d(destinations), with the rows of the sources */
    const pymps_matrix *dx;                    /* results: dL/d(sources), with their rows, apart; NULL: not wanted */
    pymps_training_matrices *weight_gradients; /* results, summed over steps and rows; NULL: not wanted */
    bool accumulate_weight_gradients;          /* add to what they hold */
    /* dL/dh and dL/dc from whatever follows the last step of each row. Rows may be missing that have ended before the
     * step that follows, or before the last one of the whole pass: zeros. NULL: zeros for all. */
    pymps_state *state;
    size_t state_count; /* 0, 1 (before the first of these steps) or `steps` (before each of them) */
    bool states_are_temporary;
    pymps_state **states;
} pymps_training_gradient;

/* MPSNNRegularizationType's values. */
typedef enum pymps_regularization_type {
    PYMPS_REGULARIZATION_NONE = 0,
    PYMPS_REGULARIZATION_L1 = 1,
    PYMPS_REGULARIZATION_L2 = 2,
} pymps_regularization_type;

/* MPSNNOptimizerDescriptor. A gradient is clipped, then multiplied by gradient_rescale, then regularized. */
typedef struct pymps_optimizer_options {
    float learning_rate;
    float gradient_rescale;
    bool apply_gradient_clipping;
    float gradient_clip_min, gradient_clip_max;
    pymps_regularization_type regularization_type;
    float regularization_scale;
} pymps_optimizer_options;

typedef struct pymps_training_functions {
    /* Layers. training_layer_create also makes weights with the numbers of the descriptor's sources; the layer itself
     * holds none. A layer of one descriptor runs forward, whatever its direction. training_layer_copy: a layer that
     * takes the weights, tapes and states of the first one. training_layer_matrix_shape: rows and columns of the
     * weights with this id, biases and diagonals being one row; false: the layer has none, since its descriptor has no
     * source for them. A gate has a bias where it has a source of input weights. All functions on a layer may be called
     * from several threads; encoding takes turns, so a thread that shall not wait for another has a copy. */
    pymps_status (*training_layer_create)(pymps_device *device, pymps_descriptor *descriptor,
                                          pymps_training_layer **layer, pymps_training_matrices **weights,
                                          pymps_error *error);
    pymps_status (*training_layer_copy)(pymps_training_layer *layer, pymps_training_layer **copy, pymps_error *error);
    void (*training_layer_release)(pymps_training_layer *layer);
    void (*training_layer_info)(pymps_training_layer *layer, pymps_training_layer_info *info);
    bool (*training_layer_matrix_shape)(pymps_training_layer *layer, pymps_matrix_id matrix_id, size_t *rows,
                                        size_t *columns);

    /* Weights, and gradients of them: zeros at first. Gradients are float32 or float16, whatever the weights are.
     * `command_buffer`: on which temporary gradients live, which whatever reads them ends; NULL: they last. Weights may
     * be used from several threads as long as no work on the device writes them. */
    pymps_status (*training_weights_create)(pymps_training_layer *layer, pymps_training_matrices **weights,
                                            pymps_error *error);
    pymps_status (*training_gradients_create)(pymps_training_layer *layer, pymps_data_type data_type,
                                              pymps_command_buffer *command_buffer, pymps_training_matrices **gradients,
                                              pymps_error *error);
    void (*training_matrices_release)(pymps_training_matrices *matrices);
    pymps_data_type (*training_matrices_data_type)(pymps_training_matrices *matrices);
    bool (*training_matrices_is_temporary)(pymps_training_matrices *matrices);

    /* Encodes a copy of the weights with this id, or of gradients that last, to or from `matrix`, from this row and
     * column of it on. Both have the same data type. */
    pymps_status (*training_layer_encode_copy)(pymps_training_layer *layer, pymps_command_buffer *command_buffer,
                                               pymps_training_matrices *matrices, pymps_matrix_id matrix_id,
                                               const pymps_matrix *matrix, size_t first_row, size_t first_column,
                                               bool from_matrix, pymps_error *error);

    /* Passes. `tape` becomes a new reference; a gradient pass reads any steps of it that follow each other, and may do
     * so again unless the tape is temporary. No result shares memory with anything else that a pass is given. */
    pymps_status (*training_layer_encode_forward)(pymps_training_layer *layer, pymps_command_buffer *command_buffer,
                                                  const pymps_training_forward *forward, pymps_training_tape **tape,
                                                  pymps_error *error);
    pymps_status (*training_layer_encode_gradient)(pymps_training_layer *layer, pymps_command_buffer *command_buffer,
                                                   const pymps_training_gradient *gradient, pymps_error *error);
    void (*training_tape_release)(pymps_training_tape *tape);
    bool (*training_tape_is_temporary)(pymps_training_tape *tape);

    /* As state_create: a state of forward passes, or of gradient passes. */
    pymps_status (*training_state_create)(pymps_training_layer *layer, bool is_gradient, size_t rows, const float *h,
                                          const float *c, pymps_state **state, pymps_error *error);

    /* Optimizers of the weights of one layer and its copies: each keeps moments of its own, zeros at first, as float32.
     * Stochastic gradient descent keeps none where momentum_scale is 0. optimizer_encode: one step, which counts on
     * encoding; optimizer_time_step is how many there were. All functions on an optimizer may be called from several
     * threads. */
    pymps_status (*sgd_optimizer_create)(pymps_training_layer *layer, const pymps_optimizer_options *options,
                                         float momentum_scale, bool use_nesterov_momentum, pymps_optimizer **optimizer,
                                         pymps_error *error);
    pymps_status (*rms_prop_optimizer_create)(pymps_training_layer *layer, const pymps_optimizer_options *options,
                                              double decay, float epsilon, pymps_optimizer **optimizer,
                                              pymps_error *error);
    pymps_status (*adam_optimizer_create)(pymps_training_layer *layer, const pymps_optimizer_options *options,
                                          double beta1, double beta2, float epsilon, bool use_ams_grad,
                                          pymps_optimizer **optimizer, pymps_error *error);
    void (*optimizer_release)(pymps_optimizer *optimizer);
    float (*optimizer_learning_rate)(pymps_optimizer *optimizer);
    pymps_status (*optimizer_set_learning_rate)(pymps_optimizer *optimizer, float learning_rate, pymps_error *error);
    size_t (*optimizer_time_step)(pymps_optimizer *optimizer);
    void (*optimizer_set_time_step)(pymps_optimizer *optimizer, size_t time_step);
    pymps_status (*optimizer_encode)(pymps_optimizer *optimizer, pymps_command_buffer *command_buffer,
                                     pymps_training_matrices *gradients, pymps_training_matrices *weights,
                                     pymps_error *error);
} pymps_training_functions;

#ifdef __cplusplus
}
#endif

#endif
