// Textures of the portable Metal: descriptors, limits, CPU access, views.
#import "metal_texture.h"

static void test_descriptor(void) {
    MTLTextureDescriptor *plain = [[[MTLTextureDescriptor alloc] init] autorelease];
    CHECK(plain.textureType == MTLTextureType2D && plain.pixelFormat == MTLPixelFormatRGBA8Unorm);
    CHECK(plain.width == 1 && plain.height == 1 && plain.depth == 1 && plain.arrayLength == 1);
    CHECK(plain.mipmapLevelCount == 1 && plain.sampleCount == 1 && plain.usage == MTLTextureUsageShaderRead);
    CHECK(plain.storageMode == MTLStorageModeManaged && plain.allowGPUOptimizedContents);
    CHECK(plain.swizzle.red == MTLTextureSwizzleRed && plain.swizzle.alpha == MTLTextureSwizzleAlpha);
    plain.storageMode = MTLStorageModePrivate;
    plain.cpuCacheMode = MTLCPUCacheModeWriteCombined;
    plain.hazardTrackingMode = MTLHazardTrackingModeUntracked;
    CHECK(plain.resourceOptions == (MTLResourceStorageModePrivate | MTLResourceCPUCacheModeWriteCombined |
                                    MTLResourceHazardTrackingModeUntracked));
    plain.resourceOptions = MTLResourceStorageModeShared | MTLResourceHazardTrackingModeTracked;
    CHECK(plain.storageMode == MTLStorageModeShared && plain.cpuCacheMode == MTLCPUCacheModeDefaultCache);
    CHECK(plain.hazardTrackingMode == MTLHazardTrackingModeTracked);

    MTLTextureDescriptor *levels = [MTLTextureDescriptor texture2DDescriptorWithPixelFormat:MTLPixelFormatR8Unorm
                                                                                      width:5
                                                                                     height:64
                                                                                  mipmapped:YES];
    CHECK(levels.mipmapLevelCount == 7 && levels.width == 5 && levels.height == 64);
    levels.depth = 2;
    levels.sampleCount = 4;
    levels.allowGPUOptimizedContents = NO;
    levels.swizzle = MTLTextureSwizzleChannelsMake(MTLTextureSwizzleOne, MTLTextureSwizzleZero, MTLTextureSwizzleBlue,
                                                   MTLTextureSwizzleGreen);
    levels.usage = MTLTextureUsageShaderWrite;
    MTLTextureDescriptor *copy = [[levels copy] autorelease];
    CHECK(copy != levels && copy.mipmapLevelCount == 7 && copy.width == 5 && copy.height == 64 && copy.depth == 2);
    CHECK(copy.pixelFormat == MTLPixelFormatR8Unorm && copy.sampleCount == 4 && !copy.allowGPUOptimizedContents);
    CHECK(copy.swizzle.red == MTLTextureSwizzleOne && copy.usage == MTLTextureUsageShaderWrite);
    CHECK([MTLTextureDescriptor textureCubeDescriptorWithPixelFormat:MTLPixelFormatR8Unorm size:8 mipmapped:NO]
              .textureType == MTLTextureTypeCube);
    MTLTextureDescriptor *line =
        [MTLTextureDescriptor textureBufferDescriptorWithPixelFormat:MTLPixelFormatR32Float
                                                               width:9
                                                     resourceOptions:MTLResourceStorageModeShared
                                                               usage:MTLTextureUsageShaderRead];
    CHECK(line.textureType == MTLTextureTypeTextureBuffer && line.width == 9 && line.height == 1);
    CHECK(line.storageMode == MTLStorageModeShared);
}

#define CHECK_REFUSED(text, ...)                                                                                       \
    do {                                                                                                               \
        MTLTextureDescriptor *d = describe(MTLPixelFormatRGBA8Unorm, 4, 4, 1);                                         \
        __VA_ARGS__;                                                                                                   \
        CHECK_RAISES(@"newTextureWithDescriptor:] descriptor: " text, [device newTextureWithDescriptor:d]);            \
    } while (0)

