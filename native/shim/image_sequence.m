// The encoding of sequences of images, in one direction and in both.
#import "images.h"

// An array of images, and how messages call it and its channels.
typedef struct images {
    pymps_image *const *images;
    const char *name;
    size_t channels;
    const char *whose_channels;
} images;

// ---- Checks ----

// Each image by itself, and against the first source.
static pymps_status check_image(const pmp_call *call, const pymps_layer *layer,
                                const pymps_command_buffer *command_buffer, pymps_image *image,
                                const pymps_image_descriptor *first) {
    const pymps_image_descriptor *descriptor = &image->descriptor;
    PMP_CHECK(image->image.device == layer->device->device, call, "device: another one, expected the layer's");
    PMP_CHECK(descriptor->width == first->width, call, "width: %zu, expected %zu, as in sources[0]", descriptor->width,
              first->width);
    PMP_CHECK(descriptor->height == first->height, call, "height: %zu, expected %zu, as in sources[0]",
              descriptor->height, first->height);
    PMP_CHECK(descriptor->number_of_images == first->number_of_images, call,
              "number_of_images: %zu, expected %zu, as in sources[0]", descriptor->number_of_images,
              first->number_of_images);
    if (image->command_buffer == nil)
        return PYMPS_OK;
    PMP_CHECK(image->command_buffer == command_buffer->command_buffer, call,
              "command_buffer: another one, expected a temporary image of this one");
    PMP_CHECK(image_read_count(image) > 0, call, "read_count: 0, expected at least 1");
    return PYMPS_OK;
}

static pymps_status check_images(const pmp_call *call, const pymps_layer *layer,
                                 const pymps_command_buffer *command_buffer, size_t steps, images images,
                                 const pymps_image_descriptor *first) {
    for (size_t step = 0; step < steps; step++) {
        pymps_image *image = images.images[step];
        PMP_CHECK(image != NULL, call, "%s[%zu]: NULL, expected an image", images.name, step);
        pmp_call at_image = pmp_at(call, images.name, step);
        PMP_TRY(check_image(&at_image, layer, command_buffer, image, first));
        PMP_CHECK(image->descriptor.feature_channels == images.channels, &at_image,
                  "feature_channels: %zu, expected %zu, %s", image->descriptor.feature_channels, images.channels,
                  images.whose_channels);
    }
    return PYMPS_OK;
}

static pymps_status check_sources(const pmp_call *call, const pymps_layer *layer,
                                  const pymps_command_buffer *command_buffer, size_t steps, pymps_image *const *sources,
                                  pmp_extent *extent) {
    PMP_TRY(pmp_stack_check_kind(call, "layer", layer->stack, true));
    PMP_TRY(pmp_command_buffer_check(call, command_buffer, layer->device->device));
    PMP_CHECK(steps >= 1, call, "steps: 0, expected at least 1");
    PMP_CHECK(sources[0] != NULL, call, "sources[0]: NULL, expected an image");
    const pymps_image_descriptor *first = &sources[0]->descriptor;
    images all = {sources, "sources", layer->stack->info.input_feature_channels, "the layer's input channels"};
    PMP_TRY(check_images(call, layer, command_buffer, steps, all, first));
    for (size_t step = 1; step < steps; step++)
        for (size_t before = 0; sources[step]->command_buffer != nil && before < step; before++)
            PMP_CHECK(sources[before] != sources[step], call,
                      "sources[%zu]: the temporary image of sources[%zu], expected another for each step", step,
                      before);
    return pmp_image_extent(call, layer, first->width, first->height, first->number_of_images, extent);
}

// The memory that all images lie in.
static pymps_image stretch(size_t count, pymps_image *const *images) {
    pymps_image all = {.start = UINTPTR_MAX};
    for (size_t index = 0; index < count; index++) {
        all.start = MIN(all.start, images[index]->start);
        all.end = MAX(all.end, images[index]->end);
    }
    return all;
}

static pymps_status check_apart(const pmp_call *call, size_t steps, const images *a, const images *b) {
    pymps_image all_a = stretch(steps, a->images), all_b = stretch(steps, b->images);
    if (!pmp_images_overlap(&all_a, &all_b))
        return PYMPS_OK;
    for (size_t index_b = 0; index_b < steps; index_b++)
        for (size_t index_a = 0; index_a < steps; index_a++)
            PMP_CHECK((a == b && index_a >= index_b) || !pmp_images_overlap(a->images[index_a], b->images[index_b]),
                      call, "%s[%zu]: shares memory with %s[%zu], expected memory of its own", b->name, index_b,
                      a->name, index_a);
    return PYMPS_OK;
}

static bool are_ascending(size_t steps, pymps_image *const *images) {
    for (size_t step = 1; step < steps; step++)
        if (images[step]->start < images[step - 1]->end)
            return false;
    return true;
}

static pymps_status check_destinations(const pmp_call *call, const pymps_layer *layer,
                                       const pymps_command_buffer *command_buffer, size_t steps,
                                       pymps_image *const *sources, const images *destinations) {
    PMP_TRY(check_images(call, layer, command_buffer, steps, *destinations, &sources[0]->descriptor));
    for (size_t step = 0; step < steps; step++)
        PMP_CHECK(!destinations->images[step]->is_of_state, call,
                  "%s[%zu]: of a state, expected one that can be written", destinations->name, step);
    const images all_sources = {.images = sources, .name = "sources"};
    PMP_TRY(check_apart(call, steps, &all_sources, destinations));
    return are_ascending(steps, destinations->images) ? PYMPS_OK : check_apart(call, steps, destinations, destinations);
}

