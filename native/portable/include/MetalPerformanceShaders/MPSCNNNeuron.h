// Activations.
#import <MetalPerformanceShaders/MPSCoreTypes.h>

NS_ASSUME_NONNULL_BEGIN

typedef NS_ENUM(int32_t, MPSCNNNeuronType) {
    MPSCNNNeuronTypeNone = 0,
    MPSCNNNeuronTypeReLU,        // x >= 0 ? x : a x
    MPSCNNNeuronTypeLinear,      // a x + b
    MPSCNNNeuronTypeSigmoid,     // 1 / (1 + e^-x)
    MPSCNNNeuronTypeHardSigmoid, // clamp(a x + b, 0, 1)
    MPSCNNNeuronTypeTanH,        // a tanh(b x)
    MPSCNNNeuronTypeAbsolute,    // |x|
    MPSCNNNeuronTypeSoftPlus,    // a log(1 + e^(b x))
    MPSCNNNeuronTypeSoftSign,    // x / (1 + |x|)
    MPSCNNNeuronTypeELU,         // x >= 0 ? x : a (e^x - 1)
    MPSCNNNeuronTypePReLU,       // ReLU with one a per channel
    MPSCNNNeuronTypeReLUN,       // min(x >= 0 ? x : a x, b)
    MPSCNNNeuronTypePower,       // (a x + b)^c
    MPSCNNNeuronTypeExponential, // c^(a x + b); c == -1: e^(a x + b)
    MPSCNNNeuronTypeLogarithm,   // log_c(a x + b); c == -1: ln(a x + b)
    MPSCNNNeuronTypeGeLU,        // x (1 + erf(x sqrt(1/2))) / 2
    MPSCNNNeuronTypeCount,
};

/// Parameters that a factory method does not take are 0.
PMP_CLASS(MPSNNNeuronDescriptor)
@interface MPSNNNeuronDescriptor : NSObject <NSCopying, NSSecureCoding> {
    MPSCNNNeuronType _neuronType;
    float _a, _b, _c;
    NSData *_data;
}

@property (readwrite, nonatomic) MPSCNNNeuronType neuronType;
@property (readwrite, nonatomic) float a;
@property (readwrite, nonatomic) float b;
@property (readwrite, nonatomic) float c;
/// PReLU: one float per output channel.
@property (readwrite, nonatomic, nullable, retain) NSData *data;

+ (MPSNNNeuronDescriptor *)cnnNeuronDescriptorWithType:(MPSCNNNeuronType)neuronType;
+ (MPSNNNeuronDescriptor *)cnnNeuronDescriptorWithType:(MPSCNNNeuronType)neuronType a:(float)a;
+ (MPSNNNeuronDescriptor *)cnnNeuronDescriptorWithType:(MPSCNNNeuronType)neuronType a:(float)a b:(float)b;
+ (MPSNNNeuronDescriptor *)cnnNeuronDescriptorWithType:(MPSCNNNeuronType)neuronType a:(float)a b:(float)b c:(float)c;
/// The only way to a PReLU. Under `noCopy` the data start on a page and fill whole pages.
+ (MPSNNNeuronDescriptor *)cnnNeuronPReLUDescriptorWithData:(NSData *)data noCopy:(bool)noCopy;
- (instancetype)init PMP_UNAVAILABLE;

@end

NS_ASSUME_NONNULL_END
