// Reading and writing images: both layouts, regions, distances, some of the channels, and what is refused.
#import "mps_image.h"

/// A copy's arguments, its distances in elements.
typedef struct way {
    MPSDataLayout layout;
    MTLRegion region;
    MPSImageReadWriteParams channels;
    NSUInteger imageIndex;
    NSUInteger column, row, image; // from one to the next
} way;

/// Where element (n, y, x, c) of a region lies, in elements.
static size_t place(way w, NSUInteger n, NSUInteger y, NSUInteger x, NSUInteger c) {
    size_t channel = w.layout == MPSDataLayoutHeightxWidthxFeatureChannels ? 1 : w.row * w.region.size.height;
    return n * w.image + y * w.row + x * w.column + c * channel;
}

static way tight(MPSDataLayout layout, MTLRegion region, MPSImageReadWriteParams channels, NSUInteger imageIndex) {
    NSUInteger count = channels.numberOfFeatureChannelsToReadWrite;
    way w = {layout, region, channels, imageIndex, 1, 0, count * region.size.width * region.size.height};
    if (layout == MPSDataLayoutHeightxWidthxFeatureChannels) {
        w.column = count;
    }
    w.row = w.column * region.size.width;
    return w;
}

/// Calls back for each element of a region: where it lies, and where it is in the image.
static void each_element(way w, void (^block)(size_t at, NSUInteger n, NSUInteger y, NSUInteger x, NSUInteger c)) {
    MTLOrigin origin = w.region.origin;
    MTLSize size = w.region.size;
    for (NSUInteger n = 0; n < size.depth; n++) {
        for (NSUInteger y = 0; y < size.height; y++) {
            for (NSUInteger x = 0; x < size.width; x++) {
                for (NSUInteger c = 0; c < w.channels.numberOfFeatureChannelsToReadWrite; c++) {
                    block(place(w, n, y, x, c), w.imageIndex + origin.z + n, origin.y + y, origin.x + x,
                          w.channels.featureChannelOffset + c);
                }
            }
        }
    }
}

/// Enough for every way here; 0xff where nothing has been read.
static NSMutableData *room(void) {
    NSMutableData *bytes = [NSMutableData dataWithLength:1 << 14];
    memset(bytes.mutableBytes, 0xff, bytes.length);
    return bytes;
}

/// The region as it is to be read from an image filled with `seed`.
static NSMutableData *expected_bytes(MPSImage *image, way w, NSUInteger seed) {
    NSMutableData *bytes = room();
    size_t width = channel_bytes(image.featureChannelFormat);
    each_element(w, ^(size_t at, NSUInteger n, NSUInteger y, NSUInteger x, NSUInteger c) {
        uint32_t bits = element(seed, n, y, x, c);
        memcpy((char *)bytes.mutableBytes + at * width, &bits, width);
    });
    return bytes;
}

static void read_rows(MPSImage *image, NSMutableData *bytes, way w) {
    size_t width = channel_bytes(image.featureChannelFormat);
    [image readBytes:bytes.mutableBytes
                dataLayout:w.layout
               bytesPerRow:w.row * width
             bytesPerImage:w.image * width
                    region:w.region
        featureChannelInfo:w.channels
                imageIndex:w.imageIndex];
}

static void write_columns(MPSImage *image, const void *bytes, way w) {
    size_t width = channel_bytes(image.featureChannelFormat);
    [image writeBytes:bytes
                dataLayout:w.layout
            bytesPerColumn:w.column * width
               bytesPerRow:w.row * width
             bytesPerImage:w.image * width
                    region:w.region
        featureChannelInfo:w.channels
                imageIndex:w.imageIndex];
}

/// An image filled with seed 1, with seed 2 in the region.
static NSMutableData *patched(MPSImage *image, way w) {
    NSMutableData *all = elements_of(image, 1);
    size_t width = channel_bytes(image.featureChannelFormat);
    each_element(w, ^(size_t at, NSUInteger n, NSUInteger y, NSUInteger x, NSUInteger c) {
        (void)at;
        uint32_t bits = element(2, n, y, x, c);
        memcpy((char *)all.mutableBytes + index_of(image, n, y, x, c) * width, &bits, width);
    });
    return all;
}

/// Reads a region and writes it, by the form with all distances.
static void check_way(MPSImage *image, way w) {
    fill_image(image, 1);
    if (w.column == (w.layout == 0 ? w.channels.numberOfFeatureChannelsToReadWrite : 1)) {
        NSMutableData *bytes = room();
        read_rows(image, bytes, w);
        CHECK([bytes isEqual:expected_bytes(image, w, 1)]);
    }
    write_columns(image, expected_bytes(image, w, 2).bytes, w);
    CHECK([read_image(image) isEqual:patched(image, w)]);
}

