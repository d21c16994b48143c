// pymps_layer: an MPSRNNMatrixInferenceLayer or an MPSRNNImageInferenceLayer.
#import "layers.h"
#include <stdlib.h>

Class pmp_layer_class(bool takes_images) {
    return takes_images ? [MPSRNNImageInferenceLayer class] : [MPSRNNMatrixInferenceLayer class];
}

pymps_status pmp_layer_handle(const pmp_call *call, pymps_device *device, pmp_stack *stack,
                              id<PMPInferenceLayer> object, pymps_layer **layer) {
    pymps_layer *handle = object == nil ? NULL : calloc(1, sizeof *handle);
    if (handle == NULL) {
        pmp_stack_release(stack);
        return object == nil ? pmp_fail(call, PYMPS_ERROR_DEVICE, 0, "the device can't make such a layer")
                             : pmp_out_of_memory(call);
    }
    pmp_retain(&device->references);
    handle->device = device;
    handle->stack = stack;
    handle->layer = [object retain];
    pthread_mutex_init(&handle->mutex, NULL);
    *layer = handle;
    return PYMPS_OK;
}

void pmp_layer_use_team(id object, const pymps_device *device) {
    if (device->team != nil)
        [(id<PMPThreads>)object setTeam:device->team];
}

// `layers` becomes the shapes of the descriptors, in autoreleased memory.
static pymps_status check_shapes(const pmp_call *call, pymps_descriptor *const *descriptors, size_t count,
                                 const pmp_stack_layer **layers) {
    NSMutableData *data = [NSMutableData dataWithLength:count * sizeof(pmp_stack_layer)];
    pmp_stack_layer *shapes = data.mutableBytes;
    for (size_t index = 0; index < count; index++) {
        PMP_CHECK(descriptors[index] != NULL, call, "descriptors[%zu]: NULL, expected a descriptor", index);
        shapes[index] = pmp_descriptor_shape(descriptors[index]);
    }
    *layers = shapes;
    return pmp_stack_check(call, shapes, count);
}

pymps_status pmp_with_sources(const pmp_call *call, NSArray *sources, void (^body)(void)) {
    NSException *raised = nil;
    @try {
        body();
    } @catch (NSException *exception) {
        raised = exception;
    }
    for (PMPDataSource *source in sources) {
        const pymps_error *error = [source error];
        if (error->status != PYMPS_OK) {
            if (call->error != NULL)
                *call->error = *error;
            return error->status;
        }
    }
    [raised raise];
    return PYMPS_OK;
}

// What comes back is autoreleased, and nil where the device can't make it.
static pymps_status make_object(const pmp_call *call, pymps_device *device, pymps_descriptor *const *descriptors,
                                size_t count, bool takes_images, id<PMPInferenceLayer> *object) {
    NSMutableArray *made = [NSMutableArray arrayWithCapacity:count], *sources = [NSMutableArray array];
    for (size_t index = 0; index < count; index++) {
        pmp_call at_descriptor = pmp_at(call, "descriptors", index);
        MPSRNNDescriptor *descriptor;
        PMP_TRY(pmp_descriptor_make(&at_descriptor, descriptors[index], device->device, takes_images, sources,
                                    &descriptor));
        [made addObject:descriptor];
    }
    PMP_TRY(pmp_with_sources(call, sources, ^{
        id<PMPInferenceLayer> allocated = [pmp_layer_class(takes_images) alloc];
        *object = [[allocated initWithDevice:device->device rnnDescriptors:made] autorelease];
    }));
    pmp_layer_use_team(*object, device);
    return PYMPS_OK;
}

pymps_status pmp_layer_create(const pmp_call *call, pymps_device *device, pymps_descriptor *const *descriptors,
                              size_t count, bool takes_images, pymps_layer **layer) {
    PMP_CHECK_NOT_NULL(device, call);
    PMP_CHECK_NOT_NULL(descriptors, call);
    PMP_CHECK(count >= 1, call, "count: 0, expected at least 1 descriptor");
    PMP_CHECK_NOT_NULL(layer, call);
    const pmp_stack_layer *layers;
    PMP_TRY(check_shapes(call, descriptors, count, &layers));
    id<PMPInferenceLayer> object = nil;
    PMP_TRY(make_object(call, device, descriptors, count, takes_images, &object));
    pmp_stack *stack = pmp_stack_make(layers, count, takes_images);
    return stack == NULL ? pmp_out_of_memory(call) : pmp_layer_handle(call, device, stack, object, layer);
}

pymps_status layer_create(pymps_device *device, pymps_descriptor *const *descriptors, size_t count, pymps_layer **layer,
                          pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        return pmp_layer_create(call, device, descriptors, count, false, layer);
    });
}

void pmp_layer_with_lock(pymps_layer *layer, void (^body)(void)) {
    pthread_mutex_lock(&layer->mutex);
    @try {
        body();
    } @finally {
        pthread_mutex_unlock(&layer->mutex);
    }
}

id<PMPInferenceLayer> pmp_layer_copy_object(pymps_layer *layer) {
    __block id<PMPInferenceLayer> copy;
    pmp_layer_with_lock(layer, ^{
        copy = [layer->layer copyWithZone:NULL device:layer->device->device];
    });
    return [copy autorelease];
}

pymps_status layer_copy(pymps_layer *layer, pymps_layer **copy, pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(layer, call);
        PMP_CHECK_NOT_NULL(copy, call);
        id<PMPInferenceLayer> object = pmp_layer_copy_object(layer);
        pmp_retain(&layer->stack->references);
        return pmp_layer_handle(call, layer->device, layer->stack, object, copy);
    });
}

void layer_release(pymps_layer *layer) {
    if (layer == NULL)
        return;
    pmp_perform(^{
        [layer->layer release];
    });
    pthread_mutex_destroy(&layer->mutex);
    pmp_stack_release(layer->stack);
    device_release(layer->device);
    free(layer);
}

void layer_info(pymps_layer *layer, pymps_layer_info *info) {
    if (layer != NULL && info != NULL)
        *info = layer->stack->info;
}

size_t layer_output_feature_channels(pymps_layer *layer, size_t layer_index) {
    bool exists = layer != NULL && layer_index < layer->stack->info.number_of_layers;
    return exists ? layer->stack->layers[layer_index].outputs : 0;
}

pymps_status pmp_rows_check(const pmp_call *call, const pymps_device *device, const pmp_stack *stack, size_t rows) {
    NSUInteger limit = device->device.maxBufferLength;
    for (size_t index = 0; index < stack->info.number_of_layers; index++) {
        size_t inputs = stack->layers[index].inputs, outputs = stack->layers[index].outputs;
        size_t channels = inputs > outputs ? inputs : outputs;
        PMP_CHECK(pmp_product(rows, pmp_product(channels, sizeof(float))) <= limit, call,
                  "rows: %zu of %zu channels, expected at most %lu bytes, the device's max_buffer_length_bytes", rows,
                  channels, (unsigned long)limit);
    }
    return PYMPS_OK;
}
