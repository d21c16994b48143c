// pymps_matrix: a view of a buffer. Its checks, and its way between the CPU and storage of any mode.
#import "shim.h"
#include <string.h>

// Blits want offsets and sizes in multiples of this.
enum { blit_bytes = 4 };

// From the first element to the end of the last. No overflow once pmp_matrix_check has passed.
static size_t span_bytes(const pymps_matrix *matrix) {
    return (matrix->rows - 1) * matrix->row_bytes + matrix->columns * pmp_element_bytes(matrix->data_type);
}

pymps_status pmp_matrix_check(const pmp_call *call, const pymps_matrix *matrix, id<MTLDevice> device) {
    PMP_CHECK(matrix->buffer != NULL, call, "buffer: NULL, expected a buffer");
    PMP_CHECK(matrix->buffer->buffer.device == device, call, "buffer: of another device, expected the same");
    PMP_CHECK(pmp_is_float(matrix->data_type), call, "data_type: 0x%x, expected 0x%x (float32) or 0x%x (float16)",
              (unsigned)matrix->data_type, PYMPS_FLOAT32, PYMPS_FLOAT16);
    PMP_CHECK(matrix->rows >= 1, call, "rows: 0, expected at least 1");
    PMP_CHECK(matrix->columns >= 1, call, "columns: 0, expected at least 1");
    size_t element_bytes = pmp_element_bytes(matrix->data_type);
    size_t columns_bytes = pmp_product(matrix->columns, element_bytes);
    PMP_CHECK(matrix->row_bytes >= columns_bytes && matrix->row_bytes % element_bytes == 0, call,
              "row_bytes: %zu, expected a multiple of %zu and at least %zu", matrix->row_bytes, element_bytes,
              columns_bytes);
    PMP_CHECK(matrix->offset_bytes % element_bytes == 0, call, "offset_bytes: %zu, expected a multiple of %zu",
              matrix->offset_bytes, element_bytes);
    size_t end;
    bool overflows = __builtin_mul_overflow(matrix->rows - 1, matrix->row_bytes, &end) ||
                     __builtin_add_overflow(end, columns_bytes, &end) ||
                     __builtin_add_overflow(end, matrix->offset_bytes, &end);
    PMP_CHECK(!overflows && end <= matrix->buffer->length_bytes, call,
              "offset_bytes: %zu and %zu rows of %zu bytes, expected to end within the buffer's %zu bytes",
              matrix->offset_bytes, matrix->rows, matrix->row_bytes, matrix->buffer->length_bytes);
    return PYMPS_OK;
}

// ---- Overlap ----

// Bytes of one buffer: addresses where the CPU can see it, else offsets.
typedef struct span {
    pymps_buffer *buffer;
    uintptr_t start, end;
} span;

static span span_of(const pymps_matrix *matrix) {
    uintptr_t start = (uintptr_t)matrix->buffer->contents + matrix->offset_bytes;
    return (span){matrix->buffer, start, start + span_bytes(matrix)};
}

static bool spans_meet(span a, span b) {
    bool comparable = a.buffer->buffer == b.buffer->buffer || (a.buffer->contents && b.buffer->contents);
    return comparable && a.start < b.end && b.start < a.end;
}

// The span of the matrices from `*index` on that lie in one buffer; moves `*index` behind the last of them.
static span next_run(const pymps_matrix *matrices, size_t count, size_t *index) {
    span run = span_of(&matrices[(*index)++]);
    for (; *index < count && matrices[*index].buffer == run.buffer; ++*index) {
        span next = span_of(&matrices[*index]);
        run.start = next.start < run.start ? next.start : run.start;
        run.end = next.end > run.end ? next.end : run.end;
    }
    return run;
}

// Exact: matrices whose rows interleave (two column ranges of one array) do not overlap.
static bool matrices_overlap(const pymps_matrix *a, const pymps_matrix *b) {
    span span_a = span_of(a), span_b = span_of(b);
    if (!spans_meet(span_a, span_b))
        return false;
    uintptr_t width_a = a->columns * pmp_element_bytes(a->data_type);
    uintptr_t width_b = b->columns * pmp_element_bytes(b->data_type);
    for (size_t row = 0; row < a->rows; row++) {
        uintptr_t start = span_a.start + row * a->row_bytes, end = start + width_a;
        // The first row of b that ends behind `start`.
        size_t other = start < span_b.start + width_b ? 0 : (start - span_b.start - width_b) / b->row_bytes + 1;
        if (other < b->rows && span_b.start + other * b->row_bytes < end)
            return true;
    }
    return false;
}

