// The numbers of MPSRNNMatrixInferenceLayer, and how sequences, offsets, states and stacks reach them.
#import "mps_lstm.h"

enum { kSteps = 4, kRows = 3, kInputs = 5, kOutputs = 7 };
static const double kTolerance = 2e-6;

static void test_lstm_against_the_formulas(void) {
    MPSLSTMDescriptor *lstm = make_lstm(kInputs, kOutputs, YES, 100);
    MPSRNNMatrixInferenceLayer *layer = make_layer(lstm);
    layer.storeAllIntermediateStates = YES;
    NSArray<MPSMatrix *> *x = make_sequence(kSteps, kRows, kInputs, 1);
    NSArray<MPSMatrix *> *y = make_sequence(kSteps, kRows, kOutputs, 2);
    NSArray<MPSRNNRecurrentMatrixState *> *states = run_layer(layer, x, y, nil);
    CHECK(states.count == kSteps);
    for (NSUInteger row = 0; row < kRows; row++) {
        double h[kOutputs] = {0}, c[kOutputs] = {0};
        for (NSUInteger step = 0; step < kSteps; step++) {
            reference_step(lstm, matrix_row(matrix_at(x, step), row), h, c);
            NSData *stateH = matrix_numbers([state_at(states, step) getRecurrentOutputMatrixForLayerIndex:0]);
            NSData *stateC = matrix_numbers([state_at(states, step) getMemoryCellMatrixForLayerIndex:0]);
            CHECK(is_close(matrix_row(matrix_at(y, step), row), h, kOutputs, kTolerance));
            CHECK(is_close((const float *)stateH.bytes + row * kOutputs, h, kOutputs, kTolerance));
            CHECK(is_close((const float *)stateC.bytes + row * kOutputs, c, kOutputs, kTolerance));
        }
    }
}

static void test_one_step_at_a_time(void) {
    MPSRNNMatrixInferenceLayer *layer = make_layer(make_lstm(kInputs, kOutputs, NO, 200));
    NSArray<MPSMatrix *> *x = make_sequence(kSteps, kRows, kInputs, 1);
    NSArray<MPSMatrix *> *whole = make_sequence(kSteps, kRows, kOutputs, 2);
    MPSRNNRecurrentMatrixState *last = run_layer(layer, x, whole, nil).lastObject;
    MPSRNNRecurrentMatrixState *state = nil;
    for (NSUInteger step = 0; step < kSteps; step++) {
        MPSMatrix *y = make_matrix(kRows, kOutputs);
        NSArray<MPSRNNRecurrentMatrixState *> *states = run_layer(layer, @[ matrix_at(x, step) ], @[ y ], state);
        CHECK(states.count == 1);
        state = state_at(states, 0);
        CHECK(are_near(y, matrix_at(whole, step)));
    }
    CHECK(are_near([state getMemoryCellMatrixForLayerIndex:0], [last getMemoryCellMatrixForLayerIndex:0]));
    CHECK(are_near([state getRecurrentOutputMatrixForLayerIndex:0], matrix_at(whole, kSteps - 1)));
}

/// Sequences in one buffer, sequence by sequence: the same matrix at every step, with a byte offset.
static void test_offsets(void) {
    MPSRNNMatrixInferenceLayer *layer = make_layer(make_lstm(kInputs, kOutputs, NO, 300));
    NSArray<MPSMatrix *> *x = make_sequence(kSteps, kRows, kInputs, 1);
    NSArray<MPSMatrix *> *y = make_sequence(kSteps, kRows, kOutputs, 2);
    run_layer(layer, x, y, nil);

    const NSUInteger before = 20; // MPSMatrix's own offset
    NSUInteger xStride = kSteps * kInputs * sizeof(float), yStride = kSteps * kOutputs * sizeof(float);
    id<MTLBuffer> xs = [[device newBufferWithLength:before + kRows * xStride options:0] autorelease];
    id<MTLBuffer> ys = [[device newBufferWithLength:kRows * yStride options:0] autorelease];
    MPSMatrix *source = [[[MPSMatrix alloc]
        initWithBuffer:xs
                offset:before
            descriptor:[MPSMatrixDescriptor matrixDescriptorWithRows:kRows
                                                             columns:kInputs
                                                            rowBytes:xStride
                                                            dataType:MPSDataTypeFloat32]] autorelease];
    MPSMatrix *destination = [[[MPSMatrix alloc]
        initWithBuffer:ys
            descriptor:[MPSMatrixDescriptor matrixDescriptorWithRows:kRows
                                                             columns:kOutputs
                                                            rowBytes:yStride
                                                            dataType:MPSDataTypeFloat32]] autorelease];
    NSMutableArray<MPSMatrix *> *sources = [NSMutableArray array], *destinations = [NSMutableArray array];
    NSUInteger sourceOffsets[kSteps], destinationOffsets[kSteps];
    for (NSUInteger step = 0; step < kSteps; step++) {
        [sources addObject:source];
        [destinations addObject:destination];
        sourceOffsets[step] = step * kInputs * sizeof(float);
        destinationOffsets[step] = step * kOutputs * sizeof(float);
        for (NSUInteger row = 0; row < kRows; row++) {
            memcpy((char *)matrix_row(source, row) + sourceOffsets[step], matrix_row(matrix_at(x, step), row),
                   kInputs * sizeof(float));
        }
    }
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    [layer encodeSequenceToCommandBuffer:commandBuffer
                          sourceMatrices:sources
                           sourceOffsets:sourceOffsets
                     destinationMatrices:destinations
                      destinationOffsets:destinationOffsets
                     recurrentInputState:nil
                   recurrentOutputStates:nil];
    memset(sourceOffsets, 0xff, sizeof sourceOffsets); // they were read during the call
    memset(destinationOffsets, 0xff, sizeof destinationOffsets);
    run(commandBuffer);
    for (NSUInteger step = 0; step < kSteps; step++) {
        for (NSUInteger row = 0; row < kRows; row++) {
            const float *got = matrix_row(destination, row) + step * kOutputs;
            CHECK(memcmp(got, matrix_row(matrix_at(y, step), row), kOutputs * sizeof(float)) == 0);
        }
    }
}

