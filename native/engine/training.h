/* The engine's training layer: forward passes that remember, and gradients through time.
 *
 * The layer holds no weights: each call is told which to use. Formulas, sequences, states and teams are those of
 * engine.h; so are the rules: no function throws, arguments are trusted. */
#ifndef PYMPS_ENGINE_TRAINING_H
#define PYMPS_ENGINE_TRAINING_H

#include "engine/engine.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A kind of layer, its sizes and its neurons. Immutable: any number of threads may use it at the same time, each with
 * its own workspace. */
typedef struct pymps_engine_training pymps_engine_training;

/* Of the description's weights only whether they are there is read (NULL, as floats and as bytes: they are not), and
 * PReLU's channel_a, which is copied: it is not trained. half_weights has no meaning here. NULL when memory runs out.
 * Released by pymps_engine_training_destroy. */
pymps_engine_training *pymps_engine_lstm_training_create(const pymps_engine_lstm *lstm);
pymps_engine_training *pymps_engine_gru_training_create(const pymps_engine_gru *gru);
pymps_engine_training *pymps_engine_single_gate_training_create(const pymps_engine_single_gate *single_gate);
void pymps_engine_training_destroy(pymps_engine_training *training); /* NULL is allowed */

enum { PYMPS_ENGINE_MOST_GATES = 4 };

typedef enum pymps_engine_weight {
    PYMPS_ENGINE_INPUT_WEIGHTS = 0,     /* W: outputs x inputs */
    PYMPS_ENGINE_RECURRENT_WEIGHTS = 1, /* U: outputs x outputs */
    PYMPS_ENGINE_MEMORY_WEIGHTS = 2,    /* V: outputs x outputs, or 1 x outputs where diagonal; of a GRU's h: Vh */
    PYMPS_ENGINE_BIAS = 3,              /* b: 1 x outputs */
    PYMPS_ENGINE_WEIGHT_COUNT = 4,
} pymps_engine_weight;

/* Weights or their gradients, [gate][pymps_engine_weight], gates in the order of the description; each matrix of
 * either type. Those that the description lacks are neither read nor written, and of the others none whose data is
 * NULL: as weights they stand for zeros, as gradients they are not wanted. */
typedef struct pymps_engine_training_weights {
    pymps_engine_matrix matrices[PYMPS_ENGINE_MOST_GATES][PYMPS_ENGINE_WEIGHT_COUNT];
} pymps_engine_training_weights;

/* Bytes of the tape of one step of this many rows: all that its gradient needs of the forward pass, its h0 and c0
 * included. */
size_t pymps_engine_training_tape_bytes(const pymps_engine_training *training, size_t rows);

/* Bytes of scratch memory that either call needs for at most `steps` steps and `rows` rows. */
size_t pymps_engine_training_workspace_bytes(const pymps_engine_training *training, size_t steps, size_t rows);

/* As pymps_engine_layer_run; of the sequence, state_count may be 0 too, and `descending` is not read. tapes[step] has
 * the bytes for the rows of x[step]; tapes and `workspace` are aligned to 64 bytes. */
void pymps_engine_training_forward(const pymps_engine_training *training, const pymps_engine_training_weights *weights,
                                   const pymps_engine_sequence *sequence, void *const *tapes, void *workspace,
                                   pymps_engine_team *team);

/* Some consecutive steps of a forward pass, or all. L is whatever is differentiated. */
typedef struct pymps_engine_gradient {
    size_t steps;                     /* at least 1 */
    const pymps_engine_matrix *x;     /* as they were in the forward pass */
    void *const *tapes;               /* of these steps, only read */
    const pymps_engine_matrix *dy;    /* dL/dy, with the rows of x */
    const pymps_engine_matrix *dx;    /* results dL/dx, with the rows of x; NULL: not wanted */
    const pymps_engine_state *last;   /* dL/dh1 and dL/dc1 from whatever follows the last step of each row, beside dy;
                                       * x[0].rows rows; NULL: zeros */
    const pymps_engine_state *states; /* `state_count` results dL/dh0 and dL/dc0, x[0].rows rows each; none may overlap
                                       * `last` */
    size_t state_count;               /* 0; 1: of the first step; `steps`: of each step. A row that has ended before a
                                       * step repeats what `last` has for it. */
    const pymps_engine_training_weights *weight_gradients; /* results, summed over steps and rows; NULL: not wanted */
    bool accumulate;                                       /* add to what the weight gradients hold */
} pymps_engine_gradient;

/* `weights` are those of the forward pass. Results may overlap nothing else. */
void pymps_engine_training_gradient(const pymps_engine_training *training, const pymps_engine_training_weights *weights,
                                    const pymps_engine_gradient *gradient, void *workspace, pymps_engine_team *team);

#ifdef __cplusplus
}
#endif

#endif
