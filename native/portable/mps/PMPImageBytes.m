#import "PMPImageBytes.h"
#import "PMPDataType.h"
#import "PMPImage.h"
#import "PMPSize.h"
#import "PMPTexture.h"

static bool is_chunky(PMPImageBytes bytes) {
    return bytes.layout == MPSDataLayoutHeightxWidthxFeatureChannels;
}

static size_t channel_bytes(MPSImage *image) {
    return PMPChannelFormatOf(image->_channelFormat).bytes;
}

PMPImageBytes PMPImageBytesOfRows(MPSImage *image, const void *bytes, MPSDataLayout layout, NSUInteger bytesPerRow,
                                  MTLRegion region, MPSImageReadWriteParams channels, NSUInteger imageIndex) {
    PMPImageBytes rows = {.bytes = (void *)bytes,
                          .layout = layout,
                          .bytesPerRow = bytesPerRow,
                          .region = region,
                          .channels = channels,
                          .image = imageIndex};
    NSUInteger count = channels.numberOfFeatureChannelsToReadWrite;
    rows.bytesPerColumn = PMPSizeMultiply(is_chunky(rows) ? count : 1, channel_bytes(image));
    rows.bytesPerImage = PMPSizeMultiply(PMPSizeMultiply(region.size.height, is_chunky(rows) ? 1 : count), bytesPerRow);
    return rows;
}

PMPImageBytes PMPImageBytesOfImage(MPSImage *image, const void *bytes, MPSDataLayout layout, NSUInteger imageIndex) {
    MPSImageReadWriteParams all = {0, image->_featureChannels};
    MTLRegion region = MTLRegionMake2D(0, 0, image->_width, image->_height);
    NSUInteger perPixel = layout == MPSDataLayoutHeightxWidthxFeatureChannels ? image->_featureChannels : 1;
    return PMPImageBytesOfRows(image, bytes, layout, image->_width * perPixel * channel_bytes(image), region, all,
                               imageIndex);
}

static void check_channels(MPSImage *image, SEL selector, MPSImageReadWriteParams channels) {
    NSUInteger first = channels.featureChannelOffset, count = channels.numberOfFeatureChannelsToReadWrite;
    NSUInteger all = image->_featureChannels;
    if (count == 0 || first >= all || count > all - first) {
        PMPRaiseInvalidArgument(image, selector, @"featureChannelInfo: %lu channels from %lu on, expected some of %lu",
                                (unsigned long)count, (unsigned long)first, (unsigned long)all);
    }
    if (first % 4 != 0 || (first != 0 && count % 4 != 0 && first + count != all)) {
        PMPRaiseInvalidArgument(image, selector,
                                @"featureChannelInfo: %lu channels from %lu on, expected multiples of 4",
                                (unsigned long)count, (unsigned long)first);
    }
}

static bool is_part(NSUInteger first, NSUInteger count, NSUInteger all) {
    return count > 0 && first <= all && count <= all - first;
}

static void check_region(MPSImage *image, SEL selector, MTLRegion region, NSUInteger index) {
    if (index >= image->_numberOfImages) {
        PMPRaiseInvalidArgument(image, selector, @"imageIndex: %lu, expected less than %lu", (unsigned long)index,
                                (unsigned long)image->_numberOfImages);
    }
    MTLOrigin origin = region.origin;
    MTLSize size = region.size;
    if (!is_part(origin.x, size.width, image->_width) || !is_part(origin.y, size.height, image->_height) ||
        !is_part(origin.z, size.depth, image->_numberOfImages - index)) {
        PMPRaiseInvalidArgument(
            image, selector, @"region: %lu x %lu x %lu from (%lu, %lu, %lu) on, expected a part of %lu x %lu x %lu",
            (unsigned long)size.width, (unsigned long)size.height, (unsigned long)size.depth, (unsigned long)origin.x,
            (unsigned long)origin.y, (unsigned long)origin.z, (unsigned long)image->_width,
            (unsigned long)image->_height, (unsigned long)(image->_numberOfImages - index));
    }
}

/// A distance of the caller's: a multiple of an element that is not less than what lies between.
static void check_distance(MPSImage *image, SEL selector, const char *name, NSUInteger distance, size_t least) {
    size_t element = channel_bytes(image);
    if (distance < least || distance % element != 0) {
        PMPRaiseInvalidArgument(image, selector, @"%s: %lu, expected a multiple of %zu from %zu on", name,
                                (unsigned long)distance, element, least);
    }
}

