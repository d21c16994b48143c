// Command buffers in order.
#import <Metal/MTLCommandBuffer.h>

NS_ASSUME_NONNULL_BEGIN

PMP_CLASS(MTLCommandQueue)
@protocol MTLCommandQueue <NSObject>

@property (nullable, copy, atomic) NSString *label;
@property (readonly) id<MTLDevice> device;

/// These block while the queue has its maximum number of command buffers that have not completed.
- (nullable id<MTLCommandBuffer>)commandBuffer;
- (nullable id<MTLCommandBuffer>)commandBufferWithUnretainedReferences;
- (nullable id<MTLCommandBuffer>)commandBufferWithDescriptor:(MTLCommandBufferDescriptor *)descriptor;

@end

NS_ASSUME_NONNULL_END
