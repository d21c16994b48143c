// Bidirectional encoding: stacks with layers of both directions, and how their results are combined.
#import "mps_gru.h"

enum { kSteps = 5, kRows = 3, kInputs = 4, kForward = 6, kBackward = 3 };

static MPSRNNDescriptor *backward(MPSRNNDescriptor *descriptor) {
    descriptor.layerSequenceDirection = MPSRNNSequenceDirectionBackward;
    return descriptor;
}

static NSArray<MPSRNNDescriptor *> *forward_half(void) {
    return @[ make_lstm(kInputs, 5, YES, 100), make_gru(5, kForward, 200) ];
}

static NSArray<MPSRNNDescriptor *> *backward_half(NSUInteger outputs) {
    return @[
        backward(make_gru(kInputs, 17, 300)), backward(make_single_gate(17, 2, 400)),
        backward(make_lstm(2, outputs, NO, 500))
    ];
}

/// The layers of both halves, in turn.
static MPSRNNMatrixInferenceLayer *make_both(NSUInteger backwardOutputs) {
    NSMutableArray<MPSRNNDescriptor *> *descriptors = [NSMutableArray array];
    NSArray<MPSRNNDescriptor *> *ahead = forward_half(), *back = backward_half(backwardOutputs);
    for (NSUInteger i = 0; i < back.count; i++) {
        [descriptors addObject:[back objectAtIndex:i]];
        if (i < ahead.count) {
            [descriptors addObject:[ahead objectAtIndex:i]];
        }
    }
    return make_stack(descriptors);
}

static NSArray<MPSMatrix *> *reversed(NSArray<MPSMatrix *> *matrices) {
    return matrices.reverseObjectEnumerator.allObjects;
}

static void run_both(MPSRNNMatrixInferenceLayer *layer, NSArray<MPSMatrix *> *x, NSArray<MPSMatrix *> *yf,
                     NSArray<MPSMatrix *> *yb) {
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    [layer encodeBidirectionalSequenceToCommandBuffer:commandBuffer
                                       sourceSequence:x
                           destinationForwardMatrices:yf
                          destinationBackwardMatrices:yb];
    run(commandBuffer);
}

/// What the halves give as layers of their own, in the order of time. The rows of x are equal.
static void run_halves(NSArray<MPSMatrix *> *x, NSUInteger backwardOutputs, NSArray<MPSMatrix *> **yf,
                       NSArray<MPSMatrix *> **yb) {
    *yf = make_sequence(kSteps, kRows, kForward, 0);
    *yb = make_sequence(kSteps, kRows, backwardOutputs, 0);
    run_layer(make_stack(forward_half()), x, *yf, nil);
    run_layer(make_stack(backward_half(backwardOutputs)), reversed(x), reversed(*yb), nil);
}

static void test_separate_results(void) {
    NSArray<MPSMatrix *> *x = make_sequence(kSteps, kRows, kInputs, 1), *yf, *yb;
    run_halves(x, kBackward, &yf, &yb);
    NSArray<MPSMatrix *> *gotF = make_sequence(kSteps, kRows, kForward, 2);
    NSArray<MPSMatrix *> *gotB = make_sequence(kSteps, kRows, kBackward, 3);
    MPSRNNMatrixInferenceLayer *layer = make_both(kBackward);
    CHECK(layer.numberOfLayers == 5);
    run_both(layer, x, gotF, gotB);
    for (NSUInteger step = 0; step < kSteps; step++) {
        CHECK(are_equal(matrix_at(gotF, step), matrix_at(yf, step)));
        CHECK(are_equal(matrix_at(gotB, step), matrix_at(yb, step)));
    }
    // Nothing is left behind that a second run could find.
    NSArray<MPSMatrix *> *again = make_sequence(kSteps, kRows, kBackward, 4);
    run_both(layer, x, gotF, again);
    CHECK(are_equal(matrix_at(again, 0), matrix_at(gotB, 0)));
}

static void test_sum(void) {
    NSArray<MPSMatrix *> *x = make_sequence(kSteps, kRows, kInputs, 1), *yf, *yb;
    run_halves(x, kForward, &yf, &yb);
    NSArray<MPSMatrix *> *sums = make_sequence(kSteps, kRows, kForward, 2);
    MPSRNNMatrixInferenceLayer *layer = make_both(kForward);
    layer.bidirectionalCombineMode = MPSRNNBidirectionalCombineModeAdd;
    run_both(layer, x, sums, nil);
    for (NSUInteger step = 0; step < kSteps; step++) {
        for (NSUInteger i = 0; i < kRows * kForward; i++) {
            float expected = matrix_row(matrix_at(yf, step), 0)[i] + matrix_row(matrix_at(yb, step), 0)[i];
            CHECK(matrix_row(matrix_at(sums, step), 0)[i] == expected);
        }
    }
}

