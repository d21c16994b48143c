// The rules of MPSRNNMatrixInferenceLayer: what it refuses, temporaries, copies, and the life of its states.
#import "mps_lstm.h"

enum { kInputs = 3, kOutputs = 4, kRows = 2 };

static MPSRNNMatrixInferenceLayer *layer;
static MPSMatrix *x, *y;

/// A layer with one source and one destination that fit it.
static void set_up(void) {
    layer = make_layer(make_lstm(kInputs, kOutputs, NO, 1));
    x = make_sequence(1, kRows, kInputs, 1).firstObject;
    y = make_matrix(kRows, kOutputs);
}

static void encode(id<MTLCommandBuffer> commandBuffer, NSArray<MPSMatrix *> *sources,
                   NSArray<MPSMatrix *> *destinations, MPSRNNRecurrentMatrixState *state,
                   NSMutableArray<MPSRNNRecurrentMatrixState *> *states) {
    [layer encodeSequenceToCommandBuffer:commandBuffer
                          sourceMatrices:sources
                     destinationMatrices:destinations
                     recurrentInputState:state
                   recurrentOutputStates:states];
}

/// Expects an encode to raise, to hand out no state, and to leave the command buffer as it was.
static void check_refused(NSArray<MPSMatrix *> *sources, NSArray<MPSMatrix *> *destinations,
                          MPSRNNRecurrentMatrixState *state, NSString *text) {
    NSMutableArray<MPSRNNRecurrentMatrixState *> *states = [NSMutableArray array];
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    CHECK_RAISES(text, encode(commandBuffer, sources, destinations, state, states));
    CHECK(states.count == 0);
    run(commandBuffer);
}

static void test_refused_matrices(void) {
    set_up();
    check_refused(@[], @[], nil,
                  @"-[MPSRNNMatrixInferenceLayer encodeSequenceToCommandBuffer:sourceMatrices:sourceOffsets:"
                  @"destinationMatrices:destinationOffsets:recurrentInputState:recurrentOutputStates:] "
                  @"sourceMatrices: no matrix");
    check_refused(@[ x, x ], @[ y ], nil, @"destinationMatrices: 1 matrices");
    check_refused(@[ make_matrix(kRows, kInputs + 1) ], @[ y ], nil, @"sourceMatrices[0]: 4 columns");
    check_refused(@[ x ], @[ make_matrix(kRows, kOutputs - 1) ], nil, @"destinationMatrices[0]: 3 columns");
    check_refused(@[ x ], @[ make_matrix(kRows + 1, kOutputs) ], nil, @"destinationMatrices[0]: 3 rows");
    check_refused(@[ x, make_matrix(kRows + 1, kInputs) ], @[ y, make_matrix(kRows + 1, kOutputs) ], nil,
                  @"sourceMatrices[1]: 3 rows");
    check_refused(@[ make_strided_matrix(kRows, kInputs, 12, MPSDataTypeInt32) ], @[ y ], nil,
                  @"sourceMatrices[0]: data type 0x20000020");
    CHECK_RAISES(@"encodeSequenceToCommandBuffer:", encode(nothing, @[ x ], @[ y ], nil, nil));
    id<MTLCommandBuffer> committed = [queue commandBuffer];
    run(committed);
    NSMutableArray *states = [NSMutableArray array];
    CHECK_RAISES(@"committed", encode(committed, @[ x ], @[ y ], nil, states));
    CHECK(states.count == 0);
}

static void test_refused_offsets(void) {
    set_up();
    NSUInteger past[] = {4}, odd[] = {2}, vast[] = {NSUIntegerMax - 3};
    NSUInteger *const refused[] = {past, odd, vast};
    // x.data is as long as x, or a little longer: an offset of its length is always too much.
    past[0] = x.data.length;
    for (int i = 0; i < 3; i++) {
        id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
        CHECK_RAISES(@"sourceMatrices[0]: byte offset ", [layer encodeSequenceToCommandBuffer:commandBuffer
                                                                               sourceMatrices:@[ x ]
                                                                                sourceOffsets:refused[i]
                                                                          destinationMatrices:@[ y ]
                                                                           destinationOffsets:NULL
                                                                          recurrentInputState:nil
                                                                        recurrentOutputStates:nil]);
    }
}