/// A matrix for each step in one MPSMatrix, with a row between them.
static MPSMatrix *make_several(NSUInteger columns) {
    NSUInteger rowBytes = columns * sizeof(float);
    MPSMatrixDescriptor *descriptor = [MPSMatrixDescriptor matrixDescriptorWithRows:kRows
                                                                            columns:columns
                                                                           matrices:kSteps
                                                                           rowBytes:rowBytes
                                                                        matrixBytes:(kRows + 1) * rowBytes
                                                                           dataType:MPSDataTypeFloat32];
    return [[[MPSMatrix alloc] initWithDevice:device descriptor:descriptor] autorelease];
}

static void test_several_matrices_in_one(void) {
    MPSRNNMatrixInferenceLayer *layer = make_layer(make_lstm(kInputs, kOutputs, NO, 350));
    NSArray<MPSMatrix *> *x = make_sequence(kSteps, kRows, kInputs, 1);
    NSArray<MPSMatrix *> *y = make_sequence(kSteps, kRows, kOutputs, 2);
    run_layer(layer, x, y, nil);

    MPSMatrix *source = make_several(kInputs), *destination = make_several(kOutputs);
    memset(destination.data.contents, 0x7f, destination.data.length);
    NSMutableArray<MPSMatrix *> *sources = [NSMutableArray array], *destinations = [NSMutableArray array];
    NSUInteger sourceOffsets[kSteps], destinationOffsets[kSteps];
    for (NSUInteger step = 0; step < kSteps; step++) {
        [sources addObject:source];
        [destinations addObject:destination];
        sourceOffsets[step] = step * source.matrixBytes;
        destinationOffsets[step] = step * destination.matrixBytes;
        memcpy((char *)matrix_row(source, 0) + sourceOffsets[step], matrix_row(matrix_at(x, step), 0),
               kRows * kInputs * sizeof(float));
    }
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    [layer encodeSequenceToCommandBuffer:commandBuffer
                          sourceMatrices:sources
                           sourceOffsets:sourceOffsets
                     destinationMatrices:destinations
                      destinationOffsets:destinationOffsets
                     recurrentInputState:nil
                   recurrentOutputStates:nil];
    run(commandBuffer);
    const size_t bytes = kRows * kOutputs * sizeof(float);
    for (NSUInteger step = 0; step < kSteps; step++) {
        const char *got = (const char *)matrix_row(destination, 0) + destinationOffsets[step];
        CHECK(memcmp(got, matrix_row(matrix_at(y, step), 0), bytes) == 0);
        for (NSUInteger i = bytes; i < destination.matrixBytes && step + 1 < kSteps; i++) {
            CHECK(got[i] == 0x7f);
        }
    }
}

