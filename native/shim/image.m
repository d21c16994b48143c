// pymps_image: an MPSImage.
#import "images.h"
#include <stdlib.h>

#define ENTRY(name) .name = name,
const pymps_image_functions image_functions = {PMP_IMAGE_FUNCTIONS(ENTRY)};

#define ONE(name) +1
_Static_assert(sizeof(pymps_image_functions) == (0 PMP_IMAGE_FUNCTIONS(ONE)) * sizeof(void *),
               "a function is not in PMP_IMAGE_FUNCTIONS");

// A texture's slice has 4 channels. No device that MPS runs on has less than these.
enum { slice_channels = 4, max_texture_side = 16384, max_texture_slices = 2048 };

bool pmp_images_are_linear(void) {
    return [MPSImage instancesRespondToSelector:@selector(initWithBuffer:offset:imageDescriptor:)];
}

// ---- Descriptors ----

static size_t element_bytes(pymps_channel_format format) {
    switch (format) {
    case PYMPS_CHANNELS_UNORM8:
        return 1;
    case PYMPS_CHANNELS_UNORM16:
    case PYMPS_CHANNELS_FLOAT16:
        return 2;
    case PYMPS_CHANNELS_FLOAT32:
        return 4;
    }
    return 0;
}

// SIZE_MAX where that is too large.
static size_t pixel_count(const pymps_image_descriptor *descriptor) {
    return pmp_product(pmp_product(descriptor->width, descriptor->height), descriptor->number_of_images);
}

size_t pmp_image_bytes(const pymps_image_descriptor *descriptor) {
    size_t pixel_bytes = pmp_product(descriptor->feature_channels, element_bytes(descriptor->channel_format));
    return pmp_product(pixel_count(descriptor), pixel_bytes);
}

static pymps_status check_texture(const pmp_call *call, const pymps_image_descriptor *descriptor) {
    PMP_CHECK(descriptor->width <= max_texture_side, call, "width: %zu, expected at most %d", descriptor->width,
              max_texture_side);
    PMP_CHECK(descriptor->height <= max_texture_side, call, "height: %zu, expected at most %d", descriptor->height,
              max_texture_side);
    size_t slices = (descriptor->feature_channels - 1) / slice_channels + 1;
    PMP_CHECK(pmp_product(slices, descriptor->number_of_images) <= max_texture_slices, call,
              "number_of_images: %zu of %zu channels, expected at most %d slices of %d channels",
              descriptor->number_of_images, descriptor->feature_channels, max_texture_slices, slice_channels);
    return PYMPS_OK;
}

pymps_status pmp_image_check(const pmp_call *call, const pymps_image_descriptor *descriptor, id<MTLDevice> device) {
    PMP_CHECK(descriptor->width >= 1, call, "width: 0, expected at least 1");
    PMP_CHECK(descriptor->height >= 1, call, "height: 0, expected at least 1");
    PMP_CHECK(descriptor->feature_channels >= 1, call, "feature_channels: 0, expected at least 1");
    PMP_CHECK(descriptor->number_of_images >= 1, call, "number_of_images: 0, expected at least 1");
    PMP_CHECK(element_bytes(descriptor->channel_format) > 0, call,
              "channel_format: %d, expected 1 (unorm8), 2 (unorm16), 3 (float16) or 4 (float32)",
              (int)descriptor->channel_format);
    PMP_CHECK(pmp_image_bytes(descriptor) <= device.maxBufferLength, call,
              "number_of_images: %zu of %zu x %zu pixels of %zu channels, expected at most %lu bytes, the device's "
              "max_buffer_length_bytes",
              descriptor->number_of_images, descriptor->width, descriptor->height, descriptor->feature_channels,
              (unsigned long)device.maxBufferLength);
    return check_texture(call, descriptor);
}

static MPSImageDescriptor *descriptor_object(const pymps_image_descriptor *descriptor, MTLStorageMode storage_mode) {
    MPSImageDescriptor *object =
        [MPSImageDescriptor imageDescriptorWithChannelFormat:(MPSImageFeatureChannelFormat)descriptor->channel_format
                                                       width:descriptor->width
                                                      height:descriptor->height
                                             featureChannels:descriptor->feature_channels
                                              numberOfImages:descriptor->number_of_images
                                                       usage:MTLTextureUsageShaderRead | MTLTextureUsageShaderWrite];
    object.storageMode = storage_mode;
    return object;
}

