// Descriptors of neurons, convolutions and layers, and what a layer asks of its weight sources.
#import "mps_test.h"
#include <unistd.h>

/// UInt8 weights that say how they are meant.
@interface TestQuantizedWeights : TestWeights {
  @public
    MPSCNNWeightsQuantizationType quantization;
    vector_float2 *ranges;
    float *table;
}
@end

@implementation TestQuantizedWeights
- (MPSCNNWeightsQuantizationType)weightsQuantizationType {
    return quantization;
}
- (vector_float2 *)rangesForUInt8Kernel {
    return ranges;
}
- (float *)lookupTableForUInt8Kernel {
    return table;
}
@end

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wdeprecated-declarations" // GNUstep has no newer way to unarchive
static id archived_and_back(id object) {
    return [NSKeyedUnarchiver unarchiveObjectWithData:[NSKeyedArchiver archivedDataWithRootObject:object]];
}
#pragma clang diagnostic pop

static void test_neuron_descriptor(void) {
    MPSNNNeuronDescriptor *neuron = [MPSNNNeuronDescriptor cnnNeuronDescriptorWithType:MPSCNNNeuronTypePower
                                                                                     a:1
                                                                                     b:2
                                                                                     c:3];
    CHECK(neuron.neuronType == MPSCNNNeuronTypePower && neuron.a == 1 && neuron.b == 2 && neuron.c == 3);
    CHECK(neuron.data == nil);
    CHECK([[MPSNNNeuronDescriptor cnnNeuronDescriptorWithType:MPSCNNNeuronTypeTanH] a] == 0);
    CHECK([[MPSNNNeuronDescriptor cnnNeuronDescriptorWithType:MPSCNNNeuronTypeELU a:4] a] == 4);
    CHECK([[MPSNNNeuronDescriptor cnnNeuronDescriptorWithType:MPSCNNNeuronTypeTanH a:4 b:5] b] == 5);

    MPSNNNeuronDescriptor *copy = [[neuron copy] autorelease];
    copy.c = 7;
    CHECK(copy.a == 1 && copy.b == 2 && copy.neuronType == MPSCNNNeuronTypePower && neuron.c == 3);

    CHECK_RAISES(@"+[MPSNNNeuronDescriptor cnnNeuronDescriptorWithType:a:b:c:] neuronType: PReLU",
                 [MPSNNNeuronDescriptor cnnNeuronDescriptorWithType:MPSCNNNeuronTypePReLU]);
    CHECK_RAISES(@"neuronType: 99", [MPSNNNeuronDescriptor cnnNeuronDescriptorWithType:(MPSCNNNeuronType)99]);
}

static void test_prelu_descriptor(void) {
    NSMutableData *slopes = test_numbers(4, 1);
    MPSNNNeuronDescriptor *copied = [MPSNNNeuronDescriptor cnnNeuronPReLUDescriptorWithData:slopes noCopy:false];
    CHECK(copied.neuronType == MPSCNNNeuronTypePReLU && [copied.data isEqual:slopes] && copied.data != slopes);
    CHECK_RAISES(@"data: 16 bytes", [MPSNNNeuronDescriptor cnnNeuronPReLUDescriptorWithData:slopes noCopy:true]);

    size_t page = (size_t)getpagesize();
    void *pages = NULL;
    CHECK(posix_memalign(&pages, page, page) == 0);
    memset(pages, 0, page);
    NSData *whole = [NSData dataWithBytesNoCopy:pages length:page freeWhenDone:YES];
    CHECK([[MPSNNNeuronDescriptor cnnNeuronPReLUDescriptorWithData:whole noCopy:true] data] == whole);

    MPSNNNeuronDescriptor *back = archived_and_back(copied);
    CHECK(back.neuronType == MPSCNNNeuronTypePReLU && [back.data isEqual:slopes]);
    CHECK([MPSNNNeuronDescriptor supportsSecureCoding]);
}

static MPSCNNConvolutionDescriptor *convolution(void) {
    return [MPSCNNConvolutionDescriptor cnnConvolutionDescriptorWithKernelWidth:2
                                                                   kernelHeight:3
                                                           inputFeatureChannels:4
                                                          outputFeatureChannels:5];
}

