/* The arguments that making things refuses, by the error's text: devices, buffers, descriptors, layers. No argument may
 * abort, and none may change an output. Running: pymps_run_errors_test.c. */
#include "pymps_test.h"

#include <unistd.h>

static pymps_device *device;
static size_t limit;

static void test_devices(void) {
    size_t count;
    FAILS(api->device_count(NULL, error), "[device_count] count: NULL, expected a pointer");
    FAILS(api->device_open(0, 0, NULL, error), "[device_open] device: NULL, expected a pointer");
    FAILS(api->device_open(0, 257, &device, error), "[device_open] threads: 257, expected at most 256");
    REQUIRE(api->device_count(&count, error));
    pymps_error error = {0};
    pymps_device *none = NULL;
    CHECK(api->device_open(count, 0, &none, &error) == PYMPS_ERROR_DEVICE && none == NULL, "%d", error.status);
    char text[100];
    snprintf(text, sizeof text, "[device_open] index: %zu, expected less than %zu, the number of devices", count,
             count);
    CHECK(strcmp(error.text, text) == 0, "'%s'", error.text);
    CHECK(api->device_open(count, 0, &none, NULL) == PYMPS_ERROR_DEVICE, "without an error");
    api->device_info(NULL, NULL);
    CHECK(api->device_current_allocated_size_bytes(NULL) == 0, "NULL");
}

static void test_buffers(void) {
    pymps_buffer *buffer = NULL;
    FAILS(api->buffer_create(NULL, 4, PYMPS_STORAGE_SHARED, &buffer, error),
          "[buffer_create] device: NULL, expected a pointer");
    FAILS(api->buffer_create(device, 4, PYMPS_STORAGE_SHARED, NULL, error),
          "[buffer_create] buffer: NULL, expected a pointer");
    const size_t lengths[] = {0, limit + 1, SIZE_MAX};
    for (int i = 0; i < 3; i++)
        FAILS(api->buffer_create(device, lengths[i], PYMPS_STORAGE_SHARED, &buffer, error),
              "[buffer_create] length_bytes: %zu, expected 1 to %zu, the device's max_buffer_length_bytes", lengths[i],
              limit);
    FAILS(api->buffer_create(device, 4, (pymps_storage_mode)3, &buffer, error),
          "[buffer_create] storage_mode: 3, expected 0 (shared), 1 (managed) or 2 (private)");

    size_t page = (size_t)getpagesize();
    char *pages;
    CHECK(posix_memalign((void **)&pages, page, 2 * page) == 0, "no memory");
    FAILS(api->buffer_wrap(device, NULL, page, NULL, NULL, &buffer, error),
          "[buffer_wrap] pointer: NULL, expected a pointer");
    FAILS(api->buffer_wrap(device, pages + 4, page, NULL, NULL, &buffer, error),
          "[buffer_wrap] pointer: %p, expected a multiple of %zu, the page size", (void *)(pages + 4), page);
    FAILS(api->buffer_wrap(device, pages, page + 4, NULL, NULL, &buffer, error),
          "[buffer_wrap] length_bytes: %zu, expected a multiple of %zu, the page size", page + 4, page);
    FAILS(api->buffer_wrap(device, pages, 0, NULL, NULL, &buffer, error),
          "[buffer_wrap] length_bytes: 0, expected 1 to %zu, the device's max_buffer_length_bytes", limit);
    free(pages);
    CHECK(buffer == NULL, "an output was changed");

    buffer = make_buffer(device, 8, PYMPS_STORAGE_SHARED);
    FAILS(api->buffer_did_modify(buffer, 0, 8, error),
          "[buffer_did_modify] buffer: storage mode 0, expected 1 (managed)");
    api->buffer_release(buffer);
    buffer = make_buffer(device, 8, PYMPS_STORAGE_MANAGED);
    FAILS(api->buffer_did_modify(buffer, 4, SIZE_MAX, error),
          "[buffer_did_modify] length_bytes: %zu at offset 4, expected to end within the buffer's 8 bytes", SIZE_MAX);
    api->buffer_release(buffer);
    CHECK(api->buffer_contents(NULL) == NULL && api->buffer_length_bytes(NULL) == 0, "NULL");
}

