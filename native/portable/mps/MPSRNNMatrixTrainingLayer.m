#import "PMPArchive.h"
#import "PMPRecurrentLayer.h"
#import "PMPRecurrentRecipe.h"
#import "PMPRecurrentStatePool.h"
#import "PMPTrainingCopy.h"
#import "PMPTrainingRules.h"
#import "PMPTrainingRun.h"

enum { kArchiveVersion = 1 };

@implementation MPSRNNMatrixTrainingLayer

@synthesize storeAllIntermediateStates = _storeAllIntermediateStates;
@synthesize recurrentOutputIsTemporary = _recurrentOutputIsTemporary;
@synthesize trainingStateIsTemporary = _trainingStateIsTemporary;
@synthesize accumulateWeightGradients = _accumulateWeightGradients;

- (instancetype)initWithDevice:(id<MTLDevice>)device
                 rnnDescriptor:(const MPSRNNDescriptor *)rnnDescriptor
              trainableWeights:(NSMutableArray<MPSMatrix *> *)trainableWeights {
    self = [[super initWithDevice:device] autorelease]; // a violation leaves nothing behind
    if (rnnDescriptor == nil) {
        PMPInvalidArgument(@"rnnDescriptor: nil, expected a descriptor");
    }
    if (trainableWeights == nil) {
        PMPInvalidArgument(@"trainableWeights: nil, expected an array");
    }
    if (self == nil) {
        return nil;
    }
    const PMPArgument argument = {self, _cmd, @"rnnDescriptor"};
    PMPTrainingCell *cell = [[[PMPTrainingCell alloc] initWithDescriptors:@[ rnnDescriptor ]
                                                                 argument:argument] autorelease];
    if (![self takeCell:cell] || ![cell addInitialWeightsTo:trainableWeights device:device]) {
        return nil;
    }
    [cell dropInitialWeights];
    return [self retain];
}

- (instancetype)initWithDevice:(id<MTLDevice>)device {
    (void)device;
    [self autorelease];
    PMPInvalidArgument(@"receiver: a recurrent layer is made from a descriptor");
}

/// NO where there is none, or where memory runs out.
- (BOOL)takeCell:(PMPTrainingCell *)cell {
    _cell = [cell retain];
    if (cell == nil) {
        return NO;
    }
    _tapePool = [[PMPTapePool alloc] initWithDevice:_device];
    _forwardStates = PMPRecurrentStatePoolCreate(cell->_stack, _device);
    _gradientStates = PMPRecurrentStatePoolCreate(cell->_gradients, _device);
    return _tapePool != nil && _forwardStates != NULL && _gradientStates != NULL;
}

- (void)dealloc {
    PMPRecurrentStatePoolRelease(_forwardStates);
    PMPRecurrentStatePoolRelease(_gradientStates);
    [_tapePool release];
    [_cell release];
    [super dealloc];
}

- (instancetype)copyWithZone:(nullable NSZone *)zone device:(nullable id<MTLDevice>)device {
    MPSRNNMatrixTrainingLayer *copy = [[self class] allocWithZone:zone];
    return [copy initWithDevice:device != nil ? device : _device copyOf:self];
}

- (instancetype)initWithDevice:(id<MTLDevice>)device copyOf:(MPSRNNMatrixTrainingLayer *)other {
    self = [[super initWithDevice:device] autorelease];
    if (self == nil || ![self takeCell:other->_cell]) {
        return nil;
    }
    self.options = other.options;
    self.label = other.label;
    _storeAllIntermediateStates = other->_storeAllIntermediateStates;
    _recurrentOutputIsTemporary = other->_recurrentOutputIsTemporary;
    _trainingStateIsTemporary = other->_trainingStateIsTemporary;
    _accumulateWeightGradients = other->_accumulateWeightGradients;
    return [self retain];
}

// Archives

