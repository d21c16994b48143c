// Forward passes that remember, and gradients through time.
#import "training.h"
#include <stdlib.h>

// ---- Tapes ----

void training_tape_release(pymps_training_tape *tape) {
    if (tape == NULL)
        return;
    pmp_perform(^{
        if (tape->command_buffer != nil)
            for (MPSRNNMatrixTrainingState *state in tape->states)
                if (state.readCount > 0)
                    state.readCount = 0; // MPS wants no reads left when a temporary object goes
        [tape->states release];
        [tape->weights release];
        [tape->command_buffer release];
    });
    pmp_training_release(tape->training);
    free(tape);
}

bool training_tape_is_temporary(pymps_training_tape *tape) {
    return tape != NULL && tape->command_buffer != nil;
}

// Room for a pass, before it is encoded: after that nothing may fail.
static pymps_status make_tape(const pmp_call *call, pmp_training *training, const pymps_training_forward *forward,
                              id<MTLCommandBuffer> command_buffer, pymps_training_tape **tape) {
    pymps_training_tape *made = calloc(1, sizeof *made + forward->steps * sizeof *made->rows);
    if (made == NULL)
        return pmp_out_of_memory(call);
    pmp_retain(&training->references);
    made->training = training;
    made->weights = [forward->weights->matrices retain];
    made->command_buffer = forward->tape_is_temporary ? [command_buffer retain] : nil;
    made->steps = forward->steps;
    for (size_t step = 0; step < forward->steps; step++)
        made->rows[step] = forward->sources[step].rows;
    *tape = made;
    return PYMPS_OK;
}

static pymps_status check_tape(const pmp_call *call, const pmp_training *training,
                               const pymps_training_gradient *gradient, id<MTLCommandBuffer> command_buffer) {
    const pymps_training_tape *tape = gradient->tape;
    size_t first = gradient->first_step, steps = gradient->steps;
    PMP_CHECK(tape != NULL, call, "tape: NULL, expected a pointer");
    PMP_CHECK(tape->training == training, call,
              "tape: of another layer, expected one of this layer or of a copy of it");
    PMP_CHECK(tape->weights == gradient->weights->matrices, call,
              "weights: others, expected those of the forward pass");
    PMP_CHECK(steps >= 1, call, "steps: 0, expected at least 1");
    PMP_CHECK(first <= tape->steps && steps <= tape->steps - first, call,
              "steps: %zu from step %zu on, expected at most the tape's %zu", steps, first, tape->steps);
    if (tape->command_buffer == nil)
        return PYMPS_OK;
    PMP_CHECK(tape->command_buffer == command_buffer, call,
              "tape: temporary, expected to be used on the command buffer that made it");
    for (size_t step = first; step < first + steps; step++)
        PMP_CHECK(((MPSState *)[tape->states objectAtIndex:step]).readCount > 0, call,
                  "tape: temporary, and the gradient of step %zu is encoded already, expected to be used once", step);
    return PYMPS_OK;
}

// Of the rows of the sources and of the tape.
static pymps_status check_rows(const pmp_call *call, const pymps_training_gradient *gradient) {
    for (size_t step = 0; step < gradient->steps; step++) {
        size_t rows = gradient->tape->rows[gradient->first_step + step];
        pmp_call at_source = pmp_at(call, "sources", step);
        PMP_CHECK(gradient->sources[step].rows == rows, &at_source, "rows: %zu, expected %zu, those of the tape",
                  gradient->sources[step].rows, rows);
    }
    return PYMPS_OK;
}

// ---- What a pass does with states ----

// `stack` is that of the states which the pass takes; `kind` names such passes.
static pymps_status check_state(const pmp_call *call, const pymps_state *state, const pmp_training *training,
                                const pmp_stack *stack, const char *kind, size_t rows,
                                id<MTLCommandBuffer> command_buffer) {
    if (state == NULL)
        return PYMPS_OK;
    bool is_other = state->stack != stack && (state->stack == training->forward || state->stack == training->gradients);
    PMP_CHECK(!is_other, call, "state: of the other kind of pass, expected one of a %s pass", kind);
    return pmp_state_check(call, state, stack, (pmp_extent){.rows = rows}, command_buffer);
}

// The state that a gradient pass starts from may lack rows that have ended before the steps behind the pass, or before
// the last step where none are behind.
static pymps_status check_last_state(const pmp_call *call, const pmp_training *training,
                                     const pymps_training_gradient *gradient, id<MTLCommandBuffer> command_buffer) {
    const pymps_training_tape *tape = gradient->tape;
    const pymps_state *state = gradient->state;
    size_t following = gradient->first_step + gradient->steps;
    size_t least = tape->rows[following < tape->steps ? following : tape->steps - 1], rows = gradient->sources[0].rows;
    if (state != NULL && state->stack == training->gradients && least < rows) {
        PMP_CHECK(state->extent.rows >= least && state->extent.rows <= rows, call,
                  "state: %zu rows, expected %zu to %zu", state->extent.rows, least, rows);
        rows = state->extent.rows;
    }
    return check_state(call, state, training, training->gradients, "gradient", rows, command_buffer);
}