static pymps_status check_state(const pmp_call *call, const pymps_layer *layer,
                                const pymps_command_buffer *command_buffer, const pymps_state *state, pmp_extent extent,
                                size_t steps, pymps_image *const *destinations) {
    PMP_TRY(pmp_state_check(call, state, layer->stack, extent, command_buffer->command_buffer));
    if (state->command_buffer != nil || !state->stack->shows_states)
        return PYMPS_OK; // nobody has seen its memory
    for (size_t index = 0; index < state->stack->info.number_of_layers; index++)
        for (int which = PYMPS_RECURRENT_OUTPUT; which <= PYMPS_MEMORY_CELL; which++) {
            MPSImage *found = pmp_state_image(state, index, (pymps_state_matrix)which);
            if (found == nil)
                continue; // no memory cell
            pymps_image view = pmp_image_view(found);
            for (size_t step = 0; step < steps; step++)
                PMP_CHECK(!pmp_images_overlap(&view, destinations[step]), call,
                          "destinations[%zu]: shares memory with state, expected memory of its own", step);
        }
    return PYMPS_OK;
}

// ---- One direction ----

static NSArray *objects_of(pymps_image *const *images, size_t count) {
    NSMutableArray *objects = [NSMutableArray arrayWithCapacity:count];
    for (size_t index = 0; index < count; index++)
        [objects addObject:images[index]->image];
    return objects;
}

pymps_status image_layer_encode_sequence(pymps_layer *layer, pymps_command_buffer *command_buffer, size_t steps,
                                         pymps_image *const *sources, pymps_image *const *destinations,
                                         pymps_state *state, size_t state_count, bool states_are_temporary,
                                         pymps_state **states, pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(layer, call);
        PMP_CHECK_NOT_NULL(command_buffer, call);
        PMP_CHECK_NOT_NULL(sources, call);
        PMP_CHECK_NOT_NULL(destinations, call);
        pmp_extent extent;
        PMP_TRY(check_sources(call, layer, command_buffer, steps, sources, &extent));
        PMP_TRY(pmp_stack_check_runs_sequence(call, layer->stack));
        const images results = {destinations, "destinations", layer->stack->info.output_feature_channels,
                                "the layer's output channels"};
        PMP_TRY(check_destinations(call, layer, command_buffer, steps, sources, &results));
        if (state != NULL)
            PMP_TRY(check_state(call, layer, command_buffer, state, extent, steps, destinations));
        const pmp_wanted_states wanted = {state_count, states_are_temporary, states};
        PMP_TRY(pmp_wanted_states_check(call, &wanted, steps));
        pmp_sequence sequence = {
            .sources = objects_of(sources, steps),
            .destinations = objects_of(destinations, steps),
        };
        return pmp_sequence_encode(call, layer, command_buffer, &sequence, extent, state, &wanted);
    });
}

// ---- Both directions ----

static pymps_status check_bidirectional(const pmp_call *call, const pymps_layer *layer,
                                        const pymps_command_buffer *command_buffer, size_t steps,
                                        pymps_image *const *sources, pymps_image *const *forward,
                                        pymps_image *const *backward, pymps_combine_mode combine_mode) {
    const pymps_layer_info *info = &layer->stack->info;
    pmp_extent extent;
    PMP_TRY(check_sources(call, layer, command_buffer, steps, sources, &extent));
    PMP_TRY(pmp_stack_check_runs_bidirectional(call, layer->stack));
    images to_forward = {forward, "forward_destinations", 0,
                         combine_mode == PYMPS_COMBINE_CONCATENATE ? "the output channels of both directions"
                                                                   : "the output channels of the forward layers"};
    PMP_TRY(pmp_combine_mode_check(call, info, combine_mode, backward != NULL, &to_forward.channels));
    PMP_TRY(check_destinations(call, layer, command_buffer, steps, sources, &to_forward));
    if (backward == NULL)
        return PYMPS_OK;
    const images to_backward = {backward, "backward_destinations", info->backward_output_feature_channels,
                                "the output channels of the backward layers"};
    PMP_TRY(check_destinations(call, layer, command_buffer, steps, sources, &to_backward));
    return check_apart(call, steps, &to_forward, &to_backward);
}

pymps_status image_layer_encode_bidirectional_sequence(pymps_layer *layer, pymps_command_buffer *command_buffer,
                                                       size_t steps, pymps_image *const *sources,
                                                       pymps_image *const *forward_destinations,
                                                       pymps_image *const *backward_destinations,
                                                       pymps_combine_mode combine_mode, pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(layer, call);
        PMP_CHECK_NOT_NULL(command_buffer, call);
        PMP_CHECK_NOT_NULL(sources, call);
        PMP_CHECK_NOT_NULL(forward_destinations, call);
        PMP_TRY(check_bidirectional(call, layer, command_buffer, steps, sources, forward_destinations,
                                    backward_destinations, combine_mode));
        NSArray *source_objects = objects_of(sources, steps), *forward = objects_of(forward_destinations, steps);
        NSArray *backward = backward_destinations == NULL ? nil : objects_of(backward_destinations, steps);
        pmp_layer_with_lock(layer, ^{
            layer->layer.bidirectionalCombineMode = (MPSRNNBidirectionalCombineMode)combine_mode;
            [(MPSRNNImageInferenceLayer *)layer->layer
                encodeBidirectionalSequenceToCommandBuffer:command_buffer->command_buffer
                                            sourceSequence:source_objects
                                  destinationForwardImages:forward
                                 destinationBackwardImages:backward];
        });
        return PYMPS_OK;
    });
}
