#import "PMPRecurrentGate.h"

@implementation MPSRNNDescriptor (PMPRecurrentGate)

- (PMPWeightsKind)inputWeightsKind {
    return self.useLayerInputUnitTransformMode ? PMPWeightsIdentity : PMPWeightsInput;
}

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

- (BOOL)readGate:(pymps_engine_gate *)gate from:(PMPGateSources)sources argument:(PMPArgument)argument {
    PMPArgument inputPart = PMPArgumentPart(argument, [sources.name stringByAppendingString:@"InputWeights"]);
    PMPArgument recurrentPart = PMPArgumentPart(argument, [sources.name stringByAppendingString:@"RecurrentWeights"]);
    PMPArgument memoryPart = PMPArgumentPart(argument, [sources.name stringByAppendingString:@"MemoryWeights"]);
    PMPRecurrentWeights *input, *recurrent, *memory;
    if (![self readWeights:&input from:sources.input kind:self.inputWeightsKind argument:inputPart] ||
        ![self readWeights:&recurrent from:sources.recurrent kind:PMPWeightsSquare argument:recurrentPart] ||
        ![self readWeights:&memory from:sources.memory kind:sources.memoryKind argument:memoryPart]) {
        return NO;
    }
    *gate = PMPEngineGate(input, recurrent, memory);
    return YES;
}

@end

pymps_engine_gate PMPEngineGate(PMPRecurrentWeights *input, PMPRecurrentWeights *recurrent,
                                PMPRecurrentWeights *memory) {
    pymps_engine_gate gate = {.input_weights = [input weights],
                              .recurrent_weights = [recurrent weights],
                              .memory_weights = [memory weights],
                              .bias = [input bias]};
    if (input != nil) {
        gate.neuron = [input neuron]; // else the identity
    }
    return gate;
}
