// The rules of MPSRNNImageInferenceLayer and of what it inherits: what is refused, and how states and temporaries live.
#import "PMPImage.h"
#import "mps_image_layer.h"

enum { kInputs = 3, kOutputs = 4 };
static const Extent kExtent = {2, 3, 5};

static MPSRNNImageInferenceLayer *layer;
static MPSImage *x, *y;

static void set_up(void) {
    layer = make_image_layer(@[ image_lstm(3, kInputs, kOutputs, kFullMemory, 1) ]);
    x = make_images(1, kExtent, kInputs, 1).firstObject;
    y = make_images(1, kExtent, kOutputs, 2).firstObject;
}

static void encode(id<MTLCommandBuffer> commandBuffer, NSArray<MPSImage *> *sources, NSArray<MPSImage *> *destinations,
                   MPSRNNRecurrentImageState *state, NSMutableArray<MPSRNNRecurrentImageState *> *states) {
    [layer encodeSequenceToCommandBuffer:commandBuffer
                            sourceImages:sources
                       destinationImages:destinations
                     recurrentInputState:state
                   recurrentOutputStates:states];
}

/// Refused, and nothing is left behind: no state and no command.
static void check_refused(NSArray<MPSImage *> *sources, NSArray<MPSImage *> *destinations,
                          MPSRNNRecurrentImageState *state, NSString *text) {
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    NSMutableArray<MPSRNNRecurrentImageState *> *states = [NSMutableArray array];
    CHECK_RAISES(text, encode(commandBuffer, sources, destinations, state, states));
    CHECK(states.count == 0);
    run(commandBuffer);
}

static MPSImage *image(NSUInteger images, NSUInteger height, NSUInteger width, NSUInteger channels) {
    return make_image((Extent){images, height, width}, channels, MPSImageFeatureChannelFormatFloat32);
}

static void test_refused_images(void) {
    set_up();
    check_refused(@[], @[ y ], nil, @"sourceImages: no image");
    check_refused(@[ x ], @[], nil, @"destinationImages: no image");
    check_refused(@[ x, x ], @[ y ], nil, @"destinationImages: 1 images, expected one for each of 2 sourceImages");
    check_refused(@[ image(2, 3, 5, 4) ], @[ y ], nil, @"sourceImages[0]: 4 feature channels, expected 3");
    check_refused(@[ x ], @[ image(2, 3, 5, 3) ], nil, @"destinationImages[0]: 3 feature channels, expected 4");
    check_refused(@[ x, image(2, 3, 4, 3) ], @[ y, y ], nil,
                  @"sourceImages[1]: 2 images of 4 x 3, expected the 2 images of 5 x 3 of the first step");
    check_refused(@[ x ], @[ image(2, 4, 5, 4) ], nil,
                  @"destinationImages[0]: 2 images of 5 x 4, expected the source's");
    check_refused(@[ x ], @[ image(1, 3, 5, 4) ], nil, @"destinationImages[0]: 1 images of 5 x 3");
    CHECK_RAISES(@"encodeSequenceToCommandBuffer:", encode(nothing, @[ x ], @[ y ], nil, nil));
}

