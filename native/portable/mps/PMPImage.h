// What images show to the kernels that read and write them.
#import "PMPArgument.h"
#import "PMPImageFormat.h"
#import "PMPTemporaryRules.h"

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
/// pixels do not lie so: over rows of a buffer with gaps between them, or where several images share the pixels of a
/// texture that was in use before.
PMPImagePixels PMPImagePixelsOf(MPSImage *image);

/// Slices that so many channels take.
static inline NSUInteger PMPSlicesOfChannels(NSUInteger featureChannels) {
    return featureChannels / 4 + (featureChannels % 4 != 0);
}

@interface MPSImage (PMPImage)

/// Beyond Apple's: an image over the memory of a buffer, which has its pixels without gaps, element (image, y, x,
/// channel) of an array. The storage is the buffer's.
- (instancetype)initWithBuffer:(id<MTLBuffer>)buffer
                        offset:(NSUInteger)offset
               imageDescriptor:(const MPSImageDescriptor *)imageDescriptor;

/// Memory to be made at first use, of which each pixel has room for `storedChannels`. The argument is the descriptor's.
- (instancetype)initWithDevice:(id<MTLDevice>)device
             textureDescriptor:(const MTLTextureDescriptor *)descriptor
               featureChannels:(NSUInteger)featureChannels
                storedChannels:(NSUInteger)storedChannels
                      argument:(PMPArgument)argument;

@end

/// The texture that a descriptor of images asks for; raises for what no image can be.
MTLTextureDescriptor *PMPTextureDescriptorOfImages(const MPSImageDescriptor *descriptor, PMPArgument argument);
