// What the recurrent inference layers over matrices and over images have in common.
#import "PMPBidirectionalRun.h"
#import "PMPEncoding.h"
#import "PMPRecurrentRun.h"
#import "PMPRecurrentStatePool.h"

/// A layer's weights, its properties, and the states that it makes.
@interface PMPRecurrentLayer : NSObject {
  @package
    PMPRecurrentStack *_stack;
    BOOL _recurrentOutputIsTemporary, _storeAllIntermediateStates;
    MPSRNNBidirectionalCombineMode _bidirectionalCombineMode;
    id<MTLDevice> _device;
    PMPRecurrentStatePool *_statePool;
    BOOL _descends; // the next sequence begins where the last one has ended
}

/// nil where a source fails to load or memory runs out. Raises where the descriptors do not fit.
- (instancetype)initWithDevice:(id<MTLDevice>)device
                   descriptors:(NSArray<const MPSRNNDescriptor *> *)descriptors
                          form:(PMPRecurrentForm)form
                      argument:(PMPArgument)argument;
/// nil where the archive is damaged or memory runs out; the coder then knows why.
- (instancetype)initWithDevice:(id<MTLDevice>)device
                         coder:(NSCoder *)coder
                          form:(PMPRecurrentForm)form
                      argument:(PMPArgument)argument;
/// Shares the weights. nil where memory runs out.
- (instancetype)initWithDevice:(id<MTLDevice>)device copyOf:(PMPRecurrentLayer *)other;

- (void)encodeWithCoder:(NSCoder *)coder;

@end

// Plain C, for an encode method calls them.

// Rules, which raise. `state` is an input state of any class.

/// The stack can run as a whole in one direction.
void PMPRecurrentLayerCheckStack(PMPRecurrentLayer *layer, PMPEncoding encoding);
void PMPRecurrentLayerCheckState(PMPRecurrentLayer *layer, MPSState *state, PMPRecurrentShape shape,
                                 PMPEncoding encoding);
/// Of a recurrent layer's state: the shape is that of the run that has made it.
void PMPRecurrentCheckStateShape(MPSState *state, PMPRecurrentShape shape, PMPEncoding encoding);
/// A temporary state can be read on the command buffer.
void PMPRecurrentCheckStateLease(MPSState *state, PMPEncoding encoding);
/// The stack has two halves that read the same input, and whose outputs can be combined.
void PMPRecurrentLayerCheckDirections(PMPRecurrentLayer *layer, PMPEncoding encoding);

/// The channels of the forward destinations of a run in both directions.
size_t PMPRecurrentLayerForwardChannels(PMPRecurrentLayer *layer);

/// Encodes a run that has no sources and no destinations yet, and appends the states that it writes to `states`.
PMPRecurrentRun *PMPRecurrentLayerBegin(PMPRecurrentLayer *layer, PMPRecurrentShape shape, MPSState *state,
                                        NSMutableArray *states, PMPEncoding encoding);
/// Reads the state that the run begins from; the run is complete.
void PMPRecurrentRunComplete(PMPRecurrentRun *run, MPSState *state, PMPCommandBuffer *commandBuffer);

/// Has the command buffer hold a recurrent layer's state, and lowers its read count.
void PMPRecurrentStateRead(MPSState *state, PMPCommandBuffer *commandBuffer);

/// Encodes a run in both directions, which PMPBidirectionalRunComplete completes.
PMPBidirectionalRun *PMPRecurrentLayerBeginBidirectional(PMPRecurrentLayer *layer, PMPRecurrentShape shape,
                                                         PMPEncoding encoding);