/// No source shares memory with a destination, or the input state with one, however it is looked at.
static void test_aliasing(void) {
    set_up();
    layer = make_image_layer(@[ image_gru(3, 4, 4, 1) ]);
    x = image(2, 3, 5, 4);
    y = image(2, 3, 5, 4);
    check_refused(@[ x ], @[ x ], nil, @"destinationImages[0]: shares memory with sourceImages[0]");
    check_refused(@[ x, y ], @[ image(2, 3, 5, 4), x ], nil,
                  @"destinationImages[1]: shares memory with sourceImages[0]");
    // Four channels each of one image with eight: no byte belongs to both.
    MPSImage *wide = image(1, 3, 5, 8), *narrow = image(1, 3, 5, 4);
    MPSImage *first = [wide subImageWithFeatureChannelRange:NSMakeRange(0, 4)];
    MPSImage *second = [wide subImageWithFeatureChannelRange:NSMakeRange(4, 4)];
    write_image(narrow, test_numbers(3 * 5 * 4, 7).bytes, sizeof(float));
    write_image(first, test_numbers(3 * 5 * 4, 7).bytes, sizeof(float));
    run_images(layer, @[ first ], @[ second ], nil);
    MPSImage *plain = image(1, 3, 5, 4);
    run_images(layer, @[ narrow ], @[ plain ], nil);
    CHECK([image_numbers(second) isEqual:image_numbers(plain)] && [image_numbers(first) isEqual:image_numbers(narrow)]);
    check_refused(@[ first ], @[ first ], nil, @"destinationImages[0]: shares memory with sourceImages[0]");

    MPSRNNRecurrentImageState *state = run_images(layer, @[ narrow ], @[ plain ], nil).firstObject;
    MPSImage *shown = [state getRecurrentOutputImageForLayerIndex:0];
    check_refused(@[ narrow ], @[ shown ], state, @"destinationImages[0]: shares memory with recurrentInputState");
    // Of half the bytes, over the second half of the state.
    id<MTLBuffer> memory = state->_storage->layers[0].h;
    MPSImageDescriptor *half = [MPSImageDescriptor imageDescriptorWithChannelFormat:MPSImageFeatureChannelFormatFloat16
                                                                              width:5
                                                                             height:3
                                                                    featureChannels:4];
    MPSImage *behind = [[[MPSImage alloc] initWithBuffer:memory offset:3 * 5 * 4 * 2 imageDescriptor:half] autorelease];
    check_refused(@[ narrow ], @[ behind ], state, @"destinationImages[0]: shares memory with recurrentInputState");
}

static void test_states_that_do_not_fit(void) {
    set_up();
    MPSRNNRecurrentImageState *state = run_images(layer, @[ x ], @[ y ], nil).firstObject;
    check_refused(@[ image(2, 5, 3, kInputs) ], @[ image(2, 5, 3, kOutputs) ], state,
                  @"recurrentInputState: 2 images of 5 x 3, expected the 2 images of 3 x 5 of the first source");
    check_refused(@[ image(1, 3, 5, kInputs) ], @[ image(1, 3, 5, kOutputs) ], state,
                  @"recurrentInputState: 2 images of 5 x 3");
    check_refused(@[ image(1, 3, 10, kInputs) ], @[ image(1, 3, 10, kOutputs) ], state,
                  @"recurrentInputState: 2 images of 5 x 3, expected the 1 images of 10 x 3"); // as many pixels
    MPSRNNImageInferenceLayer *other = make_image_layer(@[ image_gru(3, kInputs, kOutputs, 1) ]);
    MPSRNNRecurrentImageState *foreign = run_images(other, @[ x ], @[ y ], nil).firstObject;
    check_refused(@[ x ], @[ y ], foreign, @"recurrentInputState: not of a layer");
    MPSRNNRecurrentImageState *empty =
        [MPSRNNRecurrentImageState temporaryStateWithCommandBuffer:[queue commandBuffer]];
    CHECK([empty getRecurrentOutputImageForLayerIndex:0] == nil && [empty getMemoryCellImageForLayerIndex:0] == nil);
    check_refused(@[ x ], @[ y ], empty, @"recurrentInputState: not of a layer");

    // A matrix layer's, with as many rows as there are pixels.
    MPSLSTMDescriptor *lstm = image_lstm(1, kInputs, kOutputs, kNoMemory, 1);
    MPSRNNMatrixInferenceLayer *matrices = [[[MPSRNNMatrixInferenceLayer alloc] initWithDevice:device
                                                                                 rnnDescriptor:lstm] autorelease];
    NSMutableArray *states = [NSMutableArray array];
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    [matrices encodeSequenceToCommandBuffer:commandBuffer
                             sourceMatrices:@[ make_matrix(pixel_count(kExtent), kInputs) ]
                        destinationMatrices:@[ make_matrix(pixel_count(kExtent), kOutputs) ]
                        recurrentInputState:nil
                      recurrentOutputStates:states];
    run(commandBuffer);
    check_refused(@[ x ], @[ y ], states.firstObject, @"recurrentInputState: not of a layer");
}

