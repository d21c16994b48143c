// Kernels that update weights by their gradients.
#import <MetalPerformanceShaders/MPSKernel.h>
#import <MetalPerformanceShaders/MPSMatrix.h>
#import <MetalPerformanceShaders/MPSVector.h>

NS_ASSUME_NONNULL_BEGIN

typedef NS_ENUM(NSUInteger, MPSNNRegularizationType) {
    MPSNNRegularizationTypeNone = 0,
    MPSNNRegularizationTypeL1 = 1,
    MPSNNRegularizationTypeL2 = 2,
};

/// What all optimizers do to a gradient before they use it, in this order: it is clipped to the range from
/// gradientClipMin to gradientClipMax, multiplied by gradientRescale, and regularised: L1 adds regularizationScale, as
/// Apple's formula has it, whatever the value's sign is; L2 adds regularizationScale times the value.
PMP_CLASS(MPSNNOptimizerDescriptor)
@interface MPSNNOptimizerDescriptor : NSObject {
    float _learningRate, _gradientRescale, _gradientClipMax, _gradientClipMin, _regularizationScale;
    BOOL _applyGradientClipping;
    MPSNNRegularizationType _regularizationType;
}

@property (readwrite, nonatomic) float learningRate;                         // 0.001
@property (readwrite, nonatomic) float gradientRescale;                      // 1
@property (readwrite, nonatomic) BOOL applyGradientClipping;                 // NO
@property (readwrite, nonatomic) float gradientClipMax;                      // infinity
@property (readwrite, nonatomic) float gradientClipMin;                      // -infinity
@property (readwrite, nonatomic) float regularizationScale;                  // 0
@property (readwrite, nonatomic) MPSNNRegularizationType regularizationType; // MPSNNRegularizationTypeNone

- (instancetype)initWithLearningRate:(float)learningRate
                     gradientRescale:(float)gradientRescale
                  regularizationType:(MPSNNRegularizationType)regularizationType
                 regularizationScale:(float)regularizationScale;
- (instancetype)initWithLearningRate:(float)learningRate
                     gradientRescale:(float)gradientRescale
               applyGradientClipping:(BOOL)applyGradientClipping
                     gradientClipMax:(float)gradientClipMax
                     gradientClipMin:(float)gradientClipMin
                  regularizationType:(MPSNNRegularizationType)regularizationType
                 regularizationScale:(float)regularizationScale;
+ (instancetype)optimizerDescriptorWithLearningRate:(float)learningRate
                                    gradientRescale:(float)gradientRescale
                                 regularizationType:(MPSNNRegularizationType)regularizationType
                                regularizationScale:(float)regularizationScale;
+ (instancetype)optimizerDescriptorWithLearningRate:(float)learningRate
                                    gradientRescale:(float)gradientRescale
                              applyGradientClipping:(BOOL)applyGradientClipping
                                    gradientClipMax:(float)gradientClipMax
                                    gradientClipMin:(float)gradientClipMin
                                 regularizationType:(MPSNNRegularizationType)regularizationType
                                regularizationScale:(float)regularizationScale;

@end

/// What all optimizers have in common. Matrices, or vectors, of one call have the same size; they are float32 or
/// float16, each as it likes. The result may be the values themselves; the state (momentum and the like) is read and
/// overwritten, and zeros at first. In the formulas g is the gradient as MPSNNOptimizerDescriptor tells, v the value,
/// and lr the learning rate.
PMP_CLASS(MPSNNOptimizer)
@interface MPSNNOptimizer : MPSKernel {
  @package
    float _learningRate, _gradientRescale, _gradientClipMax, _gradientClipMin, _regularizationScale;
    BOOL _applyGradientClipping;
    MPSNNRegularizationType _regularizationType;
}

@property (readonly, nonatomic) float learningRate;
@property (readonly, nonatomic) float gradientRescale;
@property (readwrite, nonatomic) BOOL applyGradientClipping;
@property (readonly, nonatomic) float gradientClipMax;
@property (readonly, nonatomic) float gradientClipMin;
@property (readonly, nonatomic) float regularizationScale;
@property (readonly, nonatomic) MPSNNRegularizationType regularizationType;

- (instancetype)initWithDevice:(id<MTLDevice>)device PMP_UNAVAILABLE;
- (void)setLearningRate:(float)newLearningRate;

@end

/// Without momentum:     v -= lr g
/// with it:              m = momentumScale m + lr g;  v -= m
/// with Nesterov's:      m = momentumScale m + g;  v -= lr (g + momentumScale m)
PMP_CLASS(MPSNNOptimizerStochasticGradientDescent)
@interface MPSNNOptimizerStochasticGradientDescent : MPSNNOptimizer {
    float _momentumScale;
    BOOL _useNesterovMomentum;
}

@property (readonly, nonatomic) float momentumScale;      // 0
@property (readonly, nonatomic) BOOL useNesterovMomentum; // NO
@property (readonly, nonatomic) BOOL useNestrovMomentum;  // the same, as it was spelt at first

- (instancetype)initWithDevice:(id<MTLDevice>)device PMP_UNAVAILABLE;
- (instancetype)initWithDevice:(id<MTLDevice>)device learningRate:(float)learningRate;
- (instancetype)initWithDevice:(id<MTLDevice>)device
                 momentumScale:(float)momentumScale
           useNesterovMomentum:(BOOL)useNesterovMomentum
           optimizerDescriptor:(MPSNNOptimizerDescriptor *)optimizerDescriptor;
