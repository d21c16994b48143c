#import "PMPRecurrentGate.h"

@implementation MPSLSTMDescriptor (PMPLSTMCell)

- (BOOL)hasMemoryCell {
    return YES;
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

- (pymps_engine_layer *)newEngineLayerForArgument:(PMPArgument)argument {
    PMPWeightsKind memoryKind = self.memoryWeightsAreDiagonal ? PMPWeightsDiagonal : PMPWeightsSquare;
    const PMPGateSources inputGate = {@"inputGate", _inputGateInputWeights, _inputGateRecurrentWeights,
                                      _inputGateMemoryWeights, memoryKind};
    const PMPGateSources forgetGate = {@"forgetGate", _forgetGateInputWeights, _forgetGateRecurrentWeights,
                                       _forgetGateMemoryWeights, memoryKind};
    const PMPGateSources cellGate = {@"cellGate", _cellGateInputWeights, _cellGateRecurrentWeights,
                                     _cellGateMemoryWeights, memoryKind};
    const PMPGateSources outputGate = {@"outputGate", _outputGateInputWeights, _outputGateRecurrentWeights,
                                       _outputGateMemoryWeights, memoryKind};
    pymps_engine_lstm lstm = {.inputs = self.inputFeatureChannels,
                              .outputs = self.outputFeatureChannels,
                              .unit_input = self.useLayerInputUnitTransformMode,
                              .memory_is_diagonal = self.memoryWeightsAreDiagonal,
                              .half_weights = !self.useFloat32Weights,
                              .cell_to_output = [self cellToOutputNeuron:argument]};
    @autoreleasepool { // the copies of the weights end here
        if (![self readGate:&lstm.input_gate from:inputGate argument:argument] ||
            ![self readGate:&lstm.forget_gate from:forgetGate argument:argument] ||
            ![self readGate:&lstm.cell_gate from:cellGate argument:argument] ||
            ![self readGate:&lstm.output_gate from:outputGate argument:argument]) {
            return NULL;
        }
        return pymps_engine_lstm_create(&lstm);
    }
}

@end
