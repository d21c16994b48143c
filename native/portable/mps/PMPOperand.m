#import "PMPOperand.h"
#import "PMPBuffer.h"
#import "PMPDataType.h"
#import "PMPSequence.h"
#import "PMPTemporaryRules.h"

PMPOperand PMPMatrixOperand(MPSMatrix *matrix, NSString *name) {
    if (matrix == nil) {
        return (PMPOperand){.name = name};
    }
    return (PMPOperand){.object = matrix,
                        .name = name,
                        .device = matrix->_device,
                        .rows = matrix->_rows,
                        .columns = matrix->_columns,
                        .rowBytes = matrix->_rowBytes,
                        .offset = matrix->_offset,
                        .count = matrix->_matrices,
                        .matrixBytes = matrix->_matrixBytes,
                        .dataType = matrix->_dataType,
                        .lease = matrix->_isTemporary ? &((MPSTemporaryMatrix *)matrix)->_temporary : NULL};
}

PMPOperand PMPVectorOperand(MPSVector *vector, NSString *name) {
    if (vector == nil) {
        return (PMPOperand){.name = name};
    }
    BOOL isTemporary = [vector isKindOfClass:[MPSTemporaryVector class]];
    return (PMPOperand){.object = vector,
                        .name = name,
                        .device = vector->_device,
                        .rows = vector->_vectors,
                        .columns = vector->_length,
                        .rowBytes = vector->_vectorBytes,
                        .offset = vector->_offset,
                        .count = 1,
                        .dataType = vector->_dataType,
                        .lease = isTemporary ? &((MPSTemporaryVector *)vector)->_temporary : NULL};
}

void PMPOperandCheck(const PMPOperand *operand, id<MTLDevice> device, PMPEncoding encoding) {
    if (operand->object == nil) {
        PMPRaiseInvalidArgument(encoding.kernel, encoding.selector, @"%@: nil", operand->name);
    }
    if (operand->device != device) {
        PMPRaiseInvalidArgument(encoding.kernel, encoding.selector, @"%@: device %@, expected the kernel's",
                                operand->name, operand->device.name);
    }
    if (operand->lease != NULL && !PMPTemporaryIsUsable(operand->lease, encoding.commandBuffer)) {
        PMPRaiseInvalidArgument(encoding.kernel, encoding.selector,
                                @"%@: a temporary without reads left, or of another command buffer", operand->name);
    }
}

void PMPOperandCheckFloats(const PMPOperand *operand, PMPEncoding encoding) {
    if (operand->dataType != MPSDataTypeFloat32 && operand->dataType != MPSDataTypeFloat16) {
        PMPRaiseInvalidArgument(encoding.kernel, encoding.selector, @"%@: data type 0x%x, expected Float32 or Float16",
                                operand->name, (unsigned)operand->dataType);
    }
    if (operand->count != 1) {
        PMPRaiseInvalidArgument(encoding.kernel, encoding.selector, @"%@: %lu matrices, expected one", operand->name,
                                (unsigned long)operand->count);
    }
}

id<MTLBuffer> PMPOperandBuffer(const PMPOperand *operand) {
    id<MTLBuffer> buffer = (id<MTLBuffer>)[operand->object data];
    if (buffer == nil) {
        PMPRaiseOutOfMemory(operand->object, @selector(data), @"receiver: no memory for its %lu bytes",
                            (unsigned long)[operand->object resourceSize]);
    }
    return buffer;
}

PMPMemoryRegion PMPOperandRegion(const PMPOperand *operand) {
    return (PMPMemoryRegion){.start = (uintptr_t)PMPBufferAddress(PMPOperandBuffer(operand)) + operand->offset,
                             .rows = operand->rows,
                             .rowBytes = operand->rowBytes,
                             .width = operand->columns * PMPElementBytes(operand->dataType)};
}

pymps_engine_matrix PMPOperandEncode(const PMPOperand *operand, PMPCommandBuffer *commandBuffer) {
    if (operand->object == nil) {
        return (pymps_engine_matrix){0};
    }
    id<MTLBuffer> buffer = PMPOperandBuffer(operand);
    if (operand->lease != NULL) {
        [commandBuffer holdUntilCompleted:buffer];
    } else {
        [commandBuffer useResource:buffer];
    }
    return (pymps_engine_matrix){.data = (char *)PMPBufferAddress(buffer) + operand->offset,
                                 .rows = operand->rows,
                                 .row_bytes = operand->rowBytes,
                                 .type = PMPEngineType(operand->dataType)};
}

void PMPOperandDidRead(const PMPOperand *operand) {
    if (operand->lease != NULL) {
        [operand->object setReadCount:[operand->object readCount] - 1];
    }
}

void PMPOperandsDidRead(const PMPOperand *const *operands, size_t count) {
    for (size_t i = 0; i < count; i++) {
        bool isRepeated = false;
        for (size_t j = 0; j < i; j++) {
            isRepeated |= operands[j]->object == operands[i]->object;
        }
        if (!isRepeated) {
            PMPOperandDidRead(operands[i]);
        }
    }
}
