#import "PMPArgument.h"
#import "PMPDataType.h"

@implementation MPSMatrixDescriptor

@synthesize rows = _rows, columns = _columns, matrices = _matrices, rowBytes = _rowBytes, matrixBytes = _matrixBytes;
@synthesize dataType = _dataType;

+ (instancetype)matrixDescriptorWithRows:(NSUInteger)rows
                                 columns:(NSUInteger)columns
                                matrices:(NSUInteger)matrices
                                rowBytes:(NSUInteger)rowBytes
                             matrixBytes:(NSUInteger)matrixBytes
                                dataType:(MPSDataType)dataType {
    MPSMatrixDescriptor *descriptor = [[[self alloc] init] autorelease];
    descriptor->_rows = rows;
    descriptor->_columns = columns;
    descriptor->_matrices = matrices;
    descriptor->_rowBytes = rowBytes;
    descriptor->_matrixBytes = matrixBytes;
    descriptor->_dataType = dataType;
    return descriptor;
}

+ (instancetype)matrixDescriptorWithRows:(NSUInteger)rows
                                 columns:(NSUInteger)columns
                                rowBytes:(NSUInteger)rowBytes
                                dataType:(MPSDataType)dataType {
    size_t matrixBytes;
    if (__builtin_mul_overflow(rows, rowBytes, &matrixBytes)) {
        PMPInvalidArgument(@"rows: %lu of %lu bytes are more than memory can hold", (unsigned long)rows,
                           (unsigned long)rowBytes);
    }
    return [self matrixDescriptorWithRows:rows
                                  columns:columns
                                 matrices:1
                                 rowBytes:rowBytes
                              matrixBytes:matrixBytes
                                 dataType:dataType];
}

+ (instancetype)matrixDescriptorWithDimensions:(NSUInteger)rows
                                       columns:(NSUInteger)columns
                                      rowBytes:(NSUInteger)rowBytes
                                      dataType:(MPSDataType)dataType {
    return [self matrixDescriptorWithRows:rows columns:columns rowBytes:rowBytes dataType:dataType];
}

+ (size_t)rowBytesForColumns:(NSUInteger)columns dataType:(MPSDataType)dataType {
    size_t bytes;
    if (!PMPRowBytes(columns, dataType, &bytes)) {
        PMPInvalidArgument(@"columns: %lu of data type 0x%x have no size", (unsigned long)columns, dataType);
    }
    return bytes;
}

+ (size_t)rowBytesFromColumns:(NSUInteger)columns dataType:(MPSDataType)dataType {
    return [self rowBytesForColumns:columns dataType:dataType];
}

@end
