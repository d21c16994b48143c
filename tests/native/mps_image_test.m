// Images: descriptors, memory, the slices that Metal shows of it, textures and buffers of the caller's.
#import "mps_image.h"
#import "PMPBuffer.h"
#include <sys/resource.h>

static void test_descriptor(void) {
    MPSImageDescriptor *plain = [[[MPSImageDescriptor alloc] init] autorelease];
    CHECK(plain.width == 1 && plain.height == 1 && plain.featureChannels == 1 && plain.numberOfImages == 1);
    CHECK(plain.channelFormat == MPSImageFeatureChannelFormatNone && plain.pixelFormat == MTLPixelFormatInvalid);
    CHECK(plain.cpuCacheMode == MTLCPUCacheModeDefaultCache && plain.storageMode == MTLStorageModeManaged);
    CHECK(plain.usage == (MTLTextureUsageShaderRead | MTLTextureUsageShaderWrite));
    MPSImageDescriptor *four = [MPSImageDescriptor imageDescriptorWithChannelFormat:MPSImageFeatureChannelFormatFloat16
                                                                              width:6
                                                                             height:5
                                                                    featureChannels:9];
    CHECK(four.width == 6 && four.height == 5 && four.featureChannels == 9 && four.numberOfImages == 1);
    CHECK(four.usage == plain.usage && four.channelFormat == MPSImageFeatureChannelFormatFloat16);
    MPSImageDescriptor *all = describe(MPSImageFeatureChannelFormatUnorm8, 2, 3, 4, 5);
    all.storageMode = MTLStorageModePrivate;
    all.cpuCacheMode = MTLCPUCacheModeWriteCombined;
    all.usage = MTLTextureUsageShaderRead;
    MPSImageDescriptor *copy = [[all copy] autorelease];
    CHECK(copy != all && copy.width == 2 && copy.height == 3 && copy.featureChannels == 4 && copy.numberOfImages == 5);
    CHECK(copy.channelFormat == MPSImageFeatureChannelFormatUnorm8 && copy.storageMode == MTLStorageModePrivate);
    CHECK(copy.cpuCacheMode == MTLCPUCacheModeWriteCombined && copy.usage == MTLTextureUsageShaderRead);
}

/// One component for one channel, two for two, four for more.
static void test_pixel_formats(void) {
    const MTLPixelFormat expected[4][3] = {{10, 30, 70}, {20, 60, 110}, {25, 65, 115}, {55, 105, 125}};
    const NSUInteger precision[] = {8, 16, 11, 24};
    const pymps_engine_type types[] = {PYMPS_ENGINE_UNORM8, PYMPS_ENGINE_UNORM16, PYMPS_ENGINE_FLOAT16,
                                       PYMPS_ENGINE_FLOAT32};
    for (int i = 0; i < 4; i++) {
        for (NSUInteger channels = 1; channels <= 9; channels++) {
            MPSImage *image = make_image(kChannelFormats[i], 2, 3, channels, 1);
            NSUInteger components = channels == 1 ? 1 : channels == 2 ? 2 : 4;
            CHECK(image.pixelFormat == expected[i][components / 2] && image.precision == precision[i]);
            CHECK(image.pixelSize == components * kChannelBytes[i]);
            CHECK(image.featureChannelFormat == kChannelFormats[i]);
            CHECK(image.textureType == (channels <= 4 ? MTLTextureType2D : MTLTextureType2DArray));
            CHECK(image.texture.arrayLength == (channels + 3) / 4 && image.texture.pixelFormat == image.pixelFormat);
            CHECK(PMPImagePixelsOf(image).type == types[i]);
        }
    }
}

