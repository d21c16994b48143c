// A recurrent layer over sequences of matrices that remembers what it did, and differentiates it.
#import <MetalPerformanceShaders/MPSKernel.h>
#import <MetalPerformanceShaders/MPSMatrix.h>
#import <MetalPerformanceShaders/MPSRNNDescriptor.h>
#import <MetalPerformanceShaders/MPSRNNMatrixId.h>
#import <MetalPerformanceShaders/MPSRNNMatrixInferenceLayer.h>
#import <MetalPerformanceShaders/MPSState.h>

NS_ASSUME_NONNULL_BEGIN

@class PMPTapeMemory;
@class PMPTapePool;
@class PMPTrainingCell;

/// What a gradient needs of one step of a forward pass. Only encode methods make states.
PMP_CLASS(MPSRNNMatrixTrainingState)
@interface MPSRNNMatrixTrainingState : MPSState {
  @package
    PMPTrainingCell *_cell;
    PMPTapeMemory *_memory; // shared by the steps of a forward pass
    void *_tape;
    NSUInteger _rows;
}
@end

/// Row i of every matrix belongs to sequence i; columns are feature channels. Element t of each array is step t, in the
/// gradient passes too; layerSequenceDirection is ignored. Sources and destinations are float32 or float16.
///
/// The layer holds no weights: each call is told which to use, an array that the initialiser or createWeightMatrices:
/// has filled. It is used as a whole: what is where in it is the layer's own affair, and encodeCopyWeights... reads and
/// writes it. Weights are float32 under useFloat32Weights, else float16. What the descriptor has no source for is not
/// trained, and stands for zeros; a gate with input weights has a bias.
PMP_CLASS(MPSRNNMatrixTrainingLayer)
@interface MPSRNNMatrixTrainingLayer : MPSKernel {
    PMPTrainingCell *_cell;
    PMPTapePool *_tapePool;
    struct PMPRecurrentStatePool *_forwardStates, *_gradientStates;
    BOOL _storeAllIntermediateStates, _recurrentOutputIsTemporary, _trainingStateIsTemporary;
    BOOL _accumulateWeightGradients;
}

@property (readonly, nonatomic) NSUInteger inputFeatureChannels;
@property (readonly, nonatomic) NSUInteger outputFeatureChannels;
/// YES: a pass returns the recurrent state of each step; NO: only the last that it computes.
@property (readwrite, nonatomic) BOOL storeAllIntermediateStates;
@property (readwrite, nonatomic) BOOL recurrentOutputIsTemporary;
@property (readwrite, nonatomic) BOOL trainingStateIsTemporary;
/// YES adds to what the weight gradients hold; NO overwrites it.
@property (readwrite, nonatomic) BOOL accumulateWeightGradients;

/// Appends the weights, with the sources' values, to `trainableWeights`. nil where the device is not a portable one,
/// where a data source fails to load, or where memory runs out.
- (instancetype)initWithDevice:(id<MTLDevice>)device
                 rnnDescriptor:(const MPSRNNDescriptor *)rnnDescriptor
              trainableWeights:(NSMutableArray<MPSMatrix *> *)trainableWeights;
- (instancetype)initWithDevice:(id<MTLDevice>)device PMP_UNAVAILABLE;

/// An archive holds no weights: createWeightMatrices: makes some for the layer that comes out. nil where the archive is
/// damaged, or the device is not a portable one.
- (nullable instancetype)initWithCoder:(NSCoder *)aDecoder device:(id<MTLDevice>)device;

/// The copy takes the weights and the states of the original.
- (instancetype)copyWithZone:(nullable NSZone *)zone device:(nullable id<MTLDevice>)device;

// These append matrices of zeros, with the layout of the weights. The data type is Float32 or Float16.

- (void)createWeightGradientMatrices:(NSMutableArray<MPSMatrix *> *)matricesOut dataType:(MPSDataType)dataType;
- (void)createTemporaryWeightGradientMatrices:(NSMutableArray<MPSMatrix *> *)matricesOut
                                     dataType:(MPSDataType)dataType
                                commandBuffer:(id<MTLCommandBuffer>)commandBuffer;
- (void)createWeightMatrices:(NSMutableArray<MPSMatrix *> *)matricesOut;

