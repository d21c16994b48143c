/* The C interface: data sources with callbacks. Who holds them, when they load, and what a failed load says. */
#include "pymps_cells.h"

enum { INPUTS = 3, OUTPUTS = 4, STEPS = 5 };

/* Weights in memory that exists between load and purge only. */
typedef struct source {
    pymps_weights weights;
    int references, loads, purges;
    float *loaded;
    pymps_status failure;
    const char *text; /* of the failure */
} source;

static void retain_source(void *context) {
    ((source *)context)->references++;
}

static void release_source(void *context) {
    ((source *)context)->references--;
}

static pymps_status load_source(void *context, pymps_weights *weights, pymps_error *error) {
    source *source = context;
    if (source->failure != PYMPS_OK) {
        if (source->text != NULL)
            *error = (pymps_error){.status = source->failure, .code = 17};
        if (source->text != NULL)
            strcpy(error->text, source->text);
        return source->failure;
    }
    size_t size = source->weights.output_feature_channels * source->weights.input_feature_channels * sizeof(float);
    CHECK(source->loaded == NULL, "loaded twice");
    source->loads++;
    source->loaded = malloc(size);
    memcpy(source->loaded, source->weights.data, size);
    *weights = source->weights;
    weights->data = source->loaded;
    return PYMPS_OK;
}

static void purge_source(void *context) {
    source *source = context;
    CHECK(source->loaded != NULL, "purged without a load");
    source->purges++;
    free(source->loaded);
    source->loaded = NULL;
}

static pymps_data_source callbacks(source *source) {
    return (pymps_data_source){source, retain_source, release_source, load_source, purge_source};
}

static void set_source(pymps_descriptor *descriptor, pymps_matrix_id matrix_id, source *source) {
    pymps_data_source set = callbacks(source);
    REQUIRE(api->descriptor_set_data_source(descriptor, matrix_id, &set, error));
}

static pymps_descriptor *describe(size_t inputs, size_t outputs) {
    pymps_descriptor *descriptor;
    REQUIRE(api->single_gate_descriptor_create(inputs, outputs, &descriptor, error));
    api->descriptor_set_use_float32_weights(descriptor, true);
    return descriptor;
}

/* The same numbers as from copied weights; two layers of one descriptor load twice. */
static void test_numbers(void) {
    pymps_device *device = open_device();
    rnn rnn = rnn_create(INPUTS, OUTPUTS, 31);
    source w = {.weights = float_weights(rnn.w, OUTPUTS, INPUTS, rnn.b, TANH)};
    source u = {.weights = float_weights(rnn.u, OUTPUTS, OUTPUTS, NULL, 0)};
    pymps_descriptor *descriptors[2] = {rnn_describe(&rnn, PYMPS_SEQUENCE_FORWARD), describe(INPUTS, OUTPUTS)};
    set_source(descriptors[1], PYMPS_SINGLE_GATE_INPUT_WEIGHTS, &w);
    set_source(descriptors[1], PYMPS_SINGLE_GATE_RECURRENT_WEIGHTS, &u);
    CHECK(w.references == 1 && u.references == 1 && w.loads == 0, "%d references, %d loads", w.references, w.loads);
    uint32_t seed = 32;
    float *x = random_numbers(STEPS * INPUTS, &seed), *y[3];
    for (int i = 0; i < 3; i++) {
        pymps_layer *layer = make_layer(device, &descriptors[i > 0], 1), *copy;
        REQUIRE(api->layer_copy(layer, &copy, error));
        api->layer_release(layer);
        y[i] = run_layer(device, copy, STEPS, x);
        api->layer_release(copy);
        CHECK(memcmp(y[i], y[0], STEPS * OUTPUTS * sizeof(float)) == 0, "layer %d", i);
        CHECK(w.loads >= i && w.purges == w.loads && u.loads >= i && u.purges == u.loads, "%d loads, %d purges",
              w.loads, w.purges);
    }
    api->descriptor_release(descriptors[0]);
    api->descriptor_release(descriptors[1]);
    CHECK(w.references == 0 && u.references == 0, "%d, %d references", w.references, u.references);
    for (int i = 0; i < 3; i++)
        free(y[i]);
    free(x);
    rnn_destroy(&rnn);
    api->device_release(device);
}