static MPSMatrix *matrix_over(id<MTLBuffer> buffer, NSUInteger offset, NSUInteger rowBytes, NSUInteger columns) {
    MPSMatrixDescriptor *descriptor = [MPSMatrixDescriptor matrixDescriptorWithRows:kRows
                                                                            columns:columns
                                                                           rowBytes:rowBytes
                                                                           dataType:MPSDataTypeFloat32];
    return [[[MPSMatrix alloc] initWithBuffer:buffer offset:offset descriptor:descriptor] autorelease];
}

/// Expects the text where one matrix each, with offsets from step to step, is the source and the destination; nil: that
/// it runs.
static void check_offsets(MPSMatrix *source, NSUInteger sourceOffsets[4], MPSMatrix *destination,
                          NSUInteger destinationOffsets[4], NSString *text) {
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    void (^encode_offsets)(void) = ^{
        [layer encodeSequenceToCommandBuffer:commandBuffer
                              sourceMatrices:@[ source, source, source, source ]
                               sourceOffsets:sourceOffsets
                         destinationMatrices:@[ destination, destination, destination, destination ]
                          destinationOffsets:destinationOffsets
                         recurrentInputState:nil
                       recurrentOutputStates:nil];
    };
    if (text != nil) {
        CHECK_RAISES(text, encode_offsets());
    } else {
        encode_offsets();
    }
    run(commandBuffer);
}

/// One matrix at many steps: each step's offset counts, and the message names the first pair of steps that is wrong.
static void test_offsets_of_one_matrix(void) {
    set_up();
    id<MTLBuffer> buffer = [[device newBufferWithLength:512 options:0] autorelease];
    MPSMatrix *source = matrix_over(buffer, 4, 12, kInputs), *destination = matrix_over(buffer, 32, 16, kOutputs);
    NSUInteger even[] = {0, 64, 128, 192}, closer[] = {0, 48, 96, 144}, down[] = {192, 128, 64, 0}, far[4] = {0};
    check_offsets(source, even, destination, even, nil);
    check_offsets(source, down, destination, down, nil);
    check_offsets(source, even, destination, closer, @"destinationMatrices[1]: shares memory with sourceMatrices[1]");
    check_offsets(source, even, matrix_over(buffer, 88, 16, kOutputs), even,
                  @"destinationMatrices[0]: shares memory with sourceMatrices[1]");
    check_offsets(source, down, matrix_over(buffer, 88, 16, kOutputs), down,
                  @"destinationMatrices[1]: shares memory with sourceMatrices[0]");
    far[2] = 488;
    check_offsets(source, far, destination, even,
                  @"sourceMatrices[2]: byte offset 488, expected a multiple of 4 up to 484");
    far[2] = 482;
    check_offsets(source, even, destination, far,
                  @"destinationMatrices[2]: byte offset 482, expected a multiple of 4 up to 448");
}

static void test_aliasing(void) {
    set_up();
    id<MTLBuffer> buffer = [[device newBufferWithLength:256 options:0] autorelease];
    check_refused(@[ matrix_over(buffer, 0, 12, kInputs) ], @[ matrix_over(buffer, 20, 16, kOutputs) ], nil,
                  @"destinationMatrices[0]: shares memory with sourceMatrices[0]");
    // Rows of 12 bytes at 0 and 40, and of 16 bytes at 8 and 48: the first two share a float.
    check_refused(@[ matrix_over(buffer, 0, 40, kInputs) ], @[ matrix_over(buffer, 8, 40, kOutputs) ], nil,
                  @"shares memory");
    check_refused(@[ x, matrix_over(buffer, 0, 12, kInputs) ], @[ matrix_over(buffer, 16, 16, kOutputs), y ], nil,
                  @"destinationMatrices[0]: shares memory with sourceMatrices[1]");
    // Side by side is allowed, and so are rows of one between rows of the other.
    run_layer(layer, @[ matrix_over(buffer, 0, 12, kInputs) ], @[ matrix_over(buffer, 24, 16, kOutputs) ], nil);
    run_layer(layer, @[ matrix_over(buffer, 0, 40, kInputs) ], @[ matrix_over(buffer, 12, 40, kOutputs) ], nil);
    run_layer(layer, @[ matrix_over(buffer, 20, 64, kInputs) ], @[ matrix_over(buffer, 0, 32, kOutputs) ], nil);

    MPSRNNRecurrentMatrixState *state = run_layer(layer, @[ x ], @[ y ], nil).firstObject;
    check_refused(@[ x ], @[ [state getMemoryCellMatrixForLayerIndex:0] ], state,
                  @"destinationMatrices[0]: shares memory with recurrentInputState");
}

