// Step after step, as a stream makes them: no allocation once warm, from several threads at once.
#import "mps_lstm.h"
#include "allocations.h"
#include <pthread.h>

enum { kInputs = 3, kOutputs = 9, kRows = 2, kThreads = 4 };

/// A stream of its own: a copy of a layer, a queue, a source, a destination, and the state to go on from.
typedef struct Stream {
    MPSRNNMatrixInferenceLayer *layer;
    id<MTLCommandQueue> queue;
    NSArray<MPSMatrix *> *sources, *destinations;
    NSMutableArray<MPSRNNRecurrentMatrixState *> *states; // the last step's
} Stream;

static Stream open_stream(MPSRNNMatrixInferenceLayer *layer) {
    return (Stream){.layer = [layer copy],
                    .queue = [device newCommandQueue],
                    .sources = [make_sequence(1, kRows, kInputs, 1) retain],
                    .destinations = [make_sequence(1, kRows, kOutputs, 2) retain],
                    .states = [[NSMutableArray alloc] initWithCapacity:2]};
}

static void close_stream(Stream *stream) {
    [stream->layer release];
    [stream->queue release];
    [stream->sources release];
    [stream->destinations release];
    [stream->states release];
}

static void step(Stream *stream) {
    @autoreleasepool {
        id<MTLCommandBuffer> commandBuffer = [stream->queue commandBuffer];
        [stream->layer encodeSequenceToCommandBuffer:commandBuffer
                                      sourceMatrices:stream->sources
                                 destinationMatrices:stream->destinations
                                 recurrentInputState:stream->states.firstObject
                               recurrentOutputStates:stream->states];
        [commandBuffer commit];
        [commandBuffer waitUntilCompleted];
        if (stream->states.count > 1) {
            [stream->states removeObjectAtIndex:0];
        }
    }
}

static void *step_many_times(void *context) {
    for (int i = 0; i < 1000; i++) {
        step(context);
    }
    return NULL;
}

static MPSRNNMatrixInferenceLayer *make_stack(void) {
    NSArray *descriptors = @[ make_lstm(kInputs, 5, NO, 1), make_lstm(5, kOutputs, YES, 2) ];
    return [[[MPSRNNMatrixInferenceLayer alloc] initWithDevice:device rnnDescriptors:descriptors] autorelease];
}

#ifdef COUNTS_ALLOCATIONS
/// In inline mode. Where a queue has a thread, it depends on the timing how many command buffers are in use at once.
static void test_warm_steps_allocate_nothing(void) {
    const char *async = getenv("PYMPS_PORTABLE_ASYNC");
    if (async != NULL && strcmp(async, "1") == 0) {
        return;
    }
    Stream stream = open_stream(make_stack());
    for (int i = 0; i < 10; i++) {
        step(&stream);
    }
    long before = allocations;
    CHECK(before > 0);
    step_many_times(&stream);
    CHECK(allocations == before);
    close_stream(&stream);
}
#endif

/// Copies share their weights, and nothing else.
static void test_threads(void) {
    MPSRNNMatrixInferenceLayer *layer = make_stack();
    Stream alone = open_stream(layer), streams[kThreads];
    step_many_times(&alone);
    pthread_t threads[kThreads];
    for (int i = 0; i < kThreads; i++) {
        streams[i] = open_stream(layer);
        CHECK(pthread_create(&threads[i], NULL, step_many_times, &streams[i]) == 0);
    }
    for (int i = 0; i < kThreads; i++) {
        pthread_join(threads[i], NULL);
        CHECK(are_equal(streams[i].destinations.firstObject, alone.destinations.firstObject));
        close_stream(&streams[i]);
    }
    close_stream(&alone);
}

static void *release_states(void *context) {
    NSMutableArray *states = context;
    @autoreleasepool {
        [states removeAllObjects];
    }
    return NULL;
}

/// One thread takes states while another gives the ones before back.
static void test_states_come_back_from_another_thread(void) {
    Stream stream = open_stream(make_stack());
    NSMutableArray *given = [NSMutableArray array];
    for (int i = 0; i < 200; i++) {
        step(&stream);
        [given addObjectsFromArray:stream.states];
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, release_states, given) == 0);
        step(&stream);
        pthread_join(thread, NULL);
    }
    Stream alone = open_stream(make_stack());
    for (int i = 0; i < 400; i++) {
        step(&alone);
    }
    CHECK(are_equal(stream.destinations.firstObject, alone.destinations.firstObject));
    close_stream(&stream);
    close_stream(&alone);
}

int main(void) {
    void (*const tests[])(void) = {
#ifdef COUNTS_ALLOCATIONS
        test_warm_steps_allocate_nothing,
#endif
        test_threads,
        test_states_come_back_from_another_thread,
    };
    return run_tests(tests, sizeof tests / sizeof tests[0]);
}
