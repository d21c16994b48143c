#import "PMPRNNDescriptor.h"

@implementation MPSRNNSingleGateDescriptor

@synthesize inputWeights = _inputWeights, recurrentWeights = _recurrentWeights;

+ (instancetype)createRNNSingleGateDescriptorWithInputFeatureChannels:(NSUInteger)inputFeatureChannels
                                                outputFeatureChannels:(NSUInteger)outputFeatureChannels {
    return [self descriptorWithInputs:inputFeatureChannels outputs:outputFeatureChannels selector:_cmd];
}

- (void)dealloc {
    [_inputWeights release];
    [_recurrentWeights release];
    [super dealloc];
}

@end