static void test_references(void) {
    const float data[OUTPUTS * INPUTS] = {0};
    source first = {.weights = float_weights(data, OUTPUTS, INPUTS, NULL, 0)}, second = first;
    pymps_descriptor *descriptor = describe(INPUTS, OUTPUTS);
    set_source(descriptor, PYMPS_SINGLE_GATE_INPUT_WEIGHTS, &first);
    set_source(descriptor, PYMPS_SINGLE_GATE_INPUT_WEIGHTS, &first);
    CHECK(first.references == 1, "%d references", first.references);
    set_source(descriptor, PYMPS_SINGLE_GATE_INPUT_WEIGHTS, &second);
    CHECK(first.references == 0 && second.references == 1, "%d references", first.references);
    REQUIRE(api->descriptor_set_weights(descriptor, PYMPS_SINGLE_GATE_INPUT_WEIGHTS, &first.weights, error));
    CHECK(second.references == 0, "%d references", second.references);
    set_source(descriptor, PYMPS_SINGLE_GATE_INPUT_WEIGHTS, &second);
    REQUIRE(api->descriptor_set_data_source(descriptor, PYMPS_SINGLE_GATE_INPUT_WEIGHTS, NULL, error));
    CHECK(second.references == 0 && first.loads + second.loads == 0, "%d references", second.references);

    pymps_data_source unowned = callbacks(&first);
    unowned.retain = unowned.release = NULL;
    REQUIRE(api->descriptor_set_data_source(descriptor, PYMPS_SINGLE_GATE_INPUT_WEIGHTS, &unowned, error));
    pymps_device *device = open_device();
    api->layer_release(make_layer(device, &descriptor, 1));
    CHECK(first.loads >= 1 && first.purges == first.loads && first.references == 0, "%d loads", first.loads);
    api->descriptor_release(descriptor);
    api->device_release(device);
}

/* Memory weights as a vector, which MPS sees within a matrix. */
static void test_diagonal(void) {
    pymps_device *device = open_device();
    lstm lstm = lstm_create(INPUTS, OUTPUTS, MEMORY_DIAGONAL, 33);
    source v = {.weights = float_weights(lstm.v[0], OUTPUTS, 1, NULL, 0)};
    pymps_descriptor *descriptors[2] = {lstm_describe(&lstm, false), lstm_describe(&lstm, false)};
    set_source(descriptors[1], PYMPS_LSTM_INPUT_GATE_MEMORY_WEIGHTS, &v);
    uint32_t seed = 34;
    float *x = random_numbers(STEPS * INPUTS, &seed), *y[2];
    for (int i = 0; i < 2; i++) {
        pymps_layer *layer = make_layer(device, &descriptors[i], 1);
        y[i] = run_layer(device, layer, STEPS, x);
        api->layer_release(layer);
    }
    CHECK(memcmp(y[0], y[1], STEPS * OUTPUTS * sizeof(float)) == 0, "differ");
    REQUIRE(api->lstm_descriptor_set_memory_weights_are_diagonal(descriptors[1], false, error));
    for (int id = PYMPS_LSTM_FORGET_GATE_MEMORY_WEIGHTS; id <= PYMPS_LSTM_OUTPUT_GATE_MEMORY_WEIGHTS; id += 4)
        REQUIRE(api->descriptor_set_weights(descriptors[1], (pymps_matrix_id)id, NULL, error));
    pymps_layer *layer = NULL;
    FAILS(api->layer_create(device, &descriptors[1], 1, &layer, error),
          "[layer_create] descriptors[0].data_source[5].memory_weights_are_diagonal: false, expected true: matrix_id 5 "
          "has 4 x 1 weights");
    CHECK(v.purges == v.loads, "%d loads, %d purges", v.loads, v.purges);
    for (int i = 0; i < 2; i++) {
        free(y[i]);
        api->descriptor_release(descriptors[i]);
    }
    free(x);
    lstm_destroy(&lstm);
    api->device_release(device);
}

/* The second layer's recurrent weights fail: what was loaded is purged, and the error is the callback's, to the byte.
 */
