// pymps_state of a layer of images: an MPSRNNRecurrentImageState.
#import "images.h"

static MPSImage *find_image(MPSState *state, size_t layer_index, pymps_state_matrix which) {
    MPSRNNRecurrentImageState *object = (MPSRNNRecurrentImageState *)state;
    return which == PYMPS_MEMORY_CELL ? [object getMemoryCellImageForLayerIndex:layer_index]
                                      : [object getRecurrentOutputImageForLayerIndex:layer_index];
}

MPSImage *pmp_state_image(const pymps_state *state, size_t layer_index, pymps_state_matrix which) {
    return find_image(state->state, layer_index, which);
}

// ---- From given values ----

static pymps_status overwrite(const pmp_call *call, pymps_device *device, MPSImage *image, const float *values) {
    if (image.featureChannelFormat != MPSImageFeatureChannelFormatFloat32)
        return pmp_fail(call, PYMPS_ERROR_DEVICE, 0, "the device keeps states in channel format %d, expected %d",
                        (int)image.featureChannelFormat, (int)MPSImageFeatureChannelFormatFloat32);
    return pmp_image_overwrite(call, device, image, values);
}

static pymps_status overwrite_layer(const pmp_call *call, pymps_device *device, MPSState *state, size_t index,
                                    const float *h, const float *c) {
    PMP_TRY(overwrite(call, device, find_image(state, index, PYMPS_RECURRENT_OUTPUT), h));
    MPSImage *cell = find_image(state, index, PYMPS_MEMORY_CELL);
    PMP_CHECK(cell != nil || c == NULL, call, "c[%zu]: given for a layer without a memory cell, expected NULL", index);
    return cell == nil ? PYMPS_OK : overwrite(call, device, cell, c);
}

pymps_status image_state_create(pymps_layer *layer, size_t width, size_t height, size_t number_of_images,
                                const float *const *h, const float *const *c, pymps_state **state, pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(layer, call);
        PMP_CHECK_NOT_NULL(state, call);
        PMP_TRY(pmp_stack_check_kind(call, "layer", layer->stack, true));
        PMP_TRY(pmp_stack_check_runs_sequence(call, layer->stack));
        pmp_extent extent;
        PMP_TRY(pmp_image_extent(call, layer, width, height, number_of_images, &extent));
        MPSState *made;
        PMP_TRY(pmp_state_make(call, layer, extent, &made));
        for (size_t index = 0; index < layer->stack->info.number_of_layers; index++)
            PMP_TRY(overwrite_layer(call, layer->device, made, index, h == NULL ? NULL : h[index],
                                    c == NULL ? NULL : c[index]));
        pymps_state *handle = pmp_state_handle(layer->stack, made, extent, nil);
        if (handle == NULL)
            return pmp_out_of_memory(call);
        *state = handle;
        return PYMPS_OK;
    });
}

// ---- To look at ----

pymps_status image_state_image(pymps_state *state, size_t layer_index, pymps_state_matrix which, pymps_image **image,
                               pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(state, call);
        PMP_CHECK_NOT_NULL(image, call);
        PMP_TRY(pmp_state_check_access(call, state, true, layer_index, which));
        MPSImage *found = pmp_state_image(state, layer_index, which);
        PMP_CHECK(found != nil, call, "which: 1 (memory cell) of layer %zu, which has none", layer_index);
        pymps_image *handle = pmp_image_handle(found, nil);
        if (handle == NULL)
            return pmp_out_of_memory(call);
        handle->is_of_state = true;
        *image = handle;
        state->stack->shows_states = true;
        return PYMPS_OK;
    });
}
