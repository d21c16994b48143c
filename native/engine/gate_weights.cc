#include "engine/gate_weights.h"

namespace pymps::engine {

bool GateWeights::Pack(const pymps_engine_gate &gate, const float *input_gate_weights, size_t inputs, bool unit_input_,
                       bool half, const Panels &panels_) {
    panels = panels_;
    unit_input = unit_input_;
    if ((!unit_input && !bytes[kInputWeights].Pack(panels, &gate.input_bytes, 1, inputs)) ||
        !bytes[kRecurrentWeights].Pack(panels, &gate.recurrent_bytes, 1, panels.outputs))
        return false;
    PartSource parts[] = {{{unit_input ? nullptr : gate.input_weights}, inputs},
                          {{gate.recurrent_weights}, panels.outputs},
                          {{input_gate_weights}, panels.outputs}};
    for (size_t part = kInputWeights; part <= kRecurrentWeights; ++part)
        bytes[part].AddFloats(&parts[part]);
    part_count = input_gate_weights == nullptr ? 2 : 3;
    bias = PaddedCopy(gate.bias, panels);
    if (bias == nullptr || !weights.Pack(panels, half, 1, parts, part_count) || !neuron.Copy(gate.neuron, panels))
        return false;
    for (ByteWeights &part : bytes)
        part.DropFloats();
    return true;
}

} // namespace pymps::engine