/// Three sequences of 4, 3 and 2 steps.
static void test_sequences_of_different_lengths(void) {
    const NSUInteger rows[] = {3, 3, 2, 1}, lengths[] = {4, 3, 2};
    MPSRNNMatrixInferenceLayer *layer = make_layer(make_lstm(kInputs, kOutputs, YES, 400));
    NSMutableArray<MPSMatrix *> *x = [NSMutableArray array], *y = [NSMutableArray array];
    for (NSUInteger step = 0; step < kSteps; step++) {
        [x addObject:make_sequence(1, rows[step], kInputs, 7 + (unsigned)step).firstObject];
        [y addObject:make_matrix(rows[step], kOutputs)];
    }
    MPSRNNRecurrentMatrixState *last = run_layer(layer, x, y, nil).firstObject;
    NSData *h = matrix_numbers([last getRecurrentOutputMatrixForLayerIndex:0]);
    CHECK([last getRecurrentOutputMatrixForLayerIndex:0].rows == 3);
    for (NSUInteger row = 0; row < 3; row++) {
        const float *end = matrix_row(matrix_at(y, lengths[row] - 1), row);
        CHECK(memcmp((const float *)h.bytes + row * kOutputs, end, kOutputs * sizeof(float)) == 0);
    }

    layer.storeAllIntermediateStates = YES;
    NSArray<MPSRNNRecurrentMatrixState *> *all = run_layer(layer, x, y, nil);
    CHECK(all.count == 4);
    for (NSUInteger step = 0; step < kSteps; step++) {
        NSData *stepH = matrix_numbers([state_at(all, step) getRecurrentOutputMatrixForLayerIndex:0]);
        for (NSUInteger row = 0; row < 3; row++) {
            NSUInteger since = MIN(step, lengths[row] - 1); // an ended sequence repeats its last state
            CHECK(memcmp((const float *)stepH.bytes + row * kOutputs, matrix_row(matrix_at(y, since), row),
                         kOutputs * sizeof(float)) == 0);
        }
    }
}

static void test_stack(void) {
    NSArray<MPSLSTMDescriptor *> *descriptors =
        @[ make_lstm(kInputs, 6, NO, 500), make_lstm(6, 17, NO, 600), make_lstm(17, 2, YES, 700) ];
    MPSRNNMatrixInferenceLayer *stack = [[[MPSRNNMatrixInferenceLayer alloc] initWithDevice:device
                                                                             rnnDescriptors:descriptors] autorelease];
    CHECK(stack.numberOfLayers == 3 && stack.inputFeatureChannels == kInputs && stack.outputFeatureChannels == 2);
    NSArray<MPSMatrix *> *x = make_sequence(kSteps, kRows, kInputs, 1), *between = x;
    NSArray<MPSMatrix *> *y = make_sequence(kSteps, kRows, 2, 2);
    MPSRNNRecurrentMatrixState *state = run_layer(stack, x, y, nil).firstObject;
    for (NSUInteger i = 0; i < 3; i++) {
        NSArray<MPSMatrix *> *next =
            make_sequence(kSteps, kRows, [descriptors objectAtIndex:i].outputFeatureChannels, 3);
        MPSRNNRecurrentMatrixState *alone =
            run_layer(make_layer([descriptors objectAtIndex:i]), between, next, nil).firstObject;
        CHECK(are_equal([state getRecurrentOutputMatrixForLayerIndex:i],
                        [alone getRecurrentOutputMatrixForLayerIndex:0]));
        CHECK(are_equal([state getMemoryCellMatrixForLayerIndex:i], [alone getMemoryCellMatrixForLayerIndex:0]));
        between = next;
    }
    for (NSUInteger step = 0; step < kSteps; step++) {
        CHECK(are_equal(matrix_at(y, step), matrix_at(between, step)));
    }
    // A stack goes on from its state as one layer does.
    NSArray<MPSMatrix *> *parts = make_sequence(kSteps, kRows, 2, 3);
    MPSRNNRecurrentMatrixState *half =
        run_layer(stack, [x subarrayWithRange:NSMakeRange(0, 2)], [parts subarrayWithRange:NSMakeRange(0, 2)], nil)
            .firstObject;
    run_layer(stack, [x subarrayWithRange:NSMakeRange(2, 2)], [parts subarrayWithRange:NSMakeRange(2, 2)], half);
    CHECK(are_near(matrix_at(parts, 3), matrix_at(y, 3)));
}

static void test_half_matrices(void) {
    MPSRNNMatrixInferenceLayer *layer = make_layer(make_lstm(2, kOutputs, NO, 800));
    MPSMatrix *x = make_matrix(1, 2), *y = make_matrix(1, kOutputs);
    matrix_row(x, 0)[0] = 1.5f;
    matrix_row(x, 0)[1] = -0.25f;
    run_layer(layer, @[ x ], @[ y ], nil);
    MPSMatrix *halfX = make_strided_matrix(1, 2, 4, MPSDataTypeFloat16);
    MPSMatrix *halfY = make_strided_matrix(1, kOutputs, 2 * kOutputs, MPSDataTypeFloat16);
    const uint16_t halves[] = {0x3E00, 0xB400};
    memcpy(halfX.data.contents, halves, sizeof halves);
    MPSMatrix *fromHalf = make_matrix(1, kOutputs);
    run_layer(layer, @[ halfX ], @[ fromHalf ], nil);
    CHECK(are_equal(fromHalf, y));
    run_layer(layer, @[ x ], @[ halfY ], nil);
    for (NSUInteger i = 0; i < kOutputs; i++) {
        uint16_t half = ((const uint16_t *)halfY.data.contents)[i];
        float magnitude = ldexpf((float)((half & 1023) + 1024), (half >> 10 & 31) - 25);
        CHECK(fabsf((half & 0x8000 ? -magnitude : magnitude) - matrix_row(y, 0)[i]) < 1e-3f);
    }
}

