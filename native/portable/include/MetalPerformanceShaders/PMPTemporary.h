// The lease of an object on a command buffer: an instance variable of the temporary classes.
#import <Metal/Metal.h>

struct PMPTemporary {
    id<MTLCommandBuffer> _Nullable commandBuffer; // not retained; nil: not temporary
    uint64_t generation;                          // command buffers are reused: which use of it is meant
    NSUInteger readCount;
};