static void check_descriptor(MPSRNNDescriptor *descriptor, NSString *text) {
    CHECK_RAISES(text, make_image_layer(@[ descriptor ]));
}

static void test_refused_kernels(void) {
    MPSLSTMDescriptor *lstm = image_lstm(3, kInputs, kOutputs, kFullMemory, 1);
    TestWeights *weights = lstm.forgetGateInputWeights;
    weights->descriptor.strideInPixelsX = 2;
    check_descriptor(lstm, @"forgetGateInputWeights: a stride of 2 x 1, expected 1 x 1");
    weights->descriptor.strideInPixelsX = 1;
    weights->descriptor.dilationRateY = 2;
    check_descriptor(lstm, @"forgetGateInputWeights: a dilation of 1 x 2, expected 1 x 1");
    weights->descriptor.dilationRateY = 1;
    weights->descriptor.groups = 2;
    check_descriptor(lstm, @"forgetGateInputWeights: 2 groups, expected 1");
    weights->descriptor.groups = 1;
    weights->descriptor.kernelHeight = 0;
    check_descriptor(lstm, @"forgetGateInputWeights: a kernel of ");
    weights->descriptor.kernelHeight = NSUIntegerMax / 2;
    check_descriptor(lstm, @"forgetGateInputWeights: more weights than memory can hold");

    MPSLSTMDescriptor *diagonal = image_lstm(3, kInputs, kOutputs, kDiagonalMemory, 1);
    weights = diagonal.cellGateMemoryWeights;
    weights->descriptor.kernelWidth = weights->descriptor.kernelHeight = 3;
    check_descriptor(diagonal, @"cellGateMemoryWeights: a kernel of 3 x 3, expected 1 x 1");

    weights = make_kernel(1, 1, kInputs, kOutputs, 1);
    weights->failsToLoad = YES;
    MPSRNNSingleGateDescriptor *gate = image_single_gate(1, kInputs, kOutputs, 1);
    gate.inputWeights = weights;
    CHECK(make_image_layer(@[ gate ]) == nil);

    // Matrices have no neighbours.
    MPSRNNSingleGateDescriptor *wide = image_single_gate(1, kInputs, kOutputs, 1);
    wide.recurrentWeights = make_kernel(3, 1, kOutputs, kOutputs, 1);
    CHECK_RAISES(@"recurrentWeights: a kernel of 3 x 1, expected 1 x 1",
                 [[[MPSRNNMatrixInferenceLayer alloc] initWithDevice:device rnnDescriptor:wide] autorelease]);
    CHECK_RAISES(@"rnnDescriptor: nil", [[[MPSRNNImageInferenceLayer alloc] initWithDevice:device
                                                                             rnnDescriptor:nothing] autorelease]);
    CHECK_RAISES(@"rnnDescriptors: no descriptor", make_image_layer(@[]));
    CHECK([[MPSRNNImageInferenceLayer alloc] initWithDevice:nothing rnnDescriptor:gate] == nil);
}

