// pymps_descriptor: the values of an MPSRNNDescriptor. Each layer gets a fresh one made from them, so that changes made
// later reach no layer.
#import "layers.h"
#include <math.h>
#include <stdlib.h>

typedef enum descriptor_kind { SINGLE_GATE, GRU, LSTM } descriptor_kind;

static const char *const kind_names[] = {"a single gate", "a GRU", "an LSTM"};

typedef struct weight_property {
    pmp_weights_kind weights; // PMP_WEIGHTS_NONE: no property
    descriptor_kind descriptor;
    NSString *name;
} weight_property;

// By MPSRNNMatrixId; those of biases name no property.
static const weight_property properties[] = {
    [PYMPS_SINGLE_GATE_INPUT_WEIGHTS] = {PMP_WEIGHTS_INPUT, SINGLE_GATE, @"inputWeights"},
    [PYMPS_SINGLE_GATE_RECURRENT_WEIGHTS] = {PMP_WEIGHTS_RECURRENT, SINGLE_GATE, @"recurrentWeights"},
    [PYMPS_LSTM_INPUT_GATE_INPUT_WEIGHTS] = {PMP_WEIGHTS_INPUT, LSTM, @"inputGateInputWeights"},
    [PYMPS_LSTM_INPUT_GATE_RECURRENT_WEIGHTS] = {PMP_WEIGHTS_RECURRENT, LSTM, @"inputGateRecurrentWeights"},
    [PYMPS_LSTM_INPUT_GATE_MEMORY_WEIGHTS] = {PMP_WEIGHTS_MEMORY, LSTM, @"inputGateMemoryWeights"},
    [PYMPS_LSTM_FORGET_GATE_INPUT_WEIGHTS] = {PMP_WEIGHTS_INPUT, LSTM, @"forgetGateInputWeights"},
    [PYMPS_LSTM_FORGET_GATE_RECURRENT_WEIGHTS] = {PMP_WEIGHTS_RECURRENT, LSTM, @"forgetGateRecurrentWeights"},
    [PYMPS_LSTM_FORGET_GATE_MEMORY_WEIGHTS] = {PMP_WEIGHTS_MEMORY, LSTM, @"forgetGateMemoryWeights"},
    [PYMPS_LSTM_CELL_GATE_INPUT_WEIGHTS] = {PMP_WEIGHTS_INPUT, LSTM, @"cellGateInputWeights"},
    [PYMPS_LSTM_CELL_GATE_RECURRENT_WEIGHTS] = {PMP_WEIGHTS_RECURRENT, LSTM, @"cellGateRecurrentWeights"},
    [PYMPS_LSTM_CELL_GATE_MEMORY_WEIGHTS] = {PMP_WEIGHTS_MEMORY, LSTM, @"cellGateMemoryWeights"},
    [PYMPS_LSTM_OUTPUT_GATE_INPUT_WEIGHTS] = {PMP_WEIGHTS_INPUT, LSTM, @"outputGateInputWeights"},
    [PYMPS_LSTM_OUTPUT_GATE_RECURRENT_WEIGHTS] = {PMP_WEIGHTS_RECURRENT, LSTM, @"outputGateRecurrentWeights"},
    [PYMPS_LSTM_OUTPUT_GATE_MEMORY_WEIGHTS] = {PMP_WEIGHTS_MEMORY, LSTM, @"outputGateMemoryWeights"},
    [PYMPS_GRU_INPUT_GATE_INPUT_WEIGHTS] = {PMP_WEIGHTS_INPUT, GRU, @"inputGateInputWeights"},
    [PYMPS_GRU_INPUT_GATE_RECURRENT_WEIGHTS] = {PMP_WEIGHTS_RECURRENT, GRU, @"inputGateRecurrentWeights"},
    [PYMPS_GRU_RECURRENT_GATE_INPUT_WEIGHTS] = {PMP_WEIGHTS_INPUT, GRU, @"recurrentGateInputWeights"},
    [PYMPS_GRU_RECURRENT_GATE_RECURRENT_WEIGHTS] = {PMP_WEIGHTS_RECURRENT, GRU, @"recurrentGateRecurrentWeights"},
    [PYMPS_GRU_OUTPUT_GATE_INPUT_WEIGHTS] = {PMP_WEIGHTS_INPUT, GRU, @"outputGateInputWeights"},
    [PYMPS_GRU_OUTPUT_GATE_RECURRENT_WEIGHTS] = {PMP_WEIGHTS_RECURRENT, GRU, @"outputGateRecurrentWeights"},
    [PYMPS_GRU_OUTPUT_GATE_INPUT_GATE_WEIGHTS] = {PMP_WEIGHTS_RECURRENT, GRU, @"outputGateInputGateWeights"},
};

