// What the tests of textures share: pixels that differ from byte to byte, and ways to and from them.
#import "check.h"
#import <Metal/Metal.h>

static id<MTLDevice> device;
static id<MTLCommandQueue> queue;
static id const nothing; // nil, where the declaration asks for an object

static inline MTLTextureDescriptor *describe(MTLPixelFormat format, NSUInteger width, NSUInteger height,
                                             NSUInteger slices) {
    MTLTextureDescriptor *descriptor = [MTLTextureDescriptor texture2DDescriptorWithPixelFormat:format
                                                                                          width:width
                                                                                         height:height
                                                                                      mipmapped:NO];
    descriptor.textureType = slices > 1 ? MTLTextureType2DArray : MTLTextureType2D;
    descriptor.arrayLength = slices;
    return descriptor;
}

static inline id<MTLTexture> make_texture(MTLPixelFormat format, NSUInteger width, NSUInteger height,
                                          NSUInteger slices) {
    return [[device newTextureWithDescriptor:describe(format, width, height, slices)] autorelease];
}

/// Byte i of the pixel (x, y) of a slice.
static inline uint8_t pattern(NSUInteger slice, NSUInteger y, NSUInteger x, NSUInteger i) {
    return (uint8_t)(slice * 101 + y * 37 + x * 13 + i * 3 + 1);
}

static inline NSMutableData *pattern_of(NSUInteger slice, MTLRegion region, size_t pixelBytes, NSUInteger bytesPerRow) {
    NSMutableData *bytes = [NSMutableData dataWithLength:region.size.height * bytesPerRow];
    for (NSUInteger y = 0; y < region.size.height; y++) {
        for (NSUInteger x = 0; x < region.size.width; x++) {
            for (NSUInteger i = 0; i < pixelBytes; i++) {
                ((uint8_t *)bytes.mutableBytes)[y * bytesPerRow + x * pixelBytes + i] =
                    pattern(slice, region.origin.y + y, region.origin.x + x, i);
            }
        }
    }
    return bytes;
}

static inline void fill_texture(id<MTLTexture> texture, size_t pixelBytes) {
    MTLRegion all = MTLRegionMake2D(0, 0, texture.width, texture.height);
    for (NSUInteger slice = 0; slice < texture.arrayLength; slice++) {
        NSUInteger bytesPerRow = texture.width * pixelBytes;
        [texture replaceRegion:all
                   mipmapLevel:0
                         slice:slice
                     withBytes:pattern_of(slice, all, pixelBytes, bytesPerRow).bytes
                   bytesPerRow:bytesPerRow
                 bytesPerImage:0];
    }
}

/// Whether part of a slice has the pattern of `patternSlice`, read with gaps between rows that stay as they are.
static inline BOOL has_pattern(id<MTLTexture> texture, NSUInteger slice, NSUInteger patternSlice, MTLRegion region,
                               size_t pixelBytes) {
    NSUInteger bytesPerRow = (region.size.width + 1) * pixelBytes;
    NSMutableData *expected = pattern_of(patternSlice, region, pixelBytes, bytesPerRow);
    NSMutableData *bytes = [NSMutableData dataWithLength:expected.length];
    [texture getBytes:bytes.mutableBytes
          bytesPerRow:bytesPerRow
        bytesPerImage:0
           fromRegion:region
          mipmapLevel:0
                slice:slice];
    return [bytes isEqual:expected];
}

/// Runs the tests, each in a pool of its own.
static inline int run_tests(void (*const tests[])(void), size_t count) {
    @autoreleasepool {
        device = [MTLCreateSystemDefaultDevice() autorelease];
        queue = [[device newCommandQueue] autorelease];
        for (size_t i = 0; i < count; i++) {
            @autoreleasepool {
                tests[i]();
            }
        }
    }
    return report();
}
