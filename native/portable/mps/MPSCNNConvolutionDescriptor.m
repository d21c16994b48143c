#import "PMPArgument.h"
#import "PMPConvolutionDescriptor.h"

@implementation MPSCNNConvolutionDescriptor

@synthesize kernelWidth = _kernelWidth, kernelHeight = _kernelHeight;
@synthesize inputFeatureChannels = _inputFeatureChannels, outputFeatureChannels = _outputFeatureChannels;
@synthesize strideInPixelsX = _strideInPixelsX, strideInPixelsY = _strideInPixelsY, groups = _groups;
@synthesize dilationRateX = _dilationRateX, dilationRateY = _dilationRateY;
@synthesize fusedNeuronDescriptor = _fusedNeuronDescriptor;

+ (BOOL)supportsSecureCoding {
    return YES;
}

+ (instancetype)cnnConvolutionDescriptorWithKernelWidth:(NSUInteger)kernelWidth
                                           kernelHeight:(NSUInteger)kernelHeight
                                   inputFeatureChannels:(NSUInteger)inputFeatureChannels
                                  outputFeatureChannels:(NSUInteger)outputFeatureChannels {
    if (kernelWidth == 0 || kernelHeight == 0) {
        PMPInvalidArgument(@"kernelWidth, kernelHeight: %lu x %lu, expected at least 1 x 1", (unsigned long)kernelWidth,
                           (unsigned long)kernelHeight);
    }
    if (inputFeatureChannels == 0 || outputFeatureChannels == 0) {
        PMPInvalidArgument(@"inputFeatureChannels, outputFeatureChannels: %lu and %lu, expected at least 1 each",
                           (unsigned long)inputFeatureChannels, (unsigned long)outputFeatureChannels);
    }
    MPSCNNConvolutionDescriptor *descriptor = [[[self alloc] init] autorelease];
    descriptor->_kernelWidth = kernelWidth;
    descriptor->_kernelHeight = kernelHeight;
    descriptor->_inputFeatureChannels = inputFeatureChannels;
    descriptor->_outputFeatureChannels = outputFeatureChannels;
    return descriptor;
}

- (instancetype)init {
    self = [super init];
    if (self != nil) {
        _kernelWidth = _kernelHeight = 3;
        _strideInPixelsX = _strideInPixelsY = 1;
        _dilationRateX = _dilationRateY = 1;
        _groups = 1;
        _fusedNeuronDescriptor = [[MPSNNNeuronDescriptor cnnNeuronDescriptorWithType:MPSCNNNeuronTypeNone a:0 b:0
                                                                                   c:0] retain];
    }
    return self;
}

- (void)dealloc {
    [_fusedNeuronDescriptor release];
    [_batchMean release];
    [_batchVariance release];
    [_batchGamma release];
    [_batchBeta release];
    [super dealloc];
}

- (void)setFusedNeuronDescriptor:(MPSNNNeuronDescriptor *)neuron {
    if (neuron == nil) {
        PMPInvalidArgument(@"fusedNeuronDescriptor: nil, expected one of type None for no activation");
    }
    [neuron retain];
    [_fusedNeuronDescriptor release];
    _fusedNeuronDescriptor = neuron;
}

- (void)setNeuronType:(MPSCNNNeuronType)neuronType parameterA:(float)parameterA parameterB:(float)parameterB {
    self.fusedNeuronDescriptor = [MPSNNNeuronDescriptor cnnNeuronDescriptorWithType:neuronType
                                                                                  a:parameterA
                                                                                  b:parameterB
                                                                                  c:0];
}

- (void)setNeuronToPReLUWithParametersA:(NSData *)A {
    self.fusedNeuronDescriptor = [MPSNNNeuronDescriptor cnnNeuronPReLUDescriptorWithData:A noCopy:false];
}

- (MPSCNNNeuronType)neuronType {
    return _fusedNeuronDescriptor.neuronType;
}

- (float)neuronParameterA {
    return _fusedNeuronDescriptor.a;
}

- (float)neuronParameterB {
    return _fusedNeuronDescriptor.b;
}

- (void)setBatchNormalizationParametersForInferenceWithMean:(nullable const float *)mean
                                                   variance:(nullable const float *)variance
                                                      gamma:(nullable const float *)gamma
                                                       beta:(nullable const float *)beta
                                                    epsilon:(const float)epsilon {
    const float *const sources[] = {mean, variance, gamma, beta};
    NSData **const stored[] = {&_batchMean, &_batchVariance, &_batchGamma, &_batchBeta};
    for (int i = 0; i < 4; i++) {
        [*stored[i] release];
        *stored[i] = sources[i] == NULL
                         ? nil
                         : [[NSData alloc] initWithBytes:sources[i] length:_outputFeatureChannels * sizeof(float)];
    }
    _batchEpsilon = epsilon;
}

