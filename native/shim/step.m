// pmp_step: one step of float32 through memory that is made for it.
#import "images.h"

static NSArray *one_matrix(id<MTLBuffer> buffer, size_t rows, size_t columns) {
    return @[ pmp_matrix_make(buffer, rows, columns, columns * sizeof(float), PYMPS_FLOAT32) ];
}

// `array` becomes one image, in the buffer where the device has such images.
static pymps_status one_image(const pmp_call *call, id<MTLBuffer> buffer, pmp_extent extent, size_t channels,
                              NSArray **array) {
    const pymps_image_descriptor descriptor = {
        .width = extent.width,
        .height = extent.height,
        .feature_channels = channels,
        .number_of_images = extent.rows / (extent.width * extent.height),
        .channel_format = PYMPS_CHANNELS_FLOAT32,
    };
    MPSImage *image;
    if (pmp_images_are_linear())
        image = pmp_image_in_buffer(buffer, 0, &descriptor);
    else
        PMP_TRY(pmp_image_make(call, buffer.device, &descriptor, &image));
    *array = @[ image ];
    return PYMPS_OK;
}

pymps_status pmp_step_make(const pmp_call *call, const pymps_layer *layer, pmp_extent extent, pmp_step *step) {
    const pymps_layer_info *info = &layer->stack->info;
    size_t inputs = info->input_feature_channels, outputs = info->output_feature_channels;
    id<MTLDevice> device = layer->device->device;
    PMP_TRY(pmp_float32_buffer(call, device, extent.rows, inputs, &step->source));
    PMP_TRY(pmp_float32_buffer(call, device, extent.rows, outputs, &step->destination));
    step->is_copied = info->takes_images && !pmp_images_are_linear();
    if (info->takes_images) {
        PMP_TRY(one_image(call, step->source, extent, inputs, &step->sources));
        return one_image(call, step->destination, extent, outputs, &step->destinations);
    }
    step->sources = one_matrix(step->source, extent.rows, inputs);
    step->destinations = one_matrix(step->destination, extent.rows, outputs);
    return PYMPS_OK;
}
