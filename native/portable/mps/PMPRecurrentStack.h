// The packed weights of a stack of recurrent layers.
#import "PMPArgument.h"
#import "engine/engine.h"
#import <MetalPerformanceShaders/MetalPerformanceShaders.h>

typedef struct PMPRecurrentCell {
    pymps_engine_layer *layer;
    size_t inputs, outputs;
    BOOL hasMemoryCell;
    MPSRNNSequenceDirection direction;
} PMPRecurrentCell;

/// Immutable: copies of a layer share it, and work in flight holds it. It owns the engine's layers.
@interface PMPRecurrentStack : NSObject {
  @package
    PMPRecurrentCell *_cells;
    size_t _count;
    size_t _brokenAt; // the first cell whose inputs are not the outputs of the one before; 0: none
}

/// nil where a source fails to load or memory runs out. Raises where the descriptors do not fit.
- (instancetype)initWithDescriptors:(NSArray<const MPSRNNDescriptor *> *)descriptors argument:(PMPArgument)argument;

/// Whether a state of the other stack fits this one.
- (BOOL)hasStatesOf:(PMPRecurrentStack *)other;

@end

/// What each kind of descriptor implements, in a file named after its cell.
@interface MPSRNNDescriptor (PMPRecurrentCell)

/// Reads the weights, and packs them. NULL where a source fails to load or memory runs out.
- (pymps_engine_layer *)newEngineLayerForArgument:(PMPArgument)argument;
- (BOOL)hasMemoryCell;

@end
