// Memory that runs out, buffer by buffer: making a kernel gives nil, encoding raises, and nothing of the caller's has
// changed.
#import "PMPDevice.h"
#import "mps_image_layer.h"
#import "mps_optimizer.h"
#import "mps_training_passes.h"
#import <objc/runtime.h>

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

/// Does it all again and again, each time with memory for one more buffer, until it succeeds, with `buffers`. `encode`
/// is what may fail; what `prepare` has made is then as before, and its command buffer runs.
static void check_failures(unsigned buffers, void (^prepare)(id<MTLCommandBuffer> commandBuffer),
                           void (^encode)(id<MTLCommandBuffer> commandBuffer), bool (^isUnchanged)(void)) {
    bool hasFailed = true;
    unsigned count = 0;
    for (; hasFailed; count++) {
        id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
        prepare(commandBuffer);
        NSString *name = nil;
        granted = count;
        @try {
            encode(commandBuffer);
        } @catch (NSException *exception) {
            name = exception.name;
        }
        granted = LONG_MAX;
        hasFailed = name != nil;
        CHECK(!hasFailed || ([name isEqual:NSMallocException] && isUnchanged()));
        run(commandBuffer);
    }
    CHECK(count == buffers + 1);
}

static MPSTemporaryMatrix *make_temporary(id<MTLCommandBuffer> commandBuffer, NSUInteger rows, NSUInteger columns) {
    MPSMatrixDescriptor *descriptor = [MPSMatrixDescriptor matrixDescriptorWithRows:rows
                                                                            columns:columns
                                                                           rowBytes:columns * sizeof(float)
                                                                           dataType:MPSDataTypeFloat32];
    return [MPSTemporaryMatrix temporaryMatrixWithCommandBuffer:commandBuffer matrixDescriptor:descriptor];
}

static NSArray<MPSMatrix *> *make_temporary_steps(id<MTLCommandBuffer> commandBuffer, NSUInteger columns) {
    NSMutableArray<MPSMatrix *> *matrices = [NSMutableArray array];
    for (NSUInteger step = 0; step < kSteps; step++) {
        [matrices addObject:make_temporary(commandBuffer, stepRows[step], columns)];
    }
    return matrices;
}

