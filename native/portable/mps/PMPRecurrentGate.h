// How the gates of recurrent cells are read from a descriptor.
#import "PMPRecurrentStack.h"
#import "PMPRecurrentWeights.h"

/// What one gate is read from.
typedef struct PMPGateSources {
    NSString *name; // what the properties' names begin with
    id<MPSCNNConvolutionDataSource> input, recurrent, memory;
    PMPWeightsKind memoryKind;
} PMPGateSources;

@interface MPSRNNDescriptor (PMPRecurrentGate)

/// What the layer's input weights are.
- (PMPWeightsKind)inputWeightsKind;

// Both give NO where a source fails to load. What they hand out is autoreleased, or points into autoreleased objects.

/// A nil source gives nil.
- (BOOL)readWeights:(PMPRecurrentWeights **)weights
               from:(id<MPSCNNConvolutionDataSource>)source
               kind:(PMPWeightsKind)kind
           argument:(PMPArgument)argument;
- (BOOL)readGate:(pymps_engine_gate *)gate from:(PMPGateSources)sources argument:(PMPArgument)argument;

@end

pymps_engine_gate PMPEngineGate(PMPRecurrentWeights *input, PMPRecurrentWeights *recurrent,
                                PMPRecurrentWeights *memory);