enum { matrix_id_count = sizeof properties / sizeof *properties };

// Bias terms, whose ids follow those of the other weights of their gate.
_Static_assert(matrix_id_count + 1 == PMP_MATRIX_ID_COUNT, "an id is missing");

struct pymps_descriptor { // owned by its creator
    descriptor_kind kind;
    size_t input_feature_channels, output_feature_channels;
    bool use_layer_input_unit_transform_mode, use_float32_weights;
    pymps_sequence_direction layer_sequence_direction;
    bool memory_weights_are_diagonal; // of an LSTM
    pymps_neuron cell_to_output_neuron;
    float gate_pnorm_value; // of a GRU
    bool flip_output_gates;
    pymps_data_source sources[matrix_id_count]; // by MPSRNNMatrixId, with a reference each; without `load`: zeros
};

// ---- Making ----

static pymps_status create(const char *function, descriptor_kind kind, size_t input_feature_channels,
                           size_t output_feature_channels, pymps_descriptor **descriptor, pymps_error *error) {
    return pmp_enter(function, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK(input_feature_channels >= 1, call, "input_feature_channels: 0, expected at least 1");
        PMP_CHECK(output_feature_channels >= 1, call, "output_feature_channels: 0, expected at least 1");
        PMP_CHECK_NOT_NULL(descriptor, call);
        pymps_descriptor *handle = calloc(1, sizeof *handle);
        if (handle == NULL)
            return pmp_out_of_memory(call);
        handle->kind = kind;
        handle->input_feature_channels = input_feature_channels;
        handle->output_feature_channels = output_feature_channels;
        handle->cell_to_output_neuron = (pymps_neuron){.type = MPSCNNNeuronTypeTanH, .a = 1, .b = 1, .c = 1};
        handle->gate_pnorm_value = 1;
        *descriptor = handle;
        return PYMPS_OK;
    });
}

pymps_status lstm_descriptor_create(size_t input_feature_channels, size_t output_feature_channels,
                                    pymps_descriptor **descriptor, pymps_error *error) {
    return create(__func__, LSTM, input_feature_channels, output_feature_channels, descriptor, error);
}

pymps_status gru_descriptor_create(size_t input_feature_channels, size_t output_feature_channels,
                                   pymps_descriptor **descriptor, pymps_error *error) {
    return create(__func__, GRU, input_feature_channels, output_feature_channels, descriptor, error);
}

pymps_status single_gate_descriptor_create(size_t input_feature_channels, size_t output_feature_channels,
                                           pymps_descriptor **descriptor, pymps_error *error) {
    return create(__func__, SINGLE_GATE, input_feature_channels, output_feature_channels, descriptor, error);
}

static void release_context(const pymps_data_source *source) {
    if (source->release != NULL)
        source->release(source->context);
}

void descriptor_release(pymps_descriptor *descriptor) {
    if (descriptor == NULL)
        return;
    for (int matrix_id = 0; matrix_id < matrix_id_count; matrix_id++)
        release_context(&descriptor->sources[matrix_id]);
    free(descriptor);
}

// ---- Weights ----

static pymps_status check_matrix_id(const pmp_call *call, const pymps_descriptor *descriptor, int matrix_id) {
    bool is_known = matrix_id >= 0 && matrix_id < matrix_id_count;
    const weight_property *property = is_known ? &properties[matrix_id] : NULL;
    PMP_CHECK(is_known && property->weights != PMP_WEIGHTS_NONE && property->descriptor == descriptor->kind, call,
              "matrix_id: %d, expected the MPSRNNMatrixId of %s's weights", matrix_id, kind_names[descriptor->kind]);
    return PYMPS_OK;
}

