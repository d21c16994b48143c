// Copies between images and rows of a matrix: their rules, and the command.
#import "PMPImageSequence.h"
#import "PMPOperand.h"

/// What an encode method and its kernel are told.
typedef struct PMPImageRows {
    PMPImageSequence images; // all images of the first are the first rows, then those of the next
    PMPOperand matrix;
    MTLOrigin origin; // in the matrix: row, column, 0
    NSUInteger batchIndex;
    MPSDataLayout layout;
} PMPImageRows;

/// Raises unless the images have the same size and channels, and the matrix their type and room for the rows.
void PMPImageRowsCheck(const PMPImageRows *rows, PMPEncoding encoding);

void PMPImageRowsEncode(const PMPImageRows *rows, BOOL toMatrix, PMPCommandBuffer *commandBuffer);

/// Raises unless it is one.
void PMPImageRowsCheckLayout(MPSDataLayout layout, id object, SEL selector);

// What both kernels archive.
NSDictionary *PMPImageRowsPropertyList(MTLOrigin origin, NSUInteger batchIndex, MPSDataLayout layout);
/// Raises where the property list is none of these.
void PMPImageRowsReadPropertyList(NSDictionary *list, MTLOrigin *origin, NSUInteger *batchIndex, MPSDataLayout *layout,
                                  id object, SEL selector);