/// The result of one step of a 4-to-4 LSTM.
static MPSMatrix *one_step(MPSLSTMDescriptor *lstm) {
    MPSMatrix *y = make_matrix(2, 4);
    NSArray<MPSMatrix *> *x = make_sequence(2, 2, 4, 1);
    run_layer(make_layer(lstm), x, @[ make_matrix(2, 4), y ], nil);
    return y;
}

static void set_identity(TestWeights *weights) {
    for (NSUInteger i = 0; i < 16; i++) {
        ((float *)weights->values.mutableBytes)[i] = i % 5 == 0;
    }
}

static void test_descriptor_modes(void) {
    MPSLSTMDescriptor *lstm = make_lstm(4, 4, YES, 900);
    MPSMatrix *full = one_step(lstm);
    lstm.useFloat32Weights = NO;
    MPSMatrix *rounded = one_step(lstm);
    CHECK(!are_equal(full, rounded));
    for (NSUInteger i = 0; i < 8; i++) {
        CHECK(fabsf(matrix_row(full, 0)[i] - matrix_row(rounded, 0)[i]) < 1e-3f);
    }
    lstm.useFloat32Weights = YES;

    lstm.useLayerInputUnitTransformMode = YES; // the input weights' numbers do not count any more
    MPSMatrix *unit = one_step(lstm);
    lstm.useLayerInputUnitTransformMode = NO;
    CHECK(!are_equal(full, unit));
    for (int i = 0; i < 4; i++) {
        set_identity([lstm valueForKey:[gateNames[i] stringByAppendingString:@"InputWeights"]]);
    }
    CHECK(are_equal(one_step(lstm), unit));

    lstm.memoryWeightsAreDiagonal = YES; // the first row of each matrix is the diagonal
    MPSMatrix *diagonal = one_step(lstm);
    lstm.memoryWeightsAreDiagonal = NO;
    for (int i = 0; i < 4; i++) {
        TestWeights *memory = [lstm valueForKey:[gateNames[i] stringByAppendingString:@"MemoryWeights"]];
        float row[4];
        memcpy(row, memory->values.bytes, sizeof row);
        set_identity(memory);
        for (NSUInteger k = 0; k < 4; k++) {
            ((float *)memory->values.mutableBytes)[k * 5] = row[k];
        }
    }
    MPSMatrix *spelledOut = one_step(lstm);
    for (NSUInteger i = 0; i < 8; i++) {
        CHECK(fabsf(matrix_row(diagonal, 0)[i] - matrix_row(spelledOut, 0)[i]) < 1e-6f);
    }
}

static void test_strided_rows(void) {
    MPSRNNMatrixInferenceLayer *layer = make_layer(make_lstm(kInputs, kOutputs, NO, 1000));
    MPSMatrix *x = make_sequence(1, kRows, kInputs, 1).firstObject, *y = make_matrix(kRows, kOutputs);
    run_layer(layer, @[ x ], @[ y ], nil);
    MPSMatrix *wideX = make_strided_matrix(kRows, kInputs, 100, MPSDataTypeFloat32);
    MPSMatrix *wideY = make_strided_matrix(kRows, kOutputs, 60, MPSDataTypeFloat32);
    fill_matrix(wideX, 1);
    memset(wideY.data.contents, 0x7f, wideY.data.length);
    run_layer(layer, @[ wideX ], @[ wideY ], nil);
    CHECK(are_equal(y, wideY));
    const unsigned char *gap = (const unsigned char *)(matrix_row(wideY, 0) + kOutputs);
    for (NSUInteger i = 0; i < 60 - kOutputs * sizeof(float); i++) {
        CHECK(gap[i] == 0x7f);
    }
}

int main(void) {
    void (*const tests[])(void) = {
        test_lstm_against_the_formulas,
        test_one_step_at_a_time,
        test_offsets,
        test_several_matrices_in_one,
        test_sequences_of_different_lengths,
        test_stack,
        test_half_matrices,
        test_descriptor_modes,
        test_strided_rows,
    };
    return run_tests(tests, sizeof tests / sizeof tests[0]);
}