/// Copies one of the weights to the block of `matrix` that begins in row matrixOffset.x and column matrixOffset.y, or
/// from there: a row for each output channel, a column for each input channel; biases and diagonal memory weights are
/// one row. The matrix is float32 or float16, whatever the weights are.
- (void)encodeCopyWeightsToCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
                                 weights:(NSArray<MPSMatrix *> *)weights
                                matrixId:(MPSRNNMatrixId)matrixId
                                  matrix:(MPSMatrix *)matrix
                 copyFromWeightsToMatrix:(BOOL)copyFromWeightsToMatrix
                            matrixOffset:(MTLOrigin)matrixOffset;

/// Sequences, offsets and states are as those of MPSRNNMatrixInferenceLayer. Appends a training state for each step.
/// The input state is one of another forward call of this layer or of a copy.
- (void)encodeForwardSequenceToCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
                              sourceMatrices:(NSArray<MPSMatrix *> *)sourceMatrices
                               sourceOffsets:(nullable NSUInteger *)sourceOffsets
                         destinationMatrices:(NSArray<MPSMatrix *> *)destinationMatrices
                          destinationOffsets:(nullable NSUInteger *)destinationOffsets
                              trainingStates:(NSMutableArray<MPSRNNMatrixTrainingState *> *)trainingStates
                         recurrentInputState:(nullable MPSRNNRecurrentMatrixState *)recurrentInputState
                       recurrentOutputStates:
                           (nullable NSMutableArray<MPSRNNRecurrentMatrixState *> *)recurrentOutputStates
                                     weights:(NSArray<MPSMatrix *> *)weights;
- (void)encodeForwardSequenceToCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
                              sourceMatrices:(NSArray<MPSMatrix *> *)sourceMatrices
                         destinationMatrices:(NSArray<MPSMatrix *> *)destinationMatrices
                              trainingStates:(NSMutableArray<MPSRNNMatrixTrainingState *> *)trainingStates
                                     weights:(NSArray<MPSMatrix *> *)weights;

/// Differentiates consecutive steps of a forward pass. Source gradients are those of what is differentiated by the
/// destinations of the forward pass; destination gradients, by its sources. Weight gradients are sums over steps and
/// rows. A recurrent state of a gradient pass holds the gradients by h and c: the input state is one of another
/// gradient call, for the steps that follow these; of the output states the first that there is belongs to the first
/// step, and holds the gradients by the state that the step began from. Forward sources and weights are as they were in
/// the forward pass. Each temporary training state is read once.
- (void)encodeGradientSequenceToCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
                               forwardSources:(NSArray<MPSMatrix *> *)forwardSources
                         forwardSourceOffsets:(nullable NSUInteger *)forwardSourceOffsets
                              sourceGradients:(NSArray<MPSMatrix *> *)sourceGradients
                        sourceGradientOffsets:(nullable NSUInteger *)sourceGradientOffsets
                         destinationGradients:(nullable NSArray<MPSMatrix *> *)destinationGradients
                           destinationOffsets:(nullable NSUInteger *)destinationOffsets
                              weightGradients:(nullable NSArray<MPSMatrix *> *)weightGradients
                               trainingStates:(NSArray<MPSRNNMatrixTrainingState *> *)trainingStates
                          recurrentInputState:(nullable MPSRNNRecurrentMatrixState *)recurrentInputState
                        recurrentOutputStates:
                            (nullable NSMutableArray<MPSRNNRecurrentMatrixState *> *)recurrentOutputStates
                                      weights:(NSArray<MPSMatrix *> *)weights;
- (void)encodeGradientSequenceToCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
                               forwardSources:(NSArray<MPSMatrix *> *)forwardSources
                              sourceGradients:(NSArray<MPSMatrix *> *)sourceGradients
                         destinationGradients:(nullable NSArray<MPSMatrix *> *)destinationGradients
                              weightGradients:(nullable NSArray<MPSMatrix *> *)weightGradients
                               trainingStates:(NSArray<MPSRNNMatrixTrainingState *> *)trainingStates
                                      weights:(NSArray<MPSMatrix *> *)weights;

@end

NS_ASSUME_NONNULL_END
