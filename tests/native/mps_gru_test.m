// GRUs and single gates: their descriptors, their numbers, and stacks that mix kinds.
#import "mps_gru.h"

enum { kSteps = 4, kRows = 3, kInputs = 5, kOutputs = 7 };
static const double kTolerance = 2e-6;

static void check_weight_properties(MPSRNNDescriptor *descriptor, NSArray<NSString *> *names) {
    for (NSString *name in names) {
        CHECK([descriptor valueForKey:name] == nil);
        TestWeights *weights = [TestWeights weightsWithInputs:1 outputs:1 seed:1];
        [descriptor setValue:weights forKey:name];
        CHECK([descriptor valueForKey:name] == weights);
    }
}

static void check_common_properties(MPSRNNDescriptor *descriptor) {
    CHECK(descriptor.inputFeatureChannels == 3 && descriptor.outputFeatureChannels == 2);
    CHECK(!descriptor.useLayerInputUnitTransformMode && !descriptor.useFloat32Weights);
    CHECK(descriptor.layerSequenceDirection == MPSRNNSequenceDirectionForward);
}

static void test_descriptors(void) {
    MPSGRUDescriptor *gru = [MPSGRUDescriptor createGRUDescriptorWithInputFeatureChannels:3 outputFeatureChannels:2];
    check_common_properties(gru);
    CHECK(gru.gatePnormValue == 1 && !gru.flipOutputGates);
    check_weight_properties(gru, @[
        @"inputGateInputWeights", @"inputGateRecurrentWeights", @"recurrentGateInputWeights",
        @"recurrentGateRecurrentWeights", @"outputGateInputWeights", @"outputGateRecurrentWeights",
        @"outputGateInputGateWeights"
    ]);
    CHECK_RAISES(@"+[MPSGRUDescriptor createGRUDescriptorWithInputFeatureChannels:outputFeatureChannels:] "
                 @"inputFeatureChannels, outputFeatureChannels: 3 and 0",
                 [MPSGRUDescriptor createGRUDescriptorWithInputFeatureChannels:3 outputFeatureChannels:0]);

    MPSRNNSingleGateDescriptor *gate =
        [MPSRNNSingleGateDescriptor createRNNSingleGateDescriptorWithInputFeatureChannels:3 outputFeatureChannels:2];
    check_common_properties(gate);
    check_weight_properties(gate, @[ @"inputWeights", @"recurrentWeights" ]);
    CHECK_RAISES(@"0 and 2", [MPSRNNSingleGateDescriptor createRNNSingleGateDescriptorWithInputFeatureChannels:0
                                                                                         outputFeatureChannels:2]);
}

/// W*x + U*h + b for one output; a nil source gives zeros.
static double sum_of(TestWeights *input, TestWeights *recurrent, NSUInteger output, const float *x, const double *h) {
    double sum = 0;
    if (input != nil) {
        NSUInteger inputs = input->descriptor.inputFeatureChannels;
        sum = input->bias == nil ? 0 : ((const float *)input->bias.bytes)[output];
        for (NSUInteger i = 0; i < inputs; i++) {
            sum += (double)((const float *)input->values.bytes)[output * inputs + i] * x[i];
        }
    }
    if (recurrent != nil) {
        NSUInteger outputs = recurrent->descriptor.inputFeatureChannels;
        for (NSUInteger i = 0; i < outputs; i++) {
            sum += (double)((const float *)recurrent->values.bytes)[output * outputs + i] * h[i];
        }
    }
    return sum;
}

static double sigmoid(double x) {
    return 1 / (1 + exp(-x));
}

static void reference_gru(MPSGRUDescriptor *gru, const float *x, double *h) {
    NSUInteger outputs = gru.outputFeatureChannels;
    double z[outputs], rh[outputs], zh[outputs], h1[outputs];
    for (NSUInteger o = 0; o < outputs; o++) {
        z[o] = sigmoid(sum_of((id)gru.inputGateInputWeights, (id)gru.inputGateRecurrentWeights, o, x, h));
        rh[o] =
            h[o] * sigmoid(sum_of((id)gru.recurrentGateInputWeights, (id)gru.recurrentGateRecurrentWeights, o, x, h));
        zh[o] = h[o] * z[o];
    }
    for (NSUInteger o = 0; o < outputs; o++) {
        double hidden = tanh(sum_of((id)gru.outputGateInputWeights, (id)gru.outputGateRecurrentWeights, o, x, rh) +
                             sum_of(nil, (id)gru.outputGateInputGateWeights, o, NULL, zh));
        double p = gru.gatePnormValue, rest = pow(1 - pow(z[o], p), 1 / p);
        h1[o] = gru.flipOutputGates ? rest * h[o] + z[o] * hidden : rest * hidden + z[o] * h[o];
    }
    memcpy(h, h1, sizeof h1);
}

