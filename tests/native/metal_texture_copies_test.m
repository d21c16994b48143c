// Textures over buffers, and copies between textures and buffers.
#import "metal_texture.h"

static id<MTLTexture> over(id<MTLBuffer> buffer, MTLTextureDescriptor *descriptor, NSUInteger offset,
                           NSUInteger bytesPerRow) {
    return [[buffer newTextureWithDescriptor:descriptor offset:offset bytesPerRow:bytesPerRow] autorelease];
}

static void test_over_buffer(void) {
    id<MTLBuffer> buffer = [[device newBufferWithLength:100 options:0] autorelease];
    MTLTextureDescriptor *descriptor = describe(MTLPixelFormatRG8Unorm, 3, 4, 1);
    descriptor.storageMode = MTLStorageModeShared;
    id<MTLTexture> texture = over(buffer, descriptor, 2, 10);
    CHECK(texture.buffer == buffer && texture.bufferOffset == 2 && texture.bufferBytesPerRow == 10);
    CHECK(texture.rootResource == buffer && texture.parentTexture == nil);
    fill_texture(texture, 2);
    CHECK(has_pattern(texture, 0, 0, MTLRegionMake2D(0, 0, 3, 4), 2));
    const uint8_t *bytes = buffer.contents;
    CHECK(bytes[0] == 0 && bytes[2] == pattern(0, 0, 0, 0) && bytes[2 + 10 + 2 + 1] == pattern(0, 1, 1, 1));
    CHECK(bytes[2 + 6] == 0); // between the rows

    CHECK_RAISES(@"bytesPerRow: 4", over(buffer, descriptor, 0, 4));
    CHECK_RAISES(@"offset: 3", over(buffer, descriptor, 3, 10));
    CHECK(over(buffer, descriptor, 64, 10).bufferOffset == 64); // 3 rows of 10 and one of 6 bytes
    CHECK_RAISES(@"buffer: 100 bytes, expected 4 rows, 10 bytes apart, from 66 on", over(buffer, descriptor, 66, 10));
    CHECK_RAISES(@"buffer: ", over(buffer, descriptor, 0, NSUIntegerMax - 1));
    CHECK_RAISES(@"buffer: ", over(buffer, descriptor, NSUIntegerMax - 1, 10));
    descriptor.storageMode = MTLStorageModeManaged;
    CHECK_RAISES(@"descriptor: storage mode 1, expected the buffer's, 0", over(buffer, descriptor, 0, 10));
    descriptor.textureType = MTLTextureType2DArray;
    CHECK_RAISES(@"descriptor: texture type 3", over(buffer, descriptor, 0, 10));
    CHECK_RAISES(@"descriptor: nil", over(buffer, nothing, 0, 10));
}

static void upload(id<MTLBlitCommandEncoder> encoder, id<MTLBuffer> buffer, NSUInteger offset, NSUInteger bytesPerRow,
                   MTLRegion region, id<MTLTexture> texture, NSUInteger slice, NSUInteger level) {
    [encoder copyFromBuffer:buffer
               sourceOffset:offset
          sourceBytesPerRow:bytesPerRow
        sourceBytesPerImage:0
                 sourceSize:region.size
                  toTexture:texture
           destinationSlice:slice
           destinationLevel:level
          destinationOrigin:region.origin];
}

static void download(id<MTLBlitCommandEncoder> encoder, id<MTLTexture> texture, NSUInteger slice, NSUInteger level,
                     MTLRegion region, id<MTLBuffer> buffer, NSUInteger offset, NSUInteger bytesPerRow) {
    [encoder copyFromTexture:texture
                     sourceSlice:slice
                     sourceLevel:level
                    sourceOrigin:region.origin
                      sourceSize:region.size
                        toBuffer:buffer
               destinationOffset:offset
          destinationBytesPerRow:bytesPerRow
        destinationBytesPerImage:0];
}

