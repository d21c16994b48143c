/* The derivatives of the activations. */
#ifndef PYMPS_ENGINE_NEURON_SLOPE_H
#define PYMPS_ENGINE_NEURON_SLOPE_H

#include <cmath>

#include "engine/engine.h"

namespace pymps::engine {

/* f'(x) by its formula, in float64. `channel` is that of PReLU's slope. Where f has a corner: 1 for the rectified ones
 * at 0, but 0 for ReLUN where it is clipped and for Absolute at 0; a for HardSigmoid at either end. */
double NeuronSlope(const pymps_engine_neuron &neuron, double x, size_t channel);

/* Whether f'(x) needs x; otherwise f(x) tells it. */
bool SlopeNeedsSum(const pymps_engine_neuron &neuron);

/* The same of TanH: f(x) tells it where a, 2 a and b / a are normal numbers. */
inline bool TanhSlopeNeedsSum(const pymps_engine_neuron &neuron) {
    const float size = std::fabs(neuron.a);
    return !(size >= 0x1p-126f && size <= 0x1p126f && std::isnormal(neuron.b / neuron.a));
}

} // namespace pymps::engine

#endif