// The caller has the layer's lock.
static void set_switches(MPSRNNMatrixTrainingLayer *layer, const pmp_wanted_states *wanted) {
    layer.storeAllIntermediateStates = wanted->count > 1;
    layer.recurrentOutputIsTemporary = wanted->are_temporary && wanted->count > 0;
}

// ---- Forward ----

static pymps_status check_forward(const pmp_call *call, const pymps_training_layer *layer,
                                  const pymps_command_buffer *command_buffer, const pymps_training_forward *forward) {
    const pmp_training *training = layer->training;
    id<MTLCommandBuffer> object = command_buffer->command_buffer;
    const pymps_matrix *sources = forward->sources;
    size_t steps = forward->steps;
    PMP_TRY(pmp_training_matrices_check(call, "weights", forward->weights, training, false, object));
    PMP_CHECK(sources != NULL, call, "sources: NULL, expected a pointer");
    PMP_CHECK(forward->destinations != NULL, call, "destinations: NULL, expected a pointer");
    PMP_TRY(pmp_sources_check(call, layer->device, training->forward, command_buffer, steps, sources));
    const pmp_matrices destinations = {forward->destinations, "destinations",
                                       training->forward->info.output_feature_channels, "the layer's output channels"};
    PMP_TRY(pmp_matrices_check(call, layer->device, steps, sources, &destinations));
    PMP_TRY(pmp_apart_check(call, steps, sources, "sources", forward->destinations, "destinations"));
    PMP_TRY(check_state(call, forward->state, training, training->forward, "forward", sources[0].rows, object));
    if (forward->state != NULL)
        PMP_TRY(pmp_state_check_overlap(call, forward->state, steps, forward->destinations, "destinations"));
    const pmp_wanted_states wanted = {forward->state_count, forward->states_are_temporary, forward->states};
    return pmp_wanted_states_check(call, &wanted, steps);
}

static pymps_status encode_forward(const pmp_call *call, pymps_training_layer *layer,
                                   id<MTLCommandBuffer> command_buffer, const pymps_training_forward *forward,
                                   pymps_training_tape *tape) {
    const pmp_wanted_states wanted = {forward->state_count, forward->states_are_temporary, forward->states};
    NSArray *sources, *destinations;
    NSUInteger *source_offsets, *destination_offsets;
    PMP_TRY(pmp_matrix_array(call, forward->sources, forward->steps, &sources, &source_offsets));
    PMP_TRY(pmp_matrix_array(call, forward->destinations, forward->steps, &destinations, &destination_offsets));
    NSMutableArray *steps = [NSMutableArray arrayWithCapacity:forward->steps];
    NSMutableArray *states = wanted.count == 0 ? nil : [NSMutableArray arrayWithCapacity:wanted.count];
    MPSState *state = forward->state == NULL ? nil : forward->state->state;
    pmp_training_with_lock(layer, ^{
        set_switches(layer->layer, &wanted);
        layer->layer.trainingStateIsTemporary = forward->tape_is_temporary;
        [layer->layer encodeForwardSequenceToCommandBuffer:command_buffer
                                            sourceMatrices:sources
                                             sourceOffsets:source_offsets
                                       destinationMatrices:destinations
                                        destinationOffsets:destination_offsets
                                            trainingStates:steps
                                       recurrentInputState:(MPSRNNRecurrentMatrixState *)state
                                     recurrentOutputStates:states
                                                   weights:tape->weights];
    });
    tape->states = [steps retain];
    if (steps.count != forward->steps)
        return pmp_fail(call, PYMPS_ERROR_DEVICE, 0, "the device made %lu training states, expected %zu",
                        (unsigned long)steps.count, forward->steps);
    pmp_extent extent = {.rows = forward->sources[0].rows};
    return pmp_states_hand_out(call, layer->training->forward, states, extent, &wanted, command_buffer);
}

pymps_status training_layer_encode_forward(pymps_training_layer *layer, pymps_command_buffer *command_buffer,
                                           const pymps_training_forward *forward, pymps_training_tape **tape,
                                           pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(layer, call);
        PMP_CHECK_NOT_NULL(command_buffer, call);
        PMP_CHECK_NOT_NULL(forward, call);
        PMP_CHECK_NOT_NULL(tape, call);
        PMP_TRY(check_forward(call, layer, command_buffer, forward));
        id<MTLCommandBuffer> object = command_buffer->command_buffer;
        pymps_training_tape *made;
        PMP_TRY(make_tape(call, layer->training, forward, object, &made));
        pymps_status status = PYMPS_ERROR_EXCEPTION;
        @try {
            status = encode_forward(call, layer, object, forward, made);
        } @finally {
            if (status == PYMPS_OK)
                *tape = made;
            else
                training_tape_release(made);
        }
        return status;
    });
}

// ---- Gradient ----

