// pymps_weights: their checks, and the copy that a descriptor keeps of them.
#import "layers.h"
#include <stdlib.h>
#include <string.h>

enum { lookup_table_count = 256 };

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

static pymps_status check_data(const pmp_call *call, const pymps_weights *weights) {
    PMP_CHECK(weights->data != NULL, call, "data: NULL, expected a pointer");
    bool is_uint8 = weights->data_type == PYMPS_UINT8;
    PMP_CHECK(is_uint8 || pmp_is_float(weights->data_type), call,
              "data_type: 0x%x, expected 0x%x (float32), 0x%x (float16) or 0x%x (uint8)", (unsigned)weights->data_type,
              PYMPS_FLOAT32, PYMPS_FLOAT16, PYMPS_UINT8);
    int table_count = (weights->ranges != NULL) + (weights->lookup_table != NULL);
    PMP_CHECK(!is_uint8 || table_count == 1, call, "ranges, lookup_table: %d of them given, expected one for uint8",
              table_count);
    PMP_CHECK(is_uint8 || table_count == 0, call, "ranges, lookup_table: given for data_type 0x%x, expected for uint8",
              (unsigned)weights->data_type);
    return PYMPS_OK;
}

static bool has_kernel(const pymps_weights *weights) {
    return pmp_kernel_width(weights) > 1 || pmp_kernel_height(weights) > 1;
}

static bool is_vector(const pmp_weights_shape *shape, const pymps_weights *weights) {
    return shape->kind == PMP_WEIGHTS_MEMORY && weights->input_feature_channels == 1 && !has_kernel(weights);
}

pymps_status pmp_weights_check(const pmp_call *call, const pmp_weights_shape *shape, const pymps_weights *weights) {
    PMP_TRY(check_data(call, weights));
    PMP_CHECK(weights->output_feature_channels == shape->outputs, call, "output_feature_channels: %zu, expected %zu",
              weights->output_feature_channels, shape->outputs);
    PMP_CHECK(weights->input_feature_channels == shape->inputs || is_vector(shape, weights), call,
              "input_feature_channels: %zu, expected %zu%s", weights->input_feature_channels, shape->inputs,
              shape->kind == PMP_WEIGHTS_MEMORY ? ", or 1 for a diagonal" : "");
    // Far from SIZE_MAX: whatever is kept for each output channel can be added.
    size_t kernel = pmp_product(pmp_kernel_width(weights), pmp_kernel_height(weights));
    PMP_CHECK(pmp_product(pmp_product(shape->outputs, shape->inputs), kernel) < SIZE_MAX / 256, call,
              "data: %zu x %zu x %zu x %zu numbers, more than memory can hold", shape->outputs,
              pmp_kernel_height(weights), pmp_kernel_width(weights), shape->inputs);
    char neuron[64];
    snprintf(neuron, sizeof neuron, "%s.neuron", call->argument);
    pmp_call at_neuron = pmp_at(call, neuron, PMP_NO_INDEX);
    return pmp_neuron_check(&at_neuron, &weights->neuron, shape->outputs);
}

pymps_status pmp_weights_check_layer(const pmp_call *call, const pmp_weights_shape *shape, const pymps_weights *weights,
                                     bool is_diagonal) {
    PMP_CHECK(shape->takes_kernels || !has_kernel(weights), call,
              "kernel_height, kernel_width: %zu x %zu of matrix_id %d, expected 1 x 1 in a layer of matrices",
              pmp_kernel_height(weights), pmp_kernel_width(weights), shape->matrix_id);
    bool is_one_number = shape->outputs == 1 && !has_kernel(weights);
    bool fits = shape->kind != PMP_WEIGHTS_MEMORY || is_one_number || is_vector(shape, weights) == is_diagonal;
    PMP_CHECK(fits, call, "memory_weights_are_diagonal: %s, expected %s: matrix_id %d has %zu x %zu weights",
              is_diagonal ? "true" : "false", is_diagonal ? "false" : "true", shape->matrix_id, shape->outputs,
              pmp_kernel_count(weights));
    return PYMPS_OK;
}

// ---- The copy: a data source that is always loaded ----

typedef struct weights_copy { // owned by its references
    atomic_size_t references;
    pymps_weights weights; // all that it points to lies in the same memory, behind this struct
} weights_copy;

static void retain_copy(void *context) {
    pmp_retain(&((weights_copy *)context)->references);
}

static void release_copy(void *context) {
    if (pmp_drop(&((weights_copy *)context)->references))
        free(context);
}

static pymps_status load_copy(void *context, pymps_weights *weights, pymps_error *error) {
    (void)error;
    *weights = ((weights_copy *)context)->weights;
    return PYMPS_OK;
}

static void purge_copy(void *context) {
    (void)context;
}

static size_t aligned(size_t size) {
    enum { alignment = 16 };
    return size + -size % alignment;
}

// Copies `size` bytes to `*place`, which moves on behind them. NULL stays NULL.
static const void *put(char **place, const void *bytes, size_t size) {
    if (bytes == NULL)
        return NULL;
    const void *copy = memcpy(*place, bytes, size);
    *place += aligned(size);
    return copy;
}

pymps_status pmp_weights_copy(const pmp_call *call, const pymps_weights *weights, pymps_data_source *copy) {
    size_t outputs = weights->output_feature_channels;
    size_t data_bytes = outputs * pmp_kernel_count(weights) * pmp_element_bytes(weights->data_type);
    size_t channel_bytes = outputs * sizeof(float), range_bytes = outputs * sizeof *weights->ranges;
    size_t table_bytes = lookup_table_count * sizeof(float);
    size_t label_bytes = weights->label == NULL ? 0 : strlen(weights->label) + 1;
    weights_copy *made = calloc(1, aligned(sizeof *made) + aligned(data_bytes) + 2 * aligned(channel_bytes) +
                                       aligned(range_bytes) + table_bytes + aligned(label_bytes));
    if (made == NULL)
        return pmp_out_of_memory(call);
    atomic_init(&made->references, 1);
    made->weights = *weights;
    char *place = (char *)made + aligned(sizeof *made);
    made->weights.data = put(&place, weights->data, data_bytes);
    made->weights.bias = put(&place, weights->bias, channel_bytes);
    made->weights.neuron.channel_a = put(&place, weights->neuron.channel_a, channel_bytes);
    made->weights.ranges = put(&place, weights->ranges, range_bytes);
    made->weights.lookup_table = put(&place, weights->lookup_table, table_bytes);
    made->weights.label = put(&place, weights->label, label_bytes);
    *copy = (pymps_data_source){made, retain_copy, release_copy, load_copy, purge_copy};
    return PYMPS_OK;
}

const pymps_weights *pmp_copied_weights(const pymps_data_source *source) {
    return source->load == load_copy ? &((weights_copy *)source->context)->weights : NULL;
}