static void test_lazy_memory(void) {
    NSUInteger before = device.currentAllocatedSize;
    MPSImage *image = make_image(MPSImageFeatureChannelFormatFloat32, 50, 40, 6, 3);
    CHECK(image.device == device && image.width == 50 && image.height == 40 && image.featureChannels == 6);
    CHECK(image.numberOfImages == 3 && image.usage == (MTLTextureUsageShaderRead | MTLTextureUsageShaderWrite));
    CHECK(image.parent == nil && image.label == nil);
    image.label = @"name";
    CHECK([image.label isEqual:@"name"]);
    CHECK(image.resourceSize == 50 * 40 * 6 * 3 * 4 && device.currentAllocatedSize == before);
    CHECK([image setPurgeableState:MPSPurgeableStateVolatile] == MPSPurgeableStateAllocationDeferred);
    id<MTLTexture> texture = image.texture;
    CHECK(texture.width == 50 && texture.height == 40 && texture.arrayLength == 6 && image.texture == texture);
    CHECK(texture.usage == image.usage && texture.storageMode == MTLStorageModeManaged);
    CHECK(device.currentAllocatedSize == before + texture.allocatedSize);
    CHECK([image setPurgeableState:MPSPurgeableStateVolatile] == MPSPurgeableStateNonVolatile);
    CHECK([image setPurgeableState:MPSPurgeableStateKeepCurrent] == MPSPurgeableStateVolatile);
    CHECK_RAISES(@"state: 0", [image setPurgeableState:MPSPurgeableStateAllocationDeferred]);
    CHECK_RAISES(@"state: 5", [image setPurgeableState:5]);
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    [image synchronizeOnCommandBuffer:commandBuffer];
    [make_image(MPSImageFeatureChannelFormatFloat32, 1, 1, 1, 1) synchronizeOnCommandBuffer:commandBuffer];
    run(commandBuffer);

    MPSImage *vast = make_image(MPSImageFeatureChannelFormatFloat32, 16384, 16384, 8192, 1);
    CHECK(vast.resourceSize == (NSUInteger)1 << 43 && vast.texture == nil);
    CHECK(PMPImagePixelsOf(vast).data == NULL);
    char byte;
    CHECK_RAISES_NAMED(NSMallocException,
                       @"readBytes:dataLayout:imageIndex:] receiver: no memory for its 8796093022208 bytes",
                       [vast readBytes:&byte dataLayout:MPSDataLayoutHeightxWidthxFeatureChannels imageIndex:0]);
}

#define CHECK_REFUSED(text, ...)                                                                                       \
    do {                                                                                                               \
        MPSImageDescriptor *d = describe(MPSImageFeatureChannelFormatFloat32, 4, 4, 5, 2);                             \
        __VA_ARGS__;                                                                                                   \
        CHECK_RAISES(@"-[MPSImage initWithDevice:imageDescriptor:] " text, [[MPSImage alloc] initWithDevice:device     \
                                                                                            imageDescriptor:d]);       \
    } while (0)

static void test_refused_descriptors(void) {
    CHECK_REFUSED(@"imageDescriptor: channel format 0", d.channelFormat = MPSImageFeatureChannelFormatNone);
    CHECK_REFUSED(@"imageDescriptor: channel format 5", d.channelFormat = MPSImageFeatureChannelFormat_reserved0);
    CHECK_REFUSED(@"imageDescriptor: channel format 99", d.channelFormat = 99);
    CHECK_REFUSED(@"imageDescriptor: width 0", d.width = 0);
    CHECK_REFUSED(@"imageDescriptor: width 16385, expected 1 to 16384", d.width = 16385);
    CHECK_REFUSED(@"imageDescriptor: height 16385", d.height = 16385);
    CHECK_REFUSED(@"imageDescriptor: 2 images of 0 channels", d.featureChannels = 0);
    CHECK_REFUSED(@"imageDescriptor: 0 images of 5 channels", d.numberOfImages = 0);
    CHECK_REFUSED(@"imageDescriptor: 1025 images of 5 channels", d.numberOfImages = 1025);
    CHECK_REFUSED(@"imageDescriptor: 2 images of 4097 channels", d.featureChannels = 4097);
    CHECK_REFUSED(@"imageDescriptor: 9223372036854775808 images", d.numberOfImages = (NSUInteger)1 << 63);
    CHECK_REFUSED(@"imageDescriptor: 2 images of 18446744073709551615", d.featureChannels = NSUIntegerMax);
    CHECK_REFUSED(@"imageDescriptor: usage 0x40", d.usage = 0x40);
    CHECK_REFUSED(@"imageDescriptor: storage mode 3", d.storageMode = MTLStorageModeMemoryless);
    CHECK_RAISES(@"imageDescriptor: nil", [[MPSImage alloc] initWithDevice:device imageDescriptor:nothing]);
    CHECK_RAISES(@"device: ",
                 [[MPSImage alloc] initWithDevice:nothing
                                  imageDescriptor:describe(MPSImageFeatureChannelFormatUnorm8, 1, 1, 1, 1)]);
    MPSImage *most = make_image(MPSImageFeatureChannelFormatUnorm8, 1, 1, 5, 1024);
    CHECK(most.texture.arrayLength == 2048);
}

