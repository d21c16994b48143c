#import "PMPRecurrentLayer.h"
#import "PMPArchive.h"
#import "PMPRecurrentRecipe.h"
#import "PMPTemporaryRules.h"

// 2: weights may be bytes. 3: they may have kernels.
enum { kOldestArchiveVersion = 1, kArchiveVersion = 3 };

@implementation PMPRecurrentLayer

- (instancetype)initWithDevice:(id<MTLDevice>)device stack:(PMPRecurrentStack *)stack {
    self = [super init];
    if (self != nil && ![self takeStack:stack device:device]) {
        [self release];
        return nil;
    }
    return self;
}

/// NO where memory runs out.
- (BOOL)takeStack:(PMPRecurrentStack *)stack device:(id<MTLDevice>)device {
    _stack = [stack retain];
    _device = [device retain];
    _statePool = PMPRecurrentStatePoolCreate(stack, device);
    return _statePool != NULL;
}

- (instancetype)initWithDevice:(id<MTLDevice>)device
                   descriptors:(NSArray<const MPSRNNDescriptor *> *)descriptors
                          form:(PMPRecurrentForm)form
                      argument:(PMPArgument)argument {
    [self autorelease]; // a violation leaves nothing behind
    PMPRecurrentStack *stack = [[[PMPRecurrentStack alloc] initWithDescriptors:descriptors form:form
                                                                      argument:argument] autorelease];
    return stack == nil ? nil : [[self retain] initWithDevice:device stack:stack];
}

- (instancetype)initWithDevice:(id<MTLDevice>)device copyOf:(PMPRecurrentLayer *)other {
    self = [self initWithDevice:device stack:other->_stack];
    if (self != nil) {
        _recurrentOutputIsTemporary = other->_recurrentOutputIsTemporary;
        _storeAllIntermediateStates = other->_storeAllIntermediateStates;
        _bidirectionalCombineMode = other->_bidirectionalCombineMode;
    }
    return self;
}

- (void)dealloc {
    [_stack release];
    [_device release];
    PMPRecurrentStatePoolRelease(_statePool);
    [super dealloc];
}

// Archives

- (void)encodeWithCoder:(NSCoder *)coder {
    PMPArchiveWrite(coder, @"layer", @{
        @"version" : @(kArchiveVersion),
        @"stack" : [_stack propertyList],
        @"recurrentOutputIsTemporary" : @(_recurrentOutputIsTemporary),
        @"storeAllIntermediateStates" : @(_storeAllIntermediateStates),
        @"bidirectionalCombineMode" : @(_bidirectionalCombineMode),
    });
}

- (instancetype)initWithDevice:(id<MTLDevice>)device
                         coder:(NSCoder *)coder
                          form:(PMPRecurrentForm)form
                      argument:(PMPArgument)argument {
    self = [[super init] autorelease];
    NSDictionary *archive = PMPArchiveRead(coder, @"layer");
    if (archive == nil) {
        return nil;
    }
    @try {
        PMPRecurrentStack *stack = [self readArchive:archive form:form argument:argument];
        return stack != nil && [self takeStack:stack device:device] ? [self retain] : nil;
    } @catch (NSException *exception) {
        PMPArchiveFail(coder, exception.reason);
        return nil;
    }
}

/// Takes the properties over; the stack, or nil where memory runs out. Raises where the archive holds something else.
- (PMPRecurrentStack *)readArchive:(NSDictionary *)archive form:(PMPRecurrentForm)form argument:(PMPArgument)argument {
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
    return [[[PMPRecurrentStack alloc] initWithDescriptors:descriptors form:form argument:argument] autorelease];
}

@end

// Rules

void PMPRecurrentLayerCheckStack(PMPRecurrentLayer *layer, PMPEncoding encoding) {
    if (layer->_stack->_brokenAt != 0) {
        PMPRaiseInvalidArgument(encoding.kernel, encoding.selector,
                                @"receiver: layer %zu does not take the outputs of the layer before, which runs in the "
                                @"other direction; a stack for bidirectional encoding",
                                layer->_stack->_brokenAt);
    }
}

/// "3 rows", or "3 images of 4 x 2".
static NSString *size_of(PMPRecurrentShape shape) {
    if (shape.width == 0) {
        return [NSString stringWithFormat:@"%zu rows", shape.rows];
    }
    return [NSString stringWithFormat:@"%zu images of %zu x %zu", shape.rows / (shape.width * shape.height),
                                      shape.width, shape.height];
}

void PMPRecurrentLayerCheckState(PMPRecurrentLayer *layer, MPSState *state, PMPRecurrentShape shape,
                                 PMPEncoding encoding) {
    const struct PMPRecurrentStateStorage *storage = state->_storage;
    if (storage == NULL || state->_device != layer->_device ||
        (storage->stack != layer->_stack && ![layer->_stack hasStatesOf:storage->stack])) {
        PMPRaiseInvalidArgument(encoding.kernel, encoding.selector,
                                @"recurrentInputState: not of a layer with this device and these channels");
    }
    PMPRecurrentCheckStateShape(state, shape, encoding);
}

void PMPRecurrentCheckStateShape(MPSState *state, PMPRecurrentShape shape, PMPEncoding encoding) {
    const struct PMPRecurrentStateStorage *storage = state->_storage;
    if (storage->shape.rows != shape.rows || storage->shape.width != shape.width ||
        storage->shape.height != shape.height) {
        PMPRaiseInvalidArgument(encoding.kernel, encoding.selector,
                                @"recurrentInputState: %@, expected the %@ of the first source",
                                size_of(storage->shape), size_of(shape));
    }
    PMPRecurrentCheckStateLease(state, encoding);
}