static void test_states_that_do_not_fit(void) {
    set_up();
    MPSRNNMatrixInferenceLayer *wide = make_layer(make_lstm(kInputs, kOutputs + 1, NO, 1));
    MPSRNNRecurrentMatrixState *foreign =
        run_layer(wide, @[ x ], @[ make_matrix(kRows, kOutputs + 1) ], nil).firstObject;
    check_refused(@[ x ], @[ y ], foreign, @"recurrentInputState: not of a layer");
    MPSRNNRecurrentMatrixState *state = run_layer(layer, @[ x ], @[ y ], nil).firstObject;
    check_refused(@[ make_matrix(1, kInputs) ], @[ make_matrix(1, kOutputs) ], state, @"recurrentInputState: 2 rows");
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    MPSRNNRecurrentMatrixState *empty = [MPSRNNRecurrentMatrixState temporaryStateWithCommandBuffer:commandBuffer];
    CHECK([empty getRecurrentOutputMatrixForLayerIndex:0] == nil);
    check_refused(@[ x ], @[ y ], empty, @"recurrentInputState: not of a layer");
}

static void test_stack_for_two_directions(void) {
    set_up();
    MPSLSTMDescriptor *backward = make_lstm(kInputs, kOutputs, NO, 2);
    backward.layerSequenceDirection = MPSRNNSequenceDirectionBackward;
    NSArray *both = @[ make_lstm(kInputs, kOutputs, NO, 1), backward ];
    layer = [[[MPSRNNMatrixInferenceLayer alloc] initWithDevice:device rnnDescriptors:both] autorelease];
    CHECK(layer.numberOfLayers == 2);
    check_refused(@[ x ], @[ y ], nil, @"receiver: layer 1 ");
}

static void test_skipped_validation(void) {
    set_up();
    layer.options = MPSKernelOptionsSkipAPIValidation;
    MPSMatrix *more = make_matrix(kRows + 1, kOutputs); // more rows than the source: refused by default
    run_layer(layer, @[ x ], @[ more ], nil);
    layer.options = MPSKernelOptionsNone;
    check_refused(@[ x ], @[ more ], nil, @"3 rows");
}

static void test_properties_and_copies(void) {
    set_up();
    CHECK(layer.numberOfLayers == 1 && layer.inputFeatureChannels == kInputs &&
          layer.outputFeatureChannels == kOutputs);
    CHECK(!layer.recurrentOutputIsTemporary && !layer.storeAllIntermediateStates && layer.device == device);
    CHECK(layer.bidirectionalCombineMode == MPSRNNBidirectionalCombineModeNone);
    layer.storeAllIntermediateStates = YES;
    layer.bidirectionalCombineMode = MPSRNNBidirectionalCombineModeAdd;
    layer.label = @"name";
    MPSMatrix *copied = make_matrix(kRows, kOutputs);
    run_layer(layer, @[ x ], @[ y ], nil);
    MPSRNNMatrixInferenceLayer *copy;
    @autoreleasepool {
        MPSRNNMatrixInferenceLayer *original = [layer copyWithZone:NULL device:device];
        copy = [original copy]; // outlives it
        [original release];
    }
    CHECK(copy.storeAllIntermediateStates && copy.bidirectionalCombineMode == MPSRNNBidirectionalCombineModeAdd);
    CHECK([copy.label isEqual:@"name"] && copy.outputFeatureChannels == kOutputs);
    MPSRNNRecurrentMatrixState *state = run_layer(copy, @[ x ], @[ copied ], nil).firstObject;
    CHECK(are_equal(y, copied));
    run_layer(layer, @[ x ], @[ y ], state); // a copy's state fits
    run_layer(copy, @[ x ], @[ copied ], state);
    CHECK(are_equal(y, copied));
    [copy release];
}