// ---- Making ----

pymps_status pmp_image_make(const pmp_call *call, id<MTLDevice> device, const pymps_image_descriptor *descriptor,
                            MPSImage **made) {
    MTLStorageMode mode = device.hasUnifiedMemory ? MTLStorageModeShared : MTLStorageModeManaged;
    *made = [[[MPSImage alloc] initWithDevice:device imageDescriptor:descriptor_object(descriptor, mode)] autorelease];
    if ((*made).texture == nil) // MPS puts off its memory until then
        return pmp_fail(call, PYMPS_ERROR_MEMORY, 0, "an image of %zu bytes, more than the device has left",
                        pmp_image_bytes(descriptor));
    return PYMPS_OK;
}

MPSImage *pmp_image_in_buffer(id<MTLBuffer> buffer, size_t offset_bytes, const pymps_image_descriptor *descriptor) {
    MPSImageDescriptor *object = descriptor_object(descriptor, MTLStorageModeShared);
    id<PMPLinearImage> allocated = (id<PMPLinearImage>)[MPSImage alloc];
    return [(MPSImage *)[allocated initWithBuffer:buffer offset:offset_bytes imageDescriptor:object] autorelease];
}

pymps_image_descriptor pmp_image_descriptor_of(MPSImage *image) {
    return (pymps_image_descriptor){
        .width = image.width,
        .height = image.height,
        .feature_channels = image.featureChannels,
        .number_of_images = image.numberOfImages,
        .channel_format = (pymps_channel_format)image.featureChannelFormat,
    };
}

pymps_image pmp_image_view(MPSImage *image) {
    pymps_image view = {.image = image, .descriptor = pmp_image_descriptor_of(image)};
    id<MTLTexture> texture = image.texture;
    id<MTLBuffer> buffer = pmp_images_are_linear() ? texture.buffer : nil;
    if (buffer != nil && buffer.storageMode == MTLStorageModeShared) {
        view.buffer = buffer;
        view.offset_bytes = texture.bufferOffset;
        view.start = (uintptr_t)buffer.contents + view.offset_bytes;
        view.end = view.start + pmp_image_bytes(&view.descriptor);
    } else {
        view.start = (uintptr_t)texture; // no buffer's contents lie there
        view.end = view.start + 1;
    }
    return view;
}

pymps_image *pmp_image_handle(MPSImage *image, id<MTLCommandBuffer> command_buffer) {
    pymps_image *handle = malloc(sizeof *handle);
    if (handle == NULL)
        return NULL;
    if (command_buffer == nil) {
        *handle = pmp_image_view(image);
    } else { // which is asked for no texture: it shares its memory with others in turn
        uintptr_t start = (uintptr_t)image;
        *handle = (pymps_image){
            .image = image, .descriptor = pmp_image_descriptor_of(image), .start = start, .end = start + 1};
    }
    [image retain];
    [handle->buffer retain];
    handle->command_buffer = [command_buffer retain];
    return handle;
}

static pymps_status hand_out(const pmp_call *call, MPSImage *made, id<MTLCommandBuffer> command_buffer,
                             pymps_image **image) {
    if (made == nil)
        return pmp_fail(call, PYMPS_ERROR_DEVICE, 0, "the device can't make such an image");
    pymps_image *handle = pmp_image_handle(made, command_buffer);
    if (handle == NULL)
        return pmp_out_of_memory(call);
    *image = handle;
    return PYMPS_OK;
}

pymps_status image_create(pymps_device *device, const pymps_image_descriptor *descriptor, pymps_image **image,
                          pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(device, call);
        PMP_CHECK_NOT_NULL(descriptor, call);
        PMP_CHECK_NOT_NULL(image, call);
        pmp_call at_descriptor = pmp_at(call, "descriptor", PMP_NO_INDEX);
        PMP_TRY(pmp_image_check(&at_descriptor, descriptor, device->device));
        MPSImage *made;
        PMP_TRY(pmp_image_make(call, device->device, descriptor, &made));
        PMP_TRY(pmp_image_overwrite(call, device, made, NULL));
        return hand_out(call, made, nil, image);
    });
}

