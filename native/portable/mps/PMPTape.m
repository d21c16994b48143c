#import "PMPTape.h"
#import "PMPBuffer.h"
#import "PMPStorage.h"

// Enough for a pass whose states are still held while the next one runs.
enum { kMostIdle = 2 };

@implementation PMPTapePool

- (instancetype)initWithDevice:(id<MTLDevice>)device {
    self = [super init];
    if (self != nil) {
        _device = [device retain];
        _idle = [[NSMutableArray alloc] init];
        _lock = [[NSLock alloc] init];
    }
    return self;
}

- (void)dealloc {
    [_device release];
    [_idle release];
    [_lock release];
    [super dealloc];
}

/// A buffer that came back and is not much larger than needed; nil where there is none.
- (id<MTLBuffer>)takeIdle:(size_t)bytes {
    id<MTLBuffer> taken = nil;
    [_lock lock];
    for (id<MTLBuffer> buffer in _idle) {
        if (buffer.length >= bytes && buffer.length / 2 <= bytes) {
            taken = [buffer retain];
            break;
        }
    }
    if (taken != nil) {
        [_idle removeObjectIdenticalTo:taken];
    }
    [_lock unlock];
    return taken;
}

/// Owned by the caller.
- (id<MTLBuffer>)newBuffer:(size_t)bytes {
    id<MTLBuffer> idle = [self takeIdle:bytes];
    return idle != nil ? idle : [_device newBufferWithLength:bytes options:PMPTemporaryStorage()];
}

/// The newest are kept.
- (void)returnBuffer:(id<MTLBuffer>)buffer {
    [_lock lock];
    [_idle insertObject:buffer atIndex:0];
    if (_idle.count > kMostIdle) {
        [_idle removeLastObject];
    }
    [_lock unlock];
}

@end

@implementation PMPTapeMemory

- (instancetype)initWithPool:(PMPTapePool *)pool bytes:(size_t)bytes {
    self = [super init];
    if (self != nil) {
        _pool = [pool retain];
        _buffer = [pool newBuffer:bytes];
        if (_buffer == nil) {
            [self release];
            return nil;
        }
    }
    return self;
}

- (void)dealloc {
    if (_buffer != nil && !_isShown) {
        [_pool returnBuffer:_buffer];
    }
    [_buffer release];
    [_pool release];
    [super dealloc];
}

- (void *)address {
    return PMPBufferAddress(_buffer);
}

- (id<MTLBuffer>)show {
    _isShown = YES;
    return _buffer;
}

@end
