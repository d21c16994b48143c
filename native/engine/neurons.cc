#include "engine/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/neurons.cc"
#include "hwy/foreach_target.h"

#include "engine/neurons-inl.h"

#if HWY_ONCE

#include "engine/engine.h"

namespace pymps::engine {
HWY_EXPORT(ApplyNeuron);
} // namespace pymps::engine

extern "C" void pymps_engine_neuron_apply(const pymps_engine_neuron *neuron, const float *x, float *y, size_t count) {
    using namespace pymps::engine;
    HWY_DYNAMIC_DISPATCH(ApplyNeuron)(*neuron, x, y, count);
}

#endif
