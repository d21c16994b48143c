// A copy between one of a training layer's weights and a matrix.
#import "PMPTrainingCell.h"

typedef struct PMPTrainingCopy {
    const PMPTrainingWeight *weight;
    NSUInteger index;            // of the weight in `weights`
    PMPSequence weights, matrix; // `matrix` has one
    MTLOrigin origin;            // in the matrix: row, column, 0
} PMPTrainingCopy;

/// Raises unless there is a matrix which holds the block, apart from the weight.
void PMPTrainingCopyCheck(const PMPTrainingCopy *copy, id<MTLDevice> device, PMPEncoding encoding);

void PMPTrainingCopyEncode(const PMPTrainingCopy *copy, BOOL toMatrix, PMPCommandBuffer *commandBuffer);
