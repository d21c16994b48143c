// A stack of recurrent layers: their packed weights, or, in a training layer, what there is beside weights.
#import "PMPArgument.h"
#import "PMPRecurrentChain.h"
#import "PMPRecurrentWeights.h"
#import "PMPTeam.h"
#import <MetalPerformanceShaders/MetalPerformanceShaders.h>

/// Immutable but for its team: copies of a layer share it, and work in flight holds it. It owns the engine's layers and
/// their recipes.
@interface PMPRecurrentStack : NSObject {
  @package
    PMPRecurrentCell *_cells; // first all `_count` in the order of the stack, then again by direction
    size_t _count;
    PMPRecurrentForm _form;
    size_t _brokenAt; // the first cell whose inputs are not the outputs of the one before; 0: none
    PMPRecurrentChain _whole, _forward, _backward;
    PMPTeam *_team; // of the chains
}

/// nil where a source fails to load or memory runs out. Raises where the descriptors do not fit. In a training layer
/// the recipes keep the weights.
- (instancetype)initWithDescriptors:(NSArray<const MPSRNNDescriptor *> *)descriptors
                               form:(PMPRecurrentForm)form
                           argument:(PMPArgument)argument;

/// Runs nothing: it stands for states with the channels of the other stack's, which are not those of the other stack.
- (instancetype)initWithStatesOf:(PMPRecurrentStack *)other form:(PMPRecurrentForm)form;

/// Before anything has been encoded.
- (void)setTeam:(PMPTeam *)team;

/// For an archive: the recipes of the cells.
- (NSArray *)propertyList;

/// Whether a state of the other stack fits this one.
- (BOOL)hasStatesOf:(PMPRecurrentStack *)other;

@end
