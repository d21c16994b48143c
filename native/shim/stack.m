// pmp_stack: the shape of a stack of layers, and in which ways it can run.
#import "layers.h"
#include <stdlib.h>

// The nearest layer before `index` that has its direction; `index` itself where there is none.
static size_t layer_below(const pmp_stack_layer *layers, size_t index) {
    for (size_t below = index; below-- > 0;)
        if (layers[below].direction == layers[index].direction)
            return below;
    return index;
}

static pymps_status check_layer(const pmp_call *call, const pmp_stack_layer *layers, size_t index) {
    size_t below = layer_below(layers, index);
    PMP_CHECK(below == index || layers[index].inputs == layers[below].outputs, call,
              "descriptors[%zu].input_feature_channels: %zu, expected %zu, the output channels of the layer before%s",
              index, layers[index].inputs, layers[below].outputs, below + 1 == index ? "" : " of its direction");
    return PYMPS_OK;
}

static pymps_layer_info info_of(const pmp_stack_layer *layers, size_t count) {
    pymps_layer_info info = {
        .input_feature_channels = layers[0].inputs,
        .output_feature_channels = layers[count - 1].outputs,
        .number_of_layers = count,
        .runs_sequence = true,
    };
    size_t inputs[2] = {0}, outputs[2] = {0}; // of each direction
    for (size_t index = 0; index < count; index++) {
        pymps_sequence_direction direction = layers[index].direction;
        if (outputs[direction] == 0)
            inputs[direction] = layers[index].inputs;
        outputs[direction] = layers[index].outputs;
        if (index > 0 && layers[index].inputs != layers[index - 1].outputs)
            info.runs_sequence = false;
    }
    info.forward_output_feature_channels = outputs[PYMPS_SEQUENCE_FORWARD];
    info.backward_output_feature_channels = outputs[PYMPS_SEQUENCE_BACKWARD];
    info.runs_bidirectional_sequence = inputs[PYMPS_SEQUENCE_FORWARD] == inputs[PYMPS_SEQUENCE_BACKWARD];
    return info;
}

// Where neither way is open, the stack has layers of both directions, and the first layer of the second one takes
// neither the outputs before it nor the inputs of the first one.
static pymps_status check_info(const pmp_call *call, const pymps_layer_info *info, const pmp_stack_layer *layers) {
    size_t index = 1;
    while (index < info->number_of_layers && layers[index].direction == layers[0].direction)
        index++;
    PMP_CHECK(info->runs_sequence || info->runs_bidirectional_sequence, call,
              "descriptors[%zu].input_feature_channels: %zu, expected %zu, the input channels of the layers of the "
              "other direction",
              index, layers[index].inputs, layers[0].inputs);
    return PYMPS_OK;
}

pymps_status pmp_stack_check(const pmp_call *call, const pmp_stack_layer *layers, size_t count) {
    for (size_t index = 0; index < count; index++)
        PMP_TRY(check_layer(call, layers, index));
    pymps_layer_info info = info_of(layers, count);
    return check_info(call, &info, layers);
}

pmp_stack *pmp_stack_make(const pmp_stack_layer *layers, size_t count, bool takes_images) {
    pmp_stack *stack = calloc(1, sizeof *stack + count * sizeof *layers);
    if (stack == NULL)
        return NULL;
    atomic_init(&stack->references, 1);
    stack->info = info_of(layers, count);
    stack->info.takes_images = takes_images;
    for (size_t index = 0; index < count; index++)
        stack->layers[index] = layers[index];
    return stack;
}

void pmp_stack_release(pmp_stack *stack) {
    if (pmp_drop(&stack->references))
        free(stack);
}

pymps_status pmp_stack_check_kind(const pmp_call *call, const char *argument, const pmp_stack *stack,
                                  bool takes_images) {
    PMP_CHECK(stack->info.takes_images == takes_images, call, "%s: of %s, expected one of %s", argument,
              takes_images ? "matrices" : "images", takes_images ? "images" : "matrices");
    return PYMPS_OK;
}

pymps_status pmp_stack_check_runs_sequence(const pmp_call *call, const pmp_stack *stack) {
    PMP_CHECK(stack->info.runs_sequence, call,
              "layer: a stack of two directions, expected one whose layers take the outputs of the layer before");
    return PYMPS_OK;
}

pymps_status pmp_stack_check_runs_bidirectional(const pmp_call *call, const pmp_stack *stack) {
    PMP_CHECK(stack->info.runs_bidirectional_sequence, call,
              "layer: a stack without both directions from the same input channels, expected forward and backward "
              "layers");
    return PYMPS_OK;
}
