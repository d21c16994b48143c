// What tells the kinds of recurrent layers apart.
#import "PMPRecurrentWeights.h"
#import "engine/training.h"

enum { kPMPMaxGates = 4, kPMPMaxNumbers = 4 };

/// What a gate's weights multiply, as the engine counts it.
enum { kPMPInputPart, kPMPRecurrentPart, kPMPMemoryPart, kPMPPartCount };

/// A kind, and the names of its descriptor's properties beside those that all descriptors have; nil where there is
/// none.
typedef struct PMPRecurrentKind {
    NSString *name; // in archives
    BOOL hasMemoryCell;
    size_t gateCount;
    NSString *weights[kPMPMaxGates][kPMPPartCount]; // gates in the engine's order
    NSString *flag;                                 // YES or NO
    NSString *numbers[kPMPMaxNumbers];
    // Gate by gate: the weights, of those parts that have a name, and the bias.
    MPSRNNMatrixId firstMatrixId;
} PMPRecurrentKind;

/// What the engine packs.
typedef struct PMPRecurrentGates {
    pymps_engine_gate gates[kPMPMaxGates];
    pymps_engine_window windows[kPMPPartCount];
    BOOL weightsAreHalf;
} PMPRecurrentGates;

/// Each kind implements it in a file named after its cell.
@interface MPSRNNDescriptor (PMPRecurrentKind)

- (const PMPRecurrentKind *)kind;
/// What the weights of the memory part are.
- (PMPWeightsKind)memoryWeightsKind;
/// Packs the weights of the kind's gates. NULL where memory runs out.
- (pymps_engine_layer *)newEngineLayerWithGates:(const PMPRecurrentGates *)parts argument:(PMPArgument)argument;
/// Takes from the gates which weights there are. NULL where memory runs out.
- (pymps_engine_training *)newEngineTrainingWithGates:(const PMPRecurrentGates *)parts argument:(PMPArgument)argument;

@end
