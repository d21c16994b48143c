// Views of images, temporary images and their read counts, batches, allocators, and states of textures.
#import "mps_image.h"
#import "PMPBuffer.h"

static MPSImage *channels_of(MPSImage *image, NSUInteger first, NSUInteger count) {
    return [image subImageWithFeatureChannelRange:NSMakeRange(first, count)];
}

static MPSImage *slices_of(MPSImage *image, NSUInteger first, NSUInteger count, NSUInteger channels) {
    return [[[[image class] alloc] initWithParentImage:image
                                            sliceRange:(NSRange){first, count} // NSMakeRange may raise on its own
                                       featureChannels:channels] autorelease];
}

/// Whether a view of an image filled with `seed` has the elements from `channel` of image `n` on.
static BOOL is_view(MPSImage *view, NSUInteger seed, NSUInteger n, NSUInteger channel) {
    NSData *all = read_image(view);
    size_t width = channel_bytes(view.featureChannelFormat);
    BOOL same = YES;
    for (NSUInteger i = 0; i < view.numberOfImages; i++) {
        for (NSUInteger y = 0; y < view.height; y++) {
            for (NSUInteger x = 0; x < view.width; x++) {
                for (NSUInteger c = 0; c < view.featureChannels; c++) {
                    uint32_t bits = element(seed, n + i, y, x, channel + c);
                    same &= memcmp((char *)all.bytes + index_of(view, i, y, x, c) * width, &bits, width) == 0;
                }
            }
        }
    }
    return same;
}

static void test_batch_representation(void) {
    MPSImage *image = make_image(MPSImageFeatureChannelFormatUnorm16, 3, 2, 6, 4);
    MPSImageBatch *batch = [image batchRepresentation];
    fill_image(image, 1);
    CHECK(batch.count == 4);
    for (NSUInteger n = 0; n < 4; n++) {
        MPSImage *one = [batch objectAtIndex:n];
        CHECK(one.parent == image && one.numberOfImages == 1 && one.featureChannels == 6 && one.resourceSize == 0);
        CHECK(one.width == 3 && one.height == 2 && one.device == device && one.pixelFormat == image.pixelFormat);
        CHECK(one.textureType == MTLTextureType2DArray && one.usage == image.usage);
        CHECK(is_view(one, 1, n, 0));
        CHECK(PMPImagePixelsOf(one).data == (char *)PMPImagePixelsOf(image).data + n * image_bytes(image));
        CHECK(one.texture.parentTexture == image.texture && one.texture.arrayLength == 2);
        CHECK(one.texture.parentRelativeSlice == n * 2);
    }
    fill_image(batch.lastObject, 2); // the parent's memory
    CHECK([[read_image(image) subdataWithRange:NSMakeRange(3 * 72, 72)] isEqual:elements_of(batch.lastObject, 2)]);
    CHECK(is_view(slices_of(image, 0, 6, 6), 1, 0, 0));

    MPSImageBatch *middle = [image batchRepresentationWithSubRange:NSMakeRange(1, 2)];
    CHECK(middle.count == 2 && is_view(middle.firstObject, 1, 1, 0) && is_view(middle.lastObject, 1, 2, 0));
    CHECK([image batchRepresentationWithSubRange:NSMakeRange(4, 0)].count == 0);
    CHECK_RAISES(@"batchRepresentationWithSubRange:] subRange: 2 from 3 on, expected a part of 4",
                 [image batchRepresentationWithSubRange:NSMakeRange(3, 2)]);
}

