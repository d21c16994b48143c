#import "PMPTrainingRules.h"
#import "PMPRecurrentLayer.h"

/// Whether a layer with these states has made it.
static BOOL is_state_of(PMPRecurrentStack *stack, MPSState *state, id<MTLDevice> device) {
    return state->_storage != NULL && state->_storage->stack == stack && state->_device == device;
}

void PMPTrainingCheckForward(PMPTrainingCell *cell, const PMPTrainingArguments *arguments, id<MTLDevice> device,
                             PMPEncoding encoding) {
    const PMPSequence *sources = &arguments->sources, *destinations = &arguments->y;
    PMPSequenceCheck(sources, PMPTrainingCellOf(cell)->inputs, device, encoding);
    PMPSequenceCheck(destinations, PMPTrainingCellOf(cell)->outputs, device, encoding);
    PMPSequenceCheckPair(sources, destinations, encoding);
    PMPTrainingCheckWeights(cell, &arguments->weights, device, encoding);
    PMPSequenceCheckApart(&arguments->weights, destinations, encoding);
    if (arguments->state == nil) {
        return;
    }
    if (!is_state_of(cell->_stack, arguments->state, device)) {
        PMPRaiseInvalidArgument(encoding.kernel, encoding.selector,
                                @"recurrentInputState: not of a forward pass of this layer");
    }
    PMPRecurrentCheckStateShape(arguments->state, PMPSequenceShape(sources), encoding);
    PMPRecurrentCheckStateLease(arguments->state, encoding);
    PMPSequenceCheckState(destinations, arguments->state, encoding);
}

/// The state may be of steps behind those in which the first sequences ended.
static void check_gradient_state(PMPTrainingCell *cell, const PMPTrainingArguments *arguments, id<MTLDevice> device,
                                 PMPEncoding encoding) {
    MPSState *state = arguments->state;
    if (!is_state_of(cell->_gradients, state, device)) {
        PMPRaiseInvalidArgument(encoding.kernel, encoding.selector,
                                @"recurrentInputState: not of a gradient pass of this layer");
    }
    size_t rows = PMPSequenceShape(&arguments->sources).rows;
    if (state->_storage->shape.rows > rows) {
        PMPRaiseInvalidArgument(encoding.kernel, encoding.selector,
                                @"recurrentInputState: %zu rows, expected at most the %zu of the first source",
                                state->_storage->shape.rows, rows);
    }
    PMPRecurrentCheckStateLease(state, encoding);
    PMPSequenceCheckState(&arguments->dx, state, encoding);
    PMPSequenceCheckState(&arguments->weightGradients, state, encoding);
}

void PMPTrainingCheckGradient(PMPTrainingCell *cell, const PMPTrainingArguments *arguments, id<MTLDevice> device,
                              PMPEncoding encoding) {
    const PMPSequence *sources = &arguments->sources, *weights = &arguments->weights;
    const PMPSequence *results[] = {&arguments->dx, &arguments->weightGradients};
    PMPSequenceCheck(sources, PMPTrainingCellOf(cell)->inputs, device, encoding);
    PMPSequenceCheck(&arguments->y, PMPTrainingCellOf(cell)->outputs, device, encoding);
    PMPSequenceCheckAlike(sources, &arguments->y, encoding);
    PMPTrainingCheckWeights(cell, weights, device, encoding);
    if (arguments->wantsDx) {
        PMPSequenceCheck(&arguments->dx, PMPTrainingCellOf(cell)->inputs, device, encoding);
        PMPSequenceCheckAlike(sources, &arguments->dx, encoding);
    }
    if (arguments->wantsWeightGradients) {
        PMPTrainingCheckWeights(cell, &arguments->weightGradients, device, encoding);
    }
    for (size_t i = 0; i < 2; i++) {
        PMPSequenceCheckApart(sources, results[i], encoding);
        PMPSequenceCheckApart(&arguments->y, results[i], encoding);
        PMPSequenceCheckApart(weights, results[i], encoding);
        PMPSequenceCheckDistinct(results[i], encoding);
    }
    PMPSequenceCheckApart(&arguments->dx, &arguments->weightGradients, encoding);
    if (arguments->state != nil) {
        check_gradient_state(cell, arguments, device, encoding);
    }
}