static void test_inherited_properties(void) {
    set_up();
    CHECK(layer.kernelWidth == 1 && layer.kernelHeight == 1 && layer.strideInPixelsX == 1);
    CHECK(layer.strideInPixelsY == 1 && layer.dilationRateX == 1 && layer.dilationRateY == 1);
    CHECK(!layer.isBackwards && !layer.isStateModified);
    CHECK(layer.offset.x == 0 && layer.offset.y == 0 && layer.offset.z == 0 && layer.edgeMode == 0);
    CHECK(memcmp(&(MTLRegion){layer.clipRect.origin, layer.clipRect.size}, &MPSRectNoClip, sizeof(MTLRegion)) == 0);
    CHECK(layer.destinationFeatureChannelOffset == 0 && layer.sourceFeatureChannelOffset == 0);
    CHECK(layer.sourceFeatureChannelMaxCount == ULONG_MAX);
    CHECK(layer.destinationImageAllocator == [MPSTemporaryImage defaultAllocator]);

    layer.offset = (MPSOffset){0, -1, 0};
    check_refused(@[ x ], @[ y ], nil, @"offset.y: -1, expected the default");
    layer.offset = (MPSOffset){0, 0, 0};
    layer.clipRect = MTLRegionMake2D(0, 0, 5, 3);
    check_refused(@[ x ], @[ y ], nil, @"clipRect.size.width: 5, expected the default");
    layer.clipRect = MPSRectNoClip;
    layer.destinationFeatureChannelOffset = 4;
    check_refused(@[ x ], @[ y ], nil, @"destinationFeatureChannelOffset: 4");
    layer.destinationFeatureChannelOffset = 0;
    layer.sourceFeatureChannelOffset = 8;
    check_refused(@[ x ], @[ y ], nil, @"sourceFeatureChannelOffset: 8");
    layer.sourceFeatureChannelOffset = 0;
    layer.sourceFeatureChannelMaxCount = 4;
    check_refused(@[ x ], @[ y ], nil, @"sourceFeatureChannelMaxCount: 4");
    layer.sourceFeatureChannelMaxCount = ULONG_MAX;
    layer.edgeMode = MPSImageEdgeModeClamp;
    CHECK_RAISES(@"edgeMode: 1, expected the default",
                 [layer encodeBidirectionalSequenceToCommandBuffer:[queue commandBuffer]
                                                    sourceSequence:@[ x ]
                                          destinationForwardImages:@[ y ]
                                         destinationBackwardImages:nil]);
    CHECK([[layer copy] autorelease] != nil && [[[layer copy] autorelease] edgeMode] == MPSImageEdgeModeClamp);
    layer.edgeMode = MPSImageEdgeModeZero;
    run_images(layer, @[ x ], @[ y ], nil);

    MPSCNNKernel *kernel = [[[MPSCNNKernel alloc] initWithDevice:device] autorelease];
    kernel.sourceFeatureChannelOffset = 4;
    kernel.label = @"name";
    MPSCNNKernel *copy = [[kernel copy] autorelease];
    CHECK(copy.sourceFeatureChannelOffset == 4 && [copy.label isEqual:@"name"]);
    CHECK_RAISES(@"receiver: a recurrent layer is made from a descriptor",
                 [(MPSCNNKernel *)[MPSRNNImageInferenceLayer alloc] initWithDevice:device]);
}

static void test_properties_and_copies(void) {
    set_up();
    CHECK(!layer.recurrentOutputIsTemporary && !layer.storeAllIntermediateStates && layer.device == device);
    CHECK(layer.bidirectionalCombineMode == MPSRNNBidirectionalCombineModeNone);
    layer.storeAllIntermediateStates = YES;
    layer.bidirectionalCombineMode = MPSRNNBidirectionalCombineModeAdd;
    layer.label = @"name";
    run_images(layer, @[ x ], @[ y ], nil);
    MPSRNNImageInferenceLayer *copy;
    @autoreleasepool {
        MPSRNNImageInferenceLayer *original = [layer copyWithZone:NULL device:device];
        copy = [original copy]; // outlives it
        [original release];
    }
    CHECK(copy.storeAllIntermediateStates && copy.bidirectionalCombineMode == MPSRNNBidirectionalCombineModeAdd);
    CHECK([copy.label isEqual:@"name"] && copy.outputFeatureChannels == kOutputs);
    MPSImage *copied = image(2, 3, 5, kOutputs);
    MPSRNNRecurrentImageState *state = run_images(copy, @[ x ], @[ copied ], nil).firstObject;
    CHECK([image_numbers(y) isEqual:image_numbers(copied)]);
    run_images(layer, @[ x ], @[ y ], state); // a copy's state fits
    run_images(copy, @[ x ], @[ copied ], state);
    CHECK([image_numbers(y) isEqual:image_numbers(copied)]);
    [copy release];
}

