// The numbers of MPSRNNImageInferenceLayer: all kinds of layers, states, stacks and both directions.
#import "mps_image_layer.h"

enum { kSteps = 3 };
static const double kTolerance = 1e-4;

/// Runs a layer over random images in two parts and compares every output and state with the formulas.
static void check_layer(MPSRNNDescriptor *descriptor, Extent extent, unsigned seed) {
    MPSRNNImageInferenceLayer *layer = make_image_layer(@[ descriptor ]);
    layer.storeAllIntermediateStates = YES;
    NSArray<MPSImage *> *x = make_images(kSteps, extent, descriptor.inputFeatureChannels, seed);
    NSArray<MPSImage *> *y = make_images(kSteps, extent, descriptor.outputFeatureChannels, seed + 50);
    NSRange first = NSMakeRange(0, 1), rest = NSMakeRange(1, kSteps - 1);
    NSMutableArray<MPSRNNRecurrentImageState *> *states = [NSMutableArray array];
    [states addObjectsFromArray:run_images(layer, [x subarrayWithRange:first], [y subarrayWithRange:first], nil)];
    [states addObjectsFromArray:run_images(layer, [x subarrayWithRange:rest], [y subarrayWithRange:rest],
                                           states.lastObject)];
    CHECK(states.count == kSteps);

    BOOL hasCell = [descriptor isKindOfClass:[MPSLSTMDescriptor class]];
    NSMutableData *h = make_doubles(pixel_count(extent) * descriptor.outputFeatureChannels);
    NSMutableData *c = make_doubles(pixel_count(extent) * descriptor.outputFeatureChannels);
    for (NSUInteger step = 0; step < kSteps; step++) {
        image_step(descriptor, extent, doubles_of(image_numbers(image_of(x, step))).bytes, h.mutableBytes,
                   c.mutableBytes);
        MPSRNNRecurrentImageState *state = [states objectAtIndex:step];
        CHECK(is_near(image_numbers(image_of(y, step)), h, kTolerance));
        CHECK(is_near(state_numbers(state, 0, NO), h, kTolerance));
        CHECK(is_near(state_numbers(state, 0, YES), hasCell ? c : [NSData data], kTolerance));
        CHECK(([state getMemoryCellImageForLayerIndex:0] != nil) == hasCell);
        CHECK([state getRecurrentOutputImageForLayerIndex:1] == nil);
    }
}

/// Sizes and kernels of all kinds; the kernels of a gate differ from those of the next, and may be larger than images.
static void test_random_layers(void) {
    for (unsigned seed = 0; seed < 24; seed++) {
        Extent extent = {1 + test_choice(seed, 1, 3), 1 + test_choice(seed, 2, 6), 1 + test_choice(seed, 3, 9)};
        NSUInteger inputs = 1 + test_choice(seed, 4, 6), outputs = 1 + test_choice(seed, 5, 9);
        NSUInteger most = seed % 5 == 0 ? 1 : 4;
        @autoreleasepool {
            check_layer(image_lstm(most, inputs, outputs, (MemoryWeights)(seed % 3), 100 * seed), extent, seed);
            check_layer(image_gru(most, inputs, outputs, 100 * seed + 1), extent, seed);
            check_layer(image_single_gate(most, inputs, outputs, 100 * seed + 2), extent, seed);
        }
    }
}

static void test_a_layer_of_many_channels(void) {
    check_layer(image_lstm(3, 24, 40, kFullMemory, 10), (Extent){2, 7, 10}, 1);
}

static void test_without_weights(void) {
    MPSLSTMDescriptor *lstm = image_lstm(3, 4, 5, kFullMemory, 20);
    lstm.forgetGateInputWeights = lstm.inputGateRecurrentWeights = lstm.outputGateMemoryWeights = nil;
    check_layer(lstm, (Extent){1, 4, 5}, 1);
    MPSGRUDescriptor *gru = image_gru(3, 4, 5, 21);
    gru.outputGateRecurrentWeights = nil;
    gru.gatePnormValue = 2;
    check_layer(gru, (Extent){1, 4, 5}, 2);
    MPSRNNSingleGateDescriptor *gate = image_single_gate(3, 4, 5, 22);
    gate.inputWeights = gate.recurrentWeights = nil;
    check_layer(gate, (Extent){1, 4, 5}, 3);
}