static NSUInteger reads(NSArray *temporaries) {
    NSUInteger sum = 0;
    for (MPSTemporaryMatrix *temporary in temporaries) {
        sum += temporary.readCount;
    }
    return sum;
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

/// Under `options` without checks what is encoded is looked at for the first time when all else is done.
static void check_forward_passes(MPSKernelOptions options) {
    check_failures(
        13,
        ^(id<MTLCommandBuffer> commandBuffer) {
            set_up(make_lstm(kInputs, kOutputs, NO, 2), MPSDataTypeFloat32);
            p.layer.storeAllIntermediateStates = p.layer.trainingStateIsTemporary = YES;
            p.layer.options = options;
            p.x = make_temporary_steps(commandBuffer, kInputs);
            [p.tapes addObject:(id) @"before"];
            [p.states addObject:(id) @"before"];
        },
        ^(id<MTLCommandBuffer> commandBuffer) {
            encode_forward(commandBuffer, nil);
        },
        ^bool(void) {
            return p.tapes.count == 1 && p.states.count == 1 && reads(p.x) == kSteps;
        });
    CHECK(p.tapes.count == 1 + kSteps && p.states.count == 1 + kSteps && reads(p.x) == 0);
}

static void check_gradient_passes(MPSKernelOptions options) {
    check_failures(
        22,
        ^(id<MTLCommandBuffer> commandBuffer) {
            set_up(make_gru(kInputs, kOutputs, 3), MPSDataTypeFloat32);
            p.layer.storeAllIntermediateStates = p.layer.trainingStateIsTemporary = YES;
            p.layer.options = options;
            encode_forward(commandBuffer, nil);
            p.dy = make_temporary_steps(commandBuffer, kOutputs);
            p.dx = make_temporary_steps(commandBuffer, kInputs);
            [p.stateGradients addObject:(id) @"before"];
        },
        ^(id<MTLCommandBuffer> commandBuffer) {
            encode_gradient(commandBuffer, allSteps, nil);
        },
        ^bool(void) {
            return p.stateGradients.count == 1 && reads(p.tapes) == kSteps && reads(p.dy) == kSteps;
        });
    CHECK(p.stateGradients.count == 1 + kSteps && reads(p.tapes) == 0 && reads(p.dy) == 0 && reads(p.dx) == kSteps);
}

static void test_passes(void) {
    for (int skips = 0; skips < 2; skips++) {
        check_forward_passes(skips ? MPSKernelOptionsSkipAPIValidation : MPSKernelOptionsNone);
        check_gradient_passes(skips ? MPSKernelOptionsSkipAPIValidation : MPSKernelOptionsNone);
    }
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

/// Weights that nobody has looked at yet have no memory.
static void test_copies_of_weights(void) {
    NSMutableArray<MPSMatrix *> *weights = [NSMutableArray array];
    check_failures(
        13,
        ^(id<MTLCommandBuffer> commandBuffer) {
            (void)commandBuffer;
            set_up(make_lstm(kInputs, kOutputs, NO, 5), MPSDataTypeFloat32);
            [weights removeAllObjects];
            [p.layer createWeightMatrices:weights];
        },
        ^(id<MTLCommandBuffer> commandBuffer) {
            [p.layer encodeCopyWeightsToCommandBuffer:commandBuffer
                                              weights:weights
                                             matrixId:MPSRNNMatrixIdLSTMOutputGateRecurrentWeights
                                               matrix:make_matrix(kOutputs, kOutputs)
                              copyFromWeightsToMatrix:YES
                                         matrixOffset:(MTLOrigin){0, 0, 0}];
        },
        ^bool(void) {
            return weights.count == 12;
        });
}

static void test_optimizers(void) {
    for (int skips = 0; skips < 2; skips++) {
        MPSNNOptimizerAdam *adam = [[[MPSNNOptimizerAdam alloc] initWithDevice:device learningRate:0.5f] autorelease];
        adam.options = skips ? MPSKernelOptionsSkipAPIValidation : MPSKernelOptionsNone;
        __block Operands o;
        check_failures(
            6,
            ^(id<MTLCommandBuffer> commandBuffer) {
                o = (Operands){.gradient = make_temporary(commandBuffer, 2, 3),
                               .values = make_matrix(2, 3),
                               .result = make_matrix(2, 3),
                               .states = {make_temporary(commandBuffer, 2, 3), make_matrix(2, 3), make_matrix(2, 3)}};
            },
            ^(id<MTLCommandBuffer> commandBuffer) {
                encode_adam(commandBuffer, adam, &o);
            },
            ^bool(void) {
                return adam.timeStep == 0 && reads(@[ o.gradient, o.states[0] ]) == 2;
            });
        CHECK(adam.timeStep == 1 && reads(@[ o.gradient, o.states[0] ]) == 0);
    }
}

static MPSImage *make_small_image(void) {
    MPSImageDescriptor *descriptor =
        [MPSImageDescriptor imageDescriptorWithChannelFormat:MPSImageFeatureChannelFormatFloat32
                                                       width:2
                                                      height:3
                                             featureChannels:4];
    return [[[MPSImage alloc] initWithDevice:device imageDescriptor:descriptor] autorelease];
}

static void test_copies_of_matrices(void) {
    MPSMatrixCopy *copy = [[[MPSMatrixCopy alloc] initWithDevice:device
                                                        copyRows:2
                                                     copyColumns:3
                                            sourcesAreTransposed:NO
                                       destinationsAreTransposed:NO] autorelease];
    MPSDataLayout layout = MPSDataLayoutHeightxWidthxFeatureChannels;
    MPSImageCopyToMatrix *toMatrix = [[[MPSImageCopyToMatrix alloc] initWithDevice:device
                                                                        dataLayout:layout] autorelease];
    MPSMatrixCopyToImage *toImage = [[[MPSMatrixCopyToImage alloc] initWithDevice:device
                                                                       dataLayout:layout] autorelease];
    __block MPSTemporaryMatrix *from;
    for (int skips = 0; skips < 2; skips++) {
        copy.options = toMatrix.options = toImage.options =
            skips ? MPSKernelOptionsSkipAPIValidation : MPSKernelOptionsNone;
        void (^prepare)(id<MTLCommandBuffer>) = ^(id<MTLCommandBuffer> commandBuffer) {
            from = make_temporary(commandBuffer, 2, 24);
        };
        bool (^isUnchanged)(void) = ^bool(void) {
            return from.readCount == 1;
        };
        check_failures(
            2, prepare,
            ^(id<MTLCommandBuffer> commandBuffer) {
                MPSMatrixCopyDescriptor *descriptor =
                    [MPSMatrixCopyDescriptor descriptorWithSourceMatrix:from
                                                      destinationMatrix:make_matrix(2, 3)
                                                                offsets:(MPSMatrixCopyOffsets){0, 0, 0, 0}];
                [copy encodeToCommandBuffer:commandBuffer copyDescriptor:descriptor];
            },
            isUnchanged);
        CHECK(from.readCount == 0);
        check_failures(
            2, prepare,
            ^(id<MTLCommandBuffer> commandBuffer) {
                [toImage encodeToCommandBuffer:commandBuffer sourceMatrix:from destinationImage:make_small_image()];
            },
            isUnchanged);
        CHECK(from.readCount == 0);
        check_failures(
            2, prepare,
            ^(id<MTLCommandBuffer> commandBuffer) {
                [toMatrix encodeToCommandBuffer:commandBuffer
                                    sourceImage:make_small_image()
                              destinationMatrix:make_matrix(1, 24)];
            },
            isUnchanged);
    }
}

/// The layers for inference, of matrices and of images.
static void test_inference(void) {
    NSMutableArray *states = [NSMutableArray array];
    bool (^isUnchanged)(void) = ^bool(void) {
        return states.count == 1;
    };
    __block MPSRNNMatrixInferenceLayer *layer;
    check_failures(
        4 * kSteps,
        ^(id<MTLCommandBuffer> commandBuffer) {
            (void)commandBuffer;
            layer = make_layer(make_lstm(kInputs, kOutputs, NO, 6));
            layer.storeAllIntermediateStates = YES;
            [states setArray:@[ @"before" ]];
        },
        ^(id<MTLCommandBuffer> commandBuffer) {
            [layer encodeSequenceToCommandBuffer:commandBuffer
                                  sourceMatrices:make_temporary_steps(commandBuffer, kInputs)
                             destinationMatrices:make_temporary_steps(commandBuffer, kOutputs)
                             recurrentInputState:nil
                           recurrentOutputStates:states];
        },
        isUnchanged);
    CHECK(states.count == 1 + kSteps);
    __block MPSRNNImageInferenceLayer *images;
    check_failures(
        2 + 2,
        ^(id<MTLCommandBuffer> commandBuffer) {
            (void)commandBuffer;
            images = make_image_layer(@[ image_lstm(3, 4, 4, kNoMemory, 1) ]);
            [states setArray:@[ @"before" ]];
        },
        ^(id<MTLCommandBuffer> commandBuffer) {
            [images encodeSequenceToCommandBuffer:commandBuffer
                                     sourceImages:@[ make_small_image() ]
                                destinationImages:@[ make_small_image() ]
                              recurrentInputState:nil
                            recurrentOutputStates:states];
        },
        isUnchanged);
    CHECK(states.count == 2);
}

int main(void) {
    void (*const tests[])(void) = {
        take_over_memory, test_making_a_training_layer, test_passes,    test_passes_afterwards, test_copies_of_weights,
        test_optimizers,  test_copies_of_matrices,      test_inference,
    };
    return run_tests(tests, sizeof tests / sizeof tests[0]);
}
