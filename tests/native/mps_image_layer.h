// Image layers for tests: descriptors with kernels, short ways to images, and the formulas in double arithmetic.
#import "PMPRecurrentState.h"
#import "mps_test.h"
#include <math.h>

/// All images of a sequence, and how many there are in each MPSImage.
typedef struct Extent {
    NSUInteger images, height, width;
} Extent;

static inline NSUInteger pixel_count(Extent extent) {
    return extent.images * extent.height * extent.width;
}

// Weights

/// Multiples of 1/64, which float16 holds: a layer rounds none of them.
static inline TestWeights *make_kernel(NSUInteger width, NSUInteger height, NSUInteger inputs, NSUInteger outputs,
                                       unsigned seed) {
    TestWeights *weights = [[[TestWeights alloc] init] autorelease];
    weights->descriptor = [[MPSCNNConvolutionDescriptor cnnConvolutionDescriptorWithKernelWidth:width
                                                                                   kernelHeight:height
                                                                           inputFeatureChannels:inputs
                                                                          outputFeatureChannels:outputs] retain];
    weights->values = [test_numbers(width * height * inputs * outputs, seed) retain];
    weights->dataType = MPSDataTypeFloat32;
    float *values = weights->values.mutableBytes;
    for (NSUInteger i = 0; i < weights->values.length / sizeof(float); i++) {
        values[i] = roundf(values[i] * 64) / 64;
    }
    return weights;
}

/// From 0 up to `count`, but not `count`.
static inline NSUInteger test_choice(unsigned seed, NSUInteger index, NSUInteger count) {
    return (NSUInteger)((test_number(seed, index) + 0.5f) * (float)count);
}

/// A kernel of up to `most` x `most`.
static inline TestWeights *random_kernel(NSUInteger most, NSUInteger inputs, NSUInteger outputs, unsigned seed) {
    return make_kernel(1 + test_choice(seed, 1000, most), 1 + test_choice(seed, 1001, most), inputs, outputs, seed);
}

static inline TestWeights *random_input_kernel(NSUInteger most, NSUInteger inputs, NSUInteger outputs,
                                               MPSCNNNeuronType neuron, unsigned seed) {
    TestWeights *weights = random_kernel(most, inputs, outputs, seed);
    [weights setBiasWithSeed:seed + 1];
    [weights->descriptor setNeuronType:neuron parameterA:1 parameterB:1];
    return weights;
}

typedef enum MemoryWeights { kNoMemory, kFullMemory, kDiagonalMemory } MemoryWeights;

static NSString *const imageGateNames[] = {@"inputGate", @"forgetGate", @"cellGate", @"outputGate"};

static inline MPSLSTMDescriptor *image_lstm(NSUInteger most, NSUInteger inputs, NSUInteger outputs,
                                            MemoryWeights memory, unsigned seed) {
    MPSLSTMDescriptor *lstm = [MPSLSTMDescriptor createLSTMDescriptorWithInputFeatureChannels:inputs
                                                                        outputFeatureChannels:outputs];
    lstm.memoryWeightsAreDiagonal = memory == kDiagonalMemory;
    for (unsigned i = 0; i < 4; i++) {
        MPSCNNNeuronType neuron = i == 2 ? MPSCNNNeuronTypeTanH : MPSCNNNeuronTypeSigmoid;
        [lstm setValue:random_input_kernel(most, inputs, outputs, neuron, seed + 10 * i)
                forKey:[imageGateNames[i] stringByAppendingString:@"InputWeights"]];
        [lstm setValue:random_kernel(most, outputs, outputs, seed + 10 * i + 2)
                forKey:[imageGateNames[i] stringByAppendingString:@"RecurrentWeights"]];
        if (memory != kNoMemory) {
            TestWeights *weights = memory == kFullMemory ? random_kernel(most, outputs, outputs, seed + 10 * i + 3)
                                                         : make_kernel(1, 1, outputs, 1, seed + 10 * i + 3);
            [lstm setValue:weights forKey:[imageGateNames[i] stringByAppendingString:@"MemoryWeights"]];
        }
    }
    return lstm;
}

