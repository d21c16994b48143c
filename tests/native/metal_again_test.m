// Command buffers that are committed again.
#import "metal_queue_test.h"

static id<MTLCommandBuffer> letter_that_has_run(id<MTLCommandQueue> queue, char letter) {
    id<MTLCommandBuffer> buffer = [queue commandBuffer];
    encode_letter(buffer, letter);
    [buffer commit];
    [buffer waitUntilCompleted];
    return buffer;
}

static void test_commands_run_again(void) {
    id<MTLCommandQueue> queue = [[device newCommandQueueWithMaxCommandBufferCount:2] autorelease];
    clear_trace();
    id<MTLCommandBuffer> a = letter_that_has_run(queue, 'a'), b = letter_that_has_run(queue, 'b');
    CFTimeInterval start = a.GPUStartTime, end = a.GPUEndTime;
    for (int i = 0; i < 3; i++) {
        [(PMPCommandBuffer *)a commitAgain];
        [a waitUntilScheduled];
        [a waitUntilCompleted];
        CHECK(a.status == MTLCommandBufferStatusCompleted && a.error == nil);
        [(PMPCommandBuffer *)b commitAgain];
        [b waitUntilCompleted];
    }
    CHECK(strcmp(trace, "abababab") == 0);
    CHECK(a.GPUStartTime == start && a.GPUEndTime == end);
    letter_that_has_run(queue, 'c'); // each has given its place back
    CHECK(strcmp(trace, "ababababc") == 0);
}

static void test_rules(void) {
    id<MTLCommandQueue> queue = [[device newCommandQueue] autorelease];
    id<MTLCommandBuffer> buffer = [queue commandBuffer];
    __block int handled = 0;
    [buffer addScheduledHandler:^(id<MTLCommandBuffer> given) {
        (void)given;
        handled++;
    }];
    [buffer addCompletedHandler:^(id<MTLCommandBuffer> given) {
        (void)given;
        handled++;
    }];
    CHECK_RAISES(@"not completed", [(PMPCommandBuffer *)buffer commitAgain]);
    [buffer commit];
    [buffer waitUntilCompleted];
    CHECK(handled == 2);
    [(PMPCommandBuffer *)buffer commitAgain];
    [buffer waitUntilCompleted];
    CHECK(handled == 2);
    CHECK_RAISES(@"committed already", encode_letter(buffer, 'x'));
}

/// The last reference goes while the command buffer still waits for an event.
static void test_suspended(void) {
    id<MTLCommandQueue> queue = [[device newCommandQueue] autorelease];
    id<MTLSharedEvent> event = [[device newSharedEvent] autorelease];
    clear_trace();
    @autoreleasepool {
        id<MTLCommandBuffer> buffer = [queue commandBuffer];
        encode_letter(buffer, 'a');
        [buffer encodeWaitForEvent:event value:1];
        encode_letter(buffer, 'b');
        event.signaledValue = 1;
        [buffer commit];
        [buffer waitUntilCompleted];
        event.signaledValue = 0;
        [(PMPCommandBuffer *)buffer commitAgain];
    }
    CHECK(strcmp(trace, "abab") != 0);
    event.signaledValue = 1;
    letter_that_has_run(queue, 'c');
    CHECK(strcmp(trace, "ababc") == 0);
}

static void commit_and_wait(void *argument) {
    id<MTLCommandBuffer> buffer = argument;
    [buffer commit];
    [buffer waitUntilCompleted];
    [buffer release];
}

/// Another thread is at work on the queue: it runs what is committed again too, after the caller has let go of it.
static void test_busy_queue(void) {
    id<MTLCommandQueue> queue = [[device newCommandQueue] autorelease];
    struct door door = CLOSED_DOOR;
    struct thread thread;
    clear_trace();
    @autoreleasepool {
        id<MTLCommandBuffer> buffer = letter_that_has_run(queue, 'a'), busy = [queue commandBuffer];
        encode_door(busy, &door);
        encode_letter(busy, 'b');
        start(&thread, commit_and_wait, [busy retain]);
        await_guest(&door);
        [(PMPCommandBuffer *)buffer commitAgain];
    }
    CHECK(strcmp(trace, "a") == 0);
    open_door(&door);
    letter_that_has_run(queue, 'c');
    join(&thread);
    CHECK(strcmp(trace, "abac") == 0);
}

int main(void) {
    @autoreleasepool {
        device = [MTLCreateSystemDefaultDevice() autorelease];
        id<MTLCommandBuffer> buffer = [[[device newCommandQueue] autorelease] commandBuffer];
        CHECK([(id)buffer respondsToSelector:@selector(commitAgain)] == !is_asynchronous());
        CHECK([(id)buffer respondsToSelector:@selector(commit)]);
        test_commands_run_again();
        test_rules();
        test_suspended();
        test_busy_queue();
    }
    return report();
}
