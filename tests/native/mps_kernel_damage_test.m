// Archives and copies of the kernels that training has beside recurrent layers for inference: whole, damaged, forged.
#import "mps_damage.h"
#import "mps_optimizer.h"

static const uint8_t flips[] = {0x01, 0x10, 0x80, 0xff};

/// With a PReLU, whose slopes an archive holds too.
static MPSRNNMatrixTrainingLayer *make_trained(void) {
    MPSRNNSingleGateDescriptor *gate = make_single_gate(2, 1, 1);
    source_of(gate, 0)->descriptor.fusedNeuronDescriptor =
        [MPSNNNeuronDescriptor cnnNeuronPReLUDescriptorWithData:test_numbers(1, 2) noCopy:false];
    MPSRNNMatrixTrainingLayer *layer = make_training(gate, [NSMutableArray array]);
    layer.storeAllIntermediateStates = layer.accumulateWeightGradients = YES;
    return layer;
}

/// One of each class, no property of which is its default; made anew, as a test may change them.
static NSArray<MPSKernel *> *make_kernels(void) {
    MPSNNOptimizerDescriptor *descriptor = make_descriptor(2);
    MPSImageCopyToMatrix *toMatrix =
        [[[MPSImageCopyToMatrix alloc] initWithDevice:device
                                           dataLayout:MPSDataLayoutHeightxWidthxFeatureChannels] autorelease];
    toMatrix.destinationMatrixOrigin = (MTLOrigin){1, 2, 0};
    toMatrix.destinationMatrixBatchIndex = 1;
    MPSMatrixCopyToImage *toImage =
        [[[MPSMatrixCopyToImage alloc] initWithDevice:device
                                           dataLayout:MPSDataLayoutHeightxWidthxFeatureChannels] autorelease];
    toImage.sourceMatrixOrigin = (MTLOrigin){3, 4, 0};
    toImage.sourceMatrixBatchIndex = 2;
    NSArray<MPSKernel *> *kernels = @[
        make_trained(),
        [[[MPSNNOptimizerStochasticGradientDescent alloc] initWithDevice:device
                                                           momentumScale:0.5f
                                                     useNesterovMomentum:YES
                                                     optimizerDescriptor:descriptor] autorelease],
        [[[MPSNNOptimizerRMSProp alloc] initWithDevice:device decay:0.75 epsilon:0.5f
                                   optimizerDescriptor:descriptor] autorelease],
        [[[MPSNNOptimizerAdam alloc] initWithDevice:device
                                              beta1:0.75
                                              beta2:0.875
                                            epsilon:0.5f
                                           timeStep:9
                                optimizerDescriptor:descriptor] autorelease],
        [[[MPSMatrixCopy alloc] initWithDevice:device
                                      copyRows:2
                                   copyColumns:3
                          sourcesAreTransposed:YES
                     destinationsAreTransposed:YES] autorelease],
        toMatrix,
        toImage,
    ];
    for (MPSKernel *kernel in kernels) {
        kernel.label = @"näme";
        kernel.options = MPSKernelOptionsVerbose;
    }
    return kernels;
}

static NSSet<Class> *class_of(MPSKernel *kernel) {
    return [NSSet setWithObject:[kernel class]];
}

static void test_round_trips_and_copies(void) {
    for (MPSKernel *kernel in make_kernels()) {
        NSData *data = archived(kernel);
        MPSKernel *read = survivor(data, class_of(kernel));
        CHECK([archived(read) isEqual:data]);
        CHECK([archived([[kernel copy] autorelease]) isEqual:data]);
        MPSKernel *copy = [[kernel copyWithZone:NULL device:device] autorelease];
        kernel.label = @"another";
        kernel.options = MPSKernelOptionsNone;
        CHECK([archived(copy) isEqual:data] && copy.device == device);
        CHECK(![archived(kernel) isEqual:data]);
    }
}

/// The bytes are refused, or the kernel that comes out is the one that went in: the damage hit none of its parts.
static void test_every_byte(void) {
    for (MPSKernel *kernel in make_kernels()) {
        NSData *expected = archived(kernel);
        NSMutableData *data = [[expected mutableCopy] autorelease];
        uint8_t *bytes = data.mutableBytes;
        unsigned refused = 0;
        for (NSUInteger place = 0; place < data.length; place++) {
            @autoreleasepool {
                bytes[place] ^= flips[place % sizeof flips];
                MPSKernel *survived = survivor(data, class_of(kernel));
                refused += survived == nil;
                CHECK(survived == nil || [archived(survived) isEqual:expected]);
                bytes[place] ^= flips[place % sizeof flips];
            }
        }
        CHECK(refused > data.length * 8 / 10 && survivor(data, class_of(kernel)) != nil);
    }
}

