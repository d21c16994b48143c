#import "PMPDataType.h"

size_t PMPElementBytes(MPSDataType dataType) {
    switch (dataType) {
    case MPSDataTypeInt8:
    case MPSDataTypeUInt8:
    case MPSDataTypeUnorm8:
    case MPSDataTypeBool:
        return 1;
    case MPSDataTypeFloat16:
    case MPSDataTypeInt16:
    case MPSDataTypeUInt16:
        return 2;
    case MPSDataTypeFloat32:
    case MPSDataTypeInt32:
    case MPSDataTypeUInt32:
        return 4;
    case MPSDataTypeInt64:
    case MPSDataTypeUInt64:
        return 8;
    default:
        return 0;
    }
}

bool PMPRowBytes(size_t count, MPSDataType dataType, size_t *bytes) {
    size_t element = PMPElementBytes(dataType);
    size_t multiple = dataType & MPSDataTypeFloatBit ? 16 : 4 * element;
    if (element == 0 || __builtin_mul_overflow(count, element, bytes)) {
        return false;
    }
    if (count <= 1) {
        return true;
    }
    if (__builtin_add_overflow(*bytes, multiple - 1, bytes)) {
        return false;
    }
    *bytes -= *bytes % multiple;
    return true;
}

bool PMPSpan(size_t count, size_t stride, size_t last, size_t *bytes) {
    size_t before;
    return !__builtin_mul_overflow(count - 1, stride, &before) && !__builtin_add_overflow(before, last, bytes);
}
