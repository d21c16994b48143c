#import "PMPRecurrentWeights.h"
#import "PMPConvolutionDescriptor.h"
#import "PMPSize.h"
#import "PMPWeightsReader.h"

pymps_engine_neuron PMPEngineNeuron(MPSNNNeuronDescriptor *neuron, size_t channels, PMPArgument argument) {
    MPSCNNNeuronType type = neuron.neuronType;
    const float *channelA = NULL;
    if (type < MPSCNNNeuronTypeNone || type >= MPSCNNNeuronTypeCount) {
        PMPRaiseInvalid(argument, @"neuron type %d, expected one of MPSCNNNeuronType's", (int)type);
    }
    if (type == MPSCNNNeuronTypePReLU) {
        if (neuron.data.length != channels * sizeof(float)) {
            PMPRaiseInvalid(argument, @"%lu bytes of PReLU data, expected a float for each of %zu channels",
                            (unsigned long)neuron.data.length, channels);
        }
        channelA = neuron.data.bytes;
    }
    return (pymps_engine_neuron){.type = type, .a = neuron.a, .b = neuron.b, .c = neuron.c, .channel_a = channelA};
}

static void check_channels(MPSCNNConvolutionDescriptor *descriptor, PMPWeightsKind kind, size_t inputs, size_t outputs,
                           PMPArgument argument) {
    size_t in = descriptor.inputFeatureChannels, out = descriptor.outputFeatureChannels;
    switch (kind) {
    case PMPWeightsInput:
    case PMPWeightsIdentity:
        if (in != inputs || out != outputs) {
            PMPRaiseInvalid(argument, @"%zu to %zu feature channels, expected %zu to %zu", in, out, inputs, outputs);
        }
        break;
    case PMPWeightsRecurrent:
    case PMPWeightsMemory:
        if (in != outputs || out != outputs) {
            PMPRaiseInvalid(argument, @"%zu to %zu feature channels, expected %zu to %zu", in, out, outputs, outputs);
        }
        break;
    case PMPWeightsDiagonal: // a full matrix, whose first row is read, a row or a column
        if ((in != outputs && in != 1) || (out != outputs && out != 1) || (in == 1 && out == 1 && outputs != 1)) {
            PMPRaiseInvalid(argument, @"%zu to %zu feature channels, expected %zu to 1, 1 to %zu or %zu to %zu", in,
                            out, outputs, outputs, outputs, outputs);
        }
        break;
    }
}

/// Whether weights of a kind have a kernel of their own in an image layer.
static BOOL has_kernel(PMPWeightsKind kind) {
    return kind != PMPWeightsIdentity && kind != PMPWeightsDiagonal;
}

static void check_kernel(MPSCNNConvolutionDescriptor *descriptor, PMPWeightsKind kind, PMPRecurrentForm form,
                         PMPArgument argument) {
    size_t width = descriptor.kernelWidth, height = descriptor.kernelHeight;
    if ((form != PMPRecurrentFormImages || kind == PMPWeightsDiagonal) && (width != 1 || height != 1)) {
        PMPRaiseInvalid(argument, @"a kernel of %zu x %zu, expected 1 x 1", width, height);
    }
    if (width == 0 || height == 0) {
        PMPRaiseInvalid(argument, @"a kernel of %zu x %zu, expected at least 1 x 1", width, height);
    }
}

static void check_convolution(MPSCNNConvolutionDescriptor *descriptor, PMPArgument argument) {
    if (descriptor.strideInPixelsX != 1 || descriptor.strideInPixelsY != 1) {
        PMPRaiseInvalid(argument, @"a stride of %lu x %lu, expected 1 x 1", (unsigned long)descriptor.strideInPixelsX,
                        (unsigned long)descriptor.strideInPixelsY);
    }
    if (descriptor.dilationRateX != 1 || descriptor.dilationRateY != 1) {
        PMPRaiseInvalid(argument, @"a dilation of %lu x %lu, expected 1 x 1", (unsigned long)descriptor.dilationRateX,
                        (unsigned long)descriptor.dilationRateY);
    }
    if (descriptor.groups != 1) {
        PMPRaiseInvalid(argument, @"%lu groups, expected 1", (unsigned long)descriptor.groups);
    }
    if (descriptor.hasBatchNormalization) {
        PMPRaiseInvalid(argument, @"batch normalisation parameters, which recurrent layers do not take");
    }
}

size_t PMPWeightsCount(PMPWeightsKind kind, size_t inputs, size_t outputs, PMPKernelSize kernel) {
    size_t taps = PMPSizeMultiply(kernel.width, kernel.height);
    switch (kind) {
    case PMPWeightsInput:
        return PMPSizeMultiply(PMPSizeMultiply(inputs, outputs), taps);
    case PMPWeightsRecurrent:
    case PMPWeightsMemory:
        return PMPSizeMultiply(PMPSizeMultiply(outputs, outputs), taps);
    case PMPWeightsDiagonal:
        return outputs;
    case PMPWeightsIdentity:
        return 0;
    }
    __builtin_unreachable();
}

BOOL PMPWeightsMayBeBytes(PMPWeightsKind kind) {
    return kind == PMPWeightsInput || kind == PMPWeightsRecurrent;
}

@implementation PMPRecurrentWeights

@synthesize kind = _kind, kernel = _kernel, count = _count, ranges = _ranges, biasData = _bias, slopes = _channelA;

