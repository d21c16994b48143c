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

- (pymps_engine_training *)newEngineTrainingWithGates:(const PMPRecurrentGates *)parts argument:(PMPArgument)argument {
    (void)parts;
    PMPRaiseInvalid(argument, @"%@, expected a descriptor of a single gate, a GRU or an LSTM", [self class]);
}

@end
