// Memory with pixels.
#import <Metal/MTLPixelFormat.h>
#import <Metal/MTLResource.h>
#import <Metal/MTLTypes.h>

@protocol MTLBuffer;

NS_ASSUME_NONNULL_BEGIN

typedef NS_ENUM(NSUInteger, MTLTextureType) {
    MTLTextureType1D = 0,
    MTLTextureType1DArray = 1,
    MTLTextureType2D = 2,
    MTLTextureType2DArray = 3,
    MTLTextureType2DMultisample = 4,
    MTLTextureTypeCube = 5,
    MTLTextureTypeCubeArray = 6,
    MTLTextureType3D = 7,
    MTLTextureType2DMultisampleArray = 8,
    MTLTextureTypeTextureBuffer = 9,
};

typedef NS_OPTIONS(NSUInteger, MTLTextureUsage) {
    MTLTextureUsageUnknown = 0,
    MTLTextureUsageShaderRead = 1 << 0,
    MTLTextureUsageShaderWrite = 1 << 1,
    MTLTextureUsageRenderTarget = 1 << 2,
    MTLTextureUsagePixelFormatView = 1 << 4,
};

typedef NS_ENUM(uint8_t, MTLTextureSwizzle) {
    MTLTextureSwizzleZero = 0,
    MTLTextureSwizzleOne = 1,
    MTLTextureSwizzleRed = 2,
    MTLTextureSwizzleGreen = 3,
    MTLTextureSwizzleBlue = 4,
    MTLTextureSwizzleAlpha = 5,
};

typedef struct {
    MTLTextureSwizzle red, green, blue, alpha;
} MTLTextureSwizzleChannels;

static inline MTLTextureSwizzleChannels MTLTextureSwizzleChannelsMake(MTLTextureSwizzle r, MTLTextureSwizzle g,
                                                                      MTLTextureSwizzle b, MTLTextureSwizzle a) {
    MTLTextureSwizzleChannels channels = {r, g, b, a};
    return channels;
}

#define MTLTextureSwizzleChannelsDefault                                                                               \
    (MTLTextureSwizzleChannelsMake(MTLTextureSwizzleRed, MTLTextureSwizzleGreen, MTLTextureSwizzleBlue,                \
                                   MTLTextureSwizzleAlpha))

/// A value: only the device says what it can make. 2D and 2D array, one level, one sample, channels in their places.
PMP_CLASS(MTLTextureDescriptor)
@interface MTLTextureDescriptor : NSObject <NSCopying> {
    MTLTextureType _textureType;
    MTLPixelFormat _pixelFormat;
    NSUInteger _width, _height, _depth, _mipmapLevelCount, _sampleCount, _arrayLength;
    MTLResourceOptions _resourceOptions;
    MTLTextureUsage _usage;
    BOOL _allowGPUOptimizedContents;
    MTLTextureSwizzleChannels _swizzle;
}

@property (readwrite, nonatomic) MTLTextureType textureType; // 2D by default
@property (readwrite, nonatomic) MTLPixelFormat pixelFormat; // RGBA8Unorm by default
@property (readwrite, nonatomic) NSUInteger width;           // 1 by default, as all counts are
@property (readwrite, nonatomic) NSUInteger height;
@property (readwrite, nonatomic) NSUInteger depth;
@property (readwrite, nonatomic) NSUInteger mipmapLevelCount;
@property (readwrite, nonatomic) NSUInteger sampleCount;
@property (readwrite, nonatomic) NSUInteger arrayLength;
/// The three modes below, in one.
@property (readwrite, nonatomic) MTLResourceOptions resourceOptions;
@property (readwrite, nonatomic) MTLCPUCacheMode cpuCacheMode;
@property (readwrite, nonatomic) MTLStorageMode storageMode; // managed by default
@property (readwrite, nonatomic) MTLHazardTrackingMode hazardTrackingMode;
@property (readwrite, nonatomic) MTLTextureUsage usage; // ShaderRead by default
@property (readwrite, nonatomic) BOOL allowGPUOptimizedContents;
@property (readwrite, nonatomic) MTLTextureSwizzleChannels swizzle;

+ (MTLTextureDescriptor *)texture2DDescriptorWithPixelFormat:(MTLPixelFormat)pixelFormat
                                                       width:(NSUInteger)width
                                                      height:(NSUInteger)height
                                                   mipmapped:(BOOL)mipmapped;