static void test_concatenation(void) {
    NSArray<MPSMatrix *> *x = make_sequence(kSteps, kRows, kInputs, 1), *yf, *yb;
    run_halves(x, kBackward, &yf, &yb);
    NSArray<MPSMatrix *> *wide = make_sequence(kSteps, kRows, kForward + kBackward, 2);
    NSArray<MPSMatrix *> *ignored = make_sequence(1, 1, 1, 9);
    MPSRNNMatrixInferenceLayer *layer = make_both(kBackward);
    layer.bidirectionalCombineMode = MPSRNNBidirectionalCombineModeConcatenate;
    run_both(layer, x, wide, ignored);
    for (NSUInteger step = 0; step < kSteps; step++) {
        for (NSUInteger row = 0; row < kRows; row++) {
            const float *got = matrix_row(matrix_at(wide, step), row);
            CHECK(memcmp(got, matrix_row(matrix_at(yf, step), row), kForward * sizeof(float)) == 0);
            CHECK(memcmp(got + kForward, matrix_row(matrix_at(yb, step), row), kBackward * sizeof(float)) == 0);
        }
    }
    CHECK(matrix_row(ignored.firstObject, 0)[0] == test_number(9, 0));
}

static float number_from_half(uint16_t half) {
    float magnitude = ldexpf((float)((half & 1023) + 1024), (half >> 10 & 31) - 25);
    return half & 0x8000 ? -magnitude : magnitude;
}

/// Both ways to one result, in float16: up to the rounding of one number.
static void test_half_results(void) {
    NSArray<MPSMatrix *> *x = make_sequence(1, kRows, kInputs, 1);
    const MPSRNNBidirectionalCombineMode modes[] = {MPSRNNBidirectionalCombineModeAdd,
                                                    MPSRNNBidirectionalCombineModeConcatenate};
    for (int i = 0; i < 2; i++) {
        NSUInteger columns = i == 0 ? kForward : 2 * kForward;
        MPSRNNMatrixInferenceLayer *layer = make_both(kForward);
        layer.bidirectionalCombineMode = modes[i];
        MPSMatrix *full = make_matrix(kRows, columns);
        MPSMatrix *half = make_strided_matrix(kRows, columns, 2 * columns, MPSDataTypeFloat16);
        run_both(layer, x, @[ full ], nil);
        run_both(layer, x, @[ half ], nil);
        for (NSUInteger j = 0; j < kRows * columns; j++) {
            float expected = matrix_row(full, 0)[j];
            float got = number_from_half(((const uint16_t *)half.data.contents)[j]);
            CHECK(fabsf(got - expected) <= fabsf(expected) * 0x1p-11f + 0x1p-25f);
        }
    }
}

/// Sequences of 5, 3 and 1 steps: each gives what it gives alone.
static void test_sequences_of_different_lengths(void) {
    const NSUInteger rows[kSteps] = {3, 2, 2, 1, 1}, lengths[] = {5, 3, 1};
    NSMutableArray<MPSMatrix *> *x = [NSMutableArray array], *yf = [NSMutableArray array], *yb = [NSMutableArray array];
    for (NSUInteger step = 0; step < kSteps; step++) {
        [x addObject:make_sequence(1, rows[step], kInputs, 7 + (unsigned)step).firstObject];
        [yf addObject:make_matrix(rows[step], kForward)];
        [yb addObject:make_matrix(rows[step], kForward)];
    }
    MPSRNNMatrixInferenceLayer *layer = make_both(kForward);
    run_both(layer, x, yf, yb);
    NSMutableArray<MPSMatrix *> *sums = [NSMutableArray array];
    for (NSUInteger step = 0; step < kSteps; step++) {
        [sums addObject:make_matrix(rows[step], kForward)];
    }
    layer.bidirectionalCombineMode = MPSRNNBidirectionalCombineModeAdd;
    run_both(layer, x, sums, nil);
    layer.bidirectionalCombineMode = MPSRNNBidirectionalCombineModeNone;

    for (NSUInteger row = 0; row < 3; row++) {
        NSArray<MPSMatrix *> *own = make_sequence(lengths[row], 1, kInputs, 0);
        NSArray<MPSMatrix *> *ownF = make_sequence(lengths[row], 1, kForward, 0);
        NSArray<MPSMatrix *> *ownB = make_sequence(lengths[row], 1, kForward, 0);
        for (NSUInteger step = 0; step < lengths[row]; step++) {
            memcpy(matrix_row(matrix_at(own, step), 0), matrix_row(matrix_at(x, step), row), kInputs * sizeof(float));
        }
        run_both(layer, own, ownF, ownB);
        for (NSUInteger step = 0; step < lengths[row]; step++) {
            const float *f = matrix_row(matrix_at(ownF, step), 0), *b = matrix_row(matrix_at(ownB, step), 0);
            for (NSUInteger i = 0; i < kForward; i++) {
                CHECK(fabsf(matrix_row(matrix_at(yf, step), row)[i] - f[i]) <= 1e-6f);
                CHECK(fabsf(matrix_row(matrix_at(yb, step), row)[i] - b[i]) <= 1e-6f);
                CHECK(fabsf(matrix_row(matrix_at(sums, step), row)[i] - (f[i] + b[i])) <= 2e-6f);
            }
        }
    }
}

