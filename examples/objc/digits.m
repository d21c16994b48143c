// Reads handwritten digits with a trained LSTM, all images at once: step t of the sequences is row t of every image.
// Written for Apple's Metal Performance Shaders; README.md says how to build it without them.
#import <Foundation/Foundation.h>
#import <Metal/Metal.h>
#import <MetalPerformanceShaders/MetalPerformanceShaders.h>
#import "GateWeights.h"
#import "Safetensors.h"

enum { ROWS = 8, COLUMNS = 8, HIDDEN = 64, CLASSES = 10, GATES = 4 };

// How far a logit may be from PyTorch's: float32 sums come out differently in another order.
static const float TOLERANCE = 1e-5f;

/// One gate's share of an array that holds all gates one below the other.
static NSData *gatePart(NSData *stacked, NSUInteger gate) {
    NSUInteger bytes = stacked.length / GATES;
    return [stacked subdataWithRange:NSMakeRange(gate * bytes, bytes)];
}

/// PyTorch has two biases, which only matter as a sum.
static NSData *biasSum(Safetensors *model) {
    NSArray<NSNumber *> *shape = @[ @(GATES * HIDDEN) ];
    NSData *first = [model tensor:@"lstm.bias_ih_l0" type:@"F32" shape:shape];
    const float *second = [model tensor:@"lstm.bias_hh_l0" type:@"F32" shape:shape].bytes;
    NSMutableData *sum = [NSMutableData dataWithData:first];
    for (NSUInteger row = 0; row < GATES * HIDDEN; row++) {
        ((float *)sum.mutableBytes)[row] += second[row];
    }
    return sum;
}

/// The LSTM that PyTorch stored, its gates stacked in the order i, f, g, o.
static MPSLSTMDescriptor *lstmDescriptor(Safetensors *model) {
    NSData *W = [model tensor:@"lstm.weight_ih_l0" type:@"F32" shape:@[ @(GATES * HIDDEN), @(COLUMNS) ]];
    NSData *U = [model tensor:@"lstm.weight_hh_l0" type:@"F32" shape:@[ @(GATES * HIDDEN), @(HIDDEN) ]];
    NSData *b = biasSum(model);
    MPSLSTMDescriptor *descriptor = [MPSLSTMDescriptor createLSTMDescriptorWithInputFeatureChannels:COLUMNS
                                                                              outputFeatureChannels:HIDDEN];
    descriptor.useFloat32Weights = YES;

    NSUInteger gate = 0;
    for (NSString *name in @[ @"inputGate", @"forgetGate", @"cellGate", @"outputGate" ]) {
        BOOL isCellGate = [name isEqualToString:@"cellGate"];
        GateWeights *input =
            [[GateWeights alloc] initWithInputs:COLUMNS
                                        outputs:HIDDEN
                                        weights:gatePart(W, gate)
                                           bias:gatePart(b, gate)
                                     activation:isCellGate ? MPSCNNNeuronTypeTanH : MPSCNNNeuronTypeSigmoid];
        GateWeights *recurrent = [[GateWeights alloc] initWithInputs:HIDDEN
                                                             outputs:HIDDEN
                                                             weights:gatePart(U, gate)
                                                                bias:nil
                                                          activation:MPSCNNNeuronTypeNone];
        [descriptor setValue:input forKey:[name stringByAppendingString:@"InputWeights"]];
        [descriptor setValue:recurrent forKey:[name stringByAppendingString:@"RecurrentWeights"]];
        [input release];
        [recurrent release];
        gate++;
    }
    return descriptor;
}

static id<MTLDevice> systemDevice(void) {
    id<MTLDevice> device = [MTLCreateSystemDefaultDevice() autorelease];
    if (device == nil) {
        [NSException raise:NSGenericException format:@"There is no Metal device"];
    }
    return device;
}

static id<MTLBuffer> floatBuffer(id<MTLDevice> device, NSUInteger count) {
    return [[device newBufferWithLength:count * sizeof(float) options:MTLResourceStorageModeShared] autorelease];
}

/// Brightness from 0 to 1, as the LSTM was trained: the scans have 17 levels.
static id<MTLBuffer> pixelBuffer(id<MTLDevice> device, NSData *images) {
    id<MTLBuffer> buffer = floatBuffer(device, images.length);
    const uint8_t *levels = images.bytes;
    float *pixels = buffer.contents;
    for (NSUInteger n = 0; n < images.length; n++) {
        pixels[n] = levels[n] / 16.0f;
    }
    return buffer;
}

/// The steps of sequences that lie one after the other in a buffer: matrix t is a view of step t of each.
static NSArray<MPSMatrix *> *steps(id<MTLBuffer> buffer, NSUInteger sequences, NSUInteger columns) {
    NSUInteger stepBytes = columns * sizeof(float);
    MPSMatrixDescriptor *descriptor = [MPSMatrixDescriptor matrixDescriptorWithRows:sequences
                                                                            columns:columns
                                                                           rowBytes:ROWS * stepBytes
                                                                           dataType:MPSDataTypeFloat32];
    NSMutableArray<MPSMatrix *> *matrices = [NSMutableArray array];
    for (NSUInteger t = 0; t < ROWS; t++) {
        MPSMatrix *matrix = [[MPSMatrix alloc] initWithBuffer:buffer offset:t * stepBytes descriptor:descriptor];
        [matrices addObject:matrix];
        [matrix release];
    }
    return matrices;
}

