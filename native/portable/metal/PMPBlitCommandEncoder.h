// Encodes copies and fills into its command buffer.
#import "PMPCommandBuffer.h"

/// Part of its command buffer, which owns it: a reference to the encoder is one to the command buffer.
@interface PMPBlitCommandEncoder : NSObject <MTLBlitCommandEncoder> {
    PMPCommandBuffer *_commandBuffer;
    NSString *_label;
    NSUInteger _debugGroups;
}

- (instancetype)initWithCommandBuffer:(PMPCommandBuffer *)commandBuffer;

/// Forgets what is left of its last use.
- (void)clear;

@end
