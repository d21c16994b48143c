#import "PMPBuffer.h"
#import "PMPImage.h"
#import "PMPImageAllocator.h"
#import "PMPImageBytes.h"
#import "PMPTexture.h"

@implementation MPSImage

@synthesize device = _device, width = _width, height = _height, featureChannels = _featureChannels;
@synthesize numberOfImages = _numberOfImages, textureType = _textureType, pixelFormat = _pixelFormat, usage = _usage;
@synthesize featureChannelFormat = _channelFormat, label = _label, parent = _parent;

+ (id<MPSImageAllocator>)defaultAllocator {
    return PMPImageAllocatorOf([MPSImage class]);
}

#pragma mark Making

// Initialisers autorelease the object until its arguments have passed: a violation leaves nothing behind.

/// As many images as the slices have room for.
- (void)takeChannels:(NSUInteger)featureChannels slices:(NSUInteger)slices argument:(PMPArgument)argument {
    NSUInteger perImage = PMPSlicesOfChannels(featureChannels);
    NSUInteger components = PMPPixelFormatOf(_pixelFormat).components;
    NSUInteger most = components < 4 ? components : 4 * slices;
    if (featureChannels == 0 || featureChannels > most) {
        PMPRaiseInvalidArgument(argument.object, argument.selector, @"featureChannels: %lu, expected 1 to %lu",
                                (unsigned long)featureChannels, (unsigned long)most);
    }
    if (slices % perImage != 0) {
        PMPRaiseInvalid(argument, @"%lu slices, expected a multiple of the %lu that %lu channels take",
                        (unsigned long)slices, (unsigned long)perImage, (unsigned long)featureChannels);
    }
    _featureChannels = featureChannels;
    _numberOfImages = slices / perImage;
}

/// Memory that is not there yet.
- (void)takeDescriptor:(const MTLTextureDescriptor *)descriptor
       featureChannels:(NSUInteger)featureChannels
        storedChannels:(NSUInteger)storedChannels
              argument:(PMPArgument)argument {
    PMPCheckTextureDescriptor(descriptor, argument.object, argument.selector, argument.name);
    _width = descriptor.width;
    _height = descriptor.height;
    _pixelFormat = descriptor.pixelFormat;
    _textureType = descriptor.textureType;
    _usage = descriptor.usage;
    _resourceOptions = descriptor.resourceOptions;
    _channelFormat = PMPChannelFormatOfPixels(_pixelFormat);
    [self takeChannels:featureChannels slices:descriptor.arrayLength argument:argument];
    _layout = PMPPixelLayoutMake(_width, _height, PMPSlicesOfChannels(featureChannels), storedChannels,
                                 PMPChannelFormatOf(_channelFormat).bytes);
    _ownBytes = _numberOfImages * _layout.imageBytes;
}

- (instancetype)initWithDevice:(id<MTLDevice>)device
             textureDescriptor:(const MTLTextureDescriptor *)descriptor
               featureChannels:(NSUInteger)featureChannels
                storedChannels:(NSUInteger)storedChannels
                      argument:(PMPArgument)argument {
    self = [[super init] autorelease];
    [self takeDescriptor:descriptor featureChannels:featureChannels storedChannels:storedChannels argument:argument];
    PMPCheckDevice(device, argument.object, argument.selector);
    _device = [device retain];
    return [self retain];
}

- (instancetype)initWithDevice:(id<MTLDevice>)device imageDescriptor:(const MPSImageDescriptor *)imageDescriptor {
    self = [[super init] autorelease];
    PMPArgument argument = {self, _cmd, @"imageDescriptor"};
    [self takeDescriptor:PMPTextureDescriptorOfImages(imageDescriptor, argument)
         featureChannels:imageDescriptor->_featureChannels
          storedChannels:imageDescriptor->_featureChannels
                argument:argument];
    PMPCheckDevice(device, self, _cmd);
    _device = [device retain];
    return [self retain];
}

- (instancetype)initWithBuffer:(id<MTLBuffer>)buffer
                        offset:(NSUInteger)offset
               imageDescriptor:(const MPSImageDescriptor *)imageDescriptor {
    self = [[super init] autorelease];
    PMPArgument argument = {self, _cmd, @"imageDescriptor"};
    MTLTextureDescriptor *descriptor = PMPTextureDescriptorOfImages(imageDescriptor, argument);
    [self takeDescriptor:descriptor
         featureChannels:imageDescriptor->_featureChannels
          storedChannels:imageDescriptor->_featureChannels
                argument:argument];
    PMPCheckBuffer(buffer, offset, _ownBytes, PMPChannelFormatOf(_channelFormat).bytes, self, _cmd);
    _ownBytes = 0;
    _layout.offset = offset;
    _resourceOptions = buffer.resourceOptions;
    _device = [buffer.device retain];
    _texture = [[PMPTexture alloc] initWithBuffer:buffer descriptor:descriptor layout:_layout];
    return [self retain];
}

