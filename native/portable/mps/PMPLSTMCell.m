#import "PMPRecurrentKind.h"

static const PMPRecurrentKind kLSTM = {
    .name = @"LSTM",
    .hasMemoryCell = YES,
    .gateCount = 4,
    .weights = {{@"inputGateInputWeights", @"inputGateRecurrentWeights", @"inputGateMemoryWeights"},
                {@"forgetGateInputWeights", @"forgetGateRecurrentWeights", @"forgetGateMemoryWeights"},
                {@"cellGateInputWeights", @"cellGateRecurrentWeights", @"cellGateMemoryWeights"},
                {@"outputGateInputWeights", @"outputGateRecurrentWeights", @"outputGateMemoryWeights"}},
    .flag = @"memoryWeightsAreDiagonal",
    .numbers = {@"cellToOutputNeuronType", @"cellToOutputNeuronParamA", @"cellToOutputNeuronParamB",
                @"cellToOutputNeuronParamC"},
    .firstMatrixId = MPSRNNMatrixIdLSTMInputGateInputWeights,
};

@implementation MPSLSTMDescriptor (PMPLSTMCell)

- (const PMPRecurrentKind *)kind {
    return &kLSTM;
}

- (PMPWeightsKind)memoryWeightsKind {
    return self.memoryWeightsAreDiagonal ? PMPWeightsDiagonal : PMPWeightsMemory;
}

- (pymps_engine_neuron)cellToOutputNeuron:(PMPArgument)argument {
    MPSCNNNeuronType type = self.cellToOutputNeuronType;
    if (type < MPSCNNNeuronTypeNone || type >= MPSCNNNeuronTypeCount || type == MPSCNNNeuronTypePReLU) {
        PMPRaiseInvalid(PMPArgumentPart(argument, @"cellToOutputNeuronType"),
                        @"%d, expected one of MPSCNNNeuronType's but PReLU", (int)type);
    }
    return (pymps_engine_neuron){.type = type,
                                 .a = self.cellToOutputNeuronParamA,
                                 .b = self.cellToOutputNeuronParamB,
                                 .c = self.cellToOutputNeuronParamC};
}

- (pymps_engine_lstm)engineLSTMWithGates:(const PMPRecurrentGates *)parts argument:(PMPArgument)argument {
    return (pymps_engine_lstm){.inputs = self.inputFeatureChannels,
                               .outputs = self.outputFeatureChannels,
                               .unit_input = self.useLayerInputUnitTransformMode,
                               .memory_is_diagonal = self.memoryWeightsAreDiagonal,
                               .half_weights = parts->weightsAreHalf,
                               .input_gate = parts->gates[0],
                               .forget_gate = parts->gates[1],
                               .cell_gate = parts->gates[2],
                               .output_gate = parts->gates[3],
                               .cell_to_output = [self cellToOutputNeuron:argument],
                               .input_window = parts->windows[kPMPInputPart],
                               .recurrent_window = parts->windows[kPMPRecurrentPart],
                               .memory_window = parts->windows[kPMPMemoryPart]};
}

- (pymps_engine_layer *)newEngineLayerWithGates:(const PMPRecurrentGates *)parts argument:(PMPArgument)argument {
    const pymps_engine_lstm lstm = [self engineLSTMWithGates:parts argument:argument];
    return pymps_engine_lstm_create(&lstm);
}

- (pymps_engine_training *)newEngineTrainingWithGates:(const PMPRecurrentGates *)parts argument:(PMPArgument)argument {
    const pymps_engine_lstm lstm = [self engineLSTMWithGates:parts argument:argument];
    return pymps_engine_lstm_training_create(&lstm);
}

@end
