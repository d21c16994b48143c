#include "engine/owned_neuron.h"

#include "engine/neuron_type.h"

namespace pymps::engine {

bool IsSigmoid(const pymps_engine_neuron &neuron) {
    return neuron.type == static_cast<int32_t>(NeuronType::kSigmoid);
}

bool IsPlainTanH(const pymps_engine_neuron &neuron) {
    return neuron.type == static_cast<int32_t>(NeuronType::kTanH) && neuron.a == 1.0f && neuron.b == 1.0f;
}

bool OwnedNeuron::Copy(const pymps_engine_neuron &source, const Panels &panels) {
    neuron = source;
    neuron.channel_a = nullptr;
    if (source.channel_a == nullptr)
        return true;
    channel_a = PaddedCopy(source.channel_a, panels);
    return channel_a != nullptr;
}

pymps_engine_neuron OwnedNeuron::At(size_t channel) const {
    pymps_engine_neuron slice = neuron;
    if (channel_a != nullptr)
        slice.channel_a = channel_a.get() + channel;
    return slice;
}

} // namespace pymps::engine
