/* What every kind of training layer is to training.cc. */
#ifndef PYMPS_ENGINE_TRAINING_LAYER_H
#define PYMPS_ENGINE_TRAINING_LAYER_H

#include "engine/training.h"

/* Immutable after creation; stays with the instruction set that it was made for. */
struct pymps_engine_training {
    virtual ~pymps_engine_training() = default;
    virtual size_t TapeBytes(size_t rows) const = 0;
    virtual size_t WorkspaceBytes(size_t steps, size_t rows) const = 0;
    virtual void Forward(const pymps_engine_training_weights &weights, const pymps_engine_sequence &sequence,
                         void *const *tapes, void *workspace, pymps_engine_team *team) const = 0;
    virtual void Gradient(const pymps_engine_training_weights &weights, const pymps_engine_gradient &gradient,
                          void *workspace, pymps_engine_team *team) const = 0;
};

#endif
