#import "PMPRecurrentLayer.h"
#import "PMPSequence.h"

@implementation MPSRNNMatrixInferenceLayer

- (instancetype)initWithDevice:(id<MTLDevice>)device
                rnnDescriptors:(NSArray<const MPSRNNDescriptor *> *)rnnDescriptors {
    self = [[super initWithDevice:device] autorelease]; // a violation leaves nothing behind
    if (self == nil) {
        return nil;
    }
    _layer = [[PMPRecurrentLayer alloc] initWithDevice:device
                                           descriptors:rnnDescriptors
                                                  form:PMPRecurrentFormMatrices
                                              argument:(PMPArgument){self, _cmd, @"rnnDescriptors"}];
    return _layer != nil ? [self retain] : nil;
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
    [_layer release];
    [super dealloc];
}

- (void)encodeWithCoder:(NSCoder *)aCoder {
    [super encodeWithCoder:aCoder];
    [_layer encodeWithCoder:aCoder];
}

- (nullable instancetype)initWithCoder:(NSCoder *)aDecoder device:(id<MTLDevice>)device {
    self = [[super initWithCoder:aDecoder device:device] autorelease];
    if (self == nil) {
        return nil;
    }
    _layer = [[PMPRecurrentLayer alloc] initWithDevice:device
                                                 coder:aDecoder
                                                  form:PMPRecurrentFormMatrices
                                              argument:(PMPArgument){self, _cmd, @"layer"}];
    return _layer != nil ? [self retain] : nil;
}

- (instancetype)copyWithZone:(nullable NSZone *)zone device:(nullable id<MTLDevice>)device {
    MPSRNNMatrixInferenceLayer *copy = [[self class] allocWithZone:zone];
    return [copy initWithDevice:device != nil ? device : _device copyOf:self];
}

- (instancetype)initWithDevice:(id<MTLDevice>)device copyOf:(MPSRNNMatrixInferenceLayer *)other {
    self = [[super initWithDevice:device] autorelease];
    if (self == nil) {
        return nil;
    }
    self.options = other.options;
    self.label = other.label;
    _layer = [[PMPRecurrentLayer alloc] initWithDevice:device copyOf:other->_layer];
    return _layer != nil ? [self retain] : nil;
}

/// The threads that this layer and its copies share their work with; nil: none. Before the first encode.
- (void)setTeam:(PMPTeam *)team {
    [_layer->_stack setTeam:team];
}

- (NSUInteger)inputFeatureChannels {
    return PMPRecurrentChainInputs(_layer->_stack->_whole);
}

- (NSUInteger)outputFeatureChannels {
    return PMPRecurrentChainOutputs(_layer->_stack->_whole);
}

- (NSUInteger)numberOfLayers {
    return _layer->_stack->_count;
}

- (BOOL)recurrentOutputIsTemporary {
    return _layer->_recurrentOutputIsTemporary;
}

- (void)setRecurrentOutputIsTemporary:(BOOL)isTemporary {
    _layer->_recurrentOutputIsTemporary = isTemporary;
}

- (BOOL)storeAllIntermediateStates {
    return _layer->_storeAllIntermediateStates;
}

- (void)setStoreAllIntermediateStates:(BOOL)storesAll {
    _layer->_storeAllIntermediateStates = storesAll;
}

- (MPSRNNBidirectionalCombineMode)bidirectionalCombineMode {
    return _layer->_bidirectionalCombineMode;
}

- (void)setBidirectionalCombineMode:(MPSRNNBidirectionalCombineMode)mode {
    _layer->_bidirectionalCombineMode = mode;
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

    const NSUInteger stateCount = recurrentOutputStates.count;
    @try {
        PMPRecurrentRun *run = PMPRecurrentLayerBegin(_layer, PMPSequenceShape(&sources), recurrentInputState,
                                                      recurrentOutputStates, encoding);
        PMPSequenceEncode(&sources, PMPRecurrentRunSources(run), encoding.commandBuffer);
        PMPSequenceEncode(&destinations, PMPRecurrentRunDestinations(run), encoding.commandBuffer);
        PMPSequenceDidRead(&sources);
        PMPRecurrentRunComplete(run, recurrentInputState, encoding.commandBuffer);
    } @catch (NSException *exception) {
        PMPArrayCut(recurrentOutputStates, stateCount);
        @throw;
    }
}

- (void)checkSources:(const PMPSequence *)sources
        destinations:(const PMPSequence *)destinations
               state:(MPSRNNRecurrentMatrixState *)state
            encoding:(PMPEncoding)encoding {
    const PMPRecurrentStack *stack = _layer->_stack;
    PMPRecurrentLayerCheckStack(_layer, encoding);
    PMPSequenceCheck(sources, PMPRecurrentChainInputs(stack->_whole), _device, encoding);
    PMPSequenceCheck(destinations, PMPRecurrentChainOutputs(stack->_whole), _device, encoding);
    PMPSequenceCheckPair(sources, destinations, encoding);
    if (state != nil) {
        PMPRecurrentLayerCheckState(_layer, state, PMPSequenceShape(sources), encoding);
        PMPSequenceCheckState(destinations, state, encoding);
    }
}

- (void)encodeBidirectionalSequenceToCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
                                    sourceSequence:(NSArray<MPSMatrix *> *)sourceSequence
                        destinationForwardMatrices:(NSArray<MPSMatrix *> *)destinationForwardMatrices
                       destinationBackwardMatrices:(nullable NSArray<MPSMatrix *> *)destinationBackwardMatrices {
    const PMPEncoding encoding = {self, _cmd, PMPPortableCommandBuffer(commandBuffer, _cmd)};
    const PMPRecurrentStack *stack = _layer->_stack;
    BOOL areSeparate = _layer->_bidirectionalCombineMode == MPSRNNBidirectionalCombineModeNone;
    PMPSequence sources, forward, backward;
    PMPSequenceRead(&sources, sourceSequence, NULL, @"sourceSequence");
    PMPSequenceRead(&forward, destinationForwardMatrices, NULL, @"destinationForwardMatrices");
    PMPSequenceRead(&backward, areSeparate ? destinationBackwardMatrices : nil, NULL, @"destinationBackwardMatrices");
    if ((_options & MPSKernelOptionsSkipAPIValidation) == 0) {
        PMPRecurrentLayerCheckDirections(_layer, encoding);
        PMPSequenceCheck(&sources, PMPRecurrentChainInputs(stack->_forward), _device, encoding);
        PMPSequenceCheck(&forward, PMPRecurrentLayerForwardChannels(_layer), _device, encoding);
        PMPSequenceCheckPair(&sources, &forward, encoding);
        if (areSeparate) {
            PMPSequenceCheck(&backward, PMPRecurrentChainOutputs(stack->_backward), _device, encoding);
            PMPSequenceCheckPair(&sources, &backward, encoding);
        }
    }

    PMPBidirectionalRun *run = PMPRecurrentLayerBeginBidirectional(_layer, PMPSequenceShape(&sources), encoding);
    PMPSequenceEncode(&sources, run->forward.x, encoding.commandBuffer);
    PMPSequenceEncode(&forward, run->forward.y, encoding.commandBuffer);
    if (areSeparate) {
        PMPSequenceEncode(&backward, run->backward.y, encoding.commandBuffer);
    }
    PMPSequenceDidRead(&sources);
    PMPBidirectionalRunComplete(run);
}

@end
