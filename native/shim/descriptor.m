// pymps_descriptor: the values of an MPSLSTMDescriptor. Each layer gets a fresh one made from them, so that changes
// made later reach no layer.
#import "shim.h"
#include <stdlib.h>

enum { matrix_id_count = PYMPS_LSTM_OUTPUT_GATE_MEMORY_WEIGHTS + 1 };

struct pymps_descriptor { // owned by its creator
    size_t input_feature_channels, output_feature_channels;
    bool use_layer_input_unit_transform_mode, use_float32_weights, memory_weights_are_diagonal;
    pymps_neuron cell_to_output_neuron;
    PMPWeightsDataSource *weights[matrix_id_count]; // by MPSRNNMatrixId; nil: zeros
    bool is_diagonal[matrix_id_count];              // whether weights[id] came as a vector
};

typedef enum weights_kind { KIND_NONE, KIND_INPUT, KIND_RECURRENT, KIND_MEMORY } weights_kind;

static weights_kind kind_of(pymps_matrix_id matrix_id) {
    switch ((int)matrix_id) {
    case PYMPS_LSTM_INPUT_GATE_INPUT_WEIGHTS:
    case PYMPS_LSTM_FORGET_GATE_INPUT_WEIGHTS:
    case PYMPS_LSTM_CELL_GATE_INPUT_WEIGHTS:
    case PYMPS_LSTM_OUTPUT_GATE_INPUT_WEIGHTS:
        return KIND_INPUT;
    case PYMPS_LSTM_INPUT_GATE_RECURRENT_WEIGHTS:
    case PYMPS_LSTM_FORGET_GATE_RECURRENT_WEIGHTS:
    case PYMPS_LSTM_CELL_GATE_RECURRENT_WEIGHTS:
    case PYMPS_LSTM_OUTPUT_GATE_RECURRENT_WEIGHTS:
        return KIND_RECURRENT;
    case PYMPS_LSTM_INPUT_GATE_MEMORY_WEIGHTS:
    case PYMPS_LSTM_FORGET_GATE_MEMORY_WEIGHTS:
    case PYMPS_LSTM_CELL_GATE_MEMORY_WEIGHTS:
    case PYMPS_LSTM_OUTPUT_GATE_MEMORY_WEIGHTS:
        return KIND_MEMORY;
    }
    return KIND_NONE;
}

static void set_property(MPSLSTMDescriptor *descriptor, pymps_matrix_id matrix_id, PMPWeightsDataSource *weights) {
    switch ((int)matrix_id) {
    case PYMPS_LSTM_INPUT_GATE_INPUT_WEIGHTS:
        descriptor.inputGateInputWeights = weights;
        break;
    case PYMPS_LSTM_INPUT_GATE_RECURRENT_WEIGHTS:
        descriptor.inputGateRecurrentWeights = weights;
        break;
    case PYMPS_LSTM_INPUT_GATE_MEMORY_WEIGHTS:
        descriptor.inputGateMemoryWeights = weights;
        break;
    case PYMPS_LSTM_FORGET_GATE_INPUT_WEIGHTS:
        descriptor.forgetGateInputWeights = weights;
        break;
    case PYMPS_LSTM_FORGET_GATE_RECURRENT_WEIGHTS:
        descriptor.forgetGateRecurrentWeights = weights;
        break;
    case PYMPS_LSTM_FORGET_GATE_MEMORY_WEIGHTS:
        descriptor.forgetGateMemoryWeights = weights;
        break;
    case PYMPS_LSTM_CELL_GATE_INPUT_WEIGHTS:
        descriptor.cellGateInputWeights = weights;
        break;
    case PYMPS_LSTM_CELL_GATE_RECURRENT_WEIGHTS:
        descriptor.cellGateRecurrentWeights = weights;
        break;
    case PYMPS_LSTM_CELL_GATE_MEMORY_WEIGHTS:
        descriptor.cellGateMemoryWeights = weights;
        break;
    case PYMPS_LSTM_OUTPUT_GATE_INPUT_WEIGHTS:
        descriptor.outputGateInputWeights = weights;
        break;
    case PYMPS_LSTM_OUTPUT_GATE_RECURRENT_WEIGHTS:
        descriptor.outputGateRecurrentWeights = weights;
        break;
    case PYMPS_LSTM_OUTPUT_GATE_MEMORY_WEIGHTS:
        descriptor.outputGateMemoryWeights = weights;
        break;
    }
}

