// What all recurrent layers have in common.
#import <MetalPerformanceShaders/MPSCNNConvolution.h>

NS_ASSUME_NONNULL_BEGIN

typedef NS_ENUM(NSUInteger, MPSRNNSequenceDirection) {
    MPSRNNSequenceDirectionForward = 0,
    MPSRNNSequenceDirectionBackward,
};

/// What becomes of the results of both directions.
typedef NS_ENUM(NSUInteger, MPSRNNBidirectionalCombineMode) {
    MPSRNNBidirectionalCombineModeNone = 0,
    MPSRNNBidirectionalCombineModeAdd,
    MPSRNNBidirectionalCombineModeConcatenate,
};

PMP_CLASS(MPSRNNDescriptor)
@interface MPSRNNDescriptor : NSObject {
    NSUInteger _inputFeatureChannels, _outputFeatureChannels;
    BOOL _useLayerInputUnitTransformMode, _useFloat32Weights;
    MPSRNNSequenceDirection _layerSequenceDirection;
}

@property (readwrite, nonatomic) NSUInteger inputFeatureChannels;
@property (readwrite, nonatomic) NSUInteger outputFeatureChannels;
/// YES: every weight that acts on the layer's input is the identity; both channel counts are equal.
@property (readwrite, nonatomic) BOOL useLayerInputUnitTransformMode;
/// YES keeps the weights as float32, NO as float16.
@property (readwrite, nonatomic) BOOL useFloat32Weights;
/// Read by bidirectional encoding alone.
@property (readwrite, nonatomic) MPSRNNSequenceDirection layerSequenceDirection;

@end

NS_ASSUME_NONNULL_END
