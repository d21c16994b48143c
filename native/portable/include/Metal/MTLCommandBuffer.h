// A list of commands that runs once.
#import <Metal/PMPNames.h>

@protocol MTLDevice;
@protocol MTLCommandQueue;
@protocol MTLCommandBuffer;
@protocol MTLBlitCommandEncoder;
@protocol MTLEvent;

NS_ASSUME_NONNULL_BEGIN

typedef NS_ENUM(NSUInteger, MTLCommandBufferStatus) {
    MTLCommandBufferStatusNotEnqueued = 0,
    MTLCommandBufferStatusEnqueued = 1,
    MTLCommandBufferStatusCommitted = 2,
    MTLCommandBufferStatusScheduled = 3,
    MTLCommandBufferStatusCompleted = 4,
    MTLCommandBufferStatusError = 5,
};

FOUNDATION_EXPORT NSErrorDomain const MTLCommandBufferErrorDomain PMP_SYMBOL(MTLCommandBufferErrorDomain);

typedef NS_ENUM(NSUInteger, MTLCommandBufferError) {
    MTLCommandBufferErrorNone = 0,
    MTLCommandBufferErrorInternal = 1,
    MTLCommandBufferErrorTimeout = 2,
    MTLCommandBufferErrorPageFault = 3,
    MTLCommandBufferErrorBlacklisted = 4,
    MTLCommandBufferErrorAccessRevoked = 4,
    MTLCommandBufferErrorNotPermitted = 7,
    MTLCommandBufferErrorOutOfMemory = 8,
    MTLCommandBufferErrorInvalidResource = 9,
    MTLCommandBufferErrorMemoryless = 10,
    MTLCommandBufferErrorDeviceRemoved = 11,
    MTLCommandBufferErrorStackOverflow = 12,
};

typedef NS_OPTIONS(NSUInteger, MTLCommandBufferErrorOption) {
    MTLCommandBufferErrorOptionNone = 0,
    MTLCommandBufferErrorOptionEncoderExecutionStatus = 1 << 0,
};

PMP_CLASS(MTLCommandBufferDescriptor)
@interface MTLCommandBufferDescriptor : NSObject <NSCopying> {
    BOOL _retainedReferences;
    MTLCommandBufferErrorOption _errorOptions;
}

@property (readwrite, nonatomic) BOOL retainedReferences; // YES by default
@property (readwrite, nonatomic) MTLCommandBufferErrorOption errorOptions;

@end

typedef void (^MTLCommandBufferHandler)(id<MTLCommandBuffer>);

PMP_CLASS(MTLCommandBuffer)
@protocol MTLCommandBuffer <NSObject>

@property (readonly) id<MTLDevice> device;
@property (readonly) id<MTLCommandQueue> commandQueue;
@property (readonly) BOOL retainedReferences;
@property (readonly) MTLCommandBufferErrorOption errorOptions;
@property (nullable, copy, atomic) NSString *label;

/// Seconds on the host's clock; 0 until the moment has come.
@property (readonly) CFTimeInterval kernelStartTime;
@property (readonly) CFTimeInterval kernelEndTime;
@property (readonly) CFTimeInterval GPUStartTime;
@property (readonly) CFTimeInterval GPUEndTime;

@property (readonly) MTLCommandBufferStatus status;
@property (nullable, readonly) NSError *error;

/// Takes the next place in the queue's order without running yet; a second call changes nothing.
- (void)enqueue;
- (void)commit;

/// Handlers are called in the order they were added, on the thread that runs the queue. Only Apple's blocks retain the
/// objects that they use: elsewhere the caller keeps those until the handler has been called.
- (void)addScheduledHandler:(MTLCommandBufferHandler)block;
- (void)addCompletedHandler:(MTLCommandBufferHandler)block;

/// Raise where the wait would never end: not committed yet, or from a handler of this queue.
- (void)waitUntilScheduled;
- (void)waitUntilCompleted;

- (nullable id<MTLBlitCommandEncoder>)blitCommandEncoder;

- (void)encodeWaitForEvent:(id<MTLEvent>)event value:(uint64_t)value;
- (void)encodeSignalEvent:(id<MTLEvent>)event value:(uint64_t)value;

- (void)pushDebugGroup:(NSString *)string;
- (void)popDebugGroup;

@end

NS_ASSUME_NONNULL_END
