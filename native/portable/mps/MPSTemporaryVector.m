#import "PMPArgument.h"
#import "PMPTemporaryRules.h"
#import <MetalPerformanceShaders/MetalPerformanceShaders.h>

@implementation MPSTemporaryVector

+ (instancetype)temporaryVectorWithCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
                                      descriptor:(MPSVectorDescriptor *)descriptor {
    PMPCommandBuffer *owner = PMPPortableCommandBuffer(commandBuffer, _cmd);
    MPSTemporaryVector *vector = [[[self alloc] initWithDevice:owner.device descriptor:descriptor] autorelease];
    PMPTemporaryBegin(&vector->_temporary, owner, vector);
    return vector;
}

+ (void)prefetchStorageWithCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
                          descriptorList:(NSArray<MPSVectorDescriptor *> *)descriptorList {
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