static inline MPSGRUDescriptor *image_gru(NSUInteger most, NSUInteger inputs, NSUInteger outputs, unsigned seed) {
    MPSGRUDescriptor *gru = [MPSGRUDescriptor createGRUDescriptorWithInputFeatureChannels:inputs
                                                                    outputFeatureChannels:outputs];
    gru.inputGateInputWeights = random_input_kernel(most, inputs, outputs, MPSCNNNeuronTypeSigmoid, seed);
    gru.inputGateRecurrentWeights = random_kernel(most, outputs, outputs, seed + 2);
    gru.recurrentGateInputWeights = random_input_kernel(most, inputs, outputs, MPSCNNNeuronTypeSigmoid, seed + 10);
    gru.recurrentGateRecurrentWeights = random_kernel(most, outputs, outputs, seed + 12);
    gru.outputGateInputWeights = random_input_kernel(most, inputs, outputs, MPSCNNNeuronTypeTanH, seed + 20);
    gru.outputGateRecurrentWeights = random_kernel(most, outputs, outputs, seed + 22);
    gru.outputGateInputGateWeights = seed % 2 ? random_kernel(most, outputs, outputs, seed + 23) : nil;
    gru.flipOutputGates = seed % 3 == 0;
    return gru;
}

static inline MPSRNNSingleGateDescriptor *image_single_gate(NSUInteger most, NSUInteger inputs, NSUInteger outputs,
                                                            unsigned seed) {
    MPSRNNSingleGateDescriptor *gate =
        [MPSRNNSingleGateDescriptor createRNNSingleGateDescriptorWithInputFeatureChannels:inputs
                                                                    outputFeatureChannels:outputs];
    gate.inputWeights = random_input_kernel(most, inputs, outputs, MPSCNNNeuronTypeTanH, seed);
    gate.recurrentWeights = random_kernel(most, outputs, outputs, seed + 2);
    return gate;
}

static inline MPSRNNImageInferenceLayer *make_image_layer(NSArray<MPSRNNDescriptor *> *descriptors) {
    return [[[MPSRNNImageInferenceLayer alloc] initWithDevice:device rnnDescriptors:descriptors] autorelease];
}

// Images

/// Shared storage, filled with zeros.
static inline MPSImage *make_image(Extent extent, NSUInteger channels, MPSImageFeatureChannelFormat format) {
    MPSImageDescriptor *descriptor =
        [MPSImageDescriptor imageDescriptorWithChannelFormat:format
                                                       width:extent.width
                                                      height:extent.height
                                             featureChannels:channels
                                              numberOfImages:extent.images
                                                       usage:MTLTextureUsageShaderRead | MTLTextureUsageShaderWrite];
    descriptor.storageMode = MTLStorageModeShared;
    return [[[MPSImage alloc] initWithDevice:device imageDescriptor:descriptor] autorelease];
}

/// Element (image, y, x, channel) of a float32 image in shared storage.
static inline NSMutableData *image_numbers(MPSImage *image) {
    NSUInteger count = image.width * image.height * image.featureChannels;
    NSMutableData *numbers = [NSMutableData dataWithLength:image.numberOfImages * count * sizeof(float)];
    for (NSUInteger i = 0; i < image.numberOfImages; i++) {
        [image readBytes:(float *)numbers.mutableBytes + i * count
              dataLayout:MPSDataLayoutHeightxWidthxFeatureChannels
              imageIndex:i];
    }
    return numbers;
}

static inline void write_image(MPSImage *image, const void *elements, size_t elementBytes) {
    NSUInteger bytes = image.width * image.height * image.featureChannels * elementBytes;
    for (NSUInteger i = 0; i < image.numberOfImages; i++) {
        [image writeBytes:(const char *)elements + i * bytes
               dataLayout:MPSDataLayoutHeightxWidthxFeatureChannels
               imageIndex:i];
    }
}

/// Float32 images of random numbers.
static inline NSArray<MPSImage *> *make_images(NSUInteger steps, Extent extent, NSUInteger channels, unsigned seed) {
    NSMutableArray<MPSImage *> *images = [NSMutableArray array];
    for (unsigned step = 0; step < steps; step++) {
        [images addObject:make_image(extent, channels, MPSImageFeatureChannelFormatFloat32)];
        write_image(images.lastObject, test_numbers(pixel_count(extent) * channels, seed + step).bytes, sizeof(float));
    }
    return images;
}

