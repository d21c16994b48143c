// Recurrent cells of which each reads what the one before writes.
#import "engine/training.h"
#import <MetalPerformanceShaders/MPSRNNDescriptor.h>

@class PMPRecurrentRecipe;

typedef struct PMPRecurrentCell {
    pymps_engine_layer *layer;       // or
    pymps_engine_training *training; // in a training layer; or neither
    PMPRecurrentRecipe *recipe;
    size_t inputs, outputs;
    BOOL hasMemoryCell;
    MPSRNNSequenceDirection direction;
} PMPRecurrentCell;

/// A part of a stack, which owns the cells.
typedef struct PMPRecurrentChain {
    const PMPRecurrentCell *cells;
    size_t count;
    pymps_engine_team *team; // NULL: the cells run on one thread
} PMPRecurrentChain;

// Of a chain that is not empty.
size_t PMPRecurrentChainInputs(PMPRecurrentChain chain);
size_t PMPRecurrentChainOutputs(PMPRecurrentChain chain);

/// A sequence: its steps, the rows of its first step, and the size of the images whose pixels these are; 0 x 0 where
/// they are rows of matrices.
typedef struct PMPRecurrentShape {
    size_t steps, rows, width, height;
} PMPRecurrentShape;

/// For sequences of this shape, or of fewer steps or rows; SIZE_MAX where no size_t is large enough.
size_t PMPRecurrentChainWorkspaceBytes(PMPRecurrentChain chain, PMPRecurrentShape shape);

/// Runs all cells over the sequence. Cell i has the states `initial` + i and `states` + i * state_count.
void PMPRecurrentChainRun(PMPRecurrentChain chain, const pymps_engine_sequence *sequence, void *workspace);