/// The plain encode runs every layer forward, whatever its direction.
static void test_plain_encode_ignores_directions(void) {
    NSArray<MPSMatrix *> *x = make_sequence(kSteps, kRows, kInputs, 1);
    NSArray<MPSMatrix *> *y = make_sequence(kSteps, kRows, 3, 2), *other = make_sequence(kSteps, kRows, 3, 3);
    run_layer(make_stack(@[ make_lstm(kInputs, 5, NO, 1), backward(make_gru(5, 3, 2)) ]), x, y, nil);
    run_layer(make_stack(@[ make_lstm(kInputs, 5, NO, 1), make_gru(5, 3, 2) ]), x, other, nil);
    CHECK(are_equal(matrix_at(y, 0), matrix_at(other, 0)) && are_equal(y.lastObject, other.lastObject));
}

static void check_refused(MPSRNNMatrixInferenceLayer *layer, NSArray<MPSMatrix *> *x, NSArray<MPSMatrix *> *yf,
                          NSArray<MPSMatrix *> *yb, NSString *text) {
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    CHECK_RAISES(text, [layer encodeBidirectionalSequenceToCommandBuffer:commandBuffer
                                                          sourceSequence:x
                                              destinationForwardMatrices:yf
                                             destinationBackwardMatrices:yb]);
    run(commandBuffer);
}

static void test_refused_stacks(void) {
    NSArray<MPSMatrix *> *x = make_sequence(1, kRows, kInputs, 1), *y = make_sequence(1, kRows, kForward, 2);
    check_refused(
        make_stack(forward_half()), x, y, y,
        @"-[MPSRNNMatrixInferenceLayer encodeBidirectionalSequenceToCommandBuffer:sourceSequence:"
        @"destinationForwardMatrices:destinationBackwardMatrices:] receiver: 2 layers that run forward and 0");
    check_refused(make_stack(backward_half(kForward)), x, y, y, @"0 layers that run forward and 3");
    MPSRNNMatrixInferenceLayer *chain = make_stack(@[ make_gru(kInputs, 5, 1), backward(make_gru(5, 3, 2)) ]);
    check_refused(chain, x, y, y, @"4 input feature channels forward and 5 backward");
    CHECK_RAISES(@"rnnDescriptors[2]: 6 input feature channels, expected 5, the outputs of layer 0",
                 make_stack(@[ make_gru(kInputs, 5, 1), backward(make_gru(kInputs, 6, 2)), make_gru(6, 3, 2) ]));
    MPSRNNMatrixInferenceLayer *layer = make_both(kBackward);
    layer.bidirectionalCombineMode = MPSRNNBidirectionalCombineModeAdd;
    check_refused(layer, x, y, nil, @"6 output feature channels forward and 3 backward");
    layer.bidirectionalCombineMode = (MPSRNNBidirectionalCombineMode)3;
    check_refused(layer, x, y, y, @"bidirectionalCombineMode: 3");
}

