#import "PMPArgument.h"
#import "PMPTemporaryRules.h"
#import <MetalPerformanceShaders/MetalPerformanceShaders.h>

@implementation MPSTemporaryMatrix

+ (instancetype)temporaryMatrixWithCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
                                matrixDescriptor:(MPSMatrixDescriptor *)matrixDescriptor {
    PMPCommandBuffer *owner = PMPPortableCommandBuffer(commandBuffer, _cmd);
    MPSTemporaryMatrix *matrix = [[[self alloc] initWithDevice:owner.device descriptor:matrixDescriptor] autorelease];
    matrix->_isTemporary = YES;
    PMPTemporaryBegin(&matrix->_temporary, owner, matrix);
    return matrix;
}

+ (void)prefetchStorageWithCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
                    matrixDescriptorList:(NSArray<MPSMatrixDescriptor *> *)descriptorList {
    (void)descriptorList; // storage has no heap to prepare
    PMPPortableCommandBuffer(commandBuffer, _cmd);
}

- (NSUInteger)readCount {
    return _temporary.readCount;
}

/// At 0 the storage is given back; kernels that were encoded hold the buffer themselves.
- (void)setReadCount:(NSUInteger)readCount {
    PMPTemporarySetReadCount(&_temporary, self, _cmd, readCount);
    if (readCount == 0) {
        [_data release];
        _data = nil;
    }
}

- (id<MTLBuffer>)data {
    PMPTemporaryCheckAlive(&_temporary, self, _cmd);
    return PMPLazyBuffer(&_data, _device, _ownBytes, PMPTemporaryStorage());
}

@end
