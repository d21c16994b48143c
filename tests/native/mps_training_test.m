// MPSRNNMatrixTrainingLayer's passes against double arithmetic and differences: all kinds, types, offsets and states.
#import "mps_training_passes.h"

static void test_kinds(void) {
    for (int half = 0; half < 2; half++) {
        MPSLSTMDescriptor *lstm = make_lstm(kInputs, kOutputs, NO, 1);
        MPSLSTMDescriptor *full = make_lstm(kInputs, kOutputs, YES, 2);
        MPSLSTMDescriptor *diagonal = make_lstm(kInputs, kOutputs, YES, 3);
        diagonal.memoryWeightsAreDiagonal = YES;
        MPSGRUDescriptor *partial = make_gru(kInputs, kOutputs, 4);
        partial.outputGateInputGateWeights = nil;
        partial.recurrentGateInputWeights = nil; // and so without a bias or an activation
        partial.recurrentGateRecurrentWeights = nil;
        partial.outputGateRecurrentWeights = nil;
        for (MPSRNNDescriptor *descriptor in @[
                 lstm, full, diagonal, make_gru(kInputs, kOutputs, 5), partial, make_single_gate(kInputs, kOutputs, 6)
             ]) {
            descriptor.useFloat32Weights = half == 0;
            check_kind(descriptor, MPSDataTypeFloat32);
            check_kind(descriptor, MPSDataTypeFloat16);
        }
    }
}

static void test_initial_states_and_their_gradients(void) {
    set_up(make_lstm(kInputs, kOutputs, YES, 7), MPSDataTypeFloat32);
    p.layer.storeAllIntermediateStates = YES;
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    encode_forward(commandBuffer, nil);
    MPSRNNRecurrentMatrixState *state = [[state_at(p.states, 1) retain] autorelease]; // after a step of all rows
    [p.states removeAllObjects];
    [p.tapes removeAllObjects];
    encode_forward(commandBuffer, state);
    encode_gradient(commandBuffer, allSteps, nil);
    run(commandBuffer);

    memcpy(p.problem.h0, p.problem.h[1], sizeof p.problem.h0);
    memcpy(p.problem.c0, p.problem.c[1], sizeof p.problem.c0);
    run_problem(&p.problem);
    CHECK(y_is_right(1e-5));
    CHECK(p.states.count == kSteps && p.stateGradients.count == kSteps);
    for (NSUInteger step = 0; step < kSteps; step++) {
        CHECK(state_is([state_at(p.states, step) getRecurrentOutputMatrixForLayerIndex:0], p.problem.h[step]));
        CHECK(state_is([state_at(p.states, step) getMemoryCellMatrixForLayerIndex:0], p.problem.c[step]));
    }
    double dh[kMaxRows * kOutputs], dc[kMaxRows * kOutputs];
    for (NSUInteger i = 0; i < kMaxRows * kOutputs; i++) {
        dh[i] = slope(&p.problem, &p.problem.h0[i]);
        dc[i] = slope(&p.problem, &p.problem.c0[i]);
    }
    CHECK(state_is([state_at(p.stateGradients, 0) getRecurrentOutputMatrixForLayerIndex:0], dh));
    CHECK(state_is([state_at(p.stateGradients, 0) getMemoryCellMatrixForLayerIndex:0], dc));
    CHECK(are_slopes(&p.problem, p.layer, p.gradients, 1e-5));
    CHECK(steps_are_slopes(&p.problem, p.dx, p.problem.x, 1e-5));
}

/// Whole passes and passes in two parts, of which the second has fewer rows, are the same.
static void test_parts_of_a_pass(void) {
    set_up(make_lstm(kInputs, kOutputs, NO, 8), MPSDataTypeFloat32);
    p.layer.accumulateWeightGradients = YES;
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    encode_forward(commandBuffer, nil);
    encode_gradient(commandBuffer, NSMakeRange(2, 2), nil);
    encode_gradient(commandBuffer, NSMakeRange(0, 2), p.stateGradients.lastObject);
    run(commandBuffer);
    CHECK(steps_are_slopes(&p.problem, p.dx, p.problem.x, 1e-5));
    CHECK(are_slopes(&p.problem, p.layer, p.gradients, 1e-5));
    CHECK([p.stateGradients.firstObject getRecurrentOutputMatrixForLayerIndex:0].rows == 2);
    CHECK([p.stateGradients.lastObject getRecurrentOutputMatrixForLayerIndex:0].rows == 3);
}

