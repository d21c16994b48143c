// What textures can be, and the parts of one slice that are copied.
#import "PMPTexture.h"
#import "PMPArgument.h"
#import "PMPBuffer.h"
#import "PMPDevice.h"

static void check_size(NSUInteger size, NSUInteger most, const char *what, PMPArgument argument) {
    if (size == 0 || size > most) {
        PMPRaiseInvalid(argument, @"%s %lu, expected 1 to %lu", what, (unsigned long)size, (unsigned long)most);
    }
}

static bool is_default(MTLTextureSwizzleChannels swizzle) {
    MTLTextureSwizzleChannels inOrder = MTLTextureSwizzleChannelsDefault;
    return swizzle.red == inOrder.red && swizzle.green == inOrder.green && swizzle.blue == inOrder.blue &&
           swizzle.alpha == inOrder.alpha;
}

void PMPCheckTextureDescriptor(const MTLTextureDescriptor *descriptor, id object, SEL selector, NSString *name) {
    PMPArgument argument = {object, selector, name};
    if (descriptor == nil) {
        PMPRaiseInvalid(argument, @"nil, expected a descriptor");
    }
    MTLTextureType type = descriptor.textureType;
    if (type != MTLTextureType2D && type != MTLTextureType2DArray) {
        PMPRaiseInvalid(argument, @"texture type %lu, expected 2D or 2D array", (unsigned long)type);
    }
    if (PMPPixelBytes(descriptor.pixelFormat) == 0) {
        PMPRaiseInvalid(argument, @"pixel format %lu, expected R, RG or RGBA as Unorm8, Unorm16, Float16 or Float32",
                        (unsigned long)descriptor.pixelFormat);
    }
    check_size(descriptor.width, kPMPMaxTextureSize, "width", argument);
    check_size(descriptor.height, kPMPMaxTextureSize, "height", argument);
    check_size(descriptor.arrayLength, type == MTLTextureType2D ? 1 : kPMPMaxTextureSlices, "array length", argument);
    check_size(descriptor.depth, 1, "depth", argument);
    check_size(descriptor.mipmapLevelCount, 1, "mipmap level count", argument);
    check_size(descriptor.sampleCount, 1, "sample count", argument);
    MTLTextureUsage known = MTLTextureUsageShaderRead | MTLTextureUsageShaderWrite | MTLTextureUsageRenderTarget |
                            MTLTextureUsagePixelFormatView;
    if ((descriptor.usage & ~known) != 0) {
        PMPRaiseInvalid(argument, @"usage 0x%lx, expected a combination of MTLTextureUsage",
                        (unsigned long)descriptor.usage);
    }
    if (!is_default(descriptor.swizzle)) {
        PMPRaiseInvalid(argument, @"swizzled, expected the components in their places");
    }
    PMPCheckResourceOptions(descriptor.resourceOptions, object, selector, name);
}

void PMPCheckTextureRegion(PMPTexture *texture, MTLRegion region, NSUInteger slice, NSUInteger level, id object,
                           SEL selector) {
    if (level != 0) {
        PMPRaiseInvalidArgument(object, selector, @"level: %lu, expected 0", (unsigned long)level);
    }
    if (slice >= texture->_arrayLength) {
        PMPRaiseInvalidArgument(object, selector, @"slice: %lu, expected less than %lu", (unsigned long)slice,
                                (unsigned long)texture->_arrayLength);
    }
    MTLOrigin origin = region.origin;
    MTLSize size = region.size;
    if (size.width == 0 || size.height == 0 || size.depth != 1 || origin.x > texture->_width ||
        size.width > texture->_width - origin.x || origin.y > texture->_height ||
        size.height > texture->_height - origin.y || origin.z != 0) {
        PMPRaiseInvalidArgument(object, selector,
                                @"region: %lu x %lu x %lu from (%lu, %lu, %lu) on, expected a part of %lu x %lu x 1",
                                (unsigned long)size.width, (unsigned long)size.height, (unsigned long)size.depth,
                                (unsigned long)origin.x, (unsigned long)origin.y, (unsigned long)origin.z,
                                (unsigned long)texture->_width, (unsigned long)texture->_height);
    }
}

void PMPCheckBytesPerRow(MTLPixelFormat format, NSUInteger width, NSUInteger bytesPerRow, id object, SEL selector) {
    size_t pixelBytes = PMPPixelBytes(format);
    if (bytesPerRow < width * pixelBytes || bytesPerRow % pixelBytes != 0) {
        PMPRaiseInvalidArgument(object, selector, @"bytesPerRow: %lu, expected a multiple of %zu that holds %lu pixels",
                                (unsigned long)bytesPerRow, pixelBytes, (unsigned long)width);
    }
}

void PMPCheckBufferRows(id<MTLBuffer> buffer, NSUInteger offset, NSUInteger bytesPerRow, MTLPixelFormat format,
                        NSUInteger width, NSUInteger height, id object, SEL selector) {
    PMPCheckBytesPerRow(format, width, bytesPerRow, object, selector);
    size_t pixelBytes = PMPPixelBytes(format), bytes;
    if (offset % pixelBytes != 0) {
        PMPRaiseInvalidArgument(object, selector, @"offset: %lu, expected a multiple of the pixel's %zu bytes",
                                (unsigned long)offset, pixelBytes);
    }
    if (__builtin_mul_overflow(height - 1, bytesPerRow, &bytes) ||
        __builtin_add_overflow(bytes, width * pixelBytes, &bytes) ||
        !PMPRangeFits((NSRange){offset, bytes}, buffer.length)) {
        PMPRaiseInvalidArgument(object, selector, @"buffer: %lu bytes, expected %lu rows, %lu bytes apart, from %lu on",
                                (unsigned long)buffer.length, (unsigned long)height, (unsigned long)bytesPerRow,
                                (unsigned long)offset);
    }
}

PMPSliceCopy PMPSliceCopyMake(PMPTexture *texture, MTLRegion region, NSUInteger slice, void *bytes,
                              size_t bytesPerRow) {
    PMPPixelFormat format = PMPPixelFormatOf(texture->_pixelFormat);
    PMPPixelLayout layout = texture->_layout;
    NSUInteger firstChannel = slice % layout.slicesPerImage * 4;
    char *start = (char *)PMPTextureAddress(texture) + layout.offset +
                  slice / layout.slicesPerImage * layout.imageBytes + region.origin.y * layout.rowBytes +
                  region.origin.x * layout.pixelBytes + firstChannel * format.elementBytes;
    return (PMPSliceCopy){
        .pixels = {start, layout.imageBytes, layout.rowBytes, layout.pixelBytes, format.elementBytes},
        .bytes = {bytes, 0, bytesPerRow, format.components * format.elementBytes, format.elementBytes},
        .counts = {1, region.size.height, region.size.width, MIN(format.components, layout.channels - firstChannel)},
        .format = format,
    };
}

void PMPSliceRead(const PMPSliceCopy *copy) {
    if (copy->counts.channels < copy->format.components) {
        for (size_t row = 0; row < copy->counts.rows; row++) {
            memset(copy->bytes.start + row * copy->bytes.rowBytes, 0, copy->counts.columns * copy->bytes.pixelBytes);
        }
    }
    PMPCopyPixels(copy->bytes, copy->pixels, copy->counts, copy->format.elementBytes);
}

void PMPSliceWrite(const PMPSliceCopy *copy) {
    PMPCopyPixels(copy->pixels, copy->bytes, copy->counts, copy->format.elementBytes);
}