- (instancetype)initWithSource:(id<MPSCNNConvolutionDataSource>)source
                          kind:(PMPWeightsKind)kind
                          form:(PMPRecurrentForm)form
                        inputs:(size_t)inputs
                       outputs:(size_t)outputs
                      argument:(PMPArgument)argument {
    self = [[super init] autorelease]; // a violation leaves nothing behind
    if (![source load]) {
        return nil;
    }
    @try {
        MPSCNNConvolutionDescriptor *descriptor = [source descriptor];
        if (descriptor == nil) {
            PMPRaiseInvalid(argument, @"descriptor nil");
        }
        check_kernel(descriptor, kind, form, argument);
        check_convolution(descriptor, argument);
        check_channels(descriptor, kind, inputs, outputs, argument);
        _kind = kind;
        _form = form;
        if (kind == PMPWeightsInput || kind == PMPWeightsIdentity) {
            [self readBiasAndNeuron:source descriptor:descriptor outputs:outputs argument:argument];
        }
        _kernel = has_kernel(kind) ? (PMPKernelSize){descriptor.kernelWidth, descriptor.kernelHeight} : kPMPOneTap;
        _outputs = outputs;
        _count = PMPWeightsCount(kind, inputs, outputs, _kernel);
        if (_count > 0) {
            [self readWeights:source descriptor:descriptor argument:argument];
        }
    } @finally {
        [source purge];
    }
    return [self retain];
}

- (void)readWeights:(id<MPSCNNConvolutionDataSource>)source
         descriptor:(MPSCNNConvolutionDescriptor *)descriptor
           argument:(PMPArgument)argument {
    if (_form == PMPRecurrentFormMatrices && PMPWeightsMayBeBytes(_kind)) {
        _ranges = [PMPReadRanges(source, descriptor.outputFeatureChannels, argument) retain];
    }
    if (_ranges == nil) {
        size_t taps = _kernel.width * _kernel.height;
        _weights = [PMPReadWeights(source, _count, taps * descriptor.inputFeatureChannels, argument) retain];
        return;
    }
    _weights = [PMPReadBytes(source, _count, argument) retain];
    [self splitRanges];
}

- (void)growKernel:(PMPKernelSize)kernel argument:(PMPArgument)argument {
    if (!has_kernel(_kind) || (kernel.width == _kernel.width && kernel.height == _kernel.height)) {
        return;
    }
    size_t columns = _count / (_outputs * _kernel.width * _kernel.height);
    size_t left = kernel.width / 2 - _kernel.width / 2, top = kernel.height / 2 - _kernel.height / 2;
    size_t count = PMPSizeMultiply(PMPSizeMultiply(kernel.width, kernel.height), columns * _outputs);
    NSMutableData *grown = PMPZeroWeights(count, sizeof(float), argument);
    const float *from = _weights.bytes;
    float *to = grown.mutableBytes;
    for (size_t output = 0; output < _outputs; output++) {
        for (size_t row = 0; row < _kernel.height; row++) {
            memcpy(to + ((output * kernel.height + top + row) * kernel.width + left) * columns, from,
                   _kernel.width * columns * sizeof(float));
            from += _kernel.width * columns;
        }
    }
    [_weights release];
    _weights = [grown retain];
    _kernel = kernel;
    _count = count;
}

- (void)splitRanges {
    const float *ranges = _ranges.bytes;
    size_t outputs = _ranges.length / (2 * sizeof(float));
    NSMutableData *minima = [[NSMutableData alloc] initWithLength:outputs * sizeof(float)];
    NSMutableData *steps = [[NSMutableData alloc] initWithLength:outputs * sizeof(float)];
    _minima = minima;
    _steps = steps;
    float *minimum = minima.mutableBytes, *step = steps.mutableBytes;
    for (size_t output = 0; output < outputs; output++) {
        minimum[output] = ranges[2 * output];
        step[output] = PMPRangeStep(ranges[2 * output], ranges[2 * output + 1]);
    }
}

- (void)readBiasAndNeuron:(id<MPSCNNConvolutionDataSource>)source
               descriptor:(MPSCNNConvolutionDescriptor *)descriptor
                  outputs:(size_t)outputs
                 argument:(PMPArgument)argument {
    const float *bias = [source biasTerms];
    if (bias != NULL) {
        _bias = [[NSData alloc] initWithBytes:bias length:outputs * sizeof(float)];
    } else if (_form == PMPRecurrentFormTraining) {
        _bias = [PMPZeroWeights(outputs, sizeof(float), argument) retain];
    }
    MPSNNNeuronDescriptor *neuron = descriptor.fusedNeuronDescriptor;
    _neuron = PMPEngineNeuron(neuron, outputs, argument);
    if (_neuron.channel_a != NULL) {
        _channelA = [neuron.data copy];
        _neuron.channel_a = _channelA.bytes;
    }
}

- (void)dealloc {
    [self dropWeights];
    [_ranges release];
    [_bias release];
    [_channelA release];
    [super dealloc];
}

- (const float *)weights {
    return _ranges == nil ? _weights.bytes : NULL;
}

- (pymps_engine_bytes)byteWeights {
    return (pymps_engine_bytes){_ranges != nil ? _weights.bytes : NULL, _minima.bytes, _steps.bytes};
}

- (const float *)bias {
    return _bias.bytes;
}

- (pymps_engine_neuron)neuron {
    return _neuron;
}

- (void)dropWeights {
    [_weights release];
    [_minima release];
    [_steps release];
    _weights = _minima = _steps = nil;
}

@end