/// The images lie in some slices of a texture, or of a parent, that lies so itself.
- (void)takeSlices:(NSRange)slices of:(PMPPixelLayout)whole argument:(PMPArgument)argument {
    if (!PMPPixelLayoutOfSlices(whole, slices, PMPSlicesOfChannels(_featureChannels),
                                PMPChannelFormatOf(_channelFormat).bytes, &_layout)) {
        PMPRaiseInvalid(
            argument, @"%lu slices from %lu on, expected whole images of %lu slices, or slices of one image",
            (unsigned long)slices.length, (unsigned long)slices.location, (unsigned long)whole.slicesPerImage);
    }
    if (_featureChannels > _layout.channels) {
        PMPRaiseInvalidArgument(argument.object, argument.selector, @"featureChannels: %lu, expected 1 to %lu",
                                (unsigned long)_featureChannels, (unsigned long)_layout.channels);
    }
}

- (instancetype)initWithTexture:(id<MTLTexture>)texture featureChannels:(NSUInteger)featureChannels {
    self = [[super init] autorelease];
    PMPArgument argument = {self, _cmd, @"texture"};
    if (![(id)texture isKindOfClass:[PMPTexture class]]) {
        PMPRaiseInvalid(argument, @"%@, expected a texture of a portable device", texture);
    }
    _width = texture.width;
    _height = texture.height;
    _pixelFormat = texture.pixelFormat;
    _textureType = texture.textureType;
    _usage = texture.usage;
    _resourceOptions = texture.resourceOptions;
    _channelFormat = PMPChannelFormatOfPixels(_pixelFormat);
    [self takeChannels:featureChannels slices:texture.arrayLength argument:argument];
    if (![(PMPTexture *)texture useWithSlicesPerImage:PMPSlicesOfChannels(featureChannels)]) {
        return nil;
    }
    [self takeSlices:NSMakeRange(0, texture.arrayLength) of:((PMPTexture *)texture)->_layout argument:argument];
    _device = [texture.device retain];
    _texture = [texture retain];
    return [self retain];
}

- (instancetype)initWithParentImage:(MPSImage *)parent
                         sliceRange:(NSRange)sliceRange
                    featureChannels:(NSUInteger)featureChannels {
    self = [[super init] autorelease];
    PMPArgument argument = {self, _cmd, @"sliceRange"};
    if (![parent isKindOfClass:[MPSImage class]]) {
        PMPInvalidArgument(@"parent: %@, expected an image", parent);
    }
    if (parent->_isTemporary != [self isKindOfClass:[MPSTemporaryImage class]]) {
        PMPInvalidArgument(@"parent: %@, expected one that is temporary as the receiver is, or is not", parent);
    }
    NSUInteger slices = parent->_numberOfImages * PMPSlicesOfChannels(parent->_featureChannels);
    if (sliceRange.length == 0 || !PMPRangeFits(sliceRange, slices)) {
        PMPRaiseInvalid(argument, @"%lu from %lu on, expected a part of %lu", (unsigned long)sliceRange.length,
                        (unsigned long)sliceRange.location, (unsigned long)slices);
    }
    _width = parent->_width;
    _height = parent->_height;
    _pixelFormat = parent->_pixelFormat;
    _textureType = sliceRange.length == 1 ? MTLTextureType2D : MTLTextureType2DArray;
    _usage = parent->_usage;
    _resourceOptions = parent->_resourceOptions;
    _channelFormat = parent->_channelFormat;
    [self takeChannels:featureChannels slices:sliceRange.length argument:argument];
    [self takeSlices:sliceRange of:parent->_layout argument:argument];
    _firstSlice = sliceRange.location;
    _device = [parent->_device retain];
    _parent = [parent retain];
    return [self retain];
}

- (void)dealloc {
    [_texture release];
    [_parent release];
    [_device release];
    [_label release];
    [super dealloc];
}

#pragma mark Views

- (MPSImage *)viewOfSlices:(NSRange)slices channels:(NSUInteger)channels {
    Class class = _isTemporary ? [MPSTemporaryImage class] : [MPSImage class];
    return [[[class alloc] initWithParentImage:self sliceRange:slices featureChannels:channels] autorelease];
}

