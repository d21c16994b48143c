// pymps_queue and pymps_command_buffer: an MTLCommandQueue and its MTLCommandBuffers.
#import "shim.h"
#include <stdlib.h>

// A queue at its maximum makes the next command buffer wait for one to complete. Where none is committed that would be
// for ever, so that many uncommitted ones are an error here.
enum { max_command_buffer_count = 64 };

pymps_status queue_create(pymps_device *device, pymps_queue **queue, pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(device, call);
        PMP_CHECK_NOT_NULL(queue, call);
        id<MTLCommandQueue> made =
            [[device->device newCommandQueueWithMaxCommandBufferCount:max_command_buffer_count] autorelease];
        if (made == nil)
            return pmp_fail(call, PYMPS_ERROR_DEVICE, 0, "the device has no command queue left");
        pymps_queue *handle = calloc(1, sizeof *handle);
        if (handle == NULL)
            return pmp_out_of_memory(call);
        atomic_init(&handle->references, 1);
        atomic_init(&handle->uncommitted_count, 0);
        handle->queue = [made retain];
        *queue = handle;
        return PYMPS_OK;
    });
}

void queue_release(pymps_queue *queue) {
    if (queue == NULL || !pmp_drop(&queue->references))
        return;
    pmp_perform(^{
        [queue->queue release];
    });
    free(queue);
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

pymps_status command_buffer_create(pymps_queue *queue, pymps_command_buffer **command_buffer, pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(queue, call);
        PMP_CHECK_NOT_NULL(command_buffer, call);
        pymps_status status;
        if (atomic_fetch_add(&queue->uncommitted_count, 1) < max_command_buffer_count)
            status = make_command_buffer(call, queue, command_buffer);
        else
            status =
                pmp_fail(call, PYMPS_ERROR_ARGUMENT, 0,
                         "queue: %d command buffers wait for their commit, expected less", max_command_buffer_count);
        if (status != PYMPS_OK)
            atomic_fetch_sub(&queue->uncommitted_count, 1);
        return status;
    });
}

void command_buffer_release(pymps_command_buffer *command_buffer) {
    if (command_buffer == NULL)
        return;
    pmp_perform(^{
        [command_buffer->command_buffer release];
    });
    if (!command_buffer->is_committed)
        atomic_fetch_sub(&command_buffer->queue->uncommitted_count, 1);
    queue_release(command_buffer->queue);
    free(command_buffer);
}

pymps_status command_buffer_commit(pymps_command_buffer *command_buffer, pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(command_buffer, call);
        PMP_CHECK(!command_buffer->is_committed, call, "command_buffer: already committed, expected one commit");
        [command_buffer->command_buffer commit];
        command_buffer->is_committed = true;
        atomic_fetch_sub(&command_buffer->queue->uncommitted_count, 1);
        return PYMPS_OK;
    });
}

pymps_status command_buffer_wait(pymps_command_buffer *command_buffer, pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(command_buffer, call);
        PMP_CHECK(command_buffer->is_committed, call, "command_buffer: not committed, expected a commit before");
        return pmp_wait(call, command_buffer->command_buffer);
    });
}

pymps_status pmp_command_buffer_make(const pmp_call *call, id<MTLCommandQueue> queue, id<MTLCommandBuffer> *made) {
    *made = [queue commandBuffer];
    return *made != nil ? PYMPS_OK : pmp_fail(call, PYMPS_ERROR_DEVICE, 0, "the queue has no command buffer left");
}

pymps_status pmp_wait(const pmp_call *call, id<MTLCommandBuffer> command_buffer) {
    [command_buffer waitUntilCompleted];
    if (command_buffer.status != MTLCommandBufferStatusError)
        return PYMPS_OK;
    NSError *error = command_buffer.error;
    return pmp_fail(call, PYMPS_ERROR_COMMAND_BUFFER, error.code, "%s", pmp_utf8(error.localizedDescription));
}

pymps_status pmp_finish(const pmp_call *call, id<MTLCommandBuffer> command_buffer) {
    [command_buffer commit];
    return pmp_wait(call, command_buffer);
}
