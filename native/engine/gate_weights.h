/* What a layer keeps of a gate that is summed apart from its other gates, as all are but those of an LSTM. */
#ifndef PYMPS_ENGINE_GATE_WEIGHTS_H
#define PYMPS_ENGINE_GATE_WEIGHTS_H

#include "engine/byte_weights.h"
#include "engine/engine.h"
#include "engine/owned_neuron.h"
#include "engine/packing.h"
#include "engine/window.h"

namespace pymps::engine {

enum GatePart : size_t { kInputWeights, kRecurrentWeights, kInputGateWeights };

/* What the gates of a layer have in common. */
struct GateForm {
    size_t inputs;
    bool unit_input, half;
    bool may_be_wide; /* half weights U may become integers, as what they are multiplied by stays within (-1, 1) */
    Windows windows;  /* of the parts: GatePart */
};

struct GateWeights {
    Panels panels;
    bool unit_input = false;
    PackedWeights weights; /* parts: GatePart */
    PairWeights pairs;     /* the same, where windows make pairs */
    ByteWeights bytes[2];  /* W and U, where they are bytes */
    size_t part_count = 0;
    AlignedArray<float> bias;
    OwnedNeuron neuron;

    /* Of the outputs from vector `first` on. */
    const float *Bias(size_t first) const { return bias.get() + first * panels.lanes; }

    /* `input_gate_weights` may be NULL. False when memory runs out. */
    bool Pack(const pymps_engine_gate &gate, const float *input_gate_weights, const GateForm &form,
              const Panels &panels);
    /* As pymps_engine_layer_read_weights and pymps_engine_layer_read_bytes. */
    bool Read(size_t part, float *to) const {
        return (part <= kRecurrentWeights && bytes[part].ReadFloats(panels, 0, to)) ||
               weights.Unpack(panels, part, 0, to);
    }
    bool ReadBytes(size_t part, uint8_t *values, float *minima, float *steps) const {
        return part <= kRecurrentWeights && bytes[part].Read(panels, 0, values, minima, steps);
    }
};

} // namespace pymps::engine

#endif
