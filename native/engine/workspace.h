/* The scratch memory of one run of a layer. */
#ifndef PYMPS_ENGINE_WORKSPACE_H
#define PYMPS_ENGINE_WORKSPACE_H

#include "engine/memory.h"
#include "engine/window.h"

namespace pymps::engine {

/* A sequence runs in chunks: as many steps as have this many rows together, or a part of the rows of one step. The
 * input part of a chunk is one product, which reads the weights once. Bounds the scratch memory of long sequences. */
inline constexpr size_t kChunkRows = 64;

/* What a kind of layer needs, in floats per row. */
struct WorkspaceShape {
    size_t inputs, outputs;
    size_t stride; /* of a state's row: the outputs, padded */
    bool has_memory_cell;
    size_t gates;                             /* W x + b of all gates */
    size_t scratch;                           /* whatever a step keeps to itself */
    bool quantizes_inputs, quantizes_outputs; /* rows of x and of h0 as integers */
    size_t image_gates = 0;                   /* of the gates, what a step of images keeps */
    Windows windows = {};

    /* For the pixels of all images at a time, framed apart from all this. */
    WorkspaceShape OfImages() const {
        WorkspaceShape shape = *this;
        shape.inputs = 0;
        shape.gates = image_gates;
        return shape;
    }
};

/* Rows of state->h and state->c. Without a memory cell c is NULL. */
struct State {
    float *h, *c;
};

class Workspace {
  public:
    /* For so many rows, of which a step sees `step_rows` at a time. `memory` may be NULL to learn the size. */
    Workspace(const WorkspaceShape &shape, size_t rows, size_t step_rows, void *memory);

    size_t bytes() const { return bytes_; }

    State states[2];                 /* before and after a step, in turn */
    float *x;                        /* float16 input, converted */
    float *gates;                    /* of a chunk */
    char *quantized_x, *quantized_h; /* rows for weights that are bytes */
    float *scratch;

  private:
    char *TakeBytes(size_t bytes);
    float *Take(size_t rows, size_t columns);

    char *memory_;
    size_t bytes_ = 0;
};

} // namespace pymps::engine

#endif
