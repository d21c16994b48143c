#import "PMPStorage.h"
#import "PMPArgument.h"
#import "PMPBuffer.h"
#import <MetalPerformanceShaders/MPSDevice.h>
#include <stdatomic.h>

MTLResourceOptions PMPTemporaryStorage(void) {
    static atomic_int known; // 0: not read yet, else 1 + the storage mode
    int mode = atomic_load_explicit(&known, memory_order_relaxed);
    if (mode == 0) {
        const char *isPrivate = getenv("PYMPS_PORTABLE_PRIVATE");
        bool wanted = isPrivate != NULL && strcmp(isPrivate, "1") == 0;
        mode = 1 + (int)(wanted ? MTLStorageModePrivate : MTLStorageModeShared);
        atomic_store_explicit(&known, mode, memory_order_relaxed);
    }
    return (MTLResourceOptions)(mode - 1) << MTLResourceStorageModeShift;
}

id<MTLBuffer> PMPLazyBuffer(id<MTLBuffer> *slot, id<MTLDevice> device, size_t bytes, MTLResourceOptions options) {
    void **place = (void **)slot;
    id<MTLBuffer> present = (id<MTLBuffer>)__atomic_load_n(place, __ATOMIC_ACQUIRE);
    if (present != nil) {
        return present;
    }
    id<MTLBuffer> made = [device newBufferWithLength:bytes options:options];
    void *other = NULL;
    if (!__atomic_compare_exchange_n(place, &other, (void *)made, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
        [made release];
        return (id<MTLBuffer>)other;
    }
    return made;
}

void PMPSynchronizeBuffer(id<MTLBuffer> buffer, id<MTLCommandBuffer> commandBuffer) {
    if (buffer.storageMode == MTLStorageModeManaged) {
        id<MTLBlitCommandEncoder> encoder = [commandBuffer blitCommandEncoder];
        [encoder synchronizeResource:buffer];
        [encoder endEncoding];
    }
}

void PMPCheckDevice(id<MTLDevice> device, id object, SEL selector) {
    if (!MPSSupportsMTLDevice(device)) {
        PMPRaiseInvalidArgument(object, selector, @"device: %@, expected a portable device", device);
    }
}

void PMPCheckBuffer(id<MTLBuffer> buffer, size_t offset, size_t bytes, size_t elementBytes, id object, SEL selector) {
    if (![buffer isKindOfClass:[PMPBuffer class]]) {
        PMPRaiseInvalidArgument(object, selector, @"buffer: %@, expected a buffer of a portable device", buffer);
    }
    if (offset % elementBytes != 0) {
        PMPRaiseInvalidArgument(object, selector, @"offset: %zu, expected a multiple of the element's %zu bytes",
                                offset, elementBytes);
    }
    if (offset > buffer.length || bytes > buffer.length - offset) {
        PMPRaiseInvalidArgument(object, selector, @"buffer: %lu bytes, expected %zu from offset %zu on",
                                (unsigned long)buffer.length, bytes, offset);
    }
}
