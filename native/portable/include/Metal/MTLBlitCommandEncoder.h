// Copies and fills.
#import <Metal/MTLBuffer.h>
#import <Metal/MTLCommandEncoder.h>

NS_ASSUME_NONNULL_BEGIN

PMP_CLASS(MTLBlitCommandEncoder)
@protocol MTLBlitCommandEncoder <MTLCommandEncoder>

/// Makes the device's writes visible to the CPU; for managed storage alone.
- (void)synchronizeResource:(id<MTLResource>)resource;

/// Offsets and size are multiples of 4; the two ranges do not overlap.
- (void)copyFromBuffer:(id<MTLBuffer>)sourceBuffer
          sourceOffset:(NSUInteger)sourceOffset
              toBuffer:(id<MTLBuffer>)destinationBuffer
     destinationOffset:(NSUInteger)destinationOffset
                  size:(NSUInteger)size;

/// Location and length are multiples of 4; the length is not 0.
- (void)fillBuffer:(id<MTLBuffer>)buffer range:(NSRange)range value:(uint8_t)value;

@end

NS_ASSUME_NONNULL_END
