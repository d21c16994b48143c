#import "PMPRecurrentRun.h"

enum { kAlignment = 64 };

// Saturating: a size that can't be had stays one.
static size_t add(size_t a, size_t b) {
    size_t sum;
    return __builtin_add_overflow(a, b, &sum) ? SIZE_MAX : sum;
}

static size_t multiply(size_t a, size_t b) {
    size_t product;
    return __builtin_mul_overflow(a, b, &product) ? SIZE_MAX : product;
}

static size_t aligned(size_t bytes) {
    return add(bytes, kAlignment - 1) / kAlignment * kAlignment;
}

pymps_engine_matrix *PMPRecurrentRunSources(PMPRecurrentRun *run) {
    return (pymps_engine_matrix *)(run + 1);
}

pymps_engine_matrix *PMPRecurrentRunDestinations(PMPRecurrentRun *run) {
    return PMPRecurrentRunSources(run) + run->steps;
}

pymps_engine_state *PMPRecurrentRunInitialStates(PMPRecurrentRun *run) {
    return (pymps_engine_state *)(PMPRecurrentRunDestinations(run) + run->steps);
}

pymps_engine_state *PMPRecurrentRunStates(PMPRecurrentRun *run) {
    return PMPRecurrentRunInitialStates(run) + run->cell_count;
}

size_t PMPRecurrentRunRecordBytes(size_t cellCount, size_t steps, size_t stateCount) {
    size_t matrices = multiply(multiply(2, steps), sizeof(pymps_engine_matrix));
    size_t states = multiply(multiply(cellCount, add(stateCount, 1)), sizeof(pymps_engine_state));
    return add(sizeof(PMPRecurrentRun), add(matrices, states));
}

// The workspace: the engine's scratch, then up to two sequences between layers, used in turn.

static size_t scratch_bytes(const PMPRecurrentCell *cells, size_t cellCount, size_t steps, size_t rows) {
    size_t most = 0;
    for (size_t i = 0; i < cellCount; i++) {
        size_t bytes = pymps_engine_workspace_bytes(cells[i].layer, steps, rows);
        most = bytes > most ? bytes : most;
    }
    return aligned(most);
}

static size_t sequence_row_bytes(size_t outputs) {
    return aligned(multiply(outputs, sizeof(float)));
}

static size_t sequence_bytes(const PMPRecurrentCell *cells, size_t cellCount, size_t steps, size_t rows) {
    size_t widest = 0;
    for (size_t i = 0; i + 1 < cellCount; i++) {
        widest = cells[i].outputs > widest ? cells[i].outputs : widest;
    }
    size_t matrices = aligned(multiply(steps, sizeof(pymps_engine_matrix)));
    return add(matrices, multiply(multiply(steps, rows), sequence_row_bytes(widest)));
}

size_t PMPRecurrentRunWorkspaceBytes(const PMPRecurrentCell *cells, size_t cellCount, size_t steps, size_t rows) {
    size_t between = cellCount > 2 ? 2 : cellCount - 1;
    size_t scratch = scratch_bytes(cells, cellCount, steps, rows);
    return between == 0 ? scratch : add(scratch, multiply(between, sequence_bytes(cells, cellCount, steps, rows)));
}

/// Lays a sequence with the rows of x out in memory.
static pymps_engine_matrix *make_sequence(char *memory, const pymps_engine_matrix *x, size_t steps, size_t outputs) {
    pymps_engine_matrix *matrices = (pymps_engine_matrix *)memory;
    char *data = memory + aligned(steps * sizeof *matrices);
    size_t rowBytes = sequence_row_bytes(outputs);
    for (size_t t = 0; t < steps; t++) {
        matrices[t] =
            (pymps_engine_matrix){.data = data, .rows = x[t].rows, .row_bytes = rowBytes, .type = PYMPS_ENGINE_FLOAT32};
        data += x[t].rows * rowBytes;
    }
    return matrices;
}

void PMPRecurrentRunExecute(void *record, void *workspace) {
    PMPRecurrentRun *run = record;
    const pymps_engine_matrix *x = PMPRecurrentRunSources(run);
    char *between[2] = {NULL, NULL};
    if (run->cell_count > 1) {
        between[0] = (char *)workspace + scratch_bytes(run->cells, run->cell_count, run->steps, run->rows);
        between[1] = between[0] + sequence_bytes(run->cells, run->cell_count, run->steps, run->rows);
    }
    for (size_t i = 0; i < run->cell_count; i++) {
        const PMPRecurrentCell *cell = &run->cells[i];
        bool isLast = i + 1 == run->cell_count;
        pymps_engine_sequence sequence = {
            .steps = run->steps,
            .x = x,
            .y =
                isLast ? PMPRecurrentRunDestinations(run) : make_sequence(between[i % 2], x, run->steps, cell->outputs),
            .initial = run->has_initial ? PMPRecurrentRunInitialStates(run) + i : NULL,
            .states = PMPRecurrentRunStates(run) + i * run->state_count,
            .state_count = run->state_count,
        };
        pymps_engine_layer_run(cell->layer, &sequence, workspace);
        x = sequence.y;
    }
}
