#import "PMPTrainingCell.h"
#import "PMPBuffer.h"
#import "PMPDataType.h"
#import "PMPRecurrentRecipe.h"

/// The numbers of a weight; NULL where there is none.
static const float *numbers_of(const pymps_engine_gate *gate, pymps_engine_weight part) {
    switch (part) {
    case PYMPS_ENGINE_INPUT_WEIGHTS:
        return gate->input_weights;
    case PYMPS_ENGINE_RECURRENT_WEIGHTS:
        return gate->recurrent_weights;
    case PYMPS_ENGINE_MEMORY_WEIGHTS:
        return gate->memory_weights;
    default:
        return gate->bias;
    }
}

@implementation PMPTrainingCell

- (instancetype)initWithDescriptors:(NSArray<const MPSRNNDescriptor *> *)descriptors argument:(PMPArgument)argument {
    self = [[super init] autorelease]; // a violation leaves nothing behind
    if (descriptors.count != 1) {
        PMPRaiseInvalid(argument, @"%lu descriptors, expected one", (unsigned long)descriptors.count);
    }
    _stack = [[PMPRecurrentStack alloc] initWithDescriptors:descriptors
                                                       form:PMPRecurrentFormTraining
                                                   argument:argument];
    if (_stack == nil) {
        return nil;
    }
    _gradients = [[PMPRecurrentStack alloc] initWithStatesOf:_stack form:PMPRecurrentFormGradients];
    if (_gradients == nil) {
        return nil;
    }
    MPSRNNDescriptor *descriptor = (MPSRNNDescriptor *)[descriptors objectAtIndex:0];
    _dataType = descriptor.useFloat32Weights ? MPSDataTypeFloat32 : MPSDataTypeFloat16;
    [self listWeightsOf:descriptor];
    return [self retain];
}

- (void)listWeightsOf:(MPSRNNDescriptor *)descriptor {
    const PMPRecurrentKind *kind = [descriptor kind];
    const PMPRecurrentGates gates = [PMPTrainingCellOf(self)->recipe gates];
    BOOL isDiagonal = kind->hasMemoryCell && [descriptor memoryWeightsKind] == PMPWeightsDiagonal;
    size_t inputs = descriptor.inputFeatureChannels, outputs = descriptor.outputFeatureChannels;
    MPSRNNMatrixId next = kind->firstMatrixId;
    for (size_t gate = 0; gate < kind->gateCount; gate++) {
        for (pymps_engine_weight part = 0; part < PYMPS_ENGINE_WEIGHT_COUNT; part++) {
            if (part != PYMPS_ENGINE_BIAS && kind->weights[gate][part] == nil) {
                continue; // the kind has no such weights
            }
            BOOL isRow = part == PYMPS_ENGINE_BIAS || (part == PYMPS_ENGINE_MEMORY_WEIGHTS && isDiagonal);
            const PMPTrainingWeight weight = {.gate = gate,
                                              .part = part,
                                              .matrixId = next++,
                                              .rows = isRow ? 1 : outputs,
                                              .columns = part == PYMPS_ENGINE_INPUT_WEIGHTS ? inputs : outputs};
            if (numbers_of(&gates.gates[gate], part) != NULL) {
                _weights[_weightCount++] = weight;
            }
        }
    }
}

- (void)dealloc {
    [_stack release];
    [_gradients release];
    [super dealloc];
}

- (MPSMatrixDescriptor *)descriptorOfWeight:(size_t)index dataType:(MPSDataType)dataType {
    return [MPSMatrixDescriptor matrixDescriptorWithRows:_weights[index].rows
                                                 columns:_weights[index].columns
                                                rowBytes:_weights[index].columns * PMPElementBytes(dataType)
                                                dataType:dataType];
}

- (BOOL)addInitialWeightsTo:(NSMutableArray<MPSMatrix *> *)matrices device:(id<MTLDevice>)device {
    const PMPRecurrentGates gates = [PMPTrainingCellOf(self)->recipe gates];
    NSMutableArray<MPSMatrix *> *made = [NSMutableArray array];
    for (size_t i = 0; i < _weightCount; i++) {
        const PMPTrainingWeight *weight = &_weights[i];
        MPSMatrix *matrix = [[[MPSMatrix alloc] initWithDevice:device
                                                    descriptor:[self descriptorOfWeight:i
                                                                               dataType:_dataType]] autorelease];
        if (matrix.data == nil) {
            return NO;
        }
        const pymps_engine_matrix from = {.data = (void *)numbers_of(&gates.gates[weight->gate], weight->part),
                                          .rows = weight->rows,
                                          .row_bytes = weight->columns * sizeof(float),
                                          .type = PYMPS_ENGINE_FLOAT32};
        const pymps_engine_matrix to = {.data = PMPBufferAddress(matrix.data),
                                        .rows = weight->rows,
                                        .row_bytes = matrix.rowBytes,
                                        .type = PMPEngineType(_dataType)};
        pymps_engine_matrix_copy(&from, &to, weight->columns);
        [made addObject:matrix];
    }
    [matrices addObjectsFromArray:made];
    return YES;
}

- (void)dropInitialWeights {
    [PMPTrainingCellOf(self)->recipe dropWeights];
}

@end

void PMPTrainingCheckWeights(PMPTrainingCell *cell, const PMPSequence *weights, id<MTLDevice> device,
                             PMPEncoding encoding) {
    if (weights->steps != cell->_weightCount) {
        PMPRaiseInvalidArgument(encoding.kernel, encoding.selector,
                                @"%@: %lu matrices, expected the %zu that the layer makes", weights->name,
                                (unsigned long)weights->steps, cell->_weightCount);
    }
    for (size_t i = 0; i < cell->_weightCount; i++) {
        PMPSequenceCheckMatrix(weights, i, cell->_weights[i].columns, device, encoding);
        if (weights->matrices[i]->_rows != cell->_weights[i].rows) {
            PMPRaiseAtStep(encoding, weights->name, i, @"%lu rows, expected %zu",
                           (unsigned long)weights->matrices[i]->_rows, cell->_weights[i].rows);
        }
    }
}

const PMPTrainingWeight *PMPTrainingFindWeight(PMPTrainingCell *cell, MPSRNNMatrixId matrixId, PMPEncoding encoding) {
    for (size_t i = 0; i < cell->_weightCount; i++) {
        if (cell->_weights[i].matrixId == matrixId) {
            return &cell->_weights[i];
        }
    }
    PMPRaiseInvalidArgument(encoding.kernel, encoding.selector,
                            @"matrixId: %lu, expected that of weights which the layer's descriptor has",
                            (unsigned long)matrixId);
}

void PMPTrainingEncodeWeights(PMPTrainingCell *cell, const PMPSequence *weights, pymps_engine_training_weights *encoded,
                              PMPCommandBuffer *commandBuffer) {
    pymps_engine_matrix matrices[kPMPMaxTrainingWeights];
    PMPSequenceEncode(weights, matrices, commandBuffer);
    for (size_t i = 0; i < cell->_weightCount; i++) {
        encoded->matrices[cell->_weights[i].gate][cell->_weights[i].part] = matrices[i];
    }
}
