// pymps_command_buffer: an MTLCommandBuffer, from its queue to its end.
#import "shim.h"
#include <stdlib.h>

pymps_status pmp_command_buffer_make(const pmp_call *call, id<MTLCommandQueue> queue, id<MTLCommandBuffer> *made) {
    *made = [queue commandBuffer];
    return *made != nil ? PYMPS_OK : pmp_fail(call, PYMPS_ERROR_DEVICE, 0, "the queue has no command buffer left");
}

static pymps_status make_command_buffer(const pmp_call *call, pymps_queue *queue,
                                        pymps_command_buffer **command_buffer) {
    id<MTLCommandBuffer> made;
    PMP_TRY(pmp_command_buffer_make(call, queue->queue, &made));
    pymps_command_buffer *handle = calloc(1, sizeof *handle);
    if (handle == NULL)
        return pmp_out_of_memory(call);
    pmp_retain(&queue->references);
    handle->queue = queue;
    handle->command_buffer = [made retain];
    *command_buffer = handle;
    return PYMPS_OK;
}

// A queue at its maximum makes the next command buffer wait for one to complete. Where none is committed that would be
// for ever, so that many uncommitted ones are an error here.
pymps_status command_buffer_create(pymps_queue *queue, pymps_command_buffer **command_buffer, pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(queue, call);
        PMP_CHECK_NOT_NULL(command_buffer, call);
        pymps_status status;
        if (atomic_fetch_add(&queue->uncommitted_count, 1) < queue->max_command_buffer_count)
            status = make_command_buffer(call, queue, command_buffer);
        else
            status = pmp_fail(call, PYMPS_ERROR_ARGUMENT, 0,
                              "queue: %zu command buffers wait for their commit, expected less",
                              queue->max_command_buffer_count);
        if (status != PYMPS_OK)
            atomic_fetch_sub(&queue->uncommitted_count, 1);
        return status;
    });
}

pymps_status pmp_command_buffer_check(const pmp_call *call, const pymps_command_buffer *command_buffer,
                                      id<MTLDevice> device) {
    PMP_CHECK(!command_buffer->is_committed, call, "command_buffer: already committed, expected to encode before");
    PMP_CHECK(device == nil || command_buffer->command_buffer.device == device, call,
              "command_buffer: of another device, expected the same");
    return PYMPS_OK;
}

// ---- Commit ----

// Touches the handle no more once the work may run: a handler may release it.
static void commit(pymps_command_buffer *command_buffer) {
    id<MTLCommandBuffer> object = [[command_buffer->command_buffer retain] autorelease];
    command_buffer->is_committed = true;
    command_buffer->handlers = NULL; // they end themselves now
    atomic_fetch_sub(&command_buffer->queue->uncommitted_count, 1);
    [object commit];
}

void command_buffer_release(pymps_command_buffer *command_buffer) {
    if (command_buffer == NULL)
        return;
    pmp_perform(^{
        if (command_buffer->is_enqueued && !command_buffer->is_committed)
            commit(command_buffer);
        [command_buffer->command_buffer release];
        pmp_handlers_drop(command_buffer->handlers);
    });
    if (!command_buffer->is_committed)
        atomic_fetch_sub(&command_buffer->queue->uncommitted_count, 1);
    queue_release(command_buffer->queue);
    free(command_buffer);
}

pymps_status command_buffer_enqueue(pymps_command_buffer *command_buffer, pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(command_buffer, call);
        PMP_CHECK(!command_buffer->is_committed, call, "command_buffer: already committed, expected to enqueue before");
        PMP_CHECK(!command_buffer->is_enqueued, call, "command_buffer: already enqueued, expected one enqueue");
        [command_buffer->command_buffer enqueue];
        command_buffer->is_enqueued = true;
        return PYMPS_OK;
    });
}

pymps_status command_buffer_commit(pymps_command_buffer *command_buffer, pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(command_buffer, call);
        PMP_CHECK(!command_buffer->is_committed, call, "command_buffer: already committed, expected one commit");
        commit(command_buffer);
        return PYMPS_OK;
    });
}

// ---- After the commit ----

static pymps_status check_wait(const pmp_call *call, const pymps_command_buffer *command_buffer) {
    PMP_CHECK_NOT_NULL(command_buffer, call);
    PMP_CHECK(command_buffer->is_committed, call, "command_buffer: not committed, expected a commit before");
    PMP_CHECK(!pmp_handler_blocks(command_buffer->command_buffer), call,
              "command_buffer: can't complete before this handler of its queue ends, expected no wait for it here");
    return PYMPS_OK;
}

pymps_status command_buffer_wait_until_scheduled(pymps_command_buffer *command_buffer, pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_TRY(check_wait(call, command_buffer));
        [command_buffer->command_buffer waitUntilScheduled];
        return PYMPS_OK;
    });
}

pymps_status command_buffer_wait(pymps_command_buffer *command_buffer, pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_TRY(check_wait(call, command_buffer));
        return pmp_wait(call, command_buffer->command_buffer);
    });
}

pymps_command_buffer_status command_buffer_status(pymps_command_buffer *command_buffer) {
    __block MTLCommandBufferStatus status = MTLCommandBufferStatusNotEnqueued;
    if (command_buffer != NULL)
        pmp_perform(^{
            status = command_buffer->command_buffer.status;
        });
    return (pymps_command_buffer_status)status;
}

void command_buffer_times(pymps_command_buffer *command_buffer, pymps_command_buffer_times *times) {
    if (command_buffer == NULL || times == NULL)
        return;
    pmp_perform(^{
        id<MTLCommandBuffer> object = command_buffer->command_buffer;
        *times = (pymps_command_buffer_times){
            .kernel_start = object.kernelStartTime,
            .kernel_end = object.kernelEndTime,
            .gpu_start = object.GPUStartTime,
            .gpu_end = object.GPUEndTime,
        };
    });
}

pymps_status pmp_command_buffer_error(const pmp_call *call, id<MTLCommandBuffer> command_buffer) {
    if (command_buffer.status != MTLCommandBufferStatusError)
        return PYMPS_OK;
    NSError *error = command_buffer.error;
    return pmp_fail(call, PYMPS_ERROR_COMMAND_BUFFER, error.code, "%s", pmp_utf8(error.localizedDescription));
}

pymps_status pmp_wait(const pmp_call *call, id<MTLCommandBuffer> command_buffer) {
    [command_buffer waitUntilCompleted];
    return pmp_command_buffer_error(call, command_buffer);
}

pymps_status pmp_finish(const pmp_call *call, id<MTLCommandBuffer> command_buffer) {
    [command_buffer commit];
    return pmp_wait(call, command_buffer);
}

pymps_status pmp_finish_making(const pmp_call *call, id<MTLCommandBuffer> command_buffer) {
    pymps_status status = pmp_finish(call, command_buffer);
    NSError *error = command_buffer.error;
    if (status == PYMPS_ERROR_COMMAND_BUFFER && error.code == MTLCommandBufferErrorOutOfMemory)
        return pmp_fail(call, PYMPS_ERROR_MEMORY, 0, "%s", pmp_utf8(error.localizedDescription));
    return status;
}
