// What repeated work leaves behind in the portable Metal: nothing, whatever thread it comes from.
#import "metal_queue_test.h"
#include <unistd.h>

#if __has_feature(address_sanitizer)
#include <sanitizer/allocator_interface.h>

static size_t heap_bytes(void) {
    return __sanitizer_get_current_allocated_bytes();
}
#elif defined(__APPLE__)
#include <malloc/malloc.h>

static size_t heap_bytes(void) {
    return mstats().bytes_used;
}
#else
#include <malloc.h>

static size_t heap_bytes(void) {
    return mallinfo2().uordblks;
}

#define COUNTS_ALLOCATIONS
extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
static atomic_long allocations;

/// These stand before the C library's, so that every allocation in the process is counted.
__attribute__((visibility("default"))) void *malloc(size_t bytes) {
    allocations++;
    return __libc_malloc(bytes);
}

__attribute__((visibility("default"))) void *calloc(size_t count, size_t bytes) {
    allocations++;
    return __libc_calloc(count, bytes);
}
#endif

static id<MTLCommandQueue> queue;

static void use_workspace(void *record, void *workspace) {
    (void)record;
    memset(workspace, 1, 4096);
}

/// A step as a stream makes it, with a record, a workspace, a held object and an encoder; `depth` of them at once.
static void steps(id<MTLCommandQueue> queue, int depth) {
    @autoreleasepool {
        id<MTLCommandBuffer> buffer = [queue commandBuffer];
        if (depth > 1) {
            steps(queue, depth - 1);
        }
        [(PMPCommandBuffer *)buffer encodeCommand:use_workspace recordBytes:500 workspaceBytes:4096];
        [(PMPCommandBuffer *)buffer holdUntilCompleted:queue];
        [[buffer blitCommandEncoder] endEncoding];
        [buffer commit];
        [buffer waitUntilCompleted];
    }
}

#ifdef COUNTS_ALLOCATIONS
static void test_steps_allocate_nothing(void) {
    // Asynchronously, a waiter may go on a moment before its command buffer is back in the pool: warm several.
    for (int i = 0; i < 10; i++) {
        steps(queue, 8);
    }
    long before = allocations;
    CHECK(before > 0);
    for (int i = 0; i < 10000; i++) {
        steps(queue, 1);
    }
    CHECK(allocations == before);
}
#endif

/// Command buffers are used again, cleared; each use has its own generation.
static void test_recycling(void) {
    void *seen = NULL;
    uint64_t generation = 0;
    for (int i = 0; i < 3; i++) {
        @autoreleasepool {
            id<MTLCommandBuffer> buffer = [queue commandBufferWithUnretainedReferences];
            CHECK(seen == NULL || seen == buffer);
            CHECK([(PMPCommandBuffer *)buffer generation] != generation);
            CHECK(buffer.status == MTLCommandBufferStatusNotEnqueued && buffer.label == nil && buffer.error == nil);
            CHECK(buffer.GPUStartTime == 0 && buffer.GPUEndTime == 0 && buffer.kernelStartTime == 0);
            seen = buffer;
            generation = [(PMPCommandBuffer *)buffer generation];
            buffer.label = @"used";
            [buffer blitCommandEncoder].label = @"open"; // and never ended
            [buffer pushDebugGroup:@"open"];
            if (i == 1) {
                [[buffer retain] release];
            }
        }
    }
    @autoreleasepool {
        CHECK([queue commandBuffer].retainedReferences);
    }
}

/// All that an autorelease pool held goes at once, and only as many as the queue may have out are kept.
static void test_many_at_once(void) {
    for (int round = 0; round < 3; round++) {
        @autoreleasepool {
            for (int i = 0; i < 2000; i++) {
                id<MTLCommandBuffer> buffer = [queue commandBuffer];
                [buffer commit];
                [buffer waitUntilCompleted];
            }
        }
    }
    steps(queue, 1);
}

static void step_on_own_queue(void *argument) {
    (void)argument;
    id<MTLCommandQueue> own = [device newCommandQueue];
    steps(own, 1);
    [own release];
}

static void step_on_shared_queue(void *argument) {
    steps((id<MTLCommandQueue>)argument, 1);
}

