// Where the pixels of images lie: an instance variable of textures and images.
#import <Foundation/Foundation.h>

/// Channel c of pixel (x, y) of image n lies at offset + n * imageBytes + y * rowBytes + x * pixelBytes + c * (bytes of
/// an element). Slice s of a texture has channels 4 * (s % slicesPerImage) and on of image s / slicesPerImage.
typedef struct PMPPixelLayout {
    size_t offset, imageBytes, rowBytes, pixelBytes;
    NSUInteger slicesPerImage, channels;
} PMPPixelLayout;
