/* The entries of engine.h that are the same for every kind of layer. */
#include "engine/targets.h"
#include "hwy/highway.h"
#include "engine/layer.h"

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

void pymps_engine_layer_run(const pymps_engine_layer *layer, const pymps_engine_sequence *sequence, void *workspace,
                            pymps_engine_team *team) {
    layer->Run(*sequence, workspace, team);
}

/* The best target is the lowest bit, and the one that HWY_DYNAMIC_DISPATCH takes. */
const char *pymps_engine_target(void) {
    const int64_t targets = hwy::SupportedTargets() & HWY_TARGETS;
    return hwy::TargetName(targets != 0 ? targets & -targets : HWY_STATIC_TARGET);
}

} // extern "C"
