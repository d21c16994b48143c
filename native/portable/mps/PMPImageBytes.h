// Copies between images and the CPU's memory.
#import <MetalPerformanceShaders/MetalPerformanceShaders.h>

/// As the arguments of readBytes: and writeBytes: are.
typedef struct PMPImageBytes {
    void *bytes;
    MPSDataLayout layout;
    NSUInteger bytesPerColumn, bytesPerRow, bytesPerImage;
    MTLRegion region;
    MPSImageReadWriteParams channels;
    NSUInteger image;
} PMPImageBytes;

/// Without gaps between pixels; images follow each other without gaps between rows.
PMPImageBytes PMPImageBytesOfRows(MPSImage *image, const void *bytes, MPSDataLayout layout, NSUInteger bytesPerRow,
                                  MTLRegion region, MPSImageReadWriteParams channels, NSUInteger imageIndex);

/// One whole image without gaps.
PMPImageBytes PMPImageBytesOfImage(MPSImage *image, const void *bytes, MPSDataLayout layout, NSUInteger imageIndex);

// They check what they get, and raise in the name of `selector`.

void PMPImageRead(MPSImage *image, SEL selector, PMPImageBytes to);
void PMPImageWrite(MPSImage *image, SEL selector, PMPImageBytes from);
