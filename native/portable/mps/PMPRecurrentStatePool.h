// The states that a layer makes, used again when they come back.
#import "PMPEncoding.h"
#import "PMPRecurrentState.h"

/// A layer's own; plain C, for a step takes and returns a state. One thread at a time takes states; they may come back
/// from any thread. The layer and each state that is out have a reference.
typedef struct PMPRecurrentStatePool PMPRecurrentStatePool;

/// With one reference. NULL where memory runs out.
PMPRecurrentStatePool *PMPRecurrentStatePoolCreate(PMPRecurrentStack *stack, id<MTLDevice> device);
void PMPRecurrentStatePoolRelease(PMPRecurrentStatePool *pool); // NULL is allowed

/// A state of undefined contents, of the class that goes with the stack, which the caller releases. nil where memory
/// runs out.
MPSState *PMPRecurrentStatePoolTake(PMPRecurrentStatePool *pool, PMPRecurrentShape shape);

/// Takes a state for each of `count` steps; the command buffer holds them, and through them the stack. They are
/// appended to `outputStates`, nil: to nothing. `memories` has those of layer i from i * count on. Raises where memory
/// runs out, and has appended some then.
void PMPRecurrentStatePoolEncode(PMPRecurrentStatePool *pool, PMPRecurrentShape shape, size_t count, BOOL areTemporary,
                                 NSMutableArray *outputStates, pymps_engine_state *memories, PMPEncoding encoding);

/// Takes over a state without references, and the reference that it had to the pool.
void PMPRecurrentStatePoolReturn(PMPRecurrentStatePool *pool, MPSState *state);
