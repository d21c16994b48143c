// The optimizers beside their formulas: time steps, defaults, copies, archives, temporaries, and what they refuse.
#import "mps_optimizer.h"

static void test_time_steps(void) {
    MPSNNOptimizerAdam *adam = [[[MPSNNOptimizerAdam alloc] initWithDevice:device learningRate:0.01f] autorelease];
    CHECK(adam.beta1 == 0.9 && adam.beta2 == 0.999 && adam.epsilon == 1e-8f && adam.timeStep == 0);
    Operands o = {.gradient = make_operand(MPSDataTypeFloat32, 0, 1), .values = make_operand(MPSDataTypeFloat32, 0, 2)};
    o.result = o.values;
    o.states[0] = make_operand(MPSDataTypeFloat32, 0, 0);
    o.states[1] = make_operand(MPSDataTypeFloat32, 0, 0);
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    encode_adam(commandBuffer, adam, &o);
    CHECK(adam.timeStep == 1);
    adam.timeStep = 7;
    encode_adam(commandBuffer, adam, &o);
    CHECK(adam.timeStep == 8);
    run(commandBuffer);
}

static void test_defaults(void) {
    MPSNNOptimizerDescriptor *plain = [[[MPSNNOptimizerDescriptor alloc] init] autorelease];
    CHECK(plain.learningRate == 0.001f && plain.gradientRescale == 1 && !plain.applyGradientClipping);
    CHECK(plain.regularizationType == MPSNNRegularizationTypeNone && plain.regularizationScale == 0);
    MPSNNOptimizerStochasticGradientDescent *sgd =
        [[[MPSNNOptimizerStochasticGradientDescent alloc] initWithDevice:device learningRate:0.5f] autorelease];
    CHECK(sgd.learningRate == 0.5f && sgd.momentumScale == 0 && !sgd.useNesterovMomentum && !sgd.useNestrovMomentum);
    [sgd setLearningRate:0.25f];
    CHECK(sgd.learningRate == 0.25f);
    MPSNNOptimizerRMSProp *rms = [[[MPSNNOptimizerRMSProp alloc] initWithDevice:device learningRate:0.5f] autorelease];
    CHECK(rms.decay == 0.9 && rms.epsilon == 1e-8f && rms.gradientRescale == 1);
}

static void test_copies_and_archives(void) {
    MPSNNOptimizerAdam *adam = [[[MPSNNOptimizerAdam alloc] initWithDevice:device
                                                                     beta1:0.7
                                                                     beta2:0.8
                                                                   epsilon:0.5f
                                                                  timeStep:9
                                                       optimizerDescriptor:make_descriptor(2)] autorelease];
    NSData *data = archived(adam);
    MPSNNOptimizerAdam *read =
        [MPSKeyedUnarchiver unarchivedObjectOfClasses:[NSSet setWithObject:[MPSNNOptimizerAdam class]]
                                             fromData:data
                                               device:device
                                                error:NULL];
    for (MPSNNOptimizerAdam *other in @[ [[adam copy] autorelease], read ]) {
        CHECK(other.beta1 == 0.7 && other.beta2 == 0.8 && other.epsilon == 0.5f && other.timeStep == 9);
        CHECK(other.learningRate == 0.125f && other.gradientRescale == 0.75f && other.applyGradientClipping);
        CHECK(other.gradientClipMax == 0.25f && other.gradientClipMin == -0.125f);
        CHECK(other.regularizationType == MPSNNRegularizationTypeL2 && other.regularizationScale == 0.0625f);
    }
}

static void check_refused(Operands o, NSString *text) {
    MPSNNOptimizerAdam *adam = [[[MPSNNOptimizerAdam alloc] initWithDevice:device learningRate:0.01f] autorelease];
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    CHECK_RAISES(text, encode_adam(commandBuffer, adam, &o));
    CHECK(adam.timeStep == 0);
    run(commandBuffer);
}

static void test_refused(void) {
    Operands fine = {.gradient = make_matrix(2, 3), .values = make_matrix(2, 3), .result = make_matrix(2, 3)};
    fine.states[0] = make_matrix(2, 3);
    fine.states[1] = make_matrix(2, 3);
    Operands o = fine;
    o.gradient = nil;
    check_refused(o, @"inputGradientMatrix: nil");
    o = fine;
    o.states[1] = nil;
    check_refused(o, @"inputVelocityMatrix: nil");
    o = fine;
    o.gradient = make_matrix(3, 2);
    check_refused(o, @"inputGradientMatrix: 3 x 2, expected 2 x 3 as inputValuesMatrix");
    o = fine;
    o.values = make_strided_matrix(2, 3, 12, MPSDataTypeInt32);
    check_refused(o, @"inputValuesMatrix: data type 0x20000020");
    o = fine;
    o.states[1] = o.states[0];
    check_refused(o, @"inputVelocityMatrix: shares memory with inputMomentumMatrix");
    o = fine;
    o.result = o.gradient;
    check_refused(o, @"resultValuesMatrix: shares memory with inputGradientMatrix");
    o = fine;
    o.states[2] = make_matrix(2, 4);
    check_refused(o, @"maximumVelocityMatrix: 2 x 4");
    MPSNNOptimizerDescriptor *descriptor = make_descriptor(0);
    descriptor.regularizationType = (MPSNNRegularizationType)3;
    CHECK_RAISES(@"optimizerDescriptor.regularizationType: 3",
                 [[MPSNNOptimizerRMSProp alloc] initWithDevice:device
                                                         decay:0.9
                                                       epsilon:0
                                           optimizerDescriptor:descriptor]);
    CHECK_RAISES(@"optimizerDescriptor: nil", [[MPSNNOptimizerRMSProp alloc] initWithDevice:device
                                                                                      decay:0.9
                                                                                    epsilon:0
                                                                        optimizerDescriptor:nothing]);
}

