// Where the kernels of image layers lie, the types of their weights, and images of all channel formats.
#import "mps_image_layer.h"

static const double kTolerance = 1e-4;

/// A single gate without anything but input weights.
static MPSRNNSingleGateDescriptor *make_filter(TestWeights *weights) {
    NSUInteger inputs = weights->descriptor.inputFeatureChannels;
    MPSRNNSingleGateDescriptor *gate = [MPSRNNSingleGateDescriptor
        createRNNSingleGateDescriptorWithInputFeatureChannels:inputs
                                        outputFeatureChannels:weights->descriptor.outputFeatureChannels];
    gate.inputWeights = weights;
    return gate;
}

/// The numbers of one image after another, from a filter.
static NSData *filtered(TestWeights *weights, NSArray<MPSImage *> *x) {
    MPSImage *first = image_of(x, 0);
    Extent extent = {first.numberOfImages, first.height, first.width};
    NSArray<MPSImage *> *y = make_images(x.count, extent, weights->descriptor.outputFeatureChannels, 9);
    run_images(make_image_layer(@[ make_filter(weights) ]), x, y, nil);
    return image_numbers(y.lastObject);
}

/// Each tap alone: which neighbour it reads.
static void test_where_a_kernel_lies(void) {
    const Extent extent = {1, 5, 6};
    NSArray<MPSImage *> *x = make_images(1, extent, 1, 1);
    const float *from = image_numbers(image_of(x, 0)).bytes;
    for (NSInteger size = 1; size <= 4; size++) {
        for (NSInteger tap = 0; tap < size * size; tap++) {
            TestWeights *weights = make_kernel((NSUInteger)size, (NSUInteger)size, 1, 1, 1);
            memset(weights->values.mutableBytes, 0, weights->values.length);
            ((float *)weights->values.mutableBytes)[tap] = 1;
            const float *to = filtered(weights, x).bytes;
            bool isRight = true;
            for (NSInteger y = 0; y < 5; y++) {
                for (NSInteger column = 0; column < 6; column++) {
                    NSInteger fromY = y + tap / size - size / 2, fromX = column + tap % size - size / 2;
                    bool isInside = fromY >= 0 && fromY < 5 && fromX >= 0 && fromX < 6;
                    isRight &= to[y * 6 + column] == (isInside ? from[fromY * 6 + fromX] : 0);
                }
            }
            CHECK(isRight);
        }
    }
}

/// Whatever useFloat32Weights says.
static void test_weights_are_float16(void) {
    const Extent extent = {1, 2, 2};
    for (NSUInteger size = 1; size <= 3; size += 2) {
        MPSImage *x = make_image(extent, 1, MPSImageFeatureChannelFormatFloat32);
        const float ones[] = {1, 1, 1, 1};
        write_image(x, ones, sizeof(float));
        TestWeights *weights = make_kernel(size, size, 1, 1, 1);
        memset(weights->values.mutableBytes, 0, weights->values.length);
        ((float *)weights->values.mutableBytes)[size * size / 2] = 1 + 1.0f / 4096;
        MPSRNNSingleGateDescriptor *filter = make_filter(weights);
        filter.useFloat32Weights = YES;
        MPSImage *y = make_image(extent, 1, MPSImageFeatureChannelFormatFloat32);
        run_images(make_image_layer(@[ filter ]), @[ x ], @[ y ], nil);
        CHECK(memcmp(image_numbers(y).bytes, ones, sizeof ones) == 0);
    }
}

/// Bytes with a range for each output channel, and bytes with a table, stand for floats.
@interface TestByteKernel : TestWeights {
  @public
    NSData *ranges, *table; // one of them
}
@end

@implementation TestByteKernel
- (void)dealloc {
    [ranges release];
    [table release];
    [super dealloc];
}
- (vector_float2 *)rangesForUInt8Kernel {
    return (vector_float2 *)ranges.bytes;
}
- (float *)lookupTableForUInt8Kernel {
    return (float *)table.bytes;
}
- (MPSCNNWeightsQuantizationType)weightsQuantizationType {
    return ranges != nil ? MPSCNNWeightsQuantizationTypeLinear : MPSCNNWeightsQuantizationTypeLookupTable;
}
@end

static void test_byte_weights(void) {
    enum { kInputs = 3, kOutputs = 2, kWeights = kOutputs * 9 * kInputs };
    NSArray<MPSImage *> *x = make_images(1, (Extent){2, 4, 5}, kInputs, 1);
    for (int isTable = 0; isTable < 2; isTable++) {
        TestWeights *floats = make_kernel(3, 3, kInputs, kOutputs, 5);
        TestByteKernel *bytes = [[[TestByteKernel alloc] init] autorelease];
        bytes->descriptor = [floats->descriptor copy];
        bytes->dataType = MPSDataTypeUInt8;
        bytes->values = [[NSMutableData alloc] initWithLength:kWeights];
        // Steps of 1/64 from -1 on, and of 1/128 from -0.5 on.
        const float ranges[] = {-1, -1 + 255.0f / 64, -0.5f, -0.5f + 255.0f / 128};
        NSMutableData *table = [NSMutableData dataWithLength:256 * sizeof(float)];
        for (int i = 0; i < 256; i++) {
            ((float *)table.mutableBytes)[i] = (float)(i * 7 % 256) / 256;
        }
        for (NSUInteger i = 0; i < kWeights; i++) {
            uint8_t byte = (uint8_t)(i * 37);
            NSUInteger output = i / (9 * kInputs);
            ((uint8_t *)bytes->values.mutableBytes)[i] = byte;
            ((float *)floats->values.mutableBytes)[i] =
                isTable ? ((float *)table.mutableBytes)[byte]
                        : ranges[2 * output] + (float)byte / (output == 0 ? 64 : 128);
        }
        bytes->ranges = isTable ? nil : [[NSData alloc] initWithBytes:ranges length:sizeof ranges];
        bytes->table = isTable ? [table retain] : nil;
        CHECK([filtered(bytes, x) isEqual:filtered(floats, x)]);
    }
}

