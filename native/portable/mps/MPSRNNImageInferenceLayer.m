#import "PMPCNNKernel.h"
#import "PMPImageSequence.h"
#import "PMPRecurrentLayer.h"

@implementation MPSRNNImageInferenceLayer

- (instancetype)initWithDevice:(id<MTLDevice>)device
                rnnDescriptors:(NSArray<const MPSRNNDescriptor *> *)rnnDescriptors {
    self = [[super initWithDevice:device] autorelease]; // a violation leaves nothing behind
    if (self == nil) {
        return nil;
    }
    _layer = [[PMPRecurrentLayer alloc] initWithDevice:device
                                           descriptors:rnnDescriptors
                                                  form:PMPRecurrentFormImages
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
                                                  form:PMPRecurrentFormImages
                                              argument:(PMPArgument){self, _cmd, @"layer"}];
    return _layer != nil ? [self retain] : nil;
}

- (instancetype)copyWithZone:(nullable NSZone *)zone device:(nullable id<MTLDevice>)device {
    MPSRNNImageInferenceLayer *copy = [[self class] allocWithZone:zone];
    return [copy initWithDevice:device != nil ? device : _device copyOf:self];
}

- (instancetype)initWithDevice:(id<MTLDevice>)device copyOf:(MPSRNNImageInferenceLayer *)other {
    self = [[super initWithDevice:device] autorelease];
    if (self == nil) {
        return nil;
    }
    [self takePropertiesOf:other];
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
                         sourceImages:(NSArray<MPSImage *> *)sourceImages
                    destinationImages:(NSArray<MPSImage *> *)destinationImages
                  recurrentInputState:(nullable MPSRNNRecurrentImageState *)recurrentInputState
                recurrentOutputStates:(nullable NSMutableArray<MPSRNNRecurrentImageState *> *)recurrentOutputStates {
    const PMPEncoding encoding = {self, _cmd, PMPPortableCommandBuffer(commandBuffer, _cmd)};
    const PMPImageSequence sources = {sourceImages, @"sourceImages"};
    const PMPImageSequence destinations = {destinationImages, @"destinationImages"};
    if ((_options & MPSKernelOptionsSkipAPIValidation) == 0) {
        [self checkSources:sources destinations:destinations state:recurrentInputState encoding:encoding];
    }

    const NSUInteger stateCount = recurrentOutputStates.count;
    @try {
        PMPRecurrentRun *run = PMPRecurrentLayerBegin(_layer, PMPImageSequenceShape(sources), recurrentInputState,
                                                      recurrentOutputStates, encoding);
        PMPImageSequenceEncode(sources, PMPRecurrentRunSources(run), encoding.commandBuffer);
        PMPImageSequenceEncode(destinations, PMPRecurrentRunDestinations(run), encoding.commandBuffer);
        PMPImageSequenceDidRead(sources);
        PMPRecurrentRunComplete(run, recurrentInputState, encoding.commandBuffer);
    } @catch (NSException *exception) {
        PMPArrayCut(recurrentOutputStates, stateCount);
        @throw;
    }
}

- (void)checkSources:(PMPImageSequence)sources
        destinations:(PMPImageSequence)destinations
               state:(MPSRNNRecurrentImageState *)state
            encoding:(PMPEncoding)encoding {
    const PMPRecurrentStack *stack = _layer->_stack;
    [self checkDefaults:encoding];
    PMPRecurrentLayerCheckStack(_layer, encoding);
    PMPImageSequenceCheck(sources, PMPRecurrentChainInputs(stack->_whole), encoding);
    PMPImageSequenceCheck(destinations, PMPRecurrentChainOutputs(stack->_whole), encoding);
    PMPImageSequenceCheckPair(sources, destinations, encoding);
    if (state != nil) {
        PMPRecurrentLayerCheckState(_layer, state, PMPImageSequenceShape(sources), encoding);
        PMPImageSequenceCheckState(destinations, state, encoding);
    }
}

- (void)encodeBidirectionalSequenceToCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
                                    sourceSequence:(NSArray<MPSImage *> *)sourceSequence
                          destinationForwardImages:(NSArray<MPSImage *> *)destinationForwardImages
                         destinationBackwardImages:(nullable NSArray<MPSImage *> *)destinationBackwardImages {
    const PMPEncoding encoding = {self, _cmd, PMPPortableCommandBuffer(commandBuffer, _cmd)};
    const PMPRecurrentStack *stack = _layer->_stack;
    BOOL areSeparate = _layer->_bidirectionalCombineMode == MPSRNNBidirectionalCombineModeNone;
    const PMPImageSequence sources = {sourceSequence, @"sourceSequence"};
    const PMPImageSequence forward = {destinationForwardImages, @"destinationForwardImages"};
    const PMPImageSequence backward = {destinationBackwardImages, @"destinationBackwardImages"};
    if ((_options & MPSKernelOptionsSkipAPIValidation) == 0) {
        [self checkDefaults:encoding];
        PMPRecurrentLayerCheckDirections(_layer, encoding);
        PMPImageSequenceCheck(sources, PMPRecurrentChainInputs(stack->_forward), encoding);
        PMPImageSequenceCheck(forward, PMPRecurrentLayerForwardChannels(_layer), encoding);
        PMPImageSequenceCheckPair(sources, forward, encoding);
        if (areSeparate) {
            PMPImageSequenceCheck(backward, PMPRecurrentChainOutputs(stack->_backward), encoding);
            PMPImageSequenceCheckPair(sources, backward, encoding);
        }
    }

    PMPBidirectionalRun *run = PMPRecurrentLayerBeginBidirectional(_layer, PMPImageSequenceShape(sources), encoding);
    PMPImageSequenceEncode(sources, run->forward.x, encoding.commandBuffer);
    PMPImageSequenceEncode(forward, run->forward.y, encoding.commandBuffer);
    if (areSeparate) {
        PMPImageSequenceEncode(backward, run->backward.y, encoding.commandBuffer);
    }
    PMPImageSequenceDidRead(sources);
    PMPBidirectionalRunComplete(run);
}

@end
