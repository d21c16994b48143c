#import "PMPCommandQueue+Running.h"
#import "PMPCommandBuffer+Queue.h"
#import "PMPDevice.h"
#import "PMPMemory.h"

static CFTimeInterval host_seconds(void) {
    return (CFTimeInterval)PMPHostTime() * 1e-9;
}

/// Calls the handlers. One that throws ends the process, as on a Mac, where the thread that calls it is not the
/// program's: the queue could not go on.
static void call_handlers(PMPCommandBuffer *buffer, const struct PMPPointerArray *handlers) {
    @autoreleasepool {
        @try {
            for (size_t i = 0; i < handlers->count; i++) {
                ((MTLCommandBufferHandler)handlers->items[i])(buffer);
            }
        } @catch (NSException *exception) {
            NSLog(@"pymps: a handler of a command buffer raised %@: %@", exception.name, exception.reason);
            abort();
        }
    }
}

static NSError *out_of_memory(PMPCommandBuffer *buffer, size_t bytes) {
    NSString *text = [NSString stringWithFormat:@"command buffer %@: no memory for a workspace of %zu bytes",
                                                buffer.label ?: @"without label", bytes];
    return [NSError errorWithDomain:MTLCommandBufferErrorDomain
                               code:MTLCommandBufferErrorOutOfMemory
                           userInfo:@{NSLocalizedDescriptionKey : text}];
}

@implementation PMPCommandQueue (Running)

// One command buffer

static bool is_unset(const _Atomic(CFTimeInterval) *time) {
    return atomic_load_explicit(time, memory_order_relaxed) == 0;
}

/// Makes the first command buffer the one that runs. Called under the lock.
static PMPCommandBuffer *begin_first(PMPCommandQueue *queue) {
    PMPCommandBuffer *buffer = queue->_first;
    if (is_unset(&buffer->_kernelStartTime)) {
        CFTimeInterval now = host_seconds();
        atomic_store_explicit(&buffer->_kernelStartTime, now, memory_order_relaxed);
        atomic_store_explicit(&buffer->_kernelEndTime, now, memory_order_relaxed);
    }
    atomic_store_explicit(&buffer->_status, MTLCommandBufferStatusScheduled, memory_order_release);
    buffer->_position = buffer->_commands.first;
    return buffer;
}

/// false where memory runs out.
static bool provide_workspace(PMPCommandQueue *queue, size_t bytes) {
    if (bytes <= queue->_workspaceBytes) {
        return true;
    }
    PMPMemoryFree(queue->_workspace, queue->_workspaceBytes);
    queue->_workspace = PMPMemoryAllocate(bytes);
    queue->_workspaceBytes = queue->_workspace == NULL ? 0 : bytes;
    return queue->_workspace != NULL;
}

/// true where the queue now waits: then another thread may already go on with it.
static bool suspend(PMPCommandQueue *queue, const struct PMPEventRecord *wait) {
    if ([wait->event hasReached:wait->value]) {
        return false;
    }
    pthread_mutex_lock(&queue->_lock);
    queue->_state = PMPQueueSuspended;
    pthread_mutex_unlock(&queue->_lock);
    queue->_waiter.value = wait->value;
    if ([wait->event addWaiter:&queue->_waiter]) {
        return true;
    }
    pthread_mutex_lock(&queue->_lock);
    queue->_state = PMPQueueRunning;
    pthread_mutex_unlock(&queue->_lock);
    return false;
}

/// Runs the commands from `_position` on. After an error only signals are left to do: other queues may wait for them.
/// Returns false where the queue has been suspended.
static bool run_commands(PMPCommandQueue *queue, PMPCommandBuffer *buffer) {
    for (struct PMPCommand *command = buffer->_position; command != NULL; command = command->next) {
        if (buffer->_error != nil && command->function != PMPSignalEvent) {
            continue;
        }
        if (command->function == NULL) {
            buffer->_position = command->next;
            PMPRetainUntilFinished(buffer);
            if (suspend(queue, command->record)) {
                return false;
            }
        } else if (provide_workspace(queue, command->workspaceBytes)) {
            command->function(command->record, queue->_workspace);
        } else {
            buffer->_error = [out_of_memory(buffer, command->workspaceBytes) retain];
        }
    }
    return true;
}

