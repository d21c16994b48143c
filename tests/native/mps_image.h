// What the tests of images share: numbers that differ from element to element, and ways to and from them.
#import "mps_test.h"
#import "PMPImage.h"

static const MPSImageFeatureChannelFormat kChannelFormats[] = {
    MPSImageFeatureChannelFormatUnorm8, MPSImageFeatureChannelFormatUnorm16, MPSImageFeatureChannelFormatFloat16,
    MPSImageFeatureChannelFormatFloat32};
static const size_t kChannelBytes[] = {1, 2, 2, 4};

static inline size_t channel_bytes(MPSImageFeatureChannelFormat format) {
    return kChannelBytes[format - 1];
}

static inline MPSImageDescriptor *describe(MPSImageFeatureChannelFormat format, NSUInteger width, NSUInteger height,
                                           NSUInteger channels, NSUInteger images) {
    return [MPSImageDescriptor imageDescriptorWithChannelFormat:format
                                                          width:width
                                                         height:height
                                                featureChannels:channels
                                                 numberOfImages:images
                                                          usage:MTLTextureUsageShaderRead | MTLTextureUsageShaderWrite];
}

static inline MPSImage *make_image(MPSImageFeatureChannelFormat format, NSUInteger width, NSUInteger height,
                                   NSUInteger channels, NSUInteger images) {
    MPSImageDescriptor *descriptor = describe(format, width, height, channels, images);
    return [[[MPSImage alloc] initWithDevice:device imageDescriptor:descriptor] autorelease];
}

/// The bits of an element; never 0. Copies move bits, whatever they stand for.
static inline uint32_t element(NSUInteger seed, NSUInteger n, NSUInteger y, NSUInteger x, NSUInteger c) {
    uint32_t mixed = (uint32_t)(seed * 7919 + n * 1009 + y * 211 + x * 53 + c * 7 + 1) * 2654435761u;
    return mixed | 0x01010101u;
}

/// (image, y, x, channel) of an image without gaps.
static inline size_t index_of(MPSImage *image, NSUInteger n, NSUInteger y, NSUInteger x, NSUInteger c) {
    return ((n * image.height + y) * image.width + x) * image.featureChannels + c;
}

/// All elements of an image as they lie in an array (image, y, x, channel).
static inline NSMutableData *elements_of(MPSImage *image, NSUInteger seed) {
    size_t bytes = channel_bytes(image.featureChannelFormat);
    NSUInteger images = image.numberOfImages;
    NSMutableData *all = [NSMutableData dataWithLength:index_of(image, images, 0, 0, 0) * bytes];
    for (NSUInteger n = 0; n < images; n++) {
        for (NSUInteger y = 0; y < image.height; y++) {
            for (NSUInteger x = 0; x < image.width; x++) {
                for (NSUInteger c = 0; c < image.featureChannels; c++) {
                    uint32_t bits = element(seed, n, y, x, c);
                    memcpy((char *)all.mutableBytes + index_of(image, n, y, x, c) * bytes, &bits, bytes);
                }
            }
        }
    }
    return all;
}

static inline size_t image_bytes(MPSImage *image) {
    return index_of(image, 1, 0, 0, 0) * channel_bytes(image.featureChannelFormat);
}

static inline void fill_image(MPSImage *image, NSUInteger seed) {
    NSData *all = elements_of(image, seed);
    for (NSUInteger n = 0; n < image.numberOfImages; n++) {
        [image writeBytes:(const char *)all.bytes + n * image_bytes(image)
               dataLayout:MPSDataLayoutHeightxWidthxFeatureChannels
               imageIndex:n];
    }
}

static inline NSMutableData *read_image(MPSImage *image) {
    NSMutableData *all = [NSMutableData dataWithLength:image.numberOfImages * image_bytes(image)];
    for (NSUInteger n = 0; n < image.numberOfImages; n++) {
        [image readBytes:(char *)all.mutableBytes + n * image_bytes(image)
              dataLayout:MPSDataLayoutHeightxWidthxFeatureChannels
              imageIndex:n];
    }
    return all;
}

static inline BOOL has_elements(MPSImage *image, NSUInteger seed) {
    return [read_image(image) isEqual:elements_of(image, seed)];
}
