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

id PMPFillSlot(id *slot, id made) {
    void *other = NULL;
    if (!__atomic_compare_exchange_n((void **)slot, &other, (void *)made, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
        [made release];
        return (id)other;
    }
    return made;
}

id<MTLBuffer> PMPLazyBuffer(id<MTLBuffer> *slot, id<MTLDevice> device, size_t bytes, MTLResourceOptions options) {
    id<MTLBuffer> present = (id<MTLBuffer>)__atomic_load_n((void **)slot, __ATOMIC_ACQUIRE);
    return present != nil ? present : PMPFillSlot((id *)slot, [device newBufferWithLength:bytes options:options]);
}

void PMPSynchronizeResource(id<MTLResource> resource, id<MTLCommandBuffer> commandBuffer) {
    if (resource.storageMode == MTLStorageModeManaged) {
        id<MTLBlitCommandEncoder> encoder = [commandBuffer blitCommandEncoder];
        [encoder synchronizeResource:resource];
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
