// One encoded run of a stack over a sequence: the record of a command, and the function that executes it.
#import "PMPRecurrentStack.h"

/// Zeroed, it runs nothing. Whoever encodes it sees to it that what it points to lives until the command has run.
typedef struct PMPRecurrentRun {
    const PMPRecurrentCell *cells; // cell_count of them: each reads what the one before writes
    size_t cell_count, steps, rows, state_count;
    bool has_initial;
} PMPRecurrentRun;

// The arrays behind the struct, in the same record.
pymps_engine_matrix *PMPRecurrentRunSources(PMPRecurrentRun *run);      // steps
pymps_engine_matrix *PMPRecurrentRunDestinations(PMPRecurrentRun *run); // steps
pymps_engine_state *PMPRecurrentRunInitialStates(PMPRecurrentRun *run); // cell_count
pymps_engine_state *PMPRecurrentRunStates(PMPRecurrentRun *run);        // cell_count x state_count

// What encoding asks for; SIZE_MAX where no size_t is large enough.
size_t PMPRecurrentRunRecordBytes(size_t cellCount, size_t steps, size_t stateCount);
size_t PMPRecurrentRunWorkspaceBytes(const PMPRecurrentCell *cells, size_t cellCount, size_t steps, size_t rows);

/// The command: a PMPCommandFunction.
void PMPRecurrentRunExecute(void *record, void *workspace);
