// What layers of images have beside those of matrices: an extent in two dimensions.
#import "images.h"

pymps_status image_layer_create(pymps_device *device, pymps_descriptor *const *descriptors, size_t count,
                                pymps_layer **layer, pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        return pmp_layer_create(call, device, descriptors, count, true, layer);
    });
}

pymps_status image_layer_unarchive(pymps_device *device, const void *data, size_t length, pymps_layer **layer,
                                   pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        return pmp_layer_unarchive(call, device, data, length, true, layer);
    });
}

pymps_status pmp_image_extent(const pmp_call *call, const pymps_layer *layer, size_t width, size_t height,
                              size_t number_of_images, pmp_extent *extent) {
    const pmp_stack *stack = layer->stack;
    for (size_t index = 0; index < stack->info.number_of_layers; index++) {
        const pymps_image_descriptor descriptor = {
            .width = width,
            .height = height,
            .feature_channels = MAX(stack->layers[index].inputs, stack->layers[index].outputs),
            .number_of_images = number_of_images,
            .channel_format = PYMPS_CHANNELS_FLOAT32,
        };
        PMP_TRY(pmp_image_check(call, &descriptor, layer->device->device));
    }
    *extent = (pmp_extent){width * height * number_of_images, width, height};
    return PYMPS_OK;
}

pymps_status image_stream_create(pymps_layer *layer, size_t width, size_t height, size_t number_of_images,
                                 pymps_stream **stream, pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(layer, call);
        PMP_CHECK_NOT_NULL(stream, call);
        PMP_TRY(pmp_stack_check_kind(call, "layer", layer->stack, true));
        pmp_extent extent;
        PMP_TRY(pmp_image_extent(call, layer, width, height, number_of_images, &extent));
        return pmp_stream_create(call, layer, extent, stream);
    });
}