static void test_sub_images(void) {
    for (int i = 0; i < 4; i++) {
        MPSImage *image = make_image(kChannelFormats[i], 3, 2, 14, 1);
        fill_image(image, 1);
        MPSImage *first = channels_of(image, 0, 4), *middle = channels_of(image, 4, 8),
                 *last = channels_of(image, 8, 8);
        CHECK(first.featureChannels == 4 && middle.featureChannels == 8 && last.featureChannels == 6); // cut off
        CHECK(first.textureType == MTLTextureType2D && first.texture.arrayLength == 1);
        CHECK(is_view(first, 1, 0, 0) && is_view(middle, 1, 0, 4) && is_view(last, 1, 0, 8));
        MPSImage *inner = channels_of(middle, 4, 4);
        CHECK(inner.parent == middle && is_view(inner, 1, 0, 8));
        PMPImagePixels pixels = PMPImagePixelsOf(inner), whole = PMPImagePixelsOf(image);
        CHECK(pixels.pixels == 6 && pixels.pixel_bytes == 14 * kChannelBytes[i] && pixels.resource == inner.texture);
        CHECK(pixels.data == (char *)whole.data + 8 * kChannelBytes[i]);
        fill_image(inner, 2);
        CHECK(is_view(inner, 2, 0, 0) && is_view(first, 1, 0, 0) && is_view(channels_of(image, 12, 4), 1, 0, 12));
        char slice[6 * 16];
        [last.texture getBytes:slice
                   bytesPerRow:3 * image.pixelSize
                 bytesPerImage:0
                    fromRegion:MTLRegionMake2D(0, 0, 3, 2)
                   mipmapLevel:0
                         slice:1];
        uint32_t twelfth = element(1, 0, 1, 2, 12), nothingThere = 0;
        CHECK(memcmp(slice + 5 * image.pixelSize, &twelfth, kChannelBytes[i]) == 0);
        CHECK(memcmp(slice + 5 * image.pixelSize + 2 * kChannelBytes[i], &nothingThere, kChannelBytes[i]) == 0);
    }
    MPSImage *image = make_image(MPSImageFeatureChannelFormatUnorm8, 3, 2, 14, 1);
    CHECK_RAISES(@"range: 4 channels from 2 on", channels_of(image, 2, 4));
    CHECK_RAISES(@"range: 3 channels from 0 on", channels_of(image, 0, 3));
    CHECK_RAISES(@"range: 0 channels", channels_of(image, 0, 0));
    CHECK_RAISES(@"range: 4 channels from 16 on", channels_of(image, 16, 4));
    CHECK_RAISES(@"receiver: 2 images, expected one",
                 channels_of(make_image(MPSImageFeatureChannelFormatUnorm8, 3, 2, 14, 2), 0, 4));
}

static void test_slice_ranges(void) {
    MPSImage *image = make_image(MPSImageFeatureChannelFormatFloat32, 3, 2, 16, 2);
    fill_image(image, 1);
    CHECK(is_view(slices_of(image, 4, 4, 16), 1, 1, 0) && is_view(slices_of(image, 4, 4, 13), 1, 1, 0));
    CHECK(is_view(slices_of(image, 5, 2, 7), 1, 1, 4));
    MPSImage *fours = slices_of(image, 1, 3, 4); // channels 4 to 15 as three images
    CHECK(fours.numberOfImages == 3);
    NSData *all = read_image(fours);
    for (NSUInteger n = 0; n < 3; n++) {
        uint32_t bits = element(1, 0, 1, 2, 4 + n * 4 + 3);
        CHECK(memcmp((char *)all.bytes + index_of(fours, n, 1, 2, 3) * 4, &bits, 4) == 0);
    }
    CHECK_RAISES(@"pixels with gaps", PMPImagePixelsOf(fours));
    CHECK_RAISES(@"-[MPSImage initWithParentImage:sliceRange:featureChannels:] sliceRange: 9 from 0 on",
                 slices_of(image, 0, 9, 16));
    CHECK_RAISES(@"sliceRange: 0 from 0 on", slices_of(image, 0, 0, 16));
    CHECK_RAISES(@"sliceRange: 2 from 18446744073709551615 on", slices_of(image, NSUIntegerMax, 2, 4));
    CHECK_RAISES(@"sliceRange: 3 slices, expected a multiple of the 2 that 8 channels take", slices_of(image, 0, 3, 8));
    CHECK_RAISES(@"sliceRange: 4 slices from 2 on, expected whole images of 4 slices", slices_of(image, 2, 4, 16));
    CHECK_RAISES(@"featureChannels: 0", slices_of(image, 0, 4, 0));
    CHECK_RAISES(@"featureChannels: 17, expected 1 to 16", slices_of(image, 0, 4, 17));
    CHECK_RAISES(@"featureChannels: 4, expected 1 to 1",
                 slices_of(make_image(MPSImageFeatureChannelFormatFloat32, 3, 2, 5, 1), 1, 1, 4));
    CHECK_RAISES(@"parent: ", [[MPSImage alloc] initWithParentImage:nothing
                                                         sliceRange:NSMakeRange(0, 1)
                                                    featureChannels:1]);
}

