/* The engine: the packed weights of one recurrent layer, and the kernels that run it over a sequence.
 *
 * A C interface over C++ (Highway). It knows weights, matrices and arithmetic; it knows no Objective-C, no Metal,
 * no Python. No function throws. Arguments are trusted: the portable MPS classes have checked them.
 *
 * Formula letters are Apple's (W input, U recurrent, V memory weights; x, h0, c0 in; h1, c1 out).
 */
#ifndef PYMPS_ENGINE_H
#define PYMPS_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum pymps_engine_type {
    PYMPS_ENGINE_FLOAT32 = 0,
    PYMPS_ENGINE_FLOAT16 = 1, /* IEEE 754 binary16 */
    PYMPS_ENGINE_UNORM8 = 2,  /* of images alone: 0..255 for 0..1; results are clamped, and rounded to nearest */
    PYMPS_ENGINE_UNORM16 = 3, /* the same: 0..65535 */
} pymps_engine_type;

/* An activation. `type` has the values of MPSCNNNeuronType. */
typedef struct pymps_engine_neuron {
    int32_t type;
    float a, b, c;
    const float *channel_a; /* PReLU: one value per output channel; NULL for every other type */
} pymps_engine_neuron;

/* A matrix of bytes: the weight of output o in column i is minima[o] + steps[o] * values[o * columns + i]. */
typedef struct pymps_engine_bytes {
    const uint8_t *values;       /* outputs x columns; NULL: the gate has float weights, or none */
    const float *minima, *steps; /* one for each output */
} pymps_engine_bytes;

/* The taps of a convolution: `left` of its `width` columns stand left of the pixel that it is for, `top` of its
 * `height` rows above. Beyond the edge of an image everything is zero. All zero stands for 1 x 1, the pixel itself. A
 * matrix of such weights has one row per output, and in it, for each tap, row by row, one column per channel. */
typedef struct pymps_engine_window {
    size_t width, height;
    size_t left, top; /* less than width and height */
} pymps_engine_window;

/* Row-major float32, one row per output channel. NULL stands for zeros. All pointers are only read during the call
 * that they are passed to. */
typedef struct pymps_engine_gate {
    const float *input_weights;                      /* W: outputs x inputs; not read under unit_input */
    const float *recurrent_weights;                  /* U: outputs x outputs */
    pymps_engine_bytes input_bytes, recurrent_bytes; /* W and U as bytes; the floats above are NULL then */
    const float *memory_weights; /* V, of an LSTM alone: outputs x outputs, or `outputs` numbers where diagonal */
    const float *bias;           /* b: outputs */
    pymps_engine_neuron neuron;
} pymps_engine_gate;

/* Products are convolutions where a layer has windows larger than 1 x 1. Such weights are never bytes; half_weights
 * rounds them to float16, but keeps them as floats: each is used for so many pixels that its size does not matter.
 *
 * I  = gi( Wi*x + Ui*h0 + Vi*c0 + bi )
 * F  = gf( Wf*x + Uf*h0 + Vf*c0 + bf )
 * C  = gc( Wc*x + Uc*h0 + Vc*c0 + bc )
 * c1 = F c0 + I C
 * O  = go( Wo*x + Uo*h0 + Vo*c1 + bo )
 * h1 = O gh(c1) */
typedef struct pymps_engine_lstm {
    size_t inputs, outputs;  /* both at least 1 */
    bool unit_input;         /* every W is the identity; inputs == outputs */
    bool memory_is_diagonal; /* every V is a vector, multiplied element by element */
    bool half_weights; /* keep W, U and V, but for bytes, in 16 bits: as float16 (rounded to nearest even) or, for a
                        * U that is multiplied faster as integers, as multiples of a step for each output that
                        * rounds no coarser than float16 at the root mean square; b stays float32 */
    pymps_engine_gate input_gate, forget_gate, cell_gate, output_gate;
    pymps_engine_neuron cell_to_output;
    pymps_engine_window input_window, recurrent_window; /* of every W, and of every U */
    pymps_engine_window memory_window;                  /* of every V, unless diagonal */
} pymps_engine_lstm;

/* z  = gz( Wz*x + Uz*h0 + bz )
 * r  = gr( Wr*x + Ur*h0 + br )
 * h  = gh( Wh*x + Uh*(r h0) + Vh*(z h0) + bh )
 * h1 = (1 - z^p)^(1/p) h + z h0, or, flipped, (1 - z^p)^(1/p) h0 + z h */
typedef struct pymps_engine_gru {
    size_t inputs, outputs;                      /* both at least 1 */
    bool unit_input;                             /* every W is the identity; inputs == outputs */
    bool half_weights;                           /* keep W, U and V as float16, as an LSTM does */
    pymps_engine_gate input_gate;                /* z */
    pymps_engine_gate recurrent_gate;            /* r; has no effect without Uh */
    pymps_engine_gate output_gate;               /* h */
    const float *output_gate_input_gate_weights; /* Vh: outputs x outputs; NULL: zeros */
    float gate_pnorm;                            /* p > 0 */
    bool flip_output_gates;
    pymps_engine_window input_window, recurrent_window, memory_window; /* of every W, of every U, and of Vh */
} pymps_engine_gru;

/* h1 = gi( W*x + U*h0 + b ) */
typedef struct pymps_engine_single_gate {
    size_t inputs, outputs; /* both at least 1 */
    bool unit_input;        /* W is the identity; inputs == outputs */
    bool half_weights;      /* keep W and U as float16, as an LSTM does */
    pymps_engine_gate gate;
    pymps_engine_window input_window, recurrent_window; /* of W and of U */
} pymps_engine_single_gate;

