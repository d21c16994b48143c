#include "engine/gate_weights.h"

namespace pymps::engine {

bool GateWeights::Pack(const pymps_engine_gate &gate, const float *input_gate_weights, const GateForm &form,
                       const Panels &panels_) {
    panels = panels_;
    unit_input = form.unit_input;
    if ((!unit_input && !bytes[kInputWeights].Pack(panels, &gate.input_bytes, 1, form.inputs)) ||
        !bytes[kRecurrentWeights].Pack(panels, &gate.recurrent_bytes, 1, panels.outputs))
        return false;
    const Windows &windows = form.windows;
    PartSource parts[] = {{{unit_input ? nullptr : gate.input_weights}, form.inputs},
                          {{gate.recurrent_weights}, panels.outputs},
                          {{input_gate_weights}, panels.outputs}};
    for (size_t part = 0; part < kMaxParts; ++part)
        windows.parts[part].Widen(&parts[part]);
    PartSource &recurrent = parts[kRecurrentWeights];
    if (form.may_be_wide && form.half && !windows.AreLarge() && ByteWeights::FitsWide(recurrent, 1, panels.outputs)) {
        if (!bytes[kRecurrentWeights].PackWide(panels, recurrent, 1))
            return false;
        recurrent = {{}, panels.outputs};
    }
    part_count = input_gate_weights == nullptr ? 2 : 3;
    bias = PaddedCopy(gate.bias, panels);
    return bias != nullptr && weights.Pack(panels, windows.Format(form.half), 1, parts, part_count) &&
           (!windows.MakePairs() || pairs.Pack(panels, form.half, 1, parts, part_count)) &&
           neuron.Copy(gate.neuron, panels);
}

} // namespace pymps::engine
