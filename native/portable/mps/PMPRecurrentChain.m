#import "PMPRecurrentChain.h"
#import "PMPScratchSequence.h"
#import "PMPSize.h"

size_t PMPRecurrentChainInputs(PMPRecurrentChain chain) {
    return chain.cells[0].inputs;
}

size_t PMPRecurrentChainOutputs(PMPRecurrentChain chain) {
    return chain.cells[chain.count - 1].outputs;
}

// The workspace: the engine's scratch, then up to two sequences between cells, used in turn.

static size_t scratch_bytes(PMPRecurrentChain chain, size_t steps, size_t rows) {
    size_t most = 0;
    for (size_t i = 0; i < chain.count; i++) {
        size_t bytes = pymps_engine_workspace_bytes(chain.cells[i].layer, steps, rows);
        most = bytes > most ? bytes : most;
    }
    return PMPSizeAligned(most);
}

static size_t between_bytes(PMPRecurrentChain chain, size_t steps, size_t rows) {
    size_t widest = 0;
    for (size_t i = 0; i + 1 < chain.count; i++) {
        widest = chain.cells[i].outputs > widest ? chain.cells[i].outputs : widest;
    }
    return PMPScratchSequenceBytes(steps, rows, widest);
}

size_t PMPRecurrentChainWorkspaceBytes(PMPRecurrentChain chain, size_t steps, size_t rows) {
    size_t scratch = scratch_bytes(chain, steps, rows);
    if (chain.count == 1) {
        return scratch;
    }
    size_t between = chain.count == 2 ? 1 : 2;
    return PMPSizeAdd(scratch, PMPSizeMultiply(between, between_bytes(chain, steps, rows)));
}

void PMPRecurrentChainRun(PMPRecurrentChain chain, const pymps_engine_sequence *sequence, void *workspace) {
    size_t steps = sequence->steps, rows = sequence->x[0].rows;
    const pymps_engine_matrix *x = sequence->x;
    char *between[2] = {NULL, NULL};
    if (chain.count > 1) {
        between[0] = (char *)workspace + scratch_bytes(chain, steps, rows);
        between[1] = between[0] + between_bytes(chain, steps, rows);
    }
    for (size_t i = 0; i < chain.count; i++) {
        const PMPRecurrentCell *cell = &chain.cells[i];
        pymps_engine_sequence own = *sequence;
        own.x = x;
        if (i + 1 < chain.count) {
            own.y = PMPScratchSequenceMake(between[i % 2], x, steps, cell->outputs);
        }
        if (sequence->initial != NULL) {
            own.initial = sequence->initial + i;
        }
        own.states = sequence->states + i * sequence->state_count;
        pymps_engine_layer_run(cell->layer, &own, workspace, chain.team);
        x = own.y;
    }
}
