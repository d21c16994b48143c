#import "PMPTrainingCopy.h"
#import "PMPDataType.h"

typedef struct PMPCopyRecord {
    pymps_engine_matrix from, to;
    size_t columns;
} PMPCopyRecord;

static void execute(void *record, void *workspace) {
    const PMPCopyRecord *copy = record;
    (void)workspace;
    pymps_engine_matrix_copy(&copy->from, &copy->to, copy->columns);
}

static bool fits(NSUInteger start, size_t count, NSUInteger most) {
    return count <= most && start <= most - count;
}

void PMPTrainingCopyCheck(const PMPTrainingCopy *copy, id<MTLDevice> device, PMPEncoding encoding) {
    if (copy->matrix.steps == 0) {
        PMPRaiseInvalidArgument(encoding.kernel, encoding.selector, @"matrix: nil, expected a matrix");
    }
    MPSMatrix *matrix = copy->matrix.matrices[0];
    PMPSequenceCheckMatrix(&copy->matrix, 0, matrix->_columns, device, encoding);
    const PMPTrainingWeight *weight = copy->weight;
    MTLOrigin origin = copy->origin;
    if (origin.z != 0 || !fits(origin.x, weight->rows, matrix->_rows) ||
        !fits(origin.y, weight->columns, matrix->_columns)) {
        PMPRaiseInvalidArgument(encoding.kernel, encoding.selector,
                                @"matrixOffset: row %lu, column %lu and %lu, expected a block of %zu x %zu in a matrix "
                                @"of %lu x %lu, and 0",
                                (unsigned long)origin.x, (unsigned long)origin.y, (unsigned long)origin.z, weight->rows,
                                weight->columns, (unsigned long)matrix->_rows, (unsigned long)matrix->_columns);
    }
    PMPSequenceCheckApart(&copy->weights, &copy->matrix, encoding);
}

void PMPTrainingCopyEncode(const PMPTrainingCopy *copy, BOOL toMatrix, PMPCommandBuffer *commandBuffer) {
    pymps_engine_matrix all[kPMPMaxTrainingWeights], block;
    MPSMatrix *matrix = copy->matrix.matrices[0];
    PMPCopyRecord *record = [commandBuffer encodeCommand:execute recordBytes:sizeof *record workspaceBytes:0];
    PMPSequenceEncode(&copy->weights, all, commandBuffer);
    PMPSequenceEncode(&copy->matrix, &block, commandBuffer);
    block.data =
        (char *)block.data + copy->origin.x * matrix->_rowBytes + copy->origin.y * PMPElementBytes(matrix->_dataType);
    block.rows = copy->weight->rows;
    *record = (PMPCopyRecord){.from = toMatrix ? all[copy->index] : block,
                              .to = toMatrix ? block : all[copy->index],
                              .columns = copy->weight->columns};
    PMPSequenceDidRead(toMatrix ? &copy->weights : &copy->matrix);
}
