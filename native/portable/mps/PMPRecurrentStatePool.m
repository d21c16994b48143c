#import "PMPRecurrentStatePool.h"
#import "PMPTemporaryRules.h"

// Enough for the states of steps in flight; what a long sequence returns beyond that is freed.
enum { kMostStates = 8 };

struct PMPRecurrentStatePool {
    atomic_uint references;
    PMPRecurrentStack *stack; // retained
    id<MTLDevice> device;     // retained
    MPSState *idle;           // a list of the taking thread's
    _Atomic(void *) returned; // a list of states that any thread pushes to and the taking thread takes whole
    atomic_uint count;        // in both lists
};

PMPRecurrentStatePool *PMPRecurrentStatePoolCreate(PMPRecurrentStack *stack, id<MTLDevice> device) {
    PMPRecurrentStatePool *pool = calloc(1, sizeof *pool);
    if (pool != NULL) {
        atomic_store_explicit(&pool->references, 1, memory_order_relaxed);
        pool->stack = [stack retain];
        pool->device = [device retain];
    }
    return pool;
}

/// A state that came back; nil where there is none.
static MPSState *take_returned(PMPRecurrentStatePool *pool) {
    if (pool->idle == nil) {
        pool->idle = (MPSState *)atomic_exchange_explicit(&pool->returned, NULL, memory_order_acquire);
    }
    MPSState *state = pool->idle;
    if (state != nil) {
        pool->idle = state->_storage->next;
        atomic_fetch_sub_explicit(&pool->count, 1, memory_order_relaxed);
    }
    return state;
}

void PMPRecurrentStatePoolRelease(PMPRecurrentStatePool *pool) {
    if (pool == NULL || atomic_fetch_sub_explicit(&pool->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    MPSState *state;
    while ((state = take_returned(pool)) != nil) {
        [state dealloc]; // states in a list have no references
    }
    [pool->stack release];
    [pool->device release];
    free(pool);
}

static MPSState *make_state(PMPRecurrentStatePool *pool, PMPRecurrentShape shape) {
    Class class = pool->stack->_form == PMPRecurrentFormImages ? [MPSRNNRecurrentImageState class]
                                                               : [MPSRNNRecurrentMatrixState class];
    return [[class alloc] initWithStack:pool->stack device:pool->device shape:shape];
}

MPSState *PMPRecurrentStatePoolTake(PMPRecurrentStatePool *pool, PMPRecurrentShape shape) {
    MPSState *state = take_returned(pool);
    while (state != nil && state->_storage->capacityRows < shape.rows) {
        [state dealloc];
        state = take_returned(pool);
    }
    if (state == nil) {
        state = make_state(pool, shape);
    }
    if (state != nil) {
        atomic_fetch_add_explicit(&pool->references, 1, memory_order_relaxed);
        state->_storage->pool = pool;
        state->_storage->shape = shape;
        atomic_store_explicit(&state->_storage->references, 1, memory_order_relaxed);
    }
    return state;
}

void PMPRecurrentStatePoolEncode(PMPRecurrentStatePool *pool, PMPRecurrentShape shape, size_t count, BOOL areTemporary,
                                 NSMutableArray *outputStates, pymps_engine_state *memories, PMPEncoding encoding) {
    for (size_t step = 0; step < count; step++) {
        MPSState *state = PMPRecurrentStatePoolTake(pool, shape);
        if (state == nil) {
            PMPRaiseOutOfMemory(encoding.kernel, encoding.selector, @"recurrentOutputStates: no memory for a state");
        }
        for (size_t i = 0; i < pool->stack->_count; i++) {
            memories[i * count + step] = state->_storage->layers[i].memory;
        }
        if (areTemporary) {
            PMPTemporaryBegin(&state->_temporary, encoding.commandBuffer, state);
        } else {
            [encoding.commandBuffer holdUntilCompleted:state];
        }
        [outputStates addObject:state];
        [state release];
    }
}

void PMPRecurrentStatePoolReturn(PMPRecurrentStatePool *pool, MPSState *state) {
    state->_storage->pool = NULL;
    if (atomic_load_explicit(&state->_storage->isShown, memory_order_relaxed)) {
        [state dealloc];
    } else if (atomic_fetch_add_explicit(&pool->count, 1, memory_order_relaxed) >= kMostStates) {
        atomic_fetch_sub_explicit(&pool->count, 1, memory_order_relaxed);
        [state dealloc];
    } else {
        void *first = atomic_load_explicit(&pool->returned, memory_order_relaxed);
        do {
            state->_storage->next = (MPSState *)first;
        } while (!atomic_compare_exchange_weak_explicit(&pool->returned, &first, (void *)state, memory_order_release,
                                                        memory_order_relaxed));
    }
    PMPRecurrentStatePoolRelease(pool);
}