static pmp_weights_shape shape_of(const pymps_descriptor *descriptor, int matrix_id) {
    size_t outputs = descriptor->output_feature_channels;
    return (pmp_weights_shape){
        .matrix_id = matrix_id,
        .kind = properties[matrix_id].weights,
        .inputs = properties[matrix_id].weights == PMP_WEIGHTS_INPUT ? descriptor->input_feature_channels : outputs,
        .outputs = outputs,
        .takes_kernels = true,
    };
}

// Takes over the source's reference to its context.
static void replace(pymps_descriptor *descriptor, int matrix_id, pymps_data_source source) {
    release_context(&descriptor->sources[matrix_id]);
    descriptor->sources[matrix_id] = source;
}

pymps_status descriptor_set_weights(pymps_descriptor *descriptor, pymps_matrix_id matrix_id,
                                    const pymps_weights *weights, pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(descriptor, call);
        PMP_TRY(check_matrix_id(call, descriptor, (int)matrix_id));
        pymps_data_source copy = {0};
        if (weights != NULL) {
            pmp_call at_weights = pmp_at(call, "weights", PMP_NO_INDEX);
            pmp_weights_shape shape = shape_of(descriptor, (int)matrix_id);
            PMP_TRY(pmp_weights_check(&at_weights, &shape, weights));
            PMP_TRY(pmp_weights_copy(call, weights, &copy));
        }
        replace(descriptor, (int)matrix_id, copy);
        return PYMPS_OK;
    });
}

pymps_status descriptor_set_data_source(pymps_descriptor *descriptor, pymps_matrix_id matrix_id,
                                        const pymps_data_source *source, pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(descriptor, call);
        PMP_TRY(check_matrix_id(call, descriptor, (int)matrix_id));
        if (source == NULL) {
            replace(descriptor, (int)matrix_id, (pymps_data_source){0});
            return PYMPS_OK;
        }
        PMP_CHECK(source->load != NULL, call, "source.load: NULL, expected a function");
        PMP_CHECK(source->purge != NULL, call, "source.purge: NULL, expected a function");
        PMP_CHECK((source->retain == NULL) == (source->release == NULL), call,
                  "source.retain, source.release: one of them NULL, expected both or none");
        if (source->retain != NULL)
            source->retain(source->context);
        replace(descriptor, (int)matrix_id, *source);
        return PYMPS_OK;
    });
}

// ---- Other values ----

void descriptor_set_use_layer_input_unit_transform_mode(pymps_descriptor *descriptor, bool value) {
    if (descriptor != NULL)
        descriptor->use_layer_input_unit_transform_mode = value;
}

void descriptor_set_use_float32_weights(pymps_descriptor *descriptor, bool value) {
    if (descriptor != NULL)
        descriptor->use_float32_weights = value;
}

pymps_status descriptor_set_layer_sequence_direction(pymps_descriptor *descriptor, pymps_sequence_direction direction,
                                                     pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(descriptor, call);
        PMP_CHECK(direction == PYMPS_SEQUENCE_FORWARD || direction == PYMPS_SEQUENCE_BACKWARD, call,
                  "direction: %d, expected 0 (forward) or 1 (backward)", (int)direction);
        descriptor->layer_sequence_direction = direction;
        return PYMPS_OK;
    });
}

static pymps_status check_kind(const pmp_call *call, const pymps_descriptor *descriptor, descriptor_kind kind) {
    PMP_CHECK_NOT_NULL(descriptor, call);
    PMP_CHECK(descriptor->kind == kind, call, "descriptor: of %s, expected one of %s", kind_names[descriptor->kind],
              kind_names[kind]);
    return PYMPS_OK;
}

pymps_status lstm_descriptor_set_memory_weights_are_diagonal(pymps_descriptor *descriptor, bool value,
                                                             pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_TRY(check_kind(call, descriptor, LSTM));
        descriptor->memory_weights_are_diagonal = value;
        return PYMPS_OK;
    });
}

pymps_status lstm_descriptor_set_cell_to_output_neuron(pymps_descriptor *descriptor, const pymps_neuron *neuron,
                                                       pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_TRY(check_kind(call, descriptor, LSTM));
        PMP_CHECK_NOT_NULL(neuron, call);
        pmp_call at_neuron = pmp_at(call, "neuron", PMP_NO_INDEX);
        PMP_TRY(pmp_neuron_check(&at_neuron, neuron, descriptor->output_feature_channels));
        PMP_CHECK(neuron->type != MPSCNNNeuronTypePReLU, &at_neuron,
                  "type: %d (PReLU), expected a type with the same parameters for all channels", (int)neuron->type);
        descriptor->cell_to_output_neuron = *neuron;
        return PYMPS_OK;
    });
}

