#import "PMPRNNDescriptor.h"

@implementation MPSLSTMDescriptor

@synthesize memoryWeightsAreDiagonal = _memoryWeightsAreDiagonal;
@synthesize inputGateInputWeights = _inputGateInputWeights;
@synthesize inputGateRecurrentWeights = _inputGateRecurrentWeights;
@synthesize inputGateMemoryWeights = _inputGateMemoryWeights;
@synthesize forgetGateInputWeights = _forgetGateInputWeights;
@synthesize forgetGateRecurrentWeights = _forgetGateRecurrentWeights;
@synthesize forgetGateMemoryWeights = _forgetGateMemoryWeights;
@synthesize outputGateInputWeights = _outputGateInputWeights;
@synthesize outputGateRecurrentWeights = _outputGateRecurrentWeights;
@synthesize outputGateMemoryWeights = _outputGateMemoryWeights;
@synthesize cellGateInputWeights = _cellGateInputWeights;
@synthesize cellGateRecurrentWeights = _cellGateRecurrentWeights;
@synthesize cellGateMemoryWeights = _cellGateMemoryWeights;
@synthesize cellToOutputNeuronType = _cellToOutputNeuronType;
@synthesize cellToOutputNeuronParamA = _cellToOutputNeuronParamA;
@synthesize cellToOutputNeuronParamB = _cellToOutputNeuronParamB;
@synthesize cellToOutputNeuronParamC = _cellToOutputNeuronParamC;

+ (instancetype)createLSTMDescriptorWithInputFeatureChannels:(NSUInteger)inputFeatureChannels
                                       outputFeatureChannels:(NSUInteger)outputFeatureChannels {
    return [self descriptorWithInputs:inputFeatureChannels outputs:outputFeatureChannels selector:_cmd];
}

- (instancetype)init {
    self = [super init];
    if (self != nil) {
        _cellToOutputNeuronType = MPSCNNNeuronTypeTanH;
        _cellToOutputNeuronParamA = _cellToOutputNeuronParamB = _cellToOutputNeuronParamC = 1.0f;
    }
    return self;
}

- (void)dealloc {
    [_inputGateInputWeights release];
    [_inputGateRecurrentWeights release];
    [_inputGateMemoryWeights release];
    [_forgetGateInputWeights release];
    [_forgetGateRecurrentWeights release];
    [_forgetGateMemoryWeights release];
    [_outputGateInputWeights release];
    [_outputGateRecurrentWeights release];
    [_outputGateMemoryWeights release];
    [_cellGateInputWeights release];
    [_cellGateRecurrentWeights release];
    [_cellGateMemoryWeights release];
    [super dealloc];
}

@end
