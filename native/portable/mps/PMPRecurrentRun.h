// One encoded run of a stack over a sequence: the record of a command, and the function that executes it.
#import "PMPRecurrentChain.h"

/// Whoever encodes it sees to it that what it points to lives until the command has run.
typedef struct PMPRecurrentRun {
    PMPRecurrentChain chain;
    PMPRecurrentShape shape;
    size_t state_count;
    bool has_initial;
    bool descending;  // the engine's hint, of pymps_engine_sequence
    bool is_complete; // set last: a record that was given up half-way runs nothing
} PMPRecurrentRun;

// The arrays behind the struct, in the same record.
pymps_engine_matrix *PMPRecurrentRunSources(PMPRecurrentRun *run);      // one for each step
pymps_engine_matrix *PMPRecurrentRunDestinations(PMPRecurrentRun *run); // one for each step
pymps_engine_state *PMPRecurrentRunInitialStates(PMPRecurrentRun *run); // one for each cell
pymps_engine_state *PMPRecurrentRunStates(PMPRecurrentRun *run);        // state_count for each cell

/// What encoding asks for; SIZE_MAX where no size_t is large enough.
size_t PMPRecurrentRunRecordBytes(size_t cellCount, size_t steps, size_t stateCount);

/// The command: a PMPCommandFunction.
void PMPRecurrentRunExecute(void *record, void *workspace);
