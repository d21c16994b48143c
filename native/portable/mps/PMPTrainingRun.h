// One encoded pass of a training layer, forward or back: the record of a command, and the function that executes it.
#import "PMPTrainingCell.h"

/// Whoever encodes it sees to it that what it points to lives until the command has run.
typedef struct PMPTrainingRun {
    const pymps_engine_training *training;
    pymps_engine_team *team;
    size_t steps, rows, outputs;
    pymps_engine_training_weights weights;
    // Of each step; they lie behind the struct, in the same record.
    pymps_engine_matrix *x, *y; // y: of a gradient pass dL/dy
    void **tapes;
    pymps_engine_state *states; // `state_count` results
    size_t state_count;
    pymps_engine_state initial; // of a gradient pass what comes from the steps that follow
    size_t initial_rows;        // 0: zeros; of a gradient pass maybe fewer than `rows`, and zeros for the others
    bool is_gradient;
    // Of a gradient pass.
    pymps_engine_matrix *dx; // NULL: not wanted
    bool wants_weight_gradients, accumulates;
    pymps_engine_training_weights weight_gradients;
    bool is_complete; // set last: a record that was given up half-way runs nothing
} PMPTrainingRun;

/// Encodes a pass over sequences of this shape, which has room for dx where it is a gradient pass. The command buffer
/// holds the cell.
PMPTrainingRun *PMPTrainingRunBegin(PMPTrainingCell *cell, PMPRecurrentShape shape, size_t stateCount, BOOL isGradient,
                                    PMPCommandBuffer *commandBuffer);
