// What states show to the kernels that make them.
#import "PMPTemporaryRules.h"
#import <MetalPerformanceShaders/MetalPerformanceShaders.h>

struct PMPStateResource {
    id<MTLResource> resource; // owned; nil until it is asked for
    NSUInteger bytes;         // of the buffer to make; 0 where the resource was given
};

@interface MPSStateResourceList (PMPState)
- (NSArray<NSNumber *> *)bufferSizes;
@end

@interface MPSState (PMPState)

/// `count` buffers to make, their sizes unset.
- (instancetype)initWithDevice:(id<MTLDevice>)device resourceCount:(NSUInteger)count;
/// The read count has become 0.
- (void)giveStorageBack;

@end
