// A queue runs its command buffers one after the other, in the order in which they were enqueued: on the thread that
// commits (or, if another one is at it, on that one), or under PYMPS_PORTABLE_ASYNC=1 on a thread of its own. Where a
// command waits for an event the queue suspends itself, and whoever signals the event makes it go on.
#import "PMPCommandBuffer.h"
#import "PMPEvent.h"
#include <pthread.h>

@class PMPDevice;

enum PMPQueueState {
    PMPQueueIdle,      // nothing to run, or the first command buffer is not committed yet
    PMPQueueReady,     // the worker has to run it
    PMPQueueRunning,   // `_runner` runs it
    PMPQueueSuspended, // the first command buffer waits for an event
};

/// The command buffers in use retain it.
@interface PMPCommandQueue : NSObject <MTLCommandQueue> {
    PMPDevice *_device; // retained
    NSString *_label;
    NSUInteger _maxCommandBufferCount;
    pthread_mutex_t _lock; // nothing is called under it, no message is sent
    pthread_cond_t _changed;

    // Under the lock.
    enum PMPQueueState _state;
    pthread_t _runner;
    NSUInteger _uncompletedCount;
    PMPCommandBuffer *_first, *_last; // enqueued and not finished
    PMPCommandBuffer *_pool;          // unused, owned; the last one used comes first
    NSUInteger _poolCount;

    // Of the thread that runs the queue.
    void *_workspace;
    size_t _workspaceBytes;
    struct PMPEventWaiter _waiter;

    // Under PYMPS_PORTABLE_ASYNC=1.
    BOOL _isAsynchronous;
    BOOL _isClosing;
    pthread_t _worker;
    bool *_workerOutlivesQueue; // set where the worker itself gives the queue's last reference back
}

/// nil where its thread can't be made.
- (instancetype)initWithDevice:(PMPDevice *)device maxCommandBufferCount:(NSUInteger)maxCommandBufferCount;

/// Gives a command buffer without references back.
- (void)recycle:(PMPCommandBuffer *)buffer;

- (void)enqueue:(PMPCommandBuffer *)buffer;
- (void)commit:(PMPCommandBuffer *)buffer;

- (BOOL)isAsynchronous;

/// Returns once the committed buffer's status is at least `status`, and for MTLCommandBufferStatusCompleted once it has
/// finished. Raises in the name of `selector` where the calling thread itself runs the queue.
- (void)waitFor:(PMPCommandBuffer *)buffer status:(MTLCommandBufferStatus)status selector:(SEL)selector;

@end

/// For a finished command buffer: takes a place in the queue anew, and commits.
void PMPCommitAgain(PMPCommandQueue *queue, PMPCommandBuffer *buffer, SEL selector);
