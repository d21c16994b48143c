// What states show to the kernels that make them.
#import "PMPTemporaryRules.h"
#import <MetalPerformanceShaders/MetalPerformanceShaders.h>

struct PMPStateResource {
    id<MTLResource> resource; // owned; nil until it is asked for
    // What is to be made; neither where the resource was given.
    NSUInteger bytes;                        // of a buffer
    MTLTextureDescriptor *textureDescriptor; // owned
};

@interface MPSStateResourceList (PMPState)
- (NSArray<MTLTextureDescriptor *> *)textureDescriptors;
- (NSArray<NSNumber *> *)bufferSizes;
@end

@interface MPSState (PMPState)

/// `count` resources to make, of no kind yet.
- (instancetype)initWithDevice:(id<MTLDevice>)device resourceCount:(NSUInteger)count;
/// The read count has become 0.
- (void)giveStorageBack;

@end
