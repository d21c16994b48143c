// What a device can do, and hints on temporary memory.
#import <Metal/Metal.h>

NS_ASSUME_NONNULL_BEGIN

#ifdef __cplusplus
extern "C" {
#endif

typedef NS_OPTIONS(NSUInteger, MPSDeviceOptions) {
    MPSDeviceOptionsDefault = 0,
    MPSDeviceOptionsLowPower = 1 << 0,
    MPSDeviceOptionsSkipRemovable = 1 << 1,
};

/// YES for the portable devices, NO for nil and any other.
BOOL MPSSupportsMTLDevice(id<MTLDevice> _Nullable device) PMP_SYMBOL(MPSSupportsMTLDevice);

/// The device that fits the options best; MPS_PREFERRED_DEVICE (or MPS_PREFERED_DEVICE), an index into
/// MTLCopyAllDevices, goes before; -1 there lists the devices on stderr.
id<MTLDevice> _Nullable MPSGetPreferredDevice(MPSDeviceOptions options) PMP_SYMBOL(MPSGetPreferredDevice);

/// Hints, which change nothing: temporary memory of the portable classes comes from no heap.
void MPSHintTemporaryMemoryHighWaterMark(id<MTLCommandBuffer> cmdBuf, NSUInteger bytes)
    PMP_SYMBOL(MPSHintTemporaryMemoryHighWaterMark);
void MPSSetHeapCacheDuration(id<MTLCommandBuffer> cmdBuf, double seconds) PMP_SYMBOL(MPSSetHeapCacheDuration);

#ifdef __cplusplus
}
#endif

NS_ASSUME_NONNULL_END