static void test_convolution_descriptor(void) {
    MPSCNNConvolutionDescriptor *descriptor = convolution();
    CHECK(descriptor.kernelWidth == 2 && descriptor.kernelHeight == 3);
    CHECK(descriptor.inputFeatureChannels == 4 && descriptor.outputFeatureChannels == 5);
    CHECK(descriptor.strideInPixelsX == 1 && descriptor.strideInPixelsY == 1 && descriptor.groups == 1);
    CHECK(descriptor.dilationRateX == 1 && descriptor.dilationRateY == 1);
    CHECK(descriptor.fusedNeuronDescriptor.neuronType == MPSCNNNeuronTypeNone);
    CHECK(descriptor.neuronType == MPSCNNNeuronTypeNone);
    CHECK_RAISES(@"0 x 1", [MPSCNNConvolutionDescriptor cnnConvolutionDescriptorWithKernelWidth:0
                                                                                   kernelHeight:1
                                                                           inputFeatureChannels:1
                                                                          outputFeatureChannels:1]);
    CHECK_RAISES(@"1 and 0", [MPSCNNConvolutionDescriptor cnnConvolutionDescriptorWithKernelWidth:1
                                                                                     kernelHeight:1
                                                                             inputFeatureChannels:1
                                                                            outputFeatureChannels:0]);
    CHECK_RAISES(@"fusedNeuronDescriptor: nil", descriptor.fusedNeuronDescriptor = nothing);
}

static void test_both_ways_to_the_fused_neuron(void) {
    MPSCNNConvolutionDescriptor *descriptor = convolution();
    [descriptor setNeuronType:MPSCNNNeuronTypeTanH parameterA:2 parameterB:3];
    CHECK(descriptor.fusedNeuronDescriptor.neuronType == MPSCNNNeuronTypeTanH);
    CHECK(descriptor.fusedNeuronDescriptor.a == 2 && descriptor.fusedNeuronDescriptor.b == 3);
    descriptor.fusedNeuronDescriptor = [MPSNNNeuronDescriptor cnnNeuronDescriptorWithType:MPSCNNNeuronTypeELU a:9];
    CHECK(descriptor.neuronType == MPSCNNNeuronTypeELU && descriptor.neuronParameterA == 9);
    CHECK(descriptor.neuronParameterB == 0);
    NSData *slopes = test_numbers(5, 1);
    [descriptor setNeuronToPReLUWithParametersA:slopes];
    CHECK(descriptor.neuronType == MPSCNNNeuronTypePReLU && descriptor.neuronParameterA == 0);
    CHECK([descriptor.fusedNeuronDescriptor.data isEqual:slopes]);
    CHECK_RAISES(@"neuronType: PReLU", [descriptor setNeuronType:MPSCNNNeuronTypePReLU parameterA:0 parameterB:0]);
}

static void test_copy_and_archive_convolution(void) {
    MPSCNNConvolutionDescriptor *descriptor = convolution();
    descriptor.strideInPixelsX = 6;
    descriptor.dilationRateY = 7;
    descriptor.groups = 8;
    [descriptor setNeuronType:MPSCNNNeuronTypeTanH parameterA:2 parameterB:3];
    MPSCNNConvolutionDescriptor *copy = [[descriptor copy] autorelease];
    MPSCNNConvolutionDescriptor *back = archived_and_back(descriptor);
    descriptor.fusedNeuronDescriptor.a = 100;
    for (MPSCNNConvolutionDescriptor *other in @[ copy, back ]) {
        CHECK(other.kernelWidth == 2 && other.kernelHeight == 3);
        CHECK(other.inputFeatureChannels == 4 && other.outputFeatureChannels == 5);
        CHECK(other.strideInPixelsX == 6 && other.strideInPixelsY == 1 && other.groups == 8);
        CHECK(other.dilationRateX == 1 && other.dilationRateY == 7);
        CHECK(other.neuronType == MPSCNNNeuronTypeTanH && other.neuronParameterA == 2);
    }
    CHECK(MPSCNNConvolutionDescriptor.supportsSecureCoding);
}

