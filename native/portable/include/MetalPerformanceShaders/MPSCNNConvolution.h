// Where a layer's weights come from, and their shape.
#import <MetalPerformanceShaders/MPSCNNNeuron.h>
#import <MetalPerformanceShaders/MPSKernel.h>

#ifdef __APPLE__
#include <simd/simd.h>
#else
typedef float vector_float2 __attribute__((ext_vector_type(2)));
#endif

NS_ASSUME_NONNULL_BEGIN

@class MPSCNNConvolutionGradientState;
@class MPSCNNConvolutionWeightsAndBiasesState;

typedef NS_ENUM(uint32_t, MPSCNNWeightsQuantizationType) {
    MPSCNNWeightsQuantizationTypeNone = 0,
    MPSCNNWeightsQuantizationTypeLinear = 1,
    MPSCNNWeightsQuantizationTypeLookupTable = 2,
};

typedef NS_ENUM(uint32_t, MPSCNNConvolutionWeightsLayout) {
    MPSCNNConvolutionWeightsLayoutOHWI = 0,
};

PMP_CLASS(MPSCNNConvolutionDescriptor)
@interface MPSCNNConvolutionDescriptor : NSObject <NSSecureCoding, NSCopying> {
    NSUInteger _kernelWidth, _kernelHeight, _inputFeatureChannels, _outputFeatureChannels;
    NSUInteger _strideInPixelsX, _strideInPixelsY, _groups, _dilationRateX, _dilationRateY;
    MPSNNNeuronDescriptor *_fusedNeuronDescriptor;
    NSData *_batchMean, *_batchVariance, *_batchGamma, *_batchBeta;
    float _batchEpsilon;
}

@property (readwrite, nonatomic) NSUInteger kernelWidth;
@property (readwrite, nonatomic) NSUInteger kernelHeight;
@property (readwrite, nonatomic) NSUInteger inputFeatureChannels;
@property (readwrite, nonatomic) NSUInteger outputFeatureChannels;
@property (readwrite, nonatomic) NSUInteger strideInPixelsX;
@property (readwrite, nonatomic) NSUInteger strideInPixelsY;
@property (readwrite, nonatomic) NSUInteger groups;
@property (readwrite, nonatomic) NSUInteger dilationRateX;
@property (readwrite, nonatomic) NSUInteger dilationRateY;
@property (readwrite, nonatomic, retain) MPSNNNeuronDescriptor *fusedNeuronDescriptor;
@property (class, readonly) BOOL supportsSecureCoding;

+ (instancetype)cnnConvolutionDescriptorWithKernelWidth:(NSUInteger)kernelWidth
                                           kernelHeight:(NSUInteger)kernelHeight
                                   inputFeatureChannels:(NSUInteger)inputFeatureChannels
                                  outputFeatureChannels:(NSUInteger)outputFeatureChannels;

- (void)encodeWithCoder:(NSCoder *)aCoder;
- (nullable instancetype)initWithCoder:(NSCoder *)aDecoder;

/// outputFeatureChannels numbers behind each pointer, copied.
- (void)setBatchNormalizationParametersForInferenceWithMean:(nullable const float *)mean
                                                   variance:(nullable const float *)variance
                                                      gamma:(nullable const float *)gamma
                                                       beta:(nullable const float *)beta
                                                    epsilon:(const float)epsilon;

// The older way to the fused neuron: these replace fusedNeuronDescriptor and read it.
- (void)setNeuronType:(MPSCNNNeuronType)neuronType parameterA:(float)parameterA parameterB:(float)parameterB;
- (MPSCNNNeuronType)neuronType;
- (float)neuronParameterA;
- (float)neuronParameterB;
- (void)setNeuronToPReLUWithParametersA:(NSData *)A;

@end

/// A user's object that hands out weights. Each `load` that succeeds is followed by one `purge`; `descriptor`,
/// `weights` and the rest are asked for in between.
PMP_CLASS(MPSCNNConvolutionDataSource)
@protocol MPSCNNConvolutionDataSource <NSCopying, NSObject>

@required
/// Of the weights: Float32, Float16 or UInt8.
- (MPSDataType)dataType;
- (MPSCNNConvolutionDescriptor *)descriptor;
/// weights[output channel][kernel row][kernel column][input channel], contiguous.
- (void *)weights;
/// One float per output channel, or NULL.
- (float *_Nullable)biasTerms;
- (BOOL)load;
- (void)purge;
- (NSString *_Nullable)label;

@optional
/// UInt8: the least and the greatest weight of each output channel.
- (vector_float2 *)rangesForUInt8Kernel;
/// UInt8: 256 weights.
- (float *)lookupTableForUInt8Kernel;
- (MPSCNNWeightsQuantizationType)weightsQuantizationType;
- (MPSCNNConvolutionWeightsAndBiasesState *_Nullable)
    updateWithCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
              gradientState:(MPSCNNConvolutionGradientState *)gradientState
                sourceState:(MPSCNNConvolutionWeightsAndBiasesState *)sourceState;
- (BOOL)updateWithGradientState:(MPSCNNConvolutionGradientState *)gradientState
                    sourceState:(MPSCNNConvolutionWeightsAndBiasesState *)sourceState;
- (instancetype)copyWithZone:(nullable NSZone *)zone device:(nullable id<MTLDevice>)device;
- (MPSCNNConvolutionWeightsLayout)weightsLayout;
- (MPSDataType)kernelWeightsDataType;

@end

NS_ASSUME_NONNULL_END
