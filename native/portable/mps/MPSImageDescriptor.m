#import "PMPImage.h"
#import "PMPSize.h"
#import "PMPTexture.h"

const MTLRegion MPSRectNoClip = {{0, 0, 0}, {NSUIntegerMax, NSUIntegerMax, NSUIntegerMax}};

MTLTextureDescriptor *PMPTextureDescriptorOfImages(const MPSImageDescriptor *descriptor, PMPArgument argument) {
    if (descriptor == nil) {
        PMPRaiseInvalid(argument, @"nil, expected a descriptor");
    }
    if (PMPChannelFormatOf(descriptor->_channelFormat).bytes == 0) {
        PMPRaiseInvalid(argument, @"channel format %lu, expected Unorm8, Unorm16, Float16 or Float32",
                        (unsigned long)descriptor->_channelFormat);
    }
    NSUInteger images = descriptor->_numberOfImages, channels = descriptor->_featureChannels;
    NSUInteger slices = PMPSizeMultiply(images, PMPSlicesOfChannels(channels));
    if (slices == 0 || slices > kPMPMaxTextureSlices) {
        PMPRaiseInvalid(argument, @"%lu images of %lu channels, expected at least one of each, in up to %d slices",
                        (unsigned long)images, (unsigned long)channels, kPMPMaxTextureSlices);
    }
    MTLTextureDescriptor *texture = [MTLTextureDescriptor texture2DDescriptorWithPixelFormat:descriptor.pixelFormat
                                                                                       width:descriptor->_width
                                                                                      height:descriptor->_height
                                                                                   mipmapped:NO];
    texture.textureType = slices == 1 ? MTLTextureType2D : MTLTextureType2DArray;
    texture.arrayLength = slices;
    texture.usage = descriptor->_usage;
    texture.cpuCacheMode = descriptor->_cpuCacheMode;
    texture.storageMode = descriptor->_storageMode;
    return texture;
}

@implementation MPSImageDescriptor

@synthesize width = _width, height = _height, featureChannels = _featureChannels, numberOfImages = _numberOfImages;
@synthesize channelFormat = _channelFormat, cpuCacheMode = _cpuCacheMode, storageMode = _storageMode, usage = _usage;

- (instancetype)init {
    if ((self = [super init]) != nil) {
        _width = _height = _featureChannels = _numberOfImages = 1;
        _storageMode = MTLStorageModeManaged;
        _usage = MTLTextureUsageShaderRead | MTLTextureUsageShaderWrite;
    }
    return self;
}

+ (instancetype)imageDescriptorWithChannelFormat:(MPSImageFeatureChannelFormat)channelFormat
                                           width:(NSUInteger)width
                                          height:(NSUInteger)height
                                 featureChannels:(NSUInteger)featureChannels
                                  numberOfImages:(NSUInteger)numberOfImages
                                           usage:(MTLTextureUsage)usage {
    MPSImageDescriptor *descriptor = [[[self alloc] init] autorelease];
    descriptor->_channelFormat = channelFormat;
    descriptor->_width = width;
    descriptor->_height = height;
    descriptor->_featureChannels = featureChannels;
    descriptor->_numberOfImages = numberOfImages;
    descriptor->_usage = usage;
    return descriptor;
}

+ (instancetype)imageDescriptorWithChannelFormat:(MPSImageFeatureChannelFormat)channelFormat
                                           width:(NSUInteger)width
                                          height:(NSUInteger)height
                                 featureChannels:(NSUInteger)featureChannels {
    return [self imageDescriptorWithChannelFormat:channelFormat
                                            width:width
                                           height:height
                                  featureChannels:featureChannels
                                   numberOfImages:1
                                            usage:MTLTextureUsageShaderRead | MTLTextureUsageShaderWrite];
}

- (MTLPixelFormat)pixelFormat {
    return PMPPixelFormatOfChannels(_channelFormat, _featureChannels);
}

- (id)copyWithZone:(NSZone *)zone {
    MPSImageDescriptor *copy = [[[self class] allocWithZone:zone] init];
    copy->_width = _width;
    copy->_height = _height;
    copy->_featureChannels = _featureChannels;
    copy->_numberOfImages = _numberOfImages;
    copy->_channelFormat = _channelFormat;
    copy->_cpuCacheMode = _cpuCacheMode;
    copy->_storageMode = _storageMode;
    copy->_usage = _usage;
    return copy;
}

@end