- (void)encodeWithCoder:(NSCoder *)aCoder {
    [super encodeWithCoder:aCoder];
    PMPArchiveWrite(aCoder, @"trainingLayer", @{
        @"version" : @(kArchiveVersion),
        @"stack" : [_cell->_stack propertyList],
        @"storeAllIntermediateStates" : @(_storeAllIntermediateStates),
        @"recurrentOutputIsTemporary" : @(_recurrentOutputIsTemporary),
        @"trainingStateIsTemporary" : @(_trainingStateIsTemporary),
        @"accumulateWeightGradients" : @(_accumulateWeightGradients),
    });
}

- (nullable instancetype)initWithCoder:(NSCoder *)aDecoder device:(id<MTLDevice>)device {
    self = [[super initWithCoder:aDecoder device:device] autorelease];
    NSDictionary *archive = self != nil ? PMPArchiveRead(aDecoder, @"trainingLayer") : nil;
    if (archive == nil) {
        return nil;
    }
    @try {
        return [self readArchive:archive argument:(PMPArgument){self, _cmd, @"layer"}] ? [self retain] : nil;
    } @catch (NSException *exception) {
        PMPArchiveFail(aDecoder, exception.reason);
        return nil;
    }
}

/// NO where memory runs out. Raises where the archive holds something else.
- (BOOL)readArchive:(NSDictionary *)archive argument:(PMPArgument)argument {
    NSNumber *version = PMPPropertyListValue(archive, @"version", [NSNumber class], argument);
    if (version.integerValue != kArchiveVersion) {
        PMPRaiseInvalid(argument, @"version %@, expected %d", version, kArchiveVersion);
    }
    for (NSString *name in @[
             @"storeAllIntermediateStates", @"recurrentOutputIsTemporary", @"trainingStateIsTemporary",
             @"accumulateWeightGradients"
         ]) {
        [self setValue:PMPPropertyListFlag(archive, name, argument) forKey:name];
    }
    NSArray *stack = PMPPropertyListValue(archive, @"stack", [NSArray class], argument);
    argument.name = @"layer.stack";
    NSArray *descriptors = [PMPRecurrentRecipe descriptorsWithPropertyList:stack argument:argument];
    PMPTrainingCell *cell = [[[PMPTrainingCell alloc] initWithDescriptors:descriptors argument:argument] autorelease];
    [cell dropInitialWeights];
    return [self takeCell:cell];
}

/// The threads that this layer and its copies share their work with; nil: none. Before the first encode.
- (void)setTeam:(PMPTeam *)team {
    [_cell->_stack setTeam:team];
}

- (NSUInteger)inputFeatureChannels {
    return PMPTrainingCellOf(_cell)->inputs;
}

- (NSUInteger)outputFeatureChannels {
    return PMPTrainingCellOf(_cell)->outputs;
}

// Weights

static void check_gradient_type(MPSDataType dataType, id object, SEL selector) {
    if (dataType != MPSDataTypeFloat32 && dataType != MPSDataTypeFloat16) {
        PMPRaiseInvalidArgument(object, selector, @"dataType: 0x%x, expected Float32 or Float16", (unsigned)dataType);
    }
}

/// Temporary ones where there is a command buffer.
- (void)createMatrices:(NSMutableArray<MPSMatrix *> *)matricesOut
              dataType:(MPSDataType)dataType
         commandBuffer:(PMPCommandBuffer *)commandBuffer
              selector:(SEL)selector {
    check_gradient_type(dataType, self, selector);
    if (matricesOut == nil) {
        PMPRaiseInvalidArgument(self, selector, @"matricesOut: nil, expected an array");
    }
    const NSUInteger count = matricesOut.count;
    @try {
        for (size_t i = 0; i < _cell->_weightCount; i++) {
            MPSMatrixDescriptor *descriptor = [_cell descriptorOfWeight:i dataType:dataType];
            MPSMatrix *matrix = commandBuffer != nil
                                    ? [MPSTemporaryMatrix temporaryMatrixWithCommandBuffer:commandBuffer
                                                                          matrixDescriptor:descriptor]
                                    : [[[MPSMatrix alloc] initWithDevice:_device descriptor:descriptor] autorelease];
            [matricesOut addObject:matrix];
        }
    } @catch (NSException *exception) {
        PMPArrayCut(matricesOut, count);
        @throw;
    }
}