/// A view keeps what it needs, and makes its parent's memory.
static void test_views_outlive_their_parents(void) {
    MPSImage *view;
    @autoreleasepool {
        MPSImage *image = make_image(MPSImageFeatureChannelFormatFloat32, 3, 2, 8, 1);
        view = [channels_of(channels_of(image, 0, 8), 4, 4) retain];
    }
    fill_image(view, 1);
    CHECK(is_view(view, 1, 0, 0) && view.parent.parent.featureChannels == 8);
    [view release];
}

static MPSTemporaryImage *make_temporary(id<MTLCommandBuffer> commandBuffer, NSUInteger channels, NSUInteger images) {
    return [MPSTemporaryImage
        temporaryImageWithCommandBuffer:commandBuffer
                        imageDescriptor:describe(MPSImageFeatureChannelFormatFloat16, 3, 2, channels, images)];
}

static void test_temporary_image(void) {
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    NSUInteger before = device.currentAllocatedSize;
    MPSTemporaryImage *image = make_temporary(commandBuffer, 6, 2);
    [MPSTemporaryImage prefetchStorageWithCommandBuffer:commandBuffer imageDescriptorList:@[]];
    CHECK(image.readCount == 1 && image.width == 3 && image.featureChannels == 6 && image.device == device);
    CHECK(image.resourceSize == 3 * 2 * 6 * 2 * 2 && device.currentAllocatedSize == before);
    CHECK(image.texture.storageMode == (is_private_mode() ? MTLStorageModePrivate : MTLStorageModeShared));
    CHECK(PMPImagePixelsOf(image).data != NULL && PMPTemporaryIsUsable(&image->_temporary, (id)commandBuffer));
    CHECK(device.currentAllocatedSize > before);
    if (is_private_mode()) {
        CHECK_RAISES(@"receiver: private storage", fill_image(image, 1));
    } else {
        fill_image(image, 1);
        CHECK(has_elements(image, 1));
    }
    image.readCount = 3;
    CHECK(image.readCount == 3);
    image.readCount = 0;
    CHECK(device.currentAllocatedSize == before);
    CHECK_RAISES(@"-[MPSTemporaryImage setReadCount:] receiver: ", image.readCount = 1);
    CHECK_RAISES(@"-[MPSTemporaryImage texture] receiver: ", [image texture]);
    CHECK_RAISES(@"receiver: its read count is 0", PMPImagePixelsOf(image));
    CHECK_RAISES(@"receiver: its read count is 0", read_image(image));
    CHECK(!PMPTemporaryIsUsable(&image->_temporary, (id)commandBuffer));
    run(commandBuffer);
    CHECK_RAISES(@"+[MPSTemporaryImage temporaryImageWithCommandBuffer:imageDescriptor:] imageDescriptor: ",
                 [MPSTemporaryImage temporaryImageWithCommandBuffer:commandBuffer imageDescriptor:nothing]);
    CHECK_RAISES(@"temporaryImageWithCommandBuffer:imageDescriptor:", make_temporary(nothing, 1, 1));
    CHECK_RAISES(@"prefetchStorageWithCommandBuffer:imageDescriptorList:",
                 [MPSTemporaryImage prefetchStorageWithCommandBuffer:nothing imageDescriptorList:@[]]);
}

