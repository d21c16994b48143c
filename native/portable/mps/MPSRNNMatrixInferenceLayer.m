#import "PMPArchive.h"
#import "PMPBidirectionalRun.h"
#import "PMPRecurrentRecipe.h"
#import "PMPRecurrentRun.h"
#import "PMPRecurrentStatePool.h"
#import "PMPSequence.h"
#import "PMPTemporaryRules.h"

// 2: weights may be bytes. Nothing else has changed since 1.
enum { kOldestArchiveVersion = 1, kArchiveVersion = 2 };

@implementation MPSRNNMatrixInferenceLayer

@synthesize recurrentOutputIsTemporary = _recurrentOutputIsTemporary;
@synthesize storeAllIntermediateStates = _storeAllIntermediateStates;
@synthesize bidirectionalCombineMode = _bidirectionalCombineMode;

- (instancetype)initWithDevice:(id<MTLDevice>)device stack:(PMPRecurrentStack *)stack {
    self = [super initWithDevice:device];
    if (self != nil && ![self takeStack:stack]) {
        [self release];
        return nil;
    }
    return self;
}

/// NO where memory runs out.
- (BOOL)takeStack:(PMPRecurrentStack *)stack {
    _stack = [stack retain];
    _statePool = PMPRecurrentStatePoolCreate(stack, _device);
    return _statePool != NULL;
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
    return stack == nil ? nil : [[self retain] initWithDevice:device stack:stack];
}

