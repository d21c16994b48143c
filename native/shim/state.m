// pymps_state: an MPSRNNRecurrentMatrixState or an MPSRNNRecurrentImageState.
#import "layers.h"
#include <stdlib.h>

pymps_state *pmp_state_handle(pmp_stack *stack, MPSState *state, pmp_extent extent,
                              id<MTLCommandBuffer> command_buffer) {
    pymps_state *handle = calloc(1, sizeof *handle);
    if (handle == NULL)
        return NULL;
    pmp_retain(&stack->references);
    handle->stack = stack;
    handle->state = [state retain];
    handle->extent = extent;
    handle->command_buffer = [command_buffer retain];
    return handle;
}

void state_release(pymps_state *state) {
    if (state == NULL)
        return;
    pmp_perform(^{
        if (state->command_buffer != nil && state->state.readCount > 0)
            state->state.readCount = 0; // MPS wants no reads left when a temporary object goes
        [state->state release];
        [state->command_buffer release];
    });
    pmp_stack_release(state->stack);
    free(state);
}

pymps_status pmp_state_check(const pmp_call *call, const pymps_state *state, const pmp_stack *stack, pmp_extent extent,
                             id<MTLCommandBuffer> command_buffer) {
    PMP_CHECK(state->stack == stack, call, "state: of another layer, expected one of this layer or of a copy of it");
    PMP_CHECK(state->extent.width == extent.width && state->extent.height == extent.height, call,
              "state: images of %zu x %zu, expected %zu x %zu", state->extent.width, state->extent.height, extent.width,
              extent.height);
    PMP_CHECK(state->extent.rows == extent.rows, call, "state: %zu rows, expected %zu", state->extent.rows,
              extent.rows);
    if (state->command_buffer != nil) {
        PMP_CHECK(state->command_buffer == command_buffer, call,
                  "state: temporary, expected to be used on the command buffer that made it");
        PMP_CHECK(state->state.readCount > 0, call, "state: temporary with a read count of 0, expected at least 1");
    }
    return PYMPS_OK;
}

static MPSMatrix *find_matrix(const pymps_state *state, size_t layer_index, pymps_state_matrix which) {
    MPSRNNRecurrentMatrixState *object = (MPSRNNRecurrentMatrixState *)state->state;
    return which == PYMPS_MEMORY_CELL ? [object getMemoryCellMatrixForLayerIndex:layer_index]
                                      : [object getRecurrentOutputMatrixForLayerIndex:layer_index];
}

static pymps_matrix matrix_in(pymps_buffer *buffer, MPSMatrix *matrix) {
    return (pymps_matrix){
        .buffer = buffer,
        .offset_bytes = matrix.offset,
        .rows = matrix.rows,
        .columns = matrix.columns,
        .row_bytes = matrix.rowBytes,
        .data_type = (pymps_data_type)matrix.dataType,
    };
}

pymps_status pmp_state_check_overlap(const pmp_call *call, const pymps_state *state, size_t count,
                                     const pymps_matrix *results, const char *name) {
    if (state->command_buffer != nil || !state->stack->shows_states)
        return PYMPS_OK; // nobody has seen its memory
    for (size_t index = 0; index < state->stack->info.number_of_layers; index++)
        for (int which = PYMPS_RECURRENT_OUTPUT; which <= PYMPS_MEMORY_CELL; which++) {
            MPSMatrix *found = find_matrix(state, index, (pymps_state_matrix)which);
            if (found == nil)
                continue; // no memory cell
            pymps_buffer buffer = pmp_buffer_view(found.data);
            pymps_matrix matrix = matrix_in(&buffer, found);
            size_t unused, result;
            PMP_CHECK(!pmp_matrices_overlap(1, &matrix, count, results, &unused, &result), call,
                      "%s[%zu]: shares memory with state, expected memory of its own", name, result);
        }
    return PYMPS_OK;
}

// MPS hands out a state only as the result of a step.
pymps_status pmp_state_make(const pmp_call *call, pymps_layer *layer, pmp_extent extent, MPSState **state) {
    pmp_step step;
    PMP_TRY(pmp_step_make(call, layer, extent, &step));
    NSMutableArray *states = [NSMutableArray arrayWithCapacity:1];
    id<MTLCommandBuffer> command_buffer;
    PMP_TRY(pmp_command_buffer_make(call, layer->device->queue, &command_buffer));
    pmp_sequence sequence = {.sources = step.sources, .destinations = step.destinations, .states = states};
    pmp_layer_encode(layer, command_buffer, &sequence);
    PMP_TRY(pmp_finish_making(call, command_buffer));
    *state = [states objectAtIndex:0];
    return PYMPS_OK;
}

