// The sequences of images that recurrent layers read and write, and their rules.
#import "PMPEncoding.h"
#import "PMPRecurrentState.h"

/// An argument of an encode method.
typedef struct PMPImageSequence {
    NSArray<MPSImage *> *images;
    NSString *name; // of the argument
} PMPImageSequence;

/// Raises unless there is an image; each has these channels, is of the kernel's device and is usable on the
/// command buffer; and all have the size and the number of images of the first.
void PMPImageSequenceCheck(PMPImageSequence sequence, size_t channels, PMPEncoding encoding);

/// Raises unless destinations have the steps and the size of the sources and share no memory with them.
void PMPImageSequenceCheckPair(PMPImageSequence sources, PMPImageSequence destinations, PMPEncoding encoding);

/// Raises where a destination shares memory with a state that is read, and that a caller has seen.
void PMPImageSequenceCheckState(PMPImageSequence destinations, MPSState *state, PMPEncoding encoding);

PMPRecurrentShape PMPImageSequenceShape(PMPImageSequence sequence);

/// Writes the images down for the engine, and has the command buffer hold their memory.
void PMPImageSequenceEncode(PMPImageSequence sequence, pymps_engine_matrix *matrices, PMPCommandBuffer *commandBuffer);

/// Lowers the read count of each temporary image once, however often it occurs.
void PMPImageSequenceDidRead(PMPImageSequence sequence);
