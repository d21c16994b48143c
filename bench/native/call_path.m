// Where the time of a stream's step goes, below Python: nanoseconds of each part, from the C interface to the kernel.
//
// Whole stretches of the path are timed, each within the one around it, and a part is the difference of two of them.
// A round times a block of each, in an order drawn anew; a difference is taken within its round, and the median over
// the rounds is shown. The program is linked with the objects of the library, whose inner functions it calls.
#import "PMPCommandBuffer.h"
#import "PMPRecurrentLayer.h"
#import "shim/shim.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { kStepsPerBlock = 500, kWarmUpSteps = 20, kRounds = 400 };

extern void *objc_autoreleasePoolPush(void);
extern void objc_autoreleasePoolPop(void *pool);

// What is timed

static pymps_device *device;
static pymps_layer *layer;
static pymps_stream *stream;
static NSArray *sources, *destinations;
static NSMutableArray *states;
static id<MTLCommandQueue> queue;
static PMPCommandBuffer *turns[2]; // each reads the state that the other writes
static MPSRNNMatrixInferenceLayer *kernel;
static const pymps_engine_layer *engine;
static PMPRecurrentStatePool *pool;

@implementation MPSRNNMatrixInferenceLayer (CallPath)
- (const pymps_engine_layer *)engineLayer {
    return _layer->_stack->_whole.cells[0].layer;
}
- (PMPRecurrentStatePool *)newStatePool {
    return PMPRecurrentStatePoolCreate(_layer->_stack, _device);
}
@end

static void run_kernel(size_t steps) {
    static float *x, *y, *memory[2][2];
    static void *workspace;
    size_t inputs = kernel.inputFeatureChannels, outputs = kernel.outputFeatureChannels;
    if (x == NULL) {
        x = aligned_alloc(64, (inputs + 16) * sizeof *x / 64 * 64);
        y = aligned_alloc(64, (outputs + 16) * sizeof *y / 64 * 64);
        memset(x, 0, inputs * sizeof *x);
        for (int i = 0; i < 4; i++) {
            memory[i / 2][i % 2] = aligned_alloc(64, (outputs + 16) * sizeof(float) / 64 * 64);
            memset(memory[i / 2][i % 2], 0, outputs * sizeof(float));
        }
        workspace = aligned_alloc(64, (pymps_engine_workspace_bytes(engine, 1, 1) + 64) / 64 * 64);
    }
    const pymps_engine_matrix source = {x, 1, inputs * sizeof *x, PYMPS_ENGINE_FLOAT32};
    const pymps_engine_matrix destination = {y, 1, outputs * sizeof *y, PYMPS_ENGINE_FLOAT32};
    for (size_t step = 0; step < steps; step++) {
        float **before = memory[step % 2], **after = memory[(step + 1) % 2];
        const pymps_engine_state from = {before[0], before[1], outputs}, to = {after[0], after[1], outputs};
        const pymps_engine_sequence sequence = {1, &source, &destination, &from, &to, 1, false, 0, 0};
        pymps_engine_layer_run(engine, &sequence, workspace, NULL);
    }
}

static void commit_again(size_t steps) {
    for (size_t step = 0; step < steps; step++)
        [turns[step % 2] commitAgain];
}

static void commit_again_and_wait(size_t steps) {
    const pmp_call call = {.index = PMP_NO_INDEX};
    for (size_t step = 0; step < steps; step++) {
        [turns[step % 2] commitAgain];
        pmp_wait(&call, turns[step % 2]);
    }
}

static void push_pools(size_t steps) {
    for (size_t step = 0; step < steps; step++)
        objc_autoreleasePoolPop(objc_autoreleasePoolPush());
}

static void cross_border(size_t steps) {
    pymps_error error;
    for (size_t step = 0; step < steps; step++)
        pmp_enter(__func__, &error, ^pymps_status(const pmp_call *call) {
            return call->error == NULL;
        });
}

static void step_stream(size_t steps) {
    pymps_error error;
    for (size_t step = 0; step < steps; step++)
        backend.stream_step(stream, &error);
}

