// A number that only the device raises (MTLEvent), or the CPU too (MTLSharedEvent), and the queues that wait for it.
#import <Metal/Metal.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

@class PMPCommandQueue;
@class PMPDevice;

/// A queue that waits. It lies in the queue, whose running command buffer retains the event and the queue.
struct PMPEventWaiter {
    struct PMPEventWaiter *next;
    PMPCommandQueue *queue;
    uint64_t value;
};

@interface PMPEvent : NSObject <MTLEvent> {
    PMPDevice *_device; // retained; nil for a shared event
    NSString *_label;
    _Atomic(uint64_t) _value; // written under the lock
    pthread_mutex_t _lock;
    struct PMPEventWaiter *_waiters;
}

- (instancetype)initWithDevice:(PMPDevice *)device;

- (BOOL)hasReached:(uint64_t)value;

/// NO where the value is reached already. Otherwise the waiter's queue is resumed once when it is: maybe by another
/// thread, before this method returns.
- (BOOL)addWaiter:(struct PMPEventWaiter *)waiter;

/// Raises the value, unless it is higher already, and resumes the queues that waited for it.
- (void)raiseTo:(uint64_t)value;

@end

@interface PMPSharedEvent : PMPEvent <MTLSharedEvent>
@end

struct PMPEventRecord {
    PMPEvent *event; // held by the command buffer
    uint64_t value;
};

/// The command function of an encoded signal, with a PMPEventRecord.
void PMPSignalEvent(void *record, void *workspace);
