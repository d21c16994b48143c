#import "PMPCommandQueue+Running.h"
#import "PMPArgument.h"
#import "PMPCommandBuffer+Queue.h"
#import "PMPDevice.h"
#import "PMPMemory.h"

static BOOL runsAsynchronously;

static void read_environment(void) {
    const char *value = getenv("PYMPS_PORTABLE_ASYNC");
    runsAsynchronously = value != NULL && strcmp(value, "1") == 0;
}

@implementation PMPCommandQueue

@synthesize label = _label;

- (instancetype)initWithDevice:(PMPDevice *)device maxCommandBufferCount:(NSUInteger)maxCommandBufferCount {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, read_environment);
    if ((self = [super init]) == nil) {
        return nil;
    }
    _device = [device retain];
    _maxCommandBufferCount = maxCommandBufferCount;
    _waiter.queue = self;
    pthread_mutex_init(&_lock, NULL);
    pthread_cond_init(&_changed, NULL);
    if (runsAsynchronously && !(_isAsynchronous = [self startWorker])) {
        [self release];
        return nil;
    }
    return self;
}

- (void)dealloc {
    if (_isAsynchronous) {
        [self endWorker];
    }
    for (PMPCommandBuffer *buffer = _pool, *next; buffer != nil; buffer = next) {
        next = buffer->_next;
        [buffer dealloc]; // not release: it has no references
    }
    PMPMemoryFree(_workspace, _workspaceBytes);
    pthread_cond_destroy(&_changed);
    pthread_mutex_destroy(&_lock);
    [_device release];
    [_label release];
    [super dealloc];
}

- (id<MTLDevice>)device {
    return _device;
}

// Making and taking back

/// A wait of the thread that runs the queue would never end: nobody else goes on.
static void check_waiter(PMPCommandQueue *queue, SEL selector) {
    if (queue->_state == PMPQueueRunning && pthread_equal(queue->_runner, pthread_self())) {
        pthread_mutex_unlock(&queue->_lock);
        PMPRaiseInvalidArgument(queue, selector, @"caller: a handler of this queue, whose wait would never end");
    }
}

/// Waits until the queue may have one more command buffer. Called under the lock.
static void take_place(PMPCommandQueue *queue, SEL selector) {
    while (queue->_uncompletedCount == queue->_maxCommandBufferCount) {
        check_waiter(queue, selector);
        pthread_cond_wait(&queue->_changed, &queue->_lock);
    }
    queue->_uncompletedCount++;
}

- (PMPCommandBuffer *)takeFor:(SEL)selector {
    pthread_mutex_lock(&_lock);
    take_place(self, selector);
    PMPCommandBuffer *buffer = _pool;
    if (buffer != nil) {
        _pool = buffer->_next;
        _poolCount--;
        buffer->_next = nil;
    }
    pthread_mutex_unlock(&_lock);
    [self retain]; // released in recycle:
    return buffer != nil ? buffer : [[PMPCommandBuffer alloc] initWithQueue:self];
}

- (BOOL)isAsynchronous {
    return _isAsynchronous;
}

- (id<MTLCommandBuffer>)commandBuffer {
    PMPCommandBuffer *buffer = [self takeFor:_cmd];
    [buffer beginWithRetainedReferences:YES errorOptions:MTLCommandBufferErrorOptionNone];
    return [buffer autorelease];
}

- (id<MTLCommandBuffer>)commandBufferWithUnretainedReferences {
    PMPCommandBuffer *buffer = [self takeFor:_cmd];
    [buffer beginWithRetainedReferences:NO errorOptions:MTLCommandBufferErrorOptionNone];
    return [buffer autorelease];
}

- (id<MTLCommandBuffer>)commandBufferWithDescriptor:(MTLCommandBufferDescriptor *)descriptor {
    if (descriptor == nil) {
        PMPInvalidArgument(@"descriptor: nil, expected a descriptor");
    }
    PMPCommandBuffer *buffer = [self takeFor:_cmd];
    [buffer beginWithRetainedReferences:descriptor.retainedReferences errorOptions:descriptor.errorOptions];
    return [buffer autorelease];
}