static inline MPSImage *image_of(NSArray<MPSImage *> *images, NSUInteger index) {
    return [images objectAtIndex:index];
}

static inline NSArray<MPSRNNRecurrentImageState *> *run_images(MPSRNNImageInferenceLayer *layer,
                                                               NSArray<MPSImage *> *sources,
                                                               NSArray<MPSImage *> *destinations,
                                                               MPSRNNRecurrentImageState *state) {
    NSMutableArray<MPSRNNRecurrentImageState *> *states = [NSMutableArray array];
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    [layer encodeSequenceToCommandBuffer:commandBuffer
                            sourceImages:sources
                       destinationImages:destinations
                     recurrentInputState:state
                   recurrentOutputStates:states];
    run(commandBuffer);
    return states;
}

/// h, or the memory cell c, of a layer: in any storage. Empty where there is none.
static inline NSData *state_numbers(MPSRNNRecurrentImageState *state, NSUInteger layer, BOOL isCell) {
    id<MTLBuffer> buffer = isCell ? state->_storage->layers[layer].c : state->_storage->layers[layer].h;
    MPSImage *image = [state getRecurrentOutputImageForLayerIndex:layer];
    NSUInteger count = image.width * image.height * image.numberOfImages * image.featureChannels;
    return buffer == nil ? [NSData data]
                         : [buffer_bytes(buffer) subdataWithRange:NSMakeRange(0, count * sizeof(float))];
}

// The formulas

static inline NSMutableData *make_doubles(NSUInteger count) {
    return [NSMutableData dataWithLength:count * sizeof(double)];
}

static inline NSMutableData *doubles_of(NSData *floats) {
    NSUInteger count = floats.length / sizeof(float);
    NSMutableData *doubles = make_doubles(count);
    for (NSUInteger i = 0; i < count; i++) {
        ((double *)doubles.mutableBytes)[i] = ((const float *)floats.bytes)[i];
    }
    return doubles;
}

/// One output of a convolution whose kernel has its own pixel in the middle, or right of it and below.
static inline double convolve_at(TestWeights *weights, Extent extent, const double *image, NSInteger y, NSInteger x,
                                 NSUInteger output) {
    NSInteger kernelWidth = (NSInteger)weights->descriptor.kernelWidth;
    NSInteger kernelHeight = (NSInteger)weights->descriptor.kernelHeight;
    NSInteger inputs = (NSInteger)weights->descriptor.inputFeatureChannels;
    const float *kernel =
        (const float *)weights->values.bytes + (NSInteger)output * kernelHeight * kernelWidth * inputs;
    double sum = 0;
    for (NSInteger ky = 0; ky < kernelHeight; ky++) {
        for (NSInteger kx = 0; kx < kernelWidth; kx++) {
            NSInteger fromY = y + ky - (kernelHeight >> 1), fromX = x + kx - (kernelWidth >> 1);
            if (fromY < 0 || fromY >= (NSInteger)extent.height || fromX < 0 || fromX >= (NSInteger)extent.width) {
                continue;
            }
            for (NSInteger i = 0; i < inputs; i++) {
                sum += kernel[(ky * kernelWidth + kx) * inputs + i] *
                       image[(fromY * (NSInteger)extent.width + fromX) * inputs + i];
            }
        }
    }
    return sum;
}

/// sum += weights * images; nil weights are zeros.
static inline void add_convolution(TestWeights *weights, Extent extent, const double *images, double *sum) {
    if (weights == nil) {
        return;
    }
    NSUInteger inputs = weights->descriptor.inputFeatureChannels, outputs = weights->descriptor.outputFeatureChannels;
    for (NSUInteger n = 0; n < extent.images; n++) {
        const double *image = images + n * extent.height * extent.width * inputs;
        for (NSUInteger y = 0; y < extent.height; y++) {
            for (NSUInteger x = 0; x < extent.width; x++) {
                for (NSUInteger output = 0; output < outputs; output++) {
                    *sum++ += convolve_at(weights, extent, image, (NSInteger)y, (NSInteger)x, output);
                }
            }
        }
    }
}

