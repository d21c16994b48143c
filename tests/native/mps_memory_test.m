// Memory that runs out, the device's before each buffer and the process' before each allocation: making a kernel gives
// nil, encoding raises, and nothing of the caller's has changed.
#import "PMPDevice.h"
#import "mps_image_layer.h"
#import "mps_optimizer.h"
#import "mps_training_passes.h"
#import <objc/runtime.h>
#include "allocations.h"

static atomic_long granted = LONG_MAX; // buffers that the device still has memory for
static id (*make_buffer)(id, SEL, NSUInteger, MTLResourceOptions);

static id make_granted_buffer(id self, SEL selector, NSUInteger length, MTLResourceOptions options) {
    return atomic_fetch_sub(&granted, 1) > 0 ? make_buffer(self, selector, length, options) : nil;
}

static void take_over_memory(void) {
    Method method = class_getInstanceMethod([PMPDevice class], @selector(newBufferWithLength:options:));
    make_buffer =
        (id(*)(id, SEL, NSUInteger, MTLResourceOptions))method_setImplementation(method, (IMP)make_granted_buffer);
}

// What may fail

static MPSKernelOptions
    options; // without checks, what is encoded is looked at for the first time when all else is done
static NSMutableArray *states;
static NSMutableArray<MPSMatrix *> *matrices;
static NSArray *temporaries; // that are read
static MPSTemporaryMatrix *from;
static MPSMatrix *to;
static MPSImage *image;
static MPSKernel *kernel;

static MPSTemporaryMatrix *make_temporary(id<MTLCommandBuffer> commandBuffer, NSUInteger rows, NSUInteger columns) {
    MPSMatrixDescriptor *descriptor = [MPSMatrixDescriptor matrixDescriptorWithRows:rows
                                                                            columns:columns
                                                                           rowBytes:columns * sizeof(float)
                                                                           dataType:MPSDataTypeFloat32];
    return [MPSTemporaryMatrix temporaryMatrixWithCommandBuffer:commandBuffer matrixDescriptor:descriptor];
}

static NSArray<MPSMatrix *> *make_temporary_steps(id<MTLCommandBuffer> commandBuffer, NSUInteger columns) {
    NSMutableArray<MPSMatrix *> *steps = [NSMutableArray array];
    for (NSUInteger step = 0; step < kSteps; step++) {
        [steps addObject:make_temporary(commandBuffer, stepRows[step], columns)];
    }
    return steps;
}

/// Reads that are left.
static NSUInteger reads(void) {
    NSUInteger sum = 0;
    for (MPSTemporaryMatrix *temporary in temporaries) {
        sum += temporary.readCount;
    }
    return sum;
}

static void set_up_temporaries(MPSRNNDescriptor *descriptor) {
    set_up(descriptor, MPSDataTypeFloat32);
    p.layer.storeAllIntermediateStates = p.layer.trainingStateIsTemporary = p.layer.recurrentOutputIsTemporary = YES;
    p.layer.options = options;
}

static void prepare_forward(id<MTLCommandBuffer> commandBuffer) {
    set_up_temporaries(make_lstm(kInputs, kOutputs, NO, 2));
    temporaries = p.x = make_temporary_steps(commandBuffer, kInputs);
    [p.tapes addObject:(id) @"before"];
    [p.states addObject:(id) @"before"];
}

static void encode_forward_pass(id<MTLCommandBuffer> commandBuffer) {
    encode_forward(commandBuffer, nil);
}

static bool is_before_forward(void) {
    return p.tapes.count == 1 && p.states.count == 1;
}

static void prepare_gradient(id<MTLCommandBuffer> commandBuffer) {
    set_up_temporaries(make_gru(kInputs, kOutputs, 3));
    encode_forward(commandBuffer, nil);
    p.dy = make_temporary_steps(commandBuffer, kOutputs);
    p.dx = make_temporary_steps(commandBuffer, kInputs);
    temporaries = [p.tapes arrayByAddingObjectsFromArray:(id)p.dy];
    [p.stateGradients addObject:(id) @"before"];
}

