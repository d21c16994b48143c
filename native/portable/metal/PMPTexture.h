// The portable texture. Its pixels lie in a buffer, image by image, all channels of a pixel side by side, as kernels
// read them; the slices that Metal shows are made up where they are asked for.
#import "PMPPixels.h"
#import <Metal/Metal.h>
#include <stdatomic.h>

enum { kPMPMaxTextureSize = 16384, kPMPMaxTextureSlices = 2048 };

@interface PMPTexture : NSObject <MTLTexture> {
  @package
    id<MTLBuffer> _storage; // retained; its memory is the texture's own unless _root is set
    PMPPixelLayout _layout;
    MTLPixelFormat _pixelFormat;
    NSUInteger _width, _height, _arrayLength;

  @private
    id<MTLResource> _root; // retained: the buffer or the texture that the memory belongs to
    NSUInteger _rootSlice;
    MTLTextureType _textureType;
    MTLTextureUsage _usage;
    BOOL _allowGPUOptimizedContents;
    atomic_bool _isInUse; // its layout can't change any more
    NSString *_label;
}

// The descriptor has passed PMPCheckTextureDescriptor, and the layout is for it.

/// nil where memory runs out.
- (instancetype)initWithDevice:(id<MTLDevice>)device
                    descriptor:(const MTLTextureDescriptor *)descriptor
                        layout:(PMPPixelLayout)layout;
/// The layout's offset is the buffer's.
- (instancetype)initWithBuffer:(id<MTLBuffer>)buffer
                    descriptor:(const MTLTextureDescriptor *)descriptor
                        layout:(PMPPixelLayout)layout;

/// Lets images of so many slices lie one behind the other, unless an image, a view or a command has used the texture
/// before: the layout stays from the first of these on. NO where memory runs out.
- (BOOL)useWithSlicesPerImage:(NSUInteger)slicesPerImage;

/// The layout stays.
- (void)use;

@end

/// Where the storage begins, from which a layout's offset counts. The texture is one of the portable device's.
void *PMPTextureAddress(id<MTLTexture> texture);

/// A copy between part of one slice and bytes in the pixel format.
typedef struct PMPSliceCopy {
    PMPPixelBlock pixels, bytes;
    PMPPixelCounts counts;
    PMPPixelFormat format;
} PMPSliceCopy;

PMPSliceCopy PMPSliceCopyMake(PMPTexture *texture, MTLRegion region, NSUInteger slice, void *bytes, size_t bytesPerRow);
/// Components that the texture has no channel for are 0.
void PMPSliceRead(const PMPSliceCopy *copy);
void PMPSliceWrite(const PMPSliceCopy *copy);

// The rules; they raise, naming the argument.

/// A texture that the device can make.
void PMPCheckTextureDescriptor(const MTLTextureDescriptor *descriptor, id object, SEL selector, NSString *name);

/// Part of one slice of level 0.
void PMPCheckTextureRegion(PMPTexture *texture, MTLRegion region, NSUInteger slice, NSUInteger level, id object,
                           SEL selector);

/// Rows of `width` pixels.
void PMPCheckBytesPerRow(MTLPixelFormat format, NSUInteger width, NSUInteger bytesPerRow, id object, SEL selector);

/// `height` rows of `width` pixels that fit the buffer.
void PMPCheckBufferRows(id<MTLBuffer> buffer, NSUInteger offset, NSUInteger bytesPerRow, MTLPixelFormat format,
                        NSUInteger width, NSUInteger height, id object, SEL selector);
