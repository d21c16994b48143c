// pymps_stream: one step at a time through fixed buffers. All that a step needs is made beforehand.
//
// Two steps that each read the state that the other writes can take turns for ever, after one that starts from zeros.
// Where the device's command buffers can be committed again, a stream encodes these three once.
#import "images.h"
#include <stdlib.h>
#include <string.h>

typedef struct encoded_step {
    id<MTLCommandBuffer> command_buffer; // retained; nil: none that can be committed again
    MPSState *before;                    // the one after an encoded step; only to be compared
    MPSState *after;                     // retained; nil: zeros
    bool is_first;                       // it reads zeros
} encoded_step;

struct pymps_stream { // owned by its creator
    pmp_stack *stack;
    pmp_extent extent;
    id<PMPInferenceLayer> layer; // a copy of its own: no other thread encodes with it
    id<MTLCommandQueue> queue;
    pymps_buffer *source, *destination;
    NSArray *sources, *destinations; // one matrix or image each
    bool is_copied;                  // they do not lie in the buffers
    NSMutableArray *states;          // where MPS puts the state after a step
    encoded_step steps[2];           // the last two
    bool latest;                     // which of them was the last: the state after it is the stream's
    encoded_step first;              // the one from zeros, if it can start the two; its `after` is only compared
    bool is_at_start;                // and it comes next: the stream has no state
};

static encoded_step *last(pymps_stream *stream) {
    return &stream->steps[stream->latest];
}

static encoded_step *last_but_one(pymps_stream *stream) {
    return &stream->steps[!stream->latest];
}

static MPSState *state_of(pymps_stream *stream) {
    return stream->is_at_start ? nil : last(stream)->after;
}

static void forget_step(encoded_step *step) {
    [step->command_buffer release];
    [step->after release];
    *step = (encoded_step){0};
}

static void forget_first(pymps_stream *stream) {
    [stream->first.command_buffer release];
    stream->first = (encoded_step){0};
    stream->is_at_start = false;
}

// Keeps a reference to `state`, and no step: nobody else's state is written to, and nobody else writes to the stream's.
static void take_state(pymps_stream *stream, MPSState *state) {
    [state retain];
    forget_first(stream);
    forget_step(&stream->steps[0]);
    forget_step(&stream->steps[1]);
    last(stream)->after = state;
}

static bool take_turns(const encoded_step *a, const encoded_step *b) {
    return a->command_buffer != nil && b->command_buffer != nil && a->before == b->after && b->before == a->after;
}

static void start_from_zeros(pymps_stream *stream) {
    if (stream->first.command_buffer != nil && take_turns(&stream->steps[0], &stream->steps[1]))
        stream->is_at_start = true;
    else
        take_state(stream, nil);
}

// ---- A step ----

// The stream owns what a step uses, so that the command buffer need not.
static pymps_status encode_step(const pmp_call *call, pymps_stream *stream) {
    encoded_step *before = last(stream), *now = last_but_one(stream);
    forget_first(stream);
    if (now->is_first)
        stream->first = (encoded_step){.command_buffer = [now->command_buffer retain], .after = now->after};
    forget_step(now); // nobody else has seen its state: the layer may take it again, memory and all
    id<MTLCommandBuffer> command_buffer = [stream->queue commandBufferWithUnretainedReferences];
    if (command_buffer == nil)
        return pmp_fail(call, PYMPS_ERROR_DEVICE, 0, "the queue has no command buffer left");
    [stream->states removeAllObjects];
    const pmp_sequence sequence = {
        .sources = stream->sources,
        .destinations = stream->destinations,
        .state = before->after,
        .states = stream->states,
    };
    pmp_encode(stream->layer, stream->stack->info.takes_images, command_buffer, &sequence);
    if (stream->is_copied)
        pmp_image_synchronize([stream->destinations objectAtIndex:0], command_buffer);
    PMP_TRY(pmp_finish(call, command_buffer));
    bool can_run_again = [(id)command_buffer respondsToSelector:@selector(commitAgain)];
    *now = (encoded_step){
        .command_buffer = can_run_again ? [command_buffer retain] : nil,
        .before = before->command_buffer != nil ? before->after : nil,
        .after = [[stream->states objectAtIndex:0] retain],
        .is_first = can_run_again && before->after == nil,
    };
    stream->latest = !stream->latest;
    if (before->command_buffer == nil)
        forget_step(before); // a given state, or zeros
    return PYMPS_OK;
}

static pymps_status repeat_step(const pmp_call *call, pymps_stream *stream) {
    bool now = stream->is_at_start ? stream->steps[1].after == stream->first.after : !stream->latest;
    const encoded_step *step = stream->is_at_start ? &stream->first : &stream->steps[now];
    [(id<PMPCommittedAgain>)step->command_buffer commitAgain];
    PMP_TRY(pmp_wait(call, step->command_buffer));
    stream->latest = now;
    stream->is_at_start = false;
    return PYMPS_OK;
}

static pymps_status run_encoded_step(const pmp_call *call, pymps_stream *stream) {
    return take_turns(&stream->steps[0], &stream->steps[1]) ? repeat_step(call, stream) : encode_step(call, stream);
}