static void reference_single_gate(MPSRNNSingleGateDescriptor *gate, const float *x, double *h) {
    NSUInteger outputs = gate.outputFeatureChannels;
    double h1[outputs];
    for (NSUInteger o = 0; o < outputs; o++) {
        h1[o] = tanh(sum_of((id)gate.inputWeights, (id)gate.recurrentWeights, o, x, h));
    }
    memcpy(h, h1, sizeof h1);
}

static void check_against(MPSRNNDescriptor *descriptor, void (^reference)(const float *x, double *h)) {
    MPSRNNMatrixInferenceLayer *layer = make_layer(descriptor);
    NSArray<MPSMatrix *> *x = make_sequence(kSteps, kRows, kInputs, 1), *y = make_sequence(kSteps, kRows, kOutputs, 2);
    MPSRNNRecurrentMatrixState *state = run_layer(layer, x, y, nil).firstObject;
    for (NSUInteger row = 0; row < kRows; row++) {
        double h[kOutputs] = {0};
        for (NSUInteger step = 0; step < kSteps; step++) {
            reference(matrix_row(matrix_at(x, step), row), h);
            CHECK(is_close(matrix_row(matrix_at(y, step), row), h, kOutputs, kTolerance));
        }
    }
    CHECK([state getMemoryCellMatrixForLayerIndex:0] == nil);
    CHECK(are_equal([state getRecurrentOutputMatrixForLayerIndex:0], matrix_at(y, kSteps - 1)));

    NSArray<MPSMatrix *> *parts = make_sequence(kSteps, kRows, kOutputs, 3);
    NSRange first = NSMakeRange(0, 1), rest = NSMakeRange(1, kSteps - 1);
    state = run_layer(layer, [x subarrayWithRange:first], [parts subarrayWithRange:first], nil).firstObject;
    run_layer(layer, [x subarrayWithRange:rest], [parts subarrayWithRange:rest], state);
    CHECK(are_near(matrix_at(parts, kSteps - 1), matrix_at(y, kSteps - 1)));
}

static void test_gru_against_the_formulas(void) {
    MPSGRUDescriptor *gru = make_gru(kInputs, kOutputs, 100);
    void (^reference)(const float *, double *) = ^(const float *x, double *h) {
        reference_gru(gru, x, h);
    };
    check_against(gru, reference);
    gru.flipOutputGates = YES;
    gru.gatePnormValue = 2.5f;
    check_against(gru, reference);
    gru.outputGateInputGateWeights = nil; // the usual GRU
    check_against(gru, reference);
    gru.outputGateInputGateWeights = gru.outputGateRecurrentWeights; // the minimal gated unit
    gru.outputGateRecurrentWeights = nil;
    check_against(gru, reference);
}

static void test_single_gate_against_the_formula(void) {
    MPSRNNSingleGateDescriptor *gate = make_single_gate(kInputs, kOutputs, 200);
    void (^reference)(const float *, double *) = ^(const float *x, double *h) {
        reference_single_gate(gate, x, h);
    };
    check_against(gate, reference);
    gate.recurrentWeights = nil;
    check_against(gate, reference);
}

/// The result of two steps of a layer with 4 inputs and 4 outputs.
static MPSMatrix *two_steps(MPSRNNDescriptor *descriptor) {
    MPSMatrix *y = make_matrix(2, 4);
    run_layer(make_layer(descriptor), make_sequence(2, 2, 4, 1), @[ make_matrix(2, 4), y ], nil);
    return y;
}

static void check_modes(MPSRNNDescriptor *descriptor, NSArray<TestWeights *> *inputWeights) {
    MPSMatrix *full = two_steps(descriptor);
    descriptor.useFloat32Weights = NO;
    MPSMatrix *rounded = two_steps(descriptor);
    CHECK(!are_equal(full, rounded));
    for (NSUInteger i = 0; i < 8; i++) {
        CHECK(fabsf(matrix_row(full, 0)[i] - matrix_row(rounded, 0)[i]) < 1e-3f);
    }
    descriptor.useFloat32Weights = YES;
    descriptor.useLayerInputUnitTransformMode = YES;
    MPSMatrix *unit = two_steps(descriptor);
    descriptor.useLayerInputUnitTransformMode = NO;
    for (TestWeights *weights in inputWeights) {
        for (NSUInteger i = 0; i < 16; i++) {
            ((float *)weights->values.mutableBytes)[i] = i % 5 == 0;
        }
    }
    CHECK(!are_equal(full, unit) && are_near(two_steps(descriptor), unit));
}

