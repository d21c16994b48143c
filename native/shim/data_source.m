// PMPDataSource: weights as MPS asks for them, from a pymps_data_source.
#import "layers.h"
#include <string.h>

@implementation PMPDataSource

- (instancetype)initWithSource:(const pymps_data_source *)source
                         shape:(pmp_weights_shape)shape
                    isDiagonal:(BOOL)isDiagonal
                         place:(const char *)place {
    self = [super init];
    if (self == nil)
        return nil;
    _source = *source;
    if (_source.retain != NULL)
        _source.retain(_source.context);
    _shape = shape;
    _isDiagonal = isDiagonal;
    pmp_copy_utf8(_place, sizeof _place, place);
    pthread_mutex_init(&_mutex, NULL);
    return self;
}

- (void)dealloc {
    [self forget];
    pthread_mutex_destroy(&_mutex);
    if (_source.release != NULL)
        _source.release(_source.context);
    [super dealloc];
}

- (id)copyWithZone:(NSZone *)zone {
    (void)zone;
    return [self retain];
}

// ---- Loading ----

static MPSNNNeuronDescriptor *neuron_descriptor(const pymps_neuron *neuron) {
    if (neuron->type != MPSCNNNeuronTypePReLU)
        return [MPSNNNeuronDescriptor cnnNeuronDescriptorWithType:neuron->type a:neuron->a b:neuron->b c:neuron->c];
    NSData *channels = [NSData dataWithBytes:neuron->channel_a length:neuron->channel_count * sizeof(float)];
    return [MPSNNNeuronDescriptor cnnNeuronPReLUDescriptorWithData:channels noCopy:false];
}

- (void)forget {
    [_matrix release];
    [_ranges release];
    [_label release];
    [_descriptor release];
    _matrix = nil;
    _ranges = nil;
    _label = nil;
    _descriptor = nil;
}

static float number_at(const pymps_weights *weights, size_t channel) {
    uint8_t byte = ((const uint8_t *)weights->data)[channel];
    if (weights->lookup_table != NULL)
        return weights->lookup_table[byte];
    const float *range = weights->ranges[channel];
    return byte / 255.0f * (range[1] - range[0]) + range[0];
}

// MPS is told of an out x out matrix, of which it reads the first `out` numbers. Bytes become float32 on the way: in a
// matrix those numbers would all have the range of channel 0.
- (void)embedDiagonal {
    bool isUInt8 = _weights.data_type == PYMPS_UINT8;
    NSUInteger elementBytes = isUInt8 ? sizeof(float) : pmp_element_bytes(_weights.data_type);
    NSMutableData *matrix = [[NSMutableData alloc] init];
    _matrix = matrix; // before it grows: that may raise
    matrix.length = _shape.outputs * _shape.inputs * elementBytes;
    if (!isUInt8) {
        memcpy(matrix.mutableBytes, _weights.data, _shape.outputs * elementBytes);
        return;
    }
    float *numbers = matrix.mutableBytes;
    for (size_t channel = 0; channel < _shape.outputs; channel++)
        numbers[channel] = number_at(&_weights, channel);
    _weights.data_type = PYMPS_FLOAT32;
    _weights.ranges = NULL;
    _weights.lookup_table = NULL;
}

// Takes over what has been loaded, once it has been checked.
- (pymps_status)take:(const pymps_weights *)weights call:(const pmp_call *)call {
    PMP_TRY(pmp_weights_check(call, &_shape, weights));
    PMP_TRY(pmp_weights_check_layer(call, &_shape, weights, _isDiagonal));
    [self forget];
    _weights = *weights;
    if (weights->input_feature_channels != _shape.inputs)
        [self embedDiagonal];
    if (_weights.ranges != NULL) // aligned as MPS's vectors are
        _ranges = [[NSData alloc] initWithBytes:_weights.ranges length:_shape.outputs * sizeof *_weights.ranges];
    if (weights->label != NULL)
        _label = [[NSString alloc] initWithUTF8String:weights->label];
    _descriptor = [[MPSCNNConvolutionDescriptor cnnConvolutionDescriptorWithKernelWidth:pmp_kernel_width(weights)
                                                                           kernelHeight:pmp_kernel_height(weights)
                                                                   inputFeatureChannels:_shape.inputs
                                                                  outputFeatureChannels:_shape.outputs] retain];
    _descriptor.fusedNeuronDescriptor = neuron_descriptor(&weights->neuron);
    return PYMPS_OK;
}

- (BOOL)fetch {
    __block BOOL isLoaded = NO;
    _error = (pymps_error){0};
    _error.status = pmp_enter("layer_create", &_error, ^pymps_status(const pmp_call *call) {
        pymps_weights weights = {0};
        pymps_status status = _source.load(_source.context, &weights, &_error);
        isLoaded = status == PYMPS_OK;
        if (isLoaded) {
            pmp_call at_place = pmp_at(call, _place, PMP_NO_INDEX);
            return [self take:&weights call:&at_place];
        }
        return _error.text[0] != '\0' ? status : pmp_fail(call, status, 0, "%s: failed to load", _place);
    });
    if (isLoaded && _error.status != PYMPS_OK)
        _source.purge(_source.context);
    return _error.status == PYMPS_OK;
}

- (BOOL)load {
    pthread_mutex_lock(&_mutex);
    BOOL isLoaded = _loadCount > 0 || [self fetch];
    _loadCount += isLoaded;
    pthread_mutex_unlock(&_mutex);
    return isLoaded;
}

- (void)purge {
    pthread_mutex_lock(&_mutex);
    if (_loadCount > 0 && --_loadCount == 0) {
        [_matrix release];
        _matrix = nil;
        _source.purge(_source.context);
    }
    pthread_mutex_unlock(&_mutex);
}

- (const pymps_error *)error {
    return &_error;
}

// ---- What MPS asks for between load and purge ----

- (MPSDataType)dataType {
    return (MPSDataType)_weights.data_type;
}

- (MPSCNNConvolutionDescriptor *)descriptor {
    return _descriptor;
}

- (void *)weights {
    return (void *)(_matrix != nil ? _matrix.bytes : _weights.data);
}

- (float *)biasTerms {
    return (float *)_weights.bias;
}

- (MPSCNNWeightsQuantizationType)weightsQuantizationType {
    return _ranges != nil                  ? MPSCNNWeightsQuantizationTypeLinear
           : _weights.lookup_table != NULL ? MPSCNNWeightsQuantizationTypeLookupTable
                                           : MPSCNNWeightsQuantizationTypeNone;
}

- (vector_float2 *)rangesForUInt8Kernel {
    return (vector_float2 *)_ranges.bytes;
}

- (float *)lookupTableForUInt8Kernel {
    return (float *)_weights.lookup_table;
}

- (NSString *)label {
    return _label;
}

@end
