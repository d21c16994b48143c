/* The activation of a gate: which it is, and what a layer keeps of it. */
#ifndef PYMPS_ENGINE_OWNED_NEURON_H
#define PYMPS_ENGINE_OWNED_NEURON_H

#include "engine/engine.h"
#include "engine/packing.h"

namespace pymps::engine {

bool IsSigmoid(const pymps_engine_neuron &neuron);
/* With a = b = 1. */
bool IsPlainTanH(const pymps_engine_neuron &neuron);

/* An activation with its own copy of channel_a, padded as the outputs are. */
struct OwnedNeuron {
    pymps_engine_neuron neuron = {};
    AlignedArray<float> channel_a;

    /* False when memory runs out. */
    bool Copy(const pymps_engine_neuron &source, const Panels &panels);
    /* The neuron as the outputs from `channel` on see it. */
    pymps_engine_neuron At(size_t channel) const;
};

} // namespace pymps::engine

#endif
