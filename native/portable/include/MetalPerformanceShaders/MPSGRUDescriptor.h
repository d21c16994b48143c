// Gated recurrent units.
#import <MetalPerformanceShaders/MPSRNNDescriptor.h>

NS_ASSUME_NONNULL_BEGIN

/// z  = gz( Wz*x + Uz*h0 + bz )
/// r  = gr( Wr*x + Ur*h0 + br )
/// c  = Uh*(r h0) + Vh*(z h0)
/// h  = gh( Wh*x + c + bh )
/// h1 = (1 - z^p)^(1/p) h  + z h0, or, under flipOutputGates,
/// h1 = (1 - z^p)^(1/p) h0 + z h
///
/// z belongs to the input gate, r to the recurrent gate, h to the output gate. W, b and g come from a gate's input
/// weights, U from its recurrent weights, Vh from the output gate's input gate weights. nil weights are zeros; nil
/// input weights also mean no bias and no activation.
PMP_CLASS(MPSGRUDescriptor)
@interface MPSGRUDescriptor : MPSRNNDescriptor {
    id<MPSCNNConvolutionDataSource> _inputGateInputWeights, _inputGateRecurrentWeights;
    id<MPSCNNConvolutionDataSource> _recurrentGateInputWeights, _recurrentGateRecurrentWeights;
    id<MPSCNNConvolutionDataSource> _outputGateInputWeights, _outputGateRecurrentWeights, _outputGateInputGateWeights;
    float _gatePnormValue;
    BOOL _flipOutputGates;
}

@property (readwrite, retain, nonatomic, nullable) id<MPSCNNConvolutionDataSource> inputGateInputWeights;
@property (readwrite, retain, nonatomic, nullable) id<MPSCNNConvolutionDataSource> inputGateRecurrentWeights;

@property (readwrite, retain, nonatomic, nullable) id<MPSCNNConvolutionDataSource> recurrentGateInputWeights;
@property (readwrite, retain, nonatomic, nullable) id<MPSCNNConvolutionDataSource> recurrentGateRecurrentWeights;

@property (readwrite, retain, nonatomic, nullable) id<MPSCNNConvolutionDataSource> outputGateInputWeights;
@property (readwrite, retain, nonatomic, nullable) id<MPSCNNConvolutionDataSource> outputGateRecurrentWeights;
@property (readwrite, retain, nonatomic, nullable) id<MPSCNNConvolutionDataSource> outputGateInputGateWeights;

/// p: greater than 0; 1 unless set.
@property (readwrite, nonatomic) float gatePnormValue;
@property (readwrite, nonatomic) BOOL flipOutputGates;

+ (instancetype)createGRUDescriptorWithInputFeatureChannels:(NSUInteger)inputFeatureChannels
                                      outputFeatureChannels:(NSUInteger)outputFeatureChannels;

@end

NS_ASSUME_NONNULL_END