- (BOOL)hasBatchNormalization {
    return _batchMean != nil || _batchVariance != nil || _batchGamma != nil || _batchBeta != nil;
}

- (id)copyWithZone:(nullable NSZone *)zone {
    MPSCNNConvolutionDescriptor *copy = [[[self class] allocWithZone:zone] init];
    copy->_kernelWidth = _kernelWidth;
    copy->_kernelHeight = _kernelHeight;
    copy->_inputFeatureChannels = _inputFeatureChannels;
    copy->_outputFeatureChannels = _outputFeatureChannels;
    copy->_strideInPixelsX = _strideInPixelsX;
    copy->_strideInPixelsY = _strideInPixelsY;
    copy->_groups = _groups;
    copy->_dilationRateX = _dilationRateX;
    copy->_dilationRateY = _dilationRateY;
    copy.fusedNeuronDescriptor = [[_fusedNeuronDescriptor copyWithZone:zone] autorelease];
    copy->_batchMean = [_batchMean retain];
    copy->_batchVariance = [_batchVariance retain];
    copy->_batchGamma = [_batchGamma retain];
    copy->_batchBeta = [_batchBeta retain];
    copy->_batchEpsilon = _batchEpsilon;
    return copy;
}

- (void)encodeWithCoder:(NSCoder *)aCoder {
    [aCoder encodeInteger:(NSInteger)_kernelWidth forKey:@"kernelWidth"];
    [aCoder encodeInteger:(NSInteger)_kernelHeight forKey:@"kernelHeight"];
    [aCoder encodeInteger:(NSInteger)_inputFeatureChannels forKey:@"inputFeatureChannels"];
    [aCoder encodeInteger:(NSInteger)_outputFeatureChannels forKey:@"outputFeatureChannels"];
    [aCoder encodeInteger:(NSInteger)_strideInPixelsX forKey:@"strideInPixelsX"];
    [aCoder encodeInteger:(NSInteger)_strideInPixelsY forKey:@"strideInPixelsY"];
    [aCoder encodeInteger:(NSInteger)_groups forKey:@"groups"];
    [aCoder encodeInteger:(NSInteger)_dilationRateX forKey:@"dilationRateX"];
    [aCoder encodeInteger:(NSInteger)_dilationRateY forKey:@"dilationRateY"];
    [aCoder encodeObject:_fusedNeuronDescriptor forKey:@"fusedNeuronDescriptor"];
    [aCoder encodeObject:_batchMean forKey:@"batchMean"];
    [aCoder encodeObject:_batchVariance forKey:@"batchVariance"];
    [aCoder encodeObject:_batchGamma forKey:@"batchGamma"];
    [aCoder encodeObject:_batchBeta forKey:@"batchBeta"];
    [aCoder encodeFloat:_batchEpsilon forKey:@"batchEpsilon"];
}

- (nullable instancetype)initWithCoder:(NSCoder *)aDecoder {
    self = [self init];
    if (self != nil) {
        _kernelWidth = (NSUInteger)[aDecoder decodeIntegerForKey:@"kernelWidth"];
        _kernelHeight = (NSUInteger)[aDecoder decodeIntegerForKey:@"kernelHeight"];
        _inputFeatureChannels = (NSUInteger)[aDecoder decodeIntegerForKey:@"inputFeatureChannels"];
        _outputFeatureChannels = (NSUInteger)[aDecoder decodeIntegerForKey:@"outputFeatureChannels"];
        _strideInPixelsX = (NSUInteger)[aDecoder decodeIntegerForKey:@"strideInPixelsX"];
        _strideInPixelsY = (NSUInteger)[aDecoder decodeIntegerForKey:@"strideInPixelsY"];
        _groups = (NSUInteger)[aDecoder decodeIntegerForKey:@"groups"];
        _dilationRateX = (NSUInteger)[aDecoder decodeIntegerForKey:@"dilationRateX"];
        _dilationRateY = (NSUInteger)[aDecoder decodeIntegerForKey:@"dilationRateY"];
        MPSNNNeuronDescriptor *neuron = [aDecoder decodeObjectOfClass:[MPSNNNeuronDescriptor class]
                                                               forKey:@"fusedNeuronDescriptor"];
        if (neuron != nil) {
            self.fusedNeuronDescriptor = neuron;
        }
        _batchMean = [[aDecoder decodeObjectOfClass:[NSData class] forKey:@"batchMean"] retain];
        _batchVariance = [[aDecoder decodeObjectOfClass:[NSData class] forKey:@"batchVariance"] retain];
        _batchGamma = [[aDecoder decodeObjectOfClass:[NSData class] forKey:@"batchGamma"] retain];
        _batchBeta = [[aDecoder decodeObjectOfClass:[NSData class] forKey:@"batchBeta"] retain];
        _batchEpsilon = [aDecoder decodeFloatForKey:@"batchEpsilon"];
    }
    return self;
}

@end
