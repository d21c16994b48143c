// Layers in keyed archives: what comes out computes what went in, and only for who may have it.
#import "mps_archive.h"

enum { kInputs = 5 };

static MPSRNNMatrixInferenceLayer *unarchived(NSData *data) {
    NSError *error = nil;
    MPSRNNMatrixInferenceLayer *layer = [MPSKeyedUnarchiver unarchivedObjectOfClass:[MPSRNNMatrixInferenceLayer class]
                                                                           fromData:data
                                                                             device:device
                                                                              error:&error];
    CHECK(layer != nil && error == nil && layer.device == device);
    return layer;
}

static void check_round_trip(NSArray<MPSRNNDescriptor *> *descriptors) {
    MPSRNNMatrixInferenceLayer *layer = make_stack(descriptors);
    NSData *data = archived(layer);
    MPSRNNMatrixInferenceLayer *back = unarchived(data);
    CHECK(back.numberOfLayers == layer.numberOfLayers);
    CHECK(back.inputFeatureChannels == layer.inputFeatureChannels);
    CHECK(back.outputFeatureChannels == layer.outputFeatureChannels);
    NSData *expected = results(layer);
    CHECK([results(back) isEqual:expected]);
    CHECK([results(unarchived(archived(back))) isEqual:expected]); // an archive needs no sources
}

static MPSLSTMDescriptor *lstm_with_everything(void) {
    MPSLSTMDescriptor *lstm = make_lstm(kInputs, 7, YES, 10);
    lstm.cellToOutputNeuronType = MPSCNNNeuronTypeLinear;
    lstm.cellToOutputNeuronParamA = 0.1f;
    lstm.cellToOutputNeuronParamB = 0.3f;
    lstm.cellToOutputNeuronParamC = -7;
    TestWeights *cell = (id)lstm.cellGateInputWeights;
    [cell->descriptor setNeuronToPReLUWithParametersA:test_numbers(7, 99)];
    lstm.inputGateInputWeights = [TestWeights weightsWithInputs:kInputs outputs:7 seed:98]; // without a bias
    return lstm;
}

static void test_every_kind(void) {
    MPSLSTMDescriptor *lstm = lstm_with_everything();
    check_round_trip(@[ lstm ]);
    lstm.useFloat32Weights = NO;
    check_round_trip(@[ lstm ]);
    lstm.memoryWeightsAreDiagonal = YES;
    lstm.forgetGateMemoryWeights = nil;
    lstm.outputGateRecurrentWeights = nil;
    lstm.inputGateInputWeights = nil;
    check_round_trip(@[ lstm ]);

    MPSGRUDescriptor *gru = make_gru(kInputs, 9, 20);
    check_round_trip(@[ gru ]);
    gru.useFloat32Weights = NO;
    gru.gatePnormValue = 1.7f;
    gru.flipOutputGates = YES;
    gru.outputGateRecurrentWeights = nil; // the recurrent gate has no effect now
    check_round_trip(@[ gru ]);

    MPSRNNSingleGateDescriptor *gate = make_single_gate(kInputs, 17, 30);
    check_round_trip(@[ gate ]);
    gate.useFloat32Weights = NO;
    gate.recurrentWeights = nil;
    check_round_trip(@[ gate ]);
    check_round_trip(@[ make_gru(kInputs, 6, 1), make_lstm(6, 9, NO, 2), make_single_gate(9, 3, 3) ]);
}

/// Single bytes through a table, and float16, in one cell.
@interface TestTableWeights : TestWeights {
  @public
    float table[256];
}
@end

@implementation TestTableWeights
- (float *)lookupTableForUInt8Kernel {
    return table;
}
@end

static void test_weight_types(void) {
    MPSRNNSingleGateDescriptor *gate = make_single_gate(kInputs, 7, 30);
    TestTableWeights *bytes = [TestTableWeights weightsWithInputs:kInputs outputs:7 seed:1];
    bytes->dataType = MPSDataTypeUInt8;
    memcpy(bytes->table, test_numbers(256, 3).bytes, sizeof bytes->table);
    gate.inputWeights = bytes;
    TestWeights *halves = gate.recurrentWeights;
    halves->dataType = MPSDataTypeFloat16;
    for (NSUInteger i = 0; i < 7 * 7; i++) {
        ((uint16_t *)halves->values.mutableBytes)[i] = (uint16_t)(0x3000 + 37 * i);
    }
    check_round_trip(@[ gate ]);
    gate.useFloat32Weights = NO;
    check_round_trip(@[ gate ]);
}