- (void)recycle:(PMPCommandBuffer *)buffer {
    if (PMPStatus(buffer) < MTLCommandBufferStatusCommitted) {
        [self abandon:buffer];
    }
    [buffer clear];
    pthread_mutex_lock(&_lock);
    BOOL isKept = _poolCount < _maxCommandBufferCount;
    if (isKept) {
        buffer->_next = _pool;
        _pool = buffer;
        _poolCount++;
    }
    pthread_mutex_unlock(&_lock);
    if (!isKept) {
        [buffer dealloc];
    }
    [self release];
}

// Order

static void append(PMPCommandQueue *queue, PMPCommandBuffer *buffer) {
    if (queue->_last == nil) {
        queue->_first = buffer;
    } else {
        queue->_last->_next = buffer;
    }
    queue->_last = buffer;
}

static void remove_from_order(PMPCommandQueue *queue, PMPCommandBuffer *buffer) {
    PMPCommandBuffer *before = nil, *place = queue->_first;
    while (place != buffer) {
        before = place;
        place = place->_next;
    }
    if (before == nil) {
        queue->_first = buffer->_next;
    } else {
        before->_next = buffer->_next;
    }
    if (queue->_last == buffer) {
        queue->_last = before;
    }
    buffer->_next = nil;
}

/// Forgets a command buffer that will never be committed: those behind it need not wait for it any more.
- (void)abandon:(PMPCommandBuffer *)buffer {
    pthread_mutex_lock(&_lock);
    if (PMPStatus(buffer) == MTLCommandBufferStatusEnqueued) {
        remove_from_order(self, buffer);
    }
    _uncompletedCount--;
    pthread_cond_broadcast(&_changed);
    PMPStartAndUnlock(self);
}

- (void)enqueue:(PMPCommandBuffer *)buffer {
    pthread_mutex_lock(&_lock);
    append(self, buffer);
    atomic_store_explicit(&buffer->_status, MTLCommandBufferStatusEnqueued, memory_order_release);
    pthread_mutex_unlock(&_lock);
}

/// Called under the lock; gives it up.
static void commit_and_unlock(PMPCommandQueue *queue, PMPCommandBuffer *buffer) {
    if (PMPStatus(buffer) == MTLCommandBufferStatusNotEnqueued) {
        append(queue, buffer);
    }
    atomic_store_explicit(&buffer->_status, MTLCommandBufferStatusCommitted, memory_order_release);
    PMPStartAndUnlock(queue);
}

- (void)commit:(PMPCommandBuffer *)buffer {
    PMPRetainUntilFinished(buffer);
    pthread_mutex_lock(&_lock);
    commit_and_unlock(self, buffer);
}

void PMPCommitAgain(PMPCommandQueue *queue, PMPCommandBuffer *buffer, SEL selector) {
    PMPDropOutcome(buffer); // before the lock: what is released may come back to this queue
    pthread_mutex_lock(&queue->_lock);
    take_place(queue, selector);
    PMPRewind(buffer);
    if (queue->_first != nil || queue->_isAsynchronous) { // else it runs right here, while the caller has it
        PMPRetainUntilFinished(buffer);
    }
    commit_and_unlock(queue, buffer);
}

- (void)waitFor:(PMPCommandBuffer *)buffer status:(MTLCommandBufferStatus)status selector:(SEL)selector {
    pthread_mutex_lock(&_lock);
    while (PMPStatus(buffer) < status || (status == MTLCommandBufferStatusCompleted &&
                                          !atomic_load_explicit(&buffer->_isFinished, memory_order_relaxed))) {
        check_waiter(self, selector);
        pthread_cond_wait(&_changed, &_lock);
    }
    pthread_mutex_unlock(&_lock);
}

@end
