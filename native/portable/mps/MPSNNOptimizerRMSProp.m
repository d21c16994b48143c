#import "PMPOptimizer.h"

@implementation MPSNNOptimizerRMSProp

@synthesize decay = _decay, epsilon = _epsilon;

- (instancetype)initWithDevice:(id<MTLDevice>)device learningRate:(float)learningRate {
    MPSNNOptimizerDescriptor *descriptor = [[[MPSNNOptimizerDescriptor alloc] init] autorelease];
    descriptor.learningRate = learningRate;
    return [self initWithDevice:device decay:0.9 epsilon:1e-8f optimizerDescriptor:descriptor];
}

- (instancetype)initWithDevice:(id<MTLDevice>)device
                         decay:(double)decay
                       epsilon:(float)epsilon
           optimizerDescriptor:(MPSNNOptimizerDescriptor *)optimizerDescriptor {
    self = [super initWithDevice:device optimizerDescriptor:optimizerDescriptor selector:_cmd];
    if (self != nil) {
        _decay = decay;
        _epsilon = epsilon;
    }
    return self;
}

- (NSArray<NSString *> *)numberNames {
    return [[super numberNames] arrayByAddingObjectsFromArray:@[ @"decay", @"epsilon" ]];
}

- (void)encodeOperands:(const PMPOptimizerOperands *)operands
              selector:(SEL)selector
                    to:(id<MTLCommandBuffer>)commandBuffer {
    pymps_engine_optimizer optimizer = [self engineOptimizer];
    optimizer.rule = PYMPS_ENGINE_RMSPROP;
    optimizer.beta2 = _decay;
    optimizer.epsilon = _epsilon;
    [self encodeUpdate:&optimizer
              operands:operands
              encoding:(PMPEncoding){self, selector, PMPPortableCommandBuffer(commandBuffer, selector)}];
}

- (void)encodeToCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
          inputGradientVector:(MPSVector *)inputGradientVector
            inputValuesVector:(MPSVector *)inputValuesVector
      inputSumOfSquaresVector:(MPSVector *)inputSumOfSquaresVector
           resultValuesVector:(MPSVector *)resultValuesVector {
    const PMPOptimizerOperands operands = {
        .gradient = PMPVectorOperand(inputGradientVector, @"inputGradientVector"),
        .values = PMPVectorOperand(inputValuesVector, @"inputValuesVector"),
        .result = PMPVectorOperand(resultValuesVector, @"resultValuesVector"),
        .states = {PMPVectorOperand(inputSumOfSquaresVector, @"inputSumOfSquaresVector")},
        .neededStates = 1};
    [self encodeOperands:&operands selector:_cmd to:commandBuffer];
}

- (void)encodeToCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
          inputGradientMatrix:(MPSMatrix *)inputGradientMatrix
            inputValuesMatrix:(MPSMatrix *)inputValuesMatrix
      inputSumOfSquaresMatrix:(MPSMatrix *)inputSumOfSquaresMatrix
           resultValuesMatrix:(MPSMatrix *)resultValuesMatrix {
    const PMPOptimizerOperands operands = {
        .gradient = PMPMatrixOperand(inputGradientMatrix, @"inputGradientMatrix"),
        .values = PMPMatrixOperand(inputValuesMatrix, @"inputValuesMatrix"),
        .result = PMPMatrixOperand(resultValuesMatrix, @"resultValuesMatrix"),
        .states = {PMPMatrixOperand(inputSumOfSquaresMatrix, @"inputSumOfSquaresMatrix")},
        .neededStates = 1};
    [self encodeOperands:&operands selector:_cmd to:commandBuffer];
}

@end