static inline void add_memory(MPSLSTMDescriptor *lstm, TestWeights *weights, Extent extent, const double *c,
                              double *sum) {
    if (!lstm.memoryWeightsAreDiagonal || weights == nil) {
        add_convolution(weights, extent, c, sum);
        return;
    }
    for (NSUInteger i = 0; i < pixel_count(extent) * lstm.outputFeatureChannels; i++) {
        sum[i] += c[i] * ((const float *)weights->values.bytes)[i % lstm.outputFeatureChannels];
    }
}

static inline double test_neuron(MPSCNNNeuronType type, double x) {
    switch (type) {
    case MPSCNNNeuronTypeSigmoid:
        return 1 / (1 + exp(-x));
    case MPSCNNNeuronTypeTanH:
        return tanh(x);
    default:
        return x;
    }
}

/// The bias and W * x; without weights, zeros.
static inline NSMutableData *begin_gate(MPSRNNDescriptor *descriptor, TestWeights *weights, Extent extent,
                                        const double *x) {
    NSUInteger outputs = descriptor.outputFeatureChannels, count = pixel_count(extent) * outputs;
    NSMutableData *sum = make_doubles(count);
    double *sums = sum.mutableBytes;
    if (descriptor.useLayerInputUnitTransformMode) {
        memcpy(sums, x, count * sizeof(double));
    } else {
        add_convolution(weights, extent, x, sums);
    }
    for (NSUInteger i = 0; i < count && weights != nil && weights->bias != nil; i++) {
        sums[i] += ((const float *)weights->bias.bytes)[i % outputs];
    }
    return sum;
}

static inline void end_gate(TestWeights *weights, NSMutableData *sum) {
    double *sums = sum.mutableBytes;
    MPSCNNNeuronType type = weights == nil ? MPSCNNNeuronTypeNone : weights->descriptor.neuronType;
    for (NSUInteger i = 0; i < sum.length / sizeof(double); i++) {
        sums[i] = test_neuron(type, sums[i]);
    }
}

static inline NSMutableData *lstm_gate(MPSLSTMDescriptor *lstm, int gate, Extent extent, const double *x,
                                       const double *h, const double *c) {
    TestWeights *input = [lstm valueForKey:[imageGateNames[gate] stringByAppendingString:@"InputWeights"]];
    TestWeights *recurrent = [lstm valueForKey:[imageGateNames[gate] stringByAppendingString:@"RecurrentWeights"]];
    TestWeights *memory = [lstm valueForKey:[imageGateNames[gate] stringByAppendingString:@"MemoryWeights"]];
    NSMutableData *sum = begin_gate(lstm, input, extent, x);
    add_convolution(recurrent, extent, h, sum.mutableBytes);
    add_memory(lstm, memory, extent, c, sum.mutableBytes);
    end_gate(input, sum);
    return sum;
}

static inline void lstm_step(MPSLSTMDescriptor *lstm, Extent extent, const double *x, double *h, double *c) {
    const double *i = lstm_gate(lstm, 0, extent, x, h, c).bytes, *f = lstm_gate(lstm, 1, extent, x, h, c).bytes;
    const double *g = lstm_gate(lstm, 2, extent, x, h, c).bytes;
    NSUInteger count = pixel_count(extent) * lstm.outputFeatureChannels;
    for (NSUInteger at = 0; at < count; at++) {
        c[at] = f[at] * c[at] + i[at] * g[at];
    }
    const double *o = lstm_gate(lstm, 3, extent, x, h, c).bytes;
    for (NSUInteger at = 0; at < count; at++) {
        h[at] = o[at] * tanh(c[at]);
    }
}

static inline NSMutableData *gru_gate(MPSGRUDescriptor *gru, TestWeights *input, TestWeights *recurrent, Extent extent,
                                      const double *x, const double *h) {
    NSMutableData *sum = begin_gate(gru, input, extent, x);
    add_convolution(recurrent, extent, h, sum.mutableBytes);
    end_gate(input, sum);
    return sum;
}