static void test_refused_textures(void) {
    CHECK_RAISES(@"descriptor: nil", [device newTextureWithDescriptor:nothing]);
    CHECK_REFUSED(@"width 0, expected 1 to 16384", d.width = 0);
    CHECK_REFUSED(@"width 16385", d.width = 16385);
    CHECK_REFUSED(@"height 0", d.height = 0);
    CHECK_REFUSED(@"height 18446744073709551615", d.height = NSUIntegerMax);
    CHECK_REFUSED(@"array length 2, expected 1 to 1", d.arrayLength = 2);
    CHECK_REFUSED(@"array length 0", d.arrayLength = 0);
    CHECK_REFUSED(@"array length 2049, expected 1 to 2048", d.textureType = MTLTextureType2DArray,
                  d.arrayLength = 2049);
    CHECK_REFUSED(@"depth 2", d.depth = 2);
    CHECK_REFUSED(@"mipmap level count 3", d.mipmapLevelCount = 3);
    CHECK_REFUSED(@"sample count 4", d.sampleCount = 4);
    CHECK_REFUSED(@"texture type 7", d.textureType = MTLTextureType3D);
    CHECK_REFUSED(@"pixel format 0", d.pixelFormat = MTLPixelFormatInvalid);
    CHECK_REFUSED(@"pixel format 80", d.pixelFormat = 80);
    CHECK_REFUSED(@"usage 0x20", d.usage = 0x20);
    CHECK_REFUSED(@"storage mode 3", d.storageMode = MTLStorageModeMemoryless);
    CHECK_REFUSED(@"0x300", d.resourceOptions = 0x300);
    CHECK_REFUSED(@"swizzled",
                  d.swizzle = MTLTextureSwizzleChannelsMake(MTLTextureSwizzleOne, MTLTextureSwizzleGreen,
                                                            MTLTextureSwizzleBlue, MTLTextureSwizzleAlpha));
    NSUInteger before = device.currentAllocatedSize;
    CHECK([device newTextureWithDescriptor:describe(MTLPixelFormatRGBA32Float, 16384, 16384, 2048)] == nil);
    CHECK(device.currentAllocatedSize == before);
    CHECK([device minimumLinearTextureAlignmentForPixelFormat:MTLPixelFormatRG16Float] == 4);
    CHECK([device minimumLinearTextureAlignmentForPixelFormat:MTLPixelFormatRGBA32Float] == 16);
    CHECK_RAISES(@"format: 80", [device minimumLinearTextureAlignmentForPixelFormat:80]);
}

static void test_properties(void) {
    NSUInteger before = device.currentAllocatedSize;
    MTLTextureDescriptor *descriptor = describe(MTLPixelFormatRGBA16Float, 5, 3, 4);
    descriptor.usage = MTLTextureUsageShaderRead | MTLTextureUsageShaderWrite;
    descriptor.allowGPUOptimizedContents = NO;
    id<MTLTexture> texture = [device newTextureWithDescriptor:descriptor];
    descriptor.width = 7; // read at creation
    CHECK(texture.width == 5 && texture.height == 3 && texture.depth == 1 && texture.arrayLength == 4);
    CHECK(texture.textureType == MTLTextureType2DArray && texture.pixelFormat == MTLPixelFormatRGBA16Float);
    CHECK(texture.mipmapLevelCount == 1 && texture.sampleCount == 1 && texture.usage == descriptor.usage);
    CHECK(texture.device == device && texture.storageMode == MTLStorageModeManaged);
    CHECK(texture.resourceOptions == MTLResourceStorageModeManaged && !texture.allowGPUOptimizedContents);
    CHECK(texture.cpuCacheMode == MTLCPUCacheModeDefaultCache &&
          texture.hazardTrackingMode == MTLHazardTrackingModeTracked);
    CHECK(texture.buffer == nil && texture.bufferOffset == 0 && texture.bufferBytesPerRow == 0);
    CHECK(texture.parentTexture == nil && texture.rootResource == nil && texture.parentRelativeSlice == 0);
    CHECK(texture.parentRelativeLevel == 0 && !texture.isShareable && !texture.isFramebufferOnly);
    CHECK(texture.swizzle.green == MTLTextureSwizzleGreen && texture.label == nil);
    texture.label = @"name";
    CHECK([texture.label isEqual:@"name"]);
    CHECK([texture setPurgeableState:MTLPurgeableStateVolatile] == MTLPurgeableStateNonVolatile);
    CHECK([texture setPurgeableState:MTLPurgeableStateKeepCurrent] == MTLPurgeableStateVolatile);
    CHECK(texture.allocatedSize >= 5 * 3 * 4 * 8);
    CHECK(device.currentAllocatedSize == before + texture.allocatedSize);
    [texture release];
    CHECK(device.currentAllocatedSize == before);
}

