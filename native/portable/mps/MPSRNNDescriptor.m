#import "PMPRNNDescriptor.h"

@implementation MPSRNNDescriptor

@synthesize inputFeatureChannels = _inputFeatureChannels, outputFeatureChannels = _outputFeatureChannels;
@synthesize useLayerInputUnitTransformMode = _useLayerInputUnitTransformMode;
@synthesize useFloat32Weights = _useFloat32Weights, layerSequenceDirection = _layerSequenceDirection;

+ (instancetype)descriptorWithInputs:(NSUInteger)inputs outputs:(NSUInteger)outputs selector:(SEL)selector {
    if (inputs == 0 || outputs == 0) {
        PMPRaiseInvalidArgument(self, selector,
                                @"inputFeatureChannels, outputFeatureChannels: %lu and %lu, expected at least 1 each",
                                (unsigned long)inputs, (unsigned long)outputs);
    }
    MPSRNNDescriptor *descriptor = [[[self alloc] init] autorelease];
    descriptor->_inputFeatureChannels = inputs;
    descriptor->_outputFeatureChannels = outputs;
    return descriptor;
}

@end