size_t pmp_state_outputs(const pmp_stack *stack, MPSState *state, size_t layer_index) {
    return stack->info.takes_images
               ? [(MPSRNNRecurrentImageState *)state getRecurrentOutputImageForLayerIndex:layer_index].featureChannels
               : [(MPSRNNRecurrentMatrixState *)state getRecurrentOutputMatrixForLayerIndex:layer_index].columns;
}

pymps_status pmp_state_write(const pmp_call *call, pymps_device *device, const pmp_stack *stack,
                             MPSRNNRecurrentMatrixState *state, const float *const *h, const float *const *c) {
    for (size_t index = 0; index < stack->info.number_of_layers; index++) {
        MPSMatrix *output = [state getRecurrentOutputMatrixForLayerIndex:index];
        PMP_TRY(pmp_matrix_write(call, device, output, h == NULL ? NULL : h[index]));
        MPSMatrix *cell = [state getMemoryCellMatrixForLayerIndex:index];
        const float *values = c == NULL ? NULL : c[index];
        PMP_CHECK(cell != nil || values == NULL, call, "c[%zu]: given for a layer without a memory cell, expected NULL",
                  index);
        if (cell != nil)
            PMP_TRY(pmp_matrix_write(call, device, cell, values));
    }
    return PYMPS_OK;
}

pymps_status state_create(pymps_layer *layer, size_t rows, const float *const *h, const float *const *c,
                          pymps_state **state, pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(layer, call);
        PMP_CHECK(rows >= 1, call, "rows: 0, expected at least 1");
        PMP_CHECK_NOT_NULL(state, call);
        PMP_TRY(pmp_stack_check_kind(call, "layer", layer->stack, false));
        PMP_TRY(pmp_stack_check_runs_sequence(call, layer->stack));
        PMP_TRY(pmp_rows_check(call, layer->device, layer->stack, rows));
        pmp_extent extent = {.rows = rows};
        MPSState *object;
        PMP_TRY(pmp_state_make(call, layer, extent, &object));
        MPSRNNRecurrentMatrixState *made = (MPSRNNRecurrentMatrixState *)object;
        PMP_TRY(pmp_state_write(call, layer->device, layer->stack, made, h, c));
        pymps_state *handle = pmp_state_handle(layer->stack, made, extent, nil);
        if (handle == NULL)
            return pmp_out_of_memory(call);
        *state = handle;
        return PYMPS_OK;
    });
}

pymps_status pmp_state_check_access(const pmp_call *call, const pymps_state *state, bool takes_images,
                                    size_t layer_index, pymps_state_matrix which) {
    PMP_TRY(pmp_stack_check_kind(call, "state", state->stack, takes_images));
    PMP_CHECK(layer_index < state->stack->info.number_of_layers, call, "layer_index: %zu, expected less than %zu",
              layer_index, state->stack->info.number_of_layers);
    PMP_CHECK(which == PYMPS_RECURRENT_OUTPUT || which == PYMPS_MEMORY_CELL, call,
              "which: %d, expected 0 (recurrent output) or 1 (memory cell)", (int)which);
    PMP_CHECK(state->command_buffer == nil, call, "state: temporary, expected one whose %s can be read",
              takes_images ? "images" : "matrices");
    return PYMPS_OK;
}

pymps_status state_matrix(pymps_state *state, size_t layer_index, pymps_state_matrix which, pymps_matrix *matrix,
                          pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(state, call);
        PMP_CHECK_NOT_NULL(matrix, call);
        PMP_TRY(pmp_state_check_access(call, state, false, layer_index, which));
        MPSMatrix *found = find_matrix(state, layer_index, which);
        PMP_CHECK(found != nil, call, "which: 1 (memory cell) of layer %zu, which has none", layer_index);
        pymps_buffer *buffer = pmp_buffer_handle(found.data);
        if (buffer == NULL)
            return pmp_out_of_memory(call);
        *matrix = matrix_in(buffer, found);
        state->stack->shows_states = true;
        return PYMPS_OK;
    });
}

// ---- Temporary states ----

bool state_is_temporary(pymps_state *state) {
    return state != NULL && state->command_buffer != nil;
}

size_t state_read_count(pymps_state *state) {
    __block size_t read_count = 0;
    if (state_is_temporary(state))
        pmp_perform(^{
            read_count = state->state.readCount;
        });
    return read_count;
}

pymps_status state_set_read_count(pymps_state *state, size_t read_count, pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(state, call);
        PMP_CHECK(state->command_buffer != nil, call, "state: not temporary, expected one with a read count");
        PMP_CHECK(state->command_buffer.status < MTLCommandBufferStatusCommitted, call,
                  "state: its command buffer is committed, expected to be changed before");
        PMP_CHECK(state->state.readCount > 0, call, "state: a read count of 0, which is final");
        state->state.readCount = read_count;
        return PYMPS_OK;
    });
}
