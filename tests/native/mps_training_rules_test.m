// What MPSRNNMatrixTrainingLayer refuses, temporaries, and archives.
#import "mps_training.h"

static MPSRNNMatrixTrainingLayer *layer;
static NSMutableArray<MPSMatrix *> *weights;
static NSArray<MPSMatrix *> *x, *y, *dy, *dx;

static void set_up(MPSRNNDescriptor *descriptor) {
    weights = [NSMutableArray array];
    layer = make_training(descriptor, weights);
    x = make_steps(kInputs, 1);
    y = make_steps(kOutputs, 11);
    dy = make_steps(kOutputs, 21);
    dx = make_steps(kInputs, 31);
}

static NSMutableArray<MPSRNNMatrixTrainingState *> *tapes;
static NSMutableArray<MPSRNNRecurrentMatrixState *> *states;

static void encode_forward(id<MTLCommandBuffer> commandBuffer, NSArray<MPSMatrix *> *sources,
                           NSArray<MPSMatrix *> *destinations, MPSRNNRecurrentMatrixState *state,
                           NSArray<MPSMatrix *> *used) {
    [layer encodeForwardSequenceToCommandBuffer:commandBuffer
                                 sourceMatrices:sources
                                  sourceOffsets:NULL
                            destinationMatrices:destinations
                             destinationOffsets:NULL
                                 trainingStates:tapes
                            recurrentInputState:state
                          recurrentOutputStates:states
                                        weights:used];
}

static void encode_gradient(id<MTLCommandBuffer> commandBuffer, NSArray<MPSRNNMatrixTrainingState *> *used,
                            MPSRNNRecurrentMatrixState *state, NSArray<MPSMatrix *> *sourceGradients,
                            NSArray<MPSMatrix *> *destinationGradients, NSArray<MPSMatrix *> *weightGradients) {
    [layer encodeGradientSequenceToCommandBuffer:commandBuffer
                                  forwardSources:x
                            forwardSourceOffsets:NULL
                                 sourceGradients:sourceGradients
                           sourceGradientOffsets:NULL
                            destinationGradients:destinationGradients
                              destinationOffsets:NULL
                                 weightGradients:weightGradients
                                  trainingStates:used
                             recurrentInputState:state
                           recurrentOutputStates:states
                                         weights:weights];
}

/// A layer that has run forward; the command buffer goes on.
static id<MTLCommandBuffer> begin(MPSRNNDescriptor *descriptor) {
    set_up(descriptor);
    tapes = [NSMutableArray array];
    states = [NSMutableArray array];
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    encode_forward(commandBuffer, x, y, nil, weights);
    return commandBuffer;
}

static void test_refused_forward_passes(void) {
    id<MTLCommandBuffer> commandBuffer = begin(make_lstm(kInputs, kOutputs, NO, 9));
    NSUInteger count = tapes.count;
    NSMutableArray<MPSMatrix *> *wrong = [[weights mutableCopy] autorelease];
    [wrong exchangeObjectAtIndex:0 withObjectAtIndex:1];
    CHECK_RAISES(@"encodeForwardSequenceToCommandBuffer:", encode_forward(nothing, x, y, nil, weights));
    CHECK_RAISES(@"weights[0]: 4 columns, expected 3", encode_forward(commandBuffer, x, y, nil, wrong));
    CHECK_RAISES(@"weights: 11 matrices, expected the 12",
                 encode_forward(commandBuffer, x, y, nil, [weights subarrayWithRange:NSMakeRange(0, 11)]));
    CHECK_RAISES(@"sourceMatrices: no matrix", encode_forward(commandBuffer, @[], @[], nil, weights));
    CHECK_RAISES(@"sourceMatrices[0]: 4 columns", encode_forward(commandBuffer, y, y, nil, weights));
    CHECK_RAISES(@"sourceMatrices[1]: 3 rows", encode_forward(commandBuffer, @[ matrix_at(x, 3), matrix_at(x, 0) ],
                                                              @[ matrix_at(y, 3), matrix_at(y, 0) ], nil, weights));
    CHECK_RAISES(@"destinationMatrices: 3 matrices",
                 encode_forward(commandBuffer, x, [y subarrayWithRange:NSMakeRange(0, 3)], nil, weights));
    CHECK_RAISES(@"trainingStates: nil", [layer encodeForwardSequenceToCommandBuffer:commandBuffer
                                                                      sourceMatrices:x
                                                                 destinationMatrices:y
                                                                      trainingStates:nothing
                                                                             weights:weights]);
    MPSMatrix *recurrent = matrix_at(weights, 1); // out x out, as a destination could be
    CHECK_RAISES(@"destinationMatrices[0]: shares memory with weights[1]",
                 encode_forward(commandBuffer, @[ make_matrix(kOutputs, kInputs) ], @[ recurrent ], nil, weights));
    CHECK(tapes.count == count && states.count == 1);
    run(commandBuffer);
}