static void encode_gradient_pass(id<MTLCommandBuffer> commandBuffer) {
    encode_gradient(commandBuffer, allSteps, nil);
}

static bool is_before_gradient(void) {
    return p.stateGradients.count == 1;
}

static void prepare_weights(id<MTLCommandBuffer> commandBuffer) {
    set_up_temporaries(make_lstm(kInputs, kOutputs, NO, 5));
    matrices = [NSMutableArray array];
    [p.layer createTemporaryWeightGradientMatrices:matrices dataType:MPSDataTypeFloat32 commandBuffer:commandBuffer];
    temporaries = matrices;
    to = make_matrix(kOutputs, kOutputs);
}

static void encode_copy_of_weights(id<MTLCommandBuffer> commandBuffer) {
    [p.layer encodeCopyWeightsToCommandBuffer:commandBuffer
                                      weights:matrices
                                     matrixId:MPSRNNMatrixIdLSTMOutputGateRecurrentWeights
                                       matrix:to
                      copyFromWeightsToMatrix:YES
                                 matrixOffset:(MTLOrigin){0, 0, 0}];
}

static void prepare_creation(id<MTLCommandBuffer> commandBuffer) {
    prepare_weights(commandBuffer);
    [matrices setArray:@[ to ]];
    temporaries = nil;
}

static void create_temporary_gradients(id<MTLCommandBuffer> commandBuffer) {
    [p.layer createTemporaryWeightGradientMatrices:matrices dataType:MPSDataTypeFloat32 commandBuffer:commandBuffer];
}

static void create_gradients(id<MTLCommandBuffer> commandBuffer) {
    (void)commandBuffer;
    [p.layer createWeightGradientMatrices:matrices dataType:MPSDataTypeFloat32];
}

static bool is_before_creation(void) {
    return matrices.count == 1;
}

static Operands operands;

static void prepare_optimizer(id<MTLCommandBuffer> commandBuffer) {
    kernel = [[[MPSNNOptimizerAdam alloc] initWithDevice:device learningRate:0.5f] autorelease];
    kernel.options = options;
    from = make_temporary(commandBuffer, 2, 3);
    operands = (Operands){.gradient = from,
                          .values = make_matrix(2, 3),
                          .result = make_matrix(2, 3),
                          .states = {make_temporary(commandBuffer, 2, 3), make_matrix(2, 3), make_matrix(2, 3)}};
    temporaries = @[ from, operands.states[0] ];
}

static void encode_optimizer(id<MTLCommandBuffer> commandBuffer) {
    encode_adam(commandBuffer, (MPSNNOptimizerAdam *)kernel, &operands);
}

static bool is_before_optimizer(void) {
    return ((MPSNNOptimizerAdam *)kernel).timeStep == 0;
}

static void prepare_copy(id<MTLCommandBuffer> commandBuffer) {
    MPSImageDescriptor *descriptor =
        [MPSImageDescriptor imageDescriptorWithChannelFormat:MPSImageFeatureChannelFormatFloat32
                                                       width:2
                                                      height:3
                                             featureChannels:4];
    image = [MPSTemporaryImage temporaryImageWithCommandBuffer:commandBuffer imageDescriptor:descriptor];
    from = make_temporary(commandBuffer, 2, 24);
    to = make_matrix(2, 24);
    temporaries = @[ from ];
}

static MPSMatrixCopyDescriptor *copies;

static void prepare_matrix_copy(id<MTLCommandBuffer> commandBuffer) {
    prepare_copy(commandBuffer);
    kernel = [[[MPSMatrixCopy alloc] initWithDevice:device
                                           copyRows:2
                                        copyColumns:3
                               sourcesAreTransposed:NO
                          destinationsAreTransposed:NO] autorelease];
    kernel.options = options;
    copies = [MPSMatrixCopyDescriptor descriptorWithSourceMatrix:from
                                               destinationMatrix:to
                                                         offsets:(MPSMatrixCopyOffsets){0, 0, 0, 0}];
}

