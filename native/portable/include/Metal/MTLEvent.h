// Order between command buffers, and between them and the CPU.
#import <Metal/PMPNames.h>

@protocol MTLDevice;

NS_ASSUME_NONNULL_BEGIN

PMP_CLASS(MTLEvent)
@protocol MTLEvent <NSObject>

@property (nullable, readonly) id<MTLDevice> device; // nil for a shared event
@property (nullable, copy, atomic) NSString *label;

@end

PMP_CLASS(MTLSharedEvent)
@protocol MTLSharedEvent <MTLEvent>

/// Setting it lets go on whatever waits for this value or a smaller one: on this thread, unless queues have their own.
@property (readwrite) uint64_t signaledValue;

@end

NS_ASSUME_NONNULL_END