static void test_unit_transform(void) {
    MPSLSTMDescriptor *lstm = image_lstm(3, 6, 6, kDiagonalMemory, 30);
    lstm.useLayerInputUnitTransformMode = YES;
    check_layer(lstm, (Extent){2, 4, 5}, 1);
    MPSGRUDescriptor *gru = image_gru(4, 6, 6, 31);
    gru.useLayerInputUnitTransformMode = YES;
    gru.recurrentGateInputWeights = nil;
    check_layer(gru, (Extent){2, 4, 5}, 2);
}

// Stacks

static NSArray<MPSRNNDescriptor *> *make_stack(void) {
    return @[ image_lstm(3, 3, 5, kFullMemory, 200), image_gru(4, 5, 7, 301), image_single_gate(2, 7, 2, 400) ];
}

static void test_stack(void) {
    const Extent extent = {2, 4, 6};
    NSArray<MPSRNNDescriptor *> *descriptors = make_stack();
    MPSRNNImageInferenceLayer *layer = make_image_layer(descriptors);
    CHECK(layer.inputFeatureChannels == 3 && layer.outputFeatureChannels == 2 && layer.numberOfLayers == 3);
    NSArray<MPSImage *> *x = make_images(kSteps, extent, 3, 1), *y = make_images(kSteps, extent, 2, 2);
    MPSRNNRecurrentImageState *state = run_images(layer, x, y, nil).lastObject;
    NSArray<NSData *> *expected = stack_outputs(descriptors, extent, source_doubles(x));
    for (NSUInteger step = 0; step < kSteps; step++) {
        CHECK(is_near(image_numbers(image_of(y, step)), [expected objectAtIndex:step], kTolerance));
    }
    for (NSUInteger count = 1; count <= 3; count++) {
        NSArray<MPSRNNDescriptor *> *lower = [descriptors subarrayWithRange:NSMakeRange(0, count)];
        NSData *h = stack_outputs(lower, extent, source_doubles(x)).lastObject;
        CHECK(is_near(state_numbers(state, count - 1, NO), h, kTolerance));
        CHECK((state_numbers(state, count - 1, YES).length > 0) == (count == 1));
        CHECK([state getRecurrentOutputImageForLayerIndex:count - 1].featureChannels ==
              [[descriptors objectAtIndex:count - 1] outputFeatureChannels]);
    }
}

static MPSRNNDescriptor *backward(MPSRNNDescriptor *descriptor) {
    descriptor.layerSequenceDirection = MPSRNNSequenceDirectionBackward;
    return descriptor;
}

static void run_both(MPSRNNImageInferenceLayer *layer, NSArray<MPSImage *> *x, NSArray<MPSImage *> *yf,
                     NSArray<MPSImage *> *yb) {
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    [layer encodeBidirectionalSequenceToCommandBuffer:commandBuffer
                                       sourceSequence:x
                             destinationForwardImages:yf
                            destinationBackwardImages:yb];
    run(commandBuffer);
}

