// PMPWeightsDataSource: weights as MPS asks for them.
#import "shim.h"
#include <string.h>

static MPSNNNeuronDescriptor *neuron_descriptor(const pymps_neuron *neuron) {
    if (neuron->type != MPSCNNNeuronTypePReLU)
        return [MPSNNNeuronDescriptor cnnNeuronDescriptorWithType:neuron->type a:neuron->a b:neuron->b c:neuron->c];
    NSData *channels = [NSData dataWithBytes:neuron->channel_a length:neuron->channel_count * sizeof(float)];
    return [MPSNNNeuronDescriptor cnnNeuronPReLUDescriptorWithData:channels noCopy:false];
}

@implementation PMPWeightsDataSource

- (instancetype)initWithWeights:(const pymps_weights *)weights inputFeatureChannels:(NSUInteger)inputFeatureChannels {
    self = [super init];
    if (self == nil)
        return nil;
    NSUInteger outputs = weights->output_feature_channels;
    NSUInteger elementBytes = pmp_element_bytes(weights->data_type);
    NSMutableData *copy = [[NSMutableData alloc] initWithLength:outputs * inputFeatureChannels * elementBytes];
    memcpy(copy.mutableBytes, weights->data, outputs * weights->input_feature_channels * elementBytes);
    _weights = copy;
    if (weights->bias != NULL)
        _bias = [[NSData alloc] initWithBytes:weights->bias length:outputs * sizeof(float)];
    if (weights->label != NULL)
        _label = [[NSString alloc] initWithUTF8String:weights->label];
    _dataType = (MPSDataType)weights->data_type;
    _descriptor = [[MPSCNNConvolutionDescriptor cnnConvolutionDescriptorWithKernelWidth:1
                                                                           kernelHeight:1
                                                                   inputFeatureChannels:inputFeatureChannels
                                                                  outputFeatureChannels:outputs] retain];
    _descriptor.fusedNeuronDescriptor = neuron_descriptor(&weights->neuron);
    return self;
}

- (void)dealloc {
    [_weights release];
    [_bias release];
    [_label release];
    [_descriptor release];
    [super dealloc];
}

- (id)copyWithZone:(NSZone *)zone {
    (void)zone;
    return [self retain];
}

- (MPSDataType)dataType {
    return _dataType;
}

- (MPSCNNConvolutionDescriptor *)descriptor {
    return _descriptor;
}

- (void *)weights {
    return (void *)_weights.bytes;
}

- (float *)biasTerms {
    return (float *)_bias.bytes;
}

- (BOOL)load {
    return YES;
}

- (void)purge {
}

- (NSString *)label {
    return _label;
}

@end
