#import "PMPMatrixCopy.h"
#import "PMPBuffer.h"
#import "PMPDataType.h"
#import "PMPSize.h"

static PMPOperand source_at(const PMPMatrixCopies *copies, NSUInteger index) {
    return PMPMatrixOperand(copies->descriptor->_sources[index], @"copyDescriptor's source");
}

static PMPOperand destination_at(const PMPMatrixCopies *copies, NSUInteger index) {
    return PMPMatrixOperand(copies->descriptor->_destinations[index], @"copyDescriptor's destination");
}

// Rules

static void check_matrix(const PMPOperand *operand, id<MTLDevice> device, PMPEncoding encoding) {
    PMPOperandCheck(operand, device, encoding);
    if (operand->count != 1) {
        PMPRaiseInvalidArgument(encoding.kernel, encoding.selector, @"%@: %lu matrices, expected one", operand->name,
                                (unsigned long)operand->count);
    }
}

static bool fits(size_t start, size_t count, size_t all) {
    return count <= all && start <= all - count;
}

static PMPMemoryRegion check_block(const PMPOperand *operand, size_t row, size_t column, size_t rows, size_t columns,
                                   PMPEncoding encoding) {
    if (!fits(row, rows, operand->rows) || !fits(column, columns, operand->columns)) {
        PMPRaiseInvalidArgument(encoding.kernel, encoding.selector,
                                @"%@: %lu x %lu, expected a block of %zu x %zu from row %zu and column %zu on",
                                operand->name, (unsigned long)operand->rows, (unsigned long)operand->columns, rows,
                                columns, row, column);
    }
    PMPMemoryRegion region = PMPOperandRegion(operand);
    size_t element = PMPElementBytes(operand->dataType);
    return (PMPMemoryRegion){.start = region.start + row * region.rowBytes + column * element,
                             .rows = rows,
                             .rowBytes = region.rowBytes,
                             .width = columns * element};
}

/// Of all copies, first the sources' blocks and then the destinations'.
static void check_blocks(const PMPMatrixCopies *copies, PMPEncoding encoding) {
    NSUInteger count = copies->descriptor->_count;
    PMPMemoryRegion *blocks = [[NSMutableData dataWithLength:2 * count * sizeof *blocks] mutableBytes];
    for (NSUInteger i = 0; i < count; i++) {
        MPSMatrixCopyOffsets at = copies->descriptor->_offsets[i];
        PMPOperand source = source_at(copies, i), destination = destination_at(copies, i);
        blocks[i] = check_block(&source, at.sourceRowOffset, at.sourceColumnOffset, copies->sourceRows,
                                copies->sourceColumns, encoding);
        blocks[count + i] = check_block(&destination, at.destinationRowOffset, at.destinationColumnOffset,
                                        copies->destinationRows, copies->destinationColumns, encoding);
    }
    for (NSUInteger i = count; i < 2 * count; i++) {
        for (NSUInteger j = 0; j < i; j++) {
            if (PMPMemoryRegionsShare(blocks[i], blocks[j])) {
                PMPRaiseInvalidArgument(encoding.kernel, encoding.selector,
                                        @"copyDescriptor: the destination of copy %lu shares memory with a block of "
                                        @"copy %lu",
                                        (unsigned long)(i - count), (unsigned long)(j % count));
            }
        }
    }
}

static void check_indices(const PMPOperand *indices, NSUInteger offset, size_t count, id<MTLDevice> device,
                          PMPEncoding encoding) {
    if (indices->object == nil) {
        return;
    }
    PMPOperandCheck(indices, device, encoding);
    if (indices->dataType != MPSDataTypeUInt32 || !fits(offset, count, indices->columns)) {
        PMPRaiseInvalidArgument(encoding.kernel, encoding.selector,
                                @"%@: %lu of data type 0x%x, expected UInt32, and %zu from element %lu on",
                                indices->name, (unsigned long)indices->columns, (unsigned)indices->dataType, count,
                                (unsigned long)offset);
    }
}

void PMPMatrixCopiesCheck(const PMPMatrixCopies *copies, id<MTLDevice> device, PMPEncoding encoding) {
    if (copies->descriptor == nil) {
        PMPRaiseInvalidArgument(encoding.kernel, encoding.selector, @"copyDescriptor: nil, expected a descriptor");
    }
    for (NSUInteger i = 0; i < copies->descriptor->_count; i++) {
        PMPOperand source = source_at(copies, i), destination = destination_at(copies, i);
        check_matrix(&source, device, encoding);
        check_matrix(&destination, device, encoding);
        if (source.dataType != destination.dataType) {
            PMPRaiseInvalidArgument(encoding.kernel, encoding.selector,
                                    @"%@: data type 0x%x, expected the source's 0x%x", destination.name,
                                    (unsigned)destination.dataType, (unsigned)source.dataType);
        }
    }
    check_indices(&copies->rowIndices, copies->rowIndexOffset, copies->destinationRows, device, encoding);
    check_indices(&copies->columnIndices, copies->columnIndexOffset, copies->destinationColumns, device, encoding);
    if (copies->descriptor->_offsetVector == nil) {
        check_blocks(copies, encoding);
    }
}