static pymps_status run_copied_step(const pmp_call *call, pymps_stream *stream) {
    MPSImage *source = [stream->sources objectAtIndex:0], *destination = [stream->destinations objectAtIndex:0];
    pmp_image_set(source, stream->source->contents);
    PMP_TRY(run_encoded_step(call, stream));
    pmp_image_get(destination, stream->destination->contents);
    return PYMPS_OK;
}

static pymps_status run_step(const pmp_call *call, pymps_stream *stream) {
    return stream->is_copied ? run_copied_step(call, stream) : run_encoded_step(call, stream);
}

pymps_status stream_step(pymps_stream *stream, pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(stream, call);
        return run_step(call, stream);
    });
}

// ---- From creation to release ----

static pymps_matrix matrix_over(pymps_buffer *buffer, size_t rows, size_t columns) {
    return (pymps_matrix){
        .buffer = buffer,
        .rows = rows,
        .columns = columns,
        .row_bytes = columns * sizeof(float),
        .data_type = PYMPS_FLOAT32,
    };
}

// As many steps as it takes until two have taken turns. What is left of them is warm memory, and three encoded steps.
static pymps_status warm_up(const pmp_call *call, pymps_stream *stream) {
    for (int step = 0; step < 5; step++)
        PMP_TRY(run_step(call, stream));
    start_from_zeros(stream);
    memset(stream->destination->contents, 0, stream->destination->length_bytes);
    return PYMPS_OK;
}

static pymps_status make_stream(const pmp_call *call, pymps_layer *layer, pymps_stream *stream) {
    pmp_step step;
    PMP_TRY(pmp_step_make(call, layer, stream->extent, &step));
    stream->source = pmp_buffer_handle(step.source);
    stream->destination = pmp_buffer_handle(step.destination);
    if (stream->source == NULL || stream->destination == NULL)
        return pmp_out_of_memory(call);
    stream->sources = [step.sources retain];
    stream->destinations = [step.destinations retain];
    stream->is_copied = step.is_copied;
    stream->states = [[NSMutableArray alloc] initWithCapacity:1];
    stream->queue = [layer->device->device newCommandQueue];
    stream->layer = [pmp_layer_copy_object(layer) retain];
    if (stream->queue == nil || stream->layer == nil)
        return pmp_fail(call, PYMPS_ERROR_DEVICE, 0, "the device has no command queue or no such layer left");
    stream->layer.storeAllIntermediateStates = NO;
    stream->layer.recurrentOutputIsTemporary = NO;
    return warm_up(call, stream);
}

pymps_status pmp_stream_create(const pmp_call *call, pymps_layer *layer, pmp_extent extent, pymps_stream **stream) {
    PMP_TRY(pmp_stack_check_runs_sequence(call, layer->stack));
    pymps_stream *handle = calloc(1, sizeof *handle);
    if (handle == NULL)
        return pmp_out_of_memory(call);
    pmp_retain(&layer->stack->references);
    handle->stack = layer->stack;
    handle->extent = extent;
    pymps_status status = PYMPS_ERROR_EXCEPTION;
    @try {
        status = make_stream(call, layer, handle);
    } @finally {
        if (status == PYMPS_OK)
            *stream = handle;
        else
            stream_release(handle);
    }
    return status;
}

pymps_status stream_create(pymps_layer *layer, size_t rows, pymps_stream **stream, pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(layer, call);
        PMP_CHECK(rows >= 1, call, "rows: 0, expected at least 1");
        PMP_CHECK_NOT_NULL(stream, call);
        PMP_TRY(pmp_stack_check_kind(call, "layer", layer->stack, false));
        PMP_TRY(pmp_rows_check(call, layer->device, layer->stack, rows));
        return pmp_stream_create(call, layer, (pmp_extent){.rows = rows}, stream);
    });
}

void stream_release(pymps_stream *stream) {
    if (stream == NULL)
        return;
    pmp_perform(^{
        take_state(stream, nil);
        [stream->states release];
        [stream->sources release];
        [stream->destinations release];
        [stream->layer release];
        [stream->queue release];
    });
    buffer_release(stream->source);
    buffer_release(stream->destination);
    pmp_stack_release(stream->stack);
    free(stream);
}

// ---- Its memory and its state ----

void stream_source(pymps_stream *stream, pymps_matrix *matrix) {
    if (stream != NULL && matrix != NULL)
        *matrix = matrix_over(stream->source, stream->extent.rows, stream->stack->info.input_feature_channels);
}

void stream_destination(pymps_stream *stream, pymps_matrix *matrix) {
    if (stream != NULL && matrix != NULL)
        *matrix = matrix_over(stream->destination, stream->extent.rows, stream->stack->info.output_feature_channels);
}

pymps_status stream_set_state(pymps_stream *stream, pymps_state *state, pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(stream, call);
        if (state != NULL)
            PMP_TRY(pmp_state_check(call, state, stream->stack, stream->extent, nil));
        if (state == NULL)
            start_from_zeros(stream);
        else
            take_state(stream, state->state);
        return PYMPS_OK;
    });
}

pymps_state *stream_state(pymps_stream *stream) {
    if (stream == NULL || state_of(stream) == nil)
        return NULL;
    __block pymps_state *handle = NULL;
    pmp_perform(^{
        take_state(stream, last(stream)->after);
        handle = pmp_state_handle(stream->stack, last(stream)->after, stream->extent, nil);
    });
    return handle;
}
