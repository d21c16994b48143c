// What the tests of the portable MPS classes share: a weight source that counts its calls, and short ways to matrices.
// Each test is a program of one file, so that this one holds its code too.
#import <MetalPerformanceShaders/MetalPerformanceShaders.h>
#include "check.h"

static id<MTLDevice> device;
static id<MTLCommandQueue> queue;
static id const nothing; // nil, where the declaration asks for an object

/// Weights, all of which a test may set.
@interface TestWeights : NSObject <MPSCNNConvolutionDataSource> {
  @public
    MPSCNNConvolutionDescriptor *descriptor;
    NSMutableData *values, *bias; // bias: nil for none
    MPSDataType dataType;
    BOOL failsToLoad, handsOutNull;
    int loads, purges;
}
/// Small numbers that differ from weight to weight and from `seed` to `seed`; no bias, no activation.
+ (instancetype)weightsWithInputs:(NSUInteger)inputs outputs:(NSUInteger)outputs seed:(unsigned)seed;
- (void)setBiasWithSeed:(unsigned)seed;
@end

/// A number in [-0.5, 0.5).
static inline float test_number(unsigned seed, NSUInteger index) {
    uint32_t mixed = (uint32_t)(index + 1) * 2654435761u ^ seed * 2246822519u;
    mixed ^= mixed >> 15;
    mixed *= 2246822519u;
    return (float)(mixed >> 8) / (1 << 24) - 0.5f;
}

static inline NSMutableData *test_numbers(NSUInteger count, unsigned seed) {
    NSMutableData *numbers = [NSMutableData dataWithLength:count * sizeof(float)];
    for (NSUInteger i = 0; i < count; i++) {
        ((float *)numbers.mutableBytes)[i] = test_number(seed, i);
    }
    return numbers;
}

@implementation TestWeights

+ (instancetype)weightsWithInputs:(NSUInteger)inputs outputs:(NSUInteger)outputs seed:(unsigned)seed {
    TestWeights *weights = [[[self alloc] init] autorelease];
    weights->descriptor = [[MPSCNNConvolutionDescriptor cnnConvolutionDescriptorWithKernelWidth:1
                                                                                   kernelHeight:1
                                                                           inputFeatureChannels:inputs
                                                                          outputFeatureChannels:outputs] retain];
    weights->values = [test_numbers(inputs * outputs, seed) retain];
    weights->dataType = MPSDataTypeFloat32;
    return weights;
}

- (void)dealloc {
    [descriptor release];
    [values release];
    [bias release];
    [super dealloc];
}

- (void)setBiasWithSeed:(unsigned)seed {
    [bias release];
    bias = [test_numbers(descriptor.outputFeatureChannels, seed) retain];
}

- (BOOL)load {
    loads++;
    return !failsToLoad;
}

- (void)purge {
    purges++;
}

- (MPSDataType)dataType {
    return dataType;
}

- (MPSCNNConvolutionDescriptor *)descriptor {
    return descriptor;
}

- (void *)weights {
    return handsOutNull ? NULL : values.mutableBytes;
}

- (float *)biasTerms {
    return bias.mutableBytes;
}

- (NSString *)label {
    return nil;
}

- (id)copyWithZone:(NSZone *)zone {
    (void)zone;
    return [self retain];
}

@end

static inline MPSMatrix *make_strided_matrix(NSUInteger rows, NSUInteger columns, NSUInteger rowBytes,
                                             MPSDataType dataType) {
    MPSMatrixDescriptor *descriptor = [MPSMatrixDescriptor matrixDescriptorWithRows:rows
                                                                            columns:columns
                                                                           rowBytes:rowBytes
                                                                           dataType:dataType];
    return [[[MPSMatrix alloc] initWithDevice:device descriptor:descriptor] autorelease];
}

/// Rows without padding, filled with zeros.
static inline MPSMatrix *make_matrix(NSUInteger rows, NSUInteger columns) {
    return make_strided_matrix(rows, columns, columns * sizeof(float), MPSDataTypeFloat32);
}

static inline float *matrix_row(MPSMatrix *matrix, NSUInteger row) {
    return (float *)((char *)matrix.data.contents + matrix.offset + row * matrix.rowBytes);
}

static inline void fill_matrix(MPSMatrix *matrix, unsigned seed) {
    for (NSUInteger row = 0; row < matrix.rows; row++) {
        for (NSUInteger column = 0; column < matrix.columns; column++) {
            matrix_row(matrix, row)[column] = test_number(seed, row * matrix.columns + column);
        }
    }
}

static inline bool is_private_mode(void) {
    const char *mode = getenv("PYMPS_PORTABLE_PRIVATE");
    return mode != NULL && strcmp(mode, "1") == 0;
}

/// A copy of a buffer's bytes, also of a private one's.
static inline NSData *buffer_bytes(id<MTLBuffer> buffer) {
    id<MTLBuffer> copy = [[device newBufferWithLength:buffer.length options:MTLResourceStorageModeShared] autorelease];
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    id<MTLBlitCommandEncoder> encoder = [commandBuffer blitCommandEncoder];
    [encoder copyFromBuffer:buffer sourceOffset:0 toBuffer:copy destinationOffset:0 size:buffer.length];
    [encoder endEncoding];
    [commandBuffer commit];
    [commandBuffer waitUntilCompleted];
    return [NSData dataWithBytes:copy.contents length:copy.length];
}

/// The numbers of row 0 up to the last, of a matrix in any storage.
static inline NSData *matrix_numbers(MPSMatrix *matrix) {
    NSData *bytes = buffer_bytes(matrix.data);
    NSMutableData *numbers = [NSMutableData data];
    for (NSUInteger row = 0; row < matrix.rows; row++) {
        [numbers appendBytes:(const char *)bytes.bytes + matrix.offset + row * matrix.rowBytes
                      length:matrix.columns * sizeof(float)];
    }
    return numbers;
}

static inline void run(id<MTLCommandBuffer> commandBuffer) {
    [commandBuffer commit];
    [commandBuffer waitUntilCompleted];
    CHECK(commandBuffer.status == MTLCommandBufferStatusCompleted);
}

static inline NSData *archived(id object) {
    NSMutableData *data = [NSMutableData data];
    NSKeyedArchiver *archiver = [[[NSKeyedArchiver alloc] initForWritingWithMutableData:data] autorelease];
    [archiver encodeObject:object forKey:@"root"];
    [archiver finishEncoding];
    return data;
}

/// Runs the tests, each in a pool of its own.
static inline int run_tests(void (*const tests[])(void), size_t count) {
    @autoreleasepool {
        device = MTLCreateSystemDefaultDevice();
        queue = [device newCommandQueue];
        for (size_t i = 0; i < count; i++) {
            @autoreleasepool {
                tests[i]();
            }
        }
        [queue release];
        [device release];
    }
    return report();
}