- (void)createWeightGradientMatrices:(NSMutableArray<MPSMatrix *> *)matricesOut dataType:(MPSDataType)dataType {
    [self createMatrices:matricesOut dataType:dataType commandBuffer:nil selector:_cmd];
}

- (void)createWeightMatrices:(NSMutableArray<MPSMatrix *> *)matricesOut {
    [self createMatrices:matricesOut dataType:_cell->_dataType commandBuffer:nil selector:_cmd];
}

- (void)createTemporaryWeightGradientMatrices:(NSMutableArray<MPSMatrix *> *)matricesOut
                                     dataType:(MPSDataType)dataType
                                commandBuffer:(id<MTLCommandBuffer>)commandBuffer {
    PMPCommandBuffer *owner = PMPPortableCommandBuffer(commandBuffer, _cmd);
    [self createMatrices:matricesOut dataType:dataType commandBuffer:owner selector:_cmd];
}

- (void)encodeCopyWeightsToCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
                                 weights:(NSArray<MPSMatrix *> *)weights
                                matrixId:(MPSRNNMatrixId)matrixId
                                  matrix:(MPSMatrix *)matrix
                 copyFromWeightsToMatrix:(BOOL)copyFromWeightsToMatrix
                            matrixOffset:(MTLOrigin)matrixOffset {
    const PMPEncoding encoding = {self, _cmd, PMPPortableCommandBuffer(commandBuffer, _cmd)};
    const PMPTrainingWeight *weight = PMPTrainingFindWeight(_cell, matrixId, encoding);
    PMPTrainingCopy copy = {.weight = weight, .index = weight - _cell->_weights, .origin = matrixOffset};
    PMPSequenceRead(&copy.weights, weights, NULL, @"weights");
    PMPSequenceRead(&copy.matrix, matrix != nil ? @[ matrix ] : @[], NULL, @"matrix");
    if ((_options & MPSKernelOptionsSkipAPIValidation) == 0) {
        PMPTrainingCheckWeights(_cell, &copy.weights, _device, encoding);
        PMPTrainingCopyCheck(&copy, _device, encoding);
    }
    PMPTrainingCopyEncode(&copy, copyFromWeightsToMatrix, encoding.commandBuffer);
}

// Passes

- (void)encodeForwardSequenceToCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
                              sourceMatrices:(NSArray<MPSMatrix *> *)sourceMatrices
                         destinationMatrices:(NSArray<MPSMatrix *> *)destinationMatrices
                              trainingStates:(NSMutableArray<MPSRNNMatrixTrainingState *> *)trainingStates
                                     weights:(NSArray<MPSMatrix *> *)weights {
    [self encodeForwardSequenceToCommandBuffer:commandBuffer
                                sourceMatrices:sourceMatrices
                                 sourceOffsets:NULL
                           destinationMatrices:destinationMatrices
                            destinationOffsets:NULL
                                trainingStates:trainingStates
                           recurrentInputState:nil
                         recurrentOutputStates:nil
                                       weights:weights];
}

