// The sequences of matrices that recurrent layers read and write, and their rules.
#import "PMPEncoding.h"
#import "PMPRecurrentState.h"

/// Of a matrix of floats.
static inline pymps_engine_type PMPEngineType(MPSDataType dataType) {
    return dataType == MPSDataTypeFloat16 ? PYMPS_ENGINE_FLOAT16 : PYMPS_ENGINE_FLOAT32;
}

/// Arguments of an encode method.
typedef struct PMPSequence {
    MPSMatrix **matrices;
    const NSUInteger *offsets; // one for each matrix, or NULL: zeros
    NSUInteger steps;
    NSString *name; // of the argument
    MPSMatrix *few[128];
} PMPSequence;

/// Fills `sequence`, which is used where it stands: few matrices are listed in itself, more in autoreleased memory.
void PMPSequenceRead(PMPSequence *sequence, NSArray<MPSMatrix *> *matrices, const NSUInteger *offsets, NSString *name);

/// Raises unless there is a matrix; each has these columns, is of this device, lies in its buffer and is usable
/// on the command buffer; and rows do not grow from step to step.
void PMPSequenceCheck(const PMPSequence *sequence, size_t columns, id<MTLDevice> device, PMPEncoding encoding);

PMPRecurrentShape PMPSequenceShape(const PMPSequence *sequence);

/// What PMPSequenceCheck says of each matrix, of one; its rows are the caller's to check.
void PMPSequenceCheckMatrix(const PMPSequence *sequence, NSUInteger step, size_t columns, id<MTLDevice> device,
                            PMPEncoding encoding);

/// Raises unless destinations have the steps and the rows of the sources and share no memory with them.
void PMPSequenceCheckPair(const PMPSequence *sources, const PMPSequence *destinations, PMPEncoding encoding);

/// The halves of PMPSequenceCheckPair; apart may be any two lists of matrices.
void PMPSequenceCheckAlike(const PMPSequence *sources, const PMPSequence *destinations, PMPEncoding encoding);
void PMPSequenceCheckApart(const PMPSequence *sources, const PMPSequence *destinations, PMPEncoding encoding);

/// Raises where two matrices of a result share memory: what ends up there would depend on the threads.
void PMPSequenceCheckDistinct(const PMPSequence *destinations, PMPEncoding encoding);

/// Raises where a destination shares memory with a state that is read, and that a caller has seen.
void PMPSequenceCheckState(const PMPSequence *destinations, MPSState *state, PMPEncoding encoding);

/// Writes the matrices down for the engine, and has the command buffer hold their memory.
void PMPSequenceEncode(const PMPSequence *sequence, pymps_engine_matrix *matrices, PMPCommandBuffer *commandBuffer);

/// Lowers the read count of each temporary matrix once, however often it occurs.
void PMPSequenceDidRead(const PMPSequence *sequence);

/// The same for all sequences that one kernel reads.
void PMPSequencesDidRead(const PMPSequence *const *sequences, size_t count);
