#import "PMPSequence.h"
#import "PMPBuffer.h"
#import "PMPMemoryRegion.h"
#import "PMPTemporaryRules.h"

void PMPSequenceRead(PMPSequence *sequence, NSArray<MPSMatrix *> *matrices, const NSUInteger *offsets, NSString *name) {
    sequence->offsets = offsets;
    sequence->steps = matrices.count;
    sequence->name = name;
    sequence->matrices = sequence->few;
    if (sequence->steps > sizeof sequence->few / sizeof sequence->few[0]) {
        sequence->matrices = [[NSMutableData dataWithLength:sequence->steps * sizeof(MPSMatrix *)] mutableBytes];
    }
    [matrices getObjects:sequence->matrices range:NSMakeRange(0, sequence->steps)];
}

static NSUInteger offset_at(const PMPSequence *sequence, NSUInteger step) {
    return sequence->offsets == NULL ? 0 : sequence->offsets[step];
}

/// Whether a step has the matrix of the step before, so that its offset alone may be another.
static bool repeats(const PMPSequence *sequence, NSUInteger step) {
    return step > 0 && sequence->matrices[step] == sequence->matrices[step - 1];
}

static size_t element_bytes(const MPSMatrix *matrix) {
    return matrix->_dataType == MPSDataTypeFloat16 ? sizeof(uint16_t) : sizeof(float);
}

static id<MTLBuffer> buffer_of(MPSMatrix *matrix) {
    id<MTLBuffer> buffer = matrix->_data != nil ? matrix->_data : matrix.data;
    if (buffer == nil) {
        PMPRaiseOutOfMemory(matrix, @selector(data), @"receiver: no memory for its %lu bytes",
                            (unsigned long)matrix.resourceSize);
    }
    return buffer;
}

/// Where a matrix lies without the offset of a step.
static PMPMemoryRegion region_of(MPSMatrix *matrix) {
    return (PMPMemoryRegion){.start = (uintptr_t)PMPBufferAddress(buffer_of(matrix)) + matrix->_offset,
                             .rows = matrix->_rows,
                             .rowBytes = matrix->_rowBytes,
                             .width = matrix->_columns * element_bytes(matrix)};
}

static PMPMemoryRegion region_at(const PMPSequence *sequence, NSUInteger step) {
    PMPMemoryRegion region = region_of(sequence->matrices[step]);
    region.start += offset_at(sequence, step);
    return region;
}

/// Returns the greatest offset that would pass.
static NSUInteger check_offset(const PMPSequence *sequence, NSUInteger step, PMPEncoding encoding) {
    MPSMatrix *matrix = sequence->matrices[step];
    NSUInteger offset = offset_at(sequence, step);
    size_t element = element_bytes(matrix);
    size_t bytes = (matrix->_rows - 1) * matrix->_rowBytes + matrix->_columns * element;
    size_t most = buffer_of(matrix).length - matrix->_offset - bytes; // the matrix without the offset fits its buffer
    if (offset % element != 0 || offset > most) {
        PMPRaiseAtStep(encoding, sequence->name, step, @"byte offset %lu, expected a multiple of %zu up to %zu",
                       (unsigned long)offset, element, most);
    }
    return most;
}

void PMPSequenceCheckMatrix(const PMPSequence *sequence, NSUInteger step, size_t columns, id<MTLDevice> device,
                            PMPEncoding encoding) {
    MPSMatrix *matrix = sequence->matrices[step];
    if (matrix->_dataType != MPSDataTypeFloat32 && matrix->_dataType != MPSDataTypeFloat16) {
        PMPRaiseAtStep(encoding, sequence->name, step, @"data type 0x%x, expected Float32 or Float16",
                       (unsigned)matrix->_dataType);
    }
    if (matrix->_columns != columns) {
        PMPRaiseAtStep(encoding, sequence->name, step, @"%lu columns, expected %zu", (unsigned long)matrix->_columns,
                       columns);
    }
    if (matrix->_device != device) {
        PMPRaiseAtStep(encoding, sequence->name, step, @"device %@, expected the kernel's", matrix->_device.name);
    }
    if (matrix->_isTemporary &&
        !PMPTemporaryIsUsable(&((MPSTemporaryMatrix *)matrix)->_temporary, encoding.commandBuffer)) {
        PMPRaiseAtStep(encoding, sequence->name, step,
                       @"a temporary matrix without reads left, or of another command buffer");
    }
}

