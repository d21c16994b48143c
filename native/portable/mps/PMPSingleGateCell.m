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

- (pymps_engine_layer *)newEngineLayerWithGates:(const PMPRecurrentGates *)parts argument:(PMPArgument)argument {
    (void)argument;
    const pymps_engine_single_gate singleGate = {.inputs = self.inputFeatureChannels,
                                                 .outputs = self.outputFeatureChannels,
                                                 .unit_input = self.useLayerInputUnitTransformMode,
                                                 .half_weights = parts->weightsAreHalf,
                                                 .gate = parts->gates[0],
                                                 .input_window = parts->windows[kPMPInputPart],
                                                 .recurrent_window = parts->windows[kPMPRecurrentPart]};
    return pymps_engine_single_gate_create(&singleGate);
}

@end
