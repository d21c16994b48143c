#import "PMPEvent.h"
#import "PMPCommandQueue+Running.h"
#import "PMPDevice.h"

@implementation PMPEvent

@synthesize label = _label;

- (instancetype)initWithDevice:(PMPDevice *)device {
    if ((self = [super init]) != nil) {
        _device = [device retain];
        pthread_mutex_init(&_lock, NULL);
    }
    return self;
}

- (void)dealloc {
    pthread_mutex_destroy(&_lock);
    [_device release];
    [_label release];
    [super dealloc];
}

- (id<MTLDevice>)device {
    return _device;
}

static BOOL has_reached(PMPEvent *event, uint64_t value) {
    return atomic_load_explicit(&event->_value, memory_order_acquire) >= value;
}

- (BOOL)hasReached:(uint64_t)value {
    return has_reached(self, value);
}

- (BOOL)addWaiter:(struct PMPEventWaiter *)waiter {
    pthread_mutex_lock(&_lock);
    BOOL waits = !has_reached(self, waiter->value);
    if (waits) {
        waiter->next = _waiters;
        _waiters = waiter;
    }
    pthread_mutex_unlock(&_lock);
    return waits;
}

/// Takes out the waiters for at most `value`.
static struct PMPEventWaiter *take_waiters(PMPEvent *event, uint64_t value) {
    struct PMPEventWaiter *taken = NULL, **place = &event->_waiters;
    while (*place != NULL) {
        struct PMPEventWaiter *waiter = *place;
        if (waiter->value <= value) {
            *place = waiter->next;
            waiter->next = taken;
            taken = waiter;
        } else {
            place = &waiter->next;
        }
    }
    return taken;
}

/// Without the lock: in inline mode a resumed queue runs right here, and may signal this very event.
static void resume_all(struct PMPEventWaiter *waiters) {
    for (struct PMPEventWaiter *next; waiters != NULL; waiters = next) {
        next = waiters->next;
        [waiters->queue resume];
    }
}

- (void)setValue:(uint64_t)value onlyUp:(BOOL)onlyUp {
    pthread_mutex_lock(&_lock);
    if (!onlyUp || !has_reached(self, value)) {
        atomic_store_explicit(&_value, value, memory_order_release);
    }
    struct PMPEventWaiter *waiters = take_waiters(self, value);
    pthread_mutex_unlock(&_lock);
    resume_all(waiters);
}

- (void)raiseTo:(uint64_t)value {
    [self setValue:value onlyUp:YES];
}

void PMPSignalEvent(void *record, void *workspace) {
    (void)workspace;
    struct PMPEventRecord *signal = record;
    [signal->event raiseTo:signal->value];
}

@end

@implementation PMPSharedEvent

- (uint64_t)signaledValue {
    return atomic_load_explicit(&_value, memory_order_acquire);
}

- (void)setSignaledValue:(uint64_t)signaledValue {
    [self setValue:signaledValue onlyUp:NO];
}

@end