pymps_status gru_descriptor_set_gate_pnorm_value(pymps_descriptor *descriptor, float value, pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_TRY(check_kind(call, descriptor, GRU));
        PMP_CHECK(value > 0 && isfinite(value), call, "value: %g, expected a finite number above 0", (double)value);
        descriptor->gate_pnorm_value = value;
        return PYMPS_OK;
    });
}

pymps_status gru_descriptor_set_flip_output_gates(pymps_descriptor *descriptor, bool value, pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_TRY(check_kind(call, descriptor, GRU));
        descriptor->flip_output_gates = value;
        return PYMPS_OK;
    });
}

// ---- For a layer ----

pmp_stack_layer pmp_descriptor_shape(const pymps_descriptor *descriptor) {
    return (pmp_stack_layer){descriptor->input_feature_channels, descriptor->output_feature_channels,
                             descriptor->layer_sequence_direction};
}

pymps_data_type pmp_descriptor_data_type(const pymps_descriptor *descriptor) {
    return descriptor->use_float32_weights ? PYMPS_FLOAT32 : PYMPS_FLOAT16;
}

// The id of the bias terms that come with input weights.
static int bias_id(int matrix_id) {
    do
        matrix_id++;
    while (matrix_id < matrix_id_count && properties[matrix_id].weights != PMP_WEIGHTS_NONE);
    return matrix_id;
}

pmp_weights_table pmp_descriptor_weights_table(const pymps_descriptor *descriptor) {
    pmp_weights_table table = {.has_memory_cell = descriptor->kind == LSTM};
    for (int matrix_id = 0; matrix_id < matrix_id_count; matrix_id++) {
        if (descriptor->sources[matrix_id].load == NULL)
            continue;
        pmp_weights_shape shape = shape_of(descriptor, matrix_id);
        bool is_input = shape.kind == PMP_WEIGHTS_INPUT;
        bool is_row = shape.kind == PMP_WEIGHTS_MEMORY && descriptor->memory_weights_are_diagonal;
        if (!is_input || !descriptor->use_layer_input_unit_transform_mode)
            table.weights[matrix_id] = (pmp_matrix_shape){is_row ? 1 : shape.outputs, shape.inputs};
        if (is_input)
            table.weights[bias_id(matrix_id)] = (pmp_matrix_shape){1, shape.outputs};
    }
    return table;
}

// The least window, counted in pixels, that holds the kernels of all weights at hand.
static size_t window_of(const pymps_descriptor *descriptor) {
    size_t width = 1, height = 1;
    for (int matrix_id = 0; matrix_id < matrix_id_count; matrix_id++) {
        const pymps_weights *weights = pmp_copied_weights(&descriptor->sources[matrix_id]);
        if (weights == NULL)
            continue;
        width = MAX(width, pmp_kernel_width(weights));
        height = MAX(height, pmp_kernel_height(weights));
    }
    return pmp_product(width, height);
}

// The weights of all gates must fit a buffer, in whatever way the layer packs them.
static pymps_status check_size(const pmp_call *call, const pymps_descriptor *descriptor, id<MTLDevice> device) {
    size_t gate_count = descriptor->kind == SINGLE_GATE ? 1 : 4; // a GRU has three, and one matrix more
    size_t inputs = descriptor->input_feature_channels, outputs = descriptor->output_feature_channels;
    size_t element_bytes = descriptor->use_float32_weights ? sizeof(float) : sizeof(uint16_t);
    size_t columns, row_bytes;
    bool overflows = __builtin_add_overflow(inputs, outputs, &columns);
    row_bytes = overflows ? SIZE_MAX : pmp_product(columns, gate_count * element_bytes);
    PMP_CHECK(pmp_product(pmp_product(outputs, row_bytes), window_of(descriptor)) <= device.maxBufferLength, call,
              "output_feature_channels: %zu (input: %zu), expected weights of at most %lu bytes, the device's "
              "max_buffer_length_bytes",
              outputs, inputs, (unsigned long)device.maxBufferLength);
    return PYMPS_OK;
}

