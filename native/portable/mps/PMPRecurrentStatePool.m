#import "PMPRecurrentStatePool.h"

// Enough for a step's states in flight; what a long sequence returns beyond that is freed.
enum { kMostStates = 8 };

@implementation PMPRecurrentStatePool

- (instancetype)initWithStack:(PMPRecurrentStack *)stack device:(id<MTLDevice>)device {
    self = [super init];
    if (self != nil) {
        _stack = [stack retain];
        _device = [device retain];
    }
    return self;
}

- (void)dealloc {
    MPSRNNRecurrentMatrixState *state;
    while ((state = [self takeState]) != nil) {
        [state dealloc]; // states in a list have no references
    }
    [_stack release];
    [_device release];
    [super dealloc];
}

/// A state that came back; nil where there is none.
- (MPSRNNRecurrentMatrixState *)takeState {
    if (_idle == nil) {
        _idle = (MPSRNNRecurrentMatrixState *)atomic_exchange_explicit(&_returned, NULL, memory_order_acquire);
    }
    MPSRNNRecurrentMatrixState *state = _idle;
    if (state != nil) {
        _idle = state->_storage->next;
        atomic_fetch_sub_explicit(&_count, 1, memory_order_relaxed);
    }
    return state;
}

- (MPSRNNRecurrentMatrixState *)newStateWithRows:(size_t)rows {
    MPSRNNRecurrentMatrixState *state = [self takeState];
    while (state != nil && state->_storage->capacityRows < rows) {
        [state dealloc];
        state = [self takeState];
    }
    if (state == nil) {
        state = [[MPSRNNRecurrentMatrixState alloc] initWithStack:_stack device:_device rows:rows];
    }
    [state beginUseWithRows:rows pool:self];
    return state;
}

- (void)takeBack:(MPSRNNRecurrentMatrixState *)state {
    if (atomic_fetch_add_explicit(&_count, 1, memory_order_relaxed) >= kMostStates) {
        atomic_fetch_sub_explicit(&_count, 1, memory_order_relaxed);
        [state dealloc];
        return;
    }
    void *first = atomic_load_explicit(&_returned, memory_order_relaxed);
    do {
        state->_storage->next = (MPSRNNRecurrentMatrixState *)first;
    } while (!atomic_compare_exchange_weak_explicit(&_returned, &first, (void *)state, memory_order_release,
                                                    memory_order_relaxed));
}

@end
