#import "PMPBidirectionalRun.h"
#import "PMPScratchSequence.h"
#import "PMPSize.h"

size_t PMPBidirectionalRunRecordBytes(const PMPBidirectionalRun *run) {
    size_t matrices = PMPSizeMultiply(PMPSizeMultiply(4, run->shape.steps), sizeof(pymps_engine_matrix));
    return PMPSizeAdd(sizeof *run, matrices);
}

PMPBidirectionalRun *PMPBidirectionalRunBegin(const PMPBidirectionalRun *run, void *record) {
    PMPBidirectionalRun *begun = record;
    *begun = *run;
    begun->forward.x = (pymps_engine_matrix *)(begun + 1);
    begun->forward.y = begun->forward.x + run->shape.steps;
    begun->backward.x = begun->forward.y + run->shape.steps;
    begun->backward.y = begun->backward.x + run->shape.steps;
    return begun;
}

static size_t element_bytes(pymps_engine_type type) {
    switch (type) {
    case PYMPS_ENGINE_FLOAT32:
        return sizeof(float);
    case PYMPS_ENGINE_FLOAT16:
    case PYMPS_ENGINE_UNORM16:
        return sizeof(uint16_t);
    case PYMPS_ENGINE_UNORM8:
        return sizeof(uint8_t);
    }
    __builtin_unreachable();
}

/// `matrix` without its first columns.
static pymps_engine_matrix behind(pymps_engine_matrix matrix, size_t columns) {
    matrix.data = (char *)matrix.data + columns * element_bytes(matrix.type);
    return matrix;
}

static void reverse(pymps_engine_matrix *matrices, size_t steps) {
    for (size_t i = 0; i < steps / 2; i++) {
        pymps_engine_matrix matrix = matrices[i];
        matrices[i] = matrices[steps - 1 - i];
        matrices[steps - 1 - i] = matrix;
    }
}

void PMPBidirectionalRunComplete(PMPBidirectionalRun *run) {
    memcpy(run->backward.x, run->forward.x, run->shape.steps * sizeof *run->forward.x);
    if (run->mode == MPSRNNBidirectionalCombineModeConcatenate) {
        for (size_t step = 0; step < run->shape.steps; step++) {
            run->backward.y[step] = behind(run->forward.y[step], PMPRecurrentChainOutputs(run->forward.chain));
        }
    }
    reverse(run->backward.x, run->shape.steps);
    reverse(run->backward.y, run->shape.steps);
    run->is_complete = true;
}

// The workspace: what the larger half needs (its chain, then two sets of states), then, where the run adds, a sequence
// for each half.

static size_t states_header_bytes(PMPRecurrentChain chain) {
    return PMPSizeAligned(chain.count * sizeof(pymps_engine_state));
}

static size_t states_bytes(PMPRecurrentChain chain, size_t rows) {
    size_t outputs = 0;
    for (size_t i = 0; i < chain.count; i++) {
        outputs = PMPSizeAdd(outputs, chain.cells[i].outputs);
    }
    size_t floats = PMPSizeMultiply(PMPSizeMultiply(2, outputs), rows);
    return PMPSizeAdd(states_header_bytes(chain), PMPSizeAligned(PMPSizeMultiply(floats, sizeof(float))));
}

static size_t half_bytes(PMPRecurrentChain chain, PMPRecurrentShape shape) {
    return PMPSizeAdd(PMPRecurrentChainWorkspaceBytes(chain, shape),
                      PMPSizeMultiply(2, states_bytes(chain, shape.rows)));
}

static size_t larger_half_bytes(const PMPBidirectionalRun *run) {
    size_t forward = half_bytes(run->forward.chain, run->shape);
    size_t backward = half_bytes(run->backward.chain, run->shape);
    return forward > backward ? forward : backward;
}

size_t PMPBidirectionalRunWorkspaceBytes(const PMPBidirectionalRun *run) {
    size_t bytes = larger_half_bytes(run);
    if (run->mode == MPSRNNBidirectionalCombineModeAdd) {
        size_t outputs = PMPRecurrentChainOutputs(run->forward.chain);
        bytes =
            PMPSizeAdd(bytes, PMPSizeMultiply(2, PMPScratchSequenceBytes(run->shape.steps, run->shape.rows, outputs)));
    }
    return bytes;
}

/// States for the cells of a chain, all zeros.
static pymps_engine_state *make_states(char *memory, PMPRecurrentChain chain, size_t rows) {
    pymps_engine_state *states = (pymps_engine_state *)memory;
    memset(memory, 0, states_bytes(chain, rows));
    float *next = (float *)(memory + states_header_bytes(chain));
    for (size_t i = 0; i < chain.count; i++) {
        size_t outputs = chain.cells[i].outputs, count = rows * outputs;
        states[i] = (pymps_engine_state){
            .h = next, .c = chain.cells[i].hasMemoryCell ? next + count : NULL, .row_floats = outputs};
        next += 2 * count;
    }
    return states;
}

/// The engine's rows never grow, those of a backward walk do: it is cut before each step that has more rows than the
/// one before, and goes on from the states it had. The rows that are new find zeros there.
static void run_half(const PMPBidirectionalHalf *half, const pymps_engine_matrix *y, PMPRecurrentShape shape,
                     char *workspace) {
    PMPRecurrentChain chain = half->chain;
    char *memory = workspace + PMPRecurrentChainWorkspaceBytes(chain, shape);
    pymps_engine_state *before = make_states(memory, chain, shape.rows);
    pymps_engine_state *after = make_states(memory + states_bytes(chain, shape.rows), chain, shape.rows);
    for (size_t start = 0, end; start < shape.steps; start = end) {
        end = start + 1;
        while (end < shape.steps && half->x[end].rows <= half->x[end - 1].rows) {
            end++;
        }
        const pymps_engine_sequence sequence = {
            .steps = end - start,
            .x = half->x + start,
            .y = y + start,
            .initial = start > 0 ? before : NULL,
            .states = after,
            .state_count = 1,
            .width = shape.width,
            .height = shape.height,
        };
        PMPRecurrentChainRun(chain, &sequence, workspace);
        pymps_engine_state *written = after;
        after = before;
        before = written;
    }
}

/// Both halves in float32, so that only the sum is rounded to the type of its matrix.
static void run_and_add(const PMPBidirectionalRun *run, char *workspace) {
    size_t steps = run->shape.steps, rows = run->shape.rows, outputs = PMPRecurrentChainOutputs(run->forward.chain);
    char *memory = workspace + larger_half_bytes(run);
    pymps_engine_matrix *forward = PMPScratchSequenceMake(memory, run->forward.x, steps, outputs);
    memory += PMPScratchSequenceBytes(steps, rows, outputs);
    pymps_engine_matrix *backward = PMPScratchSequenceMake(memory, run->backward.x, steps, outputs);
    run_half(&run->forward, forward, run->shape, workspace);
    run_half(&run->backward, backward, run->shape, workspace);
    for (size_t step = 0; step < steps; step++) {
        pymps_engine_matrix_sum(&forward[step], &backward[steps - 1 - step], &run->forward.y[step], outputs);
    }
}

void PMPBidirectionalRunExecute(void *record, void *workspace) {
    const PMPBidirectionalRun *run = record;
    if (!run->is_complete) {
        return;
    }
    if (run->mode == MPSRNNBidirectionalCombineModeAdd) {
        run_and_add(run, workspace);
    } else {
        run_half(&run->forward, run->forward.y, run->shape, workspace);
        run_half(&run->backward, run->backward.y, run->shape, workspace);
    }
}
