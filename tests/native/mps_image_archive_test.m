// Image layers in keyed archives: they come out the same, and damaged ones not at all.
#import "mps_damage.h"
#import "mps_image_layer.h"

enum { kSteps = 2, kInputs = 3 };

static NSSet<Class> *layer_classes(void) {
    return [NSSet setWithObject:[MPSRNNImageInferenceLayer class]];
}

static MPSRNNImageInferenceLayer *unarchived(NSData *data) {
    NSError *error = nil;
    MPSRNNImageInferenceLayer *layer = [MPSKeyedUnarchiver unarchivedObjectOfClasses:layer_classes()
                                                                            fromData:data
                                                                              device:device
                                                                               error:&error];
    CHECK(layer != nil && error == nil);
    return layer;
}

/// All outputs and the state after the last step, bit by bit.
static NSData *results(MPSRNNImageInferenceLayer *layer) {
    const Extent extent = {2, 4, 3};
    NSMutableData *all = [NSMutableData data];
    NSArray<MPSImage *> *y = make_images(kSteps, extent, layer.outputFeatureChannels, 2);
    MPSRNNRecurrentImageState *state =
        run_images(layer, make_images(kSteps, extent, layer.inputFeatureChannels, 1), y, nil).lastObject;
    for (MPSImage *image in y) {
        [all appendData:image_numbers(image)];
    }
    for (NSUInteger i = 0; i < layer.numberOfLayers; i++) {
        [all appendData:state_numbers(state, i, NO)];
        [all appendData:state_numbers(state, i, YES)];
    }
    return all;
}

static void check_round_trip(NSArray<MPSRNNDescriptor *> *descriptors) {
    MPSRNNImageInferenceLayer *layer = make_image_layer(descriptors);
    NSData *data = archived(layer);
    MPSRNNImageInferenceLayer *copy = unarchived(data);
    CHECK(copy.numberOfLayers == layer.numberOfLayers);
    CHECK([results(copy) isEqual:results(layer)]);
    CHECK([archived(copy) isEqual:data]); // what an archive holds does not grow or wear off
}

static void test_every_kind(void) {
    for (unsigned memory = kNoMemory; memory <= kDiagonalMemory; memory++) {
        check_round_trip(@[ image_lstm(4, kInputs, 5, (MemoryWeights)memory, memory) ]);
        check_round_trip(@[ image_lstm(1, kInputs, 5, (MemoryWeights)memory, memory) ]);
    }
    check_round_trip(@[ image_gru(4, kInputs, 5, 1) ]);
    check_round_trip(@[ image_gru(4, kInputs, 5, 2) ]);
    MPSRNNSingleGateDescriptor *gate = image_single_gate(4, kInputs, 5, 3);
    gate.useFloat32Weights = YES; // has no effect, and stays
    check_round_trip(@[ gate ]);
    gate.recurrentWeights = nil;
    check_round_trip(@[ gate ]);
    MPSGRUDescriptor *unit = image_gru(4, 5, 5, 4);
    unit.useLayerInputUnitTransformMode = YES;
    check_round_trip(@[ unit ]);
    check_round_trip(
        @[ image_gru(3, kInputs, 6, 1), image_lstm(2, 6, 9, kFullMemory, 2), image_single_gate(4, 9, 3, 3) ]);
}

