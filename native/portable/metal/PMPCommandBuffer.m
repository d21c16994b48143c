#import "PMPCommandBuffer+Queue.h"
#import "PMPArgument.h"
#import "PMPBlitCommandEncoder.h"
#import "PMPCommandQueue.h"
#import "PMPEvent.h"
#import <objc/runtime.h>
#include <Block.h>

NSErrorDomain const MTLCommandBufferErrorDomain = @"MTLCommandBufferErrorDomain";

static Class commandBufferClass;

@implementation PMPCommandBuffer

@synthesize label = _label;

+ (void)initialize {
    if (self == [PMPCommandBuffer class]) {
        commandBufferClass = self;
    }
}

- (instancetype)initWithQueue:(PMPCommandQueue *)queue {
    static _Atomic(uint64_t) nextGeneration;
    if ((self = [super init]) != nil) {
        _queue = queue;
        _generation = atomic_fetch_add(&nextGeneration, 1) << 32; // the lower half counts the uses
    }
    return self;
}

- (void)dealloc {
    PMPCommandListFree(&_commands);
    PMPPointerArrayFree(&_scheduledHandlers);
    PMPPointerArrayFree(&_completedHandlers);
    PMPPointerArrayFree(&_heldObjects);
    [_encoder dealloc]; // not release: its references are the command buffer's
    [super dealloc];
}

// Uses

- (id)retain {
    atomic_fetch_add_explicit(&_references, 1, memory_order_relaxed);
    return self;
}

- (oneway void)release {
    if (atomic_fetch_sub_explicit(&_references, 1, memory_order_acq_rel) == 1) {
        [_queue recycle:self];
    }
}

- (NSUInteger)retainCount {
    return atomic_load_explicit(&_references, memory_order_relaxed);
}

- (void)beginWithRetainedReferences:(BOOL)retainedReferences errorOptions:(MTLCommandBufferErrorOption)errorOptions {
    _generation++;
    _retainedReferences = retainedReferences;
    _errorOptions = errorOptions;
    atomic_store_explicit(&_references, 1, memory_order_relaxed);
}

static void release_blocks(struct PMPPointerArray *blocks) {
    for (size_t i = 0; i < blocks->count; i++) {
        Block_release(blocks->items[i]);
    }
    blocks->count = 0;
}

void PMPDropOutcome(PMPCommandBuffer *buffer) {
    release_blocks(&buffer->_scheduledHandlers);
    release_blocks(&buffer->_completedHandlers);
    if (buffer->_error != nil) {
        [buffer->_error release];
        buffer->_error = nil;
    }
}

void PMPRewind(PMPCommandBuffer *buffer) {
    atomic_store_explicit(&buffer->_status, MTLCommandBufferStatusNotEnqueued, memory_order_relaxed);
    atomic_store_explicit(&buffer->_isFinished, false, memory_order_relaxed);
}

- (void)clear {
    PMPDropOutcome(self);
    PMPRewind(self);
    PMPCommandListClear(&_commands);
    PMPReleaseHeldObjects(self);
    [_encoder clear];
    [_label release];
    _label = nil;
    _position = NULL;
    _encoderIsOpen = NO;
    _debugGroups = 0;
    atomic_store_explicit(&_kernelStartTime, 0, memory_order_relaxed);
    atomic_store_explicit(&_kernelEndTime, 0, memory_order_relaxed);
    atomic_store_explicit(&_GPUStartTime, 0, memory_order_relaxed);
    atomic_store_explicit(&_GPUEndTime, 0, memory_order_relaxed);
}

void PMPReleaseHeldObjects(PMPCommandBuffer *buffer) {
    struct PMPPointerArray *held = &buffer->_heldObjects;
    for (size_t i = 0; i < held->count; i++) {
        [(id)held->items[i] release];
    }
    held->count = 0;
}

// Encoding

static void check_uncommitted(PMPCommandBuffer *buffer, SEL selector) {
    if (PMPStatus(buffer) >= MTLCommandBufferStatusCommitted) {
        PMPRaiseInvalidArgument(buffer, selector,
                                @"receiver: committed already, expected a command buffer before commit");
    }
}

static void check_no_encoder(PMPCommandBuffer *buffer, SEL selector) {
    if (buffer->_encoderIsOpen) {
        PMPRaiseInvalidArgument(buffer, selector, @"receiver: an encoder is open, expected endEncoding before");
    }
}

static void check_memory(BOOL available) {
    if (!available) {
        @throw [NSException exceptionWithName:NSMallocException reason:@"command buffer: out of memory" userInfo:nil];
    }
}

- (void *)appendCommand:(PMPCommandFunction)function
            recordBytes:(size_t)recordBytes
         workspaceBytes:(size_t)workspaceBytes {
    void *record = PMPCommandListAppend(&_commands, function, recordBytes, workspaceBytes);
    check_memory(record != NULL);
    return record;
}

- (void *)encodeCommand:(PMPCommandFunction)function
            recordBytes:(size_t)recordBytes
         workspaceBytes:(size_t)workspaceBytes {
    check_uncommitted(self, _cmd);
    check_no_encoder(self, _cmd);
    return [self appendCommand:function recordBytes:recordBytes workspaceBytes:workspaceBytes];
}

- (void)holdUntilCompleted:(id)object {
    check_uncommitted(self, _cmd);
    if (object != nil) {
        check_memory(PMPPointerArrayAppend(&_heldObjects, object));
        [object retain];
    }
}

- (void)useResource:(id)resource {
    if (_retainedReferences) {
        [self holdUntilCompleted:resource];
    }
}

