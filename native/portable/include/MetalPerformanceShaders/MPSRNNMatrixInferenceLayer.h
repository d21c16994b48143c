// A recurrent layer, or a stack of them, over sequences of matrices.
#import <MetalPerformanceShaders/MPSKernel.h>
#import <MetalPerformanceShaders/MPSMatrix.h>
#import <MetalPerformanceShaders/MPSRNNDescriptor.h>
#import <MetalPerformanceShaders/MPSState.h>

NS_ASSUME_NONNULL_BEGIN

@class PMPRecurrentLayer;

/// The recurrent output h and the memory cell c of each layer of a stack. Only encode methods make states.
PMP_CLASS(MPSRNNRecurrentMatrixState)
@interface MPSRNNRecurrentMatrixState : MPSState

/// nil beyond the last layer, and for the memory cell of a layer without one.
- (nullable MPSMatrix *)getRecurrentOutputMatrixForLayerIndex:(NSUInteger)layerIndex;
- (nullable MPSMatrix *)getMemoryCellMatrixForLayerIndex:(NSUInteger)layerIndex;

@end

/// Row i of every matrix belongs to sequence i; columns are feature channels.
PMP_CLASS(MPSRNNMatrixInferenceLayer)
@interface MPSRNNMatrixInferenceLayer : MPSKernel {
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

/// Element t of each array is step t; a step has as many rows as the step before it, or fewer. No source shares memory
/// with a destination. Offsets are bytes on top of a matrix's own, one for each matrix, read during the call; NULL
/// stands for zeros. A nil input state is zeros; output states are appended to their array.
- (void)encodeSequenceToCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
                       sourceMatrices:(NSArray<MPSMatrix *> *)sourceMatrices
                        sourceOffsets:(nullable NSUInteger *)sourceOffsets
                  destinationMatrices:(NSArray<MPSMatrix *> *)destinationMatrices
                   destinationOffsets:(nullable NSUInteger *)destinationOffsets
                  recurrentInputState:(nullable MPSRNNRecurrentMatrixState *)recurrentInputState
                recurrentOutputStates:(nullable NSMutableArray<MPSRNNRecurrentMatrixState *> *)recurrentOutputStates;
- (void)encodeSequenceToCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
                       sourceMatrices:(NSArray<MPSMatrix *> *)sourceMatrices
                  destinationMatrices:(NSArray<MPSMatrix *> *)destinationMatrices
                  recurrentInputState:(nullable MPSRNNRecurrentMatrixState *)recurrentInputState
                recurrentOutputStates:(nullable NSMutableArray<MPSRNNRecurrentMatrixState *> *)recurrentOutputStates;

/// Runs the layers whose direction is forward, and apart from them those whose direction is backward, from the last
/// step to the first; both read the sources, and start from zeros. Element t of a destination belongs to element t of
/// the sources. The forward destinations receive y of the forward layers, and the backward ones y of the backward
/// layers; or, by bidirectionalCombineMode, the forward destinations receive the sum, or the columns of the former
/// followed by those of the latter, and the backward ones are ignored.
- (void)encodeBidirectionalSequenceToCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
                                    sourceSequence:(NSArray<MPSMatrix *> *)sourceSequence
                        destinationForwardMatrices:(NSArray<MPSMatrix *> *)destinationForwardMatrices
                       destinationBackwardMatrices:(nullable NSArray<MPSMatrix *> *)destinationBackwardMatrices;

@end

NS_ASSUME_NONNULL_END