static void test_properties(void) {
    MPSRNNImageInferenceLayer *layer = make_image_layer(@[ image_gru(3, kInputs, 4, 1) ]);
    layer.recurrentOutputIsTemporary = YES;
    layer.storeAllIntermediateStates = YES;
    layer.bidirectionalCombineMode = MPSRNNBidirectionalCombineModeConcatenate;
    layer.label = @"näme";
    layer.offset = (MPSOffset){1, -2, 3};
    layer.clipRect = (MTLRegion){{1, 2, 3}, {4, NSUIntegerMax, 6}};
    layer.destinationFeatureChannelOffset = 4;
    layer.sourceFeatureChannelOffset = 8;
    layer.sourceFeatureChannelMaxCount = 12;
    layer.edgeMode = MPSImageEdgeModeClamp;
    MPSRNNImageInferenceLayer *copy = unarchived(archived(layer));
    CHECK(copy.recurrentOutputIsTemporary && copy.storeAllIntermediateStates && [copy.label isEqual:@"näme"]);
    CHECK(copy.bidirectionalCombineMode == MPSRNNBidirectionalCombineModeConcatenate);
    CHECK(copy.offset.x == 1 && copy.offset.y == -2 && copy.offset.z == 3 && copy.edgeMode == MPSImageEdgeModeClamp);
    CHECK(copy.clipRect.origin.y == 2 && copy.clipRect.size.width == 4 && copy.clipRect.size.height == NSUIntegerMax);
    CHECK(copy.destinationFeatureChannelOffset == 4 && copy.sourceFeatureChannelOffset == 8);
    CHECK(copy.sourceFeatureChannelMaxCount == 12);
    CHECK(copy.destinationImageAllocator == [MPSTemporaryImage defaultAllocator]);
}

/// One at each place.
static const uint8_t flips[] = {0x01, 0x10, 0x80, 0xff};

static MPSRNNImageInferenceLayer *small_layer(void) {
    MPSRNNSingleGateDescriptor *gate = image_single_gate(1, 1, 1, 1);
    gate.inputWeights = make_kernel(3, 2, 1, 1, 1);
    return make_image_layer(@[ gate ]);
}

/// The bytes are refused, or the layer that comes out is the one that went in: the damage hit none of its parts.
static void test_every_byte(void) {
    MPSRNNImageInferenceLayer *layer = small_layer();
    NSMutableData *data = [[archived(layer) mutableCopy] autorelease];
    NSData *expected = results(layer);
    uint8_t *bytes = data.mutableBytes;
    unsigned cases = 0, refused = 0;
    for (NSUInteger place = 0; place < data.length; place++) {
        @autoreleasepool {
            bytes[place] ^= flips[place % sizeof flips];
            MPSRNNImageInferenceLayer *survived = survivor(data, layer_classes());
            cases++;
            refused += survived == nil;
            CHECK(survived == nil || [results(survived) isEqual:expected]);
            bytes[place] ^= flips[place % sizeof flips];
        }
    }
    CHECK(refused > cases * 9 / 10 && [results(unarchived(data)) isEqual:expected]);
}

/// A layer may come out with other numbers, which then run.
static void test_forged_checksum(void) {
    MPSRNNImageInferenceLayer *layer =
        make_image_layer(@[ image_gru(2, 2, 1, 1), image_lstm(2, 1, 1, kFullMemory, 2) ]);
    NSMutableData *data = [[archived(layer) mutableCopy] autorelease];
    NSUInteger checksum = 0;
    NSRange list = find_list(data, 1000, &checksum);
    CHECK(list.location != NSNotFound);
    uint8_t *bytes = data.mutableBytes;
    unsigned refused = 0, ran = 0;
    for (NSUInteger place = list.location; place < NSMaxRange(list); place++) {
        @autoreleasepool {
            bytes[place] ^= flips[place % sizeof flips];
            write_number(data, checksum, fnv1a([data subdataWithRange:list]));
            MPSRNNImageInferenceLayer *forged = survivor(data, layer_classes());
            refused += forged == nil;
            if (forged.inputFeatureChannels == 2 && forged.outputFeatureChannels == 1) {
                ran += results(forged).length > 0;
            }
            bytes[place] ^= flips[place % sizeof flips];
        }
    }
    CHECK(refused > 0 && ran > 0);
}

int main(void) {
    void (*const tests[])(void) = {test_every_kind, test_properties, test_every_byte, test_forged_checksum};
    return run_tests(tests, sizeof tests / sizeof tests[0]);
}
