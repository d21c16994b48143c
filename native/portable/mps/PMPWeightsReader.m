#import "PMPWeightsReader.h"
#import "PMPSize.h"
#include <math.h>

static float float_from_half(uint16_t half) {
    int exponent = half >> 10 & 31, fraction = half & 1023;
    float magnitude = exponent == 31  ? (fraction != 0 ? NAN : INFINITY)
                      : exponent == 0 ? ldexpf((float)fraction, -24)
                                      : ldexpf((float)(fraction + 1024), exponent - 25);
    return half & 0x8000 ? -magnitude : magnitude;
}

static void read_half(const uint16_t *from, float *to, size_t count) {
    for (size_t i = 0; i < count; i++) {
        to[i] = float_from_half(from[i]);
    }
}

float PMPRangeStep(float minimum, float maximum) {
    return (float)(((double)maximum - minimum) / 255); // the difference alone may be too large for a float
}

static void read_ranges(const uint8_t *from, float *to, size_t count, size_t inputChannels,
                        const vector_float2 *ranges) {
    for (size_t i = 0; i < count; i++) {
        vector_float2 range = ranges[i / inputChannels];
        to[i] = range.x + PMPRangeStep(range.x, range.y) * (float)from[i];
    }
}

static void read_lookup_table(const uint8_t *from, float *to, size_t count, const float *table) {
    for (size_t i = 0; i < count; i++) {
        to[i] = table[from[i]];
    }
}

/// How a UInt8 source means its numbers: what it says, else the one of the two methods that it has.
static MPSCNNWeightsQuantizationType quantization(id<MPSCNNConvolutionDataSource> source) {
    if ([source respondsToSelector:@selector(weightsQuantizationType)]) {
        return [source weightsQuantizationType];
    }
    if ([source respondsToSelector:@selector(rangesForUInt8Kernel)]) {
        return MPSCNNWeightsQuantizationTypeLinear;
    }
    return MPSCNNWeightsQuantizationTypeLookupTable;
}

/// NULL where the bytes of a UInt8 source mean something else.
static const vector_float2 *linear_ranges(id<MPSCNNConvolutionDataSource> source) {
    return quantization(source) == MPSCNNWeightsQuantizationTypeLinear &&
                   [source respondsToSelector:@selector(rangesForUInt8Kernel)]
               ? [source rangesForUInt8Kernel]
               : NULL;
}

static const float *lookup_table(id<MPSCNNConvolutionDataSource> source) {
    return quantization(source) == MPSCNNWeightsQuantizationTypeLookupTable &&
                   [source respondsToSelector:@selector(lookupTableForUInt8Kernel)]
               ? [source lookupTableForUInt8Kernel]
               : NULL;
}

static void read_uint8(id<MPSCNNConvolutionDataSource> source, const uint8_t *from, float *to, size_t count,
                       size_t inputChannels, PMPArgument argument) {
    const vector_float2 *ranges = linear_ranges(source);
    if (ranges != NULL) {
        read_ranges(from, to, count, inputChannels, ranges);
        return;
    }
    const float *table = lookup_table(source);
    if (table == NULL) {
        PMPRaiseInvalid(argument, @"UInt8 weights without the ranges or the lookup table of quantization type %u",
                        (unsigned)quantization(source));
    }
    read_lookup_table(from, to, count, table);
}

/// The weights of a source, in the one layout there is.
static const void *weights_of(id<MPSCNNConvolutionDataSource> source, PMPArgument argument) {
    const void *weights = [source weights];
    if (weights == NULL) {
        PMPRaiseInvalid(argument, @"weights NULL after load");
    }
    if ([source respondsToSelector:@selector(weightsLayout)] &&
        [source weightsLayout] != MPSCNNConvolutionWeightsLayoutOHWI) {
        PMPRaiseInvalid(argument, @"weights layout %u, expected OHWI", (unsigned)[source weightsLayout]);
    }
    return weights;
}

NSMutableData *PMPZeroWeights(size_t count, size_t elementBytes, PMPArgument argument) {
    size_t bytes = PMPSizeMultiply(count, elementBytes);
    NSMutableData *data = bytes != SIZE_MAX ? [NSMutableData dataWithLength:bytes] : nil;
    if (data == nil) {
        PMPRaiseInvalid(argument, @"more weights than memory can hold");
    }
    return data;
}

NSData *PMPReadRanges(id<MPSCNNConvolutionDataSource> source, size_t outputChannels, PMPArgument argument) {
    const vector_float2 *from = [source dataType] == MPSDataTypeUInt8 ? linear_ranges(source) : NULL;
    if (from == NULL) {
        return nil;
    }
    NSMutableData *ranges = PMPZeroWeights(outputChannels, sizeof *from, argument);
    memcpy(ranges.mutableBytes, from, ranges.length);
    return ranges;
}

NSData *PMPReadBytes(id<MPSCNNConvolutionDataSource> source, size_t count, PMPArgument argument) {
    const void *from = weights_of(source, argument);
    NSMutableData *bytes = PMPZeroWeights(count, 1, argument);
    memcpy(bytes.mutableBytes, from, bytes.length);
    return bytes;
}

NSData *PMPReadWeights(id<MPSCNNConvolutionDataSource> source, size_t count, size_t inputChannels,
                       PMPArgument argument) {
    const void *from = weights_of(source, argument);
    MPSDataType type = [source dataType];
    NSMutableData *weights = PMPZeroWeights(count, sizeof(float), argument);
    float *to = weights.mutableBytes;
    switch (type) {
    case MPSDataTypeFloat32:
        memcpy(to, from, weights.length);
        break;
    case MPSDataTypeFloat16:
        read_half(from, to, count);
        break;
    case MPSDataTypeUInt8:
        read_uint8(source, from, to, count, inputChannels, argument);
        break;
    default:
        PMPRaiseInvalid(argument, @"weights of data type 0x%x, expected Float32, Float16 or UInt8", (unsigned)type);
    }
    return weights;
}
