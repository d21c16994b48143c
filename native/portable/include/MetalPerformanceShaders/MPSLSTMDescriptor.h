// Long short-term memory.
#import <MetalPerformanceShaders/MPSRNNDescriptor.h>

NS_ASSUME_NONNULL_BEGIN

/// I  = gi( Wi*x + Ui*h0 + Vi*c0 + bi )
/// F  = gf( Wf*x + Uf*h0 + Vf*c0 + bf )
/// C  = gc( Wc*x + Uc*h0 + Vc*c0 + bc )
/// c1 = F c0 + I C
/// O  = go( Wo*x + Uo*h0 + Vo*c1 + bo )
/// h1 = O gh(c1)
///
/// W, b and g come from a gate's input weights, U from its recurrent weights, V from its memory weights. nil weights
/// are zeros; nil input weights also mean no bias and no activation.
PMP_CLASS(MPSLSTMDescriptor)
@interface MPSLSTMDescriptor : MPSRNNDescriptor {
    BOOL _memoryWeightsAreDiagonal;
    id<MPSCNNConvolutionDataSource> _inputGateInputWeights, _inputGateRecurrentWeights, _inputGateMemoryWeights;
    id<MPSCNNConvolutionDataSource> _forgetGateInputWeights, _forgetGateRecurrentWeights, _forgetGateMemoryWeights;
    id<MPSCNNConvolutionDataSource> _outputGateInputWeights, _outputGateRecurrentWeights, _outputGateMemoryWeights;
    id<MPSCNNConvolutionDataSource> _cellGateInputWeights, _cellGateRecurrentWeights, _cellGateMemoryWeights;
    MPSCNNNeuronType _cellToOutputNeuronType;
    float _cellToOutputNeuronParamA, _cellToOutputNeuronParamB, _cellToOutputNeuronParamC;
}

/// YES: each V is a vector, multiplied element by element; its source's first outputFeatureChannels weights count.
@property (readwrite, nonatomic) BOOL memoryWeightsAreDiagonal;

@property (readwrite, retain, nonatomic, nullable) id<MPSCNNConvolutionDataSource> inputGateInputWeights;
@property (readwrite, retain, nonatomic, nullable) id<MPSCNNConvolutionDataSource> inputGateRecurrentWeights;
@property (readwrite, retain, nonatomic, nullable) id<MPSCNNConvolutionDataSource> inputGateMemoryWeights;

@property (readwrite, retain, nonatomic, nullable) id<MPSCNNConvolutionDataSource> forgetGateInputWeights;
@property (readwrite, retain, nonatomic, nullable) id<MPSCNNConvolutionDataSource> forgetGateRecurrentWeights;
@property (readwrite, retain, nonatomic, nullable) id<MPSCNNConvolutionDataSource> forgetGateMemoryWeights;

@property (readwrite, retain, nonatomic, nullable) id<MPSCNNConvolutionDataSource> outputGateInputWeights;
@property (readwrite, retain, nonatomic, nullable) id<MPSCNNConvolutionDataSource> outputGateRecurrentWeights;
@property (readwrite, retain, nonatomic, nullable) id<MPSCNNConvolutionDataSource> outputGateMemoryWeights;

@property (readwrite, retain, nonatomic, nullable) id<MPSCNNConvolutionDataSource> cellGateInputWeights;
@property (readwrite, retain, nonatomic, nullable) id<MPSCNNConvolutionDataSource> cellGateRecurrentWeights;
@property (readwrite, retain, nonatomic, nullable) id<MPSCNNConvolutionDataSource> cellGateMemoryWeights;

/// gh: tanh with a, b and c of 1, unless set.
@property (readwrite, nonatomic) MPSCNNNeuronType cellToOutputNeuronType;
@property (readwrite, nonatomic) float cellToOutputNeuronParamA;
@property (readwrite, nonatomic) float cellToOutputNeuronParamB;
@property (readwrite, nonatomic) float cellToOutputNeuronParamC;

+ (instancetype)createLSTMDescriptorWithInputFeatureChannels:(NSUInteger)inputFeatureChannels
                                       outputFeatureChannels:(NSUInteger)outputFeatureChannels;

@end

NS_ASSUME_NONNULL_END
