#import "PMPOptimizer.h"
#include <math.h>

@implementation MPSNNOptimizerAdam

@synthesize beta1 = _beta1, beta2 = _beta2, epsilon = _epsilon, timeStep = _timeStep;

- (instancetype)initWithDevice:(id<MTLDevice>)device learningRate:(float)learningRate {
    MPSNNOptimizerDescriptor *descriptor = [[[MPSNNOptimizerDescriptor alloc] init] autorelease];
    descriptor.learningRate = learningRate;
    return [self initWithDevice:device beta1:0.9 beta2:0.999 epsilon:1e-8f timeStep:0 optimizerDescriptor:descriptor];
}

- (instancetype)initWithDevice:(id<MTLDevice>)device
                         beta1:(double)beta1
                         beta2:(double)beta2
                       epsilon:(float)epsilon
                      timeStep:(NSUInteger)timeStep
           optimizerDescriptor:(MPSNNOptimizerDescriptor *)optimizerDescriptor {
    self = [super initWithDevice:device optimizerDescriptor:optimizerDescriptor selector:_cmd];
    if (self != nil) {
        _beta1 = beta1;
        _beta2 = beta2;
        _epsilon = epsilon;
        _timeStep = timeStep;
    }
    return self;
}

- (NSArray<NSString *> *)numberNames {
    return [[super numberNames] arrayByAddingObjectsFromArray:@[ @"beta1", @"beta2", @"epsilon", @"timeStep" ]];
}

- (void)encodeOperands:(const PMPOptimizerOperands *)operands
              selector:(SEL)selector
                    to:(id<MTLCommandBuffer>)commandBuffer {
    const double t = (double)_timeStep + 1;
    pymps_engine_optimizer optimizer = [self engineOptimizer];
    optimizer.rule = PYMPS_ENGINE_ADAM;
    optimizer.learning_rate = (float)(self.learningRate * sqrt(1 - pow(_beta2, t)) / (1 - pow(_beta1, t)));
    optimizer.beta1 = _beta1;
    optimizer.beta2 = _beta2;
    optimizer.epsilon = _epsilon;
    [self encodeUpdate:&optimizer
              operands:operands
              encoding:(PMPEncoding){self, selector, PMPPortableCommandBuffer(commandBuffer, selector)}];
    _timeStep++;
}

- (void)encodeToCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
          inputGradientVector:(MPSVector *)inputGradientVector
            inputValuesVector:(MPSVector *)inputValuesVector
          inputMomentumVector:(MPSVector *)inputMomentumVector
          inputVelocityVector:(MPSVector *)inputVelocityVector
           resultValuesVector:(MPSVector *)resultValuesVector {
    [self encodeToCommandBuffer:commandBuffer
            inputGradientVector:inputGradientVector
              inputValuesVector:inputValuesVector
            inputMomentumVector:inputMomentumVector
            inputVelocityVector:inputVelocityVector
          maximumVelocityVector:nil
             resultValuesVector:resultValuesVector];
}

- (void)encodeToCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
          inputGradientVector:(MPSVector *)inputGradientVector
            inputValuesVector:(MPSVector *)inputValuesVector
          inputMomentumVector:(MPSVector *)inputMomentumVector
          inputVelocityVector:(MPSVector *)inputVelocityVector
        maximumVelocityVector:(nullable MPSVector *)maximumVelocityVector
           resultValuesVector:(MPSVector *)resultValuesVector {
    const PMPOptimizerOperands operands = {
        .gradient = PMPVectorOperand(inputGradientVector, @"inputGradientVector"),
        .values = PMPVectorOperand(inputValuesVector, @"inputValuesVector"),
        .result = PMPVectorOperand(resultValuesVector, @"resultValuesVector"),
        .states = {PMPVectorOperand(inputMomentumVector, @"inputMomentumVector"),
                   PMPVectorOperand(inputVelocityVector, @"inputVelocityVector"),
                   PMPVectorOperand(maximumVelocityVector, @"maximumVelocityVector")},
        .neededStates = 2};
    [self encodeOperands:&operands selector:_cmd to:commandBuffer];
}

- (void)encodeToCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
          inputGradientMatrix:(MPSMatrix *)inputGradientMatrix
            inputValuesMatrix:(MPSMatrix *)inputValuesMatrix
          inputMomentumMatrix:(MPSMatrix *)inputMomentumMatrix
          inputVelocityMatrix:(MPSMatrix *)inputVelocityMatrix
           resultValuesMatrix:(MPSMatrix *)resultValuesMatrix {
    [self encodeToCommandBuffer:commandBuffer
            inputGradientMatrix:inputGradientMatrix
              inputValuesMatrix:inputValuesMatrix
            inputMomentumMatrix:inputMomentumMatrix
            inputVelocityMatrix:inputVelocityMatrix
          maximumVelocityMatrix:nil
             resultValuesMatrix:resultValuesMatrix];
}

- (void)encodeToCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
          inputGradientMatrix:(MPSMatrix *)inputGradientMatrix
            inputValuesMatrix:(MPSMatrix *)inputValuesMatrix
          inputMomentumMatrix:(MPSMatrix *)inputMomentumMatrix
          inputVelocityMatrix:(MPSMatrix *)inputVelocityMatrix
        maximumVelocityMatrix:(nullable MPSMatrix *)maximumVelocityMatrix
           resultValuesMatrix:(MPSMatrix *)resultValuesMatrix {
    const PMPOptimizerOperands operands = {
        .gradient = PMPMatrixOperand(inputGradientMatrix, @"inputGradientMatrix"),
        .values = PMPMatrixOperand(inputValuesMatrix, @"inputValuesMatrix"),
        .result = PMPMatrixOperand(resultValuesMatrix, @"resultValuesMatrix"),
        .states = {PMPMatrixOperand(inputMomentumMatrix, @"inputMomentumMatrix"),
                   PMPMatrixOperand(inputVelocityMatrix, @"inputVelocityMatrix"),
                   PMPMatrixOperand(maximumVelocityMatrix, @"maximumVelocityMatrix")},
        .neededStates = 2};
    [self encodeOperands:&operands selector:_cmd to:commandBuffer];
}

@end