void PMPSequenceCheck(const PMPSequence *sequence, size_t columns, id<MTLDevice> device, PMPEncoding encoding) {
    NSUInteger rows = NSUIntegerMax, greatest = 0;
    size_t element = 1; // a power of two
    if (sequence->steps == 0) {
        PMPRaiseInvalidArgument(encoding.kernel, encoding.selector, @"%@: no matrix, expected at least one",
                                sequence->name);
    }
    for (NSUInteger step = 0; step < sequence->steps; step++) {
        if (!repeats(sequence, step)) {
            PMPSequenceCheckMatrix(sequence, step, columns, device, encoding);
            element = element_bytes(sequence->matrices[step]);
            greatest = 0; // until an offset asks
        }
        NSUInteger offset = offset_at(sequence, step);
        if (offset > greatest || (offset & (element - 1)) != 0) {
            greatest = check_offset(sequence, step, encoding);
        }
        if (sequence->matrices[step]->_rows > rows) {
            PMPRaiseAtStep(encoding, sequence->name, step, @"%lu rows, expected at most the %lu of the step before",
                           (unsigned long)sequence->matrices[step]->_rows, (unsigned long)rows);
        }
        rows = sequence->matrices[step]->_rows;
    }
}

PMPRecurrentShape PMPSequenceShape(const PMPSequence *sequence) {
    return (PMPRecurrentShape){.steps = sequence->steps, .rows = sequence->matrices[0]->_rows};
}

/// From the first byte of a sequence to the last, as one row.
static PMPMemoryRegion hull_of(const PMPSequence *sequence) {
    uintptr_t start = UINTPTR_MAX, end = 0;
    PMPMemoryRegion region = {0};
    for (NSUInteger step = 0; step < sequence->steps; step++) {
        if (!repeats(sequence, step)) {
            region = region_of(sequence->matrices[step]);
        }
        start = MIN(start, region.start + offset_at(sequence, step));
        end = MAX(end, PMPMemoryRegionEnd(region) + offset_at(sequence, step));
    }
    return (PMPMemoryRegion){.start = start, .rows = 1, .rowBytes = end - start, .width = end - start};
}

/// Whether each sequence has one matrix, and both the same steps and the same distance between them. Then two steps lie
/// to each other as the first of one sequence and some step of the other do.
static bool are_even(const PMPSequence *a, const PMPSequence *b) {
    NSUInteger distance = a->steps > 1 ? offset_at(a, 1) - offset_at(a, 0) : 0;
    if (a->steps != b->steps) {
        return false;
    }
    for (NSUInteger step = 1; step < a->steps; step++) {
        if (!repeats(a, step) || offset_at(a, step) - offset_at(a, step - 1) != distance || !repeats(b, step) ||
            offset_at(b, step) - offset_at(b, step - 1) != distance) {
            return false;
        }
    }
    return true;
}

void PMPSequenceCheckAlike(const PMPSequence *sources, const PMPSequence *destinations, PMPEncoding encoding) {
    NSUInteger steps = sources->steps;
    if (destinations->steps != steps) {
        PMPRaiseInvalidArgument(encoding.kernel, encoding.selector,
                                @"%@: %lu matrices, expected one for each of %lu %@", destinations->name,
                                (unsigned long)destinations->steps, (unsigned long)steps, sources->name);
    }
    for (NSUInteger step = 0; step < steps; step++) {
        if (destinations->matrices[step]->_rows != sources->matrices[step]->_rows) {
            PMPRaiseAtStep(encoding, destinations->name, step, @"%lu rows, expected the source's %lu",
                           (unsigned long)destinations->matrices[step]->_rows,
                           (unsigned long)sources->matrices[step]->_rows);
        }
    }
}

void PMPSequenceCheckApart(const PMPSequence *sources, const PMPSequence *destinations, PMPEncoding encoding) {
    // Each pair is looked at only where the two sequences lie in the same stretch of memory.
    if (!PMPMemoryRegionsShare(hull_of(sources), hull_of(destinations))) {
        return;
    }
    bool firstsAreEnough = are_even(sources, destinations);
    for (NSUInteger i = 0; i < destinations->steps; i++) {
        PMPMemoryRegion destination = region_at(destinations, i);
        for (NSUInteger j = 0; j < (firstsAreEnough && i > 0 ? 1 : sources->steps); j++) {
            if (PMPMemoryRegionsShare(destination, region_at(sources, j))) {
                PMPRaiseAtStep(encoding, destinations->name, i, @"shares memory with %@[%lu]", sources->name,
                               (unsigned long)j);
            }
        }
    }
}