static void test_accumulation(void) {
    set_up(make_gru(kInputs, kOutputs, 9), MPSDataTypeFloat32);
    run_passes();
    NSData *once = matrix_numbers(p.gradients.firstObject);
    [p.tapes removeAllObjects];
    run_passes();
    CHECK([matrix_numbers(p.gradients.firstObject) isEqual:once]); // overwritten
    p.layer.accumulateWeightGradients = YES;
    [p.tapes removeAllObjects];
    run_passes();
    const float *sum = matrix_row(p.gradients.firstObject, 0);
    for (NSUInteger i = 0; i < once.length / sizeof(float); i++) {
        CHECK(fabsf(sum[i] - 2 * ((const float *)once.bytes)[i]) < 1e-5f);
    }
}

static void test_what_is_not_wanted(void) {
    set_up(make_lstm(kInputs, kOutputs, YES, 10), MPSDataTypeFloat32);
    fill_matrix(p.gradients.firstObject, 99);
    NSData *before = matrix_numbers(p.gradients.firstObject);
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    [p.layer encodeForwardSequenceToCommandBuffer:commandBuffer
                                   sourceMatrices:p.x
                              destinationMatrices:p.y
                                   trainingStates:p.tapes
                                          weights:p.weights];
    [p.layer encodeGradientSequenceToCommandBuffer:commandBuffer
                                    forwardSources:p.x
                                   sourceGradients:p.dy
                              destinationGradients:p.dx
                                   weightGradients:nil
                                    trainingStates:p.tapes
                                           weights:p.weights];
    run(commandBuffer);
    CHECK(steps_are_slopes(&p.problem, p.dx, p.problem.x, 1e-5));
    CHECK([matrix_numbers(p.gradients.firstObject) isEqual:before]);

    commandBuffer = [queue commandBuffer];
    [p.layer encodeGradientSequenceToCommandBuffer:commandBuffer
                                    forwardSources:p.x
                                   sourceGradients:p.dy
                              destinationGradients:nil
                                   weightGradients:p.gradients
                                    trainingStates:p.tapes
                                           weights:p.weights];
    run(commandBuffer);
    CHECK(are_slopes(&p.problem, p.layer, p.gradients, 1e-5));
}

enum { kBatch = 2 };

/// A buffer [sequence][step][channel], seen as one matrix whose rows are a step's.
static MPSMatrix *make_interleaved(NSUInteger columns, unsigned seed, MPSDataType dataType) {
    NSUInteger element = dataType == MPSDataTypeFloat16 ? 2 : 4;
    id<MTLBuffer> buffer = [[device newBufferWithLength:kBatch * kSteps * columns * element
                                                options:MTLResourceStorageModeShared] autorelease];
    for (NSUInteger i = 0; i < kBatch * kSteps * columns; i++) {
        if (dataType == MPSDataTypeFloat16) {
            ((uint16_t *)buffer.contents)[i] = half_from_number(test_number(seed, i));
        } else {
            ((float *)buffer.contents)[i] = test_number(seed, i);
        }
    }
    MPSMatrixDescriptor *descriptor = [MPSMatrixDescriptor matrixDescriptorWithRows:kBatch
                                                                            columns:columns
                                                                           rowBytes:kSteps * columns * element
                                                                           dataType:dataType];
    return [[[MPSMatrix alloc] initWithBuffer:buffer descriptor:descriptor] autorelease];
}

