// The rules of objects that live on one command buffer and count their reads down.
#import "PMPCommandBuffer.h"
#import "PMPStorage.h"
#import <MetalPerformanceShaders/PMPTemporary.h>

/// Leases a new object to `owner`, which holds it until it has completed; the read count is 1.
void PMPTemporaryBegin(struct PMPTemporary *lease, PMPCommandBuffer *owner, id object);

/// Raises, naming `object` and `selector`, unless the object still has its contents.
void PMPTemporaryCheckAlive(const struct PMPTemporary *lease, id object, SEL selector);

/// Whether a kernel may use the object on this command buffer now.
bool PMPTemporaryIsUsable(const struct PMPTemporary *lease, PMPCommandBuffer *commandBuffer);

/// Sets the read count by hand; raises once the contents are gone.
void PMPTemporarySetReadCount(struct PMPTemporary *lease, id object, SEL selector, NSUInteger readCount);
