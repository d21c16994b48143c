#import "PMPArgument.h"
#import <MetalPerformanceShaders/MetalPerformanceShaders.h>
#include <math.h>

@implementation MPSNNOptimizerDescriptor

@synthesize learningRate = _learningRate, gradientRescale = _gradientRescale;
@synthesize applyGradientClipping = _applyGradientClipping;
@synthesize gradientClipMax = _gradientClipMax, gradientClipMin = _gradientClipMin;
@synthesize regularizationScale = _regularizationScale, regularizationType = _regularizationType;

- (instancetype)init {
    return [self initWithLearningRate:0.001f
                      gradientRescale:1
                   regularizationType:MPSNNRegularizationTypeNone
                  regularizationScale:0];
}

- (instancetype)initWithLearningRate:(float)learningRate
                     gradientRescale:(float)gradientRescale
                  regularizationType:(MPSNNRegularizationType)regularizationType
                 regularizationScale:(float)regularizationScale {
    return [self initWithLearningRate:learningRate
                      gradientRescale:gradientRescale
                applyGradientClipping:NO
                      gradientClipMax:INFINITY
                      gradientClipMin:-INFINITY
                   regularizationType:regularizationType
                  regularizationScale:regularizationScale];
}

- (instancetype)initWithLearningRate:(float)learningRate
                     gradientRescale:(float)gradientRescale
               applyGradientClipping:(BOOL)applyGradientClipping
                     gradientClipMax:(float)gradientClipMax
                     gradientClipMin:(float)gradientClipMin
                  regularizationType:(MPSNNRegularizationType)regularizationType
                 regularizationScale:(float)regularizationScale {
    self = [super init];
    if (self != nil) {
        _learningRate = learningRate;
        _gradientRescale = gradientRescale;
        _applyGradientClipping = applyGradientClipping;
        _gradientClipMax = gradientClipMax;
        _gradientClipMin = gradientClipMin;
        _regularizationType = regularizationType;
        _regularizationScale = regularizationScale;
    }
    return self;
}

+ (instancetype)optimizerDescriptorWithLearningRate:(float)learningRate
                                    gradientRescale:(float)gradientRescale
                                 regularizationType:(MPSNNRegularizationType)regularizationType
                                regularizationScale:(float)regularizationScale {
    return [[[self alloc] initWithLearningRate:learningRate
                               gradientRescale:gradientRescale
                            regularizationType:regularizationType
                           regularizationScale:regularizationScale] autorelease];
}

+ (instancetype)optimizerDescriptorWithLearningRate:(float)learningRate
                                    gradientRescale:(float)gradientRescale
                              applyGradientClipping:(BOOL)applyGradientClipping
                                    gradientClipMax:(float)gradientClipMax
                                    gradientClipMin:(float)gradientClipMin
                                 regularizationType:(MPSNNRegularizationType)regularizationType
                                regularizationScale:(float)regularizationScale {
    return [[[self alloc] initWithLearningRate:learningRate
                               gradientRescale:gradientRescale
                         applyGradientClipping:applyGradientClipping
                               gradientClipMax:gradientClipMax
                               gradientClipMin:gradientClipMin
                            regularizationType:regularizationType
                           regularizationScale:regularizationScale] autorelease];
}

@end
