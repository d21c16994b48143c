/* One activation in float64: for functions without a fast vector form, and where a result's rounding to float32 would
 * be magnified. */
#ifndef PYMPS_ENGINE_NEURON_VALUE_H
#define PYMPS_ENGINE_NEURON_VALUE_H

#include <cstddef>

#include "engine/engine.h"

namespace pymps::engine {

double NeuronValue(const pymps_engine_neuron &neuron, double x, size_t channel);

} // namespace pymps::engine

#endif
