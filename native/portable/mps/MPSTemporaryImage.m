#import "PMPImage.h"
#import "PMPImageAllocator.h"
#import "PMPPixels.h"

@implementation MPSTemporaryImage

+ (id<MPSImageAllocator>)defaultAllocator {
    return PMPImageAllocatorOf([MPSTemporaryImage class]);
}

/// The descriptor's storage mode gives way to that of all temporaries.
+ (instancetype)imageOnCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
                   textureDescriptor:(const MTLTextureDescriptor *)descriptor
                     featureChannels:(NSUInteger)featureChannels
                      storedChannels:(NSUInteger)storedChannels
                            argument:(PMPArgument)argument {
    PMPCommandBuffer *owner = PMPPortableCommandBuffer(commandBuffer, argument.selector);
    MPSTemporaryImage *image = [[[self alloc] initWithDevice:owner.device
                                           textureDescriptor:descriptor
                                             featureChannels:featureChannels
                                              storedChannels:storedChannels
                                                    argument:argument] autorelease];
    image->_resourceOptions = PMPTemporaryStorage();
    image->_isTemporary = YES;
    PMPTemporaryBegin(&image->_temporary, owner, image);
    return image;
}

+ (instancetype)temporaryImageWithCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
                                imageDescriptor:(const MPSImageDescriptor *)imageDescriptor {
    PMPArgument argument = {self, _cmd, @"imageDescriptor"};
    MTLTextureDescriptor *descriptor = PMPTextureDescriptorOfImages(imageDescriptor, argument);
    return [self imageOnCommandBuffer:commandBuffer
                    textureDescriptor:descriptor
                      featureChannels:imageDescriptor->_featureChannels
                       storedChannels:imageDescriptor->_featureChannels
                             argument:argument];
}

static void check_private_texture(const MTLTextureDescriptor *descriptor, PMPArgument argument) {
    if ((descriptor.usage & (MTLTextureUsageShaderRead | MTLTextureUsageShaderWrite)) == 0) {
        PMPRaiseInvalid(argument, @"usage 0x%lx, expected one that reads or writes", (unsigned long)descriptor.usage);
    }
    if (descriptor.storageMode != MTLStorageModePrivate) {
        PMPRaiseInvalid(argument, @"storage mode %lu, expected private", (unsigned long)descriptor.storageMode);
    }
}

+ (instancetype)temporaryImageWithCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
                              textureDescriptor:(const MTLTextureDescriptor *)textureDescriptor
                                featureChannels:(NSUInteger)featureChannels {
    PMPArgument argument = {self, _cmd, @"textureDescriptor"};
    if (textureDescriptor != nil) {
        check_private_texture(textureDescriptor, argument);
    }
    NSUInteger components = PMPPixelFormatOf(textureDescriptor.pixelFormat).components;
    return [self imageOnCommandBuffer:commandBuffer
                    textureDescriptor:textureDescriptor
                      featureChannels:featureChannels
                       storedChannels:PMPSlicesOfChannels(featureChannels) * components
                             argument:argument];
}

+ (instancetype)temporaryImageWithCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
                              textureDescriptor:(const MTLTextureDescriptor *)textureDescriptor {
    return [self temporaryImageWithCommandBuffer:commandBuffer
                               textureDescriptor:textureDescriptor
                                 featureChannels:PMPPixelFormatOf(textureDescriptor.pixelFormat).components];
}

+ (void)prefetchStorageWithCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
                     imageDescriptorList:(NSArray<MPSImageDescriptor *> *)descriptorList {
    (void)descriptorList; // storage has no heap to prepare
    PMPPortableCommandBuffer(commandBuffer, _cmd);
}

/// On the parent's command buffer. Holds one of its reads.
- (instancetype)initWithParentImage:(MPSImage *)parent
                         sliceRange:(NSRange)sliceRange
                    featureChannels:(NSUInteger)featureChannels {
    self = [super initWithParentImage:parent sliceRange:sliceRange featureChannels:featureChannels];
    if (self != nil) {
        [self autorelease];
        MPSTemporaryImage *image = (MPSTemporaryImage *)parent;
        image.readCount += 1;
        _isTemporary = YES;
        _temporary = image->_temporary;
        _temporary.readCount = 1;
        [self retain];
    }
    return self;
}

- (NSUInteger)readCount {
    return _temporary.readCount;
}

/// At 0 the storage is given back; kernels that were encoded hold the texture themselves.
- (void)setReadCount:(NSUInteger)readCount {
    PMPTemporarySetReadCount(&_temporary, self, _cmd, readCount);
    if (readCount == 0) {
        [_texture release];
        _texture = nil;
        ((MPSTemporaryImage *)_parent).readCount -= 1;
    }
}

- (id<MTLTexture>)texture {
    PMPTemporaryCheckAlive(&_temporary, self, _cmd);
    return [super texture];
}

@end
