#import "PMPRecurrentGate.h"

@implementation MPSGRUDescriptor (PMPGRUCell)

- (pymps_engine_layer *)newEngineLayerForArgument:(PMPArgument)argument {
    if (!(_gatePnormValue > 0)) {
        PMPRaiseInvalid(PMPArgumentPart(argument, @"gatePnormValue"), @"%g, expected more than 0", _gatePnormValue);
    }
    const PMPGateSources inputGate = {
        .name = @"inputGate", .input = _inputGateInputWeights, .recurrent = _inputGateRecurrentWeights};
    const PMPGateSources recurrentGate = {
        .name = @"recurrentGate", .input = _recurrentGateInputWeights, .recurrent = _recurrentGateRecurrentWeights};
    const PMPGateSources outputGate = {
        .name = @"outputGate", .input = _outputGateInputWeights, .recurrent = _outputGateRecurrentWeights};
    pymps_engine_gru gru = {.inputs = self.inputFeatureChannels,
                            .outputs = self.outputFeatureChannels,
                            .unit_input = self.useLayerInputUnitTransformMode,
                            .half_weights = !self.useFloat32Weights,
                            .gate_pnorm = _gatePnormValue,
                            .flip_output_gates = _flipOutputGates};
    @autoreleasepool { // the copies of the weights end here
        PMPRecurrentWeights *inputGateWeights;
        if (![self readGate:&gru.input_gate from:inputGate argument:argument] ||
            ![self readGate:&gru.recurrent_gate from:recurrentGate argument:argument] ||
            ![self readGate:&gru.output_gate from:outputGate argument:argument] ||
            ![self readWeights:&inputGateWeights
                          from:_outputGateInputGateWeights
                          kind:PMPWeightsSquare
                      argument:PMPArgumentPart(argument, @"outputGateInputGateWeights")]) {
            return NULL;
        }
        gru.output_gate_input_gate_weights = [inputGateWeights weights];
        return pymps_engine_gru_create(&gru);
    }
}

@end
