// One matrix of a gate's weights, the way a recurrent layer asks for it.
#import <MetalPerformanceShaders/MetalPerformanceShaders.h>

NS_ASSUME_NONNULL_BEGIN

@interface GateWeights : NSObject <MPSCNNConvolutionDataSource> {
    MPSCNNConvolutionDescriptor *_descriptor;
    NSData *_weights, *_bias;
}

/// `weights` holds outputs x inputs floats, `bias` one for each output. A gate takes its bias and its activation from
/// the weights of its input alone.
- (instancetype)initWithInputs:(NSUInteger)inputs
                       outputs:(NSUInteger)outputs
                       weights:(NSData *)weights
                          bias:(nullable NSData *)bias
                    activation:(MPSCNNNeuronType)activation;

@end

NS_ASSUME_NONNULL_END
