// Layers in keyed archives, and what they compute.
#import "mps_gru.h"

enum { kSteps = 3, kRows = 2 };

/// Random bytes, each output channel with a range.
@interface TestBytes : TestWeights {
    NSData *_ranges;
}
@end

@implementation TestBytes
+ (instancetype)weightsWithInputs:(NSUInteger)inputs outputs:(NSUInteger)outputs seed:(unsigned)seed {
    TestBytes *weights = [super weightsWithInputs:inputs outputs:outputs seed:seed]; // more bytes than are needed
    weights->dataType = MPSDataTypeUInt8;
    weights->_ranges = [test_numbers(2 * outputs, seed + 1) retain];
    return weights;
}
- (void)dealloc {
    [_ranges release];
    [super dealloc];
}
- (vector_float2 *)rangesForUInt8Kernel {
    return (vector_float2 *)_ranges.bytes;
}
@end

/// All outputs and the state after the last step, bit by bit.
static inline NSData *results(MPSRNNMatrixInferenceLayer *layer) {
    NSMutableData *all = [NSMutableData data];
    NSArray<MPSMatrix *> *y = make_sequence(kSteps, kRows, layer.outputFeatureChannels, 2);
    MPSRNNRecurrentMatrixState *state =
        run_layer(layer, make_sequence(kSteps, kRows, layer.inputFeatureChannels, 1), y, nil).lastObject;
    for (MPSMatrix *matrix in y) {
        [all appendData:matrix_numbers(matrix)];
    }
    for (NSUInteger i = 0; i < layer.numberOfLayers; i++) {
        [all appendData:matrix_numbers([state getRecurrentOutputMatrixForLayerIndex:i])];
        MPSMatrix *c = [state getMemoryCellMatrixForLayerIndex:i];
        [all appendData:c != nil ? matrix_numbers(c) : [NSData data]];
    }
    return all;
}

/// Both with an error to fill in and without one.
static inline void check_error(NSData *data, NSSet<Class> *classes, NSString *text) {
    NSError *error = nil;
    CHECK([MPSKeyedUnarchiver unarchivedObjectOfClasses:classes fromData:data device:device error:&error] == nil);
    CHECK(contains(error.localizedDescription, text));
    CHECK([MPSKeyedUnarchiver unarchivedObjectOfClasses:classes fromData:data device:device error:NULL] == nil);
}
