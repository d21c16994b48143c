#import "PMPRecurrentRun.h"
#import "PMPRecurrentStatePool.h"
#import "PMPSequence.h"
#import "PMPTemporaryRules.h"

@implementation MPSRNNMatrixInferenceLayer

@synthesize recurrentOutputIsTemporary = _recurrentOutputIsTemporary;
@synthesize storeAllIntermediateStates = _storeAllIntermediateStates;
@synthesize bidirectionalCombineMode = _bidirectionalCombineMode;

- (instancetype)initWithDevice:(id<MTLDevice>)device stack:(PMPRecurrentStack *)stack {
    self = [super initWithDevice:device];
    if (self != nil) {
        _stack = [stack retain];
        _statePool = [[PMPRecurrentStatePool alloc] initWithStack:stack device:device];
    }
    return self;
}

- (instancetype)initWithDevice:(id<MTLDevice>)device
                rnnDescriptors:(NSArray<const MPSRNNDescriptor *> *)rnnDescriptors {
    if (!MPSSupportsMTLDevice(device)) {
        [self release];
        return nil;
    }
    [self autorelease]; // a violation leaves nothing behind
    PMPArgument argument = {self, _cmd, @"rnnDescriptors"};
    PMPRecurrentStack *stack = [[[PMPRecurrentStack alloc] initWithDescriptors:rnnDescriptors
                                                                      argument:argument] autorelease];
    return stack == nil ? nil : [[self initWithDevice:device stack:stack] retain];
}

- (instancetype)initWithDevice:(id<MTLDevice>)device rnnDescriptor:(const MPSRNNDescriptor *)rnnDescriptor {
    if (rnnDescriptor == nil) {
        [self autorelease];
        PMPInvalidArgument(@"rnnDescriptor: nil");
    }
    return [self initWithDevice:device rnnDescriptors:@[ rnnDescriptor ]];
}

- (instancetype)initWithDevice:(id<MTLDevice>)device {
    (void)device;
    [self autorelease];
    PMPInvalidArgument(@"receiver: a recurrent layer is made from a descriptor");
}

- (void)dealloc {
    [_stack release];
    [_statePool release];
    [super dealloc];
}

- (instancetype)copyWithZone:(nullable NSZone *)zone device:(nullable id<MTLDevice>)device {
    MPSRNNMatrixInferenceLayer *copy =
        [[[self class] allocWithZone:zone] initWithDevice:device != nil ? device : _device stack:_stack];
    copy.options = _options;
    copy.label = self.label;
    copy.recurrentOutputIsTemporary = _recurrentOutputIsTemporary;
    copy.storeAllIntermediateStates = _storeAllIntermediateStates;
    copy.bidirectionalCombineMode = _bidirectionalCombineMode;
    return copy;
}

- (NSUInteger)inputFeatureChannels {
    return _stack->_cells[0].inputs;
}

- (NSUInteger)outputFeatureChannels {
    return _stack->_cells[_stack->_count - 1].outputs;
}

- (NSUInteger)numberOfLayers {
    return _stack->_count;
}

- (void)encodeSequenceToCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
                       sourceMatrices:(NSArray<MPSMatrix *> *)sourceMatrices
                  destinationMatrices:(NSArray<MPSMatrix *> *)destinationMatrices
                  recurrentInputState:(nullable MPSRNNRecurrentMatrixState *)recurrentInputState
                recurrentOutputStates:(nullable NSMutableArray<MPSRNNRecurrentMatrixState *> *)recurrentOutputStates {
    [self encodeSequenceToCommandBuffer:commandBuffer
                         sourceMatrices:sourceMatrices
                          sourceOffsets:NULL
                    destinationMatrices:destinationMatrices
                     destinationOffsets:NULL
                    recurrentInputState:recurrentInputState
                  recurrentOutputStates:recurrentOutputStates];
}