static pymps_status check_buffer(const pmp_call *call, const pymps_buffer *buffer, size_t offset_bytes,
                                 const pymps_image_descriptor *descriptor) {
    size_t length = pmp_image_bytes(descriptor), bytes = element_bytes(descriptor->channel_format);
    PMP_CHECK(buffer->storage_mode == PYMPS_STORAGE_SHARED, call, "buffer: storage mode %d, expected 0 (shared)",
              (int)buffer->storage_mode);
    PMP_CHECK(offset_bytes % bytes == 0, call, "offset_bytes: %zu, expected a multiple of %zu", offset_bytes, bytes);
    PMP_CHECK(offset_bytes <= buffer->length_bytes && length <= buffer->length_bytes - offset_bytes, call,
              "offset_bytes: %zu and an image of %zu bytes, expected to end within the buffer's %zu bytes",
              offset_bytes, length, buffer->length_bytes);
    return PYMPS_OK;
}

pymps_status image_create_in_buffer(pymps_buffer *buffer, size_t offset_bytes, const pymps_image_descriptor *descriptor,
                                    pymps_image **image, pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(buffer, call);
        PMP_CHECK_NOT_NULL(descriptor, call);
        PMP_CHECK_NOT_NULL(image, call);
        if (!pmp_images_are_linear())
            return pmp_fail(call, PYMPS_ERROR_DEVICE, 0, "the device has no images in buffers");
        pmp_call at_descriptor = pmp_at(call, "descriptor", PMP_NO_INDEX);
        PMP_TRY(pmp_image_check(&at_descriptor, descriptor, buffer->buffer.device));
        PMP_TRY(check_buffer(call, buffer, offset_bytes, descriptor));
        return hand_out(call, pmp_image_in_buffer(buffer->buffer, offset_bytes, descriptor), nil, image);
    });
}

pymps_status image_create_temporary(pymps_command_buffer *command_buffer, const pymps_image_descriptor *descriptor,
                                    pymps_image **image, pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(command_buffer, call);
        PMP_CHECK_NOT_NULL(descriptor, call);
        PMP_CHECK_NOT_NULL(image, call);
        PMP_TRY(pmp_command_buffer_check(call, command_buffer, nil));
        id<MTLCommandBuffer> object = command_buffer->command_buffer;
        pmp_call at_descriptor = pmp_at(call, "descriptor", PMP_NO_INDEX);
        PMP_TRY(pmp_image_check(&at_descriptor, descriptor, object.device));
        MPSImageDescriptor *private = descriptor_object(descriptor, MTLStorageModePrivate);
        MPSImage *made = [MPSTemporaryImage temporaryImageWithCommandBuffer:object imageDescriptor:private];
        return hand_out(call, made, object, image);
    });
}

// ---- Its life ----

void image_release(pymps_image *image) {
    if (image == NULL)
        return;
    pmp_perform(^{
        if (image_read_count(image) > 0)
            ((MPSTemporaryImage *)image->image).readCount = 0; // MPS wants no reads left when a temporary object goes
        [image->image release];
        [image->buffer release];
        [image->command_buffer release];
    });
    free(image);
}

void image_descriptor(pymps_image *image, pymps_image_descriptor *descriptor) {
    if (image != NULL && descriptor != NULL)
        *descriptor = image->descriptor;
}

pymps_buffer *image_buffer(pymps_image *image, size_t *offset_bytes) {
    if (image == NULL || offset_bytes == NULL || image->buffer == nil)
        return NULL;
    __block pymps_buffer *buffer = NULL;
    pmp_perform(^{
        buffer = pmp_buffer_handle(image->buffer);
    });
    *offset_bytes = image->offset_bytes;
    return buffer;
}

bool image_is_temporary(pymps_image *image) {
    return image != NULL && image->command_buffer != nil;
}

size_t image_read_count(pymps_image *image) {
    __block size_t read_count = 0;
    if (image_is_temporary(image))
        pmp_perform(^{
            read_count = ((MPSTemporaryImage *)image->image).readCount;
        });
    return read_count;
}

pymps_status image_set_read_count(pymps_image *image, size_t read_count, pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(image, call);
        PMP_CHECK(image->command_buffer != nil, call, "image: not temporary, expected one with a read count");
        PMP_CHECK(image->command_buffer.status < MTLCommandBufferStatusCommitted, call,
                  "image: its command buffer is committed, expected to be changed before");
        PMP_CHECK(image_read_count(image) > 0, call, "image: a read count of 0, which is final");
        ((MPSTemporaryImage *)image->image).readCount = read_count;
        return PYMPS_OK;
    });
}