static void test_refused_states(void) {
    id<MTLCommandBuffer> commandBuffer = begin(make_lstm(kInputs, kOutputs, NO, 10));
    MPSRNNRecurrentMatrixState *forward = [[states.lastObject retain] autorelease];
    NSArray<MPSRNNMatrixTrainingState *> *ownTapes = [[tapes copy] autorelease];
    encode_gradient(commandBuffer, tapes, nil, dy, dx, nil);
    MPSRNNRecurrentMatrixState *gradient = states.lastObject;
    run(commandBuffer);

    commandBuffer = [queue commandBuffer];
    CHECK_RAISES(@"recurrentInputState: not of a forward pass of this layer",
                 encode_forward(commandBuffer, x, y, gradient, weights));
    CHECK_RAISES(@"recurrentInputState: not of a gradient pass of this layer",
                 encode_gradient(commandBuffer, ownTapes, forward, dy, dx, nil));
    CHECK_RAISES(@"recurrentInputState: 3 rows, expected the 2 rows",
                 encode_forward(commandBuffer, @[ matrix_at(x, 2) ], @[ matrix_at(y, 2) ], forward, weights));
    CHECK_RAISES(@"shares memory with recurrentInputState",
                 encode_forward(commandBuffer, @[ matrix_at(x, 0) ],
                                @[ [forward getRecurrentOutputMatrixForLayerIndex:0] ], forward, weights));
    MPSRNNMatrixInferenceLayer *inference = make_layer(make_lstm(kInputs, kOutputs, NO, 10));
    MPSRNNRecurrentMatrixState *inferred =
        run_layer(inference, @[ matrix_at(x, 0) ], @[ matrix_at(y, 0) ], nil).lastObject;
    CHECK_RAISES(@"recurrentInputState: not of a forward pass of this layer",
                 encode_forward(commandBuffer, x, y, inferred, weights));
    CHECK_RAISES(@"recurrentInputState: not of a layer with this device",
                 run_layer(inference, @[ matrix_at(x, 0) ], @[ matrix_at(y, 0) ], forward));

    run(begin(make_lstm(kInputs, kOutputs, NO, 10))); // another layer
    commandBuffer = [queue commandBuffer];
    CHECK_RAISES(@"recurrentInputState: not of a forward pass of this layer",
                 encode_forward(commandBuffer, x, y, forward, weights));
    CHECK_RAISES(@"trainingStates[0]: not of a forward pass of this layer",
                 encode_gradient(commandBuffer, ownTapes, nil, dy, dx, nil));
}