void PMPRecurrentCheckStateLease(MPSState *state, PMPEncoding encoding) {
    if (state->_temporary.commandBuffer != nil && !PMPTemporaryIsUsable(&state->_temporary, encoding.commandBuffer)) {
        PMPRaiseInvalidArgument(
            encoding.kernel, encoding.selector,
            @"recurrentInputState: a temporary state without reads left, or of another command buffer");
    }
}

void PMPRecurrentLayerCheckDirections(PMPRecurrentLayer *layer, PMPEncoding encoding) {
    PMPRecurrentChain forward = layer->_stack->_forward, backward = layer->_stack->_backward;
    if (forward.count == 0 || backward.count == 0) {
        PMPRaiseInvalidArgument(
            encoding.kernel, encoding.selector,
            @"receiver: %zu layers that run forward and %zu that run backward, expected some of each", forward.count,
            backward.count);
    }
    if (PMPRecurrentChainInputs(forward) != PMPRecurrentChainInputs(backward)) {
        PMPRaiseInvalidArgument(encoding.kernel, encoding.selector,
                                @"receiver: %zu input feature channels forward and %zu backward, expected the same",
                                PMPRecurrentChainInputs(forward), PMPRecurrentChainInputs(backward));
    }
    if (layer->_bidirectionalCombineMode > MPSRNNBidirectionalCombineModeConcatenate) {
        PMPRaiseInvalidArgument(encoding.kernel, encoding.selector,
                                @"bidirectionalCombineMode: %lu, expected one of MPSRNNBidirectionalCombineMode's",
                                (unsigned long)layer->_bidirectionalCombineMode);
    }
    if (layer->_bidirectionalCombineMode == MPSRNNBidirectionalCombineModeAdd &&
        PMPRecurrentChainOutputs(forward) != PMPRecurrentChainOutputs(backward)) {
        PMPRaiseInvalidArgument(
            encoding.kernel, encoding.selector,
            @"receiver: %zu output feature channels forward and %zu backward, expected as many, for "
            @"they are added",
            PMPRecurrentChainOutputs(forward), PMPRecurrentChainOutputs(backward));
    }
}

size_t PMPRecurrentLayerForwardChannels(PMPRecurrentLayer *layer) {
    size_t channels = PMPRecurrentChainOutputs(layer->_stack->_forward);
    if (layer->_bidirectionalCombineMode == MPSRNNBidirectionalCombineModeConcatenate) {
        channels += PMPRecurrentChainOutputs(layer->_stack->_backward);
    }
    return channels;
}

// Runs

PMPRecurrentRun *PMPRecurrentLayerBegin(PMPRecurrentLayer *layer, PMPRecurrentShape shape, MPSState *state,
                                        NSMutableArray *states, PMPEncoding encoding) {
    size_t stateCount = layer->_storeAllIntermediateStates && states != nil ? shape.steps : 1;
    PMPRecurrentRun *run =
        [encoding.commandBuffer encodeCommand:PMPRecurrentRunExecute
                                  recordBytes:PMPRecurrentRunRecordBytes(layer->_stack->_count, shape.steps, stateCount)
                               workspaceBytes:PMPRecurrentChainWorkspaceBytes(layer->_stack->_whole, shape)];
    *run = (PMPRecurrentRun){.chain = layer->_stack->_whole,
                             .shape = shape,
                             .state_count = stateCount,
                             .has_initial = state != nil,
                             .descending = layer->_descends};
    layer->_descends ^= shape.steps & 1;
    PMPRecurrentStatePoolEncode(layer->_statePool, shape, stateCount, layer->_recurrentOutputIsTemporary, states,
                                PMPRecurrentRunStates(run), encoding);
    return run;
}

void PMPRecurrentRunComplete(PMPRecurrentRun *run, MPSState *state, PMPCommandBuffer *commandBuffer) {
    if (state != nil) {
        pymps_engine_state *initial = PMPRecurrentRunInitialStates(run);
        for (size_t i = 0; i < run->chain.count; i++) {
            initial[i] = state->_storage->layers[i].memory;
        }
        PMPRecurrentStateRead(state, commandBuffer);
    }
    run->is_complete = true;
}

void PMPRecurrentStateRead(MPSState *state, PMPCommandBuffer *commandBuffer) {
    [commandBuffer holdUntilCompleted:state];
    if (state->_temporary.commandBuffer != nil) {
        state.readCount -= 1;
    }
}

PMPBidirectionalRun *PMPRecurrentLayerBeginBidirectional(PMPRecurrentLayer *layer, PMPRecurrentShape shape,
                                                         PMPEncoding encoding) {
    const PMPBidirectionalRun run = {.forward.chain = layer->_stack->_forward,
                                     .backward.chain = layer->_stack->_backward,
                                     .shape = shape,
                                     .mode = layer->_bidirectionalCombineMode};
    void *record = [encoding.commandBuffer encodeCommand:PMPBidirectionalRunExecute
                                             recordBytes:PMPBidirectionalRunRecordBytes(&run)
                                          workspaceBytes:PMPBidirectionalRunWorkspaceBytes(&run)];
    [encoding.commandBuffer holdUntilCompleted:layer->_stack];
    return PMPBidirectionalRunBegin(&run, record);
}
