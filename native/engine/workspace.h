/* The scratch memory of one run of a layer. */
#ifndef PYMPS_ENGINE_WORKSPACE_H
#define PYMPS_ENGINE_WORKSPACE_H

#include <algorithm>

#include "engine/byte_weights.h"
#include "engine/memory.h"
#include "engine/window.h"

namespace pymps::engine {

/* A sequence runs in chunks: as many steps as have this many rows together, or a part of the rows of one step. The
 * input part of a chunk is one product, which reads the weights once. Bounds the scratch memory of long sequences. */
inline constexpr size_t kChunkRows = 66;

/* A step of more rows uses the weights often enough by itself; and sums that come and go cost it more. */
inline constexpr size_t kMostStartedRows = 12;

/* Multiply-adds of a row whose weights fit into the second-level cache of one core. */
inline constexpr size_t kCachedWork = size_t{1} << 19;

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

/* Whether a run is a batch: one whose rows threads share out among each other, each with all of the weights in its own
 * cache, to meet again when the last step is done. */
inline bool IsBatch(const WorkspaceShape &shape, size_t rows) {
    return rows > kMostStartedRows && MultiplySizes(AddSizes(shape.inputs, shape.outputs), shape.gates) <= kCachedWork;
}

/* Rows of state->h and state->c. Without a memory cell c is NULL. */
struct State {
    float *h, *c;
};

class Workspace {
  public:
    /* What so many rows need, of which a step sees `step_rows` at a time; SIZE_MAX where no memory is as large. */
    static size_t Bytes(const WorkspaceShape &shape, size_t rows, size_t step_rows);

    /* In memory of as many bytes. */
    Workspace(const WorkspaceShape &shape, size_t rows, size_t step_rows, void *memory)
        : end_(reinterpret_cast<uintptr_t>(memory)) {
        for (State &state : states)
            state = {Take(rows, shape.stride), shape.has_memory_cell ? Take(rows, shape.stride) : nullptr};
        x = Take(step_rows, shape.inputs);
        gates = Take(step_rows, shape.gates);
        scratch = Take(step_rows, shape.scratch);
        quantized_x = TakeBytes(shape.quantizes_inputs ? step_rows * QuantizedRowBytes(shape.inputs) : 0);
        quantized_h = TakeBytes(shape.quantizes_outputs ? step_rows * QuantizedRowBytes(shape.outputs) : 0);
    }

    /* The memory behind it. */
    char *end() const { return reinterpret_cast<char *>(end_); }

    /* That of a batch's rows from `row` on. */
    Workspace From(const WorkspaceShape &shape, size_t row) const;

    State states[2];                 /* before and after a step, in turn */
    float *x;                        /* float16 input, converted */
    float *gates;                    /* of a chunk, or of all rows of a batch, as are x and what follows */
    char *quantized_x, *quantized_h; /* rows for weights that are bytes */
    float *scratch;

  private:
    char *TakeBytes(size_t bytes) {
        const uintptr_t taken = end_;
        end_ += (bytes + kAlignment - 1) / kAlignment * kAlignment;
        return reinterpret_cast<char *>(taken);
    }
    float *Take(size_t rows, size_t columns) {
        return reinterpret_cast<float *>(TakeBytes(rows * columns * sizeof(float)));
    }

    uintptr_t end_; /* of what is taken */
};

} // namespace pymps::engine

#endif
