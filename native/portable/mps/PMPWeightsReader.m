#import "PMPWeightsReader.h"
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

static void read_ranges(const uint8_t *from, float *to, size_t count, size_t inputChannels,
                        const vector_float2 *ranges) {
    for (size_t i = 0; i < count; i++) {
        vector_float2 range = ranges[i / inputChannels];
        to[i] = (float)from[i] / 255.0f * (range.y - range.x) + range.x;
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

static void read_uint8(id<MPSCNNConvolutionDataSource> source, const uint8_t *from, float *to, size_t count,
                       size_t inputChannels, PMPArgument argument) {
    MPSCNNWeightsQuantizationType type = quantization(source);
    if (type == MPSCNNWeightsQuantizationTypeLinear && [source respondsToSelector:@selector(rangesForUInt8Kernel)]) {
        const vector_float2 *ranges = [source rangesForUInt8Kernel];
        if (ranges != NULL) {
            read_ranges(from, to, count, inputChannels, ranges);
            return;
        }
    }
    if (type == MPSCNNWeightsQuantizationTypeLookupTable &&
        [source respondsToSelector:@selector(lookupTableForUInt8Kernel)]) {
        const float *table = [source lookupTableForUInt8Kernel];
        if (table != NULL) {
            read_lookup_table(from, to, count, table);
            return;
        }
    }
    PMPRaiseInvalid(argument, @"UInt8 weights without the ranges or the lookup table of quantization type %u",
                    (unsigned)type);
}

NSData *PMPReadWeights(id<MPSCNNConvolutionDataSource> source, size_t count, size_t inputChannels,
                       PMPArgument argument) {
    const void *from = [source weights];
    MPSDataType type = [source dataType];
    size_t bytes;
    if (from == NULL) {
        PMPRaiseInvalid(argument, @"weights NULL after load");
    }
    if ([source respondsToSelector:@selector(weightsLayout)] &&
        [source weightsLayout] != MPSCNNConvolutionWeightsLayoutOHWI) {
        PMPRaiseInvalid(argument, @"weights layout %u, expected OHWI", (unsigned)[source weightsLayout]);
    }
    if (__builtin_mul_overflow(count, sizeof(float), &bytes)) {
        PMPRaiseInvalid(argument, @"more weights than memory can hold");
    }
    NSMutableData *weights = [NSMutableData dataWithLength:bytes];
    float *to = weights.mutableBytes;
    switch (type) {
    case MPSDataTypeFloat32:
        memcpy(to, from, bytes);
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
