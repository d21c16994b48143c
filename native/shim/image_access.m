// The way between the CPU and images in storage of any mode.
#import "images.h"

static size_t bytes_of_one(const pymps_image_descriptor *descriptor) {
    return pmp_image_bytes(descriptor) / descriptor->number_of_images;
}

// ---- What the CPU sees ----

static void set_elements(MPSImage *image, size_t first, size_t count, pymps_data_layout layout, size_t image_bytes,
                         const char *elements) {
    for (size_t index = 0; index < count; index++)
        [image writeBytes:elements + index * image_bytes dataLayout:(MPSDataLayout)layout imageIndex:first + index];
}

static void get_elements(MPSImage *image, size_t first, size_t count, pymps_data_layout layout, size_t image_bytes,
                         char *elements) {
    for (size_t index = 0; index < count; index++)
        [image readBytes:elements + index * image_bytes dataLayout:(MPSDataLayout)layout imageIndex:first + index];
}

void pmp_image_set(MPSImage *image, const void *elements) {
    pymps_image_descriptor descriptor = pmp_image_descriptor_of(image);
    set_elements(image, 0, descriptor.number_of_images, PYMPS_HEIGHT_WIDTH_CHANNELS, bytes_of_one(&descriptor),
                 elements);
}

void pmp_image_get(MPSImage *image, void *elements) {
    pymps_image_descriptor descriptor = pmp_image_descriptor_of(image);
    get_elements(image, 0, descriptor.number_of_images, PYMPS_HEIGHT_WIDTH_CHANNELS, bytes_of_one(&descriptor),
                 elements);
}

void pmp_image_synchronize(MPSImage *image, id<MTLCommandBuffer> command_buffer) {
    if (image.texture.storageMode == MTLStorageModeManaged)
        [image synchronizeOnCommandBuffer:command_buffer];
}

// ---- What it does not see: by way of another image ----

// Slice by slice, by way of a buffer: not every device copies between textures.
static pymps_status copy(const pmp_call *call, id<MTLCommandBuffer> command_buffer, MPSImage *from, MPSImage *to) {
    NSUInteger slices = from.texture.arrayLength, row_bytes = from.width * from.pixelSize;
    NSUInteger slice_bytes = from.height * row_bytes;
    id<MTLBuffer> staging;
    PMP_TRY(pmp_staging_make(call, from.device, slices * slice_bytes, &staging));
    MTLSize size = MTLSizeMake(from.width, from.height, 1);
    MTLOrigin origin = MTLOriginMake(0, 0, 0);
    return pmp_blit(call, command_buffer, ^(id<MTLBlitCommandEncoder> encoder) {
        for (NSUInteger slice = 0; slice < slices; slice++) {
            [encoder copyFromTexture:from.texture
                             sourceSlice:slice
                             sourceLevel:0
                            sourceOrigin:origin
                              sourceSize:size
                                toBuffer:staging
                       destinationOffset:slice * slice_bytes
                  destinationBytesPerRow:row_bytes
                destinationBytesPerImage:slice_bytes];
            [encoder copyFromBuffer:staging
                       sourceOffset:slice * slice_bytes
                  sourceBytesPerRow:row_bytes
                sourceBytesPerImage:slice_bytes
                         sourceSize:size
                          toTexture:to.texture
                   destinationSlice:slice
                   destinationLevel:0
                  destinationOrigin:origin];
        }
    });
}

static pymps_status make_staging(const pmp_call *call, pymps_device *device, MPSImage *image, MPSImage **staging) {
    pymps_image_descriptor descriptor = pmp_image_descriptor_of(image);
    return pmp_image_make(call, device->device, &descriptor, staging);
}

// Lets the CPU see what the device has written; `visible` becomes the image itself, or a copy.
static pymps_status fetch(const pmp_call *call, pymps_device *device, MPSImage *image, MPSImage **visible) {
    MTLStorageMode mode = image.texture.storageMode;
    *visible = image;
    if (mode == MTLStorageModeShared)
        return PYMPS_OK;
    id<MTLCommandBuffer> command_buffer;
    PMP_TRY(pmp_command_buffer_make(call, device->queue, &command_buffer));
    if (mode == MTLStorageModePrivate) {
        PMP_TRY(make_staging(call, device, image, visible));
        PMP_TRY(copy(call, command_buffer, image, *visible));
    }
    pmp_image_synchronize(*visible, command_buffer);
    return pmp_finish(call, command_buffer);
}

