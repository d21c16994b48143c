// Memory without a type.
#import <Metal/MTLResource.h>

NS_ASSUME_NONNULL_BEGIN

PMP_CLASS(MTLBuffer)
@protocol MTLBuffer <MTLResource>

@property (readonly) NSUInteger length;

/// Valid as long as the buffer; NULL for private storage.
- (void *)contents;

/// Tells the device what the CPU has written; for managed storage alone.
- (void)didModifyRange:(NSRange)range;

@end

NS_ASSUME_NONNULL_END