static pymps_status check_descriptor(const pmp_call *call, const pymps_descriptor *descriptor, id<MTLDevice> device,
                                     bool takes_images) {
    size_t outputs = descriptor->output_feature_channels;
    PMP_TRY(check_size(call, descriptor, device));
    PMP_CHECK(!descriptor->use_layer_input_unit_transform_mode || descriptor->input_feature_channels == outputs, call,
              "use_layer_input_unit_transform_mode: %zu input channels, expected %zu, the output channels",
              descriptor->input_feature_channels, outputs);
    for (int matrix_id = 0; matrix_id < matrix_id_count; matrix_id++) {
        const pymps_weights *weights = pmp_copied_weights(&descriptor->sources[matrix_id]);
        pmp_weights_shape shape = shape_of(descriptor, matrix_id);
        shape.takes_kernels = takes_images;
        if (weights != NULL)
            PMP_TRY(pmp_weights_check_layer(call, &shape, weights, descriptor->memory_weights_are_diagonal));
    }
    return PYMPS_OK;
}

static MPSRNNDescriptor *make_object(const pymps_descriptor *descriptor) {
    NSUInteger inputs = descriptor->input_feature_channels, outputs = descriptor->output_feature_channels;
    switch (descriptor->kind) {
    case SINGLE_GATE:
        return [MPSRNNSingleGateDescriptor createRNNSingleGateDescriptorWithInputFeatureChannels:inputs
                                                                           outputFeatureChannels:outputs];
    case GRU: {
        MPSGRUDescriptor *gru = [MPSGRUDescriptor createGRUDescriptorWithInputFeatureChannels:inputs
                                                                        outputFeatureChannels:outputs];
        gru.gatePnormValue = descriptor->gate_pnorm_value;
        gru.flipOutputGates = descriptor->flip_output_gates;
        return gru;
    }
    case LSTM: {
        MPSLSTMDescriptor *lstm = [MPSLSTMDescriptor createLSTMDescriptorWithInputFeatureChannels:inputs
                                                                            outputFeatureChannels:outputs];
        lstm.memoryWeightsAreDiagonal = descriptor->memory_weights_are_diagonal;
        lstm.cellToOutputNeuronType = descriptor->cell_to_output_neuron.type;
        lstm.cellToOutputNeuronParamA = descriptor->cell_to_output_neuron.a;
        lstm.cellToOutputNeuronParamB = descriptor->cell_to_output_neuron.b;
        lstm.cellToOutputNeuronParamC = descriptor->cell_to_output_neuron.c;
        return lstm;
    }
    }
}

static PMPDataSource *make_source(const pmp_call *call, const pymps_descriptor *descriptor, int matrix_id,
                                  bool takes_images) {
    pmp_weights_shape shape = shape_of(descriptor, matrix_id);
    shape.takes_kernels = takes_images;
    char place[64];
    if (call->index == PMP_NO_INDEX)
        snprintf(place, sizeof place, "%s.data_source[%d]", call->argument, matrix_id);
    else
        snprintf(place, sizeof place, "%s[%zu].data_source[%d]", call->argument, call->index, matrix_id);
    return [[[PMPDataSource alloc] initWithSource:&descriptor->sources[matrix_id]
                                            shape:shape
                                       isDiagonal:descriptor->memory_weights_are_diagonal
                                            place:place] autorelease];
}

pymps_status pmp_descriptor_make(const pmp_call *call, const pymps_descriptor *descriptor, id<MTLDevice> device,
                                 bool takes_images, NSMutableArray *sources, MPSRNNDescriptor **made) {
    PMP_TRY(check_descriptor(call, descriptor, device, takes_images));
    MPSRNNDescriptor *object = make_object(descriptor);
    object.useLayerInputUnitTransformMode = descriptor->use_layer_input_unit_transform_mode;
    object.useFloat32Weights = descriptor->use_float32_weights;
    object.layerSequenceDirection = (MPSRNNSequenceDirection)descriptor->layer_sequence_direction;
    for (int matrix_id = 0; matrix_id < matrix_id_count; matrix_id++) {
        if (descriptor->sources[matrix_id].load == NULL)
            continue;
        PMPDataSource *source = make_source(call, descriptor, matrix_id, takes_images);
        [sources addObject:source];
        [object setValue:source forKey:properties[matrix_id].name];
    }
    *made = object;
    return PYMPS_OK;
}