static void test_states_are_appended(void) {
    set_up();
    MPSRNNRecurrentMatrixState *first = run_layer(layer, @[ x ], @[ y ], nil).firstObject;
    NSMutableArray<MPSRNNRecurrentMatrixState *> *states = [NSMutableArray arrayWithObject:first];
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    encode(commandBuffer, @[ x ], @[ y ], first, states);
    encode(commandBuffer, @[ x ], @[ y ], states.lastObject, states);
    run(commandBuffer);
    CHECK(states.count == 3 && states.firstObject == first);
    CHECK(!first.isTemporary && first.readCount == 0);
    CHECK([first getRecurrentOutputMatrixForLayerIndex:1] == nil && [first getMemoryCellMatrixForLayerIndex:1] == nil);
    MPSMatrix *h = [states.lastObject getRecurrentOutputMatrixForLayerIndex:0];
    CHECK(h.rows == kRows && h.columns == kOutputs && h.dataType == MPSDataTypeFloat32 && are_equal(h, y));
    CHECK(h.data.storageMode == (is_private_mode() ? MTLStorageModePrivate : MTLStorageModeShared));
    CHECK((h.data.contents == NULL) == is_private_mode());
}

static void test_temporary_states(void) {
    set_up();
    MPSMatrix *plain = make_matrix(kRows, kOutputs);
    run_layer(layer, @[ x ], @[ plain ], run_layer(layer, @[ x ], @[ y ], nil).firstObject);

    layer.recurrentOutputIsTemporary = YES;
    NSMutableArray<MPSRNNRecurrentMatrixState *> *states = [NSMutableArray array];
    void *used;
    @autoreleasepool {
        id<MTLCommandBuffer> commandBuffer = [queue commandBuffer], other = [queue commandBuffer];
        used = commandBuffer;
        encode(commandBuffer, @[ x ], @[ y ], nil, states);
        MPSRNNRecurrentMatrixState *state = states.firstObject;
        CHECK(state.isTemporary && state.readCount == 1);
        CHECK_RAISES(@"of another command buffer", encode(other, @[ x ], @[ y ], state, nil));
        state.readCount = 2;
        encode(commandBuffer, @[ x ], @[ y ], state, nil);
        CHECK(state.readCount == 1);
        encode(commandBuffer, @[ x ], @[ y ], state, states);
        CHECK(state.readCount == 0);
        CHECK_RAISES(@"without reads left", encode(commandBuffer, @[ x ], @[ y ], state, nil));
        CHECK_RAISES(@"receiver: ", [state getRecurrentOutputMatrixForLayerIndex:0]);
        run(commandBuffer);
    }
    // Later uses of the same command buffer object are other command buffers.
    MPSRNNRecurrentMatrixState *unread = states.lastObject;
    id<MTLCommandBuffer> later = [queue commandBuffer], last = [queue commandBuffer];
    // Asynchronously, the waiter may go on a moment before the object is back in the pool.
    CHECK((void *)later == used || (void *)last == used || getenv("PYMPS_PORTABLE_ASYNC") != NULL);
    CHECK_RAISES(@"of another command buffer", encode(later, @[ x ], @[ y ], unread, nil));
    CHECK_RAISES(@"of another command buffer", encode(last, @[ x ], @[ y ], unread, nil));
    CHECK(are_equal(y, plain));
}

static void test_temporary_matrices(void) {
    set_up();
    MPSMatrix *plain = make_matrix(kRows, kOutputs), *middle = make_matrix(kRows, kOutputs);
    MPSRNNMatrixInferenceLayer *second = make_layer(make_lstm(kOutputs, kOutputs, NO, 3));
    run_layer(layer, @[ x ], @[ middle ], nil);
    run_layer(second, @[ middle, middle ], @[ make_matrix(kRows, kOutputs), plain ], nil);

    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    MPSMatrixDescriptor *descriptor = [MPSMatrixDescriptor matrixDescriptorWithRows:kRows
                                                                            columns:kOutputs
                                                                           rowBytes:16
                                                                           dataType:MPSDataTypeFloat32];
    MPSTemporaryMatrix *between = [MPSTemporaryMatrix temporaryMatrixWithCommandBuffer:commandBuffer
                                                                      matrixDescriptor:descriptor];
    encode(commandBuffer, @[ x ], @[ between ], nil, nil);
    CHECK(between.readCount == 1); // writing does not count
    between.readCount = 2;
    for (NSUInteger left = 2; left-- > 0;) {
        [second encodeSequenceToCommandBuffer:commandBuffer
                               sourceMatrices:@[ between, between ]
                          destinationMatrices:@[ make_matrix(kRows, kOutputs), y ]
                          recurrentInputState:nil
                        recurrentOutputStates:nil];
        CHECK(between.readCount == left); // once for a kernel, though it reads twice
    }
    CHECK_RAISES(@"destinationMatrices[0]: a temporary matrix", encode(commandBuffer, @[ x ], @[ between ], nil, nil));
    run(commandBuffer);
    CHECK(are_equal(y, plain));
}

