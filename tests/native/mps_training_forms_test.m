// Every form that a descriptor can give a trained layer: activations, blends of a GRU's gates, weights that are absent.
#import "mps_training_passes.h"

typedef MPSRNNDescriptor *(*maker)(unsigned seed);

static MPSRNNDescriptor *full_lstm(unsigned seed) {
    return make_lstm(kInputs, kOutputs, YES, seed);
}

static MPSRNNDescriptor *diagonal_lstm(unsigned seed) {
    MPSLSTMDescriptor *lstm = make_lstm(kInputs, kOutputs, YES, seed);
    lstm.memoryWeightsAreDiagonal = YES;
    return lstm;
}

static MPSRNNDescriptor *gru(unsigned seed) {
    return make_gru(kInputs, kOutputs, seed);
}

static MPSRNNDescriptor *single_gate(unsigned seed) {
    return make_single_gate(kInputs, kOutputs, seed);
}

static const maker makers[] = {full_lstm, diagonal_lstm, gru, single_gate};
enum { kMakers = sizeof makers / sizeof makers[0] };

/// Defined for every sum that these layers have, and of modest slope.
static const struct activation {
    MPSCNNNeuronType type;
    float a, b, c;
} activations[] = {
    {MPSCNNNeuronTypeNone, 0, 0, 0},
    {MPSCNNNeuronTypeReLU, 0.25f, 0, 0},
    {MPSCNNNeuronTypeLinear, 0.5f, 0.125f, 0},
    {MPSCNNNeuronTypeSigmoid, 0, 0, 0},
    {MPSCNNNeuronTypeHardSigmoid, 0.75f, 0.5f, 0},
    {MPSCNNNeuronTypeTanH, 0.75f, 0.5f, 0},
    {MPSCNNNeuronTypeAbsolute, 0, 0, 0},
    {MPSCNNNeuronTypeSoftPlus, 0.5f, 1.5f, 0},
    {MPSCNNNeuronTypeSoftSign, 0, 0, 0},
    {MPSCNNNeuronTypeELU, 0.5f, 0, 0},
    {MPSCNNNeuronTypePReLU, 0, 0, 0}, // with random slopes
    {MPSCNNNeuronTypeReLUN, 0.25f, 0.375f, 0},
    {MPSCNNNeuronTypePower, 0.0625f, 1, 1.5f},
    {MPSCNNNeuronTypeExponential, 0.25f, -0.5f, 2},
    {MPSCNNNeuronTypeExponential, 0.25f, -0.5f, -1},
    {MPSCNNNeuronTypeLogarithm, 0.125f, 1.75f, 3},
    {MPSCNNNeuronTypeLogarithm, 0.125f, 1.75f, -1},
    {MPSCNNNeuronTypeGeLU, 0, 0, 0},
};
enum { kActivations = sizeof activations / sizeof activations[0] };

static MPSNNNeuronDescriptor *make_neuron(struct activation activation, unsigned seed) {
    if (activation.type == MPSCNNNeuronTypePReLU) {
        return [MPSNNNeuronDescriptor cnnNeuronPReLUDescriptorWithData:test_numbers(kOutputs, seed) noCopy:false];
    }
    return [MPSNNNeuronDescriptor cnnNeuronDescriptorWithType:activation.type
                                                            a:activation.a
                                                            b:activation.b
                                                            c:activation.c];
}

/// Each gate in turn has each activation; those of one layer differ.
static void test_activations(void) {
    for (unsigned first = 0; first < kActivations; first++) {
        for (int i = 0; i < kMakers; i++) {
            MPSRNNDescriptor *descriptor = makers[i](50);
            NSRange ids = ids_of(descriptor);
            unsigned next = first;
            for (MPSRNNMatrixId weight = ids.location; weight < NSMaxRange(ids); weight++) {
                if (is_input(weight)) {
                    source_of(descriptor, weight)->descriptor.fusedNeuronDescriptor =
                        make_neuron(activations[next++ % kActivations], 60 + next);
                }
            }
            check_kind(descriptor, MPSDataTypeFloat32);
        }
    }
}

static void test_activations_of_the_memory_cell(void) {
    for (int i = 0; i < kActivations; i++) {
        if (activations[i].type == MPSCNNNeuronTypePReLU) {
            continue; // there is nowhere to put its slopes
        }
        MPSLSTMDescriptor *lstm = (MPSLSTMDescriptor *)full_lstm(80);
        lstm.cellToOutputNeuronType = activations[i].type;
        lstm.cellToOutputNeuronParamA = activations[i].a;
        lstm.cellToOutputNeuronParamB = activations[i].b;
        lstm.cellToOutputNeuronParamC = activations[i].c;
        check_kind(lstm, MPSDataTypeFloat32);
    }
}

static void test_blends(void) {
    for (int half = 0; half < 2; half++) {
        for (int flips = 0; flips < 2; flips++) {
            for (float exponent = 0.5f; exponent <= 4; exponent *= 2) {
                MPSGRUDescriptor *descriptor = make_gru(kInputs, kOutputs, 30);
                descriptor.useFloat32Weights = half == 0;
                descriptor.flipOutputGates = flips == 1;
                descriptor.gatePnormValue = exponent;
                check_kind(descriptor, MPSDataTypeFloat32);
            }
        }
    }
}

/// Without each source, and with each alone; with its input weights a gate loses its activation.
static void test_absent_weights(void) {
    for (int i = 0; i < kMakers; i++) {
        NSRange ids = ids_of(makers[i](0));
        for (MPSRNNMatrixId weight = ids.location; weight < NSMaxRange(ids); weight++) {
            MPSRNNDescriptor *without = makers[i](40), *alone = makers[i](40);
            for (MPSRNNMatrixId other = ids.location; other < NSMaxRange(ids); other++) {
                bool isIt = [weightNames[other] isEqual:weightNames[weight]];
                [isIt ? without : alone setValue:nil forKey:weightNames[other]];
            }
            check_kind(without, MPSDataTypeFloat32);
            check_kind(alone, MPSDataTypeFloat16);
        }
    }
}

int main(void) {
    void (*const tests[])(void) = {
        test_activations,
        test_activations_of_the_memory_cell,
        test_blends,
        test_absent_weights,
    };
    return run_tests(tests, sizeof tests / sizeof tests[0]);
}