static void test_descriptors(void) {
    pymps_descriptor *descriptor = NULL;
    FAILS(api->lstm_descriptor_create(0, 4, &descriptor, error),
          "[lstm_descriptor_create] input_feature_channels: 0, expected at least 1");
    FAILS(api->lstm_descriptor_create(4, 0, &descriptor, error),
          "[lstm_descriptor_create] output_feature_channels: 0, expected at least 1");
    FAILS(api->lstm_descriptor_create(4, 4, NULL, error),
          "[lstm_descriptor_create] descriptor: NULL, expected a pointer");
    REQUIRE(api->lstm_descriptor_create(2, 3, &descriptor, error));

    const float data[9] = {0}, slopes[3] = {0};
    const pymps_weights good = {
        .data = data, .data_type = PYMPS_FLOAT32, .output_feature_channels = 3, .input_feature_channels = 2};
    const pymps_matrix_id input = PYMPS_LSTM_CELL_GATE_INPUT_WEIGHTS, memory = PYMPS_LSTM_CELL_GATE_MEMORY_WEIGHTS;
    pymps_weights bad = good;
#define SET(id) api->descriptor_set_weights(descriptor, id, &bad, error)
    FAILS(api->descriptor_set_weights(NULL, input, &bad, error),
          "[descriptor_set_weights] descriptor: NULL, expected a pointer");
    const int ids[] = {-1, 0, 2, 6, 10, 14, 18, 1000};
    for (int i = 0; i < 8; i++)
        FAILS(SET((pymps_matrix_id)ids[i]),
              "[descriptor_set_weights] matrix_id: %d, expected the MPSRNNMatrixId of an LSTM's weights", ids[i]);
    bad.data = NULL;
    FAILS(SET(input), "[descriptor_set_weights] weights.data: NULL, expected a pointer");
    bad = good;
    bad.data_type = (pymps_data_type)9;
    FAILS(SET(input), "[descriptor_set_weights] weights.data_type: 0x9, expected 0x10000020 (float32), 0x10000010 "
                      "(float16) or 0x8 (uint8)");
    bad = good;
    bad.output_feature_channels = 2;
    FAILS(SET(input), "[descriptor_set_weights] weights.output_feature_channels: 2, expected 3");
    bad = good;
    bad.input_feature_channels = 1;
    FAILS(SET(input), "[descriptor_set_weights] weights.input_feature_channels: 1, expected 2");
    bad = good;
    FAILS(SET(PYMPS_LSTM_INPUT_GATE_RECURRENT_WEIGHTS),
          "[descriptor_set_weights] weights.input_feature_channels: 2, expected 3");
    FAILS(SET(memory), "[descriptor_set_weights] weights.input_feature_channels: 2, expected 3, or 1 for a diagonal");
    const int types[] = {-1, 16};
    for (int i = 0; i < 2; i++) {
        bad.neuron.type = types[i];
        FAILS(SET(input), "[descriptor_set_weights] weights.neuron.type: %d, expected 0 to 15, an MPSCNNNeuronType",
              types[i]);
    }
    bad.neuron = (pymps_neuron){.type = 10};
    FAILS(SET(input), "[descriptor_set_weights] weights.neuron.channel_a: NULL, expected one value per output channel");
    bad.neuron = (pymps_neuron){.type = 10, .channel_a = slopes, .channel_count = 2};
    FAILS(SET(input), "[descriptor_set_weights] weights.neuron.channel_count: 2, expected 3, the output channels");
    bad.neuron = (pymps_neuron){.type = 3, .channel_a = slopes, .channel_count = 3};
    FAILS(SET(input),
          "[descriptor_set_weights] weights.neuron.channel_a: given for type 3, expected only for PReLU (10)");
#undef SET
    pymps_neuron neuron = {.type = 10, .channel_a = slopes, .channel_count = 3};
    FAILS(api->lstm_descriptor_set_cell_to_output_neuron(descriptor, &neuron, error),
          "[lstm_descriptor_set_cell_to_output_neuron] neuron.type: 10 (PReLU), expected a type with the same "
          "parameters for all channels");
    neuron = (pymps_neuron){.type = 77};
    FAILS(api->lstm_descriptor_set_cell_to_output_neuron(descriptor, &neuron, error),
          "[lstm_descriptor_set_cell_to_output_neuron] neuron.type: 77, expected 0 to 15, an MPSCNNNeuronType");
    FAILS(api->lstm_descriptor_set_cell_to_output_neuron(descriptor, NULL, error),
          "[lstm_descriptor_set_cell_to_output_neuron] neuron: NULL, expected a pointer");
    FAILS(api->lstm_descriptor_set_memory_weights_are_diagonal(NULL, true, error),
          "[lstm_descriptor_set_memory_weights_are_diagonal] descriptor: NULL, expected a pointer");
    api->descriptor_set_use_float32_weights(NULL, true);
    api->descriptor_set_use_layer_input_unit_transform_mode(NULL, true);
    api->descriptor_release(descriptor);
}