/// Component k of a slice, as Metal shows it.
static uint32_t component(MPSImage *image, NSData *all, NSUInteger slice, NSUInteger y, NSUInteger x, NSUInteger k) {
    NSUInteger slices = (image.featureChannels + 3) / 4, c = slice % slices * 4 + k;
    uint32_t bits = 0;
    if (c < image.featureChannels) {
        size_t bytes = channel_bytes(image.featureChannelFormat);
        memcpy(&bits, (const char *)all.bytes + index_of(image, slice / slices, y, x, c) * bytes, bytes);
    }
    return bits;
}

static NSMutableData *expected_slice(MPSImage *image, NSData *all, NSUInteger slice) {
    size_t bytes = channel_bytes(image.featureChannelFormat);
    NSMutableData *pixels = [NSMutableData data];
    for (NSUInteger y = 0; y < image.height; y++) {
        for (NSUInteger x = 0; x < image.width; x++) {
            for (NSUInteger k = 0; k < image.pixelSize / bytes; k++) {
                uint32_t bits = component(image, all, slice, y, x, k);
                [pixels appendBytes:&bits length:bytes];
            }
        }
    }
    return pixels;
}

static void check_slices(MPSImageFeatureChannelFormat format, NSUInteger channels, NSUInteger images) {
    MPSImage *image = make_image(format, 3, 2, channels, images);
    NSData *all = elements_of(image, 1), *other = elements_of(image, 2);
    fill_image(image, 1);
    NSUInteger bytesPerRow = 3 * image.pixelSize;
    MTLRegion whole = MTLRegionMake2D(0, 0, 3, 2);
    for (NSUInteger slice = 0; slice < image.texture.arrayLength; slice++) {
        NSMutableData *pixels = [NSMutableData dataWithLength:2 * bytesPerRow];
        memset(pixels.mutableBytes, 0xff, pixels.length);
        [image.texture getBytes:pixels.mutableBytes
                    bytesPerRow:bytesPerRow
                  bytesPerImage:0
                     fromRegion:whole
                    mipmapLevel:0
                          slice:slice];
        CHECK([pixels isEqual:expected_slice(image, all, slice)]);
        [image.texture replaceRegion:whole
                         mipmapLevel:0
                               slice:slice
                           withBytes:expected_slice(image, other, slice).bytes
                         bytesPerRow:bytesPerRow
                       bytesPerImage:0];
    }
    CHECK(has_elements(image, 2));
}

static void test_slices(void) {
    for (int i = 0; i < 4; i++) {
        for (NSUInteger channels = 1; channels <= 9; channels++) {
            check_slices(kChannelFormats[i], channels, 1);
            check_slices(kChannelFormats[i], channels, 3);
        }
    }
}

/// Kernels see an array (image, y, x, channel).
static void test_linear_memory(void) {
    for (int i = 0; i < 4; i++) {
        MPSImage *image = make_image(kChannelFormats[i], 3, 4, 5, 2);
        fill_image(image, 3);
        PMPImagePixels pixels = PMPImagePixelsOf(image);
        CHECK(pixels.pixels == 24 && pixels.pixel_bytes == 5 * kChannelBytes[i] && pixels.resource == image.texture);
        NSData *all = elements_of(image, 3);
        CHECK(memcmp(pixels.data, all.bytes, all.length) == 0);
    }
}

