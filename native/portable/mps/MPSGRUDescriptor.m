#import "PMPRNNDescriptor.h"

@implementation MPSGRUDescriptor

@synthesize inputGateInputWeights = _inputGateInputWeights;
@synthesize inputGateRecurrentWeights = _inputGateRecurrentWeights;
@synthesize recurrentGateInputWeights = _recurrentGateInputWeights;
@synthesize recurrentGateRecurrentWeights = _recurrentGateRecurrentWeights;
@synthesize outputGateInputWeights = _outputGateInputWeights;
@synthesize outputGateRecurrentWeights = _outputGateRecurrentWeights;
@synthesize outputGateInputGateWeights = _outputGateInputGateWeights;
@synthesize gatePnormValue = _gatePnormValue, flipOutputGates = _flipOutputGates;

+ (instancetype)createGRUDescriptorWithInputFeatureChannels:(NSUInteger)inputFeatureChannels
                                      outputFeatureChannels:(NSUInteger)outputFeatureChannels {
    return [self descriptorWithInputs:inputFeatureChannels outputs:outputFeatureChannels selector:_cmd];
}

- (instancetype)init {
    self = [super init];
    if (self != nil) {
        _gatePnormValue = 1.0f;
    }
    return self;
}

- (void)dealloc {
    [_inputGateInputWeights release];
    [_inputGateRecurrentWeights release];
    [_recurrentGateInputWeights release];
    [_recurrentGateRecurrentWeights release];
    [_outputGateInputWeights release];
    [_outputGateRecurrentWeights release];
    [_outputGateInputGateWeights release];
    [super dealloc];
}

@end