/// States come from the layer's pool again unless a caller has seen their memory.
static void test_states_are_used_again(void) {
    set_up();
    void *first, *again;
    @autoreleasepool {
        first = run_layer(layer, @[ x ], @[ y ], nil).firstObject;
    }
    @autoreleasepool {
        again = run_layer(layer, @[ x ], @[ y ], nil).firstObject;
    }
    CHECK(first == again);

    MPSMatrix *kept;
    NSData *numbers;
    @autoreleasepool {
        kept = [[run_layer(layer, @[ x ], @[ y ], nil).firstObject getMemoryCellMatrixForLayerIndex:0] retain];
        numbers = [matrix_numbers(kept) retain];
    }
    @autoreleasepool {
        MPSMatrix *other = make_sequence(1, kRows, kInputs, 9).firstObject;
        run_layer(layer, @[ other ], @[ y ], nil);
        CHECK([matrix_numbers(kept) isEqual:numbers]);
    }
    [numbers release];
    [kept release];
}

static void test_states_outlive_their_layer(void) {
    MPSRNNRecurrentMatrixState *state, *more;
    NSData *numbers;
    @autoreleasepool {
        set_up();
        state = [run_layer(layer, @[ x ], @[ y ], nil).firstObject retain];
        more = [run_layer(layer, @[ x ], @[ y ], state).firstObject retain];
        numbers = [matrix_numbers(y) retain];
    }
    @autoreleasepool {
        CHECK([matrix_numbers([more getRecurrentOutputMatrixForLayerIndex:0]) isEqual:numbers]);
        set_up();
        run_layer(layer, @[ x ], @[ y ], state);
        CHECK([matrix_numbers(y) isEqual:numbers]);
    }
    [state release]; // never shown: goes to a pool that no layer owns any more
    [more release];
    [numbers release];
}

/// Work that is encoded holds all it needs: nothing of it is left when it runs.
static void test_work_in_flight(void) {
    set_up();
    MPSMatrix *expected = make_matrix(kRows, kOutputs);
    run_layer(layer, @[ x ], @[ expected ], run_layer(layer, @[ x ], @[ y ], nil).firstObject);
    id<MTLBuffer> result = [[device newBufferWithLength:kRows * 16 options:0] autorelease];
    id<MTLCommandBuffer> commandBuffer = [[queue commandBuffer] retain];
    @autoreleasepool {
        set_up();
        NSMutableArray<MPSRNNRecurrentMatrixState *> *states = [NSMutableArray array];
        encode(commandBuffer, @[ x ], @[ y ], nil, states);
        encode(commandBuffer, @[ x ], @[ matrix_over(result, 0, 16, kOutputs) ], states.firstObject, nil);
    }
    run(commandBuffer);
    [commandBuffer release];
    CHECK(are_equal(matrix_over(result, 0, 16, kOutputs), expected));
}

/// More rows than a pooled state has room for, and fewer again.
static void test_states_of_other_sizes(void) {
    set_up();
    const NSUInteger rows[] = {2, 5, 1, 5};
    for (int i = 0; i < 4; i++) {
        @autoreleasepool {
            MPSMatrix *source = make_sequence(1, rows[i], kInputs, 1).firstObject,
                      *result = make_matrix(rows[i], kOutputs);
            MPSRNNRecurrentMatrixState *state = run_layer(layer, @[ source ], @[ result ], nil).firstObject;
            MPSMatrix *again = make_matrix(rows[i], kOutputs);
            CHECK(run_layer(layer, @[ source ], @[ again ], state).count == 1);
            MPSMatrix *h = [state getRecurrentOutputMatrixForLayerIndex:0];
            CHECK(h.rows == rows[i] && are_equal(h, result));
        }
    }
}

int main(void) {
    void (*const tests[])(void) = {
        test_refused_matrices,       test_refused_offsets,          test_aliasing,
        test_states_that_do_not_fit, test_stack_for_two_directions, test_skipped_validation,
        test_properties_and_copies,  test_states_are_appended,      test_temporary_states,
        test_temporary_matrices,     test_states_are_used_again,    test_states_outlive_their_layer,
        test_work_in_flight,         test_states_of_other_sizes,    test_offsets_of_one_matrix,
    };
    return run_tests(tests, sizeof tests / sizeof tests[0]);
}
