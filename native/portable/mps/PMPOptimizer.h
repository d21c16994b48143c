// What the optimizers have in common.
#import "PMPOperand.h"
#import "engine/optimizer.h"

/// The arguments of an encode method. A state that need not be there has no object.
typedef struct PMPOptimizerOperands {
    PMPOperand gradient, values, result;
    PMPOperand states[PYMPS_ENGINE_MOST_OPTIMIZER_STATES];
    size_t neededStates;
} PMPOptimizerOperands;

@interface MPSNNOptimizer (PMPOptimizer)

- (instancetype)initWithDevice:(id<MTLDevice>)device
           optimizerDescriptor:(MPSNNOptimizerDescriptor *)optimizerDescriptor
                      selector:(SEL)selector;

/// The names of all numbers, and of all BOOLs, that an archive and a copy have.
- (NSArray<NSString *> *)numberNames;
- (NSArray<NSString *> *)flagNames;

/// What the engine is told, but for the rule and its own numbers.
- (pymps_engine_optimizer)engineOptimizer;

- (void)encodeUpdate:(const pymps_engine_optimizer *)optimizer
            operands:(const PMPOptimizerOperands *)operands
            encoding:(PMPEncoding)encoding;

@end

/// Raises unless the states are there that must be, all are of the same size, and what is written shares no memory with
/// anything, but the result with the values where it is the values.
void PMPOptimizerCheck(const PMPOptimizerOperands *operands, id<MTLDevice> device, PMPEncoding encoding);
