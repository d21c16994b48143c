// Command queues and command buffers of the portable Metal: rules, order, handlers, failures.
#import "metal_queue_test.h"
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

/// An object whose end is seen.
@interface Witness : NSObject {
  @public
    BOOL *_isGone;
}
@end

@implementation Witness
- (void)dealloc {
    *_isGone = YES;
    [super dealloc];
}
@end

static void test_queue(void) {
    id<MTLCommandQueue> queue = [[device newCommandQueue] autorelease];
    CHECK(queue.device == device && queue.label == nil);
    queue.label = @"steps";
    CHECK([queue.label isEqual:@"steps"]);
    CHECK_RAISES(@"maxCommandBufferCount: 0", [device newCommandQueueWithMaxCommandBufferCount:0]);

    MTLCommandBufferDescriptor *descriptor = [[[MTLCommandBufferDescriptor alloc] init] autorelease];
    CHECK(descriptor.retainedReferences && descriptor.errorOptions == MTLCommandBufferErrorOptionNone);
    descriptor.errorOptions = MTLCommandBufferErrorOptionEncoderExecutionStatus;
    MTLCommandBufferDescriptor *copy = [[descriptor copy] autorelease];
    copy.retainedReferences = NO;
    CHECK(descriptor.retainedReferences && copy.errorOptions == descriptor.errorOptions);
    id<MTLCommandBuffer> described = [queue commandBufferWithDescriptor:copy];
    CHECK(!described.retainedReferences && described.errorOptions == copy.errorOptions);
    CHECK([queue commandBuffer].retainedReferences);
    CHECK(![queue commandBufferWithUnretainedReferences].retainedReferences);
    CHECK_RAISES(@"descriptor: nil", [queue commandBufferWithDescriptor:(id _Nonnull)nil]);
}

static void test_one_command_buffer(void) {
    id<MTLCommandQueue> queue = [[device newCommandQueue] autorelease];
    id<MTLCommandBuffer> buffer = [queue commandBuffer];
    __block MTLCommandBufferStatus scheduled = 0, completed = 0;
    __block id<MTLCommandBuffer> given = nil;
    clear_trace();
    buffer.label = @"first";
    CHECK(buffer.device == device && buffer.commandQueue == queue && [buffer.label isEqual:@"first"]);
    CHECK(buffer.status == MTLCommandBufferStatusNotEnqueued && buffer.error == nil);
    CHECK(buffer.kernelStartTime == 0 && buffer.kernelEndTime == 0);
    CHECK(buffer.GPUStartTime == 0 && buffer.GPUEndTime == 0);
    encode_letter(buffer, 'a');
    [buffer addScheduledHandler:^(id<MTLCommandBuffer> handled) {
        scheduled = handled.status;
        write_letter('(');
    }];
    [buffer addCompletedHandler:^(id<MTLCommandBuffer> handled) {
        completed = handled.status;
        given = handled;
        write_letter(')');
    }];
    [buffer addCompletedHandler:^(id<MTLCommandBuffer> handled) {
        [NSString stringWithFormat:@"%@", handled.label]; // there is an autorelease pool
        write_letter('.');
    }];
    encode_letter(buffer, 'b');
    [buffer pushDebugGroup:@"group"];
    [buffer popDebugGroup];
    CHECK_RAISES(@"no debug group", [buffer popDebugGroup]);
    [buffer enqueue];
    [buffer enqueue];
    CHECK(buffer.status == MTLCommandBufferStatusEnqueued && trace[0] == 0);
    [buffer commit];
    CHECK(is_asynchronous() || buffer.status == MTLCommandBufferStatusCompleted);
    [buffer waitUntilScheduled];
    [buffer waitUntilCompleted];
    CHECK(buffer.status == MTLCommandBufferStatusCompleted && buffer.error == nil);
    CHECK(strcmp(trace, "(ab).") == 0);
    CHECK(scheduled == MTLCommandBufferStatusScheduled && completed == MTLCommandBufferStatusCompleted);
    CHECK(given == buffer);
    CHECK(buffer.kernelStartTime > 0 && buffer.kernelEndTime >= buffer.kernelStartTime);
    CHECK(buffer.GPUStartTime >= buffer.kernelEndTime && buffer.GPUEndTime >= buffer.GPUStartTime);
}