- (MPSImageBatch *)batchRepresentationWithSubRange:(NSRange)subRange {
    if (!PMPRangeFits(subRange, _numberOfImages)) {
        PMPInvalidArgument(@"subRange: %lu from %lu on, expected a part of %lu", (unsigned long)subRange.length,
                           (unsigned long)subRange.location, (unsigned long)_numberOfImages);
    }
    NSUInteger slices = PMPSlicesOfChannels(_featureChannels);
    NSMutableArray<MPSImage *> *batch = [NSMutableArray arrayWithCapacity:subRange.length];
    for (NSUInteger i = subRange.location; i < NSMaxRange(subRange); i++) {
        [batch addObject:[self viewOfSlices:NSMakeRange(i * slices, slices) channels:_featureChannels]];
    }
    return batch;
}

- (MPSImageBatch *)batchRepresentation {
    return [self batchRepresentationWithSubRange:NSMakeRange(0, _numberOfImages)];
}

- (MPSImage *)subImageWithFeatureChannelRange:(NSRange)range {
    if (_numberOfImages != 1) {
        PMPInvalidArgument(@"receiver: %lu images, expected one", (unsigned long)_numberOfImages);
    }
    if (range.location >= _featureChannels || range.location % 4 != 0 || range.length == 0 || range.length % 4 != 0) {
        PMPInvalidArgument(@"range: %lu channels from %lu on, expected multiples of 4 within %lu",
                           (unsigned long)range.length, (unsigned long)range.location, (unsigned long)_featureChannels);
    }
    NSUInteger channels = MIN(range.length, _featureChannels - range.location);
    return [self viewOfSlices:NSMakeRange(range.location / 4, PMPSlicesOfChannels(channels)) channels:channels];
}

#pragma mark Memory

/// The caller releases it.
- (id<MTLTexture>)newTexture {
    if (_parent != nil) {
        NSRange slices = {_firstSlice, _numberOfImages * PMPSlicesOfChannels(_featureChannels)};
        return [_parent.texture newTextureViewWithPixelFormat:_pixelFormat
                                                  textureType:_textureType
                                                       levels:NSMakeRange(0, 1)
                                                       slices:slices];
    }
    MTLTextureDescriptor *descriptor = [[[MTLTextureDescriptor alloc] init] autorelease];
    descriptor.pixelFormat = _pixelFormat;
    descriptor.textureType = _textureType;
    descriptor.width = _width;
    descriptor.height = _height;
    descriptor.arrayLength = _numberOfImages * _layout.slicesPerImage;
    descriptor.usage = _usage;
    descriptor.resourceOptions = _resourceOptions;
    PMPTexture *texture = [[PMPTexture alloc] initWithDevice:_device descriptor:descriptor layout:_layout];
    [texture use];
    return texture;
}

- (id<MTLTexture>)texture {
    id<MTLTexture> present = (id<MTLTexture>)__atomic_load_n((void **)&_texture, __ATOMIC_ACQUIRE);
    return present != nil ? present : PMPFillSlot((id *)&_texture, [self newTexture]);
}

static bool is_linear(const MPSImage *image) {
    const PMPPixelLayout *layout = &image->_layout;
    return layout->rowBytes == image->_width * layout->pixelBytes &&
           (image->_numberOfImages == 1 || layout->imageBytes == image->_height * layout->rowBytes);
}

PMPImagePixels PMPImagePixelsOf(MPSImage *image) {
    if (!is_linear(image)) {
        PMPRaiseInvalidArgument(image, @selector(texture),
                                @"receiver: pixels with gaps between rows or images, expected none; a texture for "
                                @"several images is to be given to an image before anything else uses it");
    }
    id<MTLTexture> texture = image.texture;
    return (PMPImagePixels){
        .data = texture == nil ? NULL : (char *)PMPTextureAddress(texture) + image->_layout.offset,
        .pixels = image->_numberOfImages * image->_height * image->_width,
        .pixel_bytes = image->_layout.pixelBytes,
        .type = PMPChannelFormatOf(image->_channelFormat).type,
        .resource = texture,
    };
}

- (NSUInteger)precision {
    return PMPChannelFormatOf(_channelFormat).precision;
}

- (size_t)pixelSize {
    return PMPPixelBytes(_pixelFormat);
}

- (NSUInteger)resourceSize {
    return _ownBytes;
}

