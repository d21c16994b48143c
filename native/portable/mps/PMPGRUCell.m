#import "PMPRecurrentKind.h"

static const PMPRecurrentKind kGRU = {
    .name = @"GRU",
    .gateCount = 3,
    .weights = {{@"inputGateInputWeights", @"inputGateRecurrentWeights"},
                {@"recurrentGateInputWeights", @"recurrentGateRecurrentWeights"},
                {@"outputGateInputWeights", @"outputGateRecurrentWeights", @"outputGateInputGateWeights"}},
    .flag = @"flipOutputGates",
    .numbers = {@"gatePnormValue"},
    .firstMatrixId = MPSRNNMatrixIdGRUInputGateInputWeights,
};

@implementation MPSGRUDescriptor (PMPGRUCell)

- (const PMPRecurrentKind *)kind {
    return &kGRU;
}

- (pymps_engine_gru)engineGRUWithGates:(const PMPRecurrentGates *)parts argument:(PMPArgument)argument {
    if (!(self.gatePnormValue > 0)) {
        PMPRaiseInvalid(PMPArgumentPart(argument, @"gatePnormValue"), @"%g, expected more than 0", self.gatePnormValue);
    }
    return (pymps_engine_gru){.inputs = self.inputFeatureChannels,
                              .outputs = self.outputFeatureChannels,
                              .unit_input = self.useLayerInputUnitTransformMode,
                              .half_weights = parts->weightsAreHalf,
                              .input_gate = parts->gates[0],
                              .recurrent_gate = parts->gates[1],
                              .output_gate = parts->gates[2],
                              .output_gate_input_gate_weights = parts->gates[2].memory_weights,
                              .gate_pnorm = self.gatePnormValue,
                              .flip_output_gates = self.flipOutputGates,
                              .input_window = parts->windows[kPMPInputPart],
                              .recurrent_window = parts->windows[kPMPRecurrentPart],
                              .memory_window = parts->windows[kPMPMemoryPart]};
}

- (pymps_engine_layer *)newEngineLayerWithGates:(const PMPRecurrentGates *)parts argument:(PMPArgument)argument {
    const pymps_engine_gru gru = [self engineGRUWithGates:parts argument:argument];
    return pymps_engine_gru_create(&gru);
}

- (pymps_engine_training *)newEngineTrainingWithGates:(const PMPRecurrentGates *)parts argument:(PMPArgument)argument {
    const pymps_engine_gru gru = [self engineGRUWithGates:parts argument:argument];
    return pymps_engine_gru_training_create(&gru);
}

@end
