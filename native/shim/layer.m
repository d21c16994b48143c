// pymps_layer: an MPSRNNMatrixInferenceLayer, and the encoding of sequences.
#import "shim.h"
#include <stdlib.h>

static pmp_stack *make_stack(pymps_descriptor *const *descriptors, size_t count) {
    pmp_stack *stack = calloc(1, sizeof *stack + (count + 1) * sizeof *stack->channels);
    if (stack == NULL)
        return NULL;
    atomic_init(&stack->references, 1);
    stack->layer_count = count;
    for (size_t index = 0; index < count; index++)
        pmp_descriptor_channels(descriptors[index], &stack->channels[index], &stack->channels[index + 1]);
    return stack;
}

void pmp_stack_release(pmp_stack *stack) {
    if (pmp_drop(&stack->references))
        free(stack);
}

// Owns `stack` from here on. `made` is autoreleased.
static pymps_status hand_out(const pmp_call *call, pymps_device *device, pmp_stack *stack,
                             MPSRNNMatrixInferenceLayer *made, pymps_layer **layer) {
    pymps_layer *handle = made == nil ? NULL : calloc(1, sizeof *handle);
    if (handle == NULL) {
        pmp_stack_release(stack);
        return made == nil ? pmp_fail(call, PYMPS_ERROR_DEVICE, 0, "the device can't make such a layer")
                           : pmp_out_of_memory(call);
    }
    pmp_retain(&device->references);
    handle->device = device;
    handle->stack = stack;
    handle->layer = [made retain];
    pthread_mutex_init(&handle->mutex, NULL);
    *layer = handle;
    return PYMPS_OK;
}

static pymps_status check_chain(const pmp_call *call, pymps_descriptor *const *descriptors, size_t count) {
    size_t previous_outputs = 0;
    for (size_t index = 0; index < count; index++) {
        PMP_CHECK(descriptors[index] != NULL, call, "descriptors[%zu]: NULL, expected a descriptor", index);
        size_t inputs, outputs;
        pmp_descriptor_channels(descriptors[index], &inputs, &outputs);
        PMP_CHECK(index == 0 || inputs == previous_outputs, call,
                  "descriptors[%zu].input_feature_channels: %zu, expected %zu, the output channels of the layer before",
                  index, inputs, previous_outputs);
        previous_outputs = outputs;
    }
    return PYMPS_OK;
}

pymps_status layer_create(pymps_device *device, pymps_descriptor *const *descriptors, size_t count, pymps_layer **layer,
                          pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(device, call);
        PMP_CHECK_NOT_NULL(descriptors, call);
        PMP_CHECK(count >= 1, call, "count: 0, expected at least 1 descriptor");
        PMP_CHECK_NOT_NULL(layer, call);
        PMP_TRY(check_chain(call, descriptors, count));
        NSMutableArray *made = [NSMutableArray arrayWithCapacity:count];
        for (size_t index = 0; index < count; index++) {
            pmp_call at_descriptor = pmp_at(call, "descriptors", index);
            MPSRNNDescriptor *descriptor;
            PMP_TRY(pmp_descriptor_make(&at_descriptor, descriptors[index], device->device, &descriptor));
            [made addObject:descriptor];
        }
        MPSRNNMatrixInferenceLayer *object = [[[MPSRNNMatrixInferenceLayer alloc] initWithDevice:device->device
                                                                                  rnnDescriptors:made] autorelease];
        pmp_stack *stack = make_stack(descriptors, count);
        if (stack == NULL)
            return pmp_out_of_memory(call);
        return hand_out(call, device, stack, object, layer);
    });
}

// Runs `body` while no other thread uses the MPSKernel.
static void with_lock(pymps_layer *layer, void (^body)(void)) {
    pthread_mutex_lock(&layer->mutex);
    @try {
        body();
    } @finally {
        pthread_mutex_unlock(&layer->mutex);
    }
}

void pmp_layer_encode(pymps_layer *layer, id<MTLCommandBuffer> command_buffer, const pmp_sequence *sequence) {
    with_lock(layer, ^{
        layer->layer.storeAllIntermediateStates = sequence->store_all_intermediate_states;
        layer->layer.recurrentOutputIsTemporary = sequence->output_is_temporary;
        [layer->layer encodeSequenceToCommandBuffer:command_buffer
                                     sourceMatrices:sequence->sources
                                      sourceOffsets:sequence->source_offsets
                                destinationMatrices:sequence->destinations
                                 destinationOffsets:sequence->destination_offsets
                                recurrentInputState:sequence->state
                              recurrentOutputStates:sequence->states];
    });
}