static void test_bytes(void) {
    MPSLSTMDescriptor *lstm = make_lstm(kInputs, 7, YES, 10);
    lstm.forgetGateInputWeights = [TestBytes weightsWithInputs:kInputs outputs:7 seed:1];
    lstm.forgetGateRecurrentWeights = [TestBytes weightsWithInputs:7 outputs:7 seed:2];
    lstm.outputGateRecurrentWeights = [TestBytes weightsWithInputs:7 outputs:7 seed:3];
    lstm.cellGateMemoryWeights = [TestBytes weightsWithInputs:7 outputs:7 seed:4]; // become floats
    MPSGRUDescriptor *gru = make_gru(7, 9, 20);
    gru.recurrentGateInputWeights = [TestBytes weightsWithInputs:7 outputs:9 seed:5];
    gru.outputGateRecurrentWeights = [TestBytes weightsWithInputs:9 outputs:9 seed:6];
    gru.outputGateInputGateWeights = [TestBytes weightsWithInputs:9 outputs:9 seed:7];
    MPSRNNSingleGateDescriptor *gate = make_single_gate(9, 17, 30);
    gate.inputWeights = [TestBytes weightsWithInputs:9 outputs:17 seed:8];
    check_round_trip(@[ lstm, gru, gate ]);
    lstm.useFloat32Weights = gru.useFloat32Weights = gate.useFloat32Weights = NO;
    gru.outputGateRecurrentWeights = nil; // the bytes of the recurrent gate have no effect now
    check_round_trip(@[ lstm, gru, gate ]);
}

static void test_bytes_stay_bytes(void) {
    enum { kChannels = 100 };
    MPSRNNSingleGateDescriptor *gate = make_single_gate(kChannels, kChannels, 1);
    NSUInteger weights = 2 * kChannels * kChannels;
    CHECK(archived(make_stack(@[ gate ])).length > weights * sizeof(float));
    gate.inputWeights = [TestBytes weightsWithInputs:kChannels outputs:kChannels seed:1];
    gate.recurrentWeights = [TestBytes weightsWithInputs:kChannels outputs:kChannels seed:2];
    NSData *data = archived(make_stack(@[ gate ]));
    CHECK(data.length > weights && data.length < weights * 2);
    CHECK(archived(unarchived(data)).length == data.length);
}

static void test_unit_transforms(void) {
    MPSLSTMDescriptor *lstm = make_lstm(6, 6, NO, 40);
    lstm.useLayerInputUnitTransformMode = YES;
    MPSGRUDescriptor *gru = make_gru(6, 6, 50);
    gru.useLayerInputUnitTransformMode = YES;
    check_round_trip(@[ lstm, gru ]);
}

static void test_properties(void) {
    MPSRNNDescriptor *back = make_gru(kInputs, 4, 2);
    back.layerSequenceDirection = MPSRNNSequenceDirectionBackward;
    MPSRNNMatrixInferenceLayer *layer = make_stack(@[ make_gru(kInputs, 4, 1), back ]);
    layer.recurrentOutputIsTemporary = YES;
    layer.storeAllIntermediateStates = YES;
    layer.bidirectionalCombineMode = MPSRNNBidirectionalCombineModeAdd;
    layer.options = MPSKernelOptionsVerbose | MPSKernelOptionsSkipAPIValidation;
    layer.label = @"näme";
    MPSRNNMatrixInferenceLayer *copy = unarchived(archived(layer));
    CHECK(copy.recurrentOutputIsTemporary && copy.storeAllIntermediateStates);
    CHECK(copy.bidirectionalCombineMode == MPSRNNBidirectionalCombineModeAdd);
    CHECK(copy.options == MPSKernelOptionsVerbose); // an archive does not have a program's arguments trusted
    CHECK([copy.label isEqual:@"näme"]);
    layer.label = nil;
    CHECK(unarchived(archived(layer)).label == nil);

    NSArray<MPSMatrix *> *x = make_sequence(kSteps, kRows, kInputs, 1);
    NSArray<MPSMatrix *> *one = make_sequence(kSteps, kRows, 4, 0), *other = make_sequence(kSteps, kRows, 4, 0);
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    [layer encodeBidirectionalSequenceToCommandBuffer:commandBuffer
                                       sourceSequence:x
                           destinationForwardMatrices:one
                          destinationBackwardMatrices:nil];
    [copy encodeBidirectionalSequenceToCommandBuffer:commandBuffer
                                      sourceSequence:x
                          destinationForwardMatrices:other
                         destinationBackwardMatrices:nil];
    run(commandBuffer);
    CHECK(are_equal(one.firstObject, other.firstObject) && are_equal(one.lastObject, other.lastObject));
}

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wdeprecated-declarations" // GNUstep has no newer way to unarchive

