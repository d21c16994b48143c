#import "PMPArgument.h"
#import "PMPStorage.h"
#import <MetalPerformanceShaders/MetalPerformanceShaders.h>

@implementation MPSMatrixCopyDescriptor

/// NO where memory runs out.
- (BOOL)makeRoom:(NSUInteger)count {
    _count = count;
    _sources = calloc(count, sizeof *_sources);
    _destinations = calloc(count, sizeof *_destinations);
    _offsets = calloc(count, sizeof *_offsets);
    return _sources != NULL && _destinations != NULL && _offsets != NULL;
}

- (instancetype)initWithDevice:(id<MTLDevice>)device count:(NSUInteger)count {
    self = [[super init] autorelease]; // a violation leaves nothing behind
    PMPCheckDevice(device, self, _cmd);
    if (count == 0) {
        PMPInvalidArgument(@"count: 0, expected at least one copy");
    }
    return [self makeRoom:count] ? [self retain] : nil;
}

- (void)setCopyOperationAtIndex:(NSUInteger)index
                   sourceMatrix:(MPSMatrix *)sourceMatrix
              destinationMatrix:(MPSMatrix *)destinationMatrix
                        offsets:(MPSMatrixCopyOffsets)offsets {
    if (index >= _count) {
        PMPInvalidArgument(@"index: %lu, expected less than %lu", (unsigned long)index, (unsigned long)_count);
    }
    [sourceMatrix retain];
    [_sources[index] release];
    _sources[index] = sourceMatrix;
    [destinationMatrix retain];
    [_destinations[index] release];
    _destinations[index] = destinationMatrix;
    _offsets[index] = offsets;
}

+ (instancetype)descriptorWithSourceMatrix:(MPSMatrix *)sourceMatrix
                         destinationMatrix:(MPSMatrix *)destinationMatrix
                                   offsets:(MPSMatrixCopyOffsets)offsets {
    MPSMatrixCopyDescriptor *descriptor = [[[self alloc] initWithDevice:sourceMatrix.device count:1] autorelease];
    [descriptor setCopyOperationAtIndex:0
                           sourceMatrix:sourceMatrix
                      destinationMatrix:destinationMatrix
                                offsets:offsets];
    return descriptor;
}

- (void)checkOffsets:(MPSVector *)offsets at:(NSUInteger)byteOffset count:(NSUInteger)count selector:(SEL)selector {
    size_t bytes = count * sizeof(MPSMatrixCopyOffsets), all = offsets.length * sizeof(uint32_t);
    if (offsets.dataType != MPSDataTypeUInt32) {
        PMPRaiseInvalidArgument(self, selector, @"offsets: data type 0x%x, expected UInt32",
                                (unsigned)offsets.dataType);
    }
    if (byteOffset % sizeof(MPSMatrixCopyOffsets) != 0 || byteOffset > all || bytes > all - byteOffset) {
        PMPRaiseInvalidArgument(self, selector,
                                @"offset: %lu, expected a multiple of %zu from which on %zu of the vector's %zu bytes "
                                @"lie",
                                (unsigned long)byteOffset, sizeof(MPSMatrixCopyOffsets), bytes, all);
    }
}

- (instancetype)initWithSourceMatrices:(NSArray<MPSMatrix *> *)sourceMatrices
                   destinationMatrices:(NSArray<MPSMatrix *> *)destinationMatrices
                          offsetVector:(nullable MPSVector *)offsets
                                offset:(NSUInteger)byteOffset {
    self = [[super init] autorelease];
    NSUInteger count = sourceMatrices.count;
    if (count == 0) {
        PMPInvalidArgument(@"sourceMatrices: no matrix, expected at least one");
    }
    if (destinationMatrices.count != count) {
        PMPInvalidArgument(@"destinationMatrices: %lu matrices, expected one for each of %lu sourceMatrices",
                           (unsigned long)destinationMatrices.count, (unsigned long)count);
    }
    if (offsets != nil) {
        [self checkOffsets:offsets at:byteOffset count:count selector:_cmd];
    }
    if (![self makeRoom:count]) {
        return nil;
    }
    for (NSUInteger i = 0; i < count; i++) {
        _sources[i] = [[sourceMatrices objectAtIndex:i] retain];
        _destinations[i] = [[destinationMatrices objectAtIndex:i] retain];
    }
    _offsetVector = [offsets retain];
    _offsetBytes = byteOffset;
    return [self retain];
}

- (void)dealloc {
    for (NSUInteger i = 0; _sources != NULL && _destinations != NULL && i < _count; i++) {
        [_sources[i] release];
        [_destinations[i] release];
    }
    free(_sources);
    free(_destinations);
    free(_offsets);
    [_offsetVector release];
    [super dealloc];
}

@end
