// Vectors in a buffer, their elements contiguous.
#import <MetalPerformanceShaders/MPSCoreTypes.h>
#import <MetalPerformanceShaders/PMPTemporary.h>

NS_ASSUME_NONNULL_BEGIN

PMP_CLASS(MPSVectorDescriptor)
@interface MPSVectorDescriptor : NSObject {
    NSUInteger _length, _vectors, _vectorBytes;
    MPSDataType _dataType;
}

@property (readwrite, nonatomic) NSUInteger length;
@property (readonly, nonatomic) NSUInteger vectors;
@property (readwrite, nonatomic) MPSDataType dataType;
/// From one vector to the next.
@property (readonly, nonatomic) NSUInteger vectorBytes;

+ (instancetype)vectorDescriptorWithLength:(NSUInteger)length dataType:(MPSDataType)dataType;
+ (instancetype)vectorDescriptorWithLength:(NSUInteger)length
                                   vectors:(NSUInteger)vectors
                               vectorBytes:(NSUInteger)vectorBytes
                                  dataType:(MPSDataType)dataType;

/// The recommended distance between vectors.
+ (size_t)vectorBytesForLength:(NSUInteger)length dataType:(MPSDataType)dataType;

@end

/// Element i of vector k lies at offset + k * vectorBytes + i * (bytes of an element).
PMP_CLASS(MPSVector)
@interface MPSVector : NSObject {
  @package
    id<MTLDevice> _device;
    id<MTLBuffer> _Nullable _data; // allocated at first use under initWithDevice:descriptor:
    NSUInteger _length, _vectors, _vectorBytes, _offset, _ownBytes;
    MPSDataType _dataType;
}

@property (readonly, retain, nonatomic) id<MTLDevice> device;
@property (readonly, nonatomic) NSUInteger length;
@property (readonly, nonatomic) NSUInteger vectors;
@property (readonly, nonatomic) MPSDataType dataType;
@property (readonly, nonatomic) NSUInteger vectorBytes;
@property (readonly, nonatomic) NSUInteger offset;
@property (readonly, nonatomic) id<MTLBuffer> data;

- (instancetype)initWithBuffer:(id<MTLBuffer>)buffer descriptor:(MPSVectorDescriptor *)descriptor;
- (instancetype)initWithBuffer:(id<MTLBuffer>)buffer
                        offset:(NSUInteger)offset
                    descriptor:(MPSVectorDescriptor *)descriptor;
- (instancetype)initWithDevice:(id<MTLDevice>)device descriptor:(MPSVectorDescriptor *)descriptor;
- (instancetype)init PMP_UNAVAILABLE;

- (void)synchronizeOnCommandBuffer:(id<MTLCommandBuffer>)commandBuffer;
/// Bytes behind initWithDevice:descriptor:, allocated or not; 0 over a buffer of the caller's.
- (NSUInteger)resourceSize;

@end

/// A vector that lives on one command buffer, which owns it.
PMP_CLASS(MPSTemporaryVector)
@interface MPSTemporaryVector : MPSVector {
  @package
    struct PMPTemporary _temporary;
}

/// 1 at first; each kernel that reads the vector lowers it by 1; at 0 the contents are gone.
@property (readwrite, nonatomic) NSUInteger readCount;

+ (instancetype)temporaryVectorWithCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
                                      descriptor:(MPSVectorDescriptor *)descriptor;
+ (void)prefetchStorageWithCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
                          descriptorList:(NSArray<MPSVectorDescriptor *> *)descriptorList;
- (instancetype)initWithBuffer:(id<MTLBuffer>)buffer descriptor:(MPSVectorDescriptor *)descriptor PMP_UNAVAILABLE;

@end

NS_ASSUME_NONNULL_END