static void test_every_length(void) {
    for (MPSKernel *kernel in make_kernels()) {
        NSData *data = archived(kernel);
        for (NSUInteger length = 0; length < data.length; length++) {
            @autoreleasepool {
                CHECK(survivor([data subdataWithRange:NSMakeRange(0, length)], class_of(kernel)) == nil);
            }
        }
    }
}

/// Another kernel's archive is none of this class's.
static void test_other_classes(void) {
    NSArray<MPSKernel *> *kernels = make_kernels();
    for (NSUInteger i = 0; i < kernels.count; i++) {
        for (NSUInteger j = 0; j < kernels.count; j++) {
            MPSKernel *read = survivor(archived([kernels objectAtIndex:i]), class_of([kernels objectAtIndex:j]));
            CHECK((read != nil) == (i == j));
        }
    }
}

// Forged checksums: what comes out may be another kernel, which then runs, or refuses what it is given.

static void use_layer(MPSRNNMatrixTrainingLayer *layer, id<MTLCommandBuffer> commandBuffer) {
    if (layer.inputFeatureChannels != 2 || layer.outputFeatureChannels != 1) {
        return;
    }
    NSMutableArray<MPSMatrix *> *weights = [NSMutableArray array], *gradients = [NSMutableArray array];
    [layer createWeightMatrices:weights];
    [layer createWeightGradientMatrices:gradients dataType:MPSDataTypeFloat32];
    NSArray<MPSMatrix *> *x = make_sequence(2, 3, 2, 1), *y = make_sequence(2, 3, 1, 2),
                         *dy = make_sequence(2, 3, 1, 3);
    NSMutableArray<MPSRNNMatrixTrainingState *> *tapes = [NSMutableArray array];
    [layer encodeForwardSequenceToCommandBuffer:commandBuffer
                                 sourceMatrices:x
                            destinationMatrices:y
                                 trainingStates:tapes
                                        weights:weights];
    [layer encodeGradientSequenceToCommandBuffer:commandBuffer
                                  forwardSources:x
                                 sourceGradients:dy
                            destinationGradients:make_sequence(2, 3, 2, 4)
                                 weightGradients:gradients
                                  trainingStates:tapes
                                         weights:weights];
}

static void use_optimizer(MPSNNOptimizer *optimizer, id<MTLCommandBuffer> commandBuffer) {
    CHECK(optimizer.regularizationType <= MPSNNRegularizationTypeL2);
    Operands o = {.gradient = make_matrix(2, 3), .values = make_matrix(2, 3)};
    o.result = o.values;
    o.states[0] = make_matrix(2, 3);
    o.states[1] = make_matrix(2, 3);
    fill_matrix(o.gradient, 1);
    encoder encode = [optimizer isKindOfClass:[MPSNNOptimizerAdam class]]      ? encode_adam
                     : [optimizer isKindOfClass:[MPSNNOptimizerRMSProp class]] ? encode_rms
                                                                               : encode_sgd;
    encode(commandBuffer, optimizer, &o);
}

static void use_copy(MPSKernel *copy, id<MTLCommandBuffer> commandBuffer) {
    MPSMatrix *from = make_matrix(5, 6), *to = make_matrix(5, 6);
    MPSMatrixDescriptor *several = [MPSMatrixDescriptor matrixDescriptorWithRows:5
                                                                         columns:6
                                                                        matrices:3
                                                                        rowBytes:24
                                                                     matrixBytes:120
                                                                        dataType:MPSDataTypeFloat32];
    MPSMatrix *batch = [[[MPSMatrix alloc] initWithDevice:device descriptor:several] autorelease];
    MPSImageDescriptor *descriptor =
        [MPSImageDescriptor imageDescriptorWithChannelFormat:MPSImageFeatureChannelFormatFloat32
                                                       width:1
                                                      height:1
                                             featureChannels:1];
    MPSImage *image = [[[MPSImage alloc] initWithDevice:device imageDescriptor:descriptor] autorelease];
    if ([copy isKindOfClass:[MPSImageCopyToMatrix class]]) {
        [(MPSImageCopyToMatrix *)copy encodeToCommandBuffer:commandBuffer sourceImage:image destinationMatrix:batch];
    } else if ([copy isKindOfClass:[MPSMatrixCopyToImage class]]) {
        [(MPSMatrixCopyToImage *)copy encodeToCommandBuffer:commandBuffer sourceMatrix:batch destinationImage:image];
    } else {
        const MPSMatrixCopyOffsets zeros = {0, 0, 0, 0};
        [(MPSMatrixCopy *)copy encodeToCommandBuffer:commandBuffer
                                      copyDescriptor:[MPSMatrixCopyDescriptor descriptorWithSourceMatrix:from
                                                                                       destinationMatrix:to
                                                                                                 offsets:zeros]];
    }
}