static void test_cpu_access(void) {
    const MTLPixelFormat formats[] = {MTLPixelFormatR8Unorm,  MTLPixelFormatRG8Unorm,  MTLPixelFormatRGBA8Unorm,
                                      MTLPixelFormatR16Unorm, MTLPixelFormatRG16Unorm, MTLPixelFormatRGBA16Unorm,
                                      MTLPixelFormatR16Float, MTLPixelFormatRG16Float, MTLPixelFormatRGBA16Float,
                                      MTLPixelFormatR32Float, MTLPixelFormatRG32Float, MTLPixelFormatRGBA32Float};
    const size_t pixelBytes[] = {1, 2, 4, 2, 4, 8, 2, 4, 8, 4, 8, 16};
    for (int i = 0; i < 12; i++) {
        id<MTLTexture> texture = make_texture(formats[i], 5, 4, 3);
        uint8_t zeros[16] = {1};
        [texture getBytes:zeros bytesPerRow:16 fromRegion:MTLRegionMake2D(4, 3, 1, 1) mipmapLevel:0];
        CHECK(zeros[0] == 0);
        fill_texture(texture, pixelBytes[i]);
        for (NSUInteger slice = 0; slice < 3; slice++) {
            CHECK(has_pattern(texture, slice, slice, MTLRegionMake2D(0, 0, 5, 4), pixelBytes[i]));
            CHECK(has_pattern(texture, slice, slice, MTLRegionMake2D(1, 2, 3, 2), pixelBytes[i]));
        }
        // Part of one slice: all else stays.
        MTLRegion part = MTLRegionMake2D(3, 1, 2, 2);
        NSData *other = pattern_of(7, part, pixelBytes[i], 2 * pixelBytes[i]);
        [texture replaceRegion:part
                   mipmapLevel:0
                         slice:1
                     withBytes:other.bytes
                   bytesPerRow:2 * pixelBytes[i]
                 bytesPerImage:0];
        CHECK(has_pattern(texture, 1, 7, part, pixelBytes[i]));
        CHECK(has_pattern(texture, 1, 1, MTLRegionMake2D(0, 0, 3, 4), pixelBytes[i]));
        CHECK(has_pattern(texture, 1, 1, MTLRegionMake2D(3, 3, 2, 1), pixelBytes[i]));
        CHECK(has_pattern(texture, 0, 0, part, pixelBytes[i]) && has_pattern(texture, 2, 2, part, pixelBytes[i]));
        [texture replaceRegion:part mipmapLevel:0 withBytes:other.bytes bytesPerRow:2 * pixelBytes[i]];
        CHECK(has_pattern(texture, 0, 7, part, pixelBytes[i]));
    }
}

static void get(id<MTLTexture> texture, void *bytes, NSUInteger bytesPerRow, MTLRegion region, NSUInteger level,
                NSUInteger slice) {
    [texture getBytes:bytes bytesPerRow:bytesPerRow bytesPerImage:0 fromRegion:region mipmapLevel:level slice:slice];
}

static void test_refused_access(void) {
    id<MTLTexture> texture = make_texture(MTLPixelFormatRGBA8Unorm, 4, 4, 2);
    char bytes[64];
    MTLRegion one = MTLRegionMake2D(0, 0, 1, 1);
    CHECK_RAISES(@"fromRegion:mipmapLevel:slice:] pixelBytes: NULL", get(texture, (void *)nothing, 16, one, 0, 0));
    CHECK_RAISES(@"level: 1", get(texture, bytes, 16, one, 1, 0));
    CHECK_RAISES(@"slice: 2, expected less than 2", get(texture, bytes, 16, one, 0, 2));
    CHECK_RAISES(@"region: 5 x 4 x 1", get(texture, bytes, 64, MTLRegionMake2D(0, 0, 5, 4), 0, 0));
    CHECK_RAISES(@"region: ", get(texture, bytes, 16, MTLRegionMake2D(5, 0, 1, 1), 0, 0));
    CHECK_RAISES(@"region: ", get(texture, bytes, 16, MTLRegionMake2D(0, 2, 1, 3), 0, 0));
    CHECK_RAISES(@"region: ", get(texture, bytes, 16, MTLRegionMake2D(0, 0, 0, 1), 0, 0));
    CHECK_RAISES(@"region: ", get(texture, bytes, 16, MTLRegionMake2D(1, 0, NSUIntegerMax, 1), 0, 0));
    CHECK_RAISES(@"region: ", get(texture, bytes, 16, MTLRegionMake3D(0, 0, 0, 1, 1, 2), 0, 0));
    CHECK_RAISES(@"region: ", get(texture, bytes, 16, MTLRegionMake3D(0, 0, 1, 1, 1, 1), 0, 0));
    CHECK_RAISES(@"bytesPerRow: 12, expected a multiple of 4 that holds 4 pixels",
                 get(texture, bytes, 12, MTLRegionMake2D(0, 0, 4, 1), 0, 0));
    CHECK_RAISES(@"bytesPerRow: 18", get(texture, bytes, 18, one, 0, 0));
    CHECK_RAISES(@"withBytes:bytesPerRow:bytesPerImage:] bytesPerRow: 0", [texture replaceRegion:one
                                                                                     mipmapLevel:0
                                                                                       withBytes:bytes
                                                                                     bytesPerRow:0]);
    MTLTextureDescriptor *hidden = describe(MTLPixelFormatR8Unorm, 4, 4, 1);
    hidden.storageMode = MTLStorageModePrivate;
    CHECK_RAISES(@"receiver: private storage",
                 get([[device newTextureWithDescriptor:hidden] autorelease], bytes, 16, one, 0, 0));
}

