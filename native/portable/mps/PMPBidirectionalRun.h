// One encoded run of both halves of a stack over a sequence: the record of a command, and the function that executes
// it. Neither half reads a state or leaves one.
#import "PMPRecurrentChain.h"

/// A half of a stack, and the sequence that it runs over.
typedef struct PMPBidirectionalHalf {
    PMPRecurrentChain chain;
    pymps_engine_matrix *x, *y; // in the order of the walk: the backward half begins with the last step. No y where
                                // the halves are added: the sum goes to the forward half's
} PMPBidirectionalHalf;

/// Whoever encodes it sees to it that what it points to lives until the command has run.
typedef struct PMPBidirectionalRun {
    PMPBidirectionalHalf forward, backward;
    PMPRecurrentShape shape;
    MPSRNNBidirectionalCombineMode mode;
    bool is_complete; // set last: a record that was given up half-way runs nothing
} PMPBidirectionalRun;

// What encoding asks for, of a run whose matrices are not known yet; SIZE_MAX where no size_t is large enough.
size_t PMPBidirectionalRunRecordBytes(const PMPBidirectionalRun *run);
size_t PMPBidirectionalRunWorkspaceBytes(const PMPBidirectionalRun *run);

/// Moves the run into a record of that size, with room for its matrices.
PMPBidirectionalRun *PMPBidirectionalRunBegin(const PMPBidirectionalRun *run, void *record);

/// Completes a run that has x and y of its forward half and, where the results stay separate, y of its backward half,
/// all in the order of time.
void PMPBidirectionalRunComplete(PMPBidirectionalRun *run);

/// The command: a PMPCommandFunction.
void PMPBidirectionalRunExecute(void *record, void *workspace);
