// The memory of training states.
#import <Metal/Metal.h>

/// A layer's own, which the memory that it hands out keeps alive. Any thread may use it.
@interface PMPTapePool : NSObject {
    id<MTLDevice> _device;
    NSMutableArray<id<MTLBuffer>> *_idle;
    NSLock *_lock;
}

- (instancetype)initWithDevice:(id<MTLDevice>)device;

@end

/// The tapes of all steps of a forward pass; the buffer goes back to the pool, unless a caller has seen it.
@interface PMPTapeMemory : NSObject {
    PMPTapePool *_pool;
    id<MTLBuffer> _buffer;
    BOOL _isShown;
}

/// Of undefined contents. nil where memory runs out.
- (instancetype)initWithPool:(PMPTapePool *)pool bytes:(size_t)bytes;

/// Where the bytes are.
- (void *)address;

/// For a caller.
- (id<MTLBuffer>)show;

@end