// Channel formats

static void test_unorm8(void) {
    const Extent extent = {2, 3, 4};
    TestWeights *weights = make_kernel(1, 1, 1, 2, 1);
    ((float *)weights->values.mutableBytes)[0] = 2;
    ((float *)weights->values.mutableBytes)[1] = -1;
    MPSImage *x = make_image(extent, 1, MPSImageFeatureChannelFormatUnorm8);
    MPSImage *y = make_image(extent, 2, MPSImageFeatureChannelFormatUnorm8);
    uint8_t in[24], out[2][12][2];
    for (uint8_t i = 0; i < 24; i++) {
        in[i] = i * 11;
    }
    write_image(x, in, 1);
    run_images(make_image_layer(@[ make_filter(weights) ]), @[ x ], @[ y ], nil);
    for (NSUInteger n = 0; n < 2; n++) {
        [y readBytes:out[n] dataLayout:MPSDataLayoutHeightxWidthxFeatureChannels imageIndex:n];
        for (NSUInteger i = 0; i < 12; i++) {
            CHECK(out[n][i][0] == MIN(2 * in[12 * n + i], 255)); // clamped to 1
            CHECK(out[n][i][1] == 0);                            // and to 0
        }
    }
}

/// Each image of a sequence in its own format: x as it reads, y as it is rounded.
static void test_mixed_formats(void) {
    const Extent extent = {1, 4, 5};
    const MPSImageFeatureChannelFormat formats[] = {
        MPSImageFeatureChannelFormatUnorm8, MPSImageFeatureChannelFormatFloat32, MPSImageFeatureChannelFormatUnorm16,
        MPSImageFeatureChannelFormatFloat16};
    const double steps[] = {1.0 / 255, 0, 1.0 / 65535, 1.0 / 1024};
    enum { kFormats = 4, kInputs = 2, kOutputs = 3, kIn = 20 * kInputs, kOut = 20 * kOutputs };
    MPSRNNDescriptor *descriptor = image_gru(3, kInputs, kOutputs, 41);
    NSMutableArray<MPSImage *> *x = [NSMutableArray array], *y = [NSMutableArray array];
    NSMutableArray<NSData *> *numbers = [NSMutableArray array];
    for (unsigned i = 0; i < kFormats; i++) {
        MPSImage *image = make_image(extent, kInputs, formats[i]);
        NSMutableData *values = make_doubles(kIn);
        union {
            uint8_t bytes[kIn];
            uint16_t shorts[kIn];
            float floats[kIn];
        } elements;
        for (NSUInteger j = 0; j < kIn; j++) {
            NSUInteger k = test_choice(i, j, 256);
            double *value = (double *)values.mutableBytes + j;
            switch (formats[i]) {
            case MPSImageFeatureChannelFormatUnorm8:
                *value = (elements.bytes[j] = (uint8_t)k) / 255.0;
                break;
            case MPSImageFeatureChannelFormatUnorm16:
                *value = (elements.shorts[j] = (uint16_t)(k * 257)) / 65535.0;
                break;
            case MPSImageFeatureChannelFormatFloat16: // 1 + k / 1024
                elements.shorts[j] = (uint16_t)(0x3c00 + k);
                *value = 1 + (double)k / 1024;
                break;
            default:
                *value = elements.floats[j] = (float)k / 256;
            }
        }
        write_image(image, &elements, image.pixelSize / (image.featureChannels > 2 ? 4 : image.featureChannels));
        [x addObject:image];
        [numbers addObject:values];
        [y addObject:make_image(extent, kOutputs, formats[(i + 1) % kFormats])];
    }
    run_images(make_image_layer(@[ descriptor ]), x, y, nil);
    NSArray<NSData *> *expected = stack_outputs(@[ descriptor ], extent, numbers);
    for (NSUInteger i = 0; i < kFormats; i++) {
        const double *values = [[expected objectAtIndex:i] bytes];
        union {
            uint8_t bytes[kOut];
            uint16_t shorts[kOut];
            float floats[kOut];
        } elements;
        MPSImage *image = image_of(y, i);
        [image readBytes:&elements dataLayout:MPSDataLayoutHeightxWidthxFeatureChannels imageIndex:0];
        bool isRight = true;
        for (NSUInteger j = 0; j < kOut; j++) {
            double clamped = MAX(values[j], 0), got = 0;
            switch (image.featureChannelFormat) {
            case MPSImageFeatureChannelFormatUnorm8:
                got = elements.bytes[j] / 255.0;
                break;
            case MPSImageFeatureChannelFormatUnorm16:
                got = elements.shorts[j] / 65535.0;
                break;
            case MPSImageFeatureChannelFormatFloat16: {
                int exponent = elements.shorts[j] >> 10 & 31, fraction = elements.shorts[j] & 1023;
                got = exponent == 0 ? ldexp(fraction, -24) : ldexp(fraction + 1024, exponent - 25);
                got = elements.shorts[j] & 0x8000 ? -got : got;
                clamped = values[j];
                break;
            }
            default:
                got = elements.floats[j];
                clamped = values[j];
            }
            isRight &= fabs(got - clamped) <= steps[(i + 1) % kFormats] / 2 + kTolerance;
        }
        CHECK(isRight);
    }
}

int main(void) {
    void (*const tests[])(void) = {
        test_where_a_kernel_lies, test_weights_are_float16, test_byte_weights, test_unorm8, test_mixed_formats,
    };
    return run_tests(tests, sizeof tests / sizeof tests[0]);
}
