// pymps_buffer: an MTLBuffer.
#import "shim.h"
#include <stdlib.h>
#include <unistd.h>

pymps_buffer pmp_buffer_view(id<MTLBuffer> buffer) {
    bool is_private = buffer.storageMode == MTLStorageModePrivate;
    return (pymps_buffer){
        .buffer = buffer,
        .contents = is_private ? NULL : buffer.contents,
        .length_bytes = buffer.length,
        .storage_mode = (pymps_storage_mode)buffer.storageMode,
    };
}

pymps_buffer *pmp_buffer_handle(id<MTLBuffer> buffer) {
    pymps_buffer *handle = malloc(sizeof *handle);
    if (handle == NULL)
        return NULL;
    *handle = pmp_buffer_view([buffer retain]);
    return handle;
}

static pymps_status check_length(const pmp_call *call, id<MTLDevice> device, size_t length_bytes) {
    PMP_CHECK(length_bytes >= 1 && length_bytes <= device.maxBufferLength, call,
              "length_bytes: %zu, expected 1 to %lu, the device's max_buffer_length_bytes", length_bytes,
              (unsigned long)device.maxBufferLength);
    return PYMPS_OK;
}

// Makes a handle to what `make` returns (a new reference, or nil). The handle comes first: once there is a buffer,
// nothing can fail any more, so that no deallocator runs in vain.
static pymps_status hand_out(const pmp_call *call, size_t length_bytes, pymps_buffer **buffer,
                             id<MTLBuffer> (^make)(void)) {
    pymps_buffer *handle = malloc(sizeof *handle);
    if (handle == NULL)
        return pmp_out_of_memory(call);
    id<MTLBuffer> made = make();
    if (made == nil) {
        free(handle);
        return pmp_fail(call, PYMPS_ERROR_MEMORY, 0, "length_bytes: %zu, more than the device has left", length_bytes);
    }
    *handle = pmp_buffer_view(made);
    handle->length_bytes = length_bytes;
    *buffer = handle;
    return PYMPS_OK;
}

pymps_status buffer_create(pymps_device *device, size_t length_bytes, pymps_storage_mode storage_mode,
                           pymps_buffer **buffer, pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(device, call);
        PMP_CHECK_NOT_NULL(buffer, call);
        PMP_TRY(check_length(call, device->device, length_bytes));
        PMP_CHECK(storage_mode == PYMPS_STORAGE_SHARED || storage_mode == PYMPS_STORAGE_MANAGED ||
                      storage_mode == PYMPS_STORAGE_PRIVATE,
                  call, "storage_mode: %d, expected 0 (shared), 1 (managed) or 2 (private)", (int)storage_mode);
        // Blits copy multiples of 4 bytes: what only a blit reaches ends on one.
        size_t padding = storage_mode == PYMPS_STORAGE_PRIVATE ? -length_bytes % 4 : 0;
        MTLResourceOptions options = (MTLResourceOptions)storage_mode << MTLResourceStorageModeShift;
        return hand_out(call, length_bytes, buffer, ^{
            return [device->device newBufferWithLength:length_bytes + padding options:options];
        });
    });
}

pymps_status buffer_wrap(pymps_device *device, void *pointer, size_t length_bytes, void (*deallocator)(void *context),
                         void *context, pymps_buffer **buffer, pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(device, call);
        PMP_CHECK_NOT_NULL(pointer, call);
        PMP_CHECK_NOT_NULL(buffer, call);
        PMP_TRY(check_length(call, device->device, length_bytes));
        size_t page_bytes = (size_t)getpagesize();
        PMP_CHECK((uintptr_t)pointer % page_bytes == 0, call, "pointer: %p, expected a multiple of %zu, the page size",
                  pointer, page_bytes);
        PMP_CHECK(length_bytes % page_bytes == 0, call, "length_bytes: %zu, expected a multiple of %zu, the page size",
                  length_bytes, page_bytes);
        void (^when_unused)(void *, NSUInteger) = ^(void *unused_pointer, NSUInteger unused_length) {
            (void)unused_pointer;
            (void)unused_length;
            deallocator(context);
        };
        return hand_out(call, length_bytes, buffer, ^{
            return [device->device newBufferWithBytesNoCopy:pointer
                                                     length:length_bytes
                                                    options:MTLResourceStorageModeShared
                                                deallocator:deallocator == NULL ? NULL : when_unused];
        });
    });
}

void buffer_release(pymps_buffer *buffer) {
    if (buffer == NULL)
        return;
    pmp_perform(^{
        [(MPSMatrix *)buffer->matrix release];
        [buffer->buffer release];
    });
    free(buffer);
}

void *buffer_contents(pymps_buffer *buffer) {
    return buffer == NULL ? NULL : buffer->contents;
}

size_t buffer_length_bytes(pymps_buffer *buffer) {
    return buffer == NULL ? 0 : buffer->length_bytes;
}

pymps_storage_mode buffer_storage_mode(pymps_buffer *buffer) {
    return buffer == NULL ? PYMPS_STORAGE_SHARED : buffer->storage_mode;
}

pymps_status buffer_did_modify(pymps_buffer *buffer, size_t offset_bytes, size_t length_bytes, pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(buffer, call);
        PMP_CHECK(buffer->storage_mode == PYMPS_STORAGE_MANAGED, call, "buffer: storage mode %d, expected 1 (managed)",
                  (int)buffer->storage_mode);
        PMP_CHECK(offset_bytes <= buffer->length_bytes && length_bytes <= buffer->length_bytes - offset_bytes, call,
                  "length_bytes: %zu at offset %zu, expected to end within the buffer's %zu bytes", length_bytes,
                  offset_bytes, buffer->length_bytes);
        [buffer->buffer didModifyRange:NSMakeRange(offset_bytes, length_bytes)];
        return PYMPS_OK;
    });
}

pymps_status pmp_float32_buffer(const pmp_call *call, id<MTLDevice> device, size_t rows, size_t columns,
                                id<MTLBuffer> *buffer) {
    *buffer = [[device newBufferWithLength:rows * columns * sizeof(float)
                                   options:MTLResourceStorageModeShared] autorelease];
    if (*buffer == nil)
        return pmp_fail(call, PYMPS_ERROR_MEMORY, 0, "rows: %zu of %zu channels, more than the device has left", rows,
                        columns);
    return PYMPS_OK;
}