static void test_temporary_image_of_texture(void) {
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    MTLTextureDescriptor *descriptor = [[[MTLTextureDescriptor alloc] init] autorelease];
    descriptor.textureType = MTLTextureType2DArray;
    descriptor.pixelFormat = MTLPixelFormatRGBA16Float;
    descriptor.arrayLength = 6;
    descriptor.storageMode = MTLStorageModePrivate;
    MPSTemporaryImage *slices = [MPSTemporaryImage temporaryImageWithCommandBuffer:commandBuffer
                                                                 textureDescriptor:descriptor];
    CHECK(slices.featureChannels == 4 && slices.numberOfImages == 6 && slices.texture.arrayLength == 6);
    MPSTemporaryImage *images = [MPSTemporaryImage temporaryImageWithCommandBuffer:commandBuffer
                                                                 textureDescriptor:descriptor
                                                                   featureChannels:7];
    CHECK(images.featureChannels == 7 && images.numberOfImages == 3 && images.readCount == 1);
    CHECK(PMPImagePixelsOf(images).pixel_bytes == 16 && PMPImagePixelsOf(images).pixels == 3);
#define OF_TEXTURE(channels)                                                                                           \
    [MPSTemporaryImage temporaryImageWithCommandBuffer:commandBuffer                                                   \
                                     textureDescriptor:descriptor                                                      \
                                       featureChannels:channels]
    CHECK_RAISES(@"textureDescriptor: 6 slices, expected a multiple of the 4", OF_TEXTURE(16));
    CHECK_RAISES(@"featureChannels: 0", OF_TEXTURE(0));
    descriptor.usage = MTLTextureUsageRenderTarget;
    CHECK_RAISES(@"textureDescriptor: usage 0x4", OF_TEXTURE(4));
    descriptor.usage = MTLTextureUsageShaderWrite;
    descriptor.storageMode = MTLStorageModeManaged;
    CHECK_RAISES(@"textureDescriptor: storage mode 1, expected private", OF_TEXTURE(4));
    descriptor.storageMode = MTLStorageModePrivate;
    descriptor.pixelFormat = MTLPixelFormatInvalid;
    CHECK_RAISES(@"textureDescriptor: pixel format 0", OF_TEXTURE(4));
    descriptor = nothing;
    CHECK_RAISES(@"textureDescriptor: nil", OF_TEXTURE(4));
    run(commandBuffer);
}

/// A view holds a read of its parent's until it has been read itself.
static void test_temporary_views(void) {
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    MPSTemporaryImage *image = make_temporary(commandBuffer, 8, 3);
    MPSImageBatch *batch = [image batchRepresentation];
    MPSTemporaryImage *first = (MPSTemporaryImage *)batch.firstObject;
    CHECK(batch.count == 3 && image.readCount == 4 && [first isKindOfClass:[MPSTemporaryImage class]]);
    CHECK(first.readCount == 1 && first.parent == image && PMPTemporaryIsUsable(&first->_temporary, (id)commandBuffer));
    MPSTemporaryImage *half = (MPSTemporaryImage *)channels_of(first, 4, 4);
    CHECK(first.readCount == 2 && half.readCount == 1);
    CHECK(PMPImagePixelsOf(half).data == (char *)PMPImagePixelsOf(image).data + 8);
    CHECK(PMPImagePixelsOf(half).pixel_bytes == 16);
    image.readCount -= 1; // the one that it was made with
    half.readCount = 0;
    CHECK(first.readCount == 1 && image.readCount == 3);
    first.readCount = 0;
    CHECK(image.readCount == 2 && image.texture != nil);
    CHECK_RAISES(@"its read count is 0", PMPImagePixelsOf(first));
    CHECK(MPSImageBatchIncrementReadCount(batch, -1) == 3); // the first has none left
    CHECK(image.readCount == 0);
    CHECK_RAISES(@"its read count is 0", [image batchRepresentation]);
    MPSTemporaryImage *other = make_temporary(commandBuffer, 4, 1);
    CHECK_RAISES(@"parent: ", [[MPSImage alloc] initWithParentImage:other
                                                         sliceRange:NSMakeRange(0, 1)
                                                    featureChannels:4]);
    MPSImage *plain = make_image(MPSImageFeatureChannelFormatFloat16, 3, 2, 4, 1);
    CHECK_RAISES(@"parent: ", [[MPSTemporaryImage alloc] initWithParentImage:plain
                                                                  sliceRange:NSMakeRange(0, 1)
                                                             featureChannels:4]);
    CHECK(other.readCount == 1);
    run(commandBuffer);
}