static void test_refused_gradient_passes(void) {
    id<MTLCommandBuffer> commandBuffer = begin(make_lstm(kInputs, kOutputs, NO, 11));
    NSMutableArray<MPSMatrix *> *gradients = [NSMutableArray array];
    [layer createWeightGradientMatrices:gradients dataType:MPSDataTypeFloat32];
    CHECK_RAISES(@"trainingStates: 3, expected one for each of 4 forwardSources",
                 encode_gradient(commandBuffer, [tapes subarrayWithRange:NSMakeRange(0, 3)], nil, dy, dx, nil));
    NSArray *reversed = tapes.reverseObjectEnumerator.allObjects;
    CHECK_RAISES(@"trainingStates[0]: 1 rows, expected the source's 3",
                 encode_gradient(commandBuffer, reversed, nil, dy, dx, nil));
    MPSRNNMatrixTrainingState *first = tapes.firstObject;
    CHECK_RAISES(@"trainingStates: the same one twice",
                 encode_gradient(commandBuffer, @[ first, first, first, first ], nil, dy, dx, nil));
    CHECK_RAISES(@"sourceGradients[0]: 3 columns, expected 4", encode_gradient(commandBuffer, tapes, nil, dx, dx, nil));
    CHECK_RAISES(@"destinationGradients[0]: 4 columns, expected 3",
                 encode_gradient(commandBuffer, tapes, nil, dy, dy, nil));
    CHECK_RAISES(@"destinationGradients[0]: shares memory with forwardSources[0]",
                 encode_gradient(commandBuffer, tapes, nil, dy, x, nil));
    CHECK_RAISES(@"destinationGradients: no matrix", encode_gradient(commandBuffer, tapes, nil, dy, @[], nil));
    CHECK_RAISES(@"weightGradients[0]: shares memory with weights[0]",
                 encode_gradient(commandBuffer, tapes, nil, dy, dx, weights));
    CHECK_RAISES(@"weightGradients: 1 matrices, expected the 12",
                 encode_gradient(commandBuffer, tapes, nil, dy, dx, @[ gradients.firstObject ]));
    CHECK(states.count == 1);
    encode_gradient(commandBuffer, tapes, nil, dy, dx, gradients);
    run(commandBuffer);
}

static NSArray<MPSMatrix *> *with_repeated(NSArray<MPSMatrix *> *matrices, NSUInteger from, NSUInteger to) {
    NSMutableArray<MPSMatrix *> *changed = [[matrices mutableCopy] autorelease];
    [changed replaceObjectAtIndex:to withObject:matrix_at(matrices, from)];
    return changed;
}

/// What several threads would write at once.
static void test_repeated_results(void) {
    id<MTLCommandBuffer> commandBuffer = begin(make_lstm(kInputs, kOutputs, NO, 14));
    NSMutableArray<MPSMatrix *> *gradients = [NSMutableArray array];
    [layer createWeightGradientMatrices:gradients dataType:MPSDataTypeFloat32];
    CHECK_RAISES(@"weightGradients[9]: shares memory with weightGradients[3]",
                 encode_gradient(commandBuffer, tapes, nil, dy, dx, with_repeated(gradients, 3, 9)));
    CHECK_RAISES(@"destinationGradients[1]: shares memory with destinationGradients[0]",
                 encode_gradient(commandBuffer, tapes, nil, dy, with_repeated(dx, 0, 1), gradients));
    NSArray<MPSMatrix *> *same = @[ matrix_at(dx, 0), matrix_at(dx, 0) ];
    x = [x subarrayWithRange:NSMakeRange(0, same.count)];
    CHECK_RAISES(@"destinationGradients[1]: shares memory with destinationGradients[0]",
                 encode_gradient(commandBuffer, [tapes subarrayWithRange:NSMakeRange(0, same.count)], nil,
                                 [dy subarrayWithRange:NSMakeRange(0, same.count)], same, gradients));
    run(commandBuffer);
}

static void test_refused_makers(void) {
    set_up(make_lstm(kInputs, kOutputs, NO, 12));
    NSMutableArray *made = [NSMutableArray array];
    CHECK_RAISES(@"dataType: 0x20000020", [layer createWeightGradientMatrices:made dataType:MPSDataTypeInt32]);
    CHECK_RAISES(@"matricesOut: nil", [layer createWeightMatrices:nothing]);
    CHECK_RAISES(@"rnnDescriptor: nil", make_training(nothing, made));
    CHECK_RAISES(@"trainableWeights: nil", make_training(make_lstm(kInputs, kOutputs, NO, 12), nothing));
    MPSLSTMDescriptor *lstm = make_lstm(kInputs, kOutputs, NO, 12);
    lstm.inputFeatureChannels = 0;
    CHECK_RAISES(@"rnnDescriptor[0]: 0 to 4", make_training(lstm, made));
    lstm.inputFeatureChannels = kInputs;
    ((TestWeights *)lstm.inputGateInputWeights)->failsToLoad = YES;
    CHECK(make_training(lstm, made) == nil);
    CHECK(made.count == 0);
}

