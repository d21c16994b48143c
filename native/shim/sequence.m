// The encoding of sequences, in one direction and in both.
#import "layers.h"
#include <stdlib.h>

void pmp_encode(id<PMPInferenceLayer> layer, bool takes_images, id<MTLCommandBuffer> command_buffer,
                const pmp_sequence *sequence) {
    if (takes_images)
        [(MPSRNNImageInferenceLayer *)layer encodeSequenceToCommandBuffer:command_buffer
                                                             sourceImages:sequence->sources
                                                        destinationImages:sequence->destinations
                                                      recurrentInputState:(MPSRNNRecurrentImageState *)sequence->state
                                                    recurrentOutputStates:sequence->states];
    else
        [(MPSRNNMatrixInferenceLayer *)layer encodeSequenceToCommandBuffer:command_buffer
                                                            sourceMatrices:sequence->sources
                                                             sourceOffsets:sequence->source_offsets
                                                       destinationMatrices:sequence->destinations
                                                        destinationOffsets:sequence->destination_offsets
                                                       recurrentInputState:(MPSRNNRecurrentMatrixState *)sequence->state
                                                     recurrentOutputStates:sequence->states];
}

void pmp_layer_encode(pymps_layer *layer, id<MTLCommandBuffer> command_buffer, const pmp_sequence *sequence) {
    pmp_layer_with_lock(layer, ^{
        layer->layer.storeAllIntermediateStates = sequence->store_all_intermediate_states;
        layer->layer.recurrentOutputIsTemporary = sequence->output_is_temporary;
        pmp_encode(layer->layer, layer->stack->info.takes_images, command_buffer, sequence);
    });
}

// ---- One direction ----

pymps_status pmp_states_hand_out(const pmp_call *call, pmp_stack *stack, NSArray *made, pmp_extent extent,
                                 const pmp_wanted_states *wanted, id<MTLCommandBuffer> command_buffer) {
    size_t count = wanted->count;
    pymps_state **states = wanted->handles;
    if (made.count != count)
        return pmp_fail(call, PYMPS_ERROR_DEVICE, 0, "the device made %lu states, expected %zu",
                        (unsigned long)made.count, count);
    for (size_t index = 0; index < count; index++) {
        states[index] =
            pmp_state_handle(stack, [made objectAtIndex:index], extent, wanted -> are_temporary ? command_buffer : nil);
        if (states[index] == NULL) {
            for (; index > 0; states[index] = NULL)
                state_release(states[--index]);
            return pmp_out_of_memory(call);
        }
    }
    return PYMPS_OK;
}

pymps_status pmp_wanted_states_check(const pmp_call *call, const pmp_wanted_states *wanted, size_t steps) {
    PMP_CHECK(wanted->count <= 1 || wanted->count == steps, call, "state_count: %zu, expected 0, 1 or %zu, the steps",
              wanted->count, steps);
    PMP_CHECK(wanted->count == 0 || wanted->handles != NULL, call, "states: NULL, expected a place for %zu states",
              wanted->count);
    return PYMPS_OK;
}

pymps_status pmp_sequence_encode(const pmp_call *call, pymps_layer *layer, pymps_command_buffer *command_buffer,
                                 pmp_sequence *sequence, pmp_extent extent, const pymps_state *state,
                                 const pmp_wanted_states *wanted) {
    id<MTLCommandBuffer> object = command_buffer->command_buffer;
    sequence->state = state == NULL ? nil : state->state;
    sequence->states = wanted->count == 0 ? nil : [NSMutableArray arrayWithCapacity:wanted->count];
    sequence->store_all_intermediate_states = wanted->count > 1;
    sequence->output_is_temporary = wanted->are_temporary && wanted->count > 0;
    pmp_layer_encode(layer, object, sequence);
    return pmp_states_hand_out(call, layer->stack, sequence->states, extent, wanted, object);
}

static pymps_status check_sequence(const pmp_call *call, const pymps_layer *layer,
                                   const pymps_command_buffer *command_buffer, size_t steps,
                                   const pymps_matrix *sources, const pymps_matrix *results, const pymps_state *state) {
    PMP_TRY(pmp_stack_check_kind(call, "layer", layer->stack, false));
    PMP_TRY(pmp_stack_check_runs_sequence(call, layer->stack));
    PMP_TRY(pmp_sources_check(call, layer->device, layer->stack, command_buffer, steps, sources));
    const pmp_matrices destinations = {results, "destinations", layer->stack->info.output_feature_channels,
                                       "the layer's output channels"};
    PMP_TRY(pmp_matrices_check(call, layer->device, steps, sources, &destinations));
    PMP_TRY(pmp_apart_check(call, steps, sources, "sources", results, "destinations"));
    if (state == NULL)
        return PYMPS_OK;
    pmp_extent extent = {.rows = sources[0].rows};
    PMP_TRY(pmp_state_check(call, state, layer->stack, extent, command_buffer->command_buffer));
    return pmp_state_check_overlap(call, state, steps, results, "destinations");
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
        PMP_TRY(check_sequence(call, layer, command_buffer, steps, sources, destinations, state));
        const pmp_wanted_states wanted = {state_count, states_are_temporary, states};
        PMP_TRY(pmp_wanted_states_check(call, &wanted, steps));
        pmp_sequence sequence = {0};
        PMP_TRY(pmp_matrix_array(call, sources, steps, &sequence.sources, &sequence.source_offsets));
        PMP_TRY(pmp_matrix_array(call, destinations, steps, &sequence.destinations, &sequence.destination_offsets));
        pmp_extent extent = {.rows = sources[0].rows};
        return pmp_sequence_encode(call, layer, command_buffer, &sequence, extent, state, &wanted);
    });
}