// Whether matrices differ by their offset alone, which grows by `distance_bytes` from one to the next.
static bool is_even(const pymps_matrix *matrices, size_t count, size_t distance_bytes) {
    for (size_t index = 1; index < count; index++)
        if (!pmp_differs_by_offset(&matrices[index], &matrices[index - 1]) ||
            matrices[index].offset_bytes - matrices[index - 1].offset_bytes != distance_bytes)
            return false;
    return true;
}

// Finds the first pair. Where all lie at the same distance, two matrices lie to each other as the first of one and some
// one of the other do: then these pairs are enough.
static bool runs_overlap(const pymps_matrix *a, size_t end_a, const pymps_matrix *b, size_t end_b, size_t *index_a,
                         size_t *index_b) {
    size_t begin_a = *index_a, begin_b = *index_b, count_a = end_a - begin_a, count_b = end_b - begin_b;
    size_t distance_bytes = count_a > 1 ? a[begin_a + 1].offset_bytes - a[begin_a].offset_bytes : 0;
    bool are_even = is_even(a + begin_a, count_a, distance_bytes) && is_even(b + begin_b, count_b, distance_bytes);
    for (; *index_a < end_a; ++*index_a) {
        size_t stop_b = are_even && *index_a > begin_a ? begin_b + 1 : end_b;
        for (*index_b = begin_b; *index_b < stop_b; ++*index_b)
            if (matrices_overlap(&a[*index_a], &b[*index_b]))
                return true;
    }
    return false;
}

bool pmp_matrices_overlap(size_t count_a, const pymps_matrix *a, size_t count_b, const pymps_matrix *b, size_t *index_a,
                          size_t *index_b) {
    for (size_t begin_a = 0, end_a = 0; begin_a < count_a; begin_a = end_a) {
        span run_a = next_run(a, count_a, &end_a);
        for (size_t begin_b = 0, end_b = 0; begin_b < count_b; begin_b = end_b) {
            if (!spans_meet(run_a, next_run(b, count_b, &end_b)))
                continue;
            *index_a = begin_a;
            *index_b = begin_b;
            if (runs_overlap(a, end_a, b, end_b, index_a, index_b))
                return true;
        }
    }
    return false;
}

// Whether each begins behind the one before.
static bool is_ascending(const pymps_matrix *matrices, size_t count) {
    for (size_t index = 1; index < count; index++)
        if (span_of(&matrices[index]).start < span_of(&matrices[index - 1]).end)
            return false;
    return true;
}

bool pmp_matrices_repeat(size_t count, const pymps_matrix *matrices, size_t *first, size_t *second) {
    if (is_ascending(matrices, count))
        return false;
    size_t unused, distance_bytes = matrices[1].offset_bytes - matrices[0].offset_bytes;
    size_t firsts = is_even(matrices, count, distance_bytes) ? 1 : count - 1;
    for (*first = 0; *first < firsts; ++*first) {
        size_t next = *first + 1;
        if (pmp_matrices_overlap(1, &matrices[*first], count - next, &matrices[next], &unused, second)) {
            *second += next;
            return true;
        }
    }
    return false;
}

// ---- Contents ----

static MPSMatrix *make_at(size_t offset_bytes, id<MTLBuffer> buffer, size_t rows, size_t columns, size_t row_bytes,
                          pymps_data_type data_type) {
    MPSMatrixDescriptor *descriptor = [MPSMatrixDescriptor matrixDescriptorWithRows:rows
                                                                            columns:columns
                                                                           rowBytes:row_bytes
                                                                           dataType:(MPSDataType)data_type];
    return [[[MPSMatrix alloc] initWithBuffer:buffer offset:offset_bytes descriptor:descriptor] autorelease];
}

MPSMatrix *pmp_matrix_make(id<MTLBuffer> buffer, size_t rows, size_t columns, size_t row_bytes,
                           pymps_data_type data_type) {
    return make_at(0, buffer, rows, columns, row_bytes, data_type);
}

MPSMatrix *pmp_matrix_object(const pymps_matrix *matrix) {
    return make_at(matrix->offset_bytes, matrix->buffer->buffer, matrix->rows, matrix->columns, matrix->row_bytes,
                   matrix->data_type);
}

static pymps_status blit(const pmp_call *call, id<MTLCommandQueue> queue, void (^body)(id<MTLBlitCommandEncoder>)) {
    id<MTLCommandBuffer> command_buffer;
    PMP_TRY(pmp_command_buffer_make(call, queue, &command_buffer));
    PMP_TRY(pmp_blit(call, command_buffer, body));
    return pmp_finish(call, command_buffer);
}