static void test_regions(void) {
    const MPSImageReadWriteParams parts[] = {{0, 9}, {0, 1}, {0, 6}, {4, 4}, {4, 5}, {8, 1}};
    const MTLRegion regions[] = {
        MTLRegionMake3D(0, 0, 0, 5, 4, 1), MTLRegionMake3D(1, 2, 0, 3, 2, 1), MTLRegionMake3D(4, 3, 0, 1, 1, 1),
        MTLRegionMake3D(0, 0, 0, 5, 4, 3), MTLRegionMake3D(2, 0, 1, 2, 3, 2),
    };
    for (int i = 0; i < 4; i++) {
        MPSImage *image = make_image(kChannelFormats[i], 5, 4, 9, 3);
        for (size_t part = 0; part < sizeof parts / sizeof parts[0]; part++) {
            for (size_t region = 0; region < sizeof regions / sizeof regions[0]; region++) {
                for (MPSDataLayout layout = 0; layout <= 1; layout++) {
                    way w = tight(layout, regions[region], parts[part], 0);
                    check_way(image, w);
                    w.row += 3;
                    w.image = w.row * w.region.size.height * (layout == 0 ? 1 : 9) + 5;
                    check_way(image, w);
                    w.column += 2;
                    w.row = w.column * w.region.size.width + 1;
                    w.image = w.row * w.region.size.height * (layout == 0 ? 1 : 9);
                    check_way(image, w);
                }
            }
        }
    }
}

static void test_image_index(void) {
    MPSImage *image = make_image(MPSImageFeatureChannelFormatFloat16, 2, 3, 5, 4);
    MPSImageReadWriteParams all = {0, 5};
    check_way(image, tight(0, MTLRegionMake3D(0, 0, 0, 2, 3, 1), all, 3));
    check_way(image, tight(1, MTLRegionMake3D(0, 1, 1, 2, 1, 2), all, 1)); // images 2 and 3
}

/// The forms with fewer arguments.
static void test_short_forms(void) {
    MPSImage *image = make_image(MPSImageFeatureChannelFormatFloat32, 3, 2, 6, 2);
    MTLRegion whole = MTLRegionMake3D(0, 0, 0, 3, 2, 1), both = MTLRegionMake3D(0, 0, 0, 3, 2, 2);
    MPSImageReadWriteParams all = {0, 6};
    for (MPSDataLayout layout = 0; layout <= 1; layout++) {
        NSMutableData *bytes = room();
        fill_image(image, 1);
        way one = tight(layout, whole, all, 1), two = tight(layout, both, all, 0);
        [image readBytes:bytes.mutableBytes dataLayout:layout imageIndex:1];
        CHECK([bytes isEqual:expected_bytes(image, one, 1)]);
        [image writeBytes:expected_bytes(image, one, 2).bytes dataLayout:layout imageIndex:1];
        CHECK([read_image(image) isEqual:patched(image, one)]);

        fill_image(image, 1);
        two.row += 2;
        two.image = two.row * 2 * (layout == 0 ? 1 : 6);
        bytes = room();
        [image readBytes:bytes.mutableBytes
                    dataLayout:layout
                   bytesPerRow:two.row * 4
                        region:both
            featureChannelInfo:all
                    imageIndex:0];
        CHECK([bytes isEqual:expected_bytes(image, two, 1)]);
        [image writeBytes:expected_bytes(image, two, 2).bytes
                    dataLayout:layout
                   bytesPerRow:two.row * 4
                        region:both
            featureChannelInfo:all
                    imageIndex:0];
        CHECK(has_elements(image, 2));

        fill_image(image, 1);
        two.image += 3;
        [image writeBytes:expected_bytes(image, two, 2).bytes
                    dataLayout:layout
                   bytesPerRow:two.row * 4
                 bytesPerImage:two.image * 4
                        region:both
            featureChannelInfo:all
                    imageIndex:0];
        CHECK(has_elements(image, 2));
    }
}

static void check_refused(way w, NSString *text) {
    MPSImage *image = make_image(MPSImageFeatureChannelFormatFloat32, 5, 4, 9, 2);
    NSMutableData *bytes = room();
    CHECK_RAISES(text, write_columns(image, bytes.bytes, w));
    fill_image(image, 1);
    CHECK_RAISES(text, write_columns(image, bytes.bytes, w));
    CHECK(has_elements(image, 1));
}

#define CHANGED(...)                                                                                                   \
    ({                                                                                                                 \
        way w = tight(0, MTLRegionMake3D(0, 0, 0, 5, 4, 1), (MPSImageReadWriteParams){0, 9}, 0);                       \
        __VA_ARGS__;                                                                                                   \
        w;                                                                                                             \
    })

static void test_refused_channels(void) {
    check_refused(CHANGED(w.channels.numberOfFeatureChannelsToReadWrite = 0), @"featureChannelInfo: 0 channels");
    check_refused(CHANGED(w.channels.numberOfFeatureChannelsToReadWrite = 10),
                  @"featureChannelInfo: 10 channels from 0 on, expected some of 9");
    check_refused(CHANGED(w.channels.featureChannelOffset = 4), @"featureChannelInfo: 9 channels from 4 on");
    check_refused(CHANGED(w.channels = ((MPSImageReadWriteParams){2, 4})), @"from 2 on, expected multiples of 4");
    check_refused(CHANGED(w.channels = ((MPSImageReadWriteParams){4, 3})), @"3 channels from 4 on");
    check_refused(CHANGED(w.channels = ((MPSImageReadWriteParams){4, NSUIntegerMax - 3})), @"featureChannelInfo: ");
    check_refused(CHANGED(w.channels = ((MPSImageReadWriteParams){12, 4})), @"from 12 on");
}