static void test_lstm_descriptor(void) {
    MPSLSTMDescriptor *descriptor = [MPSLSTMDescriptor createLSTMDescriptorWithInputFeatureChannels:3
                                                                              outputFeatureChannels:2];
    CHECK(descriptor.inputFeatureChannels == 3 && descriptor.outputFeatureChannels == 2);
    CHECK(!descriptor.useLayerInputUnitTransformMode && !descriptor.useFloat32Weights);
    CHECK(descriptor.layerSequenceDirection == MPSRNNSequenceDirectionForward);
    CHECK(!descriptor.memoryWeightsAreDiagonal && descriptor.cellGateMemoryWeights == nil);
    CHECK(descriptor.cellToOutputNeuronType == MPSCNNNeuronTypeTanH && descriptor.cellToOutputNeuronParamA == 1);
    CHECK(descriptor.cellToOutputNeuronParamB == 1 && descriptor.cellToOutputNeuronParamC == 1);
    NSArray<NSString *> *properties = @[
        @"inputGateInputWeights", @"inputGateRecurrentWeights", @"inputGateMemoryWeights", @"forgetGateInputWeights",
        @"forgetGateRecurrentWeights", @"forgetGateMemoryWeights", @"outputGateInputWeights",
        @"outputGateRecurrentWeights", @"outputGateMemoryWeights", @"cellGateInputWeights", @"cellGateRecurrentWeights",
        @"cellGateMemoryWeights"
    ];
    for (NSString *name in properties) {
        TestWeights *weights = [TestWeights weightsWithInputs:1 outputs:1 seed:1];
        [descriptor setValue:weights forKey:name];
        CHECK([descriptor valueForKey:name] == weights);
    }
    CHECK_RAISES(@"0 and 2", [MPSLSTMDescriptor createLSTMDescriptorWithInputFeatureChannels:0
                                                                       outputFeatureChannels:2]);
}

/// 3 inputs, 2 outputs; every source is one of the weights given here.
static MPSLSTMDescriptor *small_lstm(TestWeights *input, TestWeights *recurrent, TestWeights *memory) {
    MPSLSTMDescriptor *lstm = [MPSLSTMDescriptor createLSTMDescriptorWithInputFeatureChannels:3
                                                                        outputFeatureChannels:2];
    lstm.forgetGateInputWeights = input;
    lstm.forgetGateRecurrentWeights = recurrent;
    lstm.forgetGateMemoryWeights = memory;
    return lstm;
}

static MPSRNNMatrixInferenceLayer *make_layer(MPSRNNDescriptor *descriptor) {
    return [[[MPSRNNMatrixInferenceLayer alloc] initWithDevice:device rnnDescriptor:descriptor] autorelease];
}

static void test_layer_loads_and_purges(void) {
    TestWeights *input = [TestWeights weightsWithInputs:3 outputs:2 seed:1];
    TestWeights *recurrent = [TestWeights weightsWithInputs:2 outputs:2 seed:2];
    MPSLSTMDescriptor *lstm = small_lstm(input, recurrent, nil);
    lstm.cellGateRecurrentWeights = recurrent;
    MPSRNNMatrixInferenceLayer *layer = make_layer(lstm);
    CHECK(layer != nil && layer.inputFeatureChannels == 3 && layer.outputFeatureChannels == 2);
    CHECK(input->loads == 1 && input->purges == 1);
    CHECK(recurrent->loads == 2 && recurrent->purges == 2);

    recurrent->failsToLoad = YES; // the input weights of the same gate are purged all the same
    CHECK(make_layer(lstm) == nil);
    CHECK(input->loads == 2 && input->purges == 2 && recurrent->purges == 2);
}

/// Expects a layer over this forget gate to raise, naming the gate's property, and to purge what it has loaded.
static void check_refused(TestWeights *input, TestWeights *recurrent, TestWeights *memory, NSString *text) {
    MPSLSTMDescriptor *lstm = small_lstm(input, recurrent, memory);
    CHECK_RAISES(text, [[MPSRNNMatrixInferenceLayer alloc] initWithDevice:device rnnDescriptor:lstm]);
    for (TestWeights *weights in @[ input ?: (id) @"", recurrent ?: (id) @"", memory ?: (id) @"" ]) {
        CHECK(![weights isKindOfClass:[TestWeights class]] || weights->loads == weights->purges);
    }
}

static TestWeights *input_weights(void) {
    return [TestWeights weightsWithInputs:3 outputs:2 seed:1];
}

