// What a kernel remembers from one encode to the next.
#import <MetalPerformanceShaders/MPSCoreTypes.h>
#import <MetalPerformanceShaders/PMPTemporary.h>

NS_ASSUME_NONNULL_BEGIN

#ifdef __cplusplus
extern "C" {
#endif

typedef NS_ENUM(NSUInteger, MPSStateResourceType) {
    MPSStateResourceTypeNone = 0,
    MPSStateResourceTypeBuffer = 1,
    MPSStateResourceTypeTexture = 2,
};

typedef struct {
    NSUInteger width, height, depth, arrayLength;
    MTLPixelFormat pixelFormat;
    MTLTextureType textureType;
    MTLTextureUsage usage;
    NSUInteger _reserved[4];
} MPSStateTextureInfo;

@class MPSImage;
@class MPSImageDescriptor;
@class MPSKernel;

/// The resources that a state is to have: the textures, then the buffers.
PMP_CLASS(MPSStateResourceList)
@interface MPSStateResourceList : NSObject {
    NSMutableArray<MTLTextureDescriptor *> *_textureDescriptors;
    NSMutableArray<NSNumber *> *_bufferSizes;
}

+ (instancetype)resourceList;
/// Ended by nil.
+ (instancetype)resourceListWithTextureDescriptors:(MTLTextureDescriptor *)d, ... NS_REQUIRES_NIL_TERMINATION;
/// Sizes in bytes, ended by 0.
+ (instancetype)resourceListWithBufferSizes:(NSUInteger)firstSize, ...;
- (instancetype)init;
- (void)appendTexture:(MTLTextureDescriptor *)descriptor;
- (void)appendBuffer:(NSUInteger)size;

@end

PMP_CLASS(MPSState)
@interface MPSState : NSObject {
  @package
    id<MTLDevice> _device;
    NSUInteger _resourceCount;
    struct PMPStateResource *_resources;
    struct PMPTemporary _temporary;
    NSString *_label;
    struct PMPRecurrentStateStorage *_storage; // of a state that a recurrent layer has made; else NULL
}

@property (readonly, nonatomic) NSUInteger resourceCount;
@property (readwrite, nonatomic) NSUInteger readCount;
@property (readonly, nonatomic) BOOL isTemporary;
@property (nullable, copy, atomic) NSString *label;
/// The first resource; nil where there is none.
@property (readonly, nonatomic, retain, nullable) id<MTLResource> resource;

+ (instancetype)temporaryStateWithCommandBuffer:(id<MTLCommandBuffer>)cmdBuf bufferSize:(size_t)bufferSize;
+ (instancetype)temporaryStateWithCommandBuffer:(id<MTLCommandBuffer>)cmdBuf
                              textureDescriptor:(MTLTextureDescriptor *)descriptor;
+ (instancetype)temporaryStateWithCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
                                   resourceList:(MPSStateResourceList *)resourceList;
/// A state without resources, and so not temporary.
+ (instancetype)temporaryStateWithCommandBuffer:(id<MTLCommandBuffer>)cmdBuf;

- (instancetype)initWithDevice:(id<MTLDevice>)device bufferSize:(size_t)bufferSize;
- (instancetype)initWithDevice:(id<MTLDevice>)device textureDescriptor:(MTLTextureDescriptor *)descriptor;
- (instancetype)initWithDevice:(id<MTLDevice>)device resourceList:(MPSStateResourceList *)resourceList;
- (instancetype)initWithResource:(nullable id<MTLResource>)resource;
- (instancetype)initWithResources:(nullable NSArray<id<MTLResource>> *)resources;
- (instancetype)init PMP_UNAVAILABLE;

/// nil where it is not allocated and is not to be.
- (nullable id<MTLResource>)resourceAtIndex:(NSUInteger)index allocateMemory:(BOOL)allocateMemory;
/// 0 unless it is a buffer.
- (NSUInteger)bufferSizeAtIndex:(NSUInteger)index;
/// All zeros unless it is a texture.
- (MPSStateTextureInfo)textureInfoAtIndex:(NSUInteger)index;
- (MPSStateResourceType)resourceTypeAtIndex:(NSUInteger)index;
- (void)synchronizeOnCommandBuffer:(id<MTLCommandBuffer>)commandBuffer;
- (NSUInteger)resourceSize;

/// For subclasses that ask for padding around what a kernel makes: the suggestion as it is.
- (MPSImageDescriptor *)destinationImageDescriptorForSourceImages:(NSArray<MPSImage *> *)sourceImages
                                                     sourceStates:(nullable NSArray<MPSState *> *)sourceStates
                                                        forKernel:(MPSKernel *)kernel
                                              suggestedDescriptor:(MPSImageDescriptor *)inDescriptor;

@end

typedef NSArray<MPSState *> MPSStateBatch;

/// Adds `amount` to the read count of each temporary state once, however often it occurs; their number.
NSUInteger MPSStateBatchIncrementReadCount(MPSStateBatch *_Nullable batch, NSInteger amount)
    PMP_SYMBOL(MPSStateBatchIncrementReadCount);
void MPSStateBatchSynchronize(MPSStateBatch *batch, id<MTLCommandBuffer> cmdBuf) PMP_SYMBOL(MPSStateBatchSynchronize);
NSUInteger MPSStateBatchResourceSize(MPSStateBatch *_Nullable batch) PMP_SYMBOL(MPSStateBatchResourceSize);

#ifdef __cplusplus
}
#endif

NS_ASSUME_NONNULL_END