/// Whether each matrix lies behind the one before.
static bool is_ascending(const PMPSequence *sequence) {
    uintptr_t end = 0;
    for (NSUInteger step = 0; step < sequence->steps; step++) {
        PMPMemoryRegion region = region_at(sequence, step);
        if (region.start < end) {
            return false;
        }
        end = PMPMemoryRegionEnd(region);
    }
    return true;
}

void PMPSequenceCheckDistinct(const PMPSequence *destinations, PMPEncoding encoding) {
    if (is_ascending(destinations)) {
        return;
    }
    bool firstIsEnough = are_even(destinations, destinations);
    for (NSUInteger i = 0; i < (firstIsEnough ? 1 : destinations->steps); i++) {
        PMPMemoryRegion one = region_at(destinations, i);
        for (NSUInteger j = i + 1; j < destinations->steps; j++) {
            if (PMPMemoryRegionsShare(one, region_at(destinations, j))) {
                PMPRaiseAtStep(encoding, destinations->name, j, @"shares memory with %@[%lu]", destinations->name,
                               (unsigned long)i);
            }
        }
    }
}

void PMPSequenceCheckPair(const PMPSequence *sources, const PMPSequence *destinations, PMPEncoding encoding) {
    PMPSequenceCheckAlike(sources, destinations, encoding);
    PMPSequenceCheckApart(sources, destinations, encoding);
}

void PMPSequenceCheckState(const PMPSequence *destinations, MPSState *state, PMPEncoding encoding) {
    const struct PMPRecurrentStateStorage *storage = state->_storage;
    if (!atomic_load_explicit(&storage->isShown, memory_order_relaxed) ||
        !PMPRecurrentStateStorageShares(storage, hull_of(destinations))) {
        return;
    }
    for (NSUInteger step = 0; step < destinations->steps; step++) {
        if (PMPRecurrentStateStorageShares(storage, region_at(destinations, step))) {
            PMPRaiseAtStep(encoding, destinations->name, step, @"shares memory with recurrentInputState");
        }
    }
}

/// Has the command buffer hold a matrix's memory; `held` is what it holds for the matrix before, as steps often share
/// a buffer.
static id<MTLBuffer> hold(PMPCommandBuffer *commandBuffer, MPSMatrix *matrix, id<MTLBuffer> held) {
    id<MTLBuffer> buffer = buffer_of(matrix);
    if (matrix->_isTemporary) {
        [commandBuffer holdUntilCompleted:buffer];
        return held;
    }
    if (buffer != held) {
        [commandBuffer useResource:buffer];
    }
    return buffer;
}

void PMPSequenceEncode(const PMPSequence *sequence, pymps_engine_matrix *matrices, PMPCommandBuffer *commandBuffer) {
    id<MTLBuffer> held = nil;
    pymps_engine_matrix encoded = {0};
    char *start = NULL;
    for (NSUInteger step = 0; step < sequence->steps; step++) {
        MPSMatrix *matrix = sequence->matrices[step];
        if (!repeats(sequence, step)) {
            held = hold(commandBuffer, matrix, held);
            start = (char *)region_of(matrix).start;
            encoded.rows = matrix->_rows;
            encoded.row_bytes = matrix->_rowBytes;
            encoded.type = PMPEngineType(matrix->_dataType);
        }
        encoded.data = start + offset_at(sequence, step);
        matrices[step] = encoded;
    }
}

static bool has_temporary(const PMPSequence *sequence) {
    for (NSUInteger step = 0; step < sequence->steps; step++) {
        if (sequence->matrices[step]->_isTemporary) {
            return true;
        }
    }
    return false;
}

void PMPSequenceDidRead(const PMPSequence *sequence) {
    PMPSequencesDidRead(&sequence, 1);
}

void PMPSequencesDidRead(const PMPSequence *const *sequences, size_t count) {
    NSMutableSet<MPSMatrix *> *read = nil;
    for (size_t i = 0; i < count; i++) {
        if (has_temporary(sequences[i])) {
            read = read != nil ? read : [NSMutableSet set];
            [read addObjectsFromArray:[NSArray arrayWithObjects:sequences[i]->matrices count:sequences[i]->steps]];
        }
    }
    for (MPSMatrix *matrix in read) {
        if (matrix->_isTemporary) {
            ((MPSTemporaryMatrix *)matrix).readCount -= 1;
        }
    }
}
