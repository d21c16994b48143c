// The portable buffer, as kernels see it.
#import <Metal/Metal.h>

@class PMPDevice;

@interface PMPBuffer : NSObject <MTLBuffer> {
    PMPDevice *_device; // retained
    void *_address;
    NSUInteger _length;
    NSUInteger _allocatedSize;
    MTLResourceOptions _options;
    MTLPurgeableState _purgeableState;
    NSString *_label;
    void (^_deallocator)(void *, NSUInteger); // owned; nil for borrowed memory that nobody frees
    BOOL _borrowed;
}

/// nil where memory runs out.
- (instancetype)initWithDevice:(PMPDevice *)device length:(NSUInteger)length options:(MTLResourceOptions)options;

/// Borrows `address` until `deallocator` is called.
- (instancetype)initWithDevice:(PMPDevice *)device
                       address:(void *)address
                        length:(NSUInteger)length
                       options:(MTLResourceOptions)options
                   deallocator:(void (^)(void *, NSUInteger))deallocator;

@end

/// Where a buffer's bytes are, also under private storage. The buffer is one of the portable device's.
void *PMPBufferAddress(id<MTLBuffer> buffer);

/// Whether `range` lies within the first `length` bytes.
static inline BOOL PMPRangeFits(NSRange range, NSUInteger length) {
    return range.length <= length && range.location <= length - range.length;
}