static void test_over_buffer(void) {
    id<MTLBuffer> buffer = [[device newBufferWithLength:400 options:MTLResourceStorageModeShared] autorelease];
    NSUInteger before = device.currentAllocatedSize;
    MPSImageDescriptor *descriptor = describe(MPSImageFeatureChannelFormatFloat16, 3, 4, 6, 2);
    MPSImage *image = [[[MPSImage alloc] initWithBuffer:buffer offset:10 imageDescriptor:descriptor] autorelease];
    CHECK(image.device == device && image.resourceSize == 0 && image.numberOfImages == 2 && image.width == 3);
    CHECK(image.texture.storageMode == MTLStorageModeShared && image.texture.arrayLength == 4);
    CHECK(image.texture.buffer == buffer && image.texture.bufferOffset == 10);
    CHECK(device.currentAllocatedSize == before);
    fill_image(image, 4);
    NSData *all = elements_of(image, 4);
    CHECK(all.length == 288 && memcmp((char *)buffer.contents + 10, all.bytes, all.length) == 0);
    CHECK(PMPImagePixelsOf(image).data == (char *)buffer.contents + 10);
    MPSImage *second = [image batchRepresentation].lastObject;
    CHECK(PMPImagePixelsOf(second).data == (char *)buffer.contents + 10 + 144);

    id<MTLBuffer> hidden = [[device newBufferWithLength:400 options:MTLResourceStorageModePrivate] autorelease];
    MPSImage *unseen = [[[MPSImage alloc] initWithBuffer:hidden offset:0 imageDescriptor:descriptor] autorelease];
    CHECK(PMPImagePixelsOf(unseen).data == PMPBufferAddress(hidden));
    CHECK_RAISES(@"receiver: private storage", fill_image(unseen, 4));

    CHECK_RAISES(@"-[MPSImage initWithBuffer:offset:imageDescriptor:] buffer: 400 bytes, expected 288 from offset 114",
                 [[MPSImage alloc] initWithBuffer:buffer offset:114 imageDescriptor:descriptor]);
    CHECK_RAISES(@"offset: 3", [[MPSImage alloc] initWithBuffer:buffer offset:3 imageDescriptor:descriptor]);
    CHECK_RAISES(@"buffer: ", [[MPSImage alloc] initWithBuffer:nothing offset:0 imageDescriptor:descriptor]);
    CHECK_RAISES(@"imageDescriptor: nil", [[MPSImage alloc] initWithBuffer:buffer offset:0 imageDescriptor:nothing]);
}

static id<MTLTexture> make_texture(MTLPixelFormat format, NSUInteger slices) {
    MTLTextureDescriptor *descriptor = [MTLTextureDescriptor texture2DDescriptorWithPixelFormat:format
                                                                                          width:3
                                                                                         height:2
                                                                                      mipmapped:NO];
    descriptor.textureType = slices > 1 ? MTLTextureType2DArray : MTLTextureType2D;
    descriptor.arrayLength = slices;
    return [[device newTextureWithDescriptor:descriptor] autorelease];
}

static MPSImage *over_texture(id<MTLTexture> texture, NSUInteger channels) {
    return [[[MPSImage alloc] initWithTexture:texture featureChannels:channels] autorelease];
}

/// Part of a slice, written before there is an image: four 16-bit components of the pixel (1, 1).
static void write_pixel(id<MTLTexture> texture, NSUInteger slice) {
    const uint16_t pixel[] = {1 + slice * 4, 2 + slice * 4, 3 + slice * 4, 4 + slice * 4};
    [texture replaceRegion:MTLRegionMake2D(1, 1, 1, 1)
               mipmapLevel:0
                     slice:slice
                 withBytes:pixel
               bytesPerRow:8
             bytesPerImage:0];
}

