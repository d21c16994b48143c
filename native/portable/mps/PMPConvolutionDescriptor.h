#import <MetalPerformanceShaders/MetalPerformanceShaders.h>

@interface MPSCNNConvolutionDescriptor (PMPConvolutionDescriptor)
- (BOOL)hasBatchNormalization;
@end
