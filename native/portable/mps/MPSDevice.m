#import "PMPDevice.h"
#import <MetalPerformanceShaders/MetalPerformanceShaders.h>

BOOL MPSSupportsMTLDevice(id<MTLDevice> device) {
    return [(id)device isKindOfClass:[PMPDevice class]];
}

/// The device that the environment names by its index; nil where it names none.
static id<MTLDevice> environment_device(NSArray<id<MTLDevice>> *devices) {
    const char *text = getenv("MPS_PREFERRED_DEVICE") ?: getenv("MPS_PREFERED_DEVICE");
    char *end = NULL;
    long index = text != NULL ? strtol(text, &end, 10) : 0;
    if (end == text || *end != '\0') {
        return nil;
    }
    if (index == -1) {
        for (NSUInteger i = 0; i < devices.count; i++) {
            fprintf(stderr, "%lu: %s\n", (unsigned long)i, [[[devices objectAtIndex:i] name] UTF8String]);
        }
    }
    return index >= 0 && (NSUInteger)index < devices.count ? [devices objectAtIndex:(NSUInteger)index] : nil;
}

id<MTLDevice> MPSGetPreferredDevice(MPSDeviceOptions options) {
    NSArray<id<MTLDevice>> *devices = [MTLCopyAllDevices() autorelease];
    id<MTLDevice> chosen = environment_device(devices);
    for (id<MTLDevice> device in devices) {
        bool fits = device.isLowPower == ((options & MPSDeviceOptionsLowPower) != 0) &&
                    !(device.isRemovable && (options & MPSDeviceOptionsSkipRemovable) != 0);
        if (chosen == nil && fits) {
            chosen = device;
        }
    }
    return [[chosen != nil ? chosen : [devices firstObject] retain] autorelease];
}

void MPSHintTemporaryMemoryHighWaterMark(id<MTLCommandBuffer> cmdBuf, NSUInteger bytes) {
    (void)cmdBuf;
    (void)bytes;
}

void MPSSetHeapCacheDuration(id<MTLCommandBuffer> cmdBuf, double seconds) {
    (void)cmdBuf;
    (void)seconds;
}