static void test_over_texture(void) {
    const struct {
        MTLPixelFormat format;
        NSUInteger slices, channels, images;
    } ways[] = {
        {MTLPixelFormatR32Float, 1, 1, 1},     {MTLPixelFormatR32Float, 3, 1, 3},
        {MTLPixelFormatRG8Unorm, 3, 2, 3},     {MTLPixelFormatRGBA8Unorm, 1, 4, 1},
        {MTLPixelFormatRGBA8Unorm, 1, 3, 1},   {MTLPixelFormatRGBA8Unorm, 6, 1, 6},
        {MTLPixelFormatRGBA16Float, 6, 8, 3},  {MTLPixelFormatRGBA16Float, 6, 7, 3},
        {MTLPixelFormatRGBA16Unorm, 6, 24, 1}, {MTLPixelFormatRGBA16Float, 6, 9, 2},
    };
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        id<MTLTexture> texture = make_texture(ways[i].format, ways[i].slices);
        MPSImage *image = over_texture(texture, ways[i].channels);
        CHECK(image.numberOfImages == ways[i].images && image.featureChannels == ways[i].channels);
        CHECK(image.texture == texture && image.resourceSize == 0 && image.width == 3 && image.height == 2);
        CHECK(image.pixelFormat == ways[i].format && image.textureType == texture.textureType);
        fill_image(image, 5);
        CHECK(has_elements(image, 5));
        PMPImagePixels pixels = PMPImagePixelsOf(image);
        NSUInteger stored = (ways[i].channels + 3) / 4 * (image.pixelSize / channel_bytes(image.featureChannelFormat));
        CHECK(pixels.pixels == 6 * ways[i].images);
        CHECK(pixels.pixel_bytes == stored * channel_bytes(image.featureChannelFormat));
        NSData *all = elements_of(image, 5);
        for (size_t p = 0; p < pixels.pixels; p++) {
            size_t bytes = ways[i].channels * channel_bytes(image.featureChannelFormat);
            CHECK(memcmp((char *)pixels.data + p * pixels.pixel_bytes, (char *)all.bytes + p * bytes, bytes) == 0);
        }
        for (NSUInteger slice = 0; slice < texture.arrayLength && ways[i].channels % 4 == 0; slice++) {
            NSMutableData *read = [NSMutableData dataWithLength:6 * image.pixelSize];
            [texture getBytes:read.mutableBytes
                  bytesPerRow:3 * image.pixelSize
                bytesPerImage:0
                   fromRegion:MTLRegionMake2D(0, 0, 3, 2)
                  mipmapLevel:0
                        slice:slice];
            CHECK([read isEqual:expected_slice(image, all, slice)]);
        }
    }
}

/// What the slices have stays when the first image arranges them.
static void test_over_texture_with_contents(void) {
    for (NSUInteger perImage = 1; perImage <= 6; perImage++) {
        id<MTLTexture> texture = make_texture(MTLPixelFormatRGBA16Unorm, 6);
        for (NSUInteger slice = 0; slice < 6; slice++) {
            write_pixel(texture, slice);
        }
        if (6 % perImage != 0) {
            CHECK_RAISES(@"texture: 6 slices, expected a multiple of", over_texture(texture, perImage * 4));
            continue;
        }
        MPSImage *image = over_texture(texture, perImage * 4);
        const uint16_t *data = PMPImagePixelsOf(image).data;
        for (NSUInteger n = 0; n < image.numberOfImages; n++) {
            for (NSUInteger c = 0; c < perImage * 4; c++) {
                CHECK(data[(n * 6 + 4) * perImage * 4 + c] == n * perImage * 4 + c + 1);
                CHECK(data[(n * 6 + 3) * perImage * 4 + c] == 0);
            }
        }
    }
}

/// A second image with another number of channels reads and writes the same slices.
static void test_over_texture_twice(void) {
    id<MTLTexture> texture = make_texture(MTLPixelFormatRGBA16Unorm, 6);
    MPSImage *one = over_texture(texture, 24), *three = over_texture(texture, 8);
    fill_image(three, 6);
    CHECK(has_elements(three, 6));
    NSData *all = read_image(one), *parts = elements_of(three, 6);
    for (size_t pixel = 0; pixel < 6; pixel++) {
        for (size_t n = 0; n < 3; n++) {
            CHECK(memcmp((char *)all.bytes + (pixel * 24 + n * 8) * 2, (char *)parts.bytes + (n * 6 + pixel) * 16,
                         16) == 0);
        }
    }
    CHECK(PMPImagePixelsOf(one).pixel_bytes == 48);
    CHECK_RAISES(@"-[MPSImage texture] receiver: pixels with gaps", PMPImagePixelsOf(three));

    id<MTLTexture> batch = make_texture(MTLPixelFormatRGBA16Unorm, 6);
    CHECK(over_texture(batch, 8).numberOfImages == 3);
    CHECK_RAISES(@"texture: 6 slices from 0 on, expected whole images of 2 slices", over_texture(batch, 12));
    CHECK_RAISES(@"texture: ", over_texture(batch, 24));
    CHECK(over_texture(batch, 5).numberOfImages == 3);
}

