#import "PMPSize.h"
#import "PMPState.h"
#import "PMPTrainingState.h"

@implementation MPSRNNMatrixTrainingState

- (instancetype)initWithCell:(PMPTrainingCell *)cell
                      device:(id<MTLDevice>)device
                      memory:(PMPTapeMemory *)memory
                        tape:(void *)tape
                       bytes:(size_t)bytes
                        rows:(NSUInteger)rows {
    self = [self initWithDevice:device resourceCount:1];
    if (self != nil) {
        _resources[0].bytes = bytes;
        _cell = [cell retain];
        _memory = [memory retain];
        _tape = tape;
        _rows = rows;
    }
    return self;
}

- (void)dealloc {
    [_cell release];
    [_memory release];
    [super dealloc];
}

/// The buffer in which the tape lies, among those of other steps.
- (nullable id<MTLResource>)resourceAtIndex:(NSUInteger)index allocateMemory:(BOOL)allocateMemory {
    id<MTLResource> own = [super resourceAtIndex:index allocateMemory:allocateMemory && _memory == nil];
    return index == 0 && _memory != nil ? [_memory show] : own;
}

@end

/// Of the tapes of all steps; SIZE_MAX where no size_t is large enough.
static size_t all_tape_bytes(const pymps_engine_training *training, const PMPSequence *sources) {
    size_t bytes = 0;
    for (NSUInteger step = 0; step < sources->steps; step++) {
        size_t tape = pymps_engine_training_tape_bytes(training, sources->matrices[step]->_rows);
        bytes = PMPSizeAdd(bytes, PMPSizeAligned(tape));
    }
    return bytes;
}

void PMPTrainingStatesMake(PMPTrainingCell *cell, PMPTapePool *pool, const PMPSequence *sources, BOOL areTemporary,
                           NSMutableArray<MPSRNNMatrixTrainingState *> *states, void **tapes, PMPEncoding encoding) {
    const pymps_engine_training *training = PMPTrainingCellOf(cell)->training;
    size_t bytes = all_tape_bytes(training, sources);
    PMPTapeMemory *memory = [[[PMPTapeMemory alloc] initWithPool:pool bytes:bytes] autorelease];
    if (memory == nil) {
        PMPRaiseOutOfMemory(encoding.kernel, encoding.selector, @"trainingStates: no memory for their %zu bytes",
                            bytes);
    }
    [encoding.commandBuffer holdUntilCompleted:memory];
    char *next = [memory address];
    for (NSUInteger step = 0; step < sources->steps; step++) {
        NSUInteger rows = sources->matrices[step]->_rows;
        size_t tapeBytes = pymps_engine_training_tape_bytes(training, rows);
        MPSRNNMatrixTrainingState *state = [[MPSRNNMatrixTrainingState alloc] initWithCell:cell
                                                                                    device:sources->matrices[0]->_device
                                                                                    memory:memory
                                                                                      tape:next
                                                                                     bytes:tapeBytes
                                                                                      rows:rows];
        if (state == nil) {
            PMPRaiseOutOfMemory(encoding.kernel, encoding.selector, @"trainingStates: no memory for a state");
        }
        if (areTemporary) {
            PMPTemporaryBegin(&state->_temporary, encoding.commandBuffer, state);
        }
        [states addObject:state];
        [state release];
        tapes[step] = next;
        next += PMPSizeAligned(tapeBytes);
    }
}

void PMPTrainingStatesCheck(PMPTrainingCell *cell, NSArray<MPSRNNMatrixTrainingState *> *states,
                            const PMPSequence *sources, PMPEncoding encoding) {
    if (states.count != sources->steps) {
        PMPRaiseInvalidArgument(encoding.kernel, encoding.selector,
                                @"trainingStates: %lu, expected one for each of %lu %@", (unsigned long)states.count,
                                (unsigned long)sources->steps, sources->name);
    }
    if ([NSSet setWithArray:states].count != states.count) {
        PMPRaiseInvalidArgument(encoding.kernel, encoding.selector,
                                @"trainingStates: the same one twice, expected those of different steps");
    }
    NSUInteger step = 0;
    for (MPSRNNMatrixTrainingState *state in states) {
        if (![state isKindOfClass:[MPSRNNMatrixTrainingState class]] || state->_cell != cell ||
            state->_device != sources->matrices[0]->_device) {
            PMPRaiseAtStep(encoding, @"trainingStates", step, @"not of a forward pass of this layer");
        }
        if (state->_rows != sources->matrices[step]->_rows) {
            PMPRaiseAtStep(encoding, @"trainingStates", step, @"%lu rows, expected the source's %lu",
                           (unsigned long)state->_rows, (unsigned long)sources->matrices[step]->_rows);
        }
        if (state.isTemporary && !PMPTemporaryIsUsable(&state->_temporary, encoding.commandBuffer)) {
            PMPRaiseAtStep(encoding, @"trainingStates", step,
                           @"a temporary state without reads left, or of another command buffer");
        }
        step++;
    }
}

void PMPTrainingStatesRead(NSArray<MPSRNNMatrixTrainingState *> *states, void **tapes,
                           PMPCommandBuffer *commandBuffer) {
    PMPTapeMemory *held = nil;
    for (MPSRNNMatrixTrainingState *state in states) {
        if (state->_memory != held) {
            held = state->_memory;
            [commandBuffer holdUntilCompleted:held];
        }
        *tapes++ = state->_tape;
        if (state.isTemporary) {
            state.readCount -= 1;
        }
    }
}
