// The states that a layer makes, used again when they come back.
#import "PMPRecurrentStack.h"
#include <stdatomic.h>

/// A layer's own: one thread at a time asks for states. They may come back from any thread; a state that is out keeps
/// the pool alive.
@interface PMPRecurrentStatePool : NSObject {
    PMPRecurrentStack *_stack;
    id<MTLDevice> _device;
    MPSRNNRecurrentMatrixState *_idle; // a list of the asking thread's
    _Atomic(void *) _returned;         // a list of states that any thread pushes to and the asking thread takes whole
    atomic_uint _count;                // in both lists
}

- (instancetype)initWithStack:(PMPRecurrentStack *)stack device:(id<MTLDevice>)device;

/// A state of undefined contents. nil where memory runs out.
- (MPSRNNRecurrentMatrixState *)newStateWithRows:(size_t)rows;

/// Takes over a state that nobody refers to any more.
- (void)takeBack:(MPSRNNRecurrentMatrixState *)state;

@end

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
    PMPRecurrentStatePool *pool; // retained while the state is out, else nil
    PMPRecurrentStack *stack;    // retained
    MPSRNNRecurrentMatrixState *next;
    struct PMPRecurrentStateLayer layers[]; // one for each of the stack
};

@interface MPSRNNRecurrentMatrixState (PMPRecurrentStatePool)

/// nil where memory runs out.
- (instancetype)initWithStack:(PMPRecurrentStack *)stack device:(id<MTLDevice>)device rows:(size_t)rows;
/// Out of the pool, with one reference.
- (void)beginUseWithRows:(size_t)rows pool:(PMPRecurrentStatePool *)pool;

@end
