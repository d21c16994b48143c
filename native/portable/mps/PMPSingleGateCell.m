#import "PMPRecurrentKind.h"

static const PMPRecurrentKind kSingleGate = {
    .name = @"SingleGate",
    .gateCount = 1,
    .weights = {{@"inputWeights", @"recurrentWeights"}},
    .firstMatrixId = MPSRNNMatrixIdSingleGateInputWeights,
};

@implementation MPSRNNSingleGateDescriptor (PMPSingleGateCell)

- (const PMPRecurrentKind *)kind {
    return &kSingleGate;
}

- (pymps_engine_single_gate)engineSingleGateWithGates:(const PMPRecurrentGates *)parts {
    return (pymps_engine_single_gate){.inputs = self.inputFeatureChannels,
                                      .outputs = self.outputFeatureChannels,
                                      .unit_input = self.useLayerInputUnitTransformMode,
                                      .half_weights = parts->weightsAreHalf,
                                      .gate = parts->gates[0],
                                      .input_window = parts->windows[kPMPInputPart],
                                      .recurrent_window = parts->windows[kPMPRecurrentPart]};
}

- (pymps_engine_layer *)newEngineLayerWithGates:(const PMPRecurrentGates *)parts argument:(PMPArgument)argument {
    (void)argument;
    const pymps_engine_single_gate singleGate = [self engineSingleGateWithGates:parts];
    return pymps_engine_single_gate_create(&singleGate);
}

- (pymps_engine_training *)newEngineTrainingWithGates:(const PMPRecurrentGates *)parts argument:(PMPArgument)argument {
    (void)argument;
    const pymps_engine_single_gate singleGate = [self engineSingleGateWithGates:parts];
    return pymps_engine_single_gate_training_create(&singleGate);
}

@end
