// Images with any number of channels, in a texture: four channels to a slice.
#import <Metal/PMPPixelLayout.h>
#import <MetalPerformanceShaders/MPSCoreTypes.h>
#import <MetalPerformanceShaders/PMPTemporary.h>

@class MPSImage;
@class MPSKernel;

NS_ASSUME_NONNULL_BEGIN

#ifdef __cplusplus
extern "C" {
#endif

typedef NS_ENUM(NSUInteger, MPSPurgeableState) {
    MPSPurgeableStateAllocationDeferred = 0, // there is no texture yet
    MPSPurgeableStateKeepCurrent = MTLPurgeableStateKeepCurrent,
    MPSPurgeableStateNonVolatile = MTLPurgeableStateNonVolatile,
    MPSPurgeableStateVolatile = MTLPurgeableStateVolatile,
    MPSPurgeableStateEmpty = MTLPurgeableStateEmpty,
};

typedef NS_ENUM(NSUInteger, MPSDataLayout) {
    MPSDataLayoutHeightxWidthxFeatureChannels = 0,
    MPSDataLayoutFeatureChannelsxHeightxWidth = 1,
};

/// The first channel is a multiple of 4, and so is their number, unless they go up to the last channel or begin at 0.
typedef struct {
    NSUInteger featureChannelOffset;
    NSUInteger numberOfFeatureChannelsToReadWrite;
} MPSImageReadWriteParams;

PMP_CLASS(MPSImageDescriptor)
@interface MPSImageDescriptor : NSObject <NSCopying> {
  @package
    NSUInteger _width, _height, _featureChannels, _numberOfImages;
    MPSImageFeatureChannelFormat _channelFormat;
    MTLCPUCacheMode _cpuCacheMode;
    MTLStorageMode _storageMode;
    MTLTextureUsage _usage;
}

@property (readwrite, nonatomic) NSUInteger width; // 1 by default, as all counts are
@property (readwrite, nonatomic) NSUInteger height;
@property (readwrite, nonatomic) NSUInteger featureChannels;
@property (readwrite, nonatomic) NSUInteger numberOfImages;
@property (readwrite, nonatomic) MPSImageFeatureChannelFormat channelFormat;
/// Of the texture: one component for one channel, two for two, four for more.
@property (readonly, nonatomic) MTLPixelFormat pixelFormat;
@property (readwrite, nonatomic) MTLCPUCacheMode cpuCacheMode;
@property (readwrite, nonatomic) MTLStorageMode storageMode; // managed by default
@property (readwrite, nonatomic) MTLTextureUsage usage;      // ShaderRead | ShaderWrite by default

+ (instancetype)imageDescriptorWithChannelFormat:(MPSImageFeatureChannelFormat)channelFormat
                                           width:(NSUInteger)width
                                          height:(NSUInteger)height
                                 featureChannels:(NSUInteger)featureChannels;
+ (instancetype)imageDescriptorWithChannelFormat:(MPSImageFeatureChannelFormat)channelFormat
                                           width:(NSUInteger)width
                                          height:(NSUInteger)height
                                 featureChannels:(NSUInteger)featureChannels
                                  numberOfImages:(NSUInteger)numberOfImages
                                           usage:(MTLTextureUsage)usage;

- (instancetype)copyWithZone:(nullable NSZone *)zone;

@end

typedef NSArray<MPSImage *> MPSImageBatch;

@protocol MPSImageAllocator;

/// Image n has slices n * s up to (n + 1) * s of the texture, s the quarter of its channels, rounded up. Components
/// behind the last channel are padding.
PMP_CLASS(MPSImage)
@interface MPSImage : NSObject {
  @package
    id<MTLDevice> _device;
    id<MTLTexture> _Nullable _texture; // made at first use, unless given
    MPSImage *_Nullable _parent;
    NSUInteger _width, _height, _featureChannels, _numberOfImages, _firstSlice;
    MPSImageFeatureChannelFormat _channelFormat;
    MTLPixelFormat _pixelFormat;
    MTLTextureType _textureType;
    MTLTextureUsage _usage;
    MTLResourceOptions _resourceOptions;
    PMPPixelLayout _layout;
    NSUInteger _ownBytes;
    BOOL _isTemporary;
    NSString *_label;
}

@property (readonly, retain, nonatomic) id<MTLDevice> device;
@property (readonly, nonatomic) NSUInteger width;
@property (readonly, nonatomic) NSUInteger height;
@property (readonly, nonatomic) NSUInteger featureChannels;
@property (readonly, nonatomic) NSUInteger numberOfImages;
@property (readonly, nonatomic) MTLTextureType textureType;
@property (readonly, nonatomic) MTLPixelFormat pixelFormat;
@property (readonly, nonatomic) NSUInteger precision; // significant bits of a channel: 24 for float32
@property (readonly, nonatomic) MTLTextureUsage usage;
@property (readonly, nonatomic) MPSImageFeatureChannelFormat featureChannelFormat;
@property (readonly, nonatomic) size_t pixelSize; // bytes of a pixel of a slice
/// Allocates the memory; nil where it runs out.
@property (readonly, nonatomic) id<MTLTexture> texture;
@property (copy, atomic, nullable) NSString *label;
@property (readonly, retain, nonatomic, nullable) MPSImage *parent;

/// Makes MPSImages.
+ (id<MPSImageAllocator>)defaultAllocator;

- (instancetype)initWithDevice:(id<MTLDevice>)device imageDescriptor:(const MPSImageDescriptor *)imageDescriptor;
/// A view: the slices are those of whole images of the parent, or within one of them. A temporary image is the parent
/// of temporary ones alone.
- (instancetype)initWithParentImage:(MPSImage *)parent
                         sliceRange:(NSRange)sliceRange
                    featureChannels:(NSUInteger)featureChannels;
/// As many images as the texture has slices for.
- (instancetype)initWithTexture:(id<MTLTexture>)texture featureChannels:(NSUInteger)featureChannels;
- (instancetype)init PMP_UNAVAILABLE;

/// Views of single images. Those of a temporary image are temporary; each holds one read of the parent's, until it has
/// been read itself.
- (MPSImageBatch *)batchRepresentationWithSubRange:(NSRange)subRange;
- (MPSImageBatch *)batchRepresentation;
/// A view of some channels of the only image. Location and length are multiples of 4; what goes beyond the last channel
/// is cut off.
- (MPSImage *)subImageWithFeatureChannelRange:(NSRange)range;

/// Bytes behind initWithDevice:imageDescriptor:, allocated or not; 0 for views and over a texture of the caller's.
- (NSUInteger)resourceSize;
- (MPSPurgeableState)setPurgeableState:(MPSPurgeableState)state;

/// CPU access, in the channel format; not for private storage. A whole image without gaps; or a region of it, whose
/// z and depth are further images, with rows bytesPerRow and images bytesPerImage apart. Channels, or planes of a
/// channel each, follow each other without gaps.
- (void)readBytes:(void *)dataBytes dataLayout:(MPSDataLayout)dataLayout imageIndex:(NSUInteger)imageIndex;
- (void)writeBytes:(const void *)dataBytes dataLayout:(MPSDataLayout)dataLayout imageIndex:(NSUInteger)imageIndex;
- (void)readBytes:(void *)dataBytes
            dataLayout:(MPSDataLayout)dataLayout
           bytesPerRow:(NSUInteger)bytesPerRow
                region:(MTLRegion)region
    featureChannelInfo:(MPSImageReadWriteParams)featureChannelInfo
            imageIndex:(NSUInteger)imageIndex;
- (void)writeBytes:(const void *)dataBytes
            dataLayout:(MPSDataLayout)dataLayout
           bytesPerRow:(NSUInteger)bytesPerRow
                region:(MTLRegion)region
    featureChannelInfo:(MPSImageReadWriteParams)featureChannelInfo
            imageIndex:(NSUInteger)imageIndex;
- (void)readBytes:(void *)dataBytes
            dataLayout:(MPSDataLayout)dataLayout
           bytesPerRow:(NSUInteger)bytesPerRow
         bytesPerImage:(NSUInteger)bytesPerImage
                region:(MTLRegion)region
    featureChannelInfo:(MPSImageReadWriteParams)featureChannelInfo
            imageIndex:(NSUInteger)imageIndex;
- (void)writeBytes:(const void *)dataBytes
            dataLayout:(MPSDataLayout)dataLayout
           bytesPerRow:(NSUInteger)bytesPerRow
         bytesPerImage:(NSUInteger)bytesPerImage
                region:(MTLRegion)region
    featureChannelInfo:(MPSImageReadWriteParams)featureChannelInfo
            imageIndex:(NSUInteger)imageIndex;
/// bytesPerColumn: from one pixel of a row to the next, in both layouts.
- (void)writeBytes:(const void *)dataBytes
            dataLayout:(MPSDataLayout)dataLayout
        bytesPerColumn:(NSUInteger)bytesPerColumn
           bytesPerRow:(NSUInteger)bytesPerRow
         bytesPerImage:(NSUInteger)bytesPerImage
                region:(MTLRegion)region
    featureChannelInfo:(MPSImageReadWriteParams)featureChannelInfo
            imageIndex:(NSUInteger)imageIndex;

- (void)synchronizeOnCommandBuffer:(id<MTLCommandBuffer>)commandBuffer;

@end

/// An image that lives on one command buffer, which owns it.
PMP_CLASS(MPSTemporaryImage)
@interface MPSTemporaryImage : MPSImage {
  @package
    struct PMPTemporary _temporary;
}

/// 1 at first; each kernel that reads the image lowers it by 1; at 0 the contents are gone.
@property (readwrite, nonatomic) NSUInteger readCount;

/// Makes MPSTemporaryImages.
+ (id<MPSImageAllocator>)defaultAllocator;

+ (instancetype)temporaryImageWithCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
                                imageDescriptor:(const MPSImageDescriptor *)imageDescriptor;
/// The texture is a private one that shaders may read or write. Without a number, the channels are the components of
/// its pixels: each slice is an image.
+ (instancetype)temporaryImageWithCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
                              textureDescriptor:(const MTLTextureDescriptor *)textureDescriptor;
+ (instancetype)temporaryImageWithCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
                              textureDescriptor:(const MTLTextureDescriptor *)textureDescriptor
                                featureChannels:(NSUInteger)featureChannels;
+ (void)prefetchStorageWithCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
                     imageDescriptorList:(NSArray<MPSImageDescriptor *> *)descriptorList;
- (instancetype)initWithTexture:(id<MTLTexture>)texture featureChannels:(NSUInteger)featureChannels PMP_UNAVAILABLE;
- (instancetype)initWithDevice:(id<MTLDevice>)device
               imageDescriptor:(const MPSImageDescriptor *)imageDescriptor PMP_UNAVAILABLE;

@end

/// Makes the images that kernels write into.
PMP_CLASS(MPSImageAllocator)
@protocol MPSImageAllocator <NSObject, NSSecureCoding>

- (MPSImage *)imageForCommandBuffer:(id<MTLCommandBuffer>)cmdBuf
                    imageDescriptor:(MPSImageDescriptor *)descriptor
                             kernel:(MPSKernel *)kernel;

@optional
- (MPSImageBatch *)imageBatchForCommandBuffer:(id<MTLCommandBuffer>)cmdBuf
                              imageDescriptor:(MPSImageDescriptor *)descriptor
                                       kernel:(MPSKernel *)kernel
                                        count:(NSUInteger)count;

@end

// Each image counts once, however often it occurs in a batch.

/// Adds `amount` to the read count of temporary images that have reads left; the number of images.
NSUInteger MPSImageBatchIncrementReadCount(MPSImageBatch *batch, NSInteger amount)
    PMP_SYMBOL(MPSImageBatchIncrementReadCount);
void MPSImageBatchSynchronize(MPSImageBatch *batch, id<MTLCommandBuffer> cmdBuf) PMP_SYMBOL(MPSImageBatchSynchronize);
NSUInteger MPSImageBatchResourceSize(MPSImageBatch *batch) PMP_SYMBOL(MPSImageBatchResourceSize);
/// Calls the block with each image and the first index that it has, until the block returns NSIntegerMax; what the
/// block returned last, 0 where it was not called.
NSInteger MPSImageBatchIterate(MPSImageBatch *batch, NSInteger (^iteratorBlock)(MPSImage *image, NSUInteger index))
    PMP_SYMBOL(MPSImageBatchIterate);

#ifdef __cplusplus
}
#endif

NS_ASSUME_NONNULL_END