static void test_temporaries(void) {
    set_up(make_lstm(kInputs, kOutputs, NO, 13));
    layer.trainingStateIsTemporary = layer.recurrentOutputIsTemporary = YES;
    tapes = [NSMutableArray array];
    states = [NSMutableArray array];
    NSMutableArray<MPSMatrix *> *wanted = [NSMutableArray array], *gradients = [NSMutableArray array];
    [layer createWeightGradientMatrices:wanted dataType:MPSDataTypeFloat32];
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    [layer createTemporaryWeightGradientMatrices:gradients dataType:MPSDataTypeFloat32 commandBuffer:commandBuffer];
    encode_forward(commandBuffer, x, y, nil, weights);
    for (MPSRNNMatrixTrainingState *tape in tapes) {
        CHECK(tape.isTemporary && tape.readCount == 1 && tape.resourceCount == 1);
    }
    CHECK(states.lastObject.isTemporary && states.lastObject.readCount == 1);
    tapes.firstObject.readCount = 2;
    encode_gradient(commandBuffer, tapes, nil, dy, nil, gradients);
    CHECK(tapes.firstObject.readCount == 1 && tapes.lastObject.readCount == 0);
    CHECK(states.lastObject.isTemporary && states.lastObject.readCount == 1);
    CHECK_RAISES(@"trainingStates[1]: a temporary state without reads left",
                 encode_gradient(commandBuffer, tapes, nil, dy, nil, wanted));

    // What is read of temporary gradients comes out of them.
    MPSMatrix *copied = make_matrix(kOutputs, kInputs);
    CHECK(((MPSTemporaryMatrix *)gradients.firstObject).readCount == 1);
    [layer encodeCopyWeightsToCommandBuffer:commandBuffer
                                    weights:gradients
                                   matrixId:MPSRNNMatrixIdLSTMInputGateInputWeights
                                     matrix:copied
                    copyFromWeightsToMatrix:YES
                               matrixOffset:(MTLOrigin){0, 0, 0}];
    CHECK(((MPSTemporaryMatrix *)gradients.firstObject).readCount == 0);
    run(commandBuffer);
    CHECK_RAISES(@"of another command buffer", encode_gradient([queue commandBuffer], tapes, nil, dy, nil, wanted));

    layer.trainingStateIsTemporary = NO;
    [tapes removeAllObjects];
    commandBuffer = [queue commandBuffer];
    encode_forward(commandBuffer, x, y, nil, weights);
    CHECK(!tapes.firstObject.isTemporary && tapes.firstObject.readCount == 0);
    encode_gradient(commandBuffer, tapes, nil, dy, nil, wanted);
    run(commandBuffer);
    CHECK(are_equal(copied, matrix_at(wanted, 0)));
}

static void test_temporary_sequences(void) {
    run(begin(make_single_gate(kInputs, kOutputs, 14)));
    NSArray<MPSMatrix *> *plain = y;
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    NSMutableArray<MPSMatrix *> *temporaries = [NSMutableArray array];
    for (MPSMatrix *matrix in y) {
        MPSMatrixDescriptor *descriptor = [MPSMatrixDescriptor matrixDescriptorWithRows:matrix.rows
                                                                                columns:matrix.columns
                                                                               rowBytes:matrix.rowBytes
                                                                               dataType:MPSDataTypeFloat32];
        [temporaries addObject:[MPSTemporaryMatrix temporaryMatrixWithCommandBuffer:commandBuffer
                                                                   matrixDescriptor:descriptor]];
    }
    [tapes removeAllObjects];
    encode_forward(commandBuffer, x, temporaries, nil, weights);
    CHECK(((MPSTemporaryMatrix *)temporaries.firstObject).readCount == 1); // written, not read
    encode_gradient(commandBuffer, tapes, nil, temporaries, dx, nil);      // as if y were dL/dy
    CHECK(((MPSTemporaryMatrix *)temporaries.firstObject).readCount == 0);
    run(commandBuffer);
    NSData *first = matrix_numbers(matrix_at(dx, 0));
    commandBuffer = [queue commandBuffer];
    encode_gradient(commandBuffer, tapes, nil, plain, dx, nil);
    run(commandBuffer);
    CHECK([matrix_numbers(matrix_at(dx, 0)) isEqual:first]);
}