- (void)encodeSequenceToCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
                       sourceMatrices:(NSArray<MPSMatrix *> *)sourceMatrices
                        sourceOffsets:(nullable NSUInteger *)sourceOffsets
                  destinationMatrices:(NSArray<MPSMatrix *> *)destinationMatrices
                   destinationOffsets:(nullable NSUInteger *)destinationOffsets
                  recurrentInputState:(nullable MPSRNNRecurrentMatrixState *)recurrentInputState
                recurrentOutputStates:(nullable NSMutableArray<MPSRNNRecurrentMatrixState *> *)recurrentOutputStates {
    const PMPEncoding encoding = {self, _cmd, PMPPortableCommandBuffer(commandBuffer, _cmd)};
    const PMPSequence sources = {sourceMatrices, sourceOffsets, @"sourceMatrices"};
    const PMPSequence destinations = {destinationMatrices, destinationOffsets, @"destinationMatrices"};
    if ((_options & MPSKernelOptionsSkipAPIValidation) == 0) {
        [self checkSources:&sources destinations:&destinations state:recurrentInputState encoding:encoding];
    }

    size_t steps = sourceMatrices.count, rows = [[sourceMatrices objectAtIndex:0] rows];
    size_t stateCount = _storeAllIntermediateStates && recurrentOutputStates != nil ? steps : 1;
    PMPRecurrentRun *run = [encoding.commandBuffer
         encodeCommand:PMPRecurrentRunExecute
           recordBytes:PMPRecurrentRunRecordBytes(_stack->_count, steps, stateCount)
        workspaceBytes:PMPRecurrentRunWorkspaceBytes(_stack->_cells, _stack->_count, steps, rows)];
    *run = (PMPRecurrentRun){.cells = _stack->_cells,
                             .cell_count = _stack->_count,
                             .steps = steps,
                             .rows = rows,
                             .state_count = stateCount,
                             .has_initial = recurrentInputState != nil};
    [encoding.commandBuffer holdUntilCompleted:_stack];
    [self addStatesOf:run to:recurrentOutputStates encoding:encoding];
    PMPSequenceEncode(&sources, PMPRecurrentRunSources(run), encoding.commandBuffer);
    PMPSequenceEncode(&destinations, PMPRecurrentRunDestinations(run), encoding.commandBuffer);
    PMPSequenceDidRead(&sources);
    if (recurrentInputState != nil) {
        [self readState:recurrentInputState into:run encoding:encoding];
    }
}

- (void)checkSources:(const PMPSequence *)sources
        destinations:(const PMPSequence *)destinations
               state:(MPSRNNRecurrentMatrixState *)state
            encoding:(PMPEncoding)encoding {
    if (_stack->_brokenAt != 0) {
        PMPRaiseInvalidArgument(self, encoding.selector,
                                @"receiver: layer %zu does not take the outputs of the layer before, which runs in the "
                                @"other direction; a stack for bidirectional encoding",
                                _stack->_brokenAt);
    }
    PMPSequenceCheck(sources, self.inputFeatureChannels, encoding);
    PMPSequenceCheck(destinations, self.outputFeatureChannels, encoding);
    PMPSequenceCheckPair(sources, destinations, encoding);
    if (state != nil) {
        [self checkState:state rows:[[sources->matrices objectAtIndex:0] rows] encoding:encoding];
        if (atomic_load_explicit(&state->_storage->isShown, memory_order_relaxed)) {
            PMPSequenceCheckState(destinations, state, encoding);
        }
    }
}

- (void)checkState:(MPSRNNRecurrentMatrixState *)state rows:(size_t)rows encoding:(PMPEncoding)encoding {
    const struct PMPRecurrentStateStorage *storage = state->_storage;
    if (storage == NULL || state->_device != _device || ![_stack hasStatesOf:storage->stack]) {
        PMPRaiseInvalidArgument(self, encoding.selector,
                                @"recurrentInputState: not of a layer with this device and these channels");
    }
    if (storage->rows != rows) {
        PMPRaiseInvalidArgument(self, encoding.selector,
                                @"recurrentInputState: %zu rows, the %zu of sourceMatrices[0] expected", storage->rows,
                                rows);
    }
    if (state->_temporary.commandBuffer != nil && !PMPTemporaryIsUsable(&state->_temporary, encoding.commandBuffer)) {
        PMPRaiseInvalidArgument(
            self, encoding.selector,
            @"recurrentInputState: a temporary state without reads left, or of another command buffer");
    }
}

/// Makes the states that the run writes, and appends them to the caller's array where there is one.
- (void)addStatesOf:(PMPRecurrentRun *)run
                 to:(NSMutableArray<MPSRNNRecurrentMatrixState *> *)outputStates
           encoding:(PMPEncoding)encoding {
    pymps_engine_state *memories = PMPRecurrentRunStates(run);
    for (size_t step = 0; step < run->state_count; step++) {
        MPSRNNRecurrentMatrixState *state = [_statePool newStateWithRows:run->rows];
        if (state == nil) {
            [outputStates removeObjectsInRange:NSMakeRange(outputStates.count - step, step)];
            *run = (PMPRecurrentRun){0}; // which runs nothing
            PMPRaiseInvalidArgument(self, encoding.selector, @"recurrentOutputStates: no memory for a state");
        }
        for (size_t i = 0; i < run->cell_count; i++) {
            memories[i * run->state_count + step] = state->_storage->layers[i].memory;
        }
        if (_recurrentOutputIsTemporary) {
            PMPTemporaryBegin(&state->_temporary, encoding.commandBuffer, state);
        } else {
            [encoding.commandBuffer holdUntilCompleted:state];
        }
        [outputStates addObject:state];
        [state release];
    }
}

- (void)readState:(MPSRNNRecurrentMatrixState *)state into:(PMPRecurrentRun *)run encoding:(PMPEncoding)encoding {
    pymps_engine_state *initial = PMPRecurrentRunInitialStates(run);
    for (size_t i = 0; i < run->cell_count; i++) {
        initial[i] = state->_storage->layers[i].memory;
    }
    [encoding.commandBuffer holdUntilCompleted:state];
    if (state->_temporary.commandBuffer != nil) {
        state.readCount -= 1;
    }
}

@end
