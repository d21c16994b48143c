#import "PMPBuffer.h"
#import "PMPArgument.h"
#import "PMPDevice.h"
#import "PMPMemory.h"
#import "PMPTexture.h"
#include <Block.h>

@implementation PMPBuffer

@synthesize label = _label;

- (instancetype)initWithDevice:(PMPDevice *)device length:(NSUInteger)length options:(MTLResourceOptions)options {
    void *address = PMPMemoryAllocate(length);
    if (address == NULL) {
        [self release];
        return nil;
    }
    self = [self initWithDevice:device address:address length:length options:options deallocator:nil];
    _borrowed = NO;
    return self;
}

- (instancetype)initWithDevice:(PMPDevice *)device
                       address:(void *)address
                        length:(NSUInteger)length
                       options:(MTLResourceOptions)options
                   deallocator:(void (^)(void *, NSUInteger))deallocator {
    if ((self = [super init]) != nil) {
        _device = [device retain];
        _address = address;
        _length = length;
        _allocatedSize = PMPMemorySize(length);
        _options = options;
        _purgeableState = MTLPurgeableStateNonVolatile;
        _deallocator = deallocator == NULL ? NULL : Block_copy(deallocator);
        _borrowed = YES;
        [device countAllocation:_allocatedSize];
    }
    return self;
}

- (void)dealloc {
    [_device countRelease:_allocatedSize];
    if (!_borrowed) {
        PMPMemoryFree(_address, _length);
    } else if (_deallocator != NULL) {
        _deallocator(_address, _length);
        Block_release(_deallocator);
    }
    [_device release];
    [_label release];
    [super dealloc];
}

- (id<MTLDevice>)device {
    return _device;
}

- (NSUInteger)length {
    return _length;
}

- (NSUInteger)allocatedSize {
    return _allocatedSize;
}

- (void *)contents {
    return self.storageMode == MTLStorageModePrivate ? NULL : _address;
}

- (MTLResourceOptions)resourceOptions {
    return _options;
}

- (MTLCPUCacheMode)cpuCacheMode {
    return (_options & MTLResourceCPUCacheModeMask) >> MTLResourceCPUCacheModeShift;
}

- (MTLStorageMode)storageMode {
    return (_options & MTLResourceStorageModeMask) >> MTLResourceStorageModeShift;
}

- (MTLHazardTrackingMode)hazardTrackingMode {
    NSUInteger mode = (_options & MTLResourceHazardTrackingModeMask) >> MTLResourceHazardTrackingModeShift;
    return mode == MTLHazardTrackingModeDefault ? MTLHazardTrackingModeTracked : mode;
}

- (MTLPurgeableState)setPurgeableState:(MTLPurgeableState)state {
    if (state < MTLPurgeableStateKeepCurrent || state > MTLPurgeableStateEmpty) {
        PMPInvalidArgument(@"state: %lu, expected an MTLPurgeableState", (unsigned long)state);
    }
    MTLPurgeableState before = _purgeableState;
    if (state != MTLPurgeableStateKeepCurrent) {
        _purgeableState = state;
    }
    return before;
}

- (void)didModifyRange:(NSRange)range {
    if (self.storageMode != MTLStorageModeManaged) {
        PMPInvalidArgument(@"receiver: storage mode %lu, expected managed", (unsigned long)self.storageMode);
    }
    [self checkRange:range of:_cmd];
}

- (id<MTLTexture>)newTextureWithDescriptor:(MTLTextureDescriptor *)descriptor
                                    offset:(NSUInteger)offset
                               bytesPerRow:(NSUInteger)bytesPerRow {
    PMPCheckTextureDescriptor(descriptor, self, _cmd, @"descriptor");
    if (descriptor.textureType != MTLTextureType2D) {
        PMPInvalidArgument(@"descriptor: texture type %lu, expected 2D", (unsigned long)descriptor.textureType);
    }
    if (descriptor.storageMode != self.storageMode) {
        PMPInvalidArgument(@"descriptor: storage mode %lu, expected the buffer's, %lu",
                           (unsigned long)descriptor.storageMode, (unsigned long)self.storageMode);
    }
    PMPCheckBufferRows(self, offset, bytesPerRow, descriptor.pixelFormat, descriptor.width, descriptor.height, self,
                       _cmd);
    PMPPixelFormat format = PMPPixelFormatOf(descriptor.pixelFormat);
    PMPPixelLayout layout =
        PMPPixelLayoutMake(descriptor.width, descriptor.height, 1, format.components, format.elementBytes);
    layout.offset = offset;
    layout.rowBytes = bytesPerRow;
    layout.imageBytes = descriptor.height * bytesPerRow;
    return [[PMPTexture alloc] initWithBuffer:self descriptor:descriptor layout:layout];
}

- (void)addDebugMarker:(NSString *)marker range:(NSRange)range {
    if (marker == nil) {
        PMPInvalidArgument(@"marker: nil, expected a string");
    }
    [self checkRange:range of:_cmd];
}

- (void)removeAllDebugMarkers {
}

- (void)checkRange:(NSRange)range of:(SEL)selector {
    if (!PMPRangeFits(range, _length)) {
        PMPRaiseInvalidArgument(self, selector, @"range: location %lu, length %lu, expected a part of %lu bytes",
                                (unsigned long)range.location, (unsigned long)range.length, (unsigned long)_length);
    }
}

void *PMPBufferAddress(id<MTLBuffer> buffer) {
    return ((PMPBuffer *)buffer)->_address;
}

@end