- (void)encodeForwardSequenceToCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
                              sourceMatrices:(NSArray<MPSMatrix *> *)sourceMatrices
                               sourceOffsets:(nullable NSUInteger *)sourceOffsets
                         destinationMatrices:(NSArray<MPSMatrix *> *)destinationMatrices
                          destinationOffsets:(nullable NSUInteger *)destinationOffsets
                              trainingStates:(NSMutableArray<MPSRNNMatrixTrainingState *> *)trainingStates
                         recurrentInputState:(nullable MPSRNNRecurrentMatrixState *)recurrentInputState
                       recurrentOutputStates:
                           (nullable NSMutableArray<MPSRNNRecurrentMatrixState *> *)recurrentOutputStates
                                     weights:(NSArray<MPSMatrix *> *)weights {
    const PMPEncoding encoding = {self, _cmd, PMPPortableCommandBuffer(commandBuffer, _cmd)};
    PMPTrainingArguments arguments = {.state = recurrentInputState};
    PMPSequenceRead(&arguments.sources, sourceMatrices, sourceOffsets, @"sourceMatrices");
    PMPSequenceRead(&arguments.y, destinationMatrices, destinationOffsets, @"destinationMatrices");
    PMPSequenceRead(&arguments.weights, weights, NULL, @"weights");
    if ((_options & MPSKernelOptionsSkipAPIValidation) == 0) {
        PMPTrainingCheckForward(_cell, &arguments, _device, encoding);
        if (trainingStates == nil) {
            PMPInvalidArgument(@"trainingStates: nil, expected an array");
        }
    }

    const NSUInteger tapeCount = trainingStates.count, stateCount = recurrentOutputStates.count;
    @try {
        PMPTrainingRun *run = [self beginRun:&arguments states:recurrentOutputStates isGradient:NO encoding:encoding];
        PMPTrainingStatesMake(_cell, _tapePool, &arguments.sources, _trainingStateIsTemporary, trainingStates,
                              run->tapes, encoding);
        [self fillRun:run arguments:&arguments states:recurrentOutputStates encoding:encoding];
        [self didRead:&arguments isGradient:NO encoding:encoding];
        run->is_complete = true;
    } @catch (NSException *exception) {
        PMPArrayCut(trainingStates, tapeCount);
        PMPArrayCut(recurrentOutputStates, stateCount);
        @throw;
    }
}

- (PMPTrainingRun *)beginRun:(const PMPTrainingArguments *)arguments
                      states:(NSMutableArray *)states
                  isGradient:(BOOL)isGradient
                    encoding:(PMPEncoding)encoding {
    const PMPRecurrentShape shape = PMPSequenceShape(&arguments->sources);
    size_t stateCount = states == nil ? 0 : _storeAllIntermediateStates ? shape.steps : 1;
    return PMPTrainingRunBegin(_cell, shape, stateCount, isGradient, encoding.commandBuffer);
}

/// Encodes what all passes have, and makes the recurrent states. Raises where memory runs out, and has read nothing
/// yet.
- (void)fillRun:(PMPTrainingRun *)run
      arguments:(const PMPTrainingArguments *)arguments
         states:(NSMutableArray *)states
       encoding:(PMPEncoding)encoding {
    PMPRecurrentStatePoolEncode(run->is_gradient ? _gradientStates : _forwardStates,
                                PMPSequenceShape(&arguments->sources), run->state_count, _recurrentOutputIsTemporary,
                                states, run->states, encoding);
    PMPSequenceEncode(&arguments->sources, run->x, encoding.commandBuffer);
    PMPSequenceEncode(&arguments->y, run->y, encoding.commandBuffer);
    PMPTrainingEncodeWeights(_cell, &arguments->weights, &run->weights, encoding.commandBuffer);
    MPSState *state = arguments->state;
    if (state != nil) {
        run->initial = state->_storage->layers[0].memory;
        run->initial_rows = state->_storage->shape.rows;
    }
}

/// Lowers the read counts, once all that may fail has been done.
- (void)didRead:(const PMPTrainingArguments *)arguments isGradient:(BOOL)isGradient encoding:(PMPEncoding)encoding {
    const PMPSequence *const read[] = {&arguments->sources, &arguments->weights, &arguments->y};
    if (arguments->state != nil) {
        PMPRecurrentStateRead(arguments->state, encoding.commandBuffer);
    }
    PMPSequencesDidRead(read, isGradient ? 3 : 2);
}

- (void)encodeGradientSequenceToCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
                               forwardSources:(NSArray<MPSMatrix *> *)forwardSources
                              sourceGradients:(NSArray<MPSMatrix *> *)sourceGradients
                         destinationGradients:(nullable NSArray<MPSMatrix *> *)destinationGradients
                              weightGradients:(nullable NSArray<MPSMatrix *> *)weightGradients
                               trainingStates:(NSArray<MPSRNNMatrixTrainingState *> *)trainingStates
                                      weights:(NSArray<MPSMatrix *> *)weights {
    [self encodeGradientSequenceToCommandBuffer:commandBuffer
                                 forwardSources:forwardSources
                           forwardSourceOffsets:NULL
                                sourceGradients:sourceGradients
                          sourceGradientOffsets:NULL
                           destinationGradients:destinationGradients
                             destinationOffsets:NULL
                                weightGradients:weightGradients
                                 trainingStates:trainingStates
                            recurrentInputState:nil
                          recurrentOutputStates:nil
                                        weights:weights];
}