/// There and back, through part of a slice of a private texture, which nobody else holds when the commands run.
static void test_copies(void) {
    MTLRegion part = MTLRegionMake2D(1, 2, 3, 2);
    NSData *pixels = pattern_of(5, part, 8, 32);
    id<MTLBuffer> source = [[device newBufferWithLength:16 + pixels.length options:0] autorelease];
    id<MTLBuffer> result = [[device newBufferWithLength:source.length options:0] autorelease];
    memcpy((char *)source.contents + 16, pixels.bytes, pixels.length);
    id<MTLCommandBuffer> commands = [queue commandBuffer];
    id<MTLBlitCommandEncoder> encoder = [commands blitCommandEncoder];
    @autoreleasepool {
        MTLTextureDescriptor *descriptor = describe(MTLPixelFormatRGBA16Unorm, 5, 4, 3);
        descriptor.storageMode = MTLStorageModePrivate;
        id<MTLTexture> texture = [[device newTextureWithDescriptor:descriptor] autorelease];
        upload(encoder, source, 16, 32, part, texture, 2, 0);
        download(encoder, texture, 2, 0, part, result, 8, 32);
        download(encoder, texture, 1, 0, MTLRegionMake2D(0, 0, 1, 1), result, 0, 8);
    }
    [encoder endEncoding];
    memset(result.contents, 0xff, 8);
    [commands commit];
    [commands waitUntilCompleted];
    CHECK(commands.status == MTLCommandBufferStatusCompleted);
    const char *bytes = result.contents;
    CHECK(memcmp(bytes + 8, pixels.bytes, 24) == 0 && memcmp(bytes + 40, (char *)pixels.bytes + 32, 24) == 0);
    CHECK(memcmp(bytes, "\0\0\0\0\0\0\0\0", 8) == 0); // another slice
}

static void test_copy_rules(void) {
    id<MTLBuffer> buffer = [[device newBufferWithLength:64 options:0] autorelease];
    id<MTLTexture> texture = make_texture(MTLPixelFormatRGBA8Unorm, 4, 4, 2);
    id<MTLCommandBuffer> commands = [queue commandBuffer];
    id<MTLBlitCommandEncoder> encoder = [commands blitCommandEncoder];
    MTLRegion all = MTLRegionMake2D(0, 0, 4, 4);
    CHECK_RAISES(@"texture: ", upload(encoder, buffer, 0, 16, all, nothing, 0, 0));
    CHECK_RAISES(@"expected a texture of the portable device", upload(encoder, buffer, 0, 16, all, (id)buffer, 0, 0));
    CHECK_RAISES(@"buffer: ", download(encoder, texture, 0, 0, all, (id)texture, 0, 16));
    CHECK_RAISES(@"slice: 2", download(encoder, texture, 2, 0, all, buffer, 0, 16));
    CHECK_RAISES(@"level: 1", download(encoder, texture, 0, 1, all, buffer, 0, 16));
    CHECK_RAISES(@"region: 4 x 5", upload(encoder, buffer, 0, 16, MTLRegionMake2D(0, 0, 4, 5), texture, 0, 0));
    CHECK_RAISES(@"offset: 2", upload(encoder, buffer, 2, 16, all, texture, 0, 0));
    CHECK_RAISES(@"buffer: 64 bytes", upload(encoder, buffer, 4, 16, all, texture, 0, 0));
    CHECK_RAISES(@"bytesPerRow: 12", download(encoder, texture, 0, 0, all, buffer, 0, 12));
    [encoder synchronizeResource:texture];
    [encoder synchronizeTexture:texture slice:1 level:0];
    CHECK_RAISES(@"synchronizeTexture:slice:level:] slice: 2", [encoder synchronizeTexture:texture slice:2 level:0]);
    CHECK_RAISES(@"texture: ", [encoder synchronizeTexture:(id)buffer slice:0 level:0]);
    MTLTextureDescriptor *shared = describe(MTLPixelFormatR8Unorm, 1, 1, 1);
    shared.storageMode = MTLStorageModeShared;
    id<MTLTexture> plain = [[device newTextureWithDescriptor:shared] autorelease];
    CHECK_RAISES(@"texture: storage mode 0, expected managed", [encoder synchronizeTexture:plain slice:0 level:0]);
    CHECK_RAISES(@"resource: storage mode 0, expected managed", [encoder synchronizeResource:plain]);
    [encoder endEncoding];
    CHECK_RAISES(@"has ended", upload(encoder, buffer, 0, 16, all, texture, 0, 0));
    [commands commit];
    [commands waitUntilCompleted];
    CHECK(commands.status == MTLCommandBufferStatusCompleted);
}

int main(void) {
    void (*const tests[])(void) = {
        test_over_buffer,
        test_copies,
        test_copy_rules,
    };
    return run_tests(tests, sizeof tests / sizeof tests[0]);
}
