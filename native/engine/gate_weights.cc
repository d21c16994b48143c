#include "engine/gate_weights.h"

namespace pymps::engine {

bool GateWeights::Pack(const pymps_engine_gate &gate, const float *input_gate_weights, size_t inputs, bool unit_input_,
                       bool half, bool may_be_wide, const Panels &panels_) {
    panels = panels_;
    unit_input = unit_input_;
    if ((!unit_input && !bytes[kInputWeights].Pack(panels, &gate.input_bytes, 1, inputs)) ||
        !bytes[kRecurrentWeights].Pack(panels, &gate.recurrent_bytes, 1, panels.outputs))
        return false;
    PartSource parts[] = {{{unit_input ? nullptr : gate.input_weights}, inputs},
                          {{gate.recurrent_weights}, panels.outputs},
                          {{input_gate_weights}, panels.outputs}};
    PartSource &recurrent = parts[kRecurrentWeights];
    if (may_be_wide && half && ByteWeights::FitsWide(recurrent, 1, panels.outputs)) {
        if (!bytes[kRecurrentWeights].PackWide(panels, recurrent, 1))
            return false;
        recurrent = {{}, panels.outputs};
    }
    part_count = input_gate_weights == nullptr ? 2 : 3;
    bias = PaddedCopy(gate.bias, panels);
    return bias != nullptr && weights.Pack(panels, half, 1, parts, part_count) && neuron.Copy(gate.neuron, panels);
}

} // namespace pymps::engine