static void test_ways_to_the_device(void) {
    CHECK([MPSKernel supportsSecureCoding] && [MPSRNNMatrixInferenceLayer supportsSecureCoding]);
    MPSRNNMatrixInferenceLayer *layer = make_stack(@[ make_gru(kInputs, 4, 1) ]);
    NSData *data = archived(layer), *expected = results(layer);
    // Foundation's own unarchiver knows no device: the system's default.
    MPSRNNMatrixInferenceLayer *plain = [NSKeyedUnarchiver unarchiveObjectWithData:data];
    CHECK(plain.device == device && [results(plain) isEqual:expected]);

    NSError *error = nil;
    CHECK([MPSKeyedUnarchiver unarchivedObjectOfClass:[MPSRNNMatrixInferenceLayer class]
                                             fromData:data
                                               device:nothing
                                                error:&error] == nil);
    CHECK(error != nil);
    MPSKeyedUnarchiver *unarchiver = [[[MPSKeyedUnarchiver alloc] initForReadingFromData:data
                                                                                  device:device
                                                                                   error:&error] autorelease];
    CHECK(unarchiver.mpsMTLDevice == device && unarchiver.requiresSecureCoding);
    CHECK([[unarchiver decodeObjectOfClass:[MPSKernel class] forKey:@"root"] class] == [layer class]);
    CHECK([unarchiver decodeObjectOfClass:[MPSKernel class] forKey:@"other"] == nil);
    CHECK([MPSKeyedUnarchiver unarchivedObjectOfClass:[MPSKernel class] fromData:data device:device error:NULL] != nil);
}

/// An object that no archive of kernels may bring to life.
@interface Intruder : NSObject <NSSecureCoding>
@end

static int intrusions;

@implementation Intruder
+ (BOOL)supportsSecureCoding {
    return YES;
}
- (void)encodeWithCoder:(NSCoder *)coder {
    [coder encodeInt:1 forKey:@"one"];
}
- (instancetype)initWithCoder:(NSCoder *)coder {
    (void)coder;
    intrusions++;
    return [super init];
}
@end

static void test_other_classes(void) {
    NSSet<Class> *kernels = [NSSet setWithObject:[MPSKernel class]];
    check_error(archived([[[Intruder alloc] init] autorelease]), kernels, @"class Intruder");
    check_error(archived(@[ [[[Intruder alloc] init] autorelease] ]), kernels, @"class NSArray");
    NSSet<Class> *arrays = [NSSet setWithObjects:[MPSKernel class], [NSArray class], nil];
    check_error(archived(@[ [[[Intruder alloc] init] autorelease] ]), arrays, @"class Intruder");
    CHECK(intrusions == 0);
    NSMutableArray *mutable = [NSMutableArray arrayWithObject:@"text"]; // a subclass in Foundation
    check_error(archived(mutable), arrays, @"class NSMutableArray");
    check_error(archived(@"text"), kernels, @"no object of the classes");
    check_error([@"text" dataUsingEncoding:NSUTF8StringEncoding], kernels, @"");
    check_error([NSData data], kernels, @"");

    MPSRNNMatrixInferenceLayer *layer = make_stack(@[ make_gru(kInputs, 4, 1) ]);
    NSArray *both = [MPSKeyedUnarchiver unarchivedObjectOfClasses:arrays
                                                         fromData:archived(@[ layer, layer ])
                                                           device:device
                                                            error:NULL];
    CHECK(both.count == 2 && [results([both objectAtIndex:1]) isEqual:results(layer)]);
}

#pragma clang diagnostic pop

int main(void) {
    void (*const tests[])(void) = {
        test_every_kind,      test_bytes,      test_bytes_stay_bytes,   test_weight_types,
        test_unit_transforms, test_properties, test_ways_to_the_device, test_other_classes,
    };
    return run_tests(tests, sizeof tests / sizeof tests[0]);
}
