/* The derivatives of the activations. */
#ifndef PYMPS_ENGINE_NEURON_SLOPE_H
#define PYMPS_ENGINE_NEURON_SLOPE_H

#include "engine/engine.h"

namespace pymps::engine {

/* f'(x) by its formula, in float64. `channel` is that of PReLU's slope. Where f has a corner: 1 for the rectified ones
 * at 0, but 0 for ReLUN where it is clipped and for Absolute at 0; a for HardSigmoid at either end. */
double NeuronSlope(const pymps_engine_neuron &neuron, double x, size_t channel);

/* Whether f'(x) needs x; otherwise f(x) tells it. */
bool SlopeNeedsSum(const pymps_engine_neuron &neuron);

} // namespace pymps::engine

#endif
