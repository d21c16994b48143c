// What images show to the kernels that read and write them.
#import "PMPTemporaryRules.h"
#import <MetalPerformanceShaders/MetalPerformanceShaders.h>
#include "engine/engine.h"

/// All pixels of an image: those of its first image line by line, then those of the next. The channels of a pixel
/// follow each other; to the next pixel it may be further, as in views of some of the channels.
typedef struct PMPImagePixels {
    void *data;               // NULL where memory runs out
    size_t pixels;            // width * height * number of images
    size_t pixel_bytes;       // from one to the next
    pymps_engine_type type;   // of a channel
    id<MTLResource> resource; // what a command buffer must hold
} PMPImagePixels;

/// Makes the memory where it is not there yet. Raises where a temporary image has no reads left, and for an image whose
/// pixels do not lie so: over rows of a buffer with gaps between them, or where images share the pixels of a texture
/// that was in use before.
PMPImagePixels PMPImagePixelsOf(MPSImage *image);

/// Bytes of a channel; 0 for a format that no image can have.
size_t PMPChannelBytes(MPSImageFeatureChannelFormat format);

/// Images of four channels to a slice.
static inline NSUInteger PMPSlicesOfChannels(NSUInteger featureChannels) {
    return featureChannels / 4 + (featureChannels % 4 != 0);
}

@interface MPSImage (PMPImage)

/// Beyond Apple's: an image over the memory of a shared or managed buffer, which has its pixels without gaps: element
/// (image, y, x, channel) of an array.
- (instancetype)initWithBuffer:(id<MTLBuffer>)buffer
                        offset:(NSUInteger)offset
               imageDescriptor:(const MPSImageDescriptor *)imageDescriptor;

@end
