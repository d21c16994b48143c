#import "PMPArgument.h"
#import "PMPDataType.h"
#import "PMPStorage.h"

@implementation MPSVector

@synthesize device = _device, length = _length, vectors = _vectors, dataType = _dataType;
@synthesize vectorBytes = _vectorBytes, offset = _offset;

/// Takes the layout over and returns its bytes, up to the last element.
- (size_t)takeLayout:(MPSVectorDescriptor *)descriptor selector:(SEL)selector {
    if (descriptor == nil) {
        PMPRaiseInvalidArgument(self, selector, @"descriptor: nil, expected a descriptor");
    }
    _length = descriptor.length;
    _vectors = descriptor.vectors;
    _vectorBytes = descriptor.vectorBytes;
    _dataType = descriptor.dataType;

    size_t element = PMPElementBytes(_dataType), vector, all;
    if (element == 0) {
        PMPRaiseInvalidArgument(self, selector, @"descriptor: data type 0x%x, expected one with whole bytes",
                                _dataType);
    }
    if (_length == 0 || _vectors == 0) {
        PMPRaiseInvalidArgument(self, selector, @"descriptor: %lu vectors of %lu, expected at least one of each",
                                (unsigned long)_vectors, (unsigned long)_length);
    }
    if (__builtin_mul_overflow(_length, element, &vector) || _vectorBytes < vector || _vectorBytes % element != 0) {
        PMPRaiseInvalidArgument(self, selector,
                                @"descriptor: vectorBytes %lu, expected a multiple of %zu that holds %lu elements",
                                (unsigned long)_vectorBytes, element, (unsigned long)_length);
    }
    if (!PMPSpan(_vectors, _vectorBytes, vector, &all)) {
        PMPRaiseInvalidArgument(self, selector, @"descriptor: larger than memory can be");
    }
    return all;
}

// Both initialisers autorelease the object until its arguments have passed: a violation leaves nothing behind.
- (instancetype)initWithBuffer:(id<MTLBuffer>)buffer
                        offset:(NSUInteger)offset
                    descriptor:(MPSVectorDescriptor *)descriptor {
    self = [[super init] autorelease];
    size_t bytes = [self takeLayout:descriptor selector:_cmd];
    PMPCheckBuffer(buffer, offset, bytes, PMPElementBytes(_dataType), self, _cmd);
    _device = [buffer.device retain];
    _data = [buffer retain];
    _offset = offset;
    return [self retain];
}

- (instancetype)initWithBuffer:(id<MTLBuffer>)buffer descriptor:(MPSVectorDescriptor *)descriptor {
    return [self initWithBuffer:buffer offset:0 descriptor:descriptor];
}

- (instancetype)initWithDevice:(id<MTLDevice>)device descriptor:(MPSVectorDescriptor *)descriptor {
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
