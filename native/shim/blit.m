// Blits: what a command buffer does with the bytes of buffers.
#import "shim.h"

// Blits want offsets and lengths in multiples of this.
enum { blit_bytes = 4 };

// `name` is the offset's in messages.
static pymps_status check_range(const pmp_call *call, const pymps_command_buffer *command_buffer,
                                const pymps_buffer *buffer, const char *name, size_t offset_bytes,
                                size_t length_bytes) {
    size_t whole_bytes = buffer->buffer.length;
    PMP_TRY(pmp_command_buffer_check(call, command_buffer, buffer->buffer.device));
    PMP_CHECK(offset_bytes % blit_bytes == 0, call, "%s: %zu, expected a multiple of %d", name, offset_bytes,
              blit_bytes);
    PMP_CHECK(length_bytes >= 1 && length_bytes % blit_bytes == 0, call,
              "length_bytes: %zu, expected a multiple of %d, at least %d", length_bytes, blit_bytes, blit_bytes);
    PMP_CHECK(offset_bytes <= whole_bytes && length_bytes <= whole_bytes - offset_bytes, call,
              "length_bytes: %zu at %s %zu, expected to end within the buffer's %zu bytes", length_bytes, name,
              offset_bytes, whole_bytes);
    return PYMPS_OK;
}

pymps_status pmp_blit(const pmp_call *call, id<MTLCommandBuffer> command_buffer,
                      void (^body)(id<MTLBlitCommandEncoder> encoder)) {
    id<MTLBlitCommandEncoder> encoder = [command_buffer blitCommandEncoder];
    if (encoder == nil)
        return pmp_fail(call, PYMPS_ERROR_DEVICE, 0, "the device has no command encoder left");
    @try {
        body(encoder);
    } @finally {
        [encoder endEncoding];
    }
    return PYMPS_OK;
}

static bool overlap(const pymps_buffer *source, size_t source_offset, const pymps_buffer *destination,
                    size_t destination_offset, size_t length) {
    return source->buffer == destination->buffer && source_offset < destination_offset + length &&
           destination_offset < source_offset + length;
}

pymps_status command_buffer_copy(pymps_command_buffer *command_buffer, pymps_buffer *source, size_t source_offset_bytes,
                                 pymps_buffer *destination, size_t destination_offset_bytes, size_t length_bytes,
                                 pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(command_buffer, call);
        PMP_CHECK_NOT_NULL(source, call);
        PMP_CHECK_NOT_NULL(destination, call);
        PMP_TRY(check_range(call, command_buffer, source, "source_offset_bytes", source_offset_bytes, length_bytes));
        PMP_TRY(check_range(call, command_buffer, destination, "destination_offset_bytes", destination_offset_bytes,
                            length_bytes));
        PMP_CHECK(!overlap(source, source_offset_bytes, destination, destination_offset_bytes, length_bytes), call,
                  "destination_offset_bytes: %zu, expected no overlap with the %zu bytes at source_offset_bytes %zu",
                  destination_offset_bytes, length_bytes, source_offset_bytes);
        return pmp_blit(call, command_buffer->command_buffer, ^(id<MTLBlitCommandEncoder> encoder) {
            [encoder copyFromBuffer:source->buffer
                       sourceOffset:source_offset_bytes
                           toBuffer:destination->buffer
                  destinationOffset:destination_offset_bytes
                               size:length_bytes];
        });
    });
}

pymps_status command_buffer_fill(pymps_command_buffer *command_buffer, pymps_buffer *buffer, size_t offset_bytes,
                                 size_t length_bytes, uint8_t value, pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(command_buffer, call);
        PMP_CHECK_NOT_NULL(buffer, call);
        PMP_TRY(check_range(call, command_buffer, buffer, "offset_bytes", offset_bytes, length_bytes));
        return pmp_blit(call, command_buffer->command_buffer, ^(id<MTLBlitCommandEncoder> encoder) {
            [encoder fillBuffer:buffer->buffer range:NSMakeRange(offset_bytes, length_bytes) value:value];
        });
    });
}

pymps_status command_buffer_synchronize(pymps_command_buffer *command_buffer, pymps_buffer *buffer,
                                        pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(command_buffer, call);
        PMP_CHECK_NOT_NULL(buffer, call);
        PMP_TRY(pmp_command_buffer_check(call, command_buffer, buffer->buffer.device));
        if (buffer->storage_mode != PYMPS_STORAGE_MANAGED)
            return PYMPS_OK;
        return pmp_blit(call, command_buffer->command_buffer, ^(id<MTLBlitCommandEncoder> encoder) {
            [encoder synchronizeResource:buffer->buffer];
        });
    });
}