pymps_status pmp_staging_make(const pmp_call *call, id<MTLDevice> device, size_t length_bytes, id<MTLBuffer> *staging) {
    *staging = [[device newBufferWithLength:length_bytes options:MTLResourceStorageModeShared] autorelease];
    if (*staging == nil)
        return pmp_fail(call, PYMPS_ERROR_MEMORY, 0, "%zu bytes to copy through, more than the device has left",
                        length_bytes);
    return PYMPS_OK;
}

// Makes the matrix's bytes visible to the CPU; `bytes` becomes those of its first element.
static pymps_status fetch(const pmp_call *call, pymps_device *device, const pymps_matrix *matrix, const char **bytes) {
    id<MTLBuffer> buffer = matrix->buffer->buffer;
    size_t offset = matrix->offset_bytes;
    if (matrix->buffer->contents == NULL) {
        size_t begin = offset - offset % blit_bytes, end = offset + span_bytes(matrix);
        size_t length = end - begin + -(end - begin) % blit_bytes;
        id<MTLBuffer> staging;
        PMP_TRY(pmp_staging_make(call, device->device, length, &staging));
        PMP_TRY(blit(call, device->queue, ^(id<MTLBlitCommandEncoder> encoder) {
            [encoder copyFromBuffer:buffer sourceOffset:begin toBuffer:staging destinationOffset:0 size:length];
        }));
        *bytes = (const char *)staging.contents + (offset - begin);
        return PYMPS_OK;
    }
    if (matrix->buffer->storage_mode == PYMPS_STORAGE_MANAGED)
        PMP_TRY(blit(call, device->queue, ^(id<MTLBlitCommandEncoder> encoder) {
            [encoder synchronizeResource:buffer];
        }));
    *bytes = (const char *)matrix->buffer->contents + offset;
    return PYMPS_OK;
}

pymps_status matrix_read(pymps_device *device, const pymps_matrix *matrix, void *destination, pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(device, call);
        PMP_CHECK_NOT_NULL(matrix, call);
        PMP_CHECK_NOT_NULL(destination, call);
        pmp_call at_matrix = pmp_at(call, "matrix", PMP_NO_INDEX);
        PMP_TRY(pmp_matrix_check(&at_matrix, matrix, device->device));
        const char *bytes;
        PMP_TRY(fetch(call, device, matrix, &bytes));
        size_t columns_bytes = matrix->columns * pmp_element_bytes(matrix->data_type);
        for (size_t row = 0; row < matrix->rows; row++)
            memcpy((char *)destination + row * columns_bytes, bytes + row * matrix->row_bytes, columns_bytes);
        return PYMPS_OK;
    });
}

static void fill_rows(char *destination, MPSMatrix *matrix, const float *values) {
    size_t columns_bytes = matrix.columns * sizeof(float);
    for (size_t row = 0; row < matrix.rows; row++) {
        char *row_start = destination + row * matrix.rowBytes;
        if (values != NULL)
            memcpy(row_start, values + row * matrix.columns, columns_bytes);
        else
            memset(row_start, 0, columns_bytes);
    }
}

pymps_status pmp_matrix_write(const pmp_call *call, pymps_device *device, MPSMatrix *matrix, const float *values) {
    if (matrix.dataType != MPSDataTypeFloat32)
        return pmp_fail(call, PYMPS_ERROR_DEVICE, 0, "the device keeps states as data type 0x%x, expected 0x%x",
                        (unsigned)matrix.dataType, MPSDataTypeFloat32);
    id<MTLBuffer> buffer = matrix.data;
    NSUInteger offset = matrix.offset;
    size_t length = (matrix.rows - 1) * matrix.rowBytes + matrix.columns * sizeof(float);
    if (buffer.storageMode == MTLStorageModePrivate) {
        id<MTLBuffer> staging;
        PMP_TRY(pmp_staging_make(call, device->device, length, &staging));
        fill_rows(staging.contents, matrix, values);
        return blit(call, device->queue, ^(id<MTLBlitCommandEncoder> encoder) {
            [encoder copyFromBuffer:staging sourceOffset:0 toBuffer:buffer destinationOffset:offset size:length];
        });
    }
    fill_rows((char *)buffer.contents + offset, matrix, values);
    if (buffer.storageMode == MTLStorageModeManaged)
        [buffer didModifyRange:NSMakeRange(offset, length)];
    return PYMPS_OK;
}
