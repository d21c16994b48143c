// What the kernels of networks are, as far as recurrent layers over images inherit it.
#import <MetalPerformanceShaders/MPSImage.h>
#import <MetalPerformanceShaders/MPSKernel.h>

NS_ASSUME_NONNULL_BEGIN

PMP_CLASS(MPSCNNKernel)
@interface MPSCNNKernel : MPSKernel {
    MPSOffset _offset;
    MTLRegion _clipRect;
    NSUInteger _destinationFeatureChannelOffset, _sourceFeatureChannelOffset, _sourceFeatureChannelMaxCount;
    MPSImageEdgeMode _edgeMode;
    id<MPSImageAllocator> _destinationImageAllocator;
}

// Recurrent layers know the defaults of these alone: with another value, encoding raises.
@property (readwrite, nonatomic) MPSOffset offset;                           // zeros
@property (readwrite, nonatomic) MTLRegion clipRect;                         // MPSRectNoClip
@property (readwrite, nonatomic) NSUInteger destinationFeatureChannelOffset; // 0
@property (readwrite, nonatomic) NSUInteger sourceFeatureChannelOffset;      // 0
@property (readwrite, nonatomic) NSUInteger sourceFeatureChannelMaxCount;    // ULONG_MAX
@property (readwrite, nonatomic) MPSImageEdgeMode edgeMode;                  // MPSImageEdgeModeZero

// Of the one window that a kernel has: 1 where it has none, or several.
@property (readonly, nonatomic) NSUInteger kernelWidth;
@property (readonly, nonatomic) NSUInteger kernelHeight;
@property (readonly, nonatomic) NSUInteger strideInPixelsX;
@property (readonly, nonatomic) NSUInteger strideInPixelsY;
@property (readonly, nonatomic) NSUInteger dilationRateX;
@property (readonly, nonatomic) NSUInteger dilationRateY;

@property (readonly, nonatomic) BOOL isBackwards;     // NO
@property (readonly, nonatomic) BOOL isStateModified; // NO: a state that is read stays as it is

/// Makes the images that a kernel writes into where it is given none; recurrent layers always are. By default
/// MPSTemporaryImage's.
@property (readwrite, nonatomic, retain) id<MPSImageAllocator> destinationImageAllocator;

- (instancetype)initWithDevice:(id<MTLDevice>)device;
- (nullable instancetype)initWithCoder:(NSCoder *)aDecoder device:(id<MTLDevice>)device;

@end

NS_ASSUME_NONNULL_END
