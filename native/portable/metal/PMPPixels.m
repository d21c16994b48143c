#import "PMPPixels.h"

PMPPixelFormat PMPPixelFormatOf(MTLPixelFormat format) {
    switch (format) {
    case MTLPixelFormatR8Unorm:
        return (PMPPixelFormat){1, 1};
    case MTLPixelFormatRG8Unorm:
        return (PMPPixelFormat){2, 1};
    case MTLPixelFormatRGBA8Unorm:
        return (PMPPixelFormat){4, 1};
    case MTLPixelFormatR16Unorm:
    case MTLPixelFormatR16Float:
        return (PMPPixelFormat){1, 2};
    case MTLPixelFormatRG16Unorm:
    case MTLPixelFormatRG16Float:
        return (PMPPixelFormat){2, 2};
    case MTLPixelFormatRGBA16Unorm:
    case MTLPixelFormatRGBA16Float:
        return (PMPPixelFormat){4, 2};
    case MTLPixelFormatR32Float:
        return (PMPPixelFormat){1, 4};
    case MTLPixelFormatRG32Float:
        return (PMPPixelFormat){2, 4};
    case MTLPixelFormatRGBA32Float:
        return (PMPPixelFormat){4, 4};
    default:
        return (PMPPixelFormat){0, 0};
    }
}

size_t PMPPixelBytes(MTLPixelFormat format) {
    PMPPixelFormat parts = PMPPixelFormatOf(format);
    return parts.components * parts.elementBytes;
}

// The sizes that textures can have keep all of this far from overflow.
PMPPixelLayout PMPPixelLayoutMake(NSUInteger width, NSUInteger height, NSUInteger slicesPerImage, NSUInteger channels,
                                  size_t elementBytes) {
    PMPPixelLayout layout = {.slicesPerImage = slicesPerImage, .channels = channels};
    layout.pixelBytes = channels * elementBytes;
    layout.rowBytes = width * layout.pixelBytes;
    layout.imageBytes = height * layout.rowBytes;
    return layout;
}

bool PMPPixelLayoutOfSlices(PMPPixelLayout whole, NSRange slices, NSUInteger slicesPerImage, size_t elementBytes,
                            PMPPixelLayout *part) {
    NSUInteger image = slices.location / whole.slicesPerImage, first = slices.location % whole.slicesPerImage;
    *part = whole;
    part->offset += image * whole.imageBytes;
    if (slicesPerImage == whole.slicesPerImage && first == 0) {
        return true;
    }
    if (first + slices.length > whole.slicesPerImage) {
        return false;
    }
    NSUInteger lastImage = first + slices.length - slicesPerImage; // where it begins; it may end before its slices do
    part->offset += first * 4 * elementBytes;
    part->imageBytes = slicesPerImage * 4 * elementBytes;
    part->slicesPerImage = slicesPerImage;
    part->channels = MIN(slicesPerImage * 4, whole.channels - lastImage * 4);
    return true;
}

/// One element after the other; `elementBytes` is a constant where this is inlined.
static inline __attribute__((always_inline)) void copy_elements(PMPPixelBlock to, PMPPixelBlock from, size_t columns,
                                                                size_t channels, size_t elementBytes) {
    for (size_t channel = 0; channel < channels; channel++) {
        char *target = to.start + channel * to.channelBytes;
        const char *source = from.start + channel * from.channelBytes;
        for (size_t column = 0; column < columns; column++) {
            memcpy(target + column * to.pixelBytes, source + column * from.pixelBytes, elementBytes);
        }
    }
}

static void copy_row(PMPPixelBlock to, PMPPixelBlock from, PMPPixelCounts counts, size_t elementBytes) {
    size_t pixelBytes = counts.channels * elementBytes;
    if (to.channelBytes != elementBytes || from.channelBytes != elementBytes) {
        switch (elementBytes) {
        case 1:
            copy_elements(to, from, counts.columns, counts.channels, 1);
            break;
        case 2:
            copy_elements(to, from, counts.columns, counts.channels, 2);
            break;
        default:
            copy_elements(to, from, counts.columns, counts.channels, 4);
        }
    } else if (to.pixelBytes == pixelBytes && from.pixelBytes == pixelBytes) {
        memcpy(to.start, from.start, counts.columns * pixelBytes);
    } else {
        for (size_t column = 0; column < counts.columns; column++) {
            memcpy(to.start + column * to.pixelBytes, from.start + column * from.pixelBytes, pixelBytes);
        }
    }
}

void PMPCopyPixels(PMPPixelBlock to, PMPPixelBlock from, PMPPixelCounts counts, size_t elementBytes) {
    for (size_t image = 0; image < counts.images; image++) {
        PMPPixelBlock target = to, source = from;
        target.start += image * to.imageBytes;
        source.start += image * from.imageBytes;
        for (size_t row = 0; row < counts.rows; row++) {
            copy_row(target, source, counts, elementBytes);
            target.start += to.rowBytes;
            source.start += from.rowBytes;
        }
    }
}
