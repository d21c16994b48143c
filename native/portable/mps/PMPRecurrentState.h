// The states that recurrent layers make: an MPSState with storage of this kind.
#import "PMPMemoryRegion.h"
#import "PMPRecurrentStack.h"
#include <stdatomic.h>

struct PMPRecurrentStatePool;

struct PMPRecurrentStateLayer {
    pymps_engine_state memory; // c is NULL where there is no memory cell
    id<MTLBuffer> h, c;        // the state's resources own them
    size_t outputs;
};

/// A state's own part. Its buffers are shared, or private under PYMPS_PORTABLE_PRIVATE=1.
struct PMPRecurrentStateStorage {
    atomic_uint references;
    atomic_bool
        isShown; // a caller has been given a matrix, an image or a buffer, and may hold it longer than the state
    PMPRecurrentShape shape; // of the run that has made it
    size_t capacityRows;
    struct PMPRecurrentStatePool *pool; // a reference while the state is out
    PMPRecurrentStack *stack;           // retained: work that holds the state holds the weights too
    MPSState *next;
    struct PMPRecurrentStateLayer layers[]; // one for each of the stack
};

// NULL is allowed.
void PMPRecurrentStateStorageFree(struct PMPRecurrentStateStorage *storage);
void PMPRecurrentStateStorageShow(struct PMPRecurrentStateStorage *storage);

/// Whether a byte of the region belongs to the states of the storage.
bool PMPRecurrentStateStorageShares(const struct PMPRecurrentStateStorage *storage, PMPMemoryRegion region);

/// A state with storage counts its own references, so that the last release hands it back to the pool of the layer that
/// made it. One without is an ordinary object.
@interface MPSState (PMPRecurrentState)

/// Without references, and out of no pool yet. nil where memory runs out.
- (instancetype)initWithStack:(PMPRecurrentStack *)stack device:(id<MTLDevice>)device shape:(PMPRecurrentShape)shape;

/// For an accessor, which shows it to the caller. NULL beyond the last layer, and where no recurrent layer has made the
/// state; raises where a temporary one has lost its contents.
- (const struct PMPRecurrentStateLayer *)recurrentLayerAtIndex:(NSUInteger)index selector:(SEL)selector;

@end