static void encode_matrix_copy(id<MTLCommandBuffer> commandBuffer) {
    [(MPSMatrixCopy *)kernel encodeToCommandBuffer:commandBuffer copyDescriptor:copies];
}

static void encode_copy_to_image(id<MTLCommandBuffer> commandBuffer) {
    MPSMatrixCopyToImage *copy = [[[MPSMatrixCopyToImage alloc] initWithDevice:device] autorelease];
    copy.options = options;
    [copy encodeToCommandBuffer:commandBuffer sourceMatrix:from destinationImage:image];
}

static void prepare_copy_to_matrix(id<MTLCommandBuffer> commandBuffer) {
    prepare_copy(commandBuffer);
    temporaries = @[ image ];
}

static void encode_copy_to_matrix(id<MTLCommandBuffer> commandBuffer) {
    MPSImageCopyToMatrix *copy = [[[MPSImageCopyToMatrix alloc] initWithDevice:device] autorelease];
    copy.options = options;
    [copy encodeToCommandBuffer:commandBuffer sourceImage:image destinationMatrix:to];
}

static void prepare_matrices(id<MTLCommandBuffer> commandBuffer) {
    MPSRNNMatrixInferenceLayer *layer = make_layer(make_lstm(kInputs, kOutputs, NO, 6));
    layer.storeAllIntermediateStates = YES;
    layer.options = options;
    kernel = layer;
    temporaries = p.x = make_temporary_steps(commandBuffer, kInputs);
    p.y = make_temporary_steps(commandBuffer, kOutputs);
    states = [NSMutableArray arrayWithObject:@"before"];
}

static void encode_matrices(id<MTLCommandBuffer> commandBuffer) {
    [(MPSRNNMatrixInferenceLayer *)kernel encodeSequenceToCommandBuffer:commandBuffer
                                                         sourceMatrices:p.x
                                                    destinationMatrices:p.y
                                                    recurrentInputState:nil
                                                  recurrentOutputStates:states];
}

static bool is_before_inference(void) {
    return states.count == 1;
}

static void prepare_images(id<MTLCommandBuffer> commandBuffer) {
    kernel = make_image_layer(@[ image_lstm(3, 4, 4, kNoMemory, 1) ]);
    kernel.options = options;
    prepare_copy(commandBuffer);
    MPSImage *source = image;
    prepare_copy(commandBuffer);
    temporaries = @[ source ];
    states = [NSMutableArray arrayWithObject:@"before"];
}

static void encode_images(id<MTLCommandBuffer> commandBuffer) {
    [(MPSRNNImageInferenceLayer *)kernel encodeSequenceToCommandBuffer:commandBuffer
                                                          sourceImages:temporaries
                                                     destinationImages:@[ image ]
                                                   recurrentInputState:nil
                                                 recurrentOutputStates:states];
}

/// `encode` takes this many buffers. Where it fails, what `is_before` looks at is as before, and the command buffer
/// runs.
static const struct attempt {
    long buffers;
    void (*prepare)(id<MTLCommandBuffer> commandBuffer);
    void (*encode)(id<MTLCommandBuffer> commandBuffer);
    bool (*is_before)(void); // NULL: there is nothing to look at
} attempts[] = {
    {13, prepare_forward, encode_forward_pass, is_before_forward},
    {22, prepare_gradient, encode_gradient_pass, is_before_gradient},
    {13, prepare_weights, encode_copy_of_weights, NULL},
    {0, prepare_creation, create_gradients, is_before_creation},
    {0, prepare_creation, create_temporary_gradients, is_before_creation},
    {6, prepare_optimizer, encode_optimizer, is_before_optimizer},
    {2, prepare_matrix_copy, encode_matrix_copy, NULL},
    {2, prepare_copy, encode_copy_to_image, NULL},
    {2, prepare_copy_to_matrix, encode_copy_to_matrix, NULL},
    {16, prepare_matrices, encode_matrices, is_before_inference},
    {4, prepare_images, encode_images, is_before_inference},
};

