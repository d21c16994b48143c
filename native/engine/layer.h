/* What every kind of layer is to engine.cc. */
#ifndef PYMPS_ENGINE_LAYER_H
#define PYMPS_ENGINE_LAYER_H

#include "engine/engine.h"

/* Immutable after creation. Each implementation is compiled once per instruction set; the layer stays with the one
 * that packed its weights. */
struct pymps_engine_layer {
    virtual ~pymps_engine_layer() = default;
    virtual size_t WorkspaceBytes(size_t steps, size_t rows) const = 0;
    virtual size_t ImageWorkspaceBytes(size_t width, size_t height, size_t images) const = 0;
    virtual void Run(const pymps_engine_sequence &sequence, void *workspace, pymps_engine_team *team) const = 0;
    virtual bool ReadWeights(size_t gate, size_t part, float *weights) const = 0;
    virtual bool ReadBytes(size_t gate, size_t part, uint8_t *values, float *minima, float *steps) const = 0;
};

#endif
