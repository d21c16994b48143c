#import <Metal/Metal.h>

@implementation MTLTextureDescriptor

@synthesize textureType = _textureType, pixelFormat = _pixelFormat, width = _width, height = _height, depth = _depth;
@synthesize mipmapLevelCount = _mipmapLevelCount, sampleCount = _sampleCount, arrayLength = _arrayLength;
@synthesize resourceOptions = _resourceOptions, usage = _usage, swizzle = _swizzle;
@synthesize allowGPUOptimizedContents = _allowGPUOptimizedContents;

- (instancetype)init {
    if ((self = [super init]) != nil) {
        _textureType = MTLTextureType2D;
        _pixelFormat = MTLPixelFormatRGBA8Unorm;
        _width = _height = _depth = 1;
        _mipmapLevelCount = _sampleCount = _arrayLength = 1;
        _resourceOptions = MTLResourceStorageModeManaged;
        _usage = MTLTextureUsageShaderRead;
        _allowGPUOptimizedContents = YES;
        _swizzle = MTLTextureSwizzleChannelsDefault;
    }
    return self;
}

/// Of a full pyramid of mipmaps, down to one pixel.
static NSUInteger level_count(NSUInteger size) {
    NSUInteger levels = 1;
    for (; size > 1; size /= 2) {
        levels++;
    }
    return levels;
}

+ (MTLTextureDescriptor *)texture2DDescriptorWithPixelFormat:(MTLPixelFormat)pixelFormat
                                                       width:(NSUInteger)width
                                                      height:(NSUInteger)height
                                                   mipmapped:(BOOL)mipmapped {
    MTLTextureDescriptor *descriptor = [[[self alloc] init] autorelease];
    descriptor.pixelFormat = pixelFormat;
    descriptor.width = width;
    descriptor.height = height;
    descriptor.mipmapLevelCount = mipmapped ? level_count(MAX(width, height)) : 1;
    return descriptor;
}

+ (MTLTextureDescriptor *)textureCubeDescriptorWithPixelFormat:(MTLPixelFormat)pixelFormat
                                                          size:(NSUInteger)size
                                                     mipmapped:(BOOL)mipmapped {
    MTLTextureDescriptor *descriptor = [self texture2DDescriptorWithPixelFormat:pixelFormat
                                                                          width:size
                                                                         height:size
                                                                      mipmapped:mipmapped];
    descriptor.textureType = MTLTextureTypeCube;
    return descriptor;
}

+ (MTLTextureDescriptor *)textureBufferDescriptorWithPixelFormat:(MTLPixelFormat)pixelFormat
                                                           width:(NSUInteger)width
                                                 resourceOptions:(MTLResourceOptions)resourceOptions
                                                           usage:(MTLTextureUsage)usage {
    MTLTextureDescriptor *descriptor = [self texture2DDescriptorWithPixelFormat:pixelFormat
                                                                          width:width
                                                                         height:1
                                                                      mipmapped:NO];
    descriptor.textureType = MTLTextureTypeTextureBuffer;
    descriptor.resourceOptions = resourceOptions;
    descriptor.usage = usage;
    return descriptor;
}

- (id)copyWithZone:(NSZone *)zone {
    MTLTextureDescriptor *copy = [[[self class] allocWithZone:zone] init];
    copy.textureType = _textureType;
    copy.pixelFormat = _pixelFormat;
    copy.width = _width;
    copy.height = _height;
    copy.depth = _depth;
    copy.mipmapLevelCount = _mipmapLevelCount;
    copy.sampleCount = _sampleCount;
    copy.arrayLength = _arrayLength;
    copy.resourceOptions = _resourceOptions;
    copy.usage = _usage;
    copy.allowGPUOptimizedContents = _allowGPUOptimizedContents;
    copy.swizzle = _swizzle;
    return copy;
}

/// The part of the options under `mask`, set to `value`.
- (void)setOption:(NSUInteger)value mask:(NSUInteger)mask shift:(unsigned)shift {
    _resourceOptions = (_resourceOptions & ~mask) | (value << shift & mask);
}

- (MTLCPUCacheMode)cpuCacheMode {
    return (_resourceOptions & MTLResourceCPUCacheModeMask) >> MTLResourceCPUCacheModeShift;
}

- (void)setCpuCacheMode:(MTLCPUCacheMode)mode {
    [self setOption:mode mask:MTLResourceCPUCacheModeMask shift:MTLResourceCPUCacheModeShift];
}

- (MTLStorageMode)storageMode {
    return (_resourceOptions & MTLResourceStorageModeMask) >> MTLResourceStorageModeShift;
}

- (void)setStorageMode:(MTLStorageMode)mode {
    [self setOption:mode mask:MTLResourceStorageModeMask shift:MTLResourceStorageModeShift];
}

- (MTLHazardTrackingMode)hazardTrackingMode {
    return (_resourceOptions & MTLResourceHazardTrackingModeMask) >> MTLResourceHazardTrackingModeShift;
}

- (void)setHazardTrackingMode:(MTLHazardTrackingMode)mode {
    [self setOption:mode mask:MTLResourceHazardTrackingModeMask shift:MTLResourceHazardTrackingModeShift];
}

@end