static void test_refused_matrices(void) {
    NSArray<MPSMatrix *> *x = make_sequence(2, kRows, kInputs, 1);
    NSArray<MPSMatrix *> *yf = make_sequence(2, kRows, kForward, 2), *yb = make_sequence(2, kRows, kBackward, 3);
    MPSRNNMatrixInferenceLayer *layer = make_both(kBackward);
    check_refused(layer, @[], yf, yb, @"sourceSequence: no matrix");
    check_refused(layer, x, @[ yf.firstObject ], yb, @"destinationForwardMatrices: 1 matrices");
    check_refused(layer, x, yf, nil, @"destinationBackwardMatrices: no matrix");
    check_refused(layer, x, yf, @[ yb.firstObject ], @"destinationBackwardMatrices: 1 matrices");
    check_refused(layer, x, yb, yb, @"destinationForwardMatrices[0]: 3 columns, expected 6");
    check_refused(layer, x, yf, yf, @"destinationBackwardMatrices[0]: 6 columns, expected 3");
    NSArray<MPSMatrix *> *growing = @[ make_matrix(1, kInputs), make_matrix(2, kInputs) ];
    check_refused(layer, growing, yf, yb, @"sourceSequence[1]: 2 rows");
    NSArray<MPSMatrix *> *more = make_sequence(2, kRows + 1, kBackward, 3);
    check_refused(layer, x, yf, more, @"destinationBackwardMatrices[0]: 4 rows");

    MPSMatrixDescriptor *shape = [MPSMatrixDescriptor matrixDescriptorWithRows:kRows
                                                                       columns:kBackward
                                                                      rowBytes:kInputs * sizeof(float)
                                                                      dataType:MPSDataTypeFloat32];
    MPSMatrix *over = [[[MPSMatrix alloc] initWithBuffer:matrix_at(x, 0).data descriptor:shape] autorelease];
    check_refused(layer, x, yf, @[ matrix_at(yb, 0), over ],
                  @"destinationBackwardMatrices[1]: shares memory with sourceSequence[0]");
    layer.bidirectionalCombineMode = MPSRNNBidirectionalCombineModeConcatenate;
    check_refused(layer, x, yf, nil, @"destinationForwardMatrices[0]: 6 columns, expected 9");
}

/// The source is read once by one kernel, though two halves read it; and work in flight holds all it needs.
static void test_temporary_sources_in_flight(void) {
    NSArray<MPSMatrix *> *x = make_sequence(1, kRows, kInputs, 1);
    MPSMatrix *plain = make_matrix(kRows, kForward), *y = make_matrix(kRows, kForward);
    MPSMatrix *middle = make_matrix(kRows, kInputs);
    run_layer(make_layer(make_gru(kInputs, kInputs, 8)), x, @[ middle ], nil);
    MPSRNNMatrixInferenceLayer *layer = make_both(kForward);
    layer.bidirectionalCombineMode = MPSRNNBidirectionalCombineModeAdd;
    run_both(layer, @[ middle ], @[ plain ], nil);

    id<MTLCommandBuffer> commandBuffer = [[queue commandBuffer] retain];
    @autoreleasepool {
        MPSMatrixDescriptor *shape = [MPSMatrixDescriptor matrixDescriptorWithRows:kRows
                                                                           columns:kInputs
                                                                          rowBytes:16
                                                                          dataType:MPSDataTypeFloat32];
        MPSTemporaryMatrix *between = [MPSTemporaryMatrix temporaryMatrixWithCommandBuffer:commandBuffer
                                                                          matrixDescriptor:shape];
        [make_layer(make_gru(kInputs, kInputs, 8)) encodeSequenceToCommandBuffer:commandBuffer
                                                                  sourceMatrices:x
                                                             destinationMatrices:@[ between ]
                                                             recurrentInputState:nil
                                                           recurrentOutputStates:nil];
        MPSRNNMatrixInferenceLayer *own = make_both(kForward);
        own.bidirectionalCombineMode = MPSRNNBidirectionalCombineModeAdd;
        [own encodeBidirectionalSequenceToCommandBuffer:commandBuffer
                                         sourceSequence:@[ between ]
                             destinationForwardMatrices:@[ y ]
                            destinationBackwardMatrices:nil];
        CHECK(between.readCount == 0);
        CHECK_RAISES(@"sourceSequence[0]: a temporary matrix without reads left",
                     [own encodeBidirectionalSequenceToCommandBuffer:commandBuffer
                                                      sourceSequence:@[ between ]
                                          destinationForwardMatrices:@[ y ]
                                         destinationBackwardMatrices:nil]);
    }
    run(commandBuffer);
    [commandBuffer release];
    CHECK(are_equal(y, plain));
}

int main(void) {
    void (*const tests[])(void) = {
        test_separate_results,
        test_sum,
        test_concatenation,
        test_half_results,
        test_sequences_of_different_lengths,
        test_plain_encode_ignores_directions,
        test_refused_stacks,
        test_refused_matrices,
        test_temporary_sources_in_flight,
    };
    return run_tests(tests, sizeof tests / sizeof tests[0]);
}
