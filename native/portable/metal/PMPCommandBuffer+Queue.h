// What the queue and the encoder do with a command buffer.
#import "PMPCommandBuffer.h"

@interface PMPCommandBuffer (Queue)

- (instancetype)initWithQueue:(PMPCommandQueue *)queue;

/// Starts a use, with one reference.
- (void)beginWithRetainedReferences:(BOOL)retainedReferences errorOptions:(MTLCommandBufferErrorOption)errorOptions;

/// Ends a use: forgets all but the memory.
- (void)clear;

/// encodeCommand:recordBytes:workspaceBytes: of the open encoder.
- (void *)appendCommand:(PMPCommandFunction)function
            recordBytes:(size_t)recordBytes
         workspaceBytes:(size_t)workspaceBytes;

@end

/// The property, without a message: the queue reads it several times for each command buffer. NotEnqueued for nil.
static inline MTLCommandBufferStatus PMPStatus(PMPCommandBuffer *buffer) {
    return buffer == nil ? MTLCommandBufferStatusNotEnqueued
                         : atomic_load_explicit(&buffer->_status, memory_order_acquire);
}

/// Releases handlers and error. Not under the queue's lock.
void PMPDropOutcome(PMPCommandBuffer *buffer);

/// Goes back to where a first commit begins; keeps commands and times.
void PMPRewind(PMPCommandBuffer *buffer);

/// Once from commit to completion, however often it is called.
static inline void PMPRetainUntilFinished(PMPCommandBuffer *buffer) {
    if (!buffer->_isRetainedByQueue) {
        buffer->_isRetainedByQueue = YES;
        [buffer retain];
    }
}

void PMPReleaseHeldObjects(PMPCommandBuffer *buffer);