+ (MTLTextureDescriptor *)textureCubeDescriptorWithPixelFormat:(MTLPixelFormat)pixelFormat
                                                          size:(NSUInteger)size
                                                     mipmapped:(BOOL)mipmapped;
+ (MTLTextureDescriptor *)textureBufferDescriptorWithPixelFormat:(MTLPixelFormat)pixelFormat
                                                           width:(NSUInteger)width
                                                 resourceOptions:(MTLResourceOptions)resourceOptions
                                                           usage:(MTLTextureUsage)usage;

@end

/// Slices of width x height pixels. How they lie in memory is the device's own affair.
PMP_CLASS(MTLTexture)
@protocol MTLTexture <MTLResource>

/// The parent texture or the buffer; nil for a texture with memory of its own.
@property (nullable, readonly) id<MTLResource> rootResource;
@property (nullable, readonly) id<MTLTexture> parentTexture; // what a view is of
@property (readonly) NSUInteger parentRelativeLevel;
@property (readonly) NSUInteger parentRelativeSlice;
/// What newTextureWithDescriptor:offset:bytesPerRow: was sent to; nil, 0 and 0 for any other texture.
@property (nullable, readonly) id<MTLBuffer> buffer;
@property (readonly) NSUInteger bufferOffset;
@property (readonly) NSUInteger bufferBytesPerRow;

@property (readonly) MTLTextureType textureType;
@property (readonly) MTLPixelFormat pixelFormat;
@property (readonly) NSUInteger width;
@property (readonly) NSUInteger height;
@property (readonly) NSUInteger depth;
@property (readonly) NSUInteger mipmapLevelCount;
@property (readonly) NSUInteger sampleCount;
@property (readonly) NSUInteger arrayLength;
@property (readonly) MTLTextureUsage usage;
@property (readonly, getter=isShareable) BOOL shareable;             // NO: not with other processes
@property (readonly, getter=isFramebufferOnly) BOOL framebufferOnly; // NO
@property (readonly) BOOL allowGPUOptimizedContents;
@property (readonly, nonatomic) MTLTextureSwizzleChannels swizzle;

/// CPU access, in the pixel format; not for private storage. The mipmap level is 0. bytesPerImage counts for 3D
/// textures alone, which the device does not have.
- (void)getBytes:(void *)pixelBytes
      bytesPerRow:(NSUInteger)bytesPerRow
    bytesPerImage:(NSUInteger)bytesPerImage
       fromRegion:(MTLRegion)region
      mipmapLevel:(NSUInteger)level
            slice:(NSUInteger)slice;
- (void)getBytes:(void *)pixelBytes
     bytesPerRow:(NSUInteger)bytesPerRow
      fromRegion:(MTLRegion)region
     mipmapLevel:(NSUInteger)level;
- (void)replaceRegion:(MTLRegion)region
          mipmapLevel:(NSUInteger)level
                slice:(NSUInteger)slice
            withBytes:(const void *)pixelBytes
          bytesPerRow:(NSUInteger)bytesPerRow
        bytesPerImage:(NSUInteger)bytesPerImage;
- (void)replaceRegion:(MTLRegion)region
          mipmapLevel:(NSUInteger)level
            withBytes:(const void *)pixelBytes
          bytesPerRow:(NSUInteger)bytesPerRow;

/// The same pixels in the same format. The slices of a view are those of whole images, or all of one image, where an
/// MPSImage has made the texture.
- (nullable id<MTLTexture>)newTextureViewWithPixelFormat:(MTLPixelFormat)pixelFormat;
- (nullable id<MTLTexture>)newTextureViewWithPixelFormat:(MTLPixelFormat)pixelFormat
                                             textureType:(MTLTextureType)textureType
                                                  levels:(NSRange)levelRange
                                                  slices:(NSRange)sliceRange;
/// The channels stay in their places.
- (nullable id<MTLTexture>)newTextureViewWithPixelFormat:(MTLPixelFormat)pixelFormat
                                             textureType:(MTLTextureType)textureType
                                                  levels:(NSRange)levelRange
                                                  slices:(NSRange)sliceRange
                                                 swizzle:(MTLTextureSwizzleChannels)swizzle;

@end

NS_ASSUME_NONNULL_END
