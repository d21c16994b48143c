// Matrices, row-major, in a buffer.
#import <MetalPerformanceShaders/MPSCoreTypes.h>
#import <MetalPerformanceShaders/PMPTemporary.h>

NS_ASSUME_NONNULL_BEGIN

PMP_CLASS(MPSMatrixDescriptor)
@interface MPSMatrixDescriptor : NSObject {
    NSUInteger _rows, _columns, _matrices, _rowBytes, _matrixBytes;
    MPSDataType _dataType;
}

@property (readwrite, nonatomic) NSUInteger rows;
@property (readwrite, nonatomic) NSUInteger columns;
@property (readonly, nonatomic) NSUInteger matrices;
@property (readwrite, nonatomic) MPSDataType dataType;
@property (readwrite, nonatomic) NSUInteger rowBytes;
/// From one matrix to the next.
@property (readonly, nonatomic) NSUInteger matrixBytes;

+ (instancetype)matrixDescriptorWithRows:(NSUInteger)rows
                                 columns:(NSUInteger)columns
                                rowBytes:(NSUInteger)rowBytes
                                dataType:(MPSDataType)dataType;
+ (instancetype)matrixDescriptorWithRows:(NSUInteger)rows
                                 columns:(NSUInteger)columns
                                matrices:(NSUInteger)matrices
                                rowBytes:(NSUInteger)rowBytes
                             matrixBytes:(NSUInteger)matrixBytes
                                dataType:(MPSDataType)dataType;
+ (instancetype)matrixDescriptorWithDimensions:(NSUInteger)rows
                                       columns:(NSUInteger)columns
                                      rowBytes:(NSUInteger)rowBytes
                                      dataType:(MPSDataType)dataType;

/// The recommended distance between rows.
+ (size_t)rowBytesForColumns:(NSUInteger)columns dataType:(MPSDataType)dataType;
+ (size_t)rowBytesFromColumns:(NSUInteger)columns dataType:(MPSDataType)dataType;

@end

/// Element (i, j) of matrix k lies at offset + k * matrixBytes + i * rowBytes + j * (bytes of an element).
PMP_CLASS(MPSMatrix)
@interface MPSMatrix : NSObject {
  @package
    id<MTLDevice> _device;
    id<MTLBuffer> _Nullable _data; // allocated at first use under initWithDevice:descriptor:
    NSUInteger _rows, _columns, _matrices, _rowBytes, _matrixBytes, _offset, _ownBytes;
    MPSDataType _dataType;
    BOOL _isTemporary;
}

@property (readonly, retain, nonatomic) id<MTLDevice> device;
@property (readonly, nonatomic) NSUInteger rows;
@property (readonly, nonatomic) NSUInteger columns;
@property (readonly, nonatomic) NSUInteger matrices;
@property (readonly, nonatomic) MPSDataType dataType;
@property (readonly, nonatomic) NSUInteger rowBytes;
@property (readonly, nonatomic) NSUInteger matrixBytes;
@property (readonly, nonatomic) NSUInteger offset;
@property (readonly, nonatomic) id<MTLBuffer> data;

- (instancetype)initWithBuffer:(id<MTLBuffer>)buffer descriptor:(MPSMatrixDescriptor *)descriptor;
- (instancetype)initWithBuffer:(id<MTLBuffer>)buffer
                        offset:(NSUInteger)offset
                    descriptor:(MPSMatrixDescriptor *)descriptor;
- (instancetype)initWithDevice:(id<MTLDevice>)device descriptor:(MPSMatrixDescriptor *)descriptor;
- (instancetype)init PMP_UNAVAILABLE;

- (void)synchronizeOnCommandBuffer:(id<MTLCommandBuffer>)commandBuffer;
/// Bytes behind initWithDevice:descriptor:, allocated or not; 0 over a buffer of the caller's.
- (NSUInteger)resourceSize;

@end

/// A matrix that lives on one command buffer, which owns it.
PMP_CLASS(MPSTemporaryMatrix)
@interface MPSTemporaryMatrix : MPSMatrix {
  @package
    struct PMPTemporary _temporary;
}

/// 1 at first; each kernel that reads the matrix lowers it by 1; at 0 the contents are gone.
@property (readwrite, nonatomic) NSUInteger readCount;

+ (instancetype)temporaryMatrixWithCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
                                matrixDescriptor:(MPSMatrixDescriptor *)matrixDescriptor;
+ (void)prefetchStorageWithCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
                    matrixDescriptorList:(NSArray<MPSMatrixDescriptor *> *)descriptorList;
- (instancetype)initWithBuffer:(id<MTLBuffer>)buffer descriptor:(MPSMatrixDescriptor *)descriptor PMP_UNAVAILABLE;

@end

NS_ASSUME_NONNULL_END