static double interleaved_number(MPSMatrix *matrix, NSUInteger row, NSUInteger step, NSUInteger column) {
    NSUInteger place = (row * kSteps + step) * matrix.columns + column;
    return matrix.dataType == MPSDataTypeFloat16 ? number_from_half(((const uint16_t *)matrix.data.contents)[place])
                                                 : (double)((const float *)matrix.data.contents)[place];
}

static NSArray<MPSMatrix *> *repeat(MPSMatrix *matrix, NSUInteger *offsets) {
    NSMutableArray<MPSMatrix *> *matrices = [NSMutableArray array];
    for (NSUInteger step = 0; step < kSteps; step++) {
        [matrices addObject:matrix];
        offsets[step] = step * matrix.rowBytes / kSteps;
    }
    return matrices;
}

/// The same numbers as matrices of their own, which have passed the other tests.
static NSArray<MPSMatrix *> *separate(MPSMatrix *matrix) {
    NSMutableArray<MPSMatrix *> *matrices = [NSMutableArray array];
    for (NSUInteger step = 0; step < kSteps; step++) {
        MPSMatrix *own = make_matrix(kBatch, matrix.columns);
        for (NSUInteger i = 0; i < kBatch * matrix.columns; i++) {
            matrix_row(own, 0)[i] = (float)interleaved_number(matrix, i / matrix.columns, step, i % matrix.columns);
        }
        [matrices addObject:own];
    }
    return matrices;
}

static bool are_interleaved(MPSMatrix *matrix, NSArray<MPSMatrix *> *wanted, double tolerance) {
    bool all = true;
    for (NSUInteger i = 0; i < kSteps * kBatch * matrix.columns; i++) {
        NSUInteger step = i / (kBatch * matrix.columns), row = i / matrix.columns % kBatch, column = i % matrix.columns;
        double number = matrix_row(matrix_at(wanted, step), row)[column];
        all &= fabs(interleaved_number(matrix, row, step, column) - number) <= tolerance;
    }
    return all;
}

/// One matrix for all steps, at offsets that are gone after the call.
static void check_interleaved(MPSDataType dataType, double tolerance) {
    set_up(make_lstm(kInputs, kOutputs, NO, 11), MPSDataTypeFloat32);
    NSMutableArray<MPSMatrix *> *gradients = [NSMutableArray array];
    [p.layer createWeightGradientMatrices:gradients dataType:MPSDataTypeFloat32];
    MPSMatrix *x = make_interleaved(kInputs, 1, dataType), *y = make_interleaved(kOutputs, 2, dataType);
    MPSMatrix *dy = make_interleaved(kOutputs, 3, dataType), *dx = make_interleaved(kInputs, 4, dataType);
    NSUInteger offsets[4][kSteps];
    NSArray<MPSMatrix *> *xs = repeat(x, offsets[0]), *ys = repeat(y, offsets[1]), *dys = repeat(dy, offsets[2]),
                         *dxs = repeat(dx, offsets[3]);
    NSMutableArray<MPSRNNMatrixTrainingState *> *tapes = [NSMutableArray array];
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    [p.layer encodeForwardSequenceToCommandBuffer:commandBuffer
                                   sourceMatrices:xs
                                    sourceOffsets:offsets[0]
                              destinationMatrices:ys
                               destinationOffsets:offsets[1]
                                   trainingStates:tapes
                              recurrentInputState:nil
                            recurrentOutputStates:nil
                                          weights:p.weights];
    [p.layer encodeGradientSequenceToCommandBuffer:commandBuffer
                                    forwardSources:xs
                              forwardSourceOffsets:offsets[0]
                                   sourceGradients:dys
                             sourceGradientOffsets:offsets[2]
                              destinationGradients:dxs
                                destinationOffsets:offsets[3]
                                   weightGradients:gradients
                                    trainingStates:tapes
                               recurrentInputState:nil
                             recurrentOutputStates:nil
                                           weights:p.weights];
    memset(offsets, 0xff, sizeof offsets);
    run(commandBuffer);

    p.x = separate(x);
    p.dy = separate(dy);
    p.y = make_sequence(kSteps, kBatch, kOutputs, 5);
    p.dx = make_sequence(kSteps, kBatch, kInputs, 6);
    run_passes();
    CHECK(are_interleaved(y, p.y, tolerance));
    CHECK(are_interleaved(dx, p.dx, tolerance));
    for (NSUInteger i = 0; i < gradients.count; i++) {
        CHECK(are_near(matrix_at(gradients, i), matrix_at(p.gradients, i)));
    }
}