/// The images of a state are its memory: what a caller writes there is what the layer reads.
static void test_images_of_states(void) {
    set_up();
    MPSRNNRecurrentImageState *state = run_images(layer, @[ x ], @[ y ], nil).firstObject;
    MPSImage *h = [state getRecurrentOutputImageForLayerIndex:0], *c = [state getMemoryCellImageForLayerIndex:0];
    CHECK(h.width == 5 && h.height == 3 && h.numberOfImages == 2 && h.featureChannels == kOutputs);
    CHECK(h.featureChannelFormat == MPSImageFeatureChannelFormatFloat32 && c.width == 5 && c.numberOfImages == 2);
    CHECK([state getMemoryCellImageForLayerIndex:1] == nil && !state.isTemporary && state.readCount == 0);
    CHECK(h.texture.storageMode == (is_private_mode() ? MTLStorageModePrivate : MTLStorageModeShared));
    if (is_private_mode()) {
        CHECK_RAISES(@"", [h readBytes:image_numbers(y).mutableBytes
                              dataLayout:MPSDataLayoutHeightxWidthxFeatureChannels
                              imageIndex:0]);
        return;
    }
    CHECK([image_numbers(h) isEqual:image_numbers(y)] && [image_numbers(h) isEqual:state_numbers(state, 0, NO)]);
    NSData *zeros = [NSMutableData dataWithLength:image_numbers(h).length];
    MPSImage *first = image(2, 3, 5, kOutputs);
    run_images(layer, @[ x ], @[ first ], nil);
    write_image(h, zeros.bytes, sizeof(float));
    write_image(c, zeros.bytes, sizeof(float));
    run_images(layer, @[ x ], @[ y ], state);
    CHECK([image_numbers(y) isEqual:image_numbers(first)]); // zeros are as good as no state
}

static void test_temporary_states(void) {
    set_up();
    MPSImage *plain = image(2, 3, 5, kOutputs);
    run_images(layer, @[ x ], @[ plain ], run_images(layer, @[ x ], @[ y ], nil).firstObject);

    layer.recurrentOutputIsTemporary = YES;
    NSMutableArray<MPSRNNRecurrentImageState *> *states = [NSMutableArray array];
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer], other = [queue commandBuffer];
    encode(commandBuffer, @[ x ], @[ y ], nil, states);
    MPSRNNRecurrentImageState *state = states.firstObject;
    CHECK(state.isTemporary && state.readCount == 1);
    CHECK_RAISES(@"of another command buffer", encode(other, @[ x ], @[ y ], state, nil));
    state.readCount = 2;
    encode(commandBuffer, @[ x ], @[ y ], state, nil);
    CHECK(state.readCount == 1);
    encode(commandBuffer, @[ x ], @[ y ], state, nil);
    CHECK(state.readCount == 0);
    CHECK_RAISES(@"without reads left", encode(commandBuffer, @[ x ], @[ y ], state, nil));
    CHECK_RAISES(@"receiver: ", [state getRecurrentOutputImageForLayerIndex:0]);
    run(commandBuffer);
    CHECK([image_numbers(y) isEqual:image_numbers(plain)]);
}