// Sets elements, in place or in a copy that is complete before.
static pymps_status store(const pmp_call *call, pymps_device *device, MPSImage *image, bool is_whole,
                          void (^set)(MPSImage *visible)) {
    if (image.texture.storageMode != MTLStorageModePrivate) {
        set(image);
        return PYMPS_OK;
    }
    MPSImage *staging;
    PMP_TRY(is_whole ? make_staging(call, device, image, &staging) : fetch(call, device, image, &staging));
    set(staging);
    id<MTLCommandBuffer> command_buffer;
    PMP_TRY(pmp_command_buffer_make(call, device->queue, &command_buffer));
    PMP_TRY(copy(call, command_buffer, staging, image));
    return pmp_finish(call, command_buffer);
}

pymps_status pmp_image_overwrite(const pmp_call *call, pymps_device *device, MPSImage *image, const void *elements) {
    if (elements == NULL) {
        pymps_image_descriptor descriptor = pmp_image_descriptor_of(image);
        elements = ((NSData *)[NSMutableData dataWithLength:pmp_image_bytes(&descriptor)]).bytes;
    }
    return store(call, device, image, true, ^(MPSImage *visible) {
        pmp_image_set(visible, elements);
    });
}

// ---- From C ----

// `first` and `count` become the images that are meant.
static pymps_status check(const pmp_call *call, const pymps_device *device, const pymps_image *image,
                          size_t image_index, pymps_data_layout layout, size_t *first, size_t *count) {
    PMP_CHECK_NOT_NULL(device, call);
    PMP_CHECK_NOT_NULL(image, call);
    PMP_CHECK(image->image.device == device->device, call, "image: of another device, expected the same");
    PMP_CHECK(image->command_buffer == nil, call, "image: temporary, expected one that the CPU can see");
    size_t images = image->descriptor.number_of_images;
    bool is_all = image_index == PYMPS_ALL_IMAGES;
    PMP_CHECK(is_all || image_index < images, call, "image_index: %zu, expected less than %zu", image_index, images);
    PMP_CHECK(layout == PYMPS_HEIGHT_WIDTH_CHANNELS || layout == PYMPS_CHANNELS_HEIGHT_WIDTH, call,
              "layout: %d, expected 0 (height, width, channels) or 1 (channels, height, width)", (int)layout);
    *first = is_all ? 0 : image_index;
    *count = is_all ? images : 1;
    return PYMPS_OK;
}

pymps_status image_read(pymps_device *device, pymps_image *image, size_t image_index, pymps_data_layout layout,
                        void *destination, pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        size_t first, count;
        PMP_TRY(check(call, device, image, image_index, layout, &first, &count));
        PMP_CHECK_NOT_NULL(destination, call);
        MPSImage *visible;
        PMP_TRY(fetch(call, device, image->image, &visible));
        get_elements(visible, first, count, layout, bytes_of_one(&image->descriptor), destination);
        return PYMPS_OK;
    });
}

pymps_status image_write(pymps_device *device, pymps_image *image, size_t image_index, pymps_data_layout layout,
                         const void *source, pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        size_t first, count;
        PMP_TRY(check(call, device, image, image_index, layout, &first, &count));
        PMP_CHECK_NOT_NULL(source, call);
        PMP_CHECK(!image->is_of_state, call, "image: of a state, expected one that can be written");
        bool is_whole = count == image->descriptor.number_of_images;
        return store(call, device, image->image, is_whole, ^(MPSImage *visible) {
            set_elements(visible, first, count, layout, bytes_of_one(&image->descriptor), source);
        });
    });
}

pymps_status command_buffer_synchronize_image(pymps_command_buffer *command_buffer, pymps_image *image,
                                              pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(command_buffer, call);
        PMP_CHECK_NOT_NULL(image, call);
        PMP_TRY(pmp_command_buffer_check(call, command_buffer, image->image.device));
        PMP_CHECK(image->command_buffer == nil, call, "image: temporary, expected one that the CPU can see");
        pmp_image_synchronize(image->image, command_buffer->command_buffer);
        return PYMPS_OK;
    });
}