/// Ends the first command buffer and returns the next one to run, or nil.
static PMPCommandBuffer *finish(PMPCommandQueue *queue, PMPCommandBuffer *buffer) {
    if (is_unset(&buffer->_GPUEndTime)) {
        atomic_store_explicit(&buffer->_GPUEndTime, host_seconds(), memory_order_relaxed);
    }
    atomic_store_explicit(&buffer->_status,
                          buffer->_error == nil ? MTLCommandBufferStatusCompleted : MTLCommandBufferStatusError,
                          memory_order_release);
    BOOL hasHandlers = buffer->_completedHandlers.count > 0, isRetained = buffer->_isRetainedByQueue;
    buffer->_isRetainedByQueue = NO;
    if (hasHandlers) {
        pthread_mutex_lock(&queue->_lock);
        queue->_uncompletedCount--; // already here: a handler may ask for the next command buffer
        pthread_cond_broadcast(&queue->_changed);
        pthread_mutex_unlock(&queue->_lock);
        call_handlers(buffer, &buffer->_completedHandlers);
    }
    PMPReleaseHeldObjects(buffer);

    pthread_mutex_lock(&queue->_lock);
    if (!hasHandlers) {
        queue->_uncompletedCount--;
    }
    queue->_first = buffer->_next;
    if (queue->_first == nil) {
        queue->_last = nil;
    }
    buffer->_next = nil;
    atomic_store_explicit(&buffer->_isFinished, true, memory_order_release);
    PMPCommandBuffer *next = nil;
    if (PMPStatus(queue->_first) == MTLCommandBufferStatusCommitted) {
        next = begin_first(queue);
    } else {
        queue->_state = PMPQueueIdle;
    }
    pthread_cond_broadcast(&queue->_changed);
    pthread_mutex_unlock(&queue->_lock);
    if (isRetained) {
        [buffer release]; // the reference of commit:
    }
    return next;
}

// The queue

/// Runs until nothing is left to run or the queue is suspended. The queue may be gone afterwards.
static void run(PMPCommandQueue *queue, PMPCommandBuffer *buffer) {
    while (buffer != nil) {
        if (is_unset(&buffer->_GPUStartTime)) {
            CFTimeInterval start = buffer->_kernelEndTime;
            if (buffer->_scheduledHandlers.count > 0) {
                call_handlers(buffer, &buffer->_scheduledHandlers);
                start = host_seconds();
            }
            atomic_store_explicit(&buffer->_GPUStartTime, start, memory_order_relaxed);
        }
        if (!run_commands(queue, buffer)) {
            return;
        }
        buffer = finish(queue, buffer);
    }
}

/// Runs the queue on this thread. Called under the lock; gives it up.
static void run_and_unlock(PMPCommandQueue *queue) {
    BOOL wasSuspended = PMPStatus(queue->_first) == MTLCommandBufferStatusScheduled;
    PMPCommandBuffer *buffer = wasSuspended ? queue->_first : begin_first(queue);
    queue->_state = PMPQueueRunning;
    queue->_runner = pthread_self();
    pthread_cond_broadcast(&queue->_changed);
    pthread_mutex_unlock(&queue->_lock);
    run(queue, buffer);
}

/// Called under the lock; gives it up.
static void go_and_unlock(PMPCommandQueue *queue) {
    if (!queue->_isAsynchronous) {
        run_and_unlock(queue);
        return;
    }
    queue->_state = PMPQueueReady;
    pthread_cond_broadcast(&queue->_changed);
    pthread_mutex_unlock(&queue->_lock);
}

void PMPStartAndUnlock(PMPCommandQueue *queue) {
    if (queue->_state == PMPQueueIdle && PMPStatus(queue->_first) == MTLCommandBufferStatusCommitted) {
        go_and_unlock(queue);
    } else {
        pthread_mutex_unlock(&queue->_lock);
    }
}

- (void)resume {
    pthread_mutex_lock(&_lock);
    go_and_unlock(self);
}

// The worker

static void *work(void *argument) {
    PMPCommandQueue *queue = argument; // not retained: endWorker comes before its end
    bool outlivesQueue = false;
    pthread_mutex_lock(&queue->_lock);
    queue->_workerOutlivesQueue = &outlivesQueue;
    while (!queue->_isClosing) {
        if (queue->_state != PMPQueueReady) {
            pthread_cond_wait(&queue->_changed, &queue->_lock);
            continue;
        }
        @autoreleasepool {
            run_and_unlock(queue);
        }
        if (outlivesQueue) {
            return NULL;
        }
        pthread_mutex_lock(&queue->_lock);
    }
    pthread_mutex_unlock(&queue->_lock);
    return NULL;
}

- (BOOL)startWorker {
    return pthread_create(&_worker, NULL, work, self) == 0;
}

- (void)endWorker {
    if (pthread_equal(_worker, pthread_self())) { // the last command buffer went when it had finished
        *_workerOutlivesQueue = true;
        pthread_detach(_worker);
        return;
    }
    pthread_mutex_lock(&_lock);
    _isClosing = YES;
    pthread_cond_broadcast(&_changed);
    pthread_mutex_unlock(&_lock);
    pthread_join(_worker, NULL);
}

@end
