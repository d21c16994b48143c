#import "GateWeights.h"

@implementation GateWeights

- (instancetype)initWithInputs:(NSUInteger)inputs
                       outputs:(NSUInteger)outputs
                       weights:(NSData *)weights
                          bias:(nullable NSData *)bias
                    activation:(MPSCNNNeuronType)activation {
    if ((self = [super init]) != nil) {
        _descriptor = [[MPSCNNConvolutionDescriptor cnnConvolutionDescriptorWithKernelWidth:1
                                                                               kernelHeight:1
                                                                       inputFeatureChannels:inputs
                                                                      outputFeatureChannels:outputs] retain];
        // a = b = 1 makes TanH the plain tanh(x); the sigmoid has no parameters.
        _descriptor.fusedNeuronDescriptor = [MPSNNNeuronDescriptor cnnNeuronDescriptorWithType:activation a:1 b:1 c:0];
        _weights = [weights retain];
        _bias = [bias retain];
    }
    return self;
}

- (void)dealloc {
    [_descriptor release];
    [_weights release];
    [_bias release];
    [super dealloc];
}

- (id)copyWithZone:(nullable NSZone *)zone {
    return [self retain]; // immutable
}

- (MPSDataType)dataType {
    return MPSDataTypeFloat32;
}

- (MPSCNNConvolutionDescriptor *)descriptor {
    return _descriptor;
}

- (void *)weights {
    return (void *)_weights.bytes;
}

- (nullable float *)biasTerms {
    return (float *)_bias.bytes;
}

- (BOOL)load {
    return YES;
}

- (void)purge {
}

- (nullable NSString *)label {
    return nil;
}

@end