static void test_both_directions(void) {
    enum { kOutputs = 5 };
    const Extent extent = {2, 3, 4};
    NSUInteger count = pixel_count(extent);
    NSArray<MPSRNNDescriptor *> *ahead = @[ image_lstm(3, 3, 4, kNoMemory, 500), image_gru(3, 4, kOutputs, 600) ];
    NSArray<MPSRNNDescriptor *> *back = @[ backward(image_gru(4, 3, kOutputs, 700)) ];
    MPSRNNImageInferenceLayer *layer =
        make_image_layer(@[ [ahead objectAtIndex:0], [back objectAtIndex:0], [ahead objectAtIndex:1] ]);
    NSArray<MPSImage *> *x = make_images(kSteps, extent, 3, 1);
    NSArray<NSData *> *forward = stack_outputs(ahead, extent, source_doubles(x));
    NSArray<NSData *> *backward = stack_outputs(back, extent, source_doubles(x).reverseObjectEnumerator.allObjects);
    NSArray<MPSImage *> *yf = make_images(kSteps, extent, kOutputs, 2), *yb = make_images(kSteps, extent, kOutputs, 3);
    NSArray<MPSImage *> *sum = make_images(kSteps, extent, kOutputs, 4);
    NSArray<MPSImage *> *both = make_images(kSteps, extent, 2 * kOutputs, 5);
    NSMutableArray<MPSImage *> *small = [NSMutableArray array], *smallSum = [NSMutableArray array];
    for (NSUInteger step = 0; step < kSteps; step++) {
        [small addObject:make_image(extent, 2 * kOutputs, MPSImageFeatureChannelFormatUnorm8)];
        [smallSum addObject:make_image(extent, kOutputs, MPSImageFeatureChannelFormatUnorm16)];
    }
    run_both(layer, x, yf, yb);
    layer.bidirectionalCombineMode = MPSRNNBidirectionalCombineModeAdd;
    run_both(layer, x, sum, nil);
    run_both(layer, x, smallSum, nil);
    layer.bidirectionalCombineMode = MPSRNNBidirectionalCombineModeConcatenate;
    run_both(layer, x, both, nil);
    run_both(layer, x, small, nil);
    for (NSUInteger step = 0; step < kSteps; step++) {
        NSData *f = [forward objectAtIndex:step], *b = [backward objectAtIndex:kSteps - 1 - step];
        NSMutableData *added = [[f mutableCopy] autorelease];
        NSMutableData *joined = make_doubles(2 * count * kOutputs);
        for (NSUInteger i = 0; i < count * kOutputs; i++) {
            ((double *)added.mutableBytes)[i] += ((const double *)b.bytes)[i];
            double *pixel = (double *)joined.mutableBytes + i / kOutputs * 2 * kOutputs + i % kOutputs;
            pixel[0] = ((const double *)f.bytes)[i];
            pixel[kOutputs] = ((const double *)b.bytes)[i];
        }
        CHECK(is_near(image_numbers(image_of(yf, step)), f, kTolerance));
        CHECK(is_near(image_numbers(image_of(yb, step)), b, kTolerance));
        CHECK(is_near(image_numbers(image_of(sum, step)), added, kTolerance));
        CHECK(is_near(image_numbers(image_of(both, step)), joined, kTolerance));
        bool isRight = true;
        for (NSUInteger n = 0; n < extent.images; n++) {
            uint8_t bytes[12 * 2 * kOutputs];
            uint16_t shorts[12 * kOutputs];
            [image_of(small, step) readBytes:bytes dataLayout:MPSDataLayoutHeightxWidthxFeatureChannels imageIndex:n];
            [image_of(smallSum, step) readBytes:shorts
                                     dataLayout:MPSDataLayoutHeightxWidthxFeatureChannels
                                     imageIndex:n];
            for (NSUInteger i = 0; i < 12 * 2 * kOutputs; i++) {
                double value = ((const double *)joined.bytes)[n * 12 * 2 * kOutputs + i];
                isRight &= fabs(bytes[i] / 255.0 - MAX(value, 0)) <= 0.5 / 255 + kTolerance;
            }
            for (NSUInteger i = 0; i < 12 * kOutputs; i++) {
                double value = ((const double *)added.bytes)[n * 12 * kOutputs + i];
                isRight &= fabs(shorts[i] / 65535.0 - MIN(MAX(value, 0), 1)) <= kTolerance;
            }
        }
        CHECK(isRight);
    }
}