// The way of a device whose command buffers can't be committed again.

static void make_command_buffers(size_t steps) {
    for (size_t step = 0; step < steps; step++) {
        void *token = objc_autoreleasePoolPush();
        [queue commandBufferWithUnretainedReferences];
        objc_autoreleasePoolPop(token);
    }
}

static void take_states(size_t steps) {
    for (size_t step = 0; step < steps; step++)
        [PMPRecurrentStatePoolTake(pool, (PMPRecurrentShape){.steps = 1, .rows = 1}) release];
}

static id<MTLCommandBuffer> encode(void) {
    id<MTLCommandBuffer> commandBuffer = [queue commandBufferWithUnretainedReferences];
    [kernel encodeSequenceToCommandBuffer:commandBuffer
                           sourceMatrices:sources
                      destinationMatrices:destinations
                      recurrentInputState:states.count > 0 ? [states objectAtIndex:0] : nil
                    recurrentOutputStates:states];
    if (states.count > 1)
        [states removeObjectAtIndex:0];
    return commandBuffer;
}

static void encode_steps(size_t steps) {
    for (size_t step = 0; step < steps; step++) {
        void *token = objc_autoreleasePoolPush();
        encode();
        objc_autoreleasePoolPop(token);
    }
}

static void encode_and_run_steps(size_t steps) {
    const pmp_call call = {.index = PMP_NO_INDEX};
    for (size_t step = 0; step < steps; step++) {
        void *token = objc_autoreleasePoolPush();
        pmp_finish(&call, encode());
        objc_autoreleasePoolPop(token);
    }
}

// How it is timed

enum { kKernel, kCommit, kWait, kPool, kBorder, kStep, kBuffer, kState, kEncode, kEncodeAndRun, kStretchCount };

static void (*const stretches[kStretchCount])(size_t steps) = {
    [kKernel] = run_kernel,           [kCommit] = commit_again,
    [kWait] = commit_again_and_wait,  [kPool] = push_pools,
    [kBorder] = cross_border,         [kStep] = step_stream,
    [kBuffer] = make_command_buffers, [kState] = take_states,
    [kEncode] = encode_steps,         [kEncodeAndRun] = encode_and_run_steps,
};

static double samples[kStretchCount][kRounds]; // nanoseconds of a step

static double nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void measure(void) {
    int order[kStretchCount];
    for (int i = 0; i < kStretchCount; i++)
        order[i] = i;
    for (int round = 0; round < kRounds; round++) {
        for (int left = kStretchCount; left > 0; left--) {
            int drawn = rand() % left, stretch = order[drawn];
            order[drawn] = order[left - 1];
            order[left - 1] = stretch;
            stretches[stretch](kWarmUpSteps);
            double start = nanoseconds();
            stretches[stretch](kStepsPerBlock);
            samples[stretch][round] = (nanoseconds() - start) / kStepsPerBlock;
        }
    }
}

static int compare(const void *a, const void *b) {
    double difference = *(const double *)a - *(const double *)b;
    return (difference > 0) - (difference < 0);
}

/// The stretch `whole` without the stretches `a` and `b`; -1: none.
static void print_part(const char *name, int whole, int a, int b) {
    double parts[kRounds];
    for (int round = 0; round < kRounds; round++)
        parts[round] = samples[whole][round] - (a < 0 ? 0 : samples[a][round]) - (b < 0 ? 0 : samples[b][round]);
    qsort(parts, kRounds, sizeof *parts, compare);
    printf("  %-58s %7.1f (%.1f to %.1f)\n", name, parts[kRounds / 2], parts[kRounds / 4], parts[kRounds * 3 / 4]);
}

// What it is timed with

static void require(pymps_status status, const pymps_error *error) {
    if (status != PYMPS_OK) {
        fprintf(stderr, "%s\n", error->text);
        exit(1);
    }
}

