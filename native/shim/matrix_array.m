// The steps of one array as MPS takes them: an NSArray of matrices, and byte offsets.
#import "shim.h"
#import <objc/runtime.h>

/// Matrices of which each often stands at many places in a row: it is retained once for all of these.
PMP_BACKEND_CLASS(PMPMatrixArray)
@interface PMPMatrixArray : NSArray {
  @public
    NSUInteger _count;
    MPSMatrix **_matrices; // behind the object's own variables
}
@end

@implementation PMPMatrixArray

- (void)dealloc {
    for (NSUInteger index = 0; index < _count; index++)
        if (index == 0 || _matrices[index] != _matrices[index - 1])
            [_matrices[index] release];
    [super dealloc];
}

- (NSUInteger)count {
    return _count;
}

- (id)objectAtIndex:(NSUInteger)index {
    if (index >= _count)
        [NSException raise:NSRangeException
                    format:@"index: %lu of %lu matrices", (unsigned long)index, (unsigned long)_count];
    return _matrices[index];
}

- (void)getObjects:(id __unsafe_unretained[])objects range:(NSRange)range {
    if (range.location > _count || range.length > _count - range.location)
        [NSException raise:NSRangeException
                    format:@"range: to %lu of %lu matrices", (unsigned long)NSMaxRange(range), (unsigned long)_count];
    memcpy(objects, _matrices + range.location, range.length * sizeof *objects);
}

@end

static bool has_layout(MPSMatrix *object, const pymps_matrix *matrix) {
    return object.rows == matrix->rows && object.columns == matrix->columns && object.rowBytes == matrix->row_bytes &&
           object.dataType == (MPSDataType)matrix->data_type;
}

// A matrix at the start of its buffer, with a new reference. The buffer keeps it for the next call, of any thread:
// to encode with a matrix does not change it.
static MPSMatrix *matrix_of_buffer(const pymps_matrix *matrix) {
    pymps_buffer *buffer = matrix->buffer;
    MPSMatrix *kept = (MPSMatrix *)atomic_exchange(&buffer->matrix, NULL);
    if (kept == nil || !has_layout(kept, matrix)) {
        [kept release];
        kept = [pmp_matrix_make(buffer->buffer, matrix->rows, matrix->columns, matrix->row_bytes, matrix->data_type)
            retain];
    }
    [(MPSMatrix *)atomic_exchange(&buffer->matrix, (void *)[kept retain]) release];
    return kept;
}

pymps_status pmp_matrix_array(const pmp_call *call, const pymps_matrix *matrices, size_t count, NSArray **array,
                              NSUInteger **offsets) {
    PMPMatrixArray *made = [NSAllocateObject([PMPMatrixArray class], count * (sizeof(MPSMatrix *) + sizeof(NSUInteger)),
                                             NULL) autorelease];
    if (made == nil)
        return pmp_out_of_memory(call);
    made->_count = count;
    made->_matrices = object_getIndexedIvars(made);
    *array = made;
    *offsets = (NSUInteger *)(made->_matrices + count);
    MPSMatrix *matrix = nil, **step_matrices = made->_matrices;
    NSUInteger *step_offsets = *offsets;
    for (size_t step = 0; step < count; step++) {
        const pymps_matrix *now = &matrices[step];
        if (step == 0 || !pmp_differs_by_offset(now, now - 1))
            matrix = matrix_of_buffer(now);
        step_matrices[step] = matrix;
        step_offsets[step] = now->offset_bytes;
    }
    return PYMPS_OK;
}