// The command

typedef struct matrix_side {
    char *data;
    size_t rows, columns, row_bytes;
} matrix_side;

typedef struct copy_record {
    matrix_side source, destination;
    MPSMatrixCopyOffsets offsets; // unless they are read when the command runs
    size_t element_bytes;
} copy_record;

typedef struct copies_record {
    size_t count, rows, columns; // of a block as it is stored in destinations
    bool is_transposed;          // on the way from a source
    const MPSMatrixCopyOffsets *offsets;
    const uint32_t *row_indices, *column_indices; // NULL: the order stays
    bool is_complete;                             // set last: a record that was given up half-way runs nothing
    copy_record copies[];
} copies_record;

static size_t index_of(const uint32_t *indices, size_t i) {
    return indices == NULL ? i : indices[i];
}

static void copy_block(const copies_record *all, const copy_record *copy, MPSMatrixCopyOffsets at) {
    const matrix_side from = copy->source, to = copy->destination;
    for (size_t i = 0; i < all->rows; i++) {
        size_t row = at.destinationRowOffset + index_of(all->row_indices, i);
        for (size_t j = 0; j < all->columns; j++) {
            size_t column = at.destinationColumnOffset + index_of(all->column_indices, j);
            size_t source_row = at.sourceRowOffset + (all->is_transposed ? j : i);
            size_t source_column = at.sourceColumnOffset + (all->is_transposed ? i : j);
            if (row < to.rows && column < to.columns && source_row < from.rows && source_column < from.columns) {
                memcpy(to.data + row * to.row_bytes + column * copy->element_bytes,
                       from.data + source_row * from.row_bytes + source_column * copy->element_bytes,
                       copy->element_bytes);
            }
        }
    }
}

static void execute(void *record, void *workspace) {
    const copies_record *all = record;
    (void)workspace;
    for (size_t i = 0; all->is_complete && i < all->count; i++) {
        copy_block(all, &all->copies[i], all->offsets != NULL ? all->offsets[i] : all->copies[i].offsets);
    }
}

static matrix_side encode_side(const PMPOperand *operand, PMPCommandBuffer *commandBuffer) {
    pymps_engine_matrix matrix = PMPOperandEncode(operand, commandBuffer);
    return (matrix_side){matrix.data, operand->rows, operand->columns, operand->rowBytes};
}

/// NULL where there are none.
static const uint32_t *encode_indices(const PMPOperand *indices, NSUInteger offset, PMPCommandBuffer *commandBuffer) {
    const uint32_t *all = PMPOperandEncode(indices, commandBuffer).data;
    return all == NULL ? NULL : all + offset;
}

void PMPMatrixCopiesEncode(const PMPMatrixCopies *copies, PMPCommandBuffer *commandBuffer) {
    MPSMatrixCopyDescriptor *descriptor = copies->descriptor;
    size_t bytes = PMPSizeAdd(sizeof(copies_record), PMPSizeMultiply(descriptor->_count, sizeof(copy_record)));
    copies_record *record = [commandBuffer encodeCommand:execute recordBytes:bytes workspaceBytes:0];
    record->count = descriptor->_count;
    record->rows = copies->destinationRows;
    record->columns = copies->destinationColumns;
    record->is_transposed = copies->areTransposed;
    record->row_indices = encode_indices(&copies->rowIndices, copies->rowIndexOffset, commandBuffer);
    record->column_indices = encode_indices(&copies->columnIndices, copies->columnIndexOffset, commandBuffer);
    const PMPOperand offsets = PMPVectorOperand(descriptor->_offsetVector, @"offsets");
    record->offsets =
        (const void *)encode_indices(&offsets, descriptor->_offsetBytes / sizeof(uint32_t), commandBuffer);
    for (NSUInteger i = 0; i < descriptor->_count; i++) {
        PMPOperand source = source_at(copies, i), destination = destination_at(copies, i);
        record->copies[i] = (copy_record){.source = encode_side(&source, commandBuffer),
                                          .destination = encode_side(&destination, commandBuffer),
                                          .offsets = descriptor->_offsets[i],
                                          .element_bytes = PMPElementBytes(source.dataType)};
    }
    for (MPSMatrix *matrix in [NSSet setWithObjects:descriptor->_sources count:descriptor->_count]) {
        PMPOperand source = PMPMatrixOperand(matrix, nil);
        PMPOperandDidRead(&source);
    }
    const PMPOperand *const vectors[] = {&copies->rowIndices, &copies->columnIndices, &offsets};
    PMPOperandsDidRead(vectors, sizeof vectors / sizeof vectors[0]);
    record->is_complete = true;
}