static void test_refused_textures(void) {
    CHECK_RAISES(@"-[MPSImage initWithTexture:featureChannels:] texture: ", over_texture(nothing, 1));
    CHECK_RAISES(@"expected a texture of a portable device", over_texture((id) @"no texture", 1));
    CHECK_RAISES(@"featureChannels: 0, expected 1 to 8", over_texture(make_texture(MTLPixelFormatRGBA8Unorm, 2), 0));
    CHECK_RAISES(@"featureChannels: 9", over_texture(make_texture(MTLPixelFormatRGBA8Unorm, 2), 9));
    CHECK_RAISES(@"featureChannels: 2, expected 1 to 1", over_texture(make_texture(MTLPixelFormatR8Unorm, 2), 2));
    CHECK_RAISES(@"featureChannels: 3, expected 1 to 2", over_texture(make_texture(MTLPixelFormatRG8Unorm, 2), 3));
    CHECK_RAISES(@"featureChannels: ", over_texture(make_texture(MTLPixelFormatRGBA8Unorm, 2), NSUIntegerMax));

    // Rows with gaps are for the CPU alone.
    id<MTLBuffer> buffer = [[device newBufferWithLength:64 options:0] autorelease];
    MTLTextureDescriptor *descriptor = [MTLTextureDescriptor texture2DDescriptorWithPixelFormat:MTLPixelFormatR32Float
                                                                                          width:3
                                                                                         height:2
                                                                                      mipmapped:NO];
    descriptor.storageMode = MTLStorageModeShared;
    MPSImage *padded =
        over_texture([[buffer newTextureWithDescriptor:descriptor offset:4 bytesPerRow:20] autorelease], 1);
    fill_image(padded, 7);
    CHECK(has_elements(padded, 7) && ((float *)buffer.contents)[4] == 0);
    CHECK_RAISES(@"pixels with gaps", PMPImagePixelsOf(padded));
    MPSImage *tight =
        over_texture([[buffer newTextureWithDescriptor:descriptor offset:4 bytesPerRow:12] autorelease], 1);
    CHECK(PMPImagePixelsOf(tight).data == (char *)buffer.contents + 4);
}

#ifndef __APPLE__ // where the kernel does not enforce the limit
/// Memory that the system refuses is nil, and is asked for again.
static void test_out_of_memory(void) {
    MTLTextureDescriptor *large = [MTLTextureDescriptor texture2DDescriptorWithPixelFormat:MTLPixelFormatRGBA32Float
                                                                                     width:1024
                                                                                    height:1024
                                                                                 mipmapped:NO];
    large.textureType = MTLTextureType2DArray;
    large.arrayLength = 2;
    id<MTLTexture> texture = [[device newTextureWithDescriptor:large] autorelease];
    MPSImage *image = make_image(MPSImageFeatureChannelFormatFloat32, 1024, 1024, 8, 1);
    MPSImage *view = [image subImageWithFeatureChannelRange:NSMakeRange(4, 4)];
    struct rlimit unlimited, limited;
    getrlimit(RLIMIT_AS, &unlimited);
    limited = unlimited;
    limited.rlim_cur = 1 << 20; // less than the process has: nothing more is mapped
    setrlimit(RLIMIT_AS, &limited);
    BOOL none = image.texture == nil && view.texture == nil && PMPImagePixelsOf(view).data == NULL;
    MPSImage *arranged = [[MPSImage alloc] initWithTexture:texture featureChannels:4];
    id<MTLTexture> another = [device newTextureWithDescriptor:large];
    setrlimit(RLIMIT_AS, &unlimited);
    CHECK(none && arranged == nil && another == nil);
    CHECK(over_texture(texture, 4).numberOfImages == 2 && PMPImagePixelsOf(view).data != NULL);
    CHECK(view.texture.parentTexture == image.texture);
}
#endif

int main(void) {
    void (*const tests[])(void) = {
        test_descriptor,          test_pixel_formats,    test_lazy_memory,
        test_refused_descriptors, test_slices,           test_linear_memory,
        test_over_buffer,         test_over_texture,     test_over_texture_with_contents,
        test_over_texture_twice,  test_refused_textures,
#ifndef __APPLE__
        test_out_of_memory,
#endif
    };
    return run_tests(tests, sizeof tests / sizeof tests[0]);
}
