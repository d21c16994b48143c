// Events of the portable Metal: order across queues and between a queue and the CPU, in every order of commits.
#import "metal_queue_test.h"
#include <unistd.h>

static id<MTLCommandQueue> first, second;

static void test_event_properties(void) {
    id<MTLEvent> event = [[device newEvent] autorelease];
    id<MTLSharedEvent> shared = [[device newSharedEvent] autorelease];
    CHECK(event.device == device && shared.device == nil && event.label == nil);
    event.label = @"go";
    CHECK([event.label isEqual:@"go"]);
    CHECK(shared.signaledValue == 0);
    shared.signaledValue = 7;
    CHECK(shared.signaledValue == 7);
    shared.signaledValue = 2; // the CPU may start again
    CHECK(shared.signaledValue == 2);

    id<MTLCommandBuffer> buffer = [first commandBuffer];
    [buffer encodeSignalEvent:shared value:5];
    [buffer encodeSignalEvent:shared value:4]; // a command never takes it down
    [buffer encodeWaitForEvent:shared value:5];
    [buffer commit];
    [buffer waitUntilCompleted];
    CHECK(shared.signaledValue == 5);
}

/// The wait is committed before its signal, on one thread: commit must come back.
static void test_wait_before_signal(void) {
    id<MTLEvent> event = [[device newEvent] autorelease];
    id<MTLCommandBuffer> waiting = [first commandBuffer], behind = [first commandBuffer];
    id<MTLCommandBuffer> signalling = [second commandBuffer];
    clear_trace();
    encode_letter(waiting, 'a');
    [waiting encodeWaitForEvent:event value:2];
    encode_letter(waiting, 'c');
    encode_letter(behind, 'd');
    encode_letter(signalling, 'b');
    [signalling encodeSignalEvent:event value:1]; // too low
    [signalling encodeSignalEvent:event value:3]; // higher than needed
    [waiting commit];
    [behind commit];
    [waiting waitUntilScheduled];
    while (traceLength < 1) {
        usleep(100);
    }
    CHECK(waiting.status == MTLCommandBufferStatusScheduled && behind.status == MTLCommandBufferStatusCommitted);
    CHECK(waiting.GPUStartTime > 0 && waiting.GPUEndTime == 0);
    [signalling commit];
    [behind waitUntilCompleted];
    CHECK(strcmp(trace, "abcd") == 0 && waiting.status == MTLCommandBufferStatusCompleted);
    [signalling waitUntilCompleted];
}

static void test_signal_before_wait(void) {
    id<MTLEvent> event = [[device newEvent] autorelease];
    id<MTLCommandBuffer> signalling = [first commandBuffer], waiting = [second commandBuffer];
    clear_trace();
    encode_letter(signalling, 'a');
    [signalling encodeSignalEvent:event value:1];
    [waiting encodeWaitForEvent:event value:1];
    encode_letter(waiting, 'b');
    [signalling commit];
    [waiting commit];
    [waiting waitUntilCompleted];
    CHECK(strcmp(trace, "ab") == 0);
    [signalling waitUntilCompleted];
}

/// Two command buffers hand the turn to and fro.
static void test_ping_pong(void) {
    enum { kTurns = 20 };
    id<MTLEvent> event = [[device newEvent] autorelease];
    id<MTLCommandBuffer> ping = [first commandBuffer], pong = [second commandBuffer];
    clear_trace();
    for (uint64_t turn = 0; turn < kTurns; turn++) {
        [pong encodeWaitForEvent:event value:2 * turn + 1];
        encode_letter(pong, 'b');
        [pong encodeSignalEvent:event value:2 * turn + 2];
        [ping encodeWaitForEvent:event value:2 * turn];
        encode_letter(ping, 'a');
        [ping encodeSignalEvent:event value:2 * turn + 1];
    }
    [pong commit];
    [ping commit];
    [pong waitUntilCompleted];
    [ping waitUntilCompleted];
    CHECK(strcmp(trace, "abababababababababababababababababababab") == 0);
}

static void test_cpu_signal(void) {
    id<MTLSharedEvent> event = [[device newSharedEvent] autorelease];
    id<MTLCommandBuffer> buffers[] = {[first commandBuffer], [second commandBuffer]};
    clear_trace();
    for (int i = 0; i < 2; i++) {
        [buffers[i] encodeWaitForEvent:event value:(uint64_t)i + 1];
        encode_letter(buffers[i], (char)('a' + i));
        [buffers[i] commit];
    }
    event.signaledValue = 1;
    [buffers[0] waitUntilCompleted];
    CHECK(strcmp(trace, "a") == 0 && buffers[1].status < MTLCommandBufferStatusCompleted);
    event.signaledValue = 2;
    [buffers[1] waitUntilCompleted];
    CHECK(strcmp(trace, "ab") == 0);
}

static void wait_and_count(void *argument) {
    static atomic_int waited;
    [(id<MTLCommandBuffer>)argument waitUntilScheduled];
    [(id<MTLCommandBuffer>)argument waitUntilCompleted];
    CHECK(((id<MTLCommandBuffer>)argument).status == MTLCommandBufferStatusCompleted);
    CHECK(++waited <= 4);
}

static void set_to_one(void *argument) {
    ((id<MTLSharedEvent>)argument).signaledValue = 1;
}

/// Several threads wait for one command buffer, and yet another thread lets it go on.
static void test_threads(void) {
    id<MTLSharedEvent> event = [[device newSharedEvent] autorelease];
    id<MTLCommandBuffer> buffer = [first commandBuffer];
    struct thread waiters[4], signaller;
    [buffer encodeWaitForEvent:event value:1];
    [buffer commit];
    for (int i = 0; i < 4; i++) {
        start(&waiters[i], wait_and_count, buffer);
    }
    start(&signaller, set_to_one, event);
    [buffer waitUntilCompleted];
    CHECK(buffer.status == MTLCommandBufferStatusCompleted);
    for (int i = 0; i < 4; i++) {
        join(&waiters[i]);
    }
    join(&signaller);
}

/// What waits keeps all that it needs: event, command buffer and queue are released before the signal.
static void test_lifetime(void) {
    id<MTLSharedEvent> event = [device newSharedEvent];
    clear_trace();
    @autoreleasepool {
        id<MTLCommandQueue> queue = [device newCommandQueue];
        id<MTLCommandBuffer> buffer = [queue commandBuffer];
        [buffer encodeWaitForEvent:event value:1];
        encode_letter(buffer, 'a');
        [buffer commit];
        [queue release];
    }
    CHECK(traceLength == 0);
    event.signaledValue = 1;
    while (traceLength == 0) { // asynchronously nobody is left to ask
        usleep(100);
    }
    CHECK(strcmp(trace, "a") == 0);
    [event release];
}

int main(void) {
    @autoreleasepool {
        device = [MTLCreateSystemDefaultDevice() autorelease];
        first = [device newCommandQueue];
        second = [device newCommandQueue];
        for (int round = 0; round < 50; round++) {
            @autoreleasepool {
                test_event_properties();
                test_wait_before_signal();
                test_signal_before_wait();
                test_ping_pong();
                test_cpu_signal();
                test_lifetime();
            }
        }
        test_threads();
        [first release];
        [second release];
    }
    return report();
}