// dx, where it is wanted, lies apart from all that is read, and its steps from each other.
static pymps_status check_dx(const pmp_call *call, const pymps_training_layer *layer,
                             const pymps_training_gradient *gradient) {
    const pymps_matrix *sources = gradient->sources;
    size_t steps = gradient->steps;
    const pmp_matrices dx = {gradient->dx, "dx", layer->training->forward->info.input_feature_channels,
                             "the layer's input channels"};
    PMP_TRY(pmp_matrices_check(call, layer->device, steps, sources, &dx));
    PMP_TRY(pmp_apart_check(call, steps, sources, "sources", gradient->dx, "dx"));
    PMP_TRY(pmp_apart_check(call, steps, gradient->dy, "dy", gradient->dx, "dx"));
    size_t first, second;
    PMP_CHECK(!pmp_matrices_repeat(steps, gradient->dx, &first, &second), call,
              "dx[%zu]: shares memory with dx[%zu], expected memory of its own", second, first);
    if (gradient->state != NULL)
        PMP_TRY(pmp_state_check_overlap(call, gradient->state, steps, gradient->dx, "dx"));
    return PYMPS_OK;
}

static pymps_status check_gradient(const pmp_call *call, const pymps_training_layer *layer,
                                   const pymps_command_buffer *command_buffer,
                                   const pymps_training_gradient *gradient) {
    const pmp_training *training = layer->training;
    id<MTLCommandBuffer> object = command_buffer->command_buffer;
    const pymps_matrix *sources = gradient->sources;
    PMP_TRY(pmp_training_matrices_check(call, "weights", gradient->weights, training, false, object));
    PMP_TRY(check_tape(call, training, gradient, object));
    PMP_CHECK(sources != NULL, call, "sources: NULL, expected a pointer");
    PMP_CHECK(gradient->dy != NULL, call, "dy: NULL, expected a pointer");
    PMP_TRY(pmp_sources_check(call, layer->device, training->forward, command_buffer, gradient->steps, sources));
    PMP_TRY(check_rows(call, gradient));
    const pmp_matrices dy = {gradient->dy, "dy", training->forward->info.output_feature_channels,
                             "the layer's output channels"};
    PMP_TRY(pmp_matrices_check(call, layer->device, gradient->steps, sources, &dy));
    if (gradient->dx != NULL)
        PMP_TRY(check_dx(call, layer, gradient));
    if (gradient->weight_gradients != NULL)
        PMP_TRY(
            pmp_training_matrices_check(call, "weight_gradients", gradient->weight_gradients, training, true, object));
    PMP_TRY(check_last_state(call, training, gradient, object));
    const pmp_wanted_states wanted = {gradient->state_count, gradient->states_are_temporary, gradient->states};
    return pmp_wanted_states_check(call, &wanted, gradient->steps);
}

static pymps_status encode_gradient(const pmp_call *call, pymps_training_layer *layer,
                                    id<MTLCommandBuffer> command_buffer, const pymps_training_gradient *gradient) {
    const pmp_wanted_states wanted = {gradient->state_count, gradient->states_are_temporary, gradient->states};
    NSArray *sources, *dy, *dx = nil;
    NSUInteger *source_offsets, *dy_offsets, *dx_offsets = NULL;
    PMP_TRY(pmp_matrix_array(call, gradient->sources, gradient->steps, &sources, &source_offsets));
    PMP_TRY(pmp_matrix_array(call, gradient->dy, gradient->steps, &dy, &dy_offsets));
    if (gradient->dx != NULL)
        PMP_TRY(pmp_matrix_array(call, gradient->dx, gradient->steps, &dx, &dx_offsets));
    NSArray *tape = [gradient->tape->states subarrayWithRange:NSMakeRange(gradient->first_step, gradient->steps)];
    NSMutableArray *states = wanted.count == 0 ? nil : [NSMutableArray arrayWithCapacity:wanted.count];
    MPSState *state = gradient->state == NULL ? nil : gradient->state->state;
    NSArray *weight_gradients = gradient->weight_gradients == NULL ? nil : gradient->weight_gradients->matrices;
    pmp_training_with_lock(layer, ^{
        set_switches(layer->layer, &wanted);
        layer->layer.accumulateWeightGradients = gradient->accumulate_weight_gradients;
        [layer->layer encodeGradientSequenceToCommandBuffer:command_buffer
                                             forwardSources:sources
                                       forwardSourceOffsets:source_offsets
                                            sourceGradients:dy
                                      sourceGradientOffsets:dy_offsets
                                       destinationGradients:dx
                                         destinationOffsets:dx_offsets
                                            weightGradients:weight_gradients
                                             trainingStates:tape
                                        recurrentInputState:(MPSRNNRecurrentMatrixState *)state
                                      recurrentOutputStates:states
                                                    weights:gradient->weights->matrices];
    });
    pmp_extent extent = {.rows = gradient->sources[0].rows};
    return pmp_states_hand_out(call, layer->training->gradients, states, extent, &wanted, command_buffer);
}

pymps_status training_layer_encode_gradient(pymps_training_layer *layer, pymps_command_buffer *command_buffer,
                                            const pymps_training_gradient *gradient, pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(layer, call);
        PMP_CHECK_NOT_NULL(command_buffer, call);
        PMP_CHECK_NOT_NULL(gradient, call);
        PMP_TRY(check_gradient(call, layer, command_buffer, gradient));
        return encode_gradient(call, layer, command_buffer->command_buffer, gradient);
    });
}
