// Damaged archives give an error, wherever the damage is, and also where it is meant to harm.
#import "mps_archive.h"
#import "mps_damage.h"

static NSSet<Class> *layerClasses(void) {
    return [NSSet setWithObject:[MPSRNNMatrixInferenceLayer class]];
}

typedef struct Tally {
    unsigned cases, refused;
} Tally;

/// The bytes are refused, or the layer that comes out is the one that went in: the damage hit none of its parts.
static void try_layer(NSData *data, NSData *expected, Tally *tally) {
    @autoreleasepool {
        MPSRNNMatrixInferenceLayer *layer = survivor(data, layerClasses());
        tally->cases++;
        tally->refused += layer == nil;
        if (layer != nil && ![results(layer) isEqual:expected]) {
            CHECK(!"a layer that computes something else");
        }
    }
}

static const uint8_t flips[] = {0x01, 0x10, 0x80, 0xff};

/// Of floats and of bytes.
static MPSRNNMatrixInferenceLayer *small_layer(void) {
    MPSRNNSingleGateDescriptor *gate = make_single_gate(2, 1, 1);
    gate.recurrentWeights = [TestBytes weightsWithInputs:1 outputs:1 seed:3];
    MPSRNNMatrixInferenceLayer *layer = make_stack(@[ gate ]);
    layer.label = @"lábel";
    return layer;
}

static void test_every_byte(void) {
    MPSRNNMatrixInferenceLayer *layer = small_layer();
    NSMutableData *data = [[archived(layer) mutableCopy] autorelease];
    NSData *expected = results(layer);
    uint8_t *bytes = data.mutableBytes;
    Tally tally = {0, 0};
    for (NSUInteger place = 0; place < data.length; place++) {
        for (size_t i = 0; i < sizeof flips; i++) {
            bytes[place] ^= flips[i];
            try_layer(data, expected, &tally);
            bytes[place] ^= flips[i];
        }
    }
    CHECK(tally.refused > tally.cases * 9 / 10);
    try_layer(data, expected, &tally);
    CHECK(tally.refused < tally.cases); // all is as it was
}

static void test_every_length(void) {
    NSData *data = archived(small_layer());
    for (NSUInteger length = 0; length < data.length; length++) {
        @autoreleasepool {
            CHECK(survivor([data subdataWithRange:NSMakeRange(0, length)], layerClasses()) == nil);
        }
    }
}

