#include "engine/lstm_weights.h"

#include <algorithm>

namespace pymps::engine {

bool LstmWeights::CopyNeurons(const pymps_engine_lstm &lstm) {
    usual_neurons = IsSigmoid(lstm.input_gate.neuron) && IsSigmoid(lstm.forget_gate.neuron) &&
                    IsPlainTanH(lstm.cell_gate.neuron) && IsSigmoid(lstm.output_gate.neuron) &&
                    IsPlainTanH(lstm.cell_to_output);
    return neurons[kInputGate].Copy(lstm.input_gate.neuron, panels) &&
           neurons[kForgetGate].Copy(lstm.forget_gate.neuron, panels) &&
           neurons[kCellGate].Copy(lstm.cell_gate.neuron, panels) &&
           neurons[kOutputGate].Copy(lstm.output_gate.neuron, panels) &&
           cell_to_output.Copy(lstm.cell_to_output, panels);
}

void LstmWeights::SetWindows(const pymps_engine_lstm &lstm) {
    const auto has_memory = [](const pymps_engine_gate &gate) { return gate.memory_weights != nullptr; };
    if (!unit_input)
        windows.parts[kInputPart] = Window(lstm.input_window);
    windows.parts[kRecurrentPart] = Window(lstm.recurrent_window);
    if (!lstm.memory_is_diagonal && (has_memory(lstm.input_gate) || has_memory(lstm.forget_gate) ||
                                     has_memory(lstm.cell_gate) || has_memory(lstm.output_gate)))
        windows.parts[kMemoryPart] = Window(lstm.memory_window);
}

bool LstmWeights::PackBytes(const pymps_engine_lstm &lstm) {
    const pymps_engine_bytes w[] = {lstm.input_gate.input_bytes, lstm.forget_gate.input_bytes,
                                    lstm.cell_gate.input_bytes, lstm.output_gate.input_bytes};
    const pymps_engine_bytes u[] = {lstm.input_gate.recurrent_bytes, lstm.forget_gate.recurrent_bytes,
                                    lstm.cell_gate.recurrent_bytes, lstm.output_gate.recurrent_bytes};
    return (unit_input || bytes[kInputPart].Pack(panels, w, kMaxGates, lstm.inputs)) &&
           bytes[kRecurrentPart].Pack(panels, u, kMaxGates, lstm.outputs);
}

bool LstmWeights::PackMemory(const pymps_engine_lstm &lstm) {
    if (lstm.memory_is_diagonal) {
        const float *const vectors[] = {lstm.input_gate.memory_weights, lstm.forget_gate.memory_weights,
                                        lstm.cell_gate.memory_weights, lstm.output_gate.memory_weights};
        diagonal_memory = std::any_of(vectors, vectors + kMaxGates, [](const float *v) { return v != nullptr; });
        return !diagonal_memory || diagonal.Pack(panels, vectors, lstm.half_weights);
    }
    full_output_memory = lstm.output_gate.memory_weights != nullptr;
    PartSource source = {{lstm.output_gate.memory_weights}, panels.outputs};
    windows.parts[kMemoryPart].Widen(&source);
    return output_memory.Pack(panels, windows.Format(lstm.half_weights), 1, &source, 1) &&
           (!windows.MakePairs() || output_memory_pairs.Pack(panels, lstm.half_weights, 1, &source, 1));
}

bool LstmWeights::Pack(const pymps_engine_lstm &lstm, size_t lanes, size_t panel_vectors, bool may_be_wide) {
    panels = Panels(lstm.outputs, lanes, panel_vectors);
    unit_input = lstm.unit_input;
    SetWindows(lstm);

    const pymps_engine_gate *const sources[kMaxGates] = {&lstm.input_gate, &lstm.forget_gate, &lstm.cell_gate,
                                                         &lstm.output_gate};
    PartSource parts[kMaxParts] = {{{}, lstm.inputs}, {{}, lstm.outputs}, {{}, lstm.outputs}};
    const float *biases[kMaxGates];
    for (size_t gate = 0; gate < kMaxGates; ++gate) {
        const pymps_engine_gate &source = *sources[gate];
        if (!unit_input)
            parts[kInputPart].gates[gate] = source.input_weights;
        parts[kRecurrentPart].gates[gate] = source.recurrent_weights;
        if (!lstm.memory_is_diagonal && gate != kOutputGate)
            parts[kMemoryPart].gates[gate] = source.memory_weights;
        biases[gate] = source.bias;
    }
    for (size_t part = 0; part < kMaxParts; ++part)
        windows.parts[part].Widen(&parts[part]);
    if (!CopyNeurons(lstm) || !PackBytes(lstm))
        return false;
    // The usual neurons keep the h0 that they make within (-1, 1), where integers are as good as floats; of a caller's
    // own, numbers below 2^-16 of the largest are lost.
    PartSource &recurrent = parts[kRecurrentPart];
    if (may_be_wide && lstm.half_weights && usual_neurons && !windows.AreLarge() &&
        ByteWeights::FitsWide(recurrent, kMaxGates, panels.outputs)) {
        if (!bytes[kRecurrentPart].PackWide(panels, recurrent, kMaxGates))
            return false;
        recurrent = {{}, panels.outputs};
    }
    return gates.Pack(panels, windows.Format(lstm.half_weights), kMaxGates, parts, kMaxParts) &&
           (!windows.MakePairs() || pairs.Pack(panels, lstm.half_weights, kMaxGates, parts, kMaxParts)) &&
           bias.Pack(panels, biases, /*half=*/false) && PackMemory(lstm);
}

bool LstmWeights::Read(size_t gate, size_t part, float *weights) const {
    if (part <= kRecurrentPart && bytes[part].ReadFloats(panels, gate, weights))
        return true;
    if (part == kMemoryPart && diagonal_memory) {
        diagonal.Unpack(panels, gate, weights);
        return true;
    }
    if (part == kMemoryPart && gate == kOutputGate)
        return output_memory.Unpack(panels, 0, 0, weights);
    return gates.Unpack(panels, part, gate, weights);
}

bool LstmWeights::ReadBytes(size_t gate, size_t part, uint8_t *values, float *minima, float *steps) const {
    return part <= kRecurrentPart && bytes[part].Read(panels, gate, values, minima, steps);
}

} // namespace pymps::engine