static void test_rules(void) {
    id<MTLCommandQueue> queue = [[device newCommandQueue] autorelease];
    id<MTLEvent> event = [[device newEvent] autorelease];
    id<MTLCommandBuffer> buffer = [queue commandBuffer];
    MTLCommandBufferHandler handler = ^(id<MTLCommandBuffer> handled) {
        (void)handled;
    };
    CHECK_RAISES(@"not committed", [buffer waitUntilCompleted]);
    CHECK_RAISES(@"not committed", [buffer waitUntilScheduled]);
    CHECK_RAISES(@"block: nil", [buffer addCompletedHandler:(MTLCommandBufferHandler _Nonnull)nil]);
    CHECK_RAISES(@"event: ", [buffer encodeWaitForEvent:(id<MTLEvent>)queue value:1]);
    [buffer enqueue];
    CHECK_RAISES(@"not committed", [buffer waitUntilCompleted]);
    id<MTLBlitCommandEncoder> encoder = [buffer blitCommandEncoder];
    CHECK_RAISES(@"an encoder is open", [buffer encodeSignalEvent:event value:1]);
    [encoder endEncoding];
    [buffer commit];
    CHECK_RAISES(@"committed already", [buffer commit]);
    CHECK_RAISES(@"committed already", [buffer enqueue]);
    CHECK_RAISES(@"committed already", [buffer addScheduledHandler:handler]);
    CHECK_RAISES(@"committed already", [buffer addCompletedHandler:handler]);
    CHECK_RAISES(@"committed already", [buffer encodeSignalEvent:event value:1]);
    CHECK_RAISES(@"committed already", [buffer pushDebugGroup:@"late"]);
    CHECK_RAISES(@"committed already", encode_letter(buffer, 'x'));
    [buffer waitUntilCompleted];
    CHECK_RAISES(@"-[PMPCommandBuffer commit] receiver: committed already", [buffer commit]);

    CHECK(PMPPortableCommandBuffer(buffer, @selector(commit)) == (PMPCommandBuffer *)buffer);
    CHECK_RAISES(@"commandBuffer: ", PMPPortableCommandBuffer((id _Nonnull)nil, @selector(commit)));
    CHECK_RAISES(@"commandBuffer: ", PMPPortableCommandBuffer((id)queue, @selector(commit)));
}

static void test_order(void) {
    id<MTLCommandQueue> queue = [[device newCommandQueue] autorelease];
    id<MTLCommandBuffer> first = [queue commandBuffer], second = [queue commandBuffer], third = [queue commandBuffer];
    clear_trace();
    encode_letter(third, '3');
    encode_letter(second, '2');
    encode_letter(first, '1');
    [first enqueue];
    [second enqueue];
    [third commit];
    [second commit];
    CHECK(third.status == MTLCommandBufferStatusCommitted && second.status == MTLCommandBufferStatusCommitted);
    [first commit];
    [third waitUntilCompleted];
    CHECK(strcmp(trace, "123") == 0 && first.status == MTLCommandBufferStatusCompleted);
}

/// An enqueued command buffer that goes without commit does not hold up those behind it.
static void test_abandoned(void) {
    id<MTLCommandQueue> queue = [[device newCommandQueueWithMaxCommandBufferCount:3] autorelease];
    clear_trace();
    id<MTLCommandBuffer> last = [queue commandBuffer];
    encode_letter(last, 'l');
    BOOL isGone = NO;
    @autoreleasepool {
        id<MTLCommandBuffer> abandoned = [queue commandBuffer], between = [queue commandBuffer];
        Witness *witness = [[[Witness alloc] init] autorelease];
        witness->_isGone = &isGone;
        [(PMPCommandBuffer *)abandoned holdUntilCompleted:witness];
        [abandoned addCompletedHandler:^(id<MTLCommandBuffer> handled) {
            (void)handled;
            write_letter('!');
        }];
        encode_letter(abandoned, 'x');
        [abandoned enqueue];
        [between enqueue];
        [last commit];
        CHECK(last.status == MTLCommandBufferStatusCommitted);
    }
    [last waitUntilCompleted];
    CHECK(strcmp(trace, "l") == 0 && isGone);
    @autoreleasepool { // each has given its place among the three back
        CHECK([queue commandBuffer] != nil && [queue commandBuffer] != nil && [queue commandBuffer] != nil);
    }
}

static void test_last_abandoned(void) {
    id<MTLCommandQueue> queue = [[device newCommandQueue] autorelease];
    id<MTLCommandBuffer> first = [queue commandBuffer], after = [queue commandBuffer];
    clear_trace();
    encode_letter(first, 'f');
    encode_letter(after, 'a');
    [first enqueue];
    @autoreleasepool {
        [[queue commandBuffer] enqueue];
    }
    [after commit];
    [first commit];
    [after waitUntilCompleted];
    CHECK(strcmp(trace, "fa") == 0);
}

static void test_references(void) {
    id<MTLCommandQueue> queue = [[device newCommandQueue] autorelease];
    for (int retained = 0; retained < 2; retained++) {
        id<MTLCommandBuffer> buffer = retained ? [queue commandBuffer] : [queue commandBufferWithUnretainedReferences];
        BOOL resourceIsGone = NO, heldIsGone = NO;
        Witness *resource = [[Witness alloc] init], *held = [[Witness alloc] init];
        resource->_isGone = &resourceIsGone;
        held->_isGone = &heldIsGone;
        [(PMPCommandBuffer *)buffer useResource:resource];
        [(PMPCommandBuffer *)buffer holdUntilCompleted:held];
        [resource release];
        [held release];
        CHECK(resourceIsGone == !retained && !heldIsGone);
        [buffer commit];
        [buffer waitUntilCompleted];
        CHECK(resourceIsGone && heldIsGone); // while the command buffer itself is still there
    }
}