static pymps_descriptor *describe(size_t inputs, size_t outputs) {
    pymps_descriptor *descriptor;
    REQUIRE(api->lstm_descriptor_create(inputs, outputs, &descriptor, error));
    return descriptor;
}

static void test_layers(void) {
    pymps_layer *layer = NULL;
    pymps_descriptor *pair[2] = {describe(2, 3), describe(4, 3)};
    FAILS(api->layer_create(NULL, pair, 1, &layer, error), "[layer_create] device: NULL, expected a pointer");
    FAILS(api->layer_create(device, NULL, 1, &layer, error), "[layer_create] descriptors: NULL, expected a pointer");
    FAILS(api->layer_create(device, pair, 0, &layer, error), "[layer_create] count: 0, expected at least 1 descriptor");
    FAILS(api->layer_create(device, pair, 1, NULL, error), "[layer_create] layer: NULL, expected a pointer");
    FAILS(api->layer_create(device, pair, 2, &layer, error),
          "[layer_create] descriptors[1].input_feature_channels: 4, expected 3, the output channels of the layer "
          "before");
    FAILS(api->layer_create(device, (pymps_descriptor *[]){pair[0], NULL}, 2, &layer, error),
          "[layer_create] descriptors[1]: NULL, expected a descriptor");
    api->descriptor_set_use_layer_input_unit_transform_mode(pair[0], true);
    FAILS(api->layer_create(device, pair, 1, &layer, error),
          "[layer_create] descriptors[0].use_layer_input_unit_transform_mode: 2 input channels, expected 3, the "
          "output channels");
    api->descriptor_set_use_layer_input_unit_transform_mode(pair[0], false);

    const float data[9] = {0};
    pymps_weights weights = {
        .data = data, .data_type = PYMPS_FLOAT32, .output_feature_channels = 3, .input_feature_channels = 1};
    REQUIRE(api->descriptor_set_weights(pair[0], PYMPS_LSTM_FORGET_GATE_MEMORY_WEIGHTS, &weights, error));
    FAILS(api->layer_create(device, pair, 1, &layer, error),
          "[layer_create] descriptors[0].memory_weights_are_diagonal: false, expected true: matrix_id 9 has 3 x 1 "
          "weights");
    REQUIRE(api->lstm_descriptor_set_memory_weights_are_diagonal(pair[0], true, error));
    weights.input_feature_channels = 3;
    REQUIRE(api->descriptor_set_weights(pair[0], PYMPS_LSTM_INPUT_GATE_MEMORY_WEIGHTS, &weights, error));
    FAILS(api->layer_create(device, pair, 1, &layer, error),
          "[layer_create] descriptors[0].memory_weights_are_diagonal: true, expected false: matrix_id 5 has 3 x 3 "
          "weights");

    pymps_descriptor *huge = describe(SIZE_MAX, SIZE_MAX / 2);
    FAILS(api->layer_create(device, &huge, 1, &layer, error),
          "[layer_create] descriptors[0].output_feature_channels: %zu (input: %zu), expected weights of at most %zu "
          "bytes, the device's max_buffer_length_bytes",
          SIZE_MAX / 2, SIZE_MAX, limit);
    weights.output_feature_channels = weights.input_feature_channels = SIZE_MAX / 2;
    FAILS(api->descriptor_set_weights(huge, PYMPS_LSTM_INPUT_GATE_MEMORY_WEIGHTS, &weights, error),
          "[descriptor_set_weights] weights.data: %zu x 1 x 1 x %zu numbers, more than memory can hold", SIZE_MAX / 2,
          SIZE_MAX / 2);
    CHECK(layer == NULL, "an output was changed");
    FAILS(api->layer_copy(NULL, &layer, error), "[layer_copy] layer: NULL, expected a pointer");
    api->layer_info(NULL, NULL);
    api->descriptor_release(huge);
    api->descriptor_release(pair[0]);
    api->descriptor_release(pair[1]);
}

static void test_all(void) {
    pymps_device_info info;
    device = open_device();
    api->device_info(device, &info);
    limit = info.max_buffer_length_bytes;
    test_devices();
    test_buffers();
    test_descriptors();
    test_layers();
    api->device_release(device);
}

int main(void) {
    for_each_backend(test_all);
    return report();
}