static void run_threads(int count, void (*function)(void *)) {
    for (int i = 0; i < count; i++) {
        struct thread thread;
        start(&thread, function, queue);
        join(&thread);
    }
}

/// Short-lived threads that Foundation has never heard of leave nothing behind.
static void test_short_threads(void (*function)(void *)) {
    run_threads(200, function);
    size_t before = heap_bytes();
    run_threads(3000, function);
    size_t after = heap_bytes();
    CHECK(after <= before + 16384);
    if (after > before + 16384) {
        printf("%zu bytes before, %zu after\n", before, after);
    }
}

static void many_steps(void *argument) {
    for (int i = 0; i < 2000; i++) {
        steps((id<MTLCommandQueue>)argument, 1);
    }
}

/// One queue, several threads: whoever runs the queue runs the others' command buffers too.
static void test_shared_queue(void) {
    struct thread threads[4];
    for (int i = 0; i < 4; i++) {
        start(&threads[i], many_steps, queue);
    }
    for (int i = 0; i < 4; i++) {
        join(&threads[i]);
    }
    steps(queue, 1);
}

static void release_object(void *argument) {
    @autoreleasepool {
        [(id)argument release];
    }
}

/// The last reference may go on any thread, also when the queue has gone before.
static void test_release_elsewhere(void) {
    for (int i = 0; i < 100; i++) {
        id<MTLCommandBuffer> buffer;
        @autoreleasepool {
            id<MTLCommandQueue> own = [device newCommandQueue];
            buffer = [[own commandBuffer] retain];
            [own release];
        }
        CHECK(buffer.commandQueue.device == device);
        if (i % 2 == 0) {
            [buffer commit];
            [buffer waitUntilCompleted];
        }
        struct thread thread;
        start(&thread, release_object, buffer);
        join(&thread);
    }
}

/// The queue's last reference goes while its command buffer runs: asynchronously the queue's own thread ends it.
static void test_release_while_running(void) {
    static struct door doors[100]; // not on the stack: a guest may still be leaving when this function does
    for (int i = 0; i < 100; i++) {
        struct door *record = &doors[i];
        *record = (struct door)CLOSED_DOOR;
        if (!is_asynchronous()) {
            open_door(record);
        }
        @autoreleasepool {
            id<MTLCommandQueue> own = [device newCommandQueue];
            id<MTLCommandBuffer> buffer = [own commandBuffer];
            encode_door(buffer, record);
            [buffer commit];
            [own release];
        }
        await_guest(record);
        open_door(record);
        CHECK(record->isReached);
    }
}

struct asking {
    id<MTLCommandQueue> queue;
    atomic_bool hasIt;
};

static void ask_for_buffer(void *argument) {
    struct asking *asking = argument;
    [asking->queue commandBuffer];
    asking->hasIt = true;
}

/// A queue hands out no more command buffers than its maximum until one has completed.
static void test_maximum(void) {
    struct asking asking = {.queue = [[device newCommandQueueWithMaxCommandBufferCount:2] autorelease]};
    id<MTLSharedEvent> event = [[device newSharedEvent] autorelease];
    struct thread thread;
    @autoreleasepool {
        id<MTLCommandBuffer> buffer = [asking.queue commandBuffer], other = [asking.queue commandBuffer];
        [buffer encodeWaitForEvent:event value:1];
        [buffer commit];
        start(&thread, ask_for_buffer, &asking);
        usleep(20000);
        CHECK(!asking.hasIt);
        event.signaledValue = 1;
        join(&thread);
        CHECK(asking.hasIt && other.status == MTLCommandBufferStatusNotEnqueued);
    }
}

int main(void) {
    @autoreleasepool {
        device = [MTLCreateSystemDefaultDevice() autorelease];
        queue = [device newCommandQueue];
#ifdef COUNTS_ALLOCATIONS
        test_steps_allocate_nothing();
#endif
        test_recycling();
        test_many_at_once();
        test_shared_queue();
        test_short_threads(step_on_shared_queue);
        test_short_threads(step_on_own_queue);
        test_release_elsewhere();
        test_release_while_running();
        test_maximum();
        [queue release];
    }
    return report();
}