MPSRNNMatrixInferenceLayer *pmp_layer_copy_object(pymps_layer *layer) {
    __block MPSRNNMatrixInferenceLayer *copy;
    with_lock(layer, ^{
        copy = [layer->layer copyWithZone:NULL device:layer->device->device];
    });
    return [copy autorelease];
}

pymps_status layer_copy(pymps_layer *layer, pymps_layer **copy, pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(layer, call);
        PMP_CHECK_NOT_NULL(copy, call);
        MPSRNNMatrixInferenceLayer *object = pmp_layer_copy_object(layer);
        pmp_retain(&layer->stack->references);
        return hand_out(call, layer->device, layer->stack, object, copy);
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
    if (layer == NULL || info == NULL)
        return;
    const pmp_stack *stack = layer->stack;
    info->input_feature_channels = stack->channels[0];
    info->output_feature_channels = stack->channels[stack->layer_count];
    info->number_of_layers = stack->layer_count;
}

pymps_status pmp_rows_check(const pmp_call *call, const pymps_layer *layer, size_t rows) {
    NSUInteger limit = layer->device->device.maxBufferLength;
    for (size_t index = 0; index <= layer->stack->layer_count; index++) {
        size_t channels = layer->stack->channels[index];
        PMP_CHECK(pmp_product(rows, pmp_product(channels, sizeof(float))) <= limit, call,
                  "rows: %zu of %zu channels, expected at most %lu bytes, the device's max_buffer_length_bytes", rows,
                  channels, (unsigned long)limit);
    }
    return PYMPS_OK;
}

static pymps_status check_step(const pmp_call *call, const pymps_layer *layer, size_t step, const pymps_matrix *sources,
                               const pymps_matrix *destinations) {
    const pymps_matrix *source = &sources[step], *destination = &destinations[step];
    size_t inputs = layer->stack->channels[0], outputs = layer->stack->channels[layer->stack->layer_count];
    pmp_call at_source = pmp_at(call, "sources", step), at_destination = pmp_at(call, "destinations", step);
    PMP_TRY(pmp_matrix_check(&at_source, source, layer->device->device));
    PMP_TRY(pmp_matrix_check(&at_destination, destination, layer->device->device));
    PMP_CHECK(source->columns == inputs, &at_source, "columns: %zu, expected %zu, the layer's input channels",
              source->columns, inputs);
    PMP_CHECK(destination->columns == outputs, &at_destination,
              "columns: %zu, expected %zu, the layer's output channels", destination->columns, outputs);
    PMP_CHECK(step == 0 || source->rows <= sources[step - 1].rows, &at_source,
              "rows: %zu, expected at most %zu, those of the step before", source->rows, sources[step - 1].rows);
    PMP_CHECK(destination->rows == source->rows, &at_destination, "rows: %zu, expected %zu, those of the source",
              destination->rows, source->rows);
    PMP_CHECK(source->data_type == sources[0].data_type, &at_source, "data_type: 0x%x, expected 0x%x, as in sources[0]",
              (unsigned)source->data_type, (unsigned)sources[0].data_type);
    PMP_CHECK(destination->data_type == sources[0].data_type, &at_destination,
              "data_type: 0x%x, expected 0x%x, as in sources[0]", (unsigned)destination->data_type,
              (unsigned)sources[0].data_type);
    return PYMPS_OK;
}

static pymps_status check_sequence(const pmp_call *call, const pymps_layer *layer,
                                   const pymps_command_buffer *command_buffer, size_t steps,
                                   const pymps_matrix *sources, const pymps_matrix *destinations) {
    PMP_CHECK(!command_buffer->is_committed, call, "command_buffer: already committed, expected to encode before");
    PMP_CHECK(command_buffer->command_buffer.device == layer->device->device, call,
              "command_buffer: of another device, expected the layer's");
    PMP_CHECK(steps >= 1, call, "steps: 0, expected at least 1");
    for (size_t step = 0; step < steps; step++)
        PMP_TRY(check_step(call, layer, step, sources, destinations));
    pmp_call at_source = pmp_at(call, "sources", 0);
    PMP_TRY(pmp_rows_check(&at_source, layer, sources[0].rows));
    size_t source, destination;
    PMP_CHECK(!pmp_matrices_overlap(steps, sources, steps, destinations, &source, &destination), call,
              "destinations[%zu]: shares memory with sources[%zu], expected memory of its own", destination, source);
    return PYMPS_OK;
}

