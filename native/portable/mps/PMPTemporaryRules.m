#import "PMPTemporaryRules.h"
#import "PMPArgument.h"

void PMPTemporaryBegin(struct PMPTemporary *lease, PMPCommandBuffer *owner, id object) {
    [owner holdUntilCompleted:object];
    *lease = (struct PMPTemporary){.commandBuffer = owner, .generation = [owner generation], .readCount = 1};
}

void PMPTemporaryCheckAlive(const struct PMPTemporary *lease, id object, SEL selector) {
    if (lease->readCount == 0) {
        PMPRaiseInvalidArgument(object, selector, @"receiver: its read count is 0, so that its contents are gone");
    }
}

bool PMPTemporaryIsUsable(const struct PMPTemporary *lease, PMPCommandBuffer *commandBuffer) {
    return lease->readCount > 0 && lease->commandBuffer == commandBuffer &&
           lease->generation == [commandBuffer generation];
}

void PMPTemporarySetReadCount(struct PMPTemporary *lease, id object, SEL selector, NSUInteger readCount) {
    PMPTemporaryCheckAlive(lease, object, selector);
    lease->readCount = readCount;
}