static void test_modes(void) {
    MPSGRUDescriptor *gru = make_gru(4, 4, 300);
    check_modes(gru,
                @[ (id)gru.inputGateInputWeights, (id)gru.recurrentGateInputWeights, (id)gru.outputGateInputWeights ]);
    MPSRNNSingleGateDescriptor *gate = make_single_gate(4, 4, 400);
    check_modes(gate, @[ (id)gate.inputWeights ]);
}

static void test_refused_descriptors(void) {
    MPSGRUDescriptor *gru = make_gru(3, 2, 1);
    const float refused[] = {0, -1, NAN};
    for (int i = 0; i < 3; i++) {
        gru.gatePnormValue = refused[i];
        CHECK_RAISES(@"rnnDescriptors[0].gatePnormValue: ", make_layer(gru));
    }
    gru.gatePnormValue = 1;
    gru.outputGateInputGateWeights = [TestWeights weightsWithInputs:3 outputs:2 seed:1];
    CHECK_RAISES(@"rnnDescriptors[0].outputGateInputGateWeights: 3 to 2 feature channels", make_layer(gru));
    gru.outputGateInputGateWeights = nil;
    gru.recurrentGateRecurrentWeights = [TestWeights weightsWithInputs:3 outputs:2 seed:1];
    CHECK_RAISES(@"rnnDescriptors[0].recurrentGateRecurrentWeights: 3 to 2", make_layer(gru));
    MPSRNNSingleGateDescriptor *gate = make_single_gate(3, 2, 1);
    gate.inputWeights = [TestWeights weightsWithInputs:2 outputs:2 seed:1];
    CHECK_RAISES(@"rnnDescriptors[0].inputWeights: 2 to 2", make_layer(gate));
    gate.inputWeights = nil;
    gate.recurrentWeights = [TestWeights weightsWithInputs:3 outputs:2 seed:1];
    CHECK_RAISES(@"rnnDescriptors[0].recurrentWeights: 3 to 2", make_layer(gate));
    TestWeights *unloadable = [TestWeights weightsWithInputs:2 outputs:2 seed:1];
    unloadable->failsToLoad = YES;
    gate.recurrentWeights = unloadable;
    CHECK(make_layer(gate) == nil);
    gru.recurrentGateRecurrentWeights = unloadable;
    CHECK(make_layer(gru) == nil);
    gate.layerSequenceDirection = (MPSRNNSequenceDirection)2;
    CHECK_RAISES(@"rnnDescriptors[0].layerSequenceDirection: 2", make_layer(gate));
}

static void test_mixed_stack(void) {
    NSArray<MPSRNNDescriptor *> *descriptors =
        @[ make_gru(kInputs, 6, 500), make_lstm(6, 9, NO, 600), make_single_gate(9, kOutputs, 700) ];
    MPSRNNMatrixInferenceLayer *stack = make_stack(descriptors);
    NSArray<MPSMatrix *> *x = make_sequence(kSteps, kRows, kInputs, 1), *between = x;
    NSArray<MPSMatrix *> *y = make_sequence(kSteps, kRows, kOutputs, 2);
    MPSRNNRecurrentMatrixState *state = run_layer(stack, x, y, nil).firstObject;
    for (NSUInteger i = 0; i < 3; i++) {
        MPSRNNDescriptor *descriptor = [descriptors objectAtIndex:i];
        NSArray<MPSMatrix *> *next = make_sequence(kSteps, kRows, descriptor.outputFeatureChannels, 3);
        run_layer(make_layer(descriptor), between, next, nil);
        CHECK(are_equal([state getRecurrentOutputMatrixForLayerIndex:i], next.lastObject));
        CHECK(([state getMemoryCellMatrixForLayerIndex:i] != nil) == (i == 1));
        between = next;
    }
    CHECK(are_equal(y.lastObject, between.lastObject));
    MPSRNNRecurrentMatrixState *other =
        run_layer(make_stack(@[ make_gru(kInputs, 6, 1), make_gru(6, 9, 1), make_gru(9, kOutputs, 1) ]), x, y, nil)
            .firstObject;
    CHECK_RAISES(@"recurrentInputState: not of a layer", run_layer(stack, x, y, other));
}

int main(void) {
    void (*const tests[])(void) = {
        test_descriptors, test_gru_against_the_formulas, test_single_gate_against_the_formula,
        test_modes,       test_refused_descriptors,      test_mixed_stack,
    };
    return run_tests(tests, sizeof tests / sizeof tests[0]);
}
