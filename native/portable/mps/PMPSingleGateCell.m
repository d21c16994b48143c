#import "PMPRecurrentKind.h"

static const PMPRecurrentKind kSingleGate = {
    .name = @"SingleGate",
    .gateCount = 1,
    .weights = {{@"inputWeights", @"recurrentWeights"}},
};

@implementation MPSRNNSingleGateDescriptor (PMPSingleGateCell)

- (const PMPRecurrentKind *)kind {
    return &kSingleGate;
}

- (pymps_engine_layer *)newEngineLayerWithGates:(const pymps_engine_gate *)gates argument:(PMPArgument)argument {
    (void)argument;
    const pymps_engine_single_gate singleGate = {.inputs = self.inputFeatureChannels,
                                                 .outputs = self.outputFeatureChannels,
                                                 .unit_input = self.useLayerInputUnitTransformMode,
                                                 .half_weights = !self.useFloat32Weights,
                                                 .gate = gates[0]};
    return pymps_engine_single_gate_create(&singleGate);
}

@end
