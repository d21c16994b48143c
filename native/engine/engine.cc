/* The entries of engine.h that are the same for every kind of layer. */
#include "engine/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/engine.cc"
#include "hwy/foreach_target.h"

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace pymps::engine {
namespace HWY_NAMESPACE {

const char *NameOfTarget() {
    return hwy::TargetName(HWY_TARGET);
}

} // namespace HWY_NAMESPACE
} // namespace pymps::engine
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

#include <cstring>

#include "engine/layer.h"

namespace pymps::engine {
namespace {

HWY_EXPORT(NameOfTarget);

/* The bits of what this machine has, the best one lowest. Asked once: hwy::SupportedTargets undoes a choice. */
int64_t MachineTargets() {
    static const int64_t targets = hwy::SupportedTargets();
    return targets;
}

} // namespace
} // namespace pymps::engine

using namespace pymps::engine;

extern "C" {

void pymps_engine_layer_destroy(pymps_engine_layer *layer) {
    delete layer;
}

bool pymps_engine_layer_read_weights(const pymps_engine_layer *layer, size_t gate, size_t part, float *weights) {
    return layer->ReadWeights(gate, part, weights);
}

bool pymps_engine_layer_read_bytes(const pymps_engine_layer *layer, size_t gate, size_t part, uint8_t *values,
                                   float *minima, float *steps) {
    return layer->ReadBytes(gate, part, values, minima, steps);
}

size_t pymps_engine_workspace_bytes(const pymps_engine_layer *layer, size_t steps, size_t rows) {
    return layer->WorkspaceBytes(steps, rows);
}

size_t pymps_engine_image_workspace_bytes(const pymps_engine_layer *layer, size_t width, size_t height, size_t images) {
    return layer->ImageWorkspaceBytes(width, height, images);
}

void pymps_engine_layer_run(const pymps_engine_layer *layer, const pymps_engine_sequence *sequence, void *workspace,
                            pymps_engine_team *team) {
    layer->Run(*sequence, workspace, team);
}

const char *pymps_engine_target(void) {
    return HWY_DYNAMIC_DISPATCH(NameOfTarget)();
}

const char *pymps_engine_supported_target(size_t index) {
    int64_t targets = MachineTargets() & HWY_TARGETS;
    for (; targets != 0 && index > 0; --index)
        targets &= targets - 1;
    return targets == 0 ? nullptr : hwy::TargetName(targets & -targets);
}

/* HWY_DYNAMIC_DISPATCH takes the lowest bit. Those above it stay, for whoever else uses Highway in this process and was
 * not built for this one. */
bool pymps_engine_set_target(const char *name) {
    for (int64_t targets = MachineTargets() & HWY_TARGETS; targets != 0; targets &= targets - 1) {
        const int64_t target = targets & -targets;
        if (std::strcmp(hwy::TargetName(target), name) == 0) {
            hwy::GetChosenTarget().Update(MachineTargets() & -target);
            return true;
        }
    }
    return false;
}

} // extern "C"

#endif
