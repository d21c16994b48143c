#import "PMPTrainingRun.h"
#import "PMPSize.h"

// The workspace: the engine's scratch, then, for a gradient pass, an input state that has been filled up with zeros.

static size_t scratch_bytes(const PMPTrainingRun *run) {
    return PMPSizeAligned(pymps_engine_training_workspace_bytes(run->training, run->steps, run->rows));
}

/// Of h or c alone.
static size_t filled_bytes(const PMPTrainingRun *run) {
    return PMPSizeAligned(PMPSizeMultiply(PMPSizeMultiply(run->rows, run->outputs), sizeof(float)));
}

static void copy_rows(const float *from, size_t row_floats, size_t count, float *to, size_t columns) {
    for (size_t row = 0; row < count; row++) {
        memcpy(to + row * columns, from + row * row_floats, columns * sizeof(float));
    }
}

/// The input state in `memory`, with zeros for the rows that it lacks: theirs ended before the steps that it is of.
static pymps_engine_state fill_up(const PMPTrainingRun *run, char *memory) {
    pymps_engine_state from = run->initial;
    pymps_engine_state to = {.h = (float *)memory, .row_floats = run->outputs};
    memset(memory, 0, 2 * filled_bytes(run));
    copy_rows(from.h, from.row_floats, run->initial_rows, to.h, run->outputs);
    if (from.c != NULL) {
        to.c = (float *)(memory + filled_bytes(run));
        copy_rows(from.c, from.row_floats, run->initial_rows, to.c, run->outputs);
    }
    return to;
}

static void run_forward(const PMPTrainingRun *run, void *workspace) {
    const pymps_engine_sequence sequence = {
        .steps = run->steps,
        .x = run->x,
        .y = run->y,
        .initial = run->initial_rows > 0 ? &run->initial : NULL,
        .states = run->states,
        .state_count = run->state_count,
    };
    pymps_engine_training_forward(run->training, &run->weights, &sequence, run->tapes, workspace, run->team);
}

static void run_gradient(const PMPTrainingRun *run, void *workspace) {
    pymps_engine_state last = run->initial;
    if (run->initial_rows > 0 && run->initial_rows < run->rows) {
        last = fill_up(run, (char *)workspace + scratch_bytes(run));
    }
    const pymps_engine_gradient gradient = {
        .steps = run->steps,
        .x = run->x,
        .tapes = run->tapes,
        .dy = run->y,
        .dx = run->dx,
        .last = run->initial_rows > 0 ? &last : NULL,
        .states = run->states,
        .state_count = run->state_count,
        .weight_gradients = run->wants_weight_gradients ? &run->weight_gradients : NULL,
        .accumulate = run->accumulates,
    };
    pymps_engine_training_gradient(run->training, &run->weights, &gradient, workspace, run->team);
}

static void execute(void *record, void *workspace) {
    const PMPTrainingRun *run = record;
    if (!run->is_complete) {
        return;
    }
    if (run->is_gradient) {
        run_gradient(run, workspace);
    } else {
        run_forward(run, workspace);
    }
}

PMPTrainingRun *PMPTrainingRunBegin(PMPTrainingCell *cell, PMPRecurrentShape shape, size_t stateCount, BOOL isGradient,
                                    PMPCommandBuffer *commandBuffer) {
    const PMPTrainingRun run = {.training = PMPTrainingCellOf(cell)->training,
                                .team = cell->_stack->_whole.team,
                                .steps = shape.steps,
                                .rows = shape.rows,
                                .outputs = PMPTrainingCellOf(cell)->outputs,
                                .state_count = stateCount,
                                .is_gradient = isGradient};
    size_t sequences = isGradient ? 3 : 2;
    size_t matrices = PMPSizeMultiply(PMPSizeMultiply(sequences, shape.steps), sizeof(pymps_engine_matrix));
    size_t states = PMPSizeMultiply(stateCount, sizeof(pymps_engine_state));
    size_t tapes = PMPSizeMultiply(shape.steps, sizeof(void *));
    size_t filled = isGradient ? PMPSizeMultiply(2, filled_bytes(&run)) : 0;
    PMPTrainingRun *record =
        [commandBuffer encodeCommand:execute
                         recordBytes:PMPSizeAdd(PMPSizeAdd(sizeof run, matrices), PMPSizeAdd(states, tapes))
                      workspaceBytes:PMPSizeAdd(scratch_bytes(&run), filled)];
    *record = run;
    record->x = (pymps_engine_matrix *)(record + 1);
    record->y = record->x + shape.steps;
    record->states = (pymps_engine_state *)(record->x + sequences * shape.steps);
    record->tapes = (void **)(record->states + stateCount);
    [commandBuffer holdUntilCompleted:cell];
    return record;
}
