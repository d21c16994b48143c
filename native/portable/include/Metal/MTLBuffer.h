// Memory without a type.
#import <Metal/MTLResource.h>

@class MTLTextureDescriptor;
@protocol MTLTexture;

NS_ASSUME_NONNULL_BEGIN

PMP_CLASS(MTLBuffer)
@protocol MTLBuffer <MTLResource>

@property (readonly) NSUInteger length;

/// Valid as long as the buffer; NULL for private storage.
- (void *)contents;

/// Tells the device what the CPU has written; for managed storage alone.
- (void)didModifyRange:(NSRange)range;

/// A texture of one slice over the buffer's memory, in its storage.
- (nullable id<MTLTexture>)newTextureWithDescriptor:(MTLTextureDescriptor *)descriptor
                                             offset:(NSUInteger)offset
                                        bytesPerRow:(NSUInteger)bytesPerRow;

/// For a debugger that captures what a GPU does; there is none for the portable device.
- (void)addDebugMarker:(NSString *)marker range:(NSRange)range;
- (void)removeAllDebugMarkers;

@end

NS_ASSUME_NONNULL_END
