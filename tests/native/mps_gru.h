// Descriptors of GRUs and single gates for tests.
#import "mps_lstm.h"

/// Input weights with a bias and a tanh or sigmoid activation.
static inline TestWeights *make_input_weights(NSUInteger inputs, NSUInteger outputs, MPSCNNNeuronType neuron,
                                              unsigned seed) {
    TestWeights *weights = [TestWeights weightsWithInputs:inputs outputs:outputs seed:seed];
    [weights setBiasWithSeed:seed + 1];
    [weights->descriptor setNeuronType:neuron parameterA:1 parameterB:1];
    return weights;
}

/// All weights and biases set, Vh among them; sigmoid gates, tanh for the output gate; float32 weights.
static inline MPSGRUDescriptor *make_gru(NSUInteger inputs, NSUInteger outputs, unsigned seed) {
    MPSGRUDescriptor *gru = [MPSGRUDescriptor createGRUDescriptorWithInputFeatureChannels:inputs
                                                                    outputFeatureChannels:outputs];
    gru.useFloat32Weights = YES;
    gru.inputGateInputWeights = make_input_weights(inputs, outputs, MPSCNNNeuronTypeSigmoid, seed);
    gru.inputGateRecurrentWeights = [TestWeights weightsWithInputs:outputs outputs:outputs seed:seed + 2];
    gru.recurrentGateInputWeights = make_input_weights(inputs, outputs, MPSCNNNeuronTypeSigmoid, seed + 10);
    gru.recurrentGateRecurrentWeights = [TestWeights weightsWithInputs:outputs outputs:outputs seed:seed + 12];
    gru.outputGateInputWeights = make_input_weights(inputs, outputs, MPSCNNNeuronTypeTanH, seed + 20);
    gru.outputGateRecurrentWeights = [TestWeights weightsWithInputs:outputs outputs:outputs seed:seed + 22];
    gru.outputGateInputGateWeights = [TestWeights weightsWithInputs:outputs outputs:outputs seed:seed + 23];
    return gru;
}

/// All weights and the bias set; tanh; float32 weights.
static inline MPSRNNSingleGateDescriptor *make_single_gate(NSUInteger inputs, NSUInteger outputs, unsigned seed) {
    MPSRNNSingleGateDescriptor *gate =
        [MPSRNNSingleGateDescriptor createRNNSingleGateDescriptorWithInputFeatureChannels:inputs
                                                                    outputFeatureChannels:outputs];
    gate.useFloat32Weights = YES;
    gate.inputWeights = make_input_weights(inputs, outputs, MPSCNNNeuronTypeTanH, seed);
    gate.recurrentWeights = [TestWeights weightsWithInputs:outputs outputs:outputs seed:seed + 2];
    return gate;
}

static inline MPSRNNMatrixInferenceLayer *make_stack(NSArray<MPSRNNDescriptor *> *descriptors) {
    return [[[MPSRNNMatrixInferenceLayer alloc] initWithDevice:device rnnDescriptors:descriptors] autorelease];
}