static inline void gru_step(MPSGRUDescriptor *gru, Extent extent, const double *x, double *h) {
    NSUInteger count = pixel_count(extent) * gru.outputFeatureChannels;
    double *z = gru_gate(gru, gru.inputGateInputWeights, gru.inputGateRecurrentWeights, extent, x, h).mutableBytes;
    double *r =
        gru_gate(gru, gru.recurrentGateInputWeights, gru.recurrentGateRecurrentWeights, extent, x, h).mutableBytes;
    NSMutableData *zh = make_doubles(count);
    for (NSUInteger i = 0; i < count; i++) {
        r[i] *= h[i];
        ((double *)zh.mutableBytes)[i] = z[i] * h[i];
    }
    NSMutableData *sum = begin_gate(gru, gru.outputGateInputWeights, extent, x);
    add_convolution(gru.outputGateRecurrentWeights, extent, r, sum.mutableBytes);
    add_convolution(gru.outputGateInputGateWeights, extent, zh.bytes, sum.mutableBytes);
    end_gate(gru.outputGateInputWeights, sum);
    const double *candidate = sum.bytes;
    double p = gru.gatePnormValue;
    for (NSUInteger i = 0; i < count; i++) {
        double kept = pow(1 - pow(z[i], p), 1 / p);
        h[i] = gru.flipOutputGates ? kept * h[i] + z[i] * candidate[i] : kept * candidate[i] + z[i] * h[i];
    }
}

static inline void single_gate_step(MPSRNNSingleGateDescriptor *gate, Extent extent, const double *x, double *h) {
    NSMutableData *sum = begin_gate(gate, gate.inputWeights, extent, x);
    add_convolution(gate.recurrentWeights, extent, h, sum.mutableBytes);
    end_gate(gate.inputWeights, sum);
    memcpy(h, sum.bytes, sum.length);
}

/// One step of a layer of any kind: h and c become those of the step.
static inline void image_step(MPSRNNDescriptor *descriptor, Extent extent, const double *x, double *h, double *c) {
    if ([descriptor isKindOfClass:[MPSLSTMDescriptor class]]) {
        lstm_step((MPSLSTMDescriptor *)descriptor, extent, x, h, c);
    } else if ([descriptor isKindOfClass:[MPSGRUDescriptor class]]) {
        gru_step((MPSGRUDescriptor *)descriptor, extent, x, h);
    } else {
        single_gate_step((MPSRNNSingleGateDescriptor *)descriptor, extent, x, h);
    }
}

/// The outputs of a stack for each step, as doubles; from states of zeros.
static inline NSArray<NSData *> *stack_outputs(NSArray<MPSRNNDescriptor *> *descriptors, Extent extent,
                                               NSArray<NSData *> *x) {
    for (MPSRNNDescriptor *descriptor in descriptors) {
        NSMutableArray<NSData *> *y = [NSMutableArray array];
        NSMutableData *h = make_doubles(pixel_count(extent) * descriptor.outputFeatureChannels);
        NSMutableData *c = make_doubles(pixel_count(extent) * descriptor.outputFeatureChannels);
        for (NSData *step in x) {
            image_step(descriptor, extent, step.bytes, h.mutableBytes, c.mutableBytes);
            [y addObject:[[h copy] autorelease]];
        }
        x = y;
    }
    return x;
}

static inline NSArray<NSData *> *source_doubles(NSArray<MPSImage *> *images) {
    NSMutableArray<NSData *> *all = [NSMutableArray array];
    for (MPSImage *image in images) {
        [all addObject:doubles_of(image_numbers(image))];
    }
    return all;
}

static inline bool is_near(NSData *floats, NSData *doubles, double tolerance) {
    NSUInteger count = doubles.length / sizeof(double);
    if (floats.length != count * sizeof(float)) {
        return false;
    }
    for (NSUInteger i = 0; i < count; i++) {
        if (!(fabs(((const float *)floats.bytes)[i] - ((const double *)doubles.bytes)[i]) <= tolerance)) {
            return false;
        }
    }
    return true;
}
