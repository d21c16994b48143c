// Copies between blocks of matrices.
#import <MetalPerformanceShaders/MPSKernel.h>
#import <MetalPerformanceShaders/MPSMatrix.h>
#import <MetalPerformanceShaders/MPSVector.h>

NS_ASSUME_NONNULL_BEGIN

/// Where the blocks of a copy begin, in rows and columns of the matrices.
typedef struct {
    uint32_t sourceRowOffset, sourceColumnOffset, destinationRowOffset, destinationColumnOffset;
} MPSMatrixCopyOffsets;

/// Copies, each from a matrix to another, in no order: no destination shares memory with another block.
PMP_CLASS(MPSMatrixCopyDescriptor)
@interface MPSMatrixCopyDescriptor : NSObject {
  @package
    NSUInteger _count;
    MPSMatrix **_sources, **_destinations; // owned; nil until they are set
    MPSMatrixCopyOffsets *_offsets;
    MPSVector *_Nullable _offsetVector; // where it is given, _offsets is NULL
    NSUInteger _offsetBytes;
}

/// One copy.
+ (instancetype)descriptorWithSourceMatrix:(MPSMatrix *)sourceMatrix
                         destinationMatrix:(MPSMatrix *)destinationMatrix
                                   offsets:(MPSMatrixCopyOffsets)offsets;
/// Each of the copies is to be set.
- (instancetype)initWithDevice:(id<MTLDevice>)device count:(NSUInteger)count;
- (void)setCopyOperationAtIndex:(NSUInteger)index
                   sourceMatrix:(MPSMatrix *)sourceMatrix
              destinationMatrix:(MPSMatrix *)destinationMatrix
                        offsets:(MPSMatrixCopyOffsets)offsets;
/// A copy for each source. `offsets` is a vector of UInt32, which holds an MPSMatrixCopyOffsets for each copy from
/// `byteOffset`, a multiple of 16, on; it is read when the command runs. nil stands for zeros.
- (instancetype)initWithSourceMatrices:(NSArray<MPSMatrix *> *)sourceMatrices
                   destinationMatrices:(NSArray<MPSMatrix *> *)destinationMatrices
                          offsetVector:(nullable MPSVector *)offsets
                                offset:(NSUInteger)byteOffset;
- (instancetype)init PMP_UNAVAILABLE;

@end

/// Copies blocks of copyRows x copyColumns elements, which have the same data type in a source and its destination.
/// What is transposed is stored column by column: in such matrices the blocks are copyColumns x copyRows. Rows and
/// columns of a block that lie beyond a matrix, by an offset or an index that is read when the command runs, are not
/// copied.
PMP_CLASS(MPSMatrixCopy)
@interface MPSMatrixCopy : MPSKernel {
    NSUInteger _copyRows, _copyColumns;
    BOOL _sourcesAreTransposed, _destinationsAreTransposed;
}

@property (readonly, nonatomic) NSUInteger copyRows;
@property (readonly, nonatomic) NSUInteger copyColumns;
@property (readonly, nonatomic) BOOL sourcesAreTransposed;
@property (readonly, nonatomic) BOOL destinationsAreTransposed;

- (instancetype)initWithDevice:(id<MTLDevice>)device
                      copyRows:(NSUInteger)copyRows
                   copyColumns:(NSUInteger)copyColumns
          sourcesAreTransposed:(BOOL)sourcesAreTransposed
     destinationsAreTransposed:(BOOL)destinationsAreTransposed;
- (instancetype)initWithDevice:(id<MTLDevice>)device PMP_UNAVAILABLE;
- (nullable instancetype)initWithCoder:(NSCoder *)aDecoder device:(id<MTLDevice>)device;

- (void)encodeToCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
               copyDescriptor:(MPSMatrixCopyDescriptor *)copyDescriptor;
/// Row i of a destination's block goes to its row rowPermuteIndices[rowPermuteOffset + i], counted from the
/// destination's row offset; columns likewise. The indices are vectors of UInt32, read when the command runs; nil
/// leaves the order.
- (void)encodeToCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
               copyDescriptor:(MPSMatrixCopyDescriptor *)copyDescriptor
            rowPermuteIndices:(nullable MPSVector *)rowPermuteIndices
             rowPermuteOffset:(NSUInteger)rowPermuteOffset
         columnPermuteIndices:(nullable MPSVector *)columnPermuteIndices
          columnPermuteOffset:(NSUInteger)columnPermuteOffset;

@end

NS_ASSUME_NONNULL_END