- (MPSPurgeableState)setPurgeableState:(MPSPurgeableState)state {
    if (state < MPSPurgeableStateKeepCurrent || state > MPSPurgeableStateEmpty) {
        PMPInvalidArgument(@"state: %lu, expected an MPSPurgeableState of memory that is there", (unsigned long)state);
    }
    return _texture == nil ? MPSPurgeableStateAllocationDeferred
                           : (MPSPurgeableState)[_texture setPurgeableState:(MTLPurgeableState)state];
}

- (void)synchronizeOnCommandBuffer:(id<MTLCommandBuffer>)commandBuffer {
    PMPSynchronizeResource(_texture, commandBuffer);
}

#pragma mark CPU access

- (void)readBytes:(void *)dataBytes dataLayout:(MPSDataLayout)dataLayout imageIndex:(NSUInteger)imageIndex {
    PMPImageRead(self, _cmd, PMPImageBytesOfImage(self, dataBytes, dataLayout, imageIndex));
}

- (void)writeBytes:(const void *)dataBytes dataLayout:(MPSDataLayout)dataLayout imageIndex:(NSUInteger)imageIndex {
    PMPImageWrite(self, _cmd, PMPImageBytesOfImage(self, dataBytes, dataLayout, imageIndex));
}

- (void)readBytes:(void *)dataBytes
            dataLayout:(MPSDataLayout)dataLayout
           bytesPerRow:(NSUInteger)bytesPerRow
                region:(MTLRegion)region
    featureChannelInfo:(MPSImageReadWriteParams)featureChannelInfo
            imageIndex:(NSUInteger)imageIndex {
    PMPImageRead(self, _cmd,
                 PMPImageBytesOfRows(self, dataBytes, dataLayout, bytesPerRow, region, featureChannelInfo, imageIndex));
}

- (void)writeBytes:(const void *)dataBytes
            dataLayout:(MPSDataLayout)dataLayout
           bytesPerRow:(NSUInteger)bytesPerRow
                region:(MTLRegion)region
    featureChannelInfo:(MPSImageReadWriteParams)featureChannelInfo
            imageIndex:(NSUInteger)imageIndex {
    PMPImageWrite(
        self, _cmd,
        PMPImageBytesOfRows(self, dataBytes, dataLayout, bytesPerRow, region, featureChannelInfo, imageIndex));
}

- (void)readBytes:(void *)dataBytes
            dataLayout:(MPSDataLayout)dataLayout
           bytesPerRow:(NSUInteger)bytesPerRow
         bytesPerImage:(NSUInteger)bytesPerImage
                region:(MTLRegion)region
    featureChannelInfo:(MPSImageReadWriteParams)featureChannelInfo
            imageIndex:(NSUInteger)imageIndex {
    PMPImageBytes to =
        PMPImageBytesOfRows(self, dataBytes, dataLayout, bytesPerRow, region, featureChannelInfo, imageIndex);
    to.bytesPerImage = bytesPerImage;
    PMPImageRead(self, _cmd, to);
}

- (void)writeBytes:(const void *)dataBytes
            dataLayout:(MPSDataLayout)dataLayout
           bytesPerRow:(NSUInteger)bytesPerRow
         bytesPerImage:(NSUInteger)bytesPerImage
                region:(MTLRegion)region
    featureChannelInfo:(MPSImageReadWriteParams)featureChannelInfo
            imageIndex:(NSUInteger)imageIndex {
    PMPImageBytes from =
        PMPImageBytesOfRows(self, dataBytes, dataLayout, bytesPerRow, region, featureChannelInfo, imageIndex);
    from.bytesPerImage = bytesPerImage;
    PMPImageWrite(self, _cmd, from);
}

- (void)writeBytes:(const void *)dataBytes
            dataLayout:(MPSDataLayout)dataLayout
        bytesPerColumn:(NSUInteger)bytesPerColumn
           bytesPerRow:(NSUInteger)bytesPerRow
         bytesPerImage:(NSUInteger)bytesPerImage
                region:(MTLRegion)region
    featureChannelInfo:(MPSImageReadWriteParams)featureChannelInfo
            imageIndex:(NSUInteger)imageIndex {
    PMPImageBytes from =
        PMPImageBytesOfRows(self, dataBytes, dataLayout, bytesPerRow, region, featureChannelInfo, imageIndex);
    from.bytesPerColumn = bytesPerColumn;
    from.bytesPerImage = bytesPerImage;
    PMPImageWrite(self, _cmd, from);
}

@end
