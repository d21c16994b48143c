#import "PMPArgument.h"
#import <MetalPerformanceShaders/MetalPerformanceShaders.h>

@interface MPSRNNDescriptor (PMPRNNDescriptor)
/// What the factory methods of the subclasses do; `selector` is theirs.
+ (instancetype)descriptorWithInputs:(NSUInteger)inputs outputs:(NSUInteger)outputs selector:(SEL)selector;
@end
