#import "PMPOptimizer.h"

@implementation MPSNNOptimizerStochasticGradientDescent

@synthesize momentumScale = _momentumScale, useNesterovMomentum = _useNesterovMomentum;

- (instancetype)initWithDevice:(id<MTLDevice>)device learningRate:(float)learningRate {
    MPSNNOptimizerDescriptor *descriptor = [[[MPSNNOptimizerDescriptor alloc] init] autorelease];
    descriptor.learningRate = learningRate;
    return [self initWithDevice:device momentumScale:0 useNesterovMomentum:NO optimizerDescriptor:descriptor];
}

- (instancetype)initWithDevice:(id<MTLDevice>)device
                 momentumScale:(float)momentumScale
           useNesterovMomentum:(BOOL)useNesterovMomentum
           optimizerDescriptor:(MPSNNOptimizerDescriptor *)optimizerDescriptor {
    self = [super initWithDevice:device optimizerDescriptor:optimizerDescriptor selector:_cmd];
    if (self != nil) {
        _momentumScale = momentumScale;
        _useNesterovMomentum = useNesterovMomentum;
    }
    return self;
}

- (instancetype)initWithDevice:(id<MTLDevice>)device
                 momentumScale:(float)momentumScale
            useNestrovMomentum:(BOOL)useNestrovMomentum
           optimizerDescriptor:(MPSNNOptimizerDescriptor *)optimizerDescriptor {
    return [self initWithDevice:device
                  momentumScale:momentumScale
            useNesterovMomentum:useNestrovMomentum
            optimizerDescriptor:optimizerDescriptor];
}

- (BOOL)useNestrovMomentum {
    return _useNesterovMomentum;
}

- (NSArray<NSString *> *)numberNames {
    return [[super numberNames] arrayByAddingObject:@"momentumScale"];
}

- (NSArray<NSString *> *)flagNames {
    return [[super flagNames] arrayByAddingObject:@"useNesterovMomentum"];
}

- (void)encodeOperands:(const PMPOptimizerOperands *)operands
              selector:(SEL)selector
                    to:(id<MTLCommandBuffer>)commandBuffer {
    pymps_engine_optimizer optimizer = [self engineOptimizer];
    optimizer.rule = PYMPS_ENGINE_SGD;
    optimizer.momentum_scale = _momentumScale;
    optimizer.nesterov = _useNesterovMomentum;
    [self encodeUpdate:&optimizer
              operands:operands
              encoding:(PMPEncoding){self, selector, PMPPortableCommandBuffer(commandBuffer, selector)}];
}

- (void)encodeToCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
          inputGradientVector:(MPSVector *)inputGradientVector
            inputValuesVector:(MPSVector *)inputValuesVector
          inputMomentumVector:(nullable MPSVector *)inputMomentumVector
           resultValuesVector:(MPSVector *)resultValuesVector {
    const PMPOptimizerOperands operands = {.gradient = PMPVectorOperand(inputGradientVector, @"inputGradientVector"),
                                           .values = PMPVectorOperand(inputValuesVector, @"inputValuesVector"),
                                           .result = PMPVectorOperand(resultValuesVector, @"resultValuesVector"),
                                           .states = {PMPVectorOperand(inputMomentumVector, @"inputMomentumVector")},
                                           .neededStates = 0};
    [self encodeOperands:&operands selector:_cmd to:commandBuffer];
}

- (void)encodeToCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
          inputGradientMatrix:(MPSMatrix *)inputGradientMatrix
            inputValuesMatrix:(MPSMatrix *)inputValuesMatrix
          inputMomentumMatrix:(nullable MPSMatrix *)inputMomentumMatrix
           resultValuesMatrix:(MPSMatrix *)resultValuesMatrix {
    const PMPOptimizerOperands operands = {.gradient = PMPMatrixOperand(inputGradientMatrix, @"inputGradientMatrix"),
                                           .values = PMPMatrixOperand(inputValuesMatrix, @"inputValuesMatrix"),
                                           .result = PMPMatrixOperand(resultValuesMatrix, @"resultValuesMatrix"),
                                           .states = {PMPMatrixOperand(inputMomentumMatrix, @"inputMomentumMatrix")},
                                           .neededStates = 0};
    [self encodeOperands:&operands selector:_cmd to:commandBuffer];
}

@end