static void test_temporary_gradients(void) {
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    MPSMatrixDescriptor *descriptor = [MPSMatrixDescriptor matrixDescriptorWithRows:kRows2
                                                                            columns:kColumns
                                                                           rowBytes:kColumns * 4
                                                                           dataType:MPSDataTypeFloat32];
    MPSTemporaryMatrix *gradient = [MPSTemporaryMatrix temporaryMatrixWithCommandBuffer:commandBuffer
                                                                       matrixDescriptor:descriptor];
    MPSNNOptimizer *sgd = [[[MPSNNOptimizerStochasticGradientDescent alloc] initWithDevice:device
                                                                              learningRate:0.5f] autorelease];
    Operands o = {.gradient = gradient, .values = make_operand(MPSDataTypeFloat32, 0, 4)};
    o.result = o.values;
    NSData *before = matrix_numbers(o.values);
    encode_sgd(commandBuffer, sgd, &o);
    CHECK(gradient.readCount == 0);
    CHECK_RAISES(@"inputGradientMatrix: a temporary without reads left", encode_sgd(commandBuffer, sgd, &o));
    run(commandBuffer);
    CHECK([matrix_numbers(o.values) isEqual:before]); // temporaries are zeros at first
}

/// One kernel's read is one, whatever the matrix is read for.
static void test_temporary_values_as_gradients(void) {
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    MPSMatrixDescriptor *descriptor = [MPSMatrixDescriptor matrixDescriptorWithRows:kRows2
                                                                            columns:kColumns
                                                                           rowBytes:kColumns * 4
                                                                           dataType:MPSDataTypeFloat32];
    MPSTemporaryMatrix *zeros = [MPSTemporaryMatrix temporaryMatrixWithCommandBuffer:commandBuffer
                                                                    matrixDescriptor:descriptor];
    MPSNNOptimizer *sgd = [[[MPSNNOptimizerStochasticGradientDescent alloc] initWithDevice:device
                                                                              learningRate:0.5f] autorelease];
    const Operands o = {.gradient = zeros, .values = zeros, .result = make_operand(MPSDataTypeFloat32, 0, 4)};
    encode_sgd(commandBuffer, sgd, &o);
    CHECK(zeros.readCount == 0);
    run(commandBuffer);
    CHECK([matrix_numbers(o.result) isEqual:matrix_numbers(make_matrix(kRows2, kColumns))]);
}

/// As real clients do: weights and moments seen as vectors, one optimizer for each, gradients that are never cleared,
/// and all of a batch on one command buffer. The loss is linear in y, and so goes down without end.
static void test_training(void) {
    NSMutableArray<MPSMatrix *> *weights = [NSMutableArray array], *moments = [NSMutableArray array];
    NSMutableArray<MPSMatrix *> *velocities = [NSMutableArray array], *gradients = [NSMutableArray array];
    MPSRNNMatrixTrainingLayer *layer = make_training(make_lstm(kInputs, kOutputs, NO, 1), weights);
    [layer createWeightMatrices:moments];
    [layer createWeightMatrices:velocities];
    [layer createWeightGradientMatrices:gradients dataType:MPSDataTypeFloat32];
    NSMutableArray<MPSNNOptimizerAdam *> *optimizers = [NSMutableArray array];
    for (NSUInteger i = 0; i < weights.count; i++) {
        [optimizers addObject:[[[MPSNNOptimizerAdam alloc] initWithDevice:device learningRate:0.05f] autorelease]];
    }
    NSArray<MPSMatrix *> *x = make_steps(kInputs, 1), *y = make_steps(kOutputs, 2), *dy = make_steps(kOutputs, 3);
    NSMutableArray<MPSRNNMatrixTrainingState *> *tapes = [NSMutableArray array];
    double last = INFINITY;
    for (int batch = 0; batch < 10; batch++) {
        id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
        [tapes removeAllObjects];
        [layer encodeForwardSequenceToCommandBuffer:commandBuffer
                                     sourceMatrices:x
                                destinationMatrices:y
                                     trainingStates:tapes
                                            weights:weights];
        [layer encodeGradientSequenceToCommandBuffer:commandBuffer
                                      forwardSources:x
                                     sourceGradients:dy
                                destinationGradients:nil
                                     weightGradients:gradients
                                      trainingStates:tapes
                                             weights:weights];
        for (NSUInteger i = 0; i < weights.count; i++) {
            const Operands o = {.gradient = matrix_at(gradients, i),
                                .values = matrix_at(weights, i),
                                .result = matrix_at(weights, i),
                                .states = {matrix_at(moments, i), matrix_at(velocities, i)},
                                .areVectors = true};
            encode_adam(commandBuffer, [optimizers objectAtIndex:i], &o);
        }
        run(commandBuffer);
        double loss = 0;
        for (NSUInteger step = 0; step < kSteps; step++) {
            for (NSUInteger i = 0; i < stepRows[step] * kOutputs; i++) {
                loss += matrix_row(matrix_at(y, step), 0)[i] * matrix_row(matrix_at(dy, step), 0)[i];
            }
        }
        CHECK(loss < last);
        last = loss;
    }
}

int main(void) {
    void (*const tests[])(void) = {
        test_time_steps,
        test_defaults,
        test_copies_and_archives,
        test_refused,
        test_temporary_gradients,
        test_temporary_values_as_gradients,
        test_training,
    };
    return run_tests(tests, sizeof tests / sizeof tests[0]);
}