static void test_batches(void) {
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    MPSTemporaryImage *temporary = make_temporary(commandBuffer, 4, 1);
    MPSImage *plain = make_image(MPSImageFeatureChannelFormatFloat32, 3, 2, 4, 1);
    MPSImageBatch *batch = @[ temporary, plain, temporary ];
    CHECK(MPSImageBatchIncrementReadCount(batch, 2) == 2 && temporary.readCount == 3);
    CHECK_RAISES(@"-[MPSTemporaryImage setReadCount:] readCount: 3, lowered by 4",
                 MPSImageBatchIncrementReadCount(batch, -4));
    CHECK(MPSImageBatchIncrementReadCount(batch, -3) == 2 && temporary.readCount == 0);
    CHECK(MPSImageBatchIncrementReadCount(batch, 1) == 2 && temporary.readCount == 0);
    CHECK(MPSImageBatchIncrementReadCount(@[], 1) == 0);
    CHECK(MPSImageBatchResourceSize(batch) == 3 * 2 * 4 * 2 + 3 * 2 * 4 * 4);
    fill_image(plain, 1);
    MPSImageBatchSynchronize(batch, commandBuffer);
    run(commandBuffer);

    __block NSUInteger calls = 0, indices = 0;
    NSInteger (^count)(MPSImage *, NSUInteger) = ^(MPSImage *image, NSUInteger index) {
        CHECK(image == [batch objectAtIndex:index]);
        calls++;
        indices += index;
        return (NSInteger)(calls * 10);
    };
    CHECK(MPSImageBatchIterate(batch, count) == 20 && calls == 2 && indices == 1);
    calls = 0;
    NSInteger (^stop)(MPSImage *, NSUInteger) = ^(MPSImage *image, NSUInteger index) {
        (void)image, (void)index;
        calls++;
        return NSIntegerMax;
    };
    CHECK(MPSImageBatchIterate(batch, stop) == NSIntegerMax && calls == 1);
    CHECK(MPSImageBatchIterate(@[], stop) == 0 && calls == 1);
}

static void test_allocators(void) {
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    MPSImageDescriptor *descriptor = describe(MPSImageFeatureChannelFormatFloat32, 3, 2, 5, 1);
    MPSKernel *kernel = [[[MPSKernel alloc] initWithDevice:device] autorelease];
    id<MPSImageAllocator> plain = [MPSImage defaultAllocator], temporary = [MPSTemporaryImage defaultAllocator];
    CHECK(plain != temporary && plain == [MPSImage defaultAllocator]);
    MPSImage *one = [plain imageForCommandBuffer:commandBuffer imageDescriptor:descriptor kernel:kernel];
    CHECK([one isMemberOfClass:[MPSImage class]] && one.featureChannels == 5 && one.device == device);
    MPSImageBatch *batch = [temporary imageBatchForCommandBuffer:commandBuffer
                                                 imageDescriptor:descriptor
                                                          kernel:kernel
                                                           count:3];
    CHECK(batch.count == 3 && batch.firstObject != batch.lastObject);
    CHECK([batch.firstObject isKindOfClass:[MPSTemporaryImage class]] && batch.firstObject.width == 3);
    CHECK_RAISES(@"imageForCommandBuffer:imageDescriptor:kernel:", [plain imageForCommandBuffer:nothing
                                                                                imageDescriptor:descriptor
                                                                                         kernel:kernel]);
    run(commandBuffer);
    NSData *archive = [NSKeyedArchiver archivedDataWithRootObject:@[ (id)plain, (id)temporary ]];
    NSArray *read = [NSKeyedUnarchiver unarchiveObjectWithData:archive];
    CHECK([read objectAtIndex:0] == (id)plain && [read objectAtIndex:1] == (id)temporary);
    CHECK([[(id)plain class] supportsSecureCoding]);
}

static MTLTextureDescriptor *describe_texture(NSUInteger slices) {
    MTLTextureDescriptor *descriptor = [MTLTextureDescriptor texture2DDescriptorWithPixelFormat:MTLPixelFormatRG16Float
                                                                                          width:5
                                                                                         height:3
                                                                                      mipmapped:NO];
    descriptor.textureType = MTLTextureType2DArray;
    descriptor.arrayLength = slices;
    descriptor.usage = MTLTextureUsageShaderWrite;
    return descriptor;
}