static void test_sources_that_do_not_fit(void) {
    check_refused([TestWeights weightsWithInputs:2 outputs:2 seed:1], nil, nil,
                  @"-[MPSRNNMatrixInferenceLayer initWithDevice:rnnDescriptors:] "
                  @"rnnDescriptors[0].forgetGateInputWeights: 2 to 2 feature channels, ");
    check_refused(nil, input_weights(), nil, @"forgetGateRecurrentWeights: 3 to 2");
    check_refused(nil, nil, input_weights(), @"forgetGateMemoryWeights: 3 to 2");

    TestWeights *weights = input_weights();
    weights->descriptor.kernelWidth = 3;
    check_refused(weights, nil, nil, @"forgetGateInputWeights: a kernel of 3 x 1");
    weights = input_weights();
    weights->descriptor.strideInPixelsY = 2;
    check_refused(weights, nil, nil, @"a stride of 1 x 2");
    weights = input_weights();
    weights->descriptor.dilationRateX = 2;
    check_refused(weights, nil, nil, @"a dilation of 2 x 1");
    weights = input_weights();
    weights->descriptor.groups = 3;
    check_refused(weights, nil, nil, @"3 groups");
    weights = input_weights();
    const float ones[] = {1, 1};
    [weights->descriptor setBatchNormalizationParametersForInferenceWithMean:ones
                                                                    variance:ones
                                                                       gamma:NULL
                                                                        beta:NULL
                                                                     epsilon:0];
    check_refused(weights, nil, nil, @"batch normalisation");
    weights = input_weights();
    weights->handsOutNull = YES;
    check_refused(weights, nil, nil, @"weights NULL");
    weights = input_weights();
    weights->dataType = MPSDataTypeInt16;
    check_refused(weights, nil, nil, @"data type 0x20000010");
    weights = input_weights();
    [weights->descriptor setNeuronToPReLUWithParametersA:test_numbers(3, 1)];
    check_refused(weights, nil, nil, @"12 bytes of PReLU data");
    weights = input_weights();
    weights->dataType = MPSDataTypeUInt8; // without a way to read it
    check_refused(weights, nil, nil, @"UInt8");
}

static void test_descriptors_that_do_not_fit(void) {
    CHECK_RAISES(@"0 to 0 feature channels",
                 [[MPSRNNMatrixInferenceLayer alloc] initWithDevice:device
                                                      rnnDescriptor:[[[MPSRNNDescriptor alloc] init] autorelease]]);
    MPSRNNDescriptor *plain = [[[MPSRNNDescriptor alloc] init] autorelease];
    plain.inputFeatureChannels = plain.outputFeatureChannels = 1;
    CHECK_RAISES(@"rnnDescriptors[0]: a plain MPSRNNDescriptor",
                 [[MPSRNNMatrixInferenceLayer alloc] initWithDevice:device rnnDescriptor:plain]);
    CHECK_RAISES(@"rnnDescriptors: ", [[MPSRNNMatrixInferenceLayer alloc] initWithDevice:device rnnDescriptors:@[]]);
    CHECK_RAISES(@"rnnDescriptor: nil", [[MPSRNNMatrixInferenceLayer alloc] initWithDevice:device
                                                                             rnnDescriptor:nothing]);
    MPSLSTMDescriptor *lstm = small_lstm(nil, nil, nil);
    CHECK([[[MPSRNNMatrixInferenceLayer alloc] initWithDevice:nothing rnnDescriptor:lstm] autorelease] == nil);
    lstm.useLayerInputUnitTransformMode = YES;
    CHECK_RAISES(@"3 to 2", [[MPSRNNMatrixInferenceLayer alloc] initWithDevice:device rnnDescriptor:lstm]);
    lstm.useLayerInputUnitTransformMode = NO;
    lstm.cellToOutputNeuronType = MPSCNNNeuronTypePReLU;
    CHECK_RAISES(@"cellToOutputNeuronType: 10", [[MPSRNNMatrixInferenceLayer alloc] initWithDevice:device
                                                                                     rnnDescriptor:lstm]);
    NSArray *broken = @[ small_lstm(nil, nil, nil), small_lstm(nil, nil, nil) ];
    CHECK_RAISES(@"rnnDescriptors[1]: 3 input feature channels",
                 [[MPSRNNMatrixInferenceLayer alloc] initWithDevice:device rnnDescriptors:broken]);
    CHECK_RAISES(@"initWithDevice:", [(id)[MPSRNNMatrixInferenceLayer alloc] initWithDevice:device]);
}

