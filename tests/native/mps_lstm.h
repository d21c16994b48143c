// LSTM descriptors for tests, short ways to run a layer, and the formulas in double arithmetic.
#import "mps_test.h"
#include <math.h>

static NSString *const gateNames[] = {@"inputGate", @"forgetGate", @"cellGate", @"outputGate"};

/// All weights and biases set; sigmoid gates and a tanh cell gate; float32 weights; full memory weights or none.
static inline MPSLSTMDescriptor *make_lstm(NSUInteger inputs, NSUInteger outputs, BOOL hasMemoryWeights,
                                           unsigned seed) {
    MPSLSTMDescriptor *lstm = [MPSLSTMDescriptor createLSTMDescriptorWithInputFeatureChannels:inputs
                                                                        outputFeatureChannels:outputs];
    lstm.useFloat32Weights = YES;
    for (int i = 0; i < 4; i++) {
        TestWeights *input = [TestWeights weightsWithInputs:inputs outputs:outputs seed:seed + 10 * i];
        [input setBiasWithSeed:seed + 10 * i + 1];
        [input->descriptor setNeuronType:i == 2 ? MPSCNNNeuronTypeTanH : MPSCNNNeuronTypeSigmoid
                              parameterA:1
                              parameterB:1];
        TestWeights *recurrent = [TestWeights weightsWithInputs:outputs outputs:outputs seed:seed + 10 * i + 2];
        // The bias and the activation of a recurrent source have no effect.
        [recurrent setBiasWithSeed:seed];
        [recurrent->descriptor setNeuronType:MPSCNNNeuronTypeTanH parameterA:3 parameterB:1];
        [lstm setValue:input forKey:[gateNames[i] stringByAppendingString:@"InputWeights"]];
        [lstm setValue:recurrent forKey:[gateNames[i] stringByAppendingString:@"RecurrentWeights"]];
        if (hasMemoryWeights) {
            TestWeights *memory = [TestWeights weightsWithInputs:outputs outputs:outputs seed:seed + 10 * i + 3];
            [lstm setValue:memory forKey:[gateNames[i] stringByAppendingString:@"MemoryWeights"]];
        }
    }
    return lstm;
}

static inline MPSRNNMatrixInferenceLayer *make_layer(MPSRNNDescriptor *descriptor) {
    return [[[MPSRNNMatrixInferenceLayer alloc] initWithDevice:device rnnDescriptor:descriptor] autorelease];
}

/// One activation of a gate for one output, with the sum that the formulas give it.
static inline double reference_gate(MPSLSTMDescriptor *lstm, int gate, NSUInteger output, const float *x,
                                    const double *h, const double *c) {
    TestWeights *input = [lstm valueForKey:[gateNames[gate] stringByAppendingString:@"InputWeights"]];
    TestWeights *recurrent = [lstm valueForKey:[gateNames[gate] stringByAppendingString:@"RecurrentWeights"]];
    TestWeights *memory = [lstm valueForKey:[gateNames[gate] stringByAppendingString:@"MemoryWeights"]];
    NSUInteger inputs = lstm.inputFeatureChannels, outputs = lstm.outputFeatureChannels;
    double sum = ((const float *)input->bias.bytes)[output];
    for (NSUInteger i = 0; i < inputs; i++) {
        sum += (double)((const float *)input->values.bytes)[output * inputs + i] * x[i];
    }
    for (NSUInteger i = 0; i < outputs; i++) {
        sum += (double)((const float *)recurrent->values.bytes)[output * outputs + i] * h[i];
        sum += memory == nil ? 0 : (double)((const float *)memory->values.bytes)[output * outputs + i] * c[i];
    }
    return gate == 2 ? tanh(sum) : 1 / (1 + exp(-sum));
}

/// One step of one sequence: h and c become those of the step.
static inline void reference_step(MPSLSTMDescriptor *lstm, const float *x, double *h, double *c) {
    NSUInteger outputs = lstm.outputFeatureChannels;
    double h1[outputs], c1[outputs];
    for (NSUInteger o = 0; o < outputs; o++) {
        c1[o] = reference_gate(lstm, 1, o, x, h, c) * c[o] +
                reference_gate(lstm, 0, o, x, h, c) * reference_gate(lstm, 2, o, x, h, c);
    }
    for (NSUInteger o = 0; o < outputs; o++) {
        h1[o] = reference_gate(lstm, 3, o, x, h, c1) * tanh(c1[o]);
    }
    memcpy(h, h1, sizeof h1);
    memcpy(c, c1, sizeof c1);
}

static inline bool is_close(const float *numbers, const double *expected, NSUInteger count, double tolerance) {
    for (NSUInteger i = 0; i < count; i++) {
        if (!(fabs(numbers[i] - expected[i]) <= tolerance)) {
            return false;
        }
    }
    return true;
}

/// Encodes a sequence on a command buffer of its own and runs it; the states that came out.
static inline NSArray<MPSRNNRecurrentMatrixState *> *run_layer(MPSRNNMatrixInferenceLayer *layer,
                                                               NSArray<MPSMatrix *> *sources,
                                                               NSArray<MPSMatrix *> *destinations,
                                                               MPSRNNRecurrentMatrixState *state) {
    NSMutableArray<MPSRNNRecurrentMatrixState *> *states = [NSMutableArray array];
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    [layer encodeSequenceToCommandBuffer:commandBuffer
                          sourceMatrices:sources
                     destinationMatrices:destinations
                     recurrentInputState:state
                   recurrentOutputStates:states];
    run(commandBuffer);
    return states;
}

static inline NSArray<MPSMatrix *> *make_sequence(NSUInteger steps, NSUInteger rows, NSUInteger columns,
                                                  unsigned seed) {
    NSMutableArray<MPSMatrix *> *matrices = [NSMutableArray array];
    for (NSUInteger step = 0; step < steps; step++) {
        [matrices addObject:make_matrix(rows, columns)];
        fill_matrix(matrices.lastObject, seed + (unsigned)step);
    }
    return matrices;
}

static inline MPSMatrix *matrix_at(NSArray<MPSMatrix *> *matrices, NSUInteger index) {
    return [matrices objectAtIndex:index];
}

static inline MPSRNNRecurrentMatrixState *state_at(NSArray<MPSRNNRecurrentMatrixState *> *states, NSUInteger index) {
    return [states objectAtIndex:index];
}

static inline bool are_equal(MPSMatrix *a, MPSMatrix *b) {
    return [matrix_numbers(a) isEqual:matrix_numbers(b)];
}

/// For different orders of the same sums: up to the rounding of float32.
static inline bool are_near(MPSMatrix *a, MPSMatrix *b) {
    NSData *numbersA = matrix_numbers(a), *numbersB = matrix_numbers(b);
    for (NSUInteger i = 0; i < numbersA.length / sizeof(float); i++) {
        if (!(fabsf(((const float *)numbersA.bytes)[i] - ((const float *)numbersB.bytes)[i]) <= 1e-6f)) {
            return false;
        }
    }
    return numbersA.length == numbersB.length;
}