/* One layer's weights, packed for the instruction set of this machine. Immutable: any number of threads may run it at
 * the same time, each with its own workspace. */
typedef struct pymps_engine_layer pymps_engine_layer;

/* Packs a copy of the weights. NULL when memory runs out. Released by pymps_engine_layer_destroy. */
pymps_engine_layer *pymps_engine_lstm_create(const pymps_engine_lstm *lstm);
pymps_engine_layer *pymps_engine_gru_create(const pymps_engine_gru *gru);
pymps_engine_layer *pymps_engine_single_gate_create(const pymps_engine_single_gate *single_gate);
void pymps_engine_layer_destroy(pymps_engine_layer *layer); /* NULL is allowed */

/* Reads weights back as they were given, but for what half_weights has rounded; bytes as the floats that they stand
 * for. Gates are counted in the order of the description; `part` is 0 for W, 1 for U, 2 for V (of a GRU's output gate:
 * Vh). False where the layer keeps none: they were NULL, not to be read, or without effect. */
bool pymps_engine_layer_read_weights(const pymps_engine_layer *layer, size_t gate, size_t part, float *weights);

/* Reads an 8-bit matrix back as it was given. False where the layer keeps none there as bytes (then
 * pymps_engine_layer_read_weights has it). */
bool pymps_engine_layer_read_bytes(const pymps_engine_layer *layer, size_t gate, size_t part, uint8_t *values,
                                   float *minima, float *steps);

/* rows x (inputs or outputs) elements; row r starts at data + r * row_bytes. Elements are aligned to their size,
 * rows are not padded beyond row_bytes. */
typedef struct pymps_engine_matrix {
    void *data;
    size_t rows, row_bytes;
    pymps_engine_type type;
} pymps_engine_matrix;

/* The recurrent output h and the memory cell c: rows x outputs float32, row r at h + r * row_floats. Only an LSTM has
 * a memory cell: c is NULL for the other kinds. */
typedef struct pymps_engine_state {
    float *h, *c;
    size_t row_floats;
} pymps_engine_state;

typedef struct pymps_engine_sequence {
    size_t steps;                      /* at least 1 */
    const pymps_engine_matrix *x;      /* `steps` matrices; rows never grow from one step to the next */
    const pymps_engine_matrix *y;      /* `steps` matrices with the rows of x; may not overlap x or a state */
    const pymps_engine_state *initial; /* x[0].rows rows, only read; NULL: zeros */
    const pymps_engine_state *states;  /* `state_count` results, x[0].rows rows each; none may overlap `initial` */
    size_t state_count;                /* 1: after the last step; `steps`: after each step. A row that has ended
                                        * (its step had fewer rows) repeats its last state. */
    bool descending; /* The first step takes the outputs from the last to the first, the second one the other way round,
                      * and so on. The results are the same; but where a run begins as the one before has ended, the
                      * caches still hold what it reads first. */
    size_t width, height; /* of the images that the rows are the pixels of: image by image, line by line, and all steps
                           * have the same number of them. 0: rows are no pixels, and all windows are 1 x 1 */
} pymps_engine_sequence;

/* Threads that runs share their work with, where that pays. */
typedef struct pymps_engine_team pymps_engine_team;

/* `threads` counts the one that runs a layer: at least 1. NULL when memory or threads run out. Released by
 * pymps_engine_team_destroy, when no run has it. */
pymps_engine_team *pymps_engine_team_create(size_t threads);
void pymps_engine_team_destroy(pymps_engine_team *team); /* NULL is allowed */

/* Bytes of scratch memory that a run needs for sequences of at most `steps` steps and `rows` rows. */
size_t pymps_engine_workspace_bytes(const pymps_engine_layer *layer, size_t steps, size_t rows);

/* The same for sequences of images, however many steps they have. */
size_t pymps_engine_image_workspace_bytes(const pymps_engine_layer *layer, size_t width, size_t height, size_t images);

/* Runs the layer. `workspace` is aligned to 64 bytes and belongs to this call alone. `team` helps, unless it is NULL or
 * busy with another run; the results are the same, bit by bit. Allocates nothing, waits for no other run. */
void pymps_engine_layer_run(const pymps_engine_layer *layer, const pymps_engine_sequence *sequence, void *workspace,
                            pymps_engine_team *team);

/* to = from, rounded to nearest where that takes rounding. Both have the same rows and do not overlap. */
void pymps_engine_matrix_copy(const pymps_engine_matrix *from, const pymps_engine_matrix *to, size_t columns);

/* sum = a + b for matrices of the same rows; a and b are float32, sum is of any type and overlaps neither. */
void pymps_engine_matrix_sum(const pymps_engine_matrix *a, const pymps_engine_matrix *b, const pymps_engine_matrix *sum,
                             size_t columns);

/* y[i] = neuron(x[i]) for a row of `count` channels; x may equal y. */
void pymps_engine_neuron_apply(const pymps_engine_neuron *neuron, const float *x, float *y, size_t count);

/* The instruction set in use, as Highway names it ("AVX2", "NEON", ...). Static storage. */
const char *pymps_engine_target(void);

/* Those that the engine was built for and this machine has, best first; NULL beyond the last. Static storage. */
const char *pymps_engine_supported_target(size_t index);

/* Uses another of them from now on, instead of the best; layers keep the one that they were made with. Returns whether
 * there is one of this name. */
bool pymps_engine_set_target(const char *name);

#ifdef __cplusplus
}
#endif

#endif