static uint32_t next_random(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static void test_random_damage(void) {
    MPSRNNMatrixInferenceLayer *layer = small_layer();
    NSData *whole = archived(layer), *expected = results(layer);
    uint32_t random = 1;
    Tally tally = {0, 0};
    for (unsigned i = 0; i < 3000; i++) {
        @autoreleasepool {
            NSMutableData *data = [[whole mutableCopy] autorelease];
            for (unsigned change = 0; change < 2 + i % 7; change++) {
                // Every other time near the ends, where the structure is.
                NSUInteger place = next_random(&random) % (i % 2 == 0 ? data.length : 160);
                place = i % 4 == 1 ? data.length - 1 - place : place;
                ((uint8_t *)data.mutableBytes)[place] ^= (uint8_t)(1 + next_random(&random) % 255);
            }
            try_layer(data, expected, &tally);
        }
    }
    CHECK(tally.refused > tally.cases / 2);
}

/// Where containers are asked for too, an archive could have one contain itself.
static void test_damaged_containers(void) {
    MPSKernel *kernel = [[[MPSKernel alloc] initWithDevice:device] autorelease];
    NSMutableData *data = [[archived(@[ @[ kernel ], @[ @[] ], kernel ]) mutableCopy] autorelease];
    NSSet<Class> *classes = [NSSet setWithObjects:[NSArray class], [MPSKernel class], nil];
    CHECK([survivor(data, classes) count] == 3);
    uint8_t *bytes = data.mutableBytes;
    for (NSUInteger place = 0; place < data.length; place++) {
        for (uint8_t flip = 1; flip < 8; flip++) { // identifiers and references are small numbers
            @autoreleasepool {
                bytes[place] ^= flip;
                survivor(data, classes);
                bytes[place] ^= flip;
            }
        }
    }
    CHECK([survivor(data, classes) count] == 3);
}

// Forged checksums

/// A layer may come out with other numbers, which then run.
static void test_forged_checksum(void) {
    MPSGRUDescriptor *gru = make_gru(2, 1, 1);
    gru.inputGateInputWeights = [TestBytes weightsWithInputs:2 outputs:1 seed:3];
    MPSRNNMatrixInferenceLayer *layer = make_stack(@[ gru, make_lstm(1, 1, NO, 2) ]);
    NSMutableData *data = [[archived(layer) mutableCopy] autorelease];
    NSUInteger checksum = 0;
    NSRange list = find_list(data, 1000, &checksum);
    CHECK(list.location != NSNotFound);
    uint8_t *bytes = data.mutableBytes;
    unsigned refused = 0, ran = 0;
    for (NSUInteger place = list.location; place < NSMaxRange(list); place++) {
        for (size_t i = 0; i < sizeof flips; i++) {
            @autoreleasepool {
                bytes[place] ^= flips[i];
                write_number(data, checksum, fnv1a([data subdataWithRange:list]));
                MPSRNNMatrixInferenceLayer *forged = survivor(data, layerClasses());
                refused += forged == nil;
                if (forged.inputFeatureChannels == 2 && forged.outputFeatureChannels == 1) {
                    ran += results(forged).length > 0;
                }
                bytes[place] ^= flips[i];
            }
        }
    }
    CHECK(refused > 0 && ran > 0);
}

// Archives built by hand

#define PART(text) [NSData dataWithBytes:text length:sizeof(text) - 1]

/// An archive whose objects 3 and following are `parts`: 3 is listed under $objects, 4 under $top.
static NSData *archive_of(NSArray<NSData *> *parts) {
    NSMutableArray<NSData *> *objects =
        [NSMutableArray arrayWithObjects:PART("\xD2\x01\x02\x03\x04"), PART("\x58$objects"), PART("\x54$top"), nil];
    [objects addObjectsFromArray:parts];
    NSMutableData *data = [NSMutableData dataWithBytes:"bplist00" length:8];
    NSMutableData *table = [NSMutableData data];
    for (NSData *object in objects) {
        const uint8_t offset[2] = {(uint8_t)(data.length >> 8), (uint8_t)data.length};
        [table appendBytes:offset length:sizeof offset];
        [data appendData:object];
    }
    uint8_t trailer[32] = {[6] = 2, [7] = 1};
    trailer[15] = (uint8_t)objects.count;
    trailer[30] = (uint8_t)(data.length >> 8);
    trailer[31] = (uint8_t)data.length;
    [data appendData:table];
    [data appendBytes:trailer length:sizeof trailer];
    return data;
}

/// $objects are "$null" alone; the parts begin with the value of $top.
static NSData *archive_with_top(NSArray<NSData *> *parts) {
    NSUInteger null = 4 + parts.count;
    const uint8_t objects[] = {0xA1, (uint8_t)null};
    NSMutableArray<NSData *> *all = [NSMutableArray arrayWithObject:[NSData dataWithBytes:objects length:2]];
    [all addObjectsFromArray:parts];
    [all addObject:PART("\x55$null")];
    return archive_of(all);
}

/// `levels` arrays, of which each holds the next one `times`.
static NSData *nested(unsigned levels, uint8_t times) {
    NSMutableArray<NSData *> *parts = [NSMutableArray array];
    for (unsigned level = 0; level < levels; level++) {
        NSMutableData *array = [NSMutableData dataWithLength:1 + times];
        memset(array.mutableBytes, (int)(5 + level), array.length);
        *(uint8_t *)array.mutableBytes = 0xA0 | times;
        [parts addObject:array];
    }
    [parts addObject:PART("\x09")];
    return archive_with_top(parts);
}

static void test_forged_archives(void) {
    NSString *sound = @"no object of the classes", *damaged = @"a damaged one";
    check_error(archive_with_top(@[ PART("\xD0") ]), layerClasses(), sound);
    check_error(archive_with_top(@[ PART("\xD1\x05\x06"), PART("\x54root"), PART("\x80\x00") ]), layerClasses(), sound);
    check_error(archive_of(@[ PART("\x54text"), PART("\xD0") ]), layerClasses(), damaged); // $objects: no array
    check_error(archive_of(@[ PART("\xD0"), PART("\xD0") ]), layerClasses(), damaged);
    check_error(archive_of(@[ PART("\xA0"), PART("\xD1\x05\x06"), PART("\x54root"), PART("\x80\x00") ]), layerClasses(),
                damaged); // no such object
    check_error(archive_with_top(@[ PART("\xD1\x05\x06"), PART("\x54root"), PART("\x80\x01") ]), layerClasses(),
                damaged);
    // A dictionary that GNUstep takes for an identifier.
    check_error(archive_with_top(@[
                    PART("\xD1\x05\x06"), PART("\x54root"), PART("\xD1\x07\x08"),
                    PART("\x56"
                         "CF$UID"),
                    PART("\x10\x7f")
                ]),
                layerClasses(), damaged);
    check_error(archive_with_top(@[ PART("\xD1\x05\x05"), PART("\x13\0\0\0\0\0\0\0\1") ]), layerClasses(), damaged);
    check_error(archive_with_top(@[ PART("\x4F\x13\0\0\0\0\0\0\0\1x") ]), layerClasses(), damaged); // a count
    check_error(archive_with_top(@[ PART("\x5F\x12\xff\xff\xff\xffx") ]), layerClasses(), damaged);
    check_error(archive_with_top(@[ PART("\xA1\x04") ]), layerClasses(), damaged); // an array of itself
    check_error(nested(20, 1), layerClasses(), @"objectForKey:");                  // no dictionary, but sound
    check_error(nested(40, 1), layerClasses(), damaged);
    check_error(nested(25, 14), layerClasses(), damaged); // 14 to the 25th objects
}

/// An identifier in an archived object that leads back to it.
static void test_cycle_of_identifiers(void) {
    NSData *data = archive_of(@[
        PART("\xA2\x05\x06"), PART("\xD1\x07\x08"), PART("\x55$null"), PART("\xD1\x07\x08"), PART("\x54root"),
        PART("\x80\x01")
    ]);
    check_error(data, layerClasses(), @"a damaged one");
}

/// Another format of Foundation's than the one that is checked.
static void test_text_format(void) {
    NSMutableData *text = [NSMutableData data];
    NSKeyedArchiver *archiver = [[[NSKeyedArchiver alloc] initForWritingWithMutableData:text] autorelease];
    [archiver setOutputFormat:NSPropertyListXMLFormat_v1_0];
    [archiver encodeObject:small_layer() forKey:@"root"];
    [archiver finishEncoding];
    check_error(text, layerClasses(), @"no keyed archive of binary format");
}

int main(void) {
    void (*const tests[])(void) = {
        test_every_byte,      test_every_length,    test_random_damage,        test_damaged_containers,
        test_forged_checksum, test_forged_archives, test_cycle_of_identifiers, test_text_format,
    };
    return run_tests(tests, sizeof tests / sizeof tests[0]);
}
