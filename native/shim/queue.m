// pymps_queue: an MTLCommandQueue.
#import "shim.h"
#include <stdlib.h>

enum { default_max_command_buffer_count = 64, largest_max_command_buffer_count = 4096 };

static pymps_status create(const pmp_call *call, pymps_device *device, size_t max_command_buffer_count,
                           pymps_queue **queue) {
    PMP_CHECK_NOT_NULL(device, call);
    PMP_CHECK(max_command_buffer_count >= 1 && max_command_buffer_count <= largest_max_command_buffer_count, call,
              "max_command_buffer_count: %zu, expected 1 to %d", max_command_buffer_count,
              largest_max_command_buffer_count);
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
    handle->max_command_buffer_count = max_command_buffer_count;
    handle->queue = [made retain];
    *queue = handle;
    return PYMPS_OK;
}

pymps_status queue_create(pymps_device *device, pymps_queue **queue, pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        return create(call, device, default_max_command_buffer_count, queue);
    });
}

pymps_status queue_create_with_max_command_buffer_count(pymps_device *device, size_t max_command_buffer_count,
                                                        pymps_queue **queue, pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        return create(call, device, max_command_buffer_count, queue);
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