static void test_one_matrix_at_every_step(void) {
    check_interleaved(MPSDataTypeFloat32, 1e-6);
    check_interleaved(MPSDataTypeFloat16, 1e-3);
}

static void test_copies_of_a_layer_share_states(void) {
    set_up(make_lstm(kInputs, kOutputs, NO, 12), MPSDataTypeFloat32);
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    encode_forward(commandBuffer, nil);
    p.layer.storeAllIntermediateStates = p.layer.trainingStateIsTemporary = p.layer.accumulateWeightGradients = YES;
    MPSRNNMatrixTrainingLayer *copy = [[p.layer copy] autorelease];
    CHECK(copy.storeAllIntermediateStates && copy.trainingStateIsTemporary && copy.accumulateWeightGradients);
    CHECK(copy.inputFeatureChannels == kInputs && copy.outputFeatureChannels == kOutputs);
    p.layer = copy;
    encode_gradient(commandBuffer, allSteps, nil);
    run(commandBuffer);
    CHECK(are_slopes(&p.problem, p.layer, p.gradients, 1e-5));
}

@protocol TestThreads
- (nullable id)newTeamWithThreadCount:(NSUInteger)count;
- (void)setTeam:(id)team;
@end

enum { kManyRows = 48, kManyChannels = 64 };

/// All results of both passes of a layer that is large enough to be shared out.
static NSArray<MPSMatrix *> *run_with_threads(NSUInteger threads) {
    memset(&p, 0, sizeof p);
    p.weights = [NSMutableArray array];
    p.layer = make_training(make_lstm(kManyChannels, kManyChannels, NO, 13), p.weights);
    id team = [[(id<TestThreads>)device newTeamWithThreadCount:threads] autorelease];
    [(id<TestThreads>)p.layer setTeam:team];
    p.gradients = [NSMutableArray array];
    [p.layer createWeightGradientMatrices:p.gradients dataType:MPSDataTypeFloat32];
    p.x = make_sequence(kSteps, kManyRows, kManyChannels, 1);
    p.y = make_sequence(kSteps, kManyRows, kManyChannels, 2);
    p.dy = make_sequence(kSteps, kManyRows, kManyChannels, 3);
    p.dx = make_sequence(kSteps, kManyRows, kManyChannels, 4);
    p.tapes = [NSMutableArray array];
    run_passes();
    return [[p.y arrayByAddingObjectsFromArray:p.dx] arrayByAddingObjectsFromArray:p.gradients];
}

static void test_threads(void) {
    NSArray<MPSMatrix *> *alone = run_with_threads(1), *shared = run_with_threads(3);
    for (NSUInteger i = 0; i < alone.count; i++) {
        const float *numbers = matrix_row(matrix_at(alone, i), 0), *others = matrix_row(matrix_at(shared, i), 0);
        bool all = true;
        for (NSUInteger j = 0; j < matrix_at(alone, i).rows * kManyChannels; j++) {
            all &= fabsf(numbers[j] - others[j]) <= 1e-5f * fmaxf(1, fabsf(numbers[j]));
        }
        CHECK(all);
    }
}

int main(void) {
    void (*const tests[])(void) = {
        test_kinds,
        test_initial_states_and_their_gradients,
        test_parts_of_a_pass,
        test_accumulation,
        test_what_is_not_wanted,
        test_one_matrix_at_every_step,
        test_copies_of_a_layer_share_states,
        test_threads,
    };
    return run_tests(tests, sizeof tests / sizeof tests[0]);
}
