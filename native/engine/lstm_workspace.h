/* The scratch memory of one run of an LSTM layer. */
#ifndef PYMPS_ENGINE_LSTM_WORKSPACE_H
#define PYMPS_ENGINE_LSTM_WORKSPACE_H

#include "engine/lstm_weights.h"

namespace pymps::engine {

/* The input part of several steps is one product, which reads the weights once for up to this many rows. Bounds the
 * scratch memory of long sequences. */
inline constexpr size_t kChunkRows = 64;

/* Rows of states are padded to `stride` floats, rows of gates to 4 * stride. */
struct LstmState {
    float *h, *c;
};

class LstmWorkspace {
  public:
    /* `memory` may be NULL to learn the size. */
    LstmWorkspace(const LstmWeights &weights, size_t steps, size_t rows, void *memory);

    size_t bytes() const { return bytes_; }

    size_t stride;       /* of a state's row */
    LstmState states[2]; /* before and after a step, in turn */
    float *x;            /* float16 input, converted */
    float *gates;        /* W x + b of a chunk of steps */
    float *output_gate;  /* what the output gate is before it sees c1; full peepholes only */

  private:
    float *Take(size_t rows, size_t columns);

    char *memory_;
    size_t bytes_ = 0;
};

} // namespace pymps::engine

#endif