static void check_aligned(void *record, void *workspace) {
    BOOL *isRight = *(BOOL **)record;
    *isRight = (uintptr_t)record % 16 == 0 && (uintptr_t)workspace % 64 == 0;
    memset(workspace, 0xff, 100000);
}

static void test_records(void) {
    id<MTLCommandQueue> queue = [[device newCommandQueue] autorelease];
    id<MTLCommandBuffer> buffer = [queue commandBuffer];
    BOOL isRight[100] = {NO};
    BOOL **records[100];
    for (size_t i = 0; i < 100; i++) { // sizes that need several blocks of memory
        size_t bytes = sizeof(BOOL *) + i * i;
        records[i] = [(PMPCommandBuffer *)buffer encodeCommand:check_aligned recordBytes:bytes workspaceBytes:100000];
        CHECK(*records[i] == NULL && ((char *)records[i])[bytes - 1] == 0);
        *records[i] = &isRight[i];
    }
    [buffer commit];
    [buffer waitUntilCompleted];
    int right = 0;
    for (size_t i = 0; i < 100; i++) {
        right += isRight[i];
    }
    CHECK(right == 100);
}

static void test_out_of_memory(void) {
    id<MTLCommandQueue> queue = [[device newCommandQueue] autorelease];
    id<MTLSharedEvent> event = [[device newSharedEvent] autorelease];
    id<MTLCommandBuffer> buffer = [queue commandBuffer], next = [queue commandBuffer];
    __block MTLCommandBufferStatus completed = 0;
    clear_trace();
    buffer.label = @"huge";
    encode_letter(buffer, 'a');
    char *record = [(PMPCommandBuffer *)buffer encodeCommand:trace_command recordBytes:1 workspaceBytes:SIZE_MAX / 2];
    *record = 'x';
    encode_letter(buffer, 'y');
    [buffer encodeSignalEvent:event value:3];
    [buffer addCompletedHandler:^(id<MTLCommandBuffer> handled) {
        completed = handled.status;
    }];
    encode_letter(next, 'n');
    [buffer commit];
    [next commit];
    [next waitUntilCompleted];
    CHECK(strcmp(trace, "an") == 0);
    CHECK(buffer.status == MTLCommandBufferStatusError && completed == MTLCommandBufferStatusError);
    CHECK([buffer.error.domain isEqual:MTLCommandBufferErrorDomain]);
    CHECK(buffer.error.code == MTLCommandBufferErrorOutOfMemory && MTLCommandBufferErrorOutOfMemory == 8);
    CHECK(contains(buffer.error.localizedDescription, @"huge"));
    CHECK(next.status == MTLCommandBufferStatusCompleted && next.error == nil);
    CHECK(event.signaledValue == 3); // so that nobody waits for a failed command buffer for ever
}

/// A handler may use its queue, but not wait for it.
static void test_handlers_use_queue(void) {
    id<MTLCommandQueue> queue = [[device newCommandQueueWithMaxCommandBufferCount:1] autorelease];
    id<MTLCommandBuffer> buffer = [queue commandBuffer];
    __block id<MTLCommandBuffer> next = nil;
    __block struct door done = CLOSED_DOOR;
    clear_trace();
    [buffer addCompletedHandler:^(id<MTLCommandBuffer> handled) {
        CHECK_RAISES(@"a handler of this queue", [handled waitUntilCompleted]);
        [handled waitUntilScheduled];
        next = [[queue commandBuffer] retain];
        encode_letter(next, 'n');
        CHECK_RAISES(@"a handler of this queue", [queue commandBuffer]);
        [next commit];
        CHECK_RAISES(@"a handler of this queue", [next waitUntilCompleted]);
        CHECK(next.status == MTLCommandBufferStatusCommitted);
        open_door(&done);
    }];
    [buffer commit];
    pass_door(&done);
    [next waitUntilCompleted];
    CHECK(strcmp(trace, "n") == 0);
    [next release];
}

/// A handler that throws ends the process and says why: nothing could catch it.
static void test_handler_that_throws(void) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        freopen("/dev/null", "w", stderr);
        id<MTLCommandQueue> queue = [device newCommandQueue];
        id<MTLCommandBuffer> buffer = [queue commandBuffer];
        [buffer addCompletedHandler:^(id<MTLCommandBuffer> handled) {
            (void)handled;
            [NSException raise:NSGenericException format:@"from a handler"];
        }];
        [buffer commit];
        [buffer waitUntilCompleted];
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

int main(void) {
    @autoreleasepool {
        device = [MTLCreateSystemDefaultDevice() autorelease];
        test_queue();
        test_one_command_buffer();
        test_rules();
        test_order();
        test_abandoned();
        test_last_abandoned();
        test_references();
        test_records();
        test_out_of_memory();
        test_handlers_use_queue();
        test_handler_that_throws();
    }
    return report();
}
