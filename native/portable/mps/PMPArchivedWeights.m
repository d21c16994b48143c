#import "PMPArchivedWeights.h"
#import "PMPSize.h"

NSDictionary *PMPWeightsPropertyList(PMPRecurrentWeights *weights, NSData *values) {
    NSMutableDictionary *list = [NSMutableDictionary dictionaryWithObject:values forKey:@"weights"];
    [list setObject:@(weights.kernel.width) forKey:@"kernelWidth"];
    [list setObject:@(weights.kernel.height) forKey:@"kernelHeight"];
    if (weights.ranges != nil) {
        [list setObject:weights.ranges forKey:@"ranges"];
    }
    if (weights.kind != PMPWeightsInput && weights.kind != PMPWeightsIdentity) {
        return list;
    }
    pymps_engine_neuron neuron = [weights neuron];
    [list setObject:@(neuron.type) forKey:@"neuronType"];
    [list setObject:PMPArchivedNumber(@(neuron.a)) forKey:@"a"];
    [list setObject:PMPArchivedNumber(@(neuron.b)) forKey:@"b"];
    [list setObject:PMPArchivedNumber(@(neuron.c)) forKey:@"c"];
    if (weights.slopes != nil) {
        [list setObject:weights.slopes forKey:@"slopes"];
    }
    if (weights.biasData != nil) {
        [list setObject:weights.biasData forKey:@"bias"];
    }
    return list;
}

/// The floats of an entry; nil where there is no such entry.
static NSData *floats(NSDictionary *list, NSString *key, size_t count, PMPArgument argument) {
    if ([list objectForKey:key] == nil) {
        return nil;
    }
    NSData *data = PMPPropertyListValue(list, key, [NSData class], argument);
    if (data.length != PMPSizeMultiply(count, sizeof(float))) {
        PMPRaiseInvalid(PMPArgumentPart(argument, key), @"%lu bytes, expected %zu floats", (unsigned long)data.length,
                        count);
    }
    return data;
}

/// One side of the kernel; 1 in archives older than kernels.
static size_t kernel_side(NSDictionary *list, NSString *key, PMPArgument argument) {
    if ([list objectForKey:key] == nil) {
        return 1;
    }
    size_t side = [PMPPropertyListValue(list, key, [NSNumber class], argument) unsignedIntegerValue];
    if (side == 0) {
        PMPRaiseInvalid(PMPArgumentPart(argument, key), @"0, expected at least 1");
    }
    return side;
}

/// The weights, which are bytes where they have ranges.
static NSData *read_weights(NSDictionary *list, size_t count, BOOL areBytes, PMPArgument argument) {
    NSData *data = PMPPropertyListValue(list, @"weights", [NSData class], argument);
    if (!areBytes) {
        return floats(list, @"weights", count, argument);
    }
    if (data.length != count) {
        PMPRaiseInvalid(PMPArgumentPart(argument, @"weights"), @"%lu bytes, expected %zu beside ranges",
                        (unsigned long)data.length, count);
    }
    return data;
}

static float parameter(NSDictionary *list, NSString *key, PMPArgument argument) {
    return PMPUnarchivedNumber(PMPPropertyListValue(list, key, [NSNumber class], argument), @0.0f).floatValue;
}

static MPSNNNeuronDescriptor *read_neuron(NSDictionary *list, size_t outputs, PMPArgument argument) {
    MPSCNNNeuronType type = [PMPPropertyListValue(list, @"neuronType", [NSNumber class], argument) intValue];
    NSData *slopes = floats(list, @"slopes", outputs, argument);
    if (type == MPSCNNNeuronTypePReLU) {
        return [MPSNNNeuronDescriptor cnnNeuronPReLUDescriptorWithData:slopes noCopy:false];
    }
    return [MPSNNNeuronDescriptor cnnNeuronDescriptorWithType:type
                                                            a:parameter(list, @"a", argument)
                                                            b:parameter(list, @"b", argument)
                                                            c:parameter(list, @"c", argument)];
}

@implementation PMPArchivedWeights

- (instancetype)initWithPropertyList:(id)list
                                kind:(PMPWeightsKind)kind
                              inputs:(size_t)inputs
                             outputs:(size_t)outputs
                            argument:(PMPArgument)argument {
    self = [[super init] autorelease]; // a violation leaves nothing behind
    PMPKernelSize kernel = {kernel_side(list, @"kernelWidth", argument), kernel_side(list, @"kernelHeight", argument)};
    if (PMPWeightsMayBeBytes(kind)) {
        _ranges = [floats(list, @"ranges", PMPSizeMultiply(outputs, 2), argument) retain];
    }
    size_t count = PMPWeightsCount(kind, inputs, outputs, kernel);
    _weights = [read_weights(list, count, _ranges != nil, argument) retain];
    BOOL isInput = kind == PMPWeightsInput || kind == PMPWeightsIdentity;
    size_t columns = isInput ? inputs : kind == PMPWeightsDiagonal ? 1 : outputs;
    _descriptor = [[MPSCNNConvolutionDescriptor cnnConvolutionDescriptorWithKernelWidth:kernel.width
                                                                           kernelHeight:kernel.height
                                                                   inputFeatureChannels:columns
                                                                  outputFeatureChannels:outputs] retain];
    if (isInput) {
        _bias = [floats(list, @"bias", outputs, argument) retain];
        _descriptor.fusedNeuronDescriptor = read_neuron(list, outputs, argument);
    }
    return [self retain];
}

- (void)dealloc {
    [_descriptor release];
    [_weights release];
    [_ranges release];
    [_bias release];
    [super dealloc];
}

- (BOOL)hasNumbers {
    return _weights.length > 0 || _bias.length > 0 || _descriptor.fusedNeuronDescriptor.data.length > 0;
}

- (id)copyWithZone:(nullable NSZone *)zone {
    (void)zone;
    return [self retain]; // immutable
}

- (MPSDataType)dataType {
    return _ranges != nil ? MPSDataTypeUInt8 : MPSDataTypeFloat32;
}

- (vector_float2 *)rangesForUInt8Kernel {
    return (vector_float2 *)_ranges.bytes;
}

- (MPSCNNWeightsQuantizationType)weightsQuantizationType {
    return _ranges != nil ? MPSCNNWeightsQuantizationTypeLinear : MPSCNNWeightsQuantizationTypeNone;
}

- (MPSCNNConvolutionDescriptor *)descriptor {
    return _descriptor;
}

- (void *)weights {
    return (void *)_weights.bytes;
}

- (float *_Nullable)biasTerms {
    return (float *)_bias.bytes;
}

- (BOOL)load {
    return YES;
}

- (void)purge {
}

- (NSString *_Nullable)label {
    return nil;
}

@end
