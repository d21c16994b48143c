#import "PMPTexture.h"
#import "PMPArgument.h"
#import "PMPBuffer.h"

@implementation PMPTexture

@synthesize pixelFormat = _pixelFormat, width = _width, height = _height, arrayLength = _arrayLength;
@synthesize textureType = _textureType, usage = _usage, label = _label;
@synthesize allowGPUOptimizedContents = _allowGPUOptimizedContents;

/// Takes the storage and the root over, which the caller has retained.
- (instancetype)initWithStorage:(id<MTLBuffer>)storage
                           root:(id<MTLResource>)root
                     descriptor:(const MTLTextureDescriptor *)descriptor
                         layout:(PMPPixelLayout)layout {
    if ((self = [super init]) != nil) {
        _storage = storage;
        _root = root;
        _layout = layout;
        _pixelFormat = descriptor.pixelFormat;
        _width = descriptor.width;
        _height = descriptor.height;
        _arrayLength = descriptor.arrayLength;
        _textureType = descriptor.textureType;
        _usage = descriptor.usage;
        _allowGPUOptimizedContents = descriptor.allowGPUOptimizedContents;
    }
    return self;
}

- (instancetype)initWithDevice:(id<MTLDevice>)device
                    descriptor:(const MTLTextureDescriptor *)descriptor
                        layout:(PMPPixelLayout)layout {
    size_t bytes = descriptor.arrayLength / layout.slicesPerImage * layout.imageBytes;
    id<MTLBuffer> storage = [device newBufferWithLength:bytes options:descriptor.resourceOptions];
    if (storage == nil) {
        [self release];
        return nil;
    }
    return [self initWithStorage:storage root:nil descriptor:descriptor layout:layout];
}

- (instancetype)initWithBuffer:(id<MTLBuffer>)buffer
                    descriptor:(const MTLTextureDescriptor *)descriptor
                        layout:(PMPPixelLayout)layout {
    self = [self initWithStorage:[buffer retain] root:[buffer retain] descriptor:descriptor layout:layout];
    [self use];
    return self;
}

- (void)dealloc {
    [_storage release];
    [_root release];
    [_label release];
    [super dealloc];
}

void *PMPTextureAddress(id<MTLTexture> texture) {
    return PMPBufferAddress(((PMPTexture *)texture)->_storage);
}

- (void)use {
    atomic_store_explicit(&_isInUse, true, memory_order_relaxed);
}

- (BOOL)useWithSlicesPerImage:(NSUInteger)slicesPerImage {
    PMPPixelFormat format = PMPPixelFormatOf(_pixelFormat);
    PMPPixelLayout part;
    if (!atomic_load_explicit(&_isInUse, memory_order_relaxed) && slicesPerImage != _layout.slicesPerImage &&
        PMPPixelLayoutOfSlices(_layout, NSMakeRange(0, _arrayLength), slicesPerImage, format.elementBytes, &part)) {
        id<MTLBuffer> storage = [_storage.device newBufferWithLength:_storage.length options:_storage.resourceOptions];
        if (storage == nil) {
            return NO;
        }
        PMPPixelLayout layout = PMPPixelLayoutMake(_width, _height, slicesPerImage, part.channels, format.elementBytes);
        PMPPixelBlock to = {PMPBufferAddress(storage), layout.imageBytes, layout.rowBytes, layout.pixelBytes,
                            format.elementBytes};
        PMPPixelBlock from = {PMPBufferAddress(_storage), part.imageBytes, part.rowBytes, part.pixelBytes,
                              format.elementBytes};
        PMPPixelCounts counts = {_arrayLength / slicesPerImage, _height, _width, part.channels};
        PMPCopyPixels(to, from, counts, format.elementBytes);
        [_storage release];
        _storage = storage;
        _layout = layout;
    }
    [self use];
    return YES;
}

#pragma mark What it is

- (id<MTLDevice>)device {
    return _storage.device;
}

- (id<MTLResource>)rootResource {
    return _root;
}