static void check_distances(MPSImage *image, SEL selector, PMPImageBytes bytes) {
    MTLSize size = bytes.region.size;
    NSUInteger count = bytes.channels.numberOfFeatureChannelsToReadWrite;
    size_t pixel = (is_chunky(bytes) ? count : 1) * channel_bytes(image), row, plane, all;
    check_distance(image, selector, "bytesPerColumn", bytes.bytesPerColumn, pixel);
    bool fits = PMPSpan(size.width, bytes.bytesPerColumn, pixel, &row);
    check_distance(image, selector, "bytesPerRow", bytes.bytesPerRow, fits ? row : SIZE_MAX);
    fits = fits && PMPSpan(size.height, bytes.bytesPerRow, row, &plane);
    if (!is_chunky(bytes)) {
        fits = fits && PMPSpan(count, PMPSizeMultiply(size.height, bytes.bytesPerRow), plane, &plane);
    }
    if (size.depth > 1) {
        check_distance(image, selector, "bytesPerImage", bytes.bytesPerImage, fits ? plane : SIZE_MAX);
        fits = fits && PMPSpan(size.depth, bytes.bytesPerImage, plane, &all);
    }
    if (!fits) {
        PMPRaiseInvalidArgument(image, selector, @"dataBytes: larger than memory can be");
    }
}

static void check(MPSImage *image, SEL selector, PMPImageBytes bytes) {
    if (bytes.bytes == NULL) {
        PMPRaiseInvalidArgument(image, selector, @"dataBytes: NULL, expected memory");
    }
    if (bytes.layout > MPSDataLayoutFeatureChannelsxHeightxWidth) {
        PMPRaiseInvalidArgument(image, selector, @"dataLayout: %lu, expected an MPSDataLayout",
                                (unsigned long)bytes.layout);
    }
    check_channels(image, selector, bytes.channels);
    check_region(image, selector, bytes.region, bytes.image);
    check_distances(image, selector, bytes);
}

/// Both sides of a copy, and what it moves.
typedef struct copy_sides {
    PMPPixelBlock image, bytes;
    PMPPixelCounts counts;
    size_t elementBytes;
} copy_sides;

static copy_sides sides_of(MPSImage *image, SEL selector, PMPImageBytes bytes) {
    check(image, selector, bytes);
    id<MTLTexture> texture = image.texture;
    if (texture == nil) {
        PMPRaiseOutOfMemory(image, selector, @"receiver: no memory for its %lu bytes",
                            (unsigned long)image.resourceSize);
    }
    if (texture.storageMode == MTLStorageModePrivate) {
        PMPRaiseInvalidArgument(image, selector, @"receiver: private storage, expected shared or managed");
    }
    const PMPPixelLayout layout = image->_layout;
    const MTLOrigin origin = bytes.region.origin;
    size_t element = channel_bytes(image), planeBytes = PMPSizeMultiply(bytes.region.size.height, bytes.bytesPerRow);
    char *start = (char *)PMPTextureAddress(texture) + layout.offset + (bytes.image + origin.z) * layout.imageBytes +
                  origin.y * layout.rowBytes + origin.x * layout.pixelBytes +
                  bytes.channels.featureChannelOffset * element;
    return (copy_sides){
        .image = {start, layout.imageBytes, layout.rowBytes, layout.pixelBytes, element},
        .bytes = {bytes.bytes, bytes.bytesPerImage, bytes.bytesPerRow, bytes.bytesPerColumn,
                  is_chunky(bytes) ? element : planeBytes},
        .counts = {bytes.region.size.depth, bytes.region.size.height, bytes.region.size.width,
                   bytes.channels.numberOfFeatureChannelsToReadWrite},
        .elementBytes = element,
    };
}

void PMPImageRead(MPSImage *image, SEL selector, PMPImageBytes to) {
    copy_sides sides = sides_of(image, selector, to);
    PMPCopyPixels(sides.bytes, sides.image, sides.counts, sides.elementBytes);
}

void PMPImageWrite(MPSImage *image, SEL selector, PMPImageBytes from) {
    copy_sides sides = sides_of(image, selector, from);
    PMPCopyPixels(sides.image, sides.bytes, sides.counts, sides.elementBytes);
}