- (instancetype)initWithDevice:(id<MTLDevice>)device rnnDescriptor:(const MPSRNNDescriptor *)rnnDescriptor {
    if (rnnDescriptor == nil) {
        [self autorelease];
        PMPInvalidArgument(@"rnnDescriptor: nil, expected a descriptor");
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
    PMPRecurrentStatePoolRelease(_statePool);
    [super dealloc];
}

- (void)encodeWithCoder:(NSCoder *)aCoder {
    [super encodeWithCoder:aCoder];
    PMPArchiveWrite(aCoder, @"layer", @{
        @"version" : @(kArchiveVersion),
        @"stack" : [_stack propertyList],
        @"recurrentOutputIsTemporary" : @(_recurrentOutputIsTemporary),
        @"storeAllIntermediateStates" : @(_storeAllIntermediateStates),
        @"bidirectionalCombineMode" : @(_bidirectionalCombineMode),
    });
}

- (nullable instancetype)initWithCoder:(NSCoder *)aDecoder device:(id<MTLDevice>)device {
    self = [[super initWithCoder:aDecoder device:device] autorelease];
    NSDictionary *archive = self != nil ? PMPArchiveRead(aDecoder, @"layer") : nil;
    if (archive == nil) {
        return nil;
    }
    @try {
        return [self takeArchive:archive argument:(PMPArgument){self, _cmd, @"layer"}] ? [self retain] : nil;
    } @catch (NSException *exception) {
        PMPArchiveFail(aDecoder, exception.reason);
        return nil;
    }
}

/// NO where memory runs out. Raises where the archive holds something else.
- (BOOL)takeArchive:(NSDictionary *)archive argument:(PMPArgument)argument {
    NSNumber *version = PMPPropertyListValue(archive, @"version", [NSNumber class], argument);
    if (version.integerValue < kOldestArchiveVersion || version.integerValue > kArchiveVersion) {
        PMPRaiseInvalid(argument, @"version %@, expected %d to %d", version, kOldestArchiveVersion, kArchiveVersion);
    }
    NSNumber *temporary = PMPPropertyListValue(archive, @"recurrentOutputIsTemporary", [NSNumber class], argument);
    NSNumber *all = PMPPropertyListValue(archive, @"storeAllIntermediateStates", [NSNumber class], argument);
    NSNumber *mode = PMPPropertyListValue(archive, @"bidirectionalCombineMode", [NSNumber class], argument);
    NSArray *stack = PMPPropertyListValue(archive, @"stack", [NSArray class], argument);
    if (mode.unsignedIntegerValue > MPSRNNBidirectionalCombineModeConcatenate) {
        PMPRaiseInvalid(argument, @"bidirectionalCombineMode %@, expected one of its values", mode);
    }
    _recurrentOutputIsTemporary = temporary.intValue != 0;
    _storeAllIntermediateStates = all.intValue != 0;
    _bidirectionalCombineMode = mode.unsignedIntegerValue;
    argument.name = @"layer.stack";
    NSArray *descriptors = [PMPRecurrentRecipe descriptorsWithPropertyList:stack argument:argument];
    PMPRecurrentStack *made = [[[PMPRecurrentStack alloc] initWithDescriptors:descriptors
                                                                     argument:argument] autorelease];
    return made != nil && [self takeStack:made];
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

/// The threads that this layer and its copies share their work with; nil: none. Before the first encode.
- (void)setTeam:(PMPTeam *)team {
    [_stack setTeam:team];
}

- (NSUInteger)inputFeatureChannels {
    return PMPRecurrentChainInputs(_stack->_whole);
}

- (NSUInteger)outputFeatureChannels {
    return PMPRecurrentChainOutputs(_stack->_whole);
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
    PMPSequence sources, destinations;
    PMPSequenceRead(&sources, sourceMatrices, sourceOffsets, @"sourceMatrices");
    PMPSequenceRead(&destinations, destinationMatrices, destinationOffsets, @"destinationMatrices");
    if ((_options & MPSKernelOptionsSkipAPIValidation) == 0) {
        [self checkSources:&sources destinations:&destinations state:recurrentInputState encoding:encoding];
    }

    size_t steps = sources.steps, rows = sources.matrices[0]->_rows;
    size_t stateCount = _storeAllIntermediateStates && recurrentOutputStates != nil ? steps : 1;
    PMPRecurrentRun *run =
        [encoding.commandBuffer encodeCommand:PMPRecurrentRunExecute
                                  recordBytes:PMPRecurrentRunRecordBytes(_stack->_count, steps, stateCount)
                               workspaceBytes:PMPRecurrentChainWorkspaceBytes(_stack->_whole, steps, rows)];
    *run = (PMPRecurrentRun){.chain = _stack->_whole,
                             .steps = steps,
                             .rows = rows,
                             .state_count = stateCount,
                             .has_initial = recurrentInputState != nil,
                             .descending = _descends};
    _descends ^= steps & 1;
    [self addStatesOf:run to:recurrentOutputStates encoding:encoding];
    PMPSequenceEncode(&sources, PMPRecurrentRunSources(run), encoding.commandBuffer);
    PMPSequenceEncode(&destinations, PMPRecurrentRunDestinations(run), encoding.commandBuffer);
    PMPSequenceDidRead(&sources);
    if (recurrentInputState != nil) {
        [self readState:recurrentInputState into:run encoding:encoding];
    }
    run->is_complete = true;
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
    PMPSequenceCheck(sources, PMPRecurrentChainInputs(_stack->_whole), _device, encoding);
    PMPSequenceCheck(destinations, PMPRecurrentChainOutputs(_stack->_whole), _device, encoding);
    PMPSequenceCheckPair(sources, destinations, encoding);
    if (state != nil) {
        [self checkState:state rows:sources->matrices[0]->_rows encoding:encoding];
        if (atomic_load_explicit(&state->_storage->isShown, memory_order_relaxed)) {
            PMPSequenceCheckState(destinations, state, encoding);
        }
    }
}

- (void)checkState:(MPSRNNRecurrentMatrixState *)state rows:(size_t)rows encoding:(PMPEncoding)encoding {
    const struct PMPRecurrentStateStorage *storage = state->_storage;
    if (storage == NULL || state->_device != _device ||
        (storage->stack != _stack && ![_stack hasStatesOf:storage->stack])) {
        PMPRaiseInvalidArgument(self, encoding.selector,
                                @"recurrentInputState: not of a layer with this device and these channels");
    }
    if (storage->rows != rows) {
        PMPRaiseInvalidArgument(self, encoding.selector,
                                @"recurrentInputState: %zu rows, expected the %zu of sourceMatrices[0]", storage->rows,
                                rows);
    }
    if (state->_temporary.commandBuffer != nil && !PMPTemporaryIsUsable(&state->_temporary, encoding.commandBuffer)) {
        PMPRaiseInvalidArgument(
            self, encoding.selector,
            @"recurrentInputState: a temporary state without reads left, or of another command buffer");
    }
}

/// Makes the states that the run writes, and appends them to the caller's array where there is one. The command buffer
/// holds them, and through them the stack.
- (void)addStatesOf:(PMPRecurrentRun *)run
                 to:(NSMutableArray<MPSRNNRecurrentMatrixState *> *)outputStates
           encoding:(PMPEncoding)encoding {
    pymps_engine_state *memories = PMPRecurrentRunStates(run);
    for (size_t step = 0; step < run->state_count; step++) {
        MPSRNNRecurrentMatrixState *state = PMPRecurrentStatePoolTake(_statePool, run->rows);
        if (state == nil) {
            [outputStates removeObjectsInRange:NSMakeRange(outputStates.count - step, step)];
            PMPRaiseInvalidArgument(self, encoding.selector, @"recurrentOutputStates: no memory for a state");
        }
        for (size_t i = 0; i < run->chain.count; i++) {
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
    for (size_t i = 0; i < run->chain.count; i++) {
        initial[i] = state->_storage->layers[i].memory;
    }
    [encoding.commandBuffer holdUntilCompleted:state];
    if (state->_temporary.commandBuffer != nil) {
        state.readCount -= 1;
    }
}

// Both directions

- (void)encodeBidirectionalSequenceToCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
                                    sourceSequence:(NSArray<MPSMatrix *> *)sourceSequence
                        destinationForwardMatrices:(NSArray<MPSMatrix *> *)destinationForwardMatrices
                       destinationBackwardMatrices:(nullable NSArray<MPSMatrix *> *)destinationBackwardMatrices {
    const PMPEncoding encoding = {self, _cmd, PMPPortableCommandBuffer(commandBuffer, _cmd)};
    BOOL areSeparate = _bidirectionalCombineMode == MPSRNNBidirectionalCombineModeNone;
    PMPSequence sources, forward, backward;
    PMPSequenceRead(&sources, sourceSequence, NULL, @"sourceSequence");
    PMPSequenceRead(&forward, destinationForwardMatrices, NULL, @"destinationForwardMatrices");
    PMPSequenceRead(&backward, areSeparate ? destinationBackwardMatrices : nil, NULL, @"destinationBackwardMatrices");
    if ((_options & MPSKernelOptionsSkipAPIValidation) == 0) {
        [self checkDirections:encoding];
        [self checkSources:&sources forward:&forward encoding:encoding];
        if (areSeparate) {
            PMPSequenceCheck(&backward, PMPRecurrentChainOutputs(_stack->_backward), _device, encoding);
            PMPSequenceCheckPair(&sources, &backward, encoding);
        }
    }

    const PMPBidirectionalRun run = {.forward.chain = _stack->_forward,
                                     .backward.chain = _stack->_backward,
                                     .steps = sources.steps,
                                     .rows = sources.matrices[0]->_rows,
                                     .mode = _bidirectionalCombineMode};
    void *record = [encoding.commandBuffer encodeCommand:PMPBidirectionalRunExecute
                                             recordBytes:PMPBidirectionalRunRecordBytes(&run)
                                          workspaceBytes:PMPBidirectionalRunWorkspaceBytes(&run)];
    PMPBidirectionalRun *begun = PMPBidirectionalRunBegin(&run, record);
    [encoding.commandBuffer holdUntilCompleted:_stack];
    PMPSequenceEncode(&sources, begun->forward.x, encoding.commandBuffer);
    PMPSequenceEncode(&forward, begun->forward.y, encoding.commandBuffer);
    if (areSeparate) {
        PMPSequenceEncode(&backward, begun->backward.y, encoding.commandBuffer);
    }
    PMPSequenceDidRead(&sources);
    PMPBidirectionalRunComplete(begun);
}

/// The stack has two halves that read the same input, and whose outputs can be combined.
- (void)checkDirections:(PMPEncoding)encoding {
    PMPRecurrentChain forward = _stack->_forward, backward = _stack->_backward;
    if (forward.count == 0 || backward.count == 0) {
        PMPRaiseInvalidArgument(
            self, encoding.selector,
            @"receiver: %zu layers that run forward and %zu that run backward, expected some of each", forward.count,
            backward.count);
    }
    if (PMPRecurrentChainInputs(forward) != PMPRecurrentChainInputs(backward)) {
        PMPRaiseInvalidArgument(self, encoding.selector,
                                @"receiver: %zu input feature channels forward and %zu backward, expected the same",
                                PMPRecurrentChainInputs(forward), PMPRecurrentChainInputs(backward));
    }
    if (_bidirectionalCombineMode > MPSRNNBidirectionalCombineModeConcatenate) {
        PMPRaiseInvalidArgument(self, encoding.selector,
                                @"bidirectionalCombineMode: %lu, expected one of MPSRNNBidirectionalCombineMode's",
                                (unsigned long)_bidirectionalCombineMode);
    }
    if (_bidirectionalCombineMode == MPSRNNBidirectionalCombineModeAdd &&
        PMPRecurrentChainOutputs(forward) != PMPRecurrentChainOutputs(backward)) {
        PMPRaiseInvalidArgument(
            self, encoding.selector,
            @"receiver: %zu output feature channels forward and %zu backward, expected as many, for "
            @"they are added",
            PMPRecurrentChainOutputs(forward), PMPRecurrentChainOutputs(backward));
    }
}

- (void)checkSources:(const PMPSequence *)sources
             forward:(const PMPSequence *)destinations
            encoding:(PMPEncoding)encoding {
    size_t columns = PMPRecurrentChainOutputs(_stack->_forward);
    if (_bidirectionalCombineMode == MPSRNNBidirectionalCombineModeConcatenate) {
        columns += PMPRecurrentChainOutputs(_stack->_backward);
    }
    PMPSequenceCheck(sources, PMPRecurrentChainInputs(_stack->_forward), _device, encoding);
    PMPSequenceCheck(destinations, columns, _device, encoding);
    PMPSequenceCheckPair(sources, destinations, encoding);
}

@end
