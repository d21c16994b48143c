// Formats and layouts of pixels, and copies between them.
#import <Metal/Metal.h>
#import <Metal/PMPPixelLayout.h>

typedef struct PMPPixelFormat {
    NSUInteger components;
    size_t elementBytes; // of a component
} PMPPixelFormat;

/// All zero for a format that no texture can have.
PMPPixelFormat PMPPixelFormatOf(MTLPixelFormat format);

/// Bytes of a pixel of one slice; 0 for a format that no texture can have.
size_t PMPPixelBytes(MTLPixelFormat format);

/// Images without gaps.
PMPPixelLayout PMPPixelLayoutMake(NSUInteger width, NSUInteger height, NSUInteger slicesPerImage, NSUInteger channels,
                                  size_t elementBytes);

/// Images of `slicesPerImage` slices each, out of the range `slices`. false where that range is neither whole images of
/// as many slices nor within one image.
bool PMPPixelLayoutOfSlices(PMPPixelLayout whole, NSRange slices, NSUInteger slicesPerImage, size_t elementBytes,
                            PMPPixelLayout *part);

/// The distances of elements, on either side of a copy.
typedef struct PMPPixelBlock {
    char *start;
    size_t imageBytes, rowBytes, pixelBytes, channelBytes;
} PMPPixelBlock;

/// How many a copy moves; at least one of each.
typedef struct PMPPixelCounts {
    size_t images, rows, columns, channels;
} PMPPixelCounts;

/// The two sides do not overlap.
void PMPCopyPixels(PMPPixelBlock to, PMPPixelBlock from, PMPPixelCounts counts, size_t elementBytes);