static void open_layer(size_t inputs, size_t outputs) {
    enum { kSigmoid = 3, kTanH = 5 };
    pymps_error error;
    pymps_descriptor *descriptor;
    require(backend.device_open(0, 1, &device, &error), &error);
    require(backend.lstm_descriptor_create(inputs, outputs, &descriptor, &error), &error);
    float *numbers = calloc(outputs * (inputs > outputs ? inputs : outputs), sizeof *numbers);
    for (int gate = 0; gate < 4; gate++) {
        pymps_matrix_id id = PYMPS_LSTM_INPUT_GATE_INPUT_WEIGHTS + 4 * gate;
        pymps_weights weights = {.data = numbers,
                                 .data_type = PYMPS_FLOAT32,
                                 .output_feature_channels = outputs,
                                 .input_feature_channels = inputs,
                                 .neuron = {.type = gate == 2 ? kTanH : kSigmoid, .a = 1, .b = 1}};
        require(backend.descriptor_set_weights(descriptor, id, &weights, &error), &error);
        weights.input_feature_channels = outputs;
        weights.neuron = (pymps_neuron){0};
        require(backend.descriptor_set_weights(descriptor, id + 1, &weights, &error), &error);
    }
    free(numbers);
    backend.descriptor_set_use_float32_weights(descriptor, true);
    require(backend.layer_create(device, &descriptor, 1, &layer, &error), &error);
    backend.descriptor_release(descriptor);
    require(backend.stream_create(layer, 1, &stream, &error), &error);
}

static NSArray *one_matrix(size_t columns) {
    id<MTLBuffer> buffer = [device->device newBufferWithLength:columns * sizeof(float)
                                                       options:MTLResourceStorageModeShared];
    return [@[ pmp_matrix_make(buffer, 1, columns, columns * sizeof(float), PYMPS_FLOAT32) ] retain];
}

static void open_portable(size_t inputs, size_t outputs) {
    kernel = layer->layer;
    engine = [kernel engineLayer];
    pool = [kernel newStatePool];
    queue = [device->device newCommandQueue];
    sources = one_matrix(inputs);
    destinations = one_matrix(outputs);
    states = [NSMutableArray new];
    encode_and_run_steps(2);
    for (int turn = 0; turn < 2; turn++) {
        turns[turn] = [encode() retain];
        [turns[turn] commit];
    }
}

static void *wait_for_ever(void *unused) {
    pause();
    return unused;
}

int main(int count, char **arguments) {
    size_t inputs = count > 2 ? strtoul(arguments[1], NULL, 10) : 16;
    size_t outputs = count > 2 ? strtoul(arguments[2], NULL, 10) : 16;
    pthread_t thread; // locks are cheaper in a process of one thread, which Python's with NumPy never is
    pthread_create(&thread, NULL, wait_for_ever, NULL);
    @autoreleasepool {
        open_layer(inputs, outputs);
        open_portable(inputs, outputs);
    }
    measure();
    printf("stream_step of an LSTM of (%zu, %zu), nanoseconds (median, and the quartiles)\n", inputs, outputs);
    print_part("kernel", kKernel, -1, -1);
    print_part("commit: the queue, and the kernel's record", kCommit, kKernel, -1);
    print_part("wait, and whether there was an error", kWait, kCommit, -1);
    print_part("border: autorelease pool", kPool, -1, -1);
    print_part("border: exceptions, and the block that is called", kBorder, kPool, -1);
    print_part("the stream's own: whose turn it is", kStep, kWait, kBorder);
    print_part("in all", kStep, -1, -1);
    printf("the same where each step is encoded anew\n");
    print_part("command buffer, and back to its queue", kBuffer, kPool, -1);
    print_part("encode", kEncode, kBuffer, kState);
    print_part("state: taken from the layer, and given back", kState, -1, -1);
    print_part("commit, wait, and the objects that are let go", kEncodeAndRun, kEncode, kKernel);
    print_part("kernel, autorelease pool", kPool, -1, -1);
    print_part("in all, without border and stream", kEncodeAndRun, -1, -1);
    return 0;
}
