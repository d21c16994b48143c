// MPSImageCopyToMatrix and MPSMatrixCopyToImage: layouts, types, batches, and what they refuse.
#import "mps_image.h"

enum { kWidth = 3, kHeight = 2, kChannels = 5, kElements = kWidth * kHeight * kChannels };

static MPSDataType data_type(MPSImageFeatureChannelFormat format) {
    switch (format) {
    case MPSImageFeatureChannelFormatUnorm8:
        return MPSDataTypeUnorm8;
    case MPSImageFeatureChannelFormatFloat16:
        return MPSDataTypeFloat16;
    default:
        return MPSDataTypeFloat32;
    }
}

/// Where an element of an image lies in its row.
static NSUInteger place_of(MPSDataLayout layout, NSUInteger row, NSUInteger column, NSUInteger channel) {
    return layout == MPSDataLayoutHeightxWidthxFeatureChannels ? (row * kWidth + column) * kChannels + channel
                                                               : (channel * kHeight + row) * kWidth + column;
}

enum { kRows = 4, kColumns = kElements + 3, kFirstRow = 1, kFirstColumn = 2 };

/// Two matrices, of which the second is used, full of bytes 0x55.
static MPSMatrix *make_rows(MPSDataType dataType, size_t element) {
    NSUInteger rowBytes = kColumns * element;
    MPSMatrixDescriptor *descriptor = [MPSMatrixDescriptor matrixDescriptorWithRows:kRows
                                                                            columns:kColumns
                                                                           matrices:2
                                                                           rowBytes:rowBytes
                                                                        matrixBytes:kRows * rowBytes
                                                                           dataType:dataType];
    MPSMatrix *matrix = [[[MPSMatrix alloc] initWithDevice:device descriptor:descriptor] autorelease];
    memset(matrix.data.contents, 0x55, matrix.data.length);
    return matrix;
}

static MPSImageCopyToMatrix *make_to_matrix(MPSDataLayout layout) {
    MPSImageCopyToMatrix *copy = [[[MPSImageCopyToMatrix alloc] initWithDevice:device dataLayout:layout] autorelease];
    copy.destinationMatrixOrigin = (MTLOrigin){kFirstRow, kFirstColumn, 0};
    copy.destinationMatrixBatchIndex = 1;
    return copy;
}

static MPSMatrixCopyToImage *make_to_image(MPSDataLayout layout) {
    MPSMatrixCopyToImage *copy = [[[MPSMatrixCopyToImage alloc] initWithDevice:device dataLayout:layout] autorelease];
    copy.sourceMatrixOrigin = (MTLOrigin){kFirstRow, kFirstColumn, 0};
    copy.sourceMatrixBatchIndex = 1;
    return copy;
}

/// The bytes of a matrix into which `count` images of these elements have gone.
static NSData *wanted_rows(NSData *elements, size_t element, NSUInteger count, MPSDataLayout layout) {
    NSMutableData *wanted = [NSMutableData dataWithLength:2 * kRows * kColumns * element];
    char *bytes = wanted.mutableBytes;
    memset(bytes, 0x55, wanted.length);
    const char *from = elements.bytes;
    for (NSUInteger i = 0; i < count * kElements; i++) {
        NSUInteger pixel = i % kElements / kChannels;
        NSUInteger place = place_of(layout, pixel / kWidth, pixel % kWidth, i % kChannels);
        NSUInteger row = kRows + kFirstRow + i / kElements;
        memcpy(bytes + (row * kColumns + kFirstColumn + place) * element, from + i * element, element);
    }
    return wanted;
}

static void check_copies(MPSImageFeatureChannelFormat format, MPSDataLayout layout, bool isBatch) {
    size_t size = channel_bytes(format);
    MPSImage *image = make_image(format, kWidth, kHeight, kChannels, 2);
    MPSImage *back = make_image(format, kWidth, kHeight, kChannels, 2);
    fill_image(image, 1);
    MPSMatrix *matrix = make_rows(data_type(format), size);
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    if (isBatch) {
        [make_to_matrix(layout) encodeBatchToCommandBuffer:commandBuffer
                                              sourceImages:[image batchRepresentation]
                                         destinationMatrix:matrix];
        [make_to_image(layout) encodeBatchToCommandBuffer:commandBuffer
                                             sourceMatrix:matrix
                                        destinationImages:[back batchRepresentation]];
    } else {
        [make_to_matrix(layout) encodeToCommandBuffer:commandBuffer sourceImage:image destinationMatrix:matrix];
        [make_to_image(layout) encodeToCommandBuffer:commandBuffer sourceMatrix:matrix destinationImage:back];
    }
    run(commandBuffer);
    NSData *elements = elements_of(image, 1);
    CHECK([buffer_bytes(matrix.data) isEqual:wanted_rows(elements, size, 2, layout)]);
    CHECK(has_elements(back, 1));
}

static void test_layouts_types_and_batches(void) {
    const MPSImageFeatureChannelFormat formats[] = {
        MPSImageFeatureChannelFormatUnorm8, MPSImageFeatureChannelFormatFloat16, MPSImageFeatureChannelFormatFloat32};
    for (int i = 0; i < 3; i++) {
        for (int isBatch = 0; isBatch < 2; isBatch++) {
            check_copies(formats[i], MPSDataLayoutHeightxWidthxFeatureChannels, isBatch != 0);
            check_copies(formats[i], MPSDataLayoutFeatureChannelsxHeightxWidth, isBatch != 0);
        }
    }
}

