// A sequence of float32 matrices in a workspace.
#import "engine/engine.h"

/// For at most this many steps and rows; SIZE_MAX where no size_t is large enough.
size_t PMPScratchSequenceBytes(size_t steps, size_t rows, size_t columns);

/// Lays matrices with the rows of `like` out in `memory`, which is aligned to 64 bytes.
pymps_engine_matrix *PMPScratchSequenceMake(void *memory, const pymps_engine_matrix *like, size_t steps,
                                            size_t columns);