- (id<MTLBlitCommandEncoder>)blitCommandEncoder {
    check_uncommitted(self, _cmd);
    check_no_encoder(self, _cmd);
    if (_encoder == nil) {
        _encoder = [[PMPBlitCommandEncoder alloc] initWithCommandBuffer:self];
    }
    [_encoder clear];
    _encoderIsOpen = YES;
    return [[_encoder retain] autorelease];
}

- (void)encodeEvent:(id<MTLEvent>)event
              value:(uint64_t)value
           function:(PMPCommandFunction)function
           selector:(SEL)selector {
    if (![(id)event isKindOfClass:[PMPEvent class]]) {
        PMPRaiseInvalidArgument(self, selector, @"event: %@, expected an event of the portable device", event);
    }
    check_uncommitted(self, selector);
    check_no_encoder(self, selector);
    [self holdUntilCompleted:event];
    struct PMPEventRecord *record = [self appendCommand:function recordBytes:sizeof *record workspaceBytes:0];
    *record = (struct PMPEventRecord){.event = (PMPEvent *)event, .value = value};
}

- (void)encodeWaitForEvent:(id<MTLEvent>)event value:(uint64_t)value {
    [self encodeEvent:event value:value function:NULL selector:_cmd];
}

- (void)encodeSignalEvent:(id<MTLEvent>)event value:(uint64_t)value {
    [self encodeEvent:event value:value function:PMPSignalEvent selector:_cmd];
}

- (void)addHandler:(MTLCommandBufferHandler)block to:(struct PMPPointerArray *)handlers selector:(SEL)selector {
    check_uncommitted(self, selector);
    if (block == nil) {
        PMPRaiseInvalidArgument(self, selector, @"block: nil, expected a block");
    }
    MTLCommandBufferHandler copy = Block_copy(block);
    check_memory(PMPPointerArrayAppend(handlers, (void *)copy));
}

- (void)addScheduledHandler:(MTLCommandBufferHandler)block {
    [self addHandler:block to:&_scheduledHandlers selector:_cmd];
}

- (void)addCompletedHandler:(MTLCommandBufferHandler)block {
    [self addHandler:block to:&_completedHandlers selector:_cmd];
}

- (void)pushDebugGroup:(NSString *)string {
    check_uncommitted(self, _cmd);
    if (string == nil) {
        PMPInvalidArgument(@"string: nil, expected a name");
    }
    _debugGroups++;
}

- (void)popDebugGroup {
    check_uncommitted(self, _cmd);
    if (_debugGroups == 0) {
        PMPInvalidArgument(@"receiver: no debug group, expected a pushDebugGroup: before");
    }
    _debugGroups--;
}

// Running

- (void)enqueue {
    check_uncommitted(self, _cmd);
    if (PMPStatus(self) == MTLCommandBufferStatusNotEnqueued) {
        [_queue enqueue:self];
    }
}

- (void)commit {
    check_uncommitted(self, _cmd);
    check_no_encoder(self, _cmd);
    [_queue commit:self];
}

- (void)commitAgain {
    if (!atomic_load_explicit(&_isFinished, memory_order_acquire)) {
        PMPInvalidArgument(@"receiver: not completed, expected a command buffer that has run");
    }
    PMPCommitAgain(_queue, self, _cmd);
}

- (BOOL)respondsToSelector:(SEL)selector {
    if (sel_isEqual(selector, @selector(commitAgain))) {
        return !_queue.isAsynchronous;
    }
    return [super respondsToSelector:selector];
}

static void check_committed(PMPCommandBuffer *buffer, SEL selector) {
    if (PMPStatus(buffer) < MTLCommandBufferStatusCommitted) {
        PMPRaiseInvalidArgument(buffer, selector,
                                @"receiver: not committed, expected commit before: the wait would never end");
    }
}

- (void)waitUntilScheduled {
    check_committed(self, _cmd);
    if (PMPStatus(self) < MTLCommandBufferStatusScheduled) {
        [_queue waitFor:self status:MTLCommandBufferStatusScheduled selector:_cmd];
    }
}

- (void)waitUntilCompleted {
    if (!atomic_load_explicit(&_isFinished, memory_order_acquire)) {
        check_committed(self, _cmd);
        [_queue waitFor:self status:MTLCommandBufferStatusCompleted selector:_cmd];
    }
}

// Properties

- (id<MTLDevice>)device {
    return _queue.device;
}

- (id<MTLCommandQueue>)commandQueue {
    return _queue;
}

- (BOOL)retainedReferences {
    return _retainedReferences;
}

- (MTLCommandBufferErrorOption)errorOptions {
    return _errorOptions;
}

- (uint64_t)generation {
    return _generation;
}

- (MTLCommandBufferStatus)status {
    return PMPStatus(self);
}

- (NSError *)error {
    return PMPStatus(self) == MTLCommandBufferStatusError ? [[_error retain] autorelease] : nil;
}

- (CFTimeInterval)kernelStartTime {
    return atomic_load_explicit(&_kernelStartTime, memory_order_relaxed);
}

- (CFTimeInterval)kernelEndTime {
    return atomic_load_explicit(&_kernelEndTime, memory_order_relaxed);
}

- (CFTimeInterval)GPUStartTime {
    return atomic_load_explicit(&_GPUStartTime, memory_order_relaxed);
}

- (CFTimeInterval)GPUEndTime {
    return atomic_load_explicit(&_GPUEndTime, memory_order_relaxed);
}

@end

PMPCommandBuffer *PMPPortableCommandBuffer(id<MTLCommandBuffer> commandBuffer, SEL method) {
    if (commandBuffer == nil || object_getClass((id)commandBuffer) != commandBufferClass) {
        [NSException raise:NSInvalidArgumentException
                    format:@"-[%@] commandBuffer: %@, expected a command buffer of the portable device",
                           NSStringFromSelector(method), commandBuffer];
    }
    return (PMPCommandBuffer *)commandBuffer;
}
