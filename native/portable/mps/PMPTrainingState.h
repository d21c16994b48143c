// How a training layer makes its states and reads them.
#import "PMPTape.h"
#import "PMPTrainingCell.h"

@interface MPSRNNMatrixTrainingState (PMPTrainingState)

/// nil where memory runs out.
- (instancetype)initWithCell:(PMPTrainingCell *)cell
                      device:(id<MTLDevice>)device
                      memory:(PMPTapeMemory *)memory
                        tape:(void *)tape
                       bytes:(size_t)bytes
                        rows:(NSUInteger)rows;

@end

/// Makes a state for each step, with the rows of the sources, and appends them to `states`. The command buffer holds
/// their memory; `tapes` is told where they are. Raises where memory runs out.
void PMPTrainingStatesMake(PMPTrainingCell *cell, PMPTapePool *pool, const PMPSequence *sources, BOOL areTemporary,
                           NSMutableArray<MPSRNNMatrixTrainingState *> *states, void **tapes, PMPEncoding encoding);

/// Raises unless there is a state of this cell for each step, with the rows of its source.
void PMPTrainingStatesCheck(PMPTrainingCell *cell, NSArray<MPSRNNMatrixTrainingState *> *states,
                            const PMPSequence *sources, PMPEncoding encoding);

/// Has the command buffer hold the states' memory, tells `tapes` where they are, and lowers the read counts.
void PMPTrainingStatesRead(NSArray<MPSRNNMatrixTrainingState *> *states, void **tapes, PMPCommandBuffer *commandBuffer);
