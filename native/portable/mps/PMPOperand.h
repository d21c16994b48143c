// A matrix or a vector, as a kernel reads or writes it, and the rules that both have.
#import "PMPEncoding.h"
#import "PMPMemoryRegion.h"
#import "engine/engine.h"

/// The vectors of an MPSVector are rows.
typedef struct PMPOperand {
    id object; // nil: there is none
    NSString *name;
    id<MTLDevice> device;
    NSUInteger rows, columns, rowBytes, offset;
    NSUInteger count, matrixBytes; // of matrices, and from one to the next
    MPSDataType dataType;
    struct PMPTemporary *lease; // NULL: not temporary
} PMPOperand;

PMPOperand PMPMatrixOperand(MPSMatrix *matrix, NSString *name);
PMPOperand PMPVectorOperand(MPSVector *vector, NSString *name);

/// Raises unless it is there, of this device, and usable on the command buffer.
void PMPOperandCheck(const PMPOperand *operand, id<MTLDevice> device, PMPEncoding encoding);

/// Raises unless it is one matrix of floats.
void PMPOperandCheckFloats(const PMPOperand *operand, PMPEncoding encoding);

/// Its memory, without the gaps between rows; of the first matrix.
PMPMemoryRegion PMPOperandRegion(const PMPOperand *operand);

/// The buffer, allocated now at the latest. Raises where memory runs out.
id<MTLBuffer> PMPOperandBuffer(const PMPOperand *operand);

/// For the engine; the command buffer holds its memory. All NULL where there is none.
pymps_engine_matrix PMPOperandEncode(const PMPOperand *operand, PMPCommandBuffer *commandBuffer);

/// Lowers the read count of a temporary one.
void PMPOperandDidRead(const PMPOperand *operand);

/// The same for all operands of one kernel: that of an object that comes twice only once.
void PMPOperandsDidRead(const PMPOperand *const *operands, size_t count);