- (id<MTLTexture>)parentTexture {
    return [(id)_root isKindOfClass:[PMPTexture class]] ? (id<MTLTexture>)_root : nil;
}

- (NSUInteger)parentRelativeLevel {
    return 0;
}

- (NSUInteger)parentRelativeSlice {
    return _rootSlice;
}

- (id<MTLBuffer>)buffer {
    return _root == _storage ? _storage : nil;
}

- (NSUInteger)bufferOffset {
    return _root == _storage ? _layout.offset : 0;
}

- (NSUInteger)bufferBytesPerRow {
    return _root == _storage ? _layout.rowBytes : 0;
}

- (NSUInteger)depth {
    return 1;
}

- (NSUInteger)mipmapLevelCount {
    return 1;
}

- (NSUInteger)sampleCount {
    return 1;
}

- (BOOL)isShareable {
    return NO;
}

- (BOOL)isFramebufferOnly {
    return NO;
}

- (MTLTextureSwizzleChannels)swizzle {
    return MTLTextureSwizzleChannelsDefault;
}

- (NSUInteger)allocatedSize {
    return _storage.allocatedSize;
}

- (MTLResourceOptions)resourceOptions {
    return _storage.resourceOptions;
}

- (MTLCPUCacheMode)cpuCacheMode {
    return _storage.cpuCacheMode;
}

- (MTLStorageMode)storageMode {
    return _storage.storageMode;
}

- (MTLHazardTrackingMode)hazardTrackingMode {
    return _storage.hazardTrackingMode;
}

- (MTLPurgeableState)setPurgeableState:(MTLPurgeableState)state {
    return [_storage setPurgeableState:state];
}

#pragma mark CPU access

- (PMPSliceCopy)copyOfRegion:(MTLRegion)region
                       level:(NSUInteger)level
                       slice:(NSUInteger)slice
                       bytes:(const void *)bytes
                 bytesPerRow:(NSUInteger)bytesPerRow
                    selector:(SEL)selector {
    if (bytes == NULL) {
        PMPRaiseInvalidArgument(self, selector, @"pixelBytes: NULL, expected memory");
    }
    if (_storage.storageMode == MTLStorageModePrivate) {
        PMPRaiseInvalidArgument(self, selector, @"receiver: private storage, expected shared or managed");
    }
    PMPCheckTextureRegion(self, region, slice, level, self, selector);
    PMPCheckBytesPerRow(_pixelFormat, region.size.width, bytesPerRow, self, selector);
    return PMPSliceCopyMake(self, region, slice, (void *)bytes, bytesPerRow);
}

- (void)getBytes:(void *)pixelBytes
      bytesPerRow:(NSUInteger)bytesPerRow
    bytesPerImage:(NSUInteger)bytesPerImage
       fromRegion:(MTLRegion)region
      mipmapLevel:(NSUInteger)level
            slice:(NSUInteger)slice {
    (void)bytesPerImage;
    PMPSliceCopy copy = [self copyOfRegion:region
                                     level:level
                                     slice:slice
                                     bytes:pixelBytes
                               bytesPerRow:bytesPerRow
                                  selector:_cmd];
    PMPSliceRead(&copy);
}

- (void)getBytes:(void *)pixelBytes
     bytesPerRow:(NSUInteger)bytesPerRow
      fromRegion:(MTLRegion)region
     mipmapLevel:(NSUInteger)level {
    [self getBytes:pixelBytes bytesPerRow:bytesPerRow bytesPerImage:0 fromRegion:region mipmapLevel:level slice:0];
}

- (void)replaceRegion:(MTLRegion)region
          mipmapLevel:(NSUInteger)level
                slice:(NSUInteger)slice
            withBytes:(const void *)pixelBytes
          bytesPerRow:(NSUInteger)bytesPerRow
        bytesPerImage:(NSUInteger)bytesPerImage {
    (void)bytesPerImage;
    PMPSliceCopy copy = [self copyOfRegion:region
                                     level:level
                                     slice:slice
                                     bytes:pixelBytes
                               bytesPerRow:bytesPerRow
                                  selector:_cmd];
    PMPSliceWrite(&copy);
}

