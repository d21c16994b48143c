// The copies of an MPSMatrixCopy: their rules, the record of the command, and the function that executes it.
#import "PMPOperand.h"

/// What an encode method is told.
typedef struct PMPMatrixCopies {
    MPSMatrixCopyDescriptor *descriptor;
    size_t sourceRows, sourceColumns;           // of the blocks, as they are stored
    size_t destinationRows, destinationColumns; // either the same, or the other way round
    BOOL areTransposed;                         // on the way from a source to its destination
    PMPOperand rowIndices, columnIndices;       // no object: the order stays
    NSUInteger rowIndexOffset, columnIndexOffset;
} PMPMatrixCopies;

/// Raises unless all matrices are there, blocks lie within them, and the destinations' share no memory with others; the
/// latter two where the offsets are known.
void PMPMatrixCopiesCheck(const PMPMatrixCopies *copies, id<MTLDevice> device, PMPEncoding encoding);

void PMPMatrixCopiesEncode(const PMPMatrixCopies *copies, PMPCommandBuffer *commandBuffer);
