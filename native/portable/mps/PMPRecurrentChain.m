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

static size_t cell_scratch_bytes(const PMPRecurrentCell *cell, PMPRecurrentShape shape) {
    if (shape.width == 0) {
        return pymps_engine_workspace_bytes(cell->layer, shape.steps, shape.rows);
    }
    size_t images = shape.rows / (shape.width * shape.height);
    return pymps_engine_image_workspace_bytes(cell->layer, shape.width, shape.height, images);
}

static size_t scratch_bytes(PMPRecurrentChain chain, PMPRecurrentShape shape) {
    size_t most = 0;
    for (size_t i = 0; i < chain.count; i++) {
        size_t bytes = cell_scratch_bytes(&chain.cells[i], shape);
        most = bytes > most ? bytes : most;
    }
    return PMPSizeAligned(most);
}

static size_t between_bytes(PMPRecurrentChain chain, PMPRecurrentShape shape) {
    size_t widest = 0;
    for (size_t i = 0; i + 1 < chain.count; i++) {
        widest = chain.cells[i].outputs > widest ? chain.cells[i].outputs : widest;
    }
    return PMPScratchSequenceBytes(shape.steps, shape.rows, widest);
}

size_t PMPRecurrentChainWorkspaceBytes(PMPRecurrentChain chain, PMPRecurrentShape shape) {
    size_t scratch = scratch_bytes(chain, shape);
    if (chain.count == 1) {
        return scratch;
    }
    size_t between = chain.count == 2 ? 1 : 2;
    return PMPSizeAdd(scratch, PMPSizeMultiply(between, between_bytes(chain, shape)));
}

void PMPRecurrentChainRun(PMPRecurrentChain chain, const pymps_engine_sequence *sequence, void *workspace) {
    const PMPRecurrentShape shape = {sequence->steps, sequence->x[0].rows, sequence->width, sequence->height};
    const pymps_engine_matrix *x = sequence->x;
    char *between[2] = {NULL, NULL};
    if (chain.count > 1) {
        between[0] = (char *)workspace + scratch_bytes(chain, shape);
        between[1] = between[0] + between_bytes(chain, shape);
    }
    for (size_t i = 0; i < chain.count; i++) {
        const PMPRecurrentCell *cell = &chain.cells[i];
        pymps_engine_sequence own = *sequence;
        own.x = x;
        if (i + 1 < chain.count) {
            own.y = PMPScratchSequenceMake(between[i % 2], x, shape.steps, cell->outputs);
        }
        if (sequence->initial != NULL) {
            own.initial = sequence->initial + i;
        }
        own.states = sequence->states + i * sequence->state_count;
        pymps_engine_layer_run(cell->layer, &own, workspace, chain.team);
        x = own.y;
    }
}