static void test_failed_load(void) {
    pymps_device *device = open_device();
    const float data[OUTPUTS * OUTPUTS] = {0};
    source w = {.weights = float_weights(data, OUTPUTS, OUTPUTS, NULL, 0)}, u = w;
    u.failure = PYMPS_ERROR_EXCEPTION;
    u.text = "weights.bin: no such file";
    pymps_descriptor *descriptors[2] = {describe(OUTPUTS, OUTPUTS), describe(OUTPUTS, OUTPUTS)};
    set_source(descriptors[1], PYMPS_SINGLE_GATE_INPUT_WEIGHTS, &w);
    set_source(descriptors[1], PYMPS_SINGLE_GATE_RECURRENT_WEIGHTS, &u);
    pymps_layer *layer = NULL;
    pymps_error error = {0};
    pymps_status status = api->layer_create(device, descriptors, 2, &layer, &error);
    CHECK(status == PYMPS_ERROR_EXCEPTION && error.status == status && layer == NULL, "status %d", status);
    CHECK(error.code == 17 && strcmp(error.text, u.text) == 0, "code %d: '%s'", (int)error.code, error.text);
    CHECK(api->layer_create(device, descriptors, 2, &layer, NULL) == PYMPS_ERROR_EXCEPTION, "made");
    u.text = NULL;
    error = (pymps_error){0};
    status = api->layer_create(device, descriptors, 2, &layer, &error);
    CHECK(status == PYMPS_ERROR_EXCEPTION && error.status == status, "status %d", status);
    CHECK(strcmp(error.text, "[layer_create] descriptors[1].data_source[1]: failed to load") == 0, "'%s'", error.text);
    CHECK(w.purges == w.loads && w.references == 1 && u.references == 1, "%d loads, %d purges", w.loads, w.purges);

    u.failure = PYMPS_OK;
    u.weights.output_feature_channels = OUTPUTS - 1;
    FAILS(api->layer_create(device, descriptors, 2, &layer, error),
          "[layer_create] descriptors[1].data_source[1].output_feature_channels: 3, expected 4");
    u.weights = w.weights;
    u.weights.neuron.type = 99;
    FAILS(api->layer_create(device, descriptors, 2, &layer, error),
          "[layer_create] descriptors[1].data_source[1].neuron.type: 99, expected 0 to 15, an MPSCNNNeuronType");
    CHECK(u.loads >= 2 && u.purges == u.loads && w.purges == w.loads, "%d loads, %d purges", u.loads, u.purges);
    for (int i = 0; i < 2; i++)
        api->descriptor_release(descriptors[i]);
    CHECK(w.references == 0 && u.references == 0, "%d, %d references", w.references, u.references);
    api->device_release(device);
}

static void test_errors(void) {
    source source = {0};
    pymps_descriptor *descriptor = describe(INPUTS, OUTPUTS);
    pymps_data_source bad = callbacks(&source);
#define SET(id) api->descriptor_set_data_source(descriptor, id, &bad, error)
    FAILS(api->descriptor_set_data_source(NULL, PYMPS_SINGLE_GATE_INPUT_WEIGHTS, &bad, error),
          "[descriptor_set_data_source] descriptor: NULL, expected a pointer");
    FAILS(SET((pymps_matrix_id)2),
          "[descriptor_set_data_source] matrix_id: 2, expected the MPSRNNMatrixId of a single gate's weights");
    bad.load = NULL;
    FAILS(SET(PYMPS_SINGLE_GATE_INPUT_WEIGHTS), "[descriptor_set_data_source] source.load: NULL, expected a function");
    bad = callbacks(&source);
    bad.purge = NULL;
    FAILS(SET(PYMPS_SINGLE_GATE_INPUT_WEIGHTS), "[descriptor_set_data_source] source.purge: NULL, expected a function");
    bad = callbacks(&source);
    bad.release = NULL;
    FAILS(SET(PYMPS_SINGLE_GATE_INPUT_WEIGHTS),
          "[descriptor_set_data_source] source.retain, source.release: one of them NULL, expected both or none");
#undef SET
    CHECK(source.references == 0, "%d references", source.references);
    api->descriptor_release(descriptor);
}

static void test_all(void) {
    test_numbers();
    test_references();
    test_diagonal();
    test_failed_load();
    test_errors();
}

int main(void) {
    for_each_backend(test_all);
    return report();
}
