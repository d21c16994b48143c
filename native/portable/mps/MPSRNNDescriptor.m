#import <MetalPerformanceShaders/MetalPerformanceShaders.h>

@implementation MPSRNNDescriptor

@synthesize inputFeatureChannels = _inputFeatureChannels, outputFeatureChannels = _outputFeatureChannels;
@synthesize useLayerInputUnitTransformMode = _useLayerInputUnitTransformMode;
@synthesize useFloat32Weights = _useFloat32Weights, layerSequenceDirection = _layerSequenceDirection;

@end
