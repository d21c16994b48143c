#import "PMPRecurrentKind.h"

static const PMPRecurrentKind kNoKind = {0};

@implementation MPSRNNDescriptor (PMPRecurrentKind)

- (const PMPRecurrentKind *)kind {
    return &kNoKind;
}

- (PMPWeightsKind)memoryWeightsKind {
    return PMPWeightsMemory;
}

- (pymps_engine_layer *)newEngineLayerWithGates:(const PMPRecurrentGates *)parts argument:(PMPArgument)argument {
    (void)parts;
    PMPRaiseInvalid(argument, @"a plain %@, expected one of its subclasses", [self class]);
}

@end
