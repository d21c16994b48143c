#import "PMPRecurrentRun.h"
#import "PMPSize.h"

pymps_engine_matrix *PMPRecurrentRunSources(PMPRecurrentRun *run) {
    return (pymps_engine_matrix *)(run + 1);
}

pymps_engine_matrix *PMPRecurrentRunDestinations(PMPRecurrentRun *run) {
    return PMPRecurrentRunSources(run) + run->shape.steps;
}

pymps_engine_state *PMPRecurrentRunInitialStates(PMPRecurrentRun *run) {
    return (pymps_engine_state *)(PMPRecurrentRunDestinations(run) + run->shape.steps);
}

pymps_engine_state *PMPRecurrentRunStates(PMPRecurrentRun *run) {
    return PMPRecurrentRunInitialStates(run) + run->chain.count;
}

size_t PMPRecurrentRunRecordBytes(size_t cellCount, size_t steps, size_t stateCount) {
    size_t matrices = PMPSizeMultiply(PMPSizeMultiply(2, steps), sizeof(pymps_engine_matrix));
    size_t states = PMPSizeMultiply(PMPSizeMultiply(cellCount, PMPSizeAdd(stateCount, 1)), sizeof(pymps_engine_state));
    return PMPSizeAdd(sizeof(PMPRecurrentRun), PMPSizeAdd(matrices, states));
}

void PMPRecurrentRunExecute(void *record, void *workspace) {
    PMPRecurrentRun *run = record;
    if (!run->is_complete) {
        return;
    }
    const pymps_engine_sequence sequence = {
        .steps = run->shape.steps,
        .x = PMPRecurrentRunSources(run),
        .y = PMPRecurrentRunDestinations(run),
        .initial = run->has_initial ? PMPRecurrentRunInitialStates(run) : NULL,
        .states = PMPRecurrentRunStates(run),
        .state_count = run->state_count,
        .descending = run->descending,
        .width = run->shape.width,
        .height = run->shape.height,
    };
    PMPRecurrentChainRun(run->chain, &sequence, workspace);
}