static void test_defaults_copies_and_archives(void) {
    MPSImageCopyToMatrix *plain = [[[MPSImageCopyToMatrix alloc] initWithDevice:device] autorelease];
    CHECK(plain.dataLayout == MPSDataLayoutFeatureChannelsxHeightxWidth && plain.destinationMatrixBatchIndex == 0);
    CHECK(plain.destinationMatrixOrigin.x == 0 && plain.destinationMatrixOrigin.y == 0);
    MPSMatrixCopyToImage *set = make_to_image(MPSDataLayoutHeightxWidthxFeatureChannels);
    NSData *data = archived(set);
    MPSMatrixCopyToImage *read =
        [MPSKeyedUnarchiver unarchivedObjectOfClasses:[NSSet setWithObject:[MPSMatrixCopyToImage class]]
                                             fromData:data
                                               device:device
                                                error:NULL];
    for (MPSMatrixCopyToImage *copy in @[ read, [[set copy] autorelease] ]) {
        CHECK(copy.dataLayout == MPSDataLayoutHeightxWidthxFeatureChannels && copy.sourceMatrixBatchIndex == 1);
        CHECK(copy.sourceMatrixOrigin.x == kFirstRow && copy.sourceMatrixOrigin.y == kFirstColumn);
    }
}

/// Read counts go down, and what a client that holds a batch gives back is its own read.
static void test_temporaries(void) {
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    MPSImageDescriptor *descriptor = describe(MPSImageFeatureChannelFormatFloat32, kWidth, kHeight, kChannels, 1);
    MPSTemporaryImage *image = [MPSTemporaryImage temporaryImageWithCommandBuffer:commandBuffer
                                                                  imageDescriptor:descriptor];
    image.readCount = 2;
    MPSMatrix *matrix = make_rows(MPSDataTypeFloat32, 4);
    MPSDataLayout layout = MPSDataLayoutHeightxWidthxFeatureChannels;
    [make_to_image(layout) encodeBatchToCommandBuffer:commandBuffer sourceMatrix:matrix destinationImages:@[ image ]];
    CHECK(image.readCount == 2);
    [make_to_matrix(layout) encodeBatchToCommandBuffer:commandBuffer sourceImages:@[ image ] destinationMatrix:matrix];
    CHECK(image.readCount == 1);
    MPSImageBatchIncrementReadCount(@[ image ], -1);
    CHECK(image.readCount == 0);
    run(commandBuffer);
}

static void encode(MPSImage *image, MPSMatrix *matrix, MTLOrigin origin) {
    MPSImageCopyToMatrix *copy = make_to_matrix(MPSDataLayoutHeightxWidthxFeatureChannels);
    copy.destinationMatrixOrigin = origin;
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    [copy encodeToCommandBuffer:commandBuffer sourceImage:image destinationMatrix:matrix];
    run(commandBuffer);
}

static void test_refused(void) {
    MPSImage *image = make_image(MPSImageFeatureChannelFormatFloat32, kWidth, kHeight, kChannels, 2);
    MPSMatrix *matrix = make_rows(MPSDataTypeFloat32, 4);
    const MTLOrigin zero = {0, 0, 0};
    CHECK_RAISES(@"sourceImage: no image", encode(nothing, matrix, zero));
    CHECK_RAISES(@"destinationMatrix: nil", encode(image, nothing, zero));
    CHECK_RAISES(@"destinationMatrix: data type 0x10000010, expected the 0x10000020 of the images' channels",
                 encode(image, make_rows(MPSDataTypeFloat16, 2), zero));
    CHECK_RAISES(@"destinationMatrix: 1 matrices, expected one of index 1", encode(image, make_matrix(4, 99), zero));
    CHECK_RAISES(@"destinationMatrix: 4 x 33, expected 2 rows of 30 elements from (3, 0, 0) on",
                 encode(image, matrix, (MTLOrigin){3, 0, 0}));
    CHECK_RAISES(@"from (0, 4, 0) on", encode(image, matrix, (MTLOrigin){0, 4, 0}));
    CHECK_RAISES(@"from (0, 0, 1) on", encode(image, matrix, (MTLOrigin){0, 0, 1}));
    MPSImage *larger = make_image(MPSImageFeatureChannelFormatFloat32, kWidth + 1, kHeight, kChannels, 2);
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    CHECK_RAISES(@"sourceImages[1]: ", [make_to_matrix(MPSDataLayoutHeightxWidthxFeatureChannels)
                                           encodeBatchToCommandBuffer:commandBuffer
                                                         sourceImages:@[ image, larger ]
                                                    destinationMatrix:matrix]);
    CHECK_RAISES(@"dataLayout: 2", [[MPSImageCopyToMatrix alloc] initWithDevice:device dataLayout:(MPSDataLayout)2]);
    CHECK_RAISES(@"dataLayout: 2", [[MPSMatrixCopyToImage alloc] initWithDevice:device dataLayout:(MPSDataLayout)2]);
    run(commandBuffer);
}

int main(void) {
    void (*const tests[])(void) = {
        test_layouts_types_and_batches,
        test_defaults_copies_and_archives,
        test_temporaries,
        test_refused,
    };
    return run_tests(tests, sizeof tests / sizeof tests[0]);
}