- (void)encodeGradientSequenceToCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
                               forwardSources:(NSArray<MPSMatrix *> *)forwardSources
                         forwardSourceOffsets:(nullable NSUInteger *)forwardSourceOffsets
                              sourceGradients:(NSArray<MPSMatrix *> *)sourceGradients
                        sourceGradientOffsets:(nullable NSUInteger *)sourceGradientOffsets
                         destinationGradients:(nullable NSArray<MPSMatrix *> *)destinationGradients
                           destinationOffsets:(nullable NSUInteger *)destinationOffsets
                              weightGradients:(nullable NSArray<MPSMatrix *> *)weightGradients
                               trainingStates:(NSArray<MPSRNNMatrixTrainingState *> *)trainingStates
                          recurrentInputState:(nullable MPSRNNRecurrentMatrixState *)recurrentInputState
                        recurrentOutputStates:
                            (nullable NSMutableArray<MPSRNNRecurrentMatrixState *> *)recurrentOutputStates
                                      weights:(NSArray<MPSMatrix *> *)weights {
    const PMPEncoding encoding = {self, _cmd, PMPPortableCommandBuffer(commandBuffer, _cmd)};
    PMPTrainingArguments arguments = {.state = recurrentInputState,
                                      .wantsDx = destinationGradients != nil,
                                      .wantsWeightGradients = weightGradients != nil};
    PMPSequenceRead(&arguments.sources, forwardSources, forwardSourceOffsets, @"forwardSources");
    PMPSequenceRead(&arguments.y, sourceGradients, sourceGradientOffsets, @"sourceGradients");
    PMPSequenceRead(&arguments.dx, destinationGradients, destinationOffsets, @"destinationGradients");
    PMPSequenceRead(&arguments.weights, weights, NULL, @"weights");
    PMPSequenceRead(&arguments.weightGradients, weightGradients, NULL, @"weightGradients");
    if ((_options & MPSKernelOptionsSkipAPIValidation) == 0) {
        PMPTrainingCheckGradient(_cell, &arguments, _device, encoding);
        PMPTrainingStatesCheck(_cell, trainingStates, &arguments.sources, encoding);
    }

    const NSUInteger stateCount = recurrentOutputStates.count;
    @try {
        PMPTrainingRun *run = [self beginRun:&arguments states:recurrentOutputStates isGradient:YES encoding:encoding];
        [self fillRun:run arguments:&arguments states:recurrentOutputStates encoding:encoding];
        [self fillResults:run arguments:&arguments encoding:encoding];
        [self didRead:&arguments isGradient:YES encoding:encoding];
        PMPTrainingStatesRead(trainingStates, run->tapes, encoding.commandBuffer);
        run->is_complete = true;
    } @catch (NSException *exception) {
        PMPArrayCut(recurrentOutputStates, stateCount);
        @throw;
    }
}

/// Encodes where a gradient pass writes to.
- (void)fillResults:(PMPTrainingRun *)run
          arguments:(const PMPTrainingArguments *)arguments
           encoding:(PMPEncoding)encoding {
    if (arguments->wantsDx) {
        run->dx = run->y + run->steps;
        PMPSequenceEncode(&arguments->dx, run->dx, encoding.commandBuffer);
    }
    if (arguments->wantsWeightGradients) {
        run->wants_weight_gradients = true;
        run->accumulates = _accumulateWeightGradients;
        PMPTrainingEncodeWeights(_cell, &arguments->weightGradients, &run->weight_gradients, encoding.commandBuffer);
    }
}

@end