static void test_states_of_textures(void) {
    MPSStateResourceList *list =
        [MPSStateResourceList resourceListWithTextureDescriptors:describe_texture(2), describe_texture(4), nil];
    [list appendBuffer:16];
    MTLTextureDescriptor *changed = describe_texture(1);
    [list appendTexture:changed];
    changed.width = 99; // read when it was appended
    MPSState *state = [[[MPSState alloc] initWithDevice:device resourceList:list] autorelease];
    CHECK(state.resourceCount == 4 && [state resourceTypeAtIndex:2] == MPSStateResourceTypeTexture);
    CHECK([state resourceTypeAtIndex:3] == MPSStateResourceTypeBuffer && [state bufferSizeAtIndex:3] == 16);
    CHECK([state resourceTypeAtIndex:4] == MPSStateResourceTypeNone && [state bufferSizeAtIndex:1] == 0);
    MPSStateTextureInfo info = [state textureInfoAtIndex:1];
    CHECK(info.width == 5 && info.height == 3 && info.depth == 1 && info.arrayLength == 4);
    CHECK(info.pixelFormat == MTLPixelFormatRG16Float && info.textureType == MTLTextureType2DArray);
    CHECK(info.usage == MTLTextureUsageShaderWrite && [state textureInfoAtIndex:2].width == 5);
    CHECK([state textureInfoAtIndex:3].width == 0 && [state textureInfoAtIndex:4].width == 0);
    CHECK(state.resourceSize == 5 * 3 * 4 * (2 + 4 + 1) + 16);
    CHECK([state resourceAtIndex:1 allocateMemory:NO] == nil);
    id<MTLTexture> texture = (id<MTLTexture>)[state resourceAtIndex:1 allocateMemory:YES];
    CHECK(texture.arrayLength == 4 && texture.storageMode == MTLStorageModeManaged);
    CHECK([state resourceAtIndex:1 allocateMemory:NO] == texture && state.resource != nil);
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    [state synchronizeOnCommandBuffer:commandBuffer];
    run(commandBuffer);

    MPSState *given = [[[MPSState alloc] initWithResource:texture] autorelease];
    CHECK(given.resource == texture && [given resourceTypeAtIndex:0] == MPSStateResourceTypeTexture);
    CHECK([given textureInfoAtIndex:0].arrayLength == 4 && given.resourceSize == 5 * 3 * 4 * 4);
    MPSState *one = [[[MPSState alloc] initWithDevice:device textureDescriptor:describe_texture(3)] autorelease];
    CHECK(one.resourceCount == 1 && [(id<MTLTexture>)one.resource arrayLength] == 3);
    MTLTextureDescriptor *bad = describe_texture(0);
    CHECK_RAISES(@"-[MPSState initWithDevice:textureDescriptor:] descriptor: array length 0",
                 [[MPSState alloc] initWithDevice:device textureDescriptor:bad]);
    [list appendTexture:bad];
    CHECK_RAISES(@"resourceList: array length 0", [[MPSState alloc] initWithDevice:device resourceList:list]);
    CHECK_RAISES(@"appendTexture:] descriptor: nil", [list appendTexture:nothing]);
    MPSImageDescriptor *suggestion = describe(MPSImageFeatureChannelFormatFloat16, 1, 1, 1, 1);
    CHECK([state destinationImageDescriptorForSourceImages:@[]
                                              sourceStates:nil
                                                 forKernel:nothing
                                       suggestedDescriptor:suggestion] == suggestion);
}

static void test_temporary_states_of_textures(void) {
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    MPSState *state = [MPSState temporaryStateWithCommandBuffer:commandBuffer textureDescriptor:describe_texture(2)];
    CHECK(state.isTemporary && state.readCount == 1 && state.resourceCount == 1);
    CHECK(state.resource.storageMode == (is_private_mode() ? MTLStorageModePrivate : MTLStorageModeShared));
    CHECK([(id<MTLTexture>)state.resource arrayLength] == 2);
    state.readCount = 0;
    CHECK_RAISES(@"receiver: ", [state resource]);
    CHECK([state resourceTypeAtIndex:0] == MPSStateResourceTypeTexture);
    run(commandBuffer);
}

static void test_small_types(void) {
    CHECK(MPSRectNoClip.origin.x == 0 && MPSRectNoClip.origin.y == 0 && MPSRectNoClip.origin.z == 0);
    CHECK(MPSRectNoClip.size.width == NSUIntegerMax && MPSRectNoClip.size.depth == NSUIntegerMax);
    MPSImageRegion region = {{1, 2, 3}, {4, 5, 6}};
    MPSOffset offset = {-1, 0, 1};
    CHECK(region.size.channel == 6 && offset.x < 0);
}

int main(void) {
    void (*const tests[])(void) = {
        test_batch_representation,
        test_sub_images,
        test_slice_ranges,
        test_views_outlive_their_parents,
        test_temporary_image,
        test_temporary_image_of_texture,
        test_temporary_views,
        test_batches,
        test_allocators,
        test_states_of_textures,
        test_temporary_states_of_textures,
        test_small_types,
    };
    return run_tests(tests, sizeof tests / sizeof tests[0]);
}
