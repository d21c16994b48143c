// A recurrent layer, or a stack of them, over sequences of images: its products are convolutions.
#import <MetalPerformanceShaders/MPSCNNKernel.h>
#import <MetalPerformanceShaders/MPSRNNDescriptor.h>
#import <MetalPerformanceShaders/MPSState.h>

NS_ASSUME_NONNULL_BEGIN

@class PMPRecurrentLayer;

/// The recurrent output h and the memory cell c of each layer of a stack. Only encode methods make states.
PMP_CLASS(MPSRNNRecurrentImageState)
@interface MPSRNNRecurrentImageState : MPSState

/// nil beyond the last layer, and for the memory cell of a layer without one. The images are float32; they are the
/// state's own memory.
- (nullable MPSImage *)getRecurrentOutputImageForLayerIndex:(NSUInteger)layerIndex;
- (nullable MPSImage *)getMemoryCellImageForLayerIndex:(NSUInteger)layerIndex;

@end

/// Weights are kernels of any size; the one tap of 1 x 1 is the pixel itself, and in wider or higher kernels column
/// kernelWidth / 2 of row kernelHeight / 2 is. Beyond the edge of an image, sources and states are zero. Diagonal
/// memory weights and biases are the same for all pixels. Weights are float16, whatever useFloat32Weights says.
PMP_CLASS(MPSRNNImageInferenceLayer)
@interface MPSRNNImageInferenceLayer : MPSCNNKernel {
    PMPRecurrentLayer *_layer;
}

/// Of the first layer.
@property (readonly, nonatomic) NSUInteger inputFeatureChannels;
/// Of the last layer.
@property (readonly, nonatomic) NSUInteger outputFeatureChannels;
@property (readonly, nonatomic) NSUInteger numberOfLayers;
@property (readwrite, nonatomic) BOOL recurrentOutputIsTemporary;
/// YES: an encode returns the state after each step; NO: after the last one.
@property (readwrite, nonatomic) BOOL storeAllIntermediateStates;
@property (readwrite, nonatomic) MPSRNNBidirectionalCombineMode bidirectionalCombineMode;

/// nil where the device is not a portable one, where a data source fails to load, or where memory runs out.
- (instancetype)initWithDevice:(id<MTLDevice>)device rnnDescriptor:(const MPSRNNDescriptor *)rnnDescriptor;
/// A stack: the first layer reads the input.
- (instancetype)initWithDevice:(id<MTLDevice>)device rnnDescriptors:(NSArray<const MPSRNNDescriptor *> *)rnnDescriptors;
- (instancetype)initWithDevice:(id<MTLDevice>)device PMP_UNAVAILABLE;

/// An archive holds the weights themselves, and no trace of their sources: the layer that comes out computes the same
/// numbers. nil where the archive is damaged, or the device is not a portable one.
- (nullable instancetype)initWithCoder:(NSCoder *)aDecoder device:(id<MTLDevice>)device;

/// The copy shares the weights.
- (instancetype)copyWithZone:(nullable NSZone *)zone device:(nullable id<MTLDevice>)device;

/// Element t of each array is step t. All images have the same width, height and number of images; their channel
/// formats are their own. No source shares memory with a destination. A nil input state is zeros; output states are
/// appended to their array.
- (void)encodeSequenceToCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
                         sourceImages:(NSArray<MPSImage *> *)sourceImages
                    destinationImages:(NSArray<MPSImage *> *)destinationImages
                  recurrentInputState:(nullable MPSRNNRecurrentImageState *)recurrentInputState
                recurrentOutputStates:(nullable NSMutableArray<MPSRNNRecurrentImageState *> *)recurrentOutputStates;

/// Runs the layers whose direction is forward, and apart from them those whose direction is backward, from the last
/// step to the first; both read the sources, and start from zeros. Element t of a destination belongs to element t of
/// the sources. The forward destinations receive y of the forward layers, and the backward ones y of the backward
/// layers; or, by bidirectionalCombineMode, the forward destinations receive the sum, or the channels of the former
/// followed by those of the latter, and the backward ones are ignored.
- (void)encodeBidirectionalSequenceToCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
                                    sourceSequence:(NSArray<MPSImage *> *)sourceSequence
                          destinationForwardImages:(NSArray<MPSImage *> *)destinationForwardImages
                         destinationBackwardImages:(nullable NSArray<MPSImage *> *)destinationBackwardImages;

@end

NS_ASSUME_NONNULL_END
