// What a training layer and its copies share: the cell, and which matrices its weights are.
#import "PMPEncoding.h"
#import "PMPRecurrentStack.h"
#import "PMPSequence.h"

/// One of the matrices of an array of weights, in the natural shape of its formula.
typedef struct PMPTrainingWeight {
    size_t gate;
    pymps_engine_weight part;
    MPSRNNMatrixId matrixId;
    size_t rows, columns;
} PMPTrainingWeight;

enum { kPMPMaxTrainingWeights = PYMPS_ENGINE_MOST_GATES * PYMPS_ENGINE_WEIGHT_COUNT };

/// Immutable but for its team.
@interface PMPTrainingCell : NSObject {
  @package
    PMPRecurrentStack *_stack;                          // of one cell; of it are the states of forward passes
    PMPRecurrentStack *_gradients;                      // of it are the states of gradient passes
    PMPTrainingWeight _weights[kPMPMaxTrainingWeights]; // in the order of their ids
    size_t _weightCount;
    MPSDataType _dataType; // of weights
}

/// nil where a source fails to load or memory runs out. Raises where the descriptor does not fit. The receiver keeps
/// the sources' numbers until they are dropped.
- (instancetype)initWithDescriptors:(NSArray<const MPSRNNDescriptor *> *)descriptors argument:(PMPArgument)argument;

/// Appends the weights, with the sources' numbers. NO where memory runs out.
- (BOOL)addInitialWeightsTo:(NSMutableArray<MPSMatrix *> *)matrices device:(id<MTLDevice>)device;
- (void)dropInitialWeights;

/// What a matrix of this type in the weights' place is like.
- (MPSMatrixDescriptor *)descriptorOfWeight:(size_t)index dataType:(MPSDataType)dataType;

@end

static inline const PMPRecurrentCell *PMPTrainingCellOf(PMPTrainingCell *cell) {
    return &cell->_stack->_cells[0];
}

/// Raises unless the matrices are such as the weights, or their gradients, are.
void PMPTrainingCheckWeights(PMPTrainingCell *cell, const PMPSequence *weights, id<MTLDevice> device,
                             PMPEncoding encoding);

/// The weight with this id; raises where the cell has none.
const PMPTrainingWeight *PMPTrainingFindWeight(PMPTrainingCell *cell, MPSRNNMatrixId matrixId, PMPEncoding encoding);

/// Writes the weights down for the engine, and has the command buffer hold their memory.
void PMPTrainingEncodeWeights(PMPTrainingCell *cell, const PMPSequence *weights, pymps_engine_training_weights *encoded,
                              PMPCommandBuffer *commandBuffer);