/// Runs the LSTM over all images. Returns when the device has done it, with the seconds that it took.
static double runLSTM(MPSRNNMatrixInferenceLayer *layer, id<MTLBuffer> x, id<MTLBuffer> y, NSUInteger images) {
    id<MTLCommandQueue> queue = [[layer.device newCommandQueue] autorelease];
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    [layer encodeSequenceToCommandBuffer:commandBuffer
                          sourceMatrices:steps(x, images, COLUMNS)
                     destinationMatrices:steps(y, images, HIDDEN)
                     recurrentInputState:nil
                   recurrentOutputStates:nil];
    [commandBuffer commit];
    [commandBuffer waitUntilCompleted];
    if (commandBuffer.status != MTLCommandBufferStatusCompleted) {
        [NSException raise:NSGenericException format:@"%@", commandBuffer.error.localizedDescription];
    }
    return commandBuffer.GPUEndTime - commandBuffer.GPUStartTime;
}

/// The linear layer behind the LSTM's last output, h.
static void head(const float *weights, const float *bias, const float *h, float *logits) {
    for (NSUInteger digit = 0; digit < CLASSES; digit++) {
        logits[digit] = bias[digit];
        for (NSUInteger feature = 0; feature < HIDDEN; feature++) {
            logits[digit] += weights[digit * HIDDEN + feature] * h[feature];
        }
    }
}

static NSUInteger indexOfGreatest(const float *logits) {
    NSUInteger best = 0;
    for (NSUInteger digit = 1; digit < CLASSES; digit++) {
        best = logits[digit] > logits[best] ? digit : best;
    }
    return best;
}

/// Reads every image and compares the logits with PyTorch's; YES where all of them are within TOLERANCE.
static BOOL readDigits(Safetensors *model, Safetensors *data) {
    NSData *images = [data tensor:@"images" type:@"U8" shape:@[ @0, @(ROWS), @(COLUMNS) ]];
    NSUInteger count = images.length / (ROWS * COLUMNS);
    const uint8_t *labels = [data tensor:@"labels" type:@"U8" shape:@[ @(count) ]].bytes;
    const float *reference = [model tensor:@"held_out.logits" type:@"F32" shape:@[ @(count), @(CLASSES) ]].bytes;
    const float *headWeights = [model tensor:@"head.weight" type:@"F32" shape:@[ @(CLASSES), @(HIDDEN) ]].bytes;
    const float *headBias = [model tensor:@"head.bias" type:@"F32" shape:@[ @(CLASSES) ]].bytes;

    id<MTLDevice> device = systemDevice();
    MPSRNNMatrixInferenceLayer *layer =
        [[[MPSRNNMatrixInferenceLayer alloc] initWithDevice:device rnnDescriptor:lstmDescriptor(model)] autorelease];
    id<MTLBuffer> x = pixelBuffer(device, images), y = floatBuffer(device, count * ROWS * HIDDEN);
    double seconds = runLSTM(layer, x, y, count);

    NSUInteger right = 0, far = 0;
    float largest = 0;
    for (NSUInteger n = 0; n < count; n++) {
        float logits[CLASSES];
        head(headWeights, headBias, (const float *)y.contents + (n * ROWS + ROWS - 1) * HIDDEN, logits);
        right += indexOfGreatest(logits) == labels[n];
        for (NSUInteger digit = 0; digit < CLASSES; digit++) {
            float difference = fabsf(logits[digit] - reference[n * CLASSES + digit]);
            far += !(difference <= TOLERANCE); // NaN is far
            largest = fmaxf(largest, difference);
        }
    }
    printf("device    %s\n", device.name.UTF8String);
    printf("images    %lu of %d rows, in %.2f ms\n", (unsigned long)count, ROWS, 1e3 * seconds);
    printf("accuracy  %.2f%%\n", 100.0 * right / count);
    printf("logits    differ from PyTorch's by at most %.1e, %lu of them by more than %.0e\n", largest,
           (unsigned long)far, TOLERANCE);
    return far == 0;
}

int main(int argc, char **argv) {
    @autoreleasepool {
        if (argc != 3) {
            fprintf(stderr, "usage: %s digits.safetensors images.safetensors\n", argv[0]);
            return 2;
        }
        @try {
            Safetensors *model = [[[Safetensors alloc] initWithFile:@(argv[1])] autorelease];
            Safetensors *data = [[[Safetensors alloc] initWithFile:@(argv[2])] autorelease];
            return readDigits(model, data) ? 0 : 1;
        } @catch (NSException *exception) {
            fprintf(stderr, "%s\n", exception.reason.UTF8String);
            return 2;
        }
    }
}