static void test_temporary_images(void) {
    set_up();
    MPSImage *plain = image(2, 3, 5, kOutputs), *middle = image(2, 3, 5, kOutputs);
    MPSRNNImageInferenceLayer *second = make_image_layer(@[ image_gru(2, kOutputs, kOutputs, 3) ]);
    run_images(layer, @[ x ], @[ middle ], nil);
    run_images(second, @[ middle, middle ], @[ image(2, 3, 5, kOutputs), plain ], nil);

    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    MPSImageDescriptor *descriptor =
        [MPSImageDescriptor imageDescriptorWithChannelFormat:MPSImageFeatureChannelFormatFloat32
                                                       width:5
                                                      height:3
                                             featureChannels:kOutputs
                                              numberOfImages:2
                                                       usage:MTLTextureUsageShaderRead | MTLTextureUsageShaderWrite];
    descriptor.storageMode = MTLStorageModePrivate;
    MPSTemporaryImage *between = [MPSTemporaryImage temporaryImageWithCommandBuffer:commandBuffer
                                                                    imageDescriptor:descriptor];
    encode(commandBuffer, @[ x ], @[ between ], nil, nil);
    CHECK(between.readCount == 1); // writing does not count
    between.readCount = 2;
    for (NSUInteger left = 2; left-- > 0;) {
        [second encodeSequenceToCommandBuffer:commandBuffer
                                 sourceImages:@[ between, between ]
                            destinationImages:@[ image(2, 3, 5, kOutputs), y ]
                          recurrentInputState:nil
                        recurrentOutputStates:nil];
        CHECK(between.readCount == left); // once for a kernel, though it reads twice
    }
    CHECK_RAISES(@"destinationImages[0]: a temporary image", encode(commandBuffer, @[ x ], @[ between ], nil, nil));
    run(commandBuffer);
    CHECK([image_numbers(y) isEqual:image_numbers(plain)]);
}

/// Of other sizes too, larger and smaller; those that a caller has seen stay as they are.
static void test_states_are_used_again(void) {
    set_up();
    void *first, *again;
    @autoreleasepool {
        first = run_images(layer, @[ x ], @[ y ], nil).firstObject;
    }
    @autoreleasepool {
        again = run_images(layer, @[ x ], @[ y ], nil).firstObject;
    }
    CHECK(first == again);
    MPSImage *kept;
    NSData *numbers;
    @autoreleasepool {
        MPSRNNRecurrentImageState *state = run_images(layer, @[ x ], @[ y ], nil).firstObject;
        kept = [[state getRecurrentOutputImageForLayerIndex:0] retain];
        numbers = [image_numbers(y) retain];
    }
    const NSUInteger widths[] = {2, 7, 1, 7};
    for (int i = 0; i < 4; i++) {
        @autoreleasepool {
            const Extent extent = {1, 4, widths[i]};
            MPSImage *source = make_images(1, extent, kInputs, 1).firstObject;
            NSArray<MPSImage *> *results = make_images(3, extent, kOutputs, 2);
            MPSRNNRecurrentImageState *state =
                run_images(layer, @[ source ], @[ image_of(results, 0) ], nil).firstObject;
            run_images(layer, @[ source ], @[ image_of(results, 1) ], state);
            run_images(layer, @[ source, source ], @[ image_of(results, 0), image_of(results, 2) ], nil);
            CHECK([image_numbers(image_of(results, 1)) isEqual:image_numbers(image_of(results, 2))]);
        }
    }
    CHECK(is_private_mode() || [image_numbers(kept) isEqual:numbers]);
    [kept release];
    [numbers release];
}

/// Work that is encoded holds all it needs: nothing of it is left when it runs.
static void test_work_in_flight(void) {
    MPSImage *expected, *result = [image(2, 3, 5, kOutputs) retain];
    id<MTLCommandBuffer> commandBuffer = [[queue commandBuffer] retain];
    @autoreleasepool {
        set_up();
        expected = [image(2, 3, 5, kOutputs) retain];
        run_images(layer, @[ x, x ], @[ y, expected ], nil);
    }
    @autoreleasepool {
        set_up();
        NSMutableArray<MPSRNNRecurrentImageState *> *states = [NSMutableArray array];
        encode(commandBuffer, @[ x ], @[ y ], nil, states);
        encode(commandBuffer, @[ x ], @[ result ], states.firstObject, nil);
    }
    run(commandBuffer);
    CHECK([image_numbers(result) isEqual:image_numbers(expected)]);
    [commandBuffer release];
    [expected release];
    [result release];
}

int main(void) {
    void (*const tests[])(void) = {
        test_refused_images,         test_aliasing,
        test_states_that_do_not_fit, test_refused_kernels,
        test_inherited_properties,   test_properties_and_copies,
        test_images_of_states,       test_temporary_states,
        test_temporary_images,       test_states_are_used_again,
        test_work_in_flight,
    };
    return run_tests(tests, sizeof tests / sizeof tests[0]);
}