static bool differ_by_offset(const pymps_matrix *a, const pymps_matrix *b) {
    return a->buffer == b->buffer && a->rows == b->rows && a->row_bytes == b->row_bytes;
}

// One MPSMatrix for all consecutive steps that differ by the offset alone. `offsets` points into autoreleased memory.
static NSArray *make_matrices(const pymps_matrix *matrices, size_t count, NSUInteger **offsets) {
    NSMutableArray *made = [NSMutableArray arrayWithCapacity:count];
    NSMutableData *offset_data = [NSMutableData dataWithLength:count * sizeof(NSUInteger)];
    *offsets = offset_data.mutableBytes;
    MPSMatrix *matrix = nil;
    for (size_t step = 0; step < count; step++) {
        const pymps_matrix *now = &matrices[step];
        if (step == 0 || !differ_by_offset(now, &matrices[step - 1]))
            matrix = pmp_matrix_make(now->buffer->buffer, now->rows, now->columns, now->row_bytes, now->data_type);
        [made addObject:matrix];
        (*offsets)[step] = now->offset_bytes;
    }
    return made;
}

// Writes `count` new handles to `states`, or none.
static pymps_status hand_out_states(const pmp_call *call, pmp_stack *stack, NSArray *made, size_t rows, size_t count,
                                    pymps_state **states) {
    if (made.count != count)
        return pmp_fail(call, PYMPS_ERROR_DEVICE, 0, "the device made %lu states, expected %zu",
                        (unsigned long)made.count, count);
    NSMutableData *handle_data = [NSMutableData dataWithLength:count * sizeof(pymps_state *)];
    pymps_state **handles = handle_data.mutableBytes;
    for (size_t index = 0; index < count; index++) {
        handles[index] = pmp_state_handle(stack, [made objectAtIndex:index], rows);
        if (handles[index] == NULL) {
            while (index > 0)
                state_release(handles[--index]);
            return pmp_out_of_memory(call);
        }
    }
    for (size_t index = 0; index < count; index++)
        states[index] = handles[index];
    return PYMPS_OK;
}

pymps_status layer_encode_sequence(pymps_layer *layer, pymps_command_buffer *command_buffer, size_t steps,
                                   const pymps_matrix *sources, const pymps_matrix *destinations, pymps_state *state,
                                   size_t state_count, bool states_are_temporary, pymps_state **states,
                                   pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(layer, call);
        PMP_CHECK_NOT_NULL(command_buffer, call);
        PMP_CHECK_NOT_NULL(sources, call);
        PMP_CHECK_NOT_NULL(destinations, call);
        PMP_TRY(check_sequence(call, layer, command_buffer, steps, sources, destinations));
        if (state != NULL) {
            PMP_TRY(pmp_state_check(call, state, layer->stack, sources[0].rows));
            PMP_TRY(pmp_state_check_overlap(call, state, steps, destinations));
        }
        PMP_CHECK(state_count <= 1 || state_count == steps, call, "state_count: %zu, expected 0, 1 or %zu, the steps",
                  state_count, steps);
        PMP_CHECK(state_count == 0 || states != NULL, call, "states: NULL, expected a place for %zu states",
                  state_count);
        pmp_sequence sequence = {
            .state = state == NULL ? nil : state->state,
            .states = state_count == 0 ? nil : [NSMutableArray arrayWithCapacity:state_count],
            .store_all_intermediate_states = state_count > 1,
            .output_is_temporary = states_are_temporary,
        };
        sequence.sources = make_matrices(sources, steps, &sequence.source_offsets);
        sequence.destinations = make_matrices(destinations, steps, &sequence.destination_offsets);
        pmp_layer_encode(layer, command_buffer->command_buffer, &sequence);
        return hand_out_states(call, layer->stack, sequence.states, sources[0].rows, state_count, states);
    });
}
