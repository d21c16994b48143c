#import "PMPRecurrentGate.h"

@implementation MPSRNNSingleGateDescriptor (PMPSingleGateCell)

- (pymps_engine_layer *)newEngineLayerForArgument:(PMPArgument)argument {
    pymps_engine_single_gate singleGate = {.inputs = self.inputFeatureChannels,
                                           .outputs = self.outputFeatureChannels,
                                           .unit_input = self.useLayerInputUnitTransformMode,
                                           .half_weights = !self.useFloat32Weights};
    @autoreleasepool { // the copies of the weights end here
        PMPRecurrentWeights *input, *recurrent;
        if (![self readWeights:&input
                          from:_inputWeights
                          kind:self.inputWeightsKind
                      argument:PMPArgumentPart(argument, @"inputWeights")] ||
            ![self readWeights:&recurrent
                          from:_recurrentWeights
                          kind:PMPWeightsSquare
                      argument:PMPArgumentPart(argument, @"recurrentWeights")]) {
            return NULL;
        }
        singleGate.gate = PMPEngineGate(input, recurrent, nil);
        return pymps_engine_single_gate_create(&singleGate);
    }
}

@end