static void test_refused_regions(void) {
    check_refused(CHANGED(w.imageIndex = 2), @"imageIndex: 2, expected less than 2");
    check_refused(CHANGED(w.region.size.width = 6),
                  @"region: 6 x 4 x 1 from (0, 0, 0) on, expected a part of 5 x 4 x 2");
    check_refused(CHANGED(w.region.origin.x = 1), @"region: ");
    check_refused(CHANGED(w.region.origin.y = 1), @"region: ");
    check_refused(CHANGED(w.region.size.height = NSUIntegerMax), @"region: ");
    check_refused(CHANGED(w.region.size.depth = 0), @"region: ");
    check_refused(CHANGED(w.region.origin.z = 2), @"region: ");
    check_refused(CHANGED(w.region.size.depth = 2, w.imageIndex = 1), @"expected a part of 5 x 4 x 1");
}

static void test_refused_distances(void) {
    check_refused(CHANGED(w.column = 8), @"bytesPerColumn: 32, expected a multiple of 4 from 36 on");
    check_refused(CHANGED(w.row = 44), @"bytesPerRow: 176, expected a multiple of 4 from 180 on");
    check_refused(CHANGED(w.region.size.depth = 2, w.image = 179), @"bytesPerImage: 716, expected");
    check_refused(CHANGED(w.layout = 1, w.column = 0), @"bytesPerColumn: 0");
    check_refused(CHANGED(w.layout = 1, w.column = 1, w.row = 4), @"bytesPerRow: 16");
    check_refused(CHANGED(w.layout = 1, w.column = 1, w.row = 5, w.region.size.depth = 2, w.image = 179),
                  @"bytesPerImage: 716, expected a multiple of 4 from 720 on");
    const NSUInteger vast = NSUIntegerMax / 4;
    check_refused(CHANGED(w.column = vast), @"bytesPerRow: 180");
    check_refused(CHANGED(w.row = vast), @"dataBytes: larger than memory can be");
    check_refused(CHANGED(w.layout = 1, w.column = 1, w.row = vast / 4), @"dataBytes: larger");
    check_refused(CHANGED(w.region.size.depth = 2, w.image = vast), @"dataBytes: larger");
    check_refused(CHANGED(w.layout = 2), @"dataLayout: 2");
}

static void test_refused_memory(void) {
    MPSImage *image = make_image(MPSImageFeatureChannelFormatUnorm8, 5, 4, 9, 2);
    NSUInteger before = device.currentAllocatedSize;
    char bytes[180];
    CHECK_RAISES(@"-[MPSImage readBytes:dataLayout:imageIndex:] dataBytes: NULL", [image readBytes:(void *)nothing
                                                                                        dataLayout:0
                                                                                        imageIndex:0]);
    CHECK_RAISES(@"-[MPSImage writeBytes:dataLayout:imageIndex:] imageIndex: 2", [image writeBytes:bytes
                                                                                        dataLayout:0
                                                                                        imageIndex:2]);
    CHECK_RAISES(@"readBytes:dataLayout:bytesPerRow:bytesPerImage:region:featureChannelInfo:imageIndex:] bytesPerRow: ",
                 [image readBytes:bytes
                             dataLayout:1
                            bytesPerRow:4
                          bytesPerImage:0
                                 region:MTLRegionMake2D(0, 0, 5, 4)
                     featureChannelInfo:(MPSImageReadWriteParams){0, 9}
                             imageIndex:0]);
    CHECK(device.currentAllocatedSize == before); // nothing was made for it
    MPSImageDescriptor *descriptor = describe(MPSImageFeatureChannelFormatUnorm8, 5, 4, 9, 1);
    descriptor.storageMode = MTLStorageModePrivate;
    MPSImage *hidden = [[[MPSImage alloc] initWithDevice:device imageDescriptor:descriptor] autorelease];
    CHECK_RAISES(@"receiver: private storage, expected shared or managed", [hidden readBytes:bytes
                                                                                  dataLayout:0
                                                                                  imageIndex:0]);
    CHECK_RAISES(@"receiver: private storage", [hidden writeBytes:bytes dataLayout:0 imageIndex:0]);
    // With one image the distance to the next does not count.
    [image readBytes:bytes
                dataLayout:0
               bytesPerRow:45
             bytesPerImage:0
                    region:MTLRegionMake2D(0, 0, 5, 4)
        featureChannelInfo:(MPSImageReadWriteParams){0, 9}
                imageIndex:0];
    CHECK(bytes[0] == 0 && bytes[179] == 0);
}

int main(void) {
    void (*const tests[])(void) = {
        test_regions,         test_image_index,       test_short_forms,    test_refused_channels,
        test_refused_regions, test_refused_distances, test_refused_memory,
    };
    return run_tests(tests, sizeof tests / sizeof tests[0]);
}
