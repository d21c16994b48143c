/* The values of MPSCNNNeuronType. */
#ifndef PYMPS_ENGINE_NEURON_TYPE_H
#define PYMPS_ENGINE_NEURON_TYPE_H

#include <cstdint>

namespace pymps::engine {

enum class NeuronType : int32_t {
    kNone = 0,
    kReLU = 1,
    kLinear = 2,
    kSigmoid = 3,
    kHardSigmoid = 4,
    kTanH = 5,
    kAbsolute = 6,
    kSoftPlus = 7,
    kSoftSign = 8,
    kELU = 9,
    kPReLU = 10,
    kReLUN = 11,
    kPower = 12,
    kExponential = 13,
    kLogarithm = 14,
    kGeLU = 15,
};

} // namespace pymps::engine

#endif
