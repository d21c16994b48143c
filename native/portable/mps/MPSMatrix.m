#import "PMPArgument.h"
#import "PMPDataType.h"
#import "PMPStorage.h"

@implementation MPSMatrix

@synthesize device = _device, rows = _rows, columns = _columns, matrices = _matrices, dataType = _dataType;
@synthesize rowBytes = _rowBytes, matrixBytes = _matrixBytes, offset = _offset;

/// Takes the layout over and returns its bytes, up to the last element.
- (size_t)takeLayout:(MPSMatrixDescriptor *)descriptor selector:(SEL)selector {
    if (descriptor == nil) {
        PMPRaiseInvalidArgument(self, selector, @"descriptor: nil, expected a descriptor");
    }
    _rows = descriptor.rows;
    _columns = descriptor.columns;
    _matrices = descriptor.matrices;
    _rowBytes = descriptor.rowBytes;
    _matrixBytes = descriptor.matrixBytes;
    _dataType = descriptor.dataType;

    size_t element = PMPElementBytes(_dataType), row, matrix, all;
    if (element == 0) {
        PMPRaiseInvalidArgument(self, selector, @"descriptor: data type 0x%x, expected one with whole bytes",
                                _dataType);
    }
    if (_rows == 0 || _columns == 0 || _matrices == 0) {
        PMPRaiseInvalidArgument(self, selector, @"descriptor: %lu matrices of %lu x %lu, expected at least one of each",
                                (unsigned long)_matrices, (unsigned long)_rows, (unsigned long)_columns);
    }
    if (__builtin_mul_overflow(_columns, element, &row) || _rowBytes < row || _rowBytes % element != 0) {
        PMPRaiseInvalidArgument(self, selector,
                                @"descriptor: rowBytes %lu, expected a multiple of %zu that holds %lu elements",
                                (unsigned long)_rowBytes, element, (unsigned long)_columns);
    }
    if (_matrices > 1 &&
        (__builtin_mul_overflow(_rows, _rowBytes, &matrix) || _matrixBytes < matrix || _matrixBytes % _rowBytes != 0)) {
        PMPRaiseInvalidArgument(self, selector,
                                @"descriptor: matrixBytes %lu, expected a multiple of rowBytes that holds %lu rows",
                                (unsigned long)_matrixBytes, (unsigned long)_rows);
    }
    if (!PMPSpan(_rows, _rowBytes, row, &matrix) || !PMPSpan(_matrices, _matrixBytes, matrix, &all)) {
        PMPRaiseInvalidArgument(self, selector, @"descriptor: larger than memory can be");
    }
    return all;
}

// Both initialisers autorelease the object until its arguments have passed: a violation leaves nothing behind.
- (instancetype)initWithBuffer:(id<MTLBuffer>)buffer
                        offset:(NSUInteger)offset
                    descriptor:(MPSMatrixDescriptor *)descriptor {
    self = [[super init] autorelease];
    size_t bytes = [self takeLayout:descriptor selector:_cmd];
    PMPCheckBuffer(buffer, offset, bytes, PMPElementBytes(_dataType), self, _cmd);
    _device = [buffer.device retain];
    _data = [buffer retain];
    _offset = offset;
    return [self retain];
}

- (instancetype)initWithBuffer:(id<MTLBuffer>)buffer descriptor:(MPSMatrixDescriptor *)descriptor {
    return [self initWithBuffer:buffer offset:0 descriptor:descriptor];
}

- (instancetype)initWithDevice:(id<MTLDevice>)device descriptor:(MPSMatrixDescriptor *)descriptor {
    self = [[super init] autorelease];
    _ownBytes = [self takeLayout:descriptor selector:_cmd];
    PMPCheckDevice(device, self, _cmd);
    _device = [device retain];
    return [self retain];
}

- (void)dealloc {
    [_data release];
    [_device release];
    [super dealloc];
}

- (id<MTLBuffer>)data {
    return PMPLazyBuffer(&_data, _device, _ownBytes, MTLResourceStorageModeShared);
}

- (void)synchronizeOnCommandBuffer:(id<MTLCommandBuffer>)commandBuffer {
    PMPSynchronizeResource(_data, commandBuffer);
}

- (NSUInteger)resourceSize {
    return _ownBytes;
}

@end
