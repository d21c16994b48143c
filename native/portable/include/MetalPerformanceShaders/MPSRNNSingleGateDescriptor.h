// The simple recurrent layer.
#import <MetalPerformanceShaders/MPSRNNDescriptor.h>

NS_ASSUME_NONNULL_BEGIN

/// h1 = gi( W*x + U*h0 + b )
///
/// W, b and gi come from the input weights, U from the recurrent weights. nil weights are zeros; nil input weights also
/// mean no bias and no activation.
PMP_CLASS(MPSRNNSingleGateDescriptor)
@interface MPSRNNSingleGateDescriptor : MPSRNNDescriptor {
    id<MPSCNNConvolutionDataSource> _inputWeights, _recurrentWeights;
}

@property (readwrite, retain, nonatomic, nullable) id<MPSCNNConvolutionDataSource> inputWeights;
@property (readwrite, retain, nonatomic, nullable) id<MPSCNNConvolutionDataSource> recurrentWeights;

+ (instancetype)createRNNSingleGateDescriptorWithInputFeatureChannels:(NSUInteger)inputFeatureChannels
                                                outputFeatureChannels:(NSUInteger)outputFeatureChannels;

@end

NS_ASSUME_NONNULL_END