static bool runs(MPSKernel *kernel) {
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    bool isEncoded = true;
    @try {
        if ([kernel isKindOfClass:[MPSRNNMatrixTrainingLayer class]]) {
            use_layer((MPSRNNMatrixTrainingLayer *)kernel, commandBuffer);
        } else if ([kernel isKindOfClass:[MPSNNOptimizer class]]) {
            use_optimizer((MPSNNOptimizer *)kernel, commandBuffer);
        } else {
            use_copy(kernel, commandBuffer);
        }
    } @catch (NSException *exception) {
        CHECK([exception.name isEqual:NSInvalidArgumentException]);
        isEncoded = false;
    }
    run(commandBuffer);
    return isEncoded;
}

static void check_forged(MPSKernel *kernel) {
    NSMutableData *data = [[archived(kernel) mutableCopy] autorelease];
    NSUInteger checksum = 0;
    NSRange list = find_list(data, 100, &checksum);
    CHECK(list.location != NSNotFound);
    uint8_t *bytes = data.mutableBytes;
    unsigned refused = 0, ran = 0;
    for (NSUInteger place = list.location; place < NSMaxRange(list); place++) {
        for (size_t i = 0; i < sizeof flips; i++) {
            @autoreleasepool {
                bytes[place] ^= flips[i];
                write_number(data, checksum, fnv1a([data subdataWithRange:list]));
                MPSKernel *forged = survivor(data, class_of(kernel));
                refused += forged == nil;
                ran += forged != nil && runs(forged);
                bytes[place] ^= flips[i];
            }
        }
    }
    CHECK(refused > 0 && ran > 0);
}

static void test_forged_checksums(void) {
    for (MPSKernel *kernel in make_kernels()) {
        check_forged(kernel);
    }
}

/// A device that none of this library's classes runs on.
static void test_other_devices(void) {
    for (MPSKernel *kernel in make_kernels()) {
        NSError *error = nil;
        CHECK([MPSKeyedUnarchiver unarchivedObjectOfClasses:class_of(kernel)
                                                   fromData:archived(kernel)
                                                     device:nothing
                                                      error:&error] == nil);
        CHECK(error != nil);
    }
    MPSNNOptimizerDescriptor *descriptor = make_descriptor(0);
    CHECK([[MPSNNOptimizerStochasticGradientDescent alloc] initWithDevice:nothing learningRate:1] == nil);
    CHECK([[MPSNNOptimizerRMSProp alloc] initWithDevice:nothing learningRate:1] == nil);
    CHECK([[MPSNNOptimizerAdam alloc] initWithDevice:nothing learningRate:1] == nil);
    CHECK([[MPSNNOptimizerRMSProp alloc] initWithDevice:nothing decay:0 epsilon:0
                                    optimizerDescriptor:descriptor] == nil);
    CHECK([[MPSImageCopyToMatrix alloc] initWithDevice:nothing] == nil);
    CHECK([[MPSMatrixCopyToImage alloc] initWithDevice:nothing] == nil);
    CHECK([[MPSMatrixCopy alloc] initWithDevice:nothing
                                       copyRows:1
                                    copyColumns:1
                           sourcesAreTransposed:NO
                      destinationsAreTransposed:NO] == nil);
    NSMutableArray<MPSMatrix *> *weights = [NSMutableArray array];
    CHECK([[MPSRNNMatrixTrainingLayer alloc] initWithDevice:nothing
                                              rnnDescriptor:make_single_gate(2, 1, 1)
                                           trainableWeights:weights] == nil);
    CHECK(weights.count == 0);
}

int main(void) {
    void (*const tests[])(void) = {
        test_round_trips_and_copies, test_every_byte,       test_every_length,
        test_other_classes,          test_forged_checksums, test_other_devices,
    };
    return run_tests(tests, sizeof tests / sizeof tests[0]);
}
