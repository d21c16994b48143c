// Memory behind matrices, vectors, images and states.
#import <Metal/Metal.h>

/// How recurrent states and temporaries are stored: shared, or private under PYMPS_PORTABLE_PRIVATE=1.
MTLResourceOptions PMPTemporaryStorage(void);

/// The buffer at `slot`, made there first where the slot is empty; nil where memory runs out. The slot owns it. Several
/// threads may ask at once.
id<MTLBuffer> PMPLazyBuffer(id<MTLBuffer> *slot, id<MTLDevice> device, size_t bytes, MTLResourceOptions options);

/// Puts `made`, nil or owned by the caller, into an empty slot; returns what is there then. The slot owns it.
id PMPFillSlot(id *slot, id made);

/// Encodes what makes the device's writes visible to the CPU, where the resource (nil is allowed) is a managed one.
void PMPSynchronizeResource(id<MTLResource> resource, id<MTLCommandBuffer> commandBuffer);

// The rules that initialisers share; they raise, naming `object` and `selector`.

/// A portable device.
void PMPCheckDevice(id<MTLDevice> device, id object, SEL selector);

/// A portable buffer that has `bytes` at `offset`, which is a multiple of `elementBytes`.
void PMPCheckBuffer(id<MTLBuffer> buffer, size_t offset, size_t bytes, size_t elementBytes, id object, SEL selector);