- (void)replaceRegion:(MTLRegion)region
          mipmapLevel:(NSUInteger)level
            withBytes:(const void *)pixelBytes
          bytesPerRow:(NSUInteger)bytesPerRow {
    [self replaceRegion:region mipmapLevel:level slice:0 withBytes:pixelBytes bytesPerRow:bytesPerRow bytesPerImage:0];
}

#pragma mark Views

- (id<MTLTexture>)newTextureViewWithPixelFormat:(MTLPixelFormat)pixelFormat {
    return [self newTextureViewWithPixelFormat:pixelFormat
                                   textureType:_textureType
                                        levels:NSMakeRange(0, 1)
                                        slices:NSMakeRange(0, _arrayLength)];
}

- (id<MTLTexture>)newTextureViewWithPixelFormat:(MTLPixelFormat)pixelFormat
                                    textureType:(MTLTextureType)textureType
                                         levels:(NSRange)levelRange
                                         slices:(NSRange)sliceRange {
    return [self newTextureViewWithPixelFormat:pixelFormat
                                   textureType:textureType
                                        levels:levelRange
                                        slices:sliceRange
                                       swizzle:MTLTextureSwizzleChannelsDefault];
}

- (id<MTLTexture>)newTextureViewWithPixelFormat:(MTLPixelFormat)pixelFormat
                                    textureType:(MTLTextureType)textureType
                                         levels:(NSRange)levelRange
                                         slices:(NSRange)sliceRange
                                        swizzle:(MTLTextureSwizzleChannels)swizzle {
    if (pixelFormat != _pixelFormat) {
        PMPInvalidArgument(@"pixelFormat: %lu, expected the texture's, %lu", (unsigned long)pixelFormat,
                           (unsigned long)_pixelFormat);
    }
    if (levelRange.location != 0 || levelRange.length != 1) {
        PMPInvalidArgument(@"levels: %lu from %lu on, expected 1 from 0 on", (unsigned long)levelRange.length,
                           (unsigned long)levelRange.location);
    }
    if (sliceRange.length == 0 || !PMPRangeFits(sliceRange, _arrayLength)) {
        PMPInvalidArgument(@"slices: %lu from %lu on, expected a part of %lu", (unsigned long)sliceRange.length,
                           (unsigned long)sliceRange.location, (unsigned long)_arrayLength);
    }
    MTLTextureDescriptor *descriptor = [MTLTextureDescriptor texture2DDescriptorWithPixelFormat:pixelFormat
                                                                                          width:_width
                                                                                         height:_height
                                                                                      mipmapped:NO];
    descriptor.textureType = textureType;
    descriptor.arrayLength = sliceRange.length;
    descriptor.usage = _usage;
    descriptor.swizzle = swizzle;
    descriptor.allowGPUOptimizedContents = _allowGPUOptimizedContents;
    PMPCheckTextureDescriptor(descriptor, self, _cmd, @"view");
    BOOL isWholeImages =
        sliceRange.location % _layout.slicesPerImage == 0 && sliceRange.length % _layout.slicesPerImage == 0;
    PMPPixelLayout layout;
    if (!PMPPixelLayoutOfSlices(_layout, sliceRange, isWholeImages ? _layout.slicesPerImage : sliceRange.length,
                                PMPPixelFormatOf(_pixelFormat).elementBytes, &layout)) {
        PMPInvalidArgument(@"slices: %lu from %lu on, expected whole images of %lu slices, or slices of one image",
                           (unsigned long)sliceRange.length, (unsigned long)sliceRange.location,
                           (unsigned long)_layout.slicesPerImage);
    }
    [self use];
    PMPTexture *view = [[PMPTexture alloc] initWithStorage:[_storage retain]
                                                      root:[self retain]
                                                descriptor:descriptor
                                                    layout:layout];
    view->_rootSlice = sliceRange.location;
    [view use];
    return view;
}

@end