/// What a layer without recurrence answers to x = (1, 1, 1): its cell gate's sums, h = gh(I C), all else the identity.
static NSData *cell_gate_sums(TestWeights *cell) {
    TestWeights *one = [TestWeights weightsWithInputs:3 outputs:2 seed:1];
    memset(one->values.mutableBytes, 0, one->values.length);
    one->bias = [test_numbers(2, 0) retain];
    for (int i = 0; i < 2; i++) {
        ((float *)one->bias.mutableBytes)[i] = 1;
    }
    MPSLSTMDescriptor *lstm = [MPSLSTMDescriptor createLSTMDescriptorWithInputFeatureChannels:3
                                                                        outputFeatureChannels:2];
    lstm.useFloat32Weights = YES;
    lstm.inputGateInputWeights = lstm.outputGateInputWeights = one;
    lstm.cellGateInputWeights = cell;
    lstm.cellToOutputNeuronType = MPSCNNNeuronTypeNone;
    MPSRNNMatrixInferenceLayer *layer = make_layer(lstm);
    MPSMatrix *x = make_matrix(1, 3), *y = make_matrix(1, 2);
    for (int i = 0; i < 3; i++) {
        matrix_row(x, 0)[i] = 1;
    }
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    [layer encodeSequenceToCommandBuffer:commandBuffer
                          sourceMatrices:@[ x ]
                     destinationMatrices:@[ y ]
                     recurrentInputState:nil
                   recurrentOutputStates:nil];
    run(commandBuffer);
    return matrix_numbers(y);
}

static bool is_within(float tolerance, NSData *sums, float first, float second) {
    const float *numbers = sums.bytes;
    return fabsf(numbers[0] - first) < tolerance && fabsf(numbers[1] - second) < tolerance;
}

static bool is_near(NSData *sums, float first, float second) {
    return is_within(1e-5f, sums, first, second);
}

static void test_types_of_weights(void) {
    TestWeights *half = input_weights();
    const uint16_t halves[] = {0x3C00, 0x4000, 0xC200, 0x0001, 0x3555, 0x8400}; // 1 2 -3; 2^-24 0.333 -2^-14
    [half->values setData:[NSData dataWithBytes:halves length:sizeof halves]];
    half->dataType = MPSDataTypeFloat16;
    CHECK(is_near(cell_gate_sums(half), 0, 0x1p-24f + 0x1.554p-2f - 0x1p-14f));

    const uint8_t bytes[] = {0, 255, 51, 0, 0, 255};
    vector_float2 ranges[] = {{-1, 1}, {2, 4}};
    float table[256] = {[0] = 1, [51] = 10, [255] = 100};
    TestQuantizedWeights *quantized = [TestQuantizedWeights weightsWithInputs:3 outputs:2 seed:1];
    [quantized->values setData:[NSData dataWithBytes:bytes length:sizeof bytes]];
    quantized->dataType = MPSDataTypeUInt8;
    quantized->ranges = ranges;
    quantized->table = table;
    quantized->quantization = MPSCNNWeightsQuantizationTypeLinear;
    const float tolerance = 8 * 2e-4f; // bytes stay bytes: what they are multiplied with may be rounded
    CHECK(is_within(tolerance, cell_gate_sums(quantized), -1 + 1 - 0.6f, 2 + 2 + 4));
    quantized->quantization = MPSCNNWeightsQuantizationTypeLookupTable;
    CHECK(is_near(cell_gate_sums(quantized), 111, 102));
    quantized->table = NULL;
    check_refused(quantized, nil, nil, @"forgetGateInputWeights: UInt8");
}

static void test_bias_and_activation_of_input_weights(void) {
    TestWeights *cell = input_weights();
    const float weights[] = {1, 1, 1, -1, -1, -1}, slopes[] = {0.5f, 0.25f};
    [cell->values setData:[NSData dataWithBytes:weights length:sizeof weights]];
    [cell->descriptor setNeuronToPReLUWithParametersA:[NSData dataWithBytes:slopes length:sizeof slopes]];
    CHECK(is_near(cell_gate_sums(cell), 3, -0.75f));
    cell->bias = [[NSMutableData dataWithBytes:slopes length:sizeof slopes] retain];
    CHECK(is_near(cell_gate_sums(cell), 3.5f, -2.75f * 0.25f));
}

int main(void) {
    void (*const tests[])(void) = {
        test_neuron_descriptor,
        test_prelu_descriptor,
        test_convolution_descriptor,
        test_both_ways_to_the_fused_neuron,
        test_copy_and_archive_convolution,
        test_lstm_descriptor,
        test_layer_loads_and_purges,
        test_sources_that_do_not_fit,
        test_descriptors_that_do_not_fit,
        test_types_of_weights,
        test_bias_and_activation_of_input_weights,
    };
    return run_tests(tests, sizeof tests / sizeof tests[0]);
}
