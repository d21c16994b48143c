#import "PMPRecurrentStack.h"
#import "PMPRecurrentRecipe.h"

@implementation PMPRecurrentStack

- (instancetype)initWithDescriptors:(NSArray<const MPSRNNDescriptor *> *)descriptors
                               form:(PMPRecurrentForm)form
                           argument:(PMPArgument)argument {
    self = [[super init] autorelease]; // a violation leaves nothing behind
    _form = form;
    if (descriptors.count == 0) {
        PMPRaiseInvalid(argument, @"no descriptor, expected at least one");
    }
    _cells = calloc(2 * descriptors.count, sizeof *_cells);
    if (_cells == NULL) {
        return nil;
    }
    for (NSUInteger i = 0; i < descriptors.count; i++) {
        PMPArgument part = argument;
        part.name = [NSString stringWithFormat:@"%@[%lu]", argument.name, (unsigned long)i];
        if (![self addCell:(MPSRNNDescriptor *)[descriptors objectAtIndex:i] argument:part]) {
            return nil;
        }
    }
    PMPRecurrentCell *next = _cells + _count;
    _whole = (PMPRecurrentChain){_cells, _count, NULL};
    _forward = [self chainOfDirection:MPSRNNSequenceDirectionForward at:&next];
    _backward = [self chainOfDirection:MPSRNNSequenceDirectionBackward at:&next];
    return [self retain];
}

- (instancetype)initWithStatesOf:(PMPRecurrentStack *)other form:(PMPRecurrentForm)form {
    self = [super init];
    if (self == nil || (_cells = calloc(other->_count, sizeof *_cells)) == NULL) {
        [self release];
        return nil;
    }
    _form = form;
    _count = other->_count;
    for (size_t i = 0; i < _count; i++) {
        _cells[i].outputs = other->_cells[i].outputs;
        _cells[i].hasMemoryCell = other->_cells[i].hasMemoryCell;
    }
    return self;
}

- (void)setTeam:(PMPTeam *)team {
    [team retain];
    [_team release];
    _team = team;
    _whole.team = _forward.team = _backward.team = team == nil ? NULL : team->_team;
}

- (NSArray *)propertyList {
    NSMutableArray *list = [NSMutableArray array];
    for (size_t i = 0; i < _count; i++) {
        [list addObject:[_cells[i].recipe propertyListWithWeightsOf:_cells[i].layer]];
    }
    return list;
}

/// Copies the cells of a direction to `next`, and moves on behind them.
- (PMPRecurrentChain)chainOfDirection:(MPSRNNSequenceDirection)direction at:(PMPRecurrentCell **)next {
    PMPRecurrentChain chain = {*next, 0, NULL};
    for (size_t i = 0; i < _count; i++) {
        if (_cells[i].direction == direction) {
            *(*next)++ = _cells[i];
            chain.count++;
        }
    }
    return chain;
}

- (BOOL)addCell:(MPSRNNDescriptor *)descriptor argument:(PMPArgument)argument {
    PMPRecurrentCell *cell = &_cells[_count];
    *cell = (PMPRecurrentCell){.inputs = descriptor.inputFeatureChannels,
                               .outputs = descriptor.outputFeatureChannels,
                               .hasMemoryCell = [descriptor kind]->hasMemoryCell,
                               .direction = descriptor.layerSequenceDirection};
    if (cell->inputs == 0 || cell->outputs == 0) {
        PMPRaiseInvalid(argument, @"%zu to %zu feature channels, expected at least 1 each", cell->inputs,
                        cell->outputs);
    }
    if (cell->direction > MPSRNNSequenceDirectionBackward) {
        PMPRaiseInvalid(PMPArgumentPart(argument, @"layerSequenceDirection"),
                        @"%lu, expected one of MPSRNNSequenceDirection's", (unsigned long)cell->direction);
    }
    if (descriptor.useLayerInputUnitTransformMode && cell->inputs != cell->outputs) {
        PMPRaiseInvalid(argument, @"%zu to %zu feature channels, expected equal ones under the unit transform",
                        cell->inputs, cell->outputs);
    }
    [self checkChainTo:cell argument:argument];
    _count++;
    @autoreleasepool { // the copies of the weights end here
        cell->recipe = [[PMPRecurrentRecipe alloc] initWithDescriptor:descriptor form:_form argument:argument];
        if (cell->recipe != nil) {
            [self makeEngineLayerOf:cell descriptor:descriptor argument:argument];
        }
    }
    return cell->layer != NULL || cell->training != NULL;
}

- (void)makeEngineLayerOf:(PMPRecurrentCell *)cell
               descriptor:(MPSRNNDescriptor *)descriptor
                 argument:(PMPArgument)argument {
    PMPRecurrentGates gates = [cell->recipe gates];
    if (_form == PMPRecurrentFormTraining) {
        cell->training = [descriptor newEngineTrainingWithGates:&gates argument:argument];
    } else {
        cell->layer = [descriptor newEngineLayerWithGates:&gates argument:argument];
        [cell->recipe dropWeights];
    }
}

/// A cell reads the outputs of the nearest cell below it that runs in its direction. Whether the stack can also run
/// as a whole in one direction is told by _brokenAt.
- (void)checkChainTo:(const PMPRecurrentCell *)cell argument:(PMPArgument)argument {
    for (size_t below = _count; below-- > 0;) {
        if (_cells[below].direction == cell->direction) {
            if (_cells[below].outputs != cell->inputs) {
                PMPRaiseInvalid(argument, @"%zu input feature channels, expected %zu, the outputs of layer %zu",
                                cell->inputs, _cells[below].outputs, below);
            }
            break;
        }
    }
    if (_count > 0 && _brokenAt == 0 && _cells[_count - 1].outputs != cell->inputs) {
        _brokenAt = _count;
    }
}

- (void)dealloc {
    for (size_t i = 0; i < _count; i++) {
        pymps_engine_layer_destroy(_cells[i].layer);
        pymps_engine_training_destroy(_cells[i].training);
        [_cells[i].recipe release];
    }
    free(_cells);
    [_team release];
    [super dealloc];
}

- (BOOL)hasStatesOf:(PMPRecurrentStack *)other {
    if (_count != other->_count || _form != other->_form) {
        return NO;
    }
    for (size_t i = 0; i < _count; i++) {
        if (_cells[i].outputs != other->_cells[i].outputs ||
            _cells[i].hasMemoryCell != other->_cells[i].hasMemoryCell) {
            return NO;
        }
    }
    return YES;
}

@end
