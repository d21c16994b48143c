// pymps_shared_event: an MTLSharedEvent.
#import "shim.h"
#include <stdlib.h>

pymps_status shared_event_create(pymps_device *device, pymps_shared_event **event, pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(device, call);
        PMP_CHECK_NOT_NULL(event, call);
        id<MTLSharedEvent> made = [[device->device newSharedEvent] autorelease];
        if (made == nil)
            return pmp_fail(call, PYMPS_ERROR_DEVICE, 0, "the device has no shared event left");
        pymps_shared_event *handle = calloc(1, sizeof *handle);
        if (handle == NULL)
            return pmp_out_of_memory(call);
        handle->event = [made retain];
        *event = handle;
        return PYMPS_OK;
    });
}

void shared_event_release(pymps_shared_event *event) {
    if (event == NULL)
        return;
    pmp_perform(^{
        [event->event release];
    });
    free(event);
}

uint64_t shared_event_signaled_value(pymps_shared_event *event) {
    __block uint64_t value = 0;
    if (event != NULL)
        pmp_perform(^{
            value = event->event.signaledValue;
        });
    return value;
}

void shared_event_set_signaled_value(pymps_shared_event *event, uint64_t value) {
    if (event != NULL)
        pmp_perform(^{
            event->event.signaledValue = value;
        });
}

static pymps_status check(const pmp_call *call, const pymps_command_buffer *command_buffer,
                          const pymps_shared_event *event) {
    PMP_CHECK_NOT_NULL(command_buffer, call);
    PMP_CHECK_NOT_NULL(event, call);
    return pmp_command_buffer_check(call, command_buffer, nil);
}

pymps_status command_buffer_encode_signal_event(pymps_command_buffer *command_buffer, pymps_shared_event *event,
                                                uint64_t value, pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_TRY(check(call, command_buffer, event));
        [command_buffer->command_buffer encodeSignalEvent:event->event value:value];
        return PYMPS_OK;
    });
}

pymps_status command_buffer_encode_wait_event(pymps_command_buffer *command_buffer, pymps_shared_event *event,
                                              uint64_t value, pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_TRY(check(call, command_buffer, event));
        [command_buffer->command_buffer encodeWaitForEvent:event->event value:value];
        return PYMPS_OK;
    });
}