static void test_refused_directions(void) {
    enum { kInputs = 3, kOutputs = 4 };
    MPSRNNDescriptor *back = image_gru(3, kInputs, kOutputs + 1, 5);
    back.layerSequenceDirection = MPSRNNSequenceDirectionBackward;
    const Extent extent = {2, 3, 5};
    MPSImage *x = make_images(1, extent, kInputs, 1).firstObject, *y = make_images(1, extent, kOutputs, 2).firstObject;
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    MPSRNNImageInferenceLayer *both =
        make_image_layer(@[ image_gru(3, kInputs, kOutputs, 4), back, image_gru(2, kOutputs, kOutputs, 6) ]);
    NSArray<MPSImage *> *backward = make_images(1, extent, kOutputs + 1, 3);
    CHECK_RAISES(@"receiver: 1 layers that run forward and 0",
                 [make_image_layer(@[ image_gru(3, kInputs, kOutputs, 3) ])
                     encodeBidirectionalSequenceToCommandBuffer:commandBuffer
                                                 sourceSequence:@[ x ]
                                       destinationForwardImages:@[ y ]
                                      destinationBackwardImages:@[ y ]]);
    CHECK_RAISES(@"destinationBackwardImages: no image", [both encodeBidirectionalSequenceToCommandBuffer:commandBuffer
                                                                                           sourceSequence:@[ x ]
                                                                                 destinationForwardImages:@[ y ]
                                                                                destinationBackwardImages:nil]);
    CHECK_RAISES(@"destinationBackwardImages[0]: 4 feature channels, expected 5",
                 [both encodeBidirectionalSequenceToCommandBuffer:commandBuffer
                                                   sourceSequence:@[ x ]
                                         destinationForwardImages:@[ y ]
                                        destinationBackwardImages:@[ y ]]);
    [both encodeBidirectionalSequenceToCommandBuffer:commandBuffer
                                      sourceSequence:@[ x ]
                            destinationForwardImages:@[ y ]
                           destinationBackwardImages:backward];
    both.bidirectionalCombineMode = MPSRNNBidirectionalCombineModeAdd;
    CHECK_RAISES(@"receiver: 4 output feature channels forward and 5 backward",
                 [both encodeBidirectionalSequenceToCommandBuffer:commandBuffer
                                                   sourceSequence:@[ x ]
                                         destinationForwardImages:@[ y ]
                                        destinationBackwardImages:nil]);
    both.bidirectionalCombineMode = MPSRNNBidirectionalCombineModeConcatenate;
    CHECK_RAISES(@"destinationForwardImages[0]: 4 feature channels, expected 9",
                 [both encodeBidirectionalSequenceToCommandBuffer:commandBuffer
                                                   sourceSequence:@[ x ]
                                         destinationForwardImages:@[ y ]
                                        destinationBackwardImages:nil]);
    CHECK_RAISES(@"receiver: layer 1 ", [both encodeSequenceToCommandBuffer:commandBuffer
                                                               sourceImages:@[ x ]
                                                          destinationImages:@[ y ]
                                                        recurrentInputState:nil
                                                      recurrentOutputStates:nil]);
    run(commandBuffer);
}

/// Beyond Apple's: with any number of threads the results are the same, bit by bit.
@protocol TestThreads
- (nullable id)newTeamWithThreadCount:(NSUInteger)count;
- (void)setTeam:(id)team;
@end

static void test_threads(void) {
    const Extent extent = {2, 11, 13};
    NSArray<MPSImage *> *x = make_images(kSteps, extent, 3, 1);
    NSData *alone = nil;
    for (NSUInteger threads = 1; threads <= 3; threads++) {
        id team = [[(id<TestThreads>)device newTeamWithThreadCount:threads] autorelease];
        MPSRNNImageInferenceLayer *layer = make_image_layer(make_stack());
        [(id<TestThreads>)layer setTeam:team];
        NSArray<MPSImage *> *y = make_images(kSteps, extent, 2, 2);
        run_images(layer, x, y, nil);
        NSData *numbers = image_numbers(y.lastObject);
        CHECK(alone == nil || [alone isEqual:numbers]);
        alone = numbers;
    }
}

int main(void) {
    void (*const tests[])(void) = {
        test_random_layers, test_a_layer_of_many_channels, test_without_weights,    test_unit_transform,
        test_stack,         test_both_directions,          test_refused_directions, test_threads,
    };
    return run_tests(tests, sizeof tests / sizeof tests[0]);
}