// ---- Both directions ----

pymps_status pmp_combine_mode_check(const pmp_call *call, const pymps_layer_info *info, pymps_combine_mode combine_mode,
                                    bool has_backward, size_t *channels) {
    size_t forward_outputs = info->forward_output_feature_channels;
    size_t backward_outputs = info->backward_output_feature_channels;
    *channels = forward_outputs;
    switch ((int)combine_mode) {
    case PYMPS_COMBINE_NONE:
        PMP_CHECK(has_backward, call, "backward_destinations: NULL, expected a pointer for combine_mode 0 (none)");
        return PYMPS_OK;
    case PYMPS_COMBINE_ADD:
        PMP_CHECK(forward_outputs == backward_outputs, call,
                  "combine_mode: 1 (add) for %zu forward and %zu backward output channels, expected as many of both",
                  forward_outputs, backward_outputs);
        break;
    case PYMPS_COMBINE_CONCATENATE:
        *channels = forward_outputs + backward_outputs;
        break;
    default:
        PMP_CHECK(false, call, "combine_mode: %d, expected 0 (none), 1 (add) or 2 (concatenate)", (int)combine_mode);
    }
    PMP_CHECK(!has_backward, call, "backward_destinations: given for combine_mode %d, expected NULL",
              (int)combine_mode);
    return PYMPS_OK;
}

static pymps_status check_bidirectional(const pmp_call *call, const pymps_layer *layer,
                                        const pymps_command_buffer *command_buffer, size_t steps,
                                        const pymps_matrix *sources, const pymps_matrix *forward,
                                        const pymps_matrix *backward, pymps_combine_mode combine_mode) {
    const pymps_layer_info *info = &layer->stack->info;
    PMP_TRY(pmp_stack_check_kind(call, "layer", layer->stack, false));
    PMP_TRY(pmp_stack_check_runs_bidirectional(call, layer->stack));
    size_t columns;
    PMP_TRY(pmp_combine_mode_check(call, info, combine_mode, backward != NULL, &columns));
    PMP_TRY(pmp_sources_check(call, layer->device, layer->stack, command_buffer, steps, sources));
    const pmp_matrices first = {forward, "forward_destinations", columns,
                                combine_mode == PYMPS_COMBINE_CONCATENATE
                                    ? "the output channels of both directions"
                                    : "the output channels of the forward layers"};
    PMP_TRY(pmp_matrices_check(call, layer->device, steps, sources, &first));
    PMP_TRY(pmp_apart_check(call, steps, sources, "sources", forward, "forward_destinations"));
    if (backward == NULL)
        return PYMPS_OK;
    const pmp_matrices second = {backward, "backward_destinations", info->backward_output_feature_channels,
                                 "the output channels of the backward layers"};
    PMP_TRY(pmp_matrices_check(call, layer->device, steps, sources, &second));
    PMP_TRY(pmp_apart_check(call, steps, sources, "sources", backward, "backward_destinations"));
    return pmp_apart_check(call, steps, forward, "forward_destinations", backward, "backward_destinations");
}

static NSArray *make_objects(const pymps_matrix *matrices, size_t count) {
    NSMutableArray *made = [NSMutableArray arrayWithCapacity:count];
    for (size_t step = 0; step < count; step++)
        [made addObject:pmp_matrix_object(&matrices[step])];
    return made;
}

pymps_status layer_encode_bidirectional_sequence(pymps_layer *layer, pymps_command_buffer *command_buffer, size_t steps,
                                                 const pymps_matrix *sources, const pymps_matrix *forward_destinations,
                                                 const pymps_matrix *backward_destinations,
                                                 pymps_combine_mode combine_mode, pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(layer, call);
        PMP_CHECK_NOT_NULL(command_buffer, call);
        PMP_CHECK_NOT_NULL(sources, call);
        PMP_CHECK_NOT_NULL(forward_destinations, call);
        PMP_TRY(check_bidirectional(call, layer, command_buffer, steps, sources, forward_destinations,
                                    backward_destinations, combine_mode));
        NSArray *source_objects = make_objects(sources, steps), *forward = make_objects(forward_destinations, steps);
        NSArray *backward = backward_destinations == NULL ? nil : make_objects(backward_destinations, steps);
        pmp_layer_with_lock(layer, ^{
            layer->layer.bidirectionalCombineMode = (MPSRNNBidirectionalCombineMode)combine_mode;
            [(MPSRNNMatrixInferenceLayer *)layer->layer
                encodeBidirectionalSequenceToCommandBuffer:command_buffer->command_buffer
                                            sourceSequence:source_objects
                                destinationForwardMatrices:forward
                               destinationBackwardMatrices:backward];
        });
        return PYMPS_OK;
    });
}
