// The states that a layer makes, used again when they come back.
#import "PMPRecurrentStack.h"
#include <stdatomic.h>

/// A layer's own; plain C, for a step takes and returns a state. One thread at a time takes states; they may come back
/// from any thread. The layer and each state that is out have a reference.
typedef struct PMPRecurrentStatePool PMPRecurrentStatePool;

/// With one reference. NULL where memory runs out.
PMPRecurrentStatePool *PMPRecurrentStatePoolCreate(PMPRecurrentStack *stack, id<MTLDevice> device);
void PMPRecurrentStatePoolRelease(PMPRecurrentStatePool *pool); // NULL is allowed

/// A state of undefined contents, which the caller releases. nil where memory runs out.
MPSRNNRecurrentMatrixState *PMPRecurrentStatePoolTake(PMPRecurrentStatePool *pool, size_t rows);

/// Takes over a state without references, and the reference that it had to the pool.
void PMPRecurrentStatePoolReturn(PMPRecurrentStatePool *pool, MPSRNNRecurrentMatrixState *state);

struct PMPRecurrentStateLayer {
    pymps_engine_state memory; // c is NULL where there is no memory cell
    id<MTLBuffer> h, c;        // the state's resources own them
    size_t outputs;
};

/// A state's own part. Its buffers are shared, or private under PYMPS_PORTABLE_PRIVATE=1.
struct PMPRecurrentStateStorage {
    atomic_uint references;
    atomic_bool isShown; // a caller has been given a matrix or a buffer, and may hold it longer than the state
    size_t rows, capacityRows;
    PMPRecurrentStatePool *pool; // a reference while the state is out
    PMPRecurrentStack *stack;    // retained: work that holds the state holds the weights too
    MPSRNNRecurrentMatrixState *next;
    struct PMPRecurrentStateLayer layers[]; // one for each of the stack
};

@interface MPSRNNRecurrentMatrixState (PMPRecurrentStatePool)

/// Without references, and out of no pool yet. nil where memory runs out.
- (instancetype)initWithStack:(PMPRecurrentStack *)stack device:(id<MTLDevice>)device rows:(size_t)rows;

@end