static id<MTLTexture> view_of(id<MTLTexture> texture, NSUInteger first, NSUInteger count) {
    return [[texture newTextureViewWithPixelFormat:texture.pixelFormat
                                       textureType:count == 1 ? MTLTextureType2D : MTLTextureType2DArray
                                            levels:NSMakeRange(0, 1)
                                            slices:NSMakeRange(first, count)] autorelease];
}

static void test_views(void) {
    const MTLPixelFormat formats[] = {MTLPixelFormatR16Float, MTLPixelFormatRGBA8Unorm};
    const size_t pixelBytes[] = {2, 4};
    MTLRegion all = MTLRegionMake2D(0, 0, 3, 2);
    for (int i = 0; i < 2; i++) {
        id<MTLTexture> texture = make_texture(formats[i], 3, 2, 4);
        fill_texture(texture, pixelBytes[i]);
        id<MTLTexture> middle = view_of(texture, 1, 2), inner = view_of(middle, 1, 1);
        CHECK(middle.parentTexture == texture && middle.parentRelativeSlice == 1 && middle.arrayLength == 2);
        CHECK(inner.parentTexture == middle && inner.parentRelativeSlice == 1 && inner.rootResource == middle);
        CHECK(inner.textureType == MTLTextureType2D && inner.width == 3 && inner.buffer == nil);
        CHECK(has_pattern(middle, 0, 1, all, pixelBytes[i]) && has_pattern(middle, 1, 2, all, pixelBytes[i]));
        CHECK(has_pattern(inner, 0, 2, all, pixelBytes[i]));
        NSData *other = pattern_of(9, all, pixelBytes[i], 3 * pixelBytes[i]);
        [inner replaceRegion:all mipmapLevel:0 withBytes:other.bytes bytesPerRow:3 * pixelBytes[i]];
        CHECK(has_pattern(texture, 2, 9, all, pixelBytes[i]) && has_pattern(texture, 3, 3, all, pixelBytes[i]));
        id<MTLTexture> whole = [[texture newTextureViewWithPixelFormat:formats[i]] autorelease];
        CHECK(whole.arrayLength == 4 && has_pattern(whole, 3, 3, all, pixelBytes[i]));
    }
    id<MTLTexture> texture = make_texture(MTLPixelFormatRGBA8Unorm, 3, 2, 4);
    CHECK_RAISES(@"pixelFormat: 10, expected the texture's, 70",
                 [texture newTextureViewWithPixelFormat:MTLPixelFormatR8Unorm]);
    CHECK_RAISES(@"slices: 2 from 3 on", view_of(texture, 3, 2));
    CHECK_RAISES(@"slices: 0 from 0 on", view_of(texture, 0, 0));
    CHECK_RAISES(@"levels: 2 from 0 on", [texture newTextureViewWithPixelFormat:MTLPixelFormatRGBA8Unorm
                                                                    textureType:MTLTextureType2D
                                                                         levels:NSMakeRange(0, 2)
                                                                         slices:NSMakeRange(0, 1)]);
    CHECK_RAISES(@"view: array length 2", [texture newTextureViewWithPixelFormat:MTLPixelFormatRGBA8Unorm
                                                                     textureType:MTLTextureType2D
                                                                          levels:NSMakeRange(0, 1)
                                                                          slices:NSMakeRange(0, 2)]);
    CHECK_RAISES(@"view: swizzled", [texture newTextureViewWithPixelFormat:MTLPixelFormatRGBA8Unorm
                                                               textureType:MTLTextureType2D
                                                                    levels:NSMakeRange(0, 1)
                                                                    slices:NSMakeRange(0, 1)
                                                                   swizzle:MTLTextureSwizzleChannelsMake(0, 0, 0, 0)]);
}

int main(void) {
    void (*const tests[])(void) = {
        test_descriptor, test_refused_textures, test_properties, test_cpu_access, test_refused_access, test_views,
    };
    return run_tests(tests, sizeof tests / sizeof tests[0]);
}
