#import "PMPRecurrentStack.h"
#import "PMPRecurrentWeights.h"

/// What one gate is read from.
typedef struct PMPGateSources {
    id<MPSCNNConvolutionDataSource> input, recurrent, memory;
    NSString *name; // what the three properties' names begin with
} PMPGateSources;

@implementation MPSLSTMDescriptor (PMPLSTMCell)

- (BOOL)hasMemoryCell {
    return YES;
}

/// NO where the source fails to load. A nil source gives nil. The weights are autoreleased.
- (BOOL)readWeights:(PMPRecurrentWeights **)weights
               from:(id<MPSCNNConvolutionDataSource>)source
               kind:(PMPWeightsKind)kind
           argument:(PMPArgument)argument {
    *weights = nil;
    if (source != nil) {
        *weights = [[[PMPRecurrentWeights alloc] initWithSource:source
                                                           kind:kind
                                                         inputs:self.inputFeatureChannels
                                                        outputs:self.outputFeatureChannels
                                                       argument:argument] autorelease];
    }
    return source == nil || *weights != nil;
}

/// NO where a source fails to load. The gate points into autoreleased objects.
- (BOOL)readGate:(pymps_engine_gate *)gate from:(PMPGateSources)sources argument:(PMPArgument)argument {
    PMPWeightsKind inputKind = self.useLayerInputUnitTransformMode ? PMPWeightsIdentity : PMPWeightsInput;
    PMPWeightsKind memoryKind = self.memoryWeightsAreDiagonal ? PMPWeightsDiagonal : PMPWeightsSquare;
    PMPArgument part = PMPArgumentPart(argument, sources.name);
    PMPArgument inputPart = part, recurrentPart = part, memoryPart = part;
    inputPart.name = [part.name stringByAppendingString:@"InputWeights"];
    recurrentPart.name = [part.name stringByAppendingString:@"RecurrentWeights"];
    memoryPart.name = [part.name stringByAppendingString:@"MemoryWeights"];

    PMPRecurrentWeights *input, *recurrent, *memory;
    if (![self readWeights:&input from:sources.input kind:inputKind argument:inputPart] ||
        ![self readWeights:&recurrent from:sources.recurrent kind:PMPWeightsSquare argument:recurrentPart] ||
        ![self readWeights:&memory from:sources.memory kind:memoryKind argument:memoryPart]) {
        return NO;
    }
    *gate = (pymps_engine_gate){.input_weights = [input weights],
                                .recurrent_weights = [recurrent weights],
                                .memory_weights = [memory weights],
                                .bias = [input bias]};
    if (input != nil) {
        gate->neuron = [input neuron]; // else the identity
    }
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
    const PMPGateSources inputGate = {_inputGateInputWeights, _inputGateRecurrentWeights, _inputGateMemoryWeights,
                                      @"inputGate"};
    const PMPGateSources forgetGate = {_forgetGateInputWeights, _forgetGateRecurrentWeights, _forgetGateMemoryWeights,
                                       @"forgetGate"};
    const PMPGateSources cellGate = {_cellGateInputWeights, _cellGateRecurrentWeights, _cellGateMemoryWeights,
                                     @"cellGate"};
    const PMPGateSources outputGate = {_outputGateInputWeights, _outputGateRecurrentWeights, _outputGateMemoryWeights,
                                       @"outputGate"};
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
