// The allocators that MPSImage and MPSTemporaryImage offer.
#import <MetalPerformanceShaders/MetalPerformanceShaders.h>

@interface PMPImageAllocator : NSObject <MPSImageAllocator> {
    Class _imageClass;
}
@end

/// The one of MPSImage or MPSTemporaryImage; never released.
PMPImageAllocator *PMPImageAllocatorOf(Class imageClass);