pymps_status pmp_neuron_check(const pmp_call *call, const pymps_neuron *neuron, size_t output_feature_channels) {
    PMP_CHECK(neuron->type >= MPSCNNNeuronTypeNone && neuron->type <= MPSCNNNeuronTypeGeLU, call,
              "type: %d, expected 0 to %d, an MPSCNNNeuronType", (int)neuron->type, MPSCNNNeuronTypeGeLU);
    if (neuron->type == MPSCNNNeuronTypePReLU) {
        PMP_CHECK(neuron->channel_a != NULL, call, "channel_a: NULL, expected one value per output channel");
        PMP_CHECK(neuron->channel_count == output_feature_channels, call,
                  "channel_count: %zu, expected %zu, the output channels", neuron->channel_count,
                  output_feature_channels);
    } else {
        PMP_CHECK(neuron->channel_a == NULL, call, "channel_a: given for type %d, expected only for PReLU (%d)",
                  (int)neuron->type, MPSCNNNeuronTypePReLU);
    }
    return PYMPS_OK;
}

pymps_status lstm_descriptor_create(size_t input_feature_channels, size_t output_feature_channels,
                                    pymps_descriptor **descriptor, pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK(input_feature_channels >= 1, call, "input_feature_channels: 0, expected at least 1");
        PMP_CHECK(output_feature_channels >= 1, call, "output_feature_channels: 0, expected at least 1");
        PMP_CHECK_NOT_NULL(descriptor, call);
        pymps_descriptor *handle = calloc(1, sizeof *handle);
        if (handle == NULL)
            return pmp_out_of_memory(call);
        handle->input_feature_channels = input_feature_channels;
        handle->output_feature_channels = output_feature_channels;
        handle->cell_to_output_neuron = (pymps_neuron){.type = MPSCNNNeuronTypeTanH, .a = 1, .b = 1, .c = 1};
        *descriptor = handle;
        return PYMPS_OK;
    });
}

void descriptor_release(pymps_descriptor *descriptor) {
    if (descriptor == NULL)
        return;
    pmp_perform(^{
        for (int matrix_id = 0; matrix_id < matrix_id_count; matrix_id++)
            [descriptor->weights[matrix_id] release];
    });
    free(descriptor);
}

// `inputs` becomes the input channels that MPS is told of: the memory weights' are always out x out there.
static pymps_status check_weights(const pmp_call *call, const pymps_descriptor *descriptor, weights_kind kind,
                                  const pymps_weights *weights, size_t *inputs) {
    size_t outputs = descriptor->output_feature_channels;
    *inputs = kind == KIND_INPUT ? descriptor->input_feature_channels : outputs;
    PMP_CHECK(weights->data != NULL, call, "data: NULL, expected a pointer");
    PMP_TRY(pmp_check_data_type(call, weights->data_type));
    PMP_CHECK(weights->output_feature_channels == outputs, call, "output_feature_channels: %zu, expected %zu",
              weights->output_feature_channels, outputs);
    bool is_vector = kind == KIND_MEMORY && weights->input_feature_channels == 1;
    PMP_CHECK(weights->input_feature_channels == *inputs || is_vector, call,
              "input_feature_channels: %zu, expected %zu%s", weights->input_feature_channels, *inputs,
              kind == KIND_MEMORY ? ", or 1 for a diagonal" : "");
    size_t length_bytes = pmp_product(pmp_product(outputs, *inputs), pmp_element_bytes(weights->data_type));
    PMP_CHECK(length_bytes < SIZE_MAX / 2, call, "data: %zu x %zu numbers, more than memory can hold", outputs,
              *inputs);
    pmp_call at_neuron = pmp_at(call, "weights.neuron", PMP_NO_INDEX);
    return pmp_neuron_check(&at_neuron, &weights->neuron, outputs);
}

pymps_status descriptor_set_weights(pymps_descriptor *descriptor, pymps_matrix_id matrix_id,
                                    const pymps_weights *weights, pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(descriptor, call);
        weights_kind kind = kind_of(matrix_id);
        PMP_CHECK(kind != KIND_NONE, call, "matrix_id: %d, expected the MPSRNNMatrixId of an LSTM's weights",
                  (int)matrix_id);
        PMPWeightsDataSource *source = nil;
        if (weights != NULL) {
            pmp_call at_weights = pmp_at(call, "weights", PMP_NO_INDEX);
            size_t inputs;
            PMP_TRY(check_weights(&at_weights, descriptor, kind, weights, &inputs));
            source = [[PMPWeightsDataSource alloc] initWithWeights:weights inputFeatureChannels:inputs];
        }
        [descriptor->weights[matrix_id] release];
        descriptor->weights[matrix_id] = source;
        descriptor->is_diagonal[matrix_id] = weights != NULL && weights->input_feature_channels == 1;
        return PYMPS_OK;
    });
}

void descriptor_set_use_layer_input_unit_transform_mode(pymps_descriptor *descriptor, bool value) {
    if (descriptor != NULL)
        descriptor->use_layer_input_unit_transform_mode = value;
}

void descriptor_set_use_float32_weights(pymps_descriptor *descriptor, bool value) {
    if (descriptor != NULL)
        descriptor->use_float32_weights = value;
}