// How it fails

/// The exception's name; nil where there was none.
static NSString *try_to(void (*encode)(id<MTLCommandBuffer>), id<MTLCommandBuffer> commandBuffer) {
    @try {
        encode(commandBuffer);
    } @catch (NSException *exception) {
        return exception.name;
    }
    return nil;
}

static void check_outcome(const struct attempt *attempt, NSString *name, id<MTLCommandBuffer> commandBuffer) {
    CHECK(name == nil || [name isEqual:NSMallocException]);
    CHECK(attempt->is_before == NULL || attempt->is_before() == (name != nil));
    run(commandBuffer);
}

static void check_buffers(const struct attempt *attempt) {
    for (long count = 0; count <= attempt->buffers; count++) {
        id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
        attempt->prepare(commandBuffer);
        granted = count;
        NSString *name = try_to(attempt->encode, commandBuffer);
        granted = LONG_MAX;
        CHECK((name == nil) == (count == attempt->buffers));
        CHECK(reads() == (name != nil ? temporaries.count : 0));
        check_outcome(attempt, name, commandBuffer);
    }
}

/// Of the calling thread alone.
static void check_allocations(const struct attempt *attempt) {
#ifdef COUNTS_ALLOCATIONS
    bool was_refused = true;
    for (long count = 0; was_refused; count++) {
        id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
        attempt->prepare(commandBuffer);
        allowed = count;
        NSString *name = try_to(attempt->encode, commandBuffer);
        was_refused = allowed < 0;
        allowed = LONG_MAX;
        check_outcome(attempt, name, commandBuffer);
    }
#else
    (void)attempt;
#endif
}

static void test_encoding(void) {
    for (int skips = 0; skips < 2; skips++) {
        options = skips ? MPSKernelOptionsSkipAPIValidation : MPSKernelOptionsNone;
        for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++) {
            check_buffers(&attempts[i]);
            check_allocations(&attempts[i]);
        }
    }
}

static void test_making_a_training_layer(void) {
    MPSRNNMatrixTrainingLayer *layer = nil;
    NSMutableArray<MPSMatrix *> *weights = [NSMutableArray arrayWithObject:make_matrix(1, 1)];
    for (long count = 0; layer == nil; count++) {
        CHECK(weights.count == 1);
        granted = count;
        layer = make_training(make_lstm(kInputs, kOutputs, YES, 1), weights);
        granted = LONG_MAX;
        CHECK((layer != nil) == (count == 16));
    }
    CHECK(weights.count == 17);
}

/// A layer that had no memory goes on.
static void test_passes_afterwards(void) {
    set_up(make_lstm(kInputs, kOutputs, NO, 4), MPSDataTypeFloat32);
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    granted = 1;
    CHECK_RAISES_NAMED(NSMallocException, @"recurrentOutputStates: no memory", encode_forward(commandBuffer, nil));
    granted = LONG_MAX;
    encode_forward(commandBuffer, nil);
    granted = 0;
    CHECK_RAISES_NAMED(NSMallocException, @"no memory", encode_gradient(commandBuffer, allSteps, nil));
    granted = LONG_MAX;
    encode_gradient(commandBuffer, allSteps, nil);
    run(commandBuffer);
    CHECK(y_is_right(1e-5) && steps_are_slopes(&p.problem, p.dx, p.problem.x, 1e-5));
    CHECK(are_slopes(&p.problem, p.layer, p.gradients, 1e-5));
}

int main(void) {
    void (*const tests[])(void) = {
        take_over_memory,
        test_encoding,
        test_making_a_training_layer,
        test_passes_afterwards,
    };
    return run_tests(tests, sizeof tests / sizeof tests[0]);
}