/// One pass's read is one, also of a matrix that is both x and dL/dy.
static void test_temporary_sources_as_gradients(void) {
    set_up(make_single_gate(kOutputs, kOutputs, 14));
    tapes = [NSMutableArray array];
    states = nil;
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    MPSMatrixDescriptor *descriptor = [MPSMatrixDescriptor matrixDescriptorWithRows:2
                                                                            columns:kOutputs
                                                                           rowBytes:kOutputs * sizeof(float)
                                                                           dataType:MPSDataTypeFloat32];
    MPSTemporaryMatrix *both = [MPSTemporaryMatrix temporaryMatrixWithCommandBuffer:commandBuffer
                                                                   matrixDescriptor:descriptor];
    x = @[ both ];
    both.readCount = 2;
    encode_forward(commandBuffer, x, @[ make_matrix(2, kOutputs) ], nil, weights);
    CHECK(both.readCount == 1);
    encode_gradient(commandBuffer, tapes, nil, x, @[ make_matrix(2, kOutputs) ], nil);
    CHECK(both.readCount == 0);
    run(commandBuffer);
}

/// States outlive the layer and the arrays; their memory is used again only when the last of a pass has gone.
static void test_life_of_training_states(void) {
    run(begin(make_lstm(kInputs, kOutputs, NO, 15)));
    MPSRNNMatrixTrainingState *kept = [tapes.firstObject retain];
    NSData *before = buffer_bytes((id<MTLBuffer>)[kept resourceAtIndex:0 allocateMemory:YES]);
    [tapes removeAllObjects];
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    fill_matrix(matrix_at(x, 0), 77);
    encode_forward(commandBuffer, x, y, nil, weights);
    run(commandBuffer);
    CHECK([buffer_bytes((id<MTLBuffer>)[kept resourceAtIndex:0 allocateMemory:YES]) isEqual:before]);
    CHECK([kept bufferSizeAtIndex:0] > 0 && [kept bufferSizeAtIndex:0] < before.length);
    CHECK(kept.resourceSize == [kept bufferSizeAtIndex:0] && [kept resourceAtIndex:1 allocateMemory:YES] == nil);
    [kept release];
}

static void test_archives(void) {
    MPSLSTMDescriptor *lstm = make_lstm(kInputs, kOutputs, YES, 16);
    lstm.memoryWeightsAreDiagonal = YES;
    run(begin(lstm));
    layer.trainingStateIsTemporary = layer.accumulateWeightGradients = YES;
    layer.label = @"label";
    NSData *data = archived(layer);
    NSData *wanted = matrix_numbers(matrix_at(y, 3));
    NSArray<MPSMatrix *> *used = weights;
    layer = [MPSKeyedUnarchiver unarchivedObjectOfClasses:[NSSet setWithObject:[MPSRNNMatrixTrainingLayer class]]
                                                 fromData:data
                                                   device:device
                                                    error:NULL];
    CHECK(layer.trainingStateIsTemporary && layer.accumulateWeightGradients && !layer.storeAllIntermediateStates);
    CHECK([layer.label isEqual:@"label"] && layer.inputFeatureChannels == kInputs);
    NSMutableArray<MPSMatrix *> *made = [NSMutableArray array];
    [layer createWeightMatrices:made];
    CHECK(made.count == used.count);
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    fill_matrix(matrix_at(y, 3), 5);
    encode_forward(commandBuffer, x, y, nil, used);
    run(commandBuffer);
    CHECK([matrix_numbers(matrix_at(y, 3)) isEqual:wanted]);
}

int main(void) {
    void (*const tests[])(void) = {
        test_refused_forward_passes,
        test_refused_states,
        test_refused_gradient_passes,
        test_repeated_results,
        test_refused_makers,
        test_temporaries,
        test_temporary_sequences,
        test_life_of_training_states,
        test_archives,
        test_temporary_sources_as_gradients,
    };
    return run_tests(tests, sizeof tests / sizeof tests[0]);
}