pymps_status lstm_descriptor_set_memory_weights_are_diagonal(pymps_descriptor *descriptor, bool value,
                                                             pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(descriptor, call);
        descriptor->memory_weights_are_diagonal = value;
        return PYMPS_OK;
    });
}

pymps_status lstm_descriptor_set_cell_to_output_neuron(pymps_descriptor *descriptor, const pymps_neuron *neuron,
                                                       pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(descriptor, call);
        PMP_CHECK_NOT_NULL(neuron, call);
        pmp_call at_neuron = pmp_at(call, "neuron", PMP_NO_INDEX);
        PMP_TRY(pmp_neuron_check(&at_neuron, neuron, descriptor->output_feature_channels));
        PMP_CHECK(neuron->type != MPSCNNNeuronTypePReLU, &at_neuron,
                  "type: %d (PReLU), expected a type with the same parameters for all channels", (int)neuron->type);
        descriptor->cell_to_output_neuron = *neuron;
        return PYMPS_OK;
    });
}

void pmp_descriptor_channels(const pymps_descriptor *descriptor, size_t *inputs, size_t *outputs) {
    *inputs = descriptor->input_feature_channels;
    *outputs = descriptor->output_feature_channels;
}

// The weights of all gates must fit a buffer, in whatever way the layer packs them.
static pymps_status check_size(const pmp_call *call, const pymps_descriptor *descriptor, id<MTLDevice> device) {
    enum { gate_count = 4 };
    size_t inputs = descriptor->input_feature_channels, outputs = descriptor->output_feature_channels;
    size_t element_bytes = descriptor->use_float32_weights ? sizeof(float) : sizeof(uint16_t);
    size_t columns, row_bytes;
    bool overflows = __builtin_add_overflow(inputs, outputs, &columns);
    row_bytes = overflows ? SIZE_MAX : pmp_product(columns, gate_count * element_bytes);
    PMP_CHECK(pmp_product(outputs, row_bytes) <= device.maxBufferLength, call,
              "output_feature_channels: %zu (input: %zu), expected weights of at most %lu bytes, the device's "
              "max_buffer_length_bytes",
              outputs, inputs, (unsigned long)device.maxBufferLength);
    return PYMPS_OK;
}

static pymps_status check_descriptor(const pmp_call *call, const pymps_descriptor *descriptor, id<MTLDevice> device) {
    size_t outputs = descriptor->output_feature_channels;
    PMP_TRY(check_size(call, descriptor, device));
    PMP_CHECK(!descriptor->use_layer_input_unit_transform_mode || descriptor->input_feature_channels == outputs, call,
              "use_layer_input_unit_transform_mode: %zu input channels, expected %zu, the output channels",
              descriptor->input_feature_channels, outputs);
    bool is_diagonal = descriptor->memory_weights_are_diagonal;
    for (int matrix_id = 0; matrix_id < matrix_id_count; matrix_id++) {
        if (descriptor->weights[matrix_id] == nil || kind_of(matrix_id) != KIND_MEMORY || outputs == 1)
            continue;
        PMP_CHECK(descriptor->is_diagonal[matrix_id] == is_diagonal, call,
                  "memory_weights_are_diagonal: %s, expected %s: matrix_id %d has %zu x %zu weights",
                  is_diagonal ? "true" : "false", is_diagonal ? "false" : "true", matrix_id, outputs,
                  is_diagonal ? outputs : 1);
    }
    return PYMPS_OK;
}

pymps_status pmp_descriptor_make(const pmp_call *call, const pymps_descriptor *descriptor, id<MTLDevice> device,
                                 MPSRNNDescriptor **made) {
    PMP_TRY(check_descriptor(call, descriptor, device));
    MPSLSTMDescriptor *lstm =
        [MPSLSTMDescriptor createLSTMDescriptorWithInputFeatureChannels:descriptor->input_feature_channels
                                                  outputFeatureChannels:descriptor->output_feature_channels];
    lstm.useLayerInputUnitTransformMode = descriptor->use_layer_input_unit_transform_mode;
    lstm.useFloat32Weights = descriptor->use_float32_weights;
    lstm.memoryWeightsAreDiagonal = descriptor->memory_weights_are_diagonal;
    lstm.cellToOutputNeuronType = descriptor->cell_to_output_neuron.type;
    lstm.cellToOutputNeuronParamA = descriptor->cell_to_output_neuron.a;
    lstm.cellToOutputNeuronParamB = descriptor->cell_to_output_neuron.b;
    lstm.cellToOutputNeuronParamC = descriptor->cell_to_output_neuron.c;
    for (int matrix_id = 0; matrix_id < matrix_id_count; matrix_id++)
        set_property(lstm, matrix_id, descriptor->weights[matrix_id]);
    *made = lstm;
    return PYMPS_OK;
}