- (instancetype)initWithDevice:(id<MTLDevice>)device
                 momentumScale:(float)momentumScale
            useNestrovMomentum:(BOOL)useNestrovMomentum
           optimizerDescriptor:(MPSNNOptimizerDescriptor *)optimizerDescriptor;

- (void)encodeToCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
          inputGradientVector:(MPSVector *)inputGradientVector
            inputValuesVector:(MPSVector *)inputValuesVector
          inputMomentumVector:(nullable MPSVector *)inputMomentumVector
           resultValuesVector:(MPSVector *)resultValuesVector;
- (void)encodeToCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
          inputGradientMatrix:(MPSMatrix *)inputGradientMatrix
            inputValuesMatrix:(MPSMatrix *)inputValuesMatrix
          inputMomentumMatrix:(nullable MPSMatrix *)inputMomentumMatrix
           resultValuesMatrix:(MPSMatrix *)resultValuesMatrix;

@end

/// s = decay s + (1 - decay) g^2;  v -= lr g / (sqrt(s) + epsilon)
PMP_CLASS(MPSNNOptimizerRMSProp)
@interface MPSNNOptimizerRMSProp : MPSNNOptimizer {
    double _decay;
    float _epsilon;
}

@property (readonly, nonatomic) double decay;  // 0.9
@property (readonly, nonatomic) float epsilon; // 1e-8

- (instancetype)initWithDevice:(id<MTLDevice>)device PMP_UNAVAILABLE;
- (instancetype)initWithDevice:(id<MTLDevice>)device learningRate:(float)learningRate;
- (instancetype)initWithDevice:(id<MTLDevice>)device
                         decay:(double)decay
                       epsilon:(float)epsilon
           optimizerDescriptor:(MPSNNOptimizerDescriptor *)optimizerDescriptor;

- (void)encodeToCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
          inputGradientVector:(MPSVector *)inputGradientVector
            inputValuesVector:(MPSVector *)inputValuesVector
      inputSumOfSquaresVector:(MPSVector *)inputSumOfSquaresVector
           resultValuesVector:(MPSVector *)resultValuesVector;
- (void)encodeToCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
          inputGradientMatrix:(MPSMatrix *)inputGradientMatrix
            inputValuesMatrix:(MPSMatrix *)inputValuesMatrix
      inputSumOfSquaresMatrix:(MPSMatrix *)inputSumOfSquaresMatrix
           resultValuesMatrix:(MPSMatrix *)resultValuesMatrix;

@end

/// t = t + 1;  lr_t = lr sqrt(1 - beta2^t) / (1 - beta1^t)
/// m = beta1 m + (1 - beta1) g;  u = beta2 u + (1 - beta2) g^2
/// v -= lr_t m / (sqrt(u) + epsilon), or, with a maximum velocity (AMSGrad),
/// w = max(w, u);  v -= lr_t m / (sqrt(w) + epsilon)
PMP_CLASS(MPSNNOptimizerAdam)
@interface MPSNNOptimizerAdam : MPSNNOptimizer {
    double _beta1, _beta2;
    float _epsilon;
    NSUInteger _timeStep;
}

@property (readonly, nonatomic) double beta1;  // 0.9
@property (readonly, nonatomic) double beta2;  // 0.999
@property (readonly, nonatomic) float epsilon; // 1e-8
/// t, of which each encode makes the next: where several parameters share an optimizer, set it before each.
@property (readwrite, nonatomic) NSUInteger timeStep;

- (instancetype)initWithDevice:(id<MTLDevice>)device PMP_UNAVAILABLE;
- (instancetype)initWithDevice:(id<MTLDevice>)device learningRate:(float)learningRate;
- (instancetype)initWithDevice:(id<MTLDevice>)device
                         beta1:(double)beta1
                         beta2:(double)beta2
                       epsilon:(float)epsilon
                      timeStep:(NSUInteger)timeStep
           optimizerDescriptor:(MPSNNOptimizerDescriptor *)optimizerDescriptor;

- (void)encodeToCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
          inputGradientVector:(MPSVector *)inputGradientVector
            inputValuesVector:(MPSVector *)inputValuesVector
          inputMomentumVector:(MPSVector *)inputMomentumVector
          inputVelocityVector:(MPSVector *)inputVelocityVector
           resultValuesVector:(MPSVector *)resultValuesVector;
- (void)encodeToCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
          inputGradientVector:(MPSVector *)inputGradientVector
            inputValuesVector:(MPSVector *)inputValuesVector
          inputMomentumVector:(MPSVector *)inputMomentumVector
          inputVelocityVector:(MPSVector *)inputVelocityVector
        maximumVelocityVector:(nullable MPSVector *)maximumVelocityVector
           resultValuesVector:(MPSVector *)resultValuesVector;
- (void)encodeToCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
          inputGradientMatrix:(MPSMatrix *)inputGradientMatrix
            inputValuesMatrix:(MPSMatrix *)inputValuesMatrix
          inputMomentumMatrix:(MPSMatrix *)inputMomentumMatrix
          inputVelocityMatrix:(MPSMatrix *)inputVelocityMatrix
           resultValuesMatrix:(MPSMatrix *)resultValuesMatrix;
- (void)encodeToCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
          inputGradientMatrix:(MPSMatrix *)inputGradientMatrix
            inputValuesMatrix:(MPSMatrix *)inputValuesMatrix
          inputMomentumMatrix:(MPSMatrix *)inputMomentumMatrix
          inputVelocityMatrix:(MPSMatrix *)inputVelocityMatrix
        maximumVelocityMatrix:(nullable MPSMatrix *)maximumVelocityMatrix
           resultValuesMatrix:(MPSMatrix *)resultValuesMatrix;

@end

NS_ASSUME_NONNULL_END
