/* What fails for want of memory: an error as any other, after which the program goes on. */
#include "pymps_test.h"
#include "pymps_training.h"

#include <sys/resource.h>
#include <unistd.h>

/* A copy of 2^24 x 2^24 numbers, more than memory can hold: none of them is read. */
static void test_weights(void) {
    const size_t outputs = (size_t)1 << 24;
    pymps_descriptor *descriptor;
    REQUIRE(api->lstm_descriptor_create(1, outputs, &descriptor, error));
    const float first = 0;
    pymps_weights weights = {.data = &first,
                             .data_type = PYMPS_FLOAT32,
                             .output_feature_channels = outputs,
                             .input_feature_channels = outputs};
    pymps_error error = {0};
    pymps_status status =
        api->descriptor_set_weights(descriptor, PYMPS_LSTM_INPUT_GATE_RECURRENT_WEIGHTS, &weights, &error);
    CHECK(status == PYMPS_ERROR_MEMORY && error.status == status, "status %d: '%s'", status, error.text);
    CHECK(strncmp(error.text, "[descriptor_set_weights] ", 25) == 0, "'%s'", error.text);
    api->descriptor_release(descriptor);
}

#if defined(__linux__) && !__has_feature(address_sanitizer)

static size_t address_space_bytes(void) {
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%lu", &pages) != 1)
        exit(1);
    fclose(file);
    return pages * (size_t)getpagesize();
}

/* Leaves no more than `bytes` to what follows, until setrlimit restores what this returns. */
static struct rlimit leave_memory(size_t bytes) {
    struct rlimit before;
    getrlimit(RLIMIT_AS, &before);
    struct rlimit tight = before;
    tight.rlim_cur = address_space_bytes() + bytes;
    setrlimit(RLIMIT_AS, &tight);
    return before;
}

/* No memory for what the device needs at run time: the command buffer fails, its queue goes on. */
static void test_command_buffer(void) {
    enum { ROWS = 1 << 12, CHANNELS = 1 << 10, MEMORY_EXHAUSTED = 8 /* MTLCommandBufferErrorOutOfMemory */ };
    pymps_device *device = open_device();
    lstm lstm = lstm_create(1, CHANNELS, MEMORY_NONE, 12);
    pymps_layer *layer = lstm_layer(device, &lstm, 1, false);
    pymps_buffer *x = make_buffer(device, ROWS * sizeof(float), PYMPS_STORAGE_SHARED);
    pymps_buffer *y = make_buffer(device, ROWS * CHANNELS * sizeof(float), PYMPS_STORAGE_SHARED);
    pymps_matrix source = float_matrix(x, 0, ROWS, 1, sizeof(float));
    pymps_matrix destination = float_matrix(y, 0, ROWS, CHANNELS, CHANNELS * sizeof(float));
    pymps_queue *queue;
    pymps_command_buffer *commands[3];
    REQUIRE(api->queue_create(device, &queue, error));
    for (int i = 0; i < 3; i++)
        REQUIRE(api->command_buffer_create(queue, &commands[i], error));
    REQUIRE(api->command_buffer_commit(commands[0], error));
    REQUIRE(api->command_buffer_wait(commands[0], error));
    for (int i = 1; i < 3; i++)
        REQUIRE(api->layer_encode_sequence(layer, commands[i], 1, &source, &destination, NULL, 0, false, NULL, error));

    const struct rlimit before = leave_memory(1 << 20);
    REQUIRE(api->command_buffer_commit(commands[1], error));
    pymps_error error = {0};
    pymps_status status = api->command_buffer_wait(commands[1], &error);
    setrlimit(RLIMIT_AS, &before);
    CHECK(status == PYMPS_ERROR_COMMAND_BUFFER && error.status == status, "status %d: '%s'", status, error.text);
    CHECK(error.code == MEMORY_EXHAUSTED, "code %lld", (long long)error.code);
    CHECK(strncmp(error.text, "[command_buffer_wait] ", 22) == 0 && error.text[22] != '\0', "'%s'", error.text);
    REQUIRE(api->command_buffer_commit(commands[2], error));
    REQUIRE(api->command_buffer_wait(commands[2], error));
    CHECK(((float *)api->buffer_contents(y))[ROWS * CHANNELS - 1] != 0, "not computed");

    for (int i = 0; i < 3; i++)
        api->command_buffer_release(commands[i]);
    api->queue_release(queue);
    api->buffer_release(x);
    api->buffer_release(y);
    api->layer_release(layer);
    lstm_destroy(&lstm);
    api->device_release(device);
}

/* A state is what a step leaves, whose memory may be lacking in many places. */
static void test_states(void) {
    enum { ROWS = 1 << 13, CHANNELS = 1 << 8 };
    pymps_device *device = open_device();
    lstm lstm = lstm_create(1, CHANNELS, MEMORY_NONE, 12);
    pymps_layer *layer = lstm_layer(device, &lstm, 1, false);
    pymps_descriptor *descriptor = lstm_describe(&lstm, false);
    pymps_training_layer *trained;
    pymps_training_matrices *weights;
    REQUIRE(api->training->training_layer_create(device, descriptor, &trained, &weights, error));
    api->descriptor_release(descriptor);
    for (int kind = 0; kind < 3; kind++) {
        pymps_state *state = NULL;
        size_t failures = 0;
        for (size_t bytes = 1 << 20; state == NULL && bytes < (size_t)1 << 30; bytes += 1 << 20) {
            pymps_error error = {0};
            const struct rlimit before = leave_memory(bytes);
            if (kind == 0)
                api->state_create(layer, ROWS, NULL, NULL, &state, &error);
            else
                api->training->training_state_create(trained, kind == 2, ROWS, NULL, NULL, &state, &error);
            setrlimit(RLIMIT_AS, &before);
            failures += state == NULL;
            CHECK(error.status == (state == NULL ? PYMPS_ERROR_MEMORY : PYMPS_OK), "kind %d, %zu bytes: '%s'", kind,
                  bytes, error.text);
        }
        CHECK(state != NULL && failures > 0, "kind %d: %zu failures", kind, failures);
        api->state_release(state);
    }
    api->training->training_matrices_release(weights);
    api->training->training_layer_release(trained);
    api->layer_release(layer);
    lstm_destroy(&lstm);
    api->device_release(device);
}

/* No memory for tapes or moments: no handle comes out, and with memory all goes on. */
static void test_training(void) {
    enum { ROWS = 1 << 12, CHANNELS = 1 << 9, BYTES = ROWS * CHANNELS * sizeof(float) };
    const pymps_training_functions *training = api->training;
    pymps_device *device = open_device();
    lstm lstm = lstm_create(CHANNELS, CHANNELS, MEMORY_NONE, 12);
    pymps_descriptor *descriptor = lstm_describe(&lstm, false);
    pymps_training_layer *layer;
    pymps_training_matrices *weights;
    REQUIRE(training->training_layer_create(device, descriptor, &layer, &weights, error));
    pymps_buffer *x = make_buffer(device, BYTES, PYMPS_STORAGE_SHARED),
                 *y = make_buffer(device, BYTES, PYMPS_STORAGE_SHARED);
    pymps_matrix source = float_matrix(x, 0, ROWS, CHANNELS, CHANNELS * sizeof(float));
    pymps_matrix destination = float_matrix(y, 0, ROWS, CHANNELS, CHANNELS * sizeof(float));
    pymps_queue *queue;
    pymps_command_buffer *commands;
    REQUIRE(api->queue_create(device, &queue, error));
    REQUIRE(api->command_buffer_create(queue, &commands, error));
    const pymps_training_forward forward = {
        .weights = weights, .steps = 1, .sources = &source, .destinations = &destination};
    const pymps_optimizer_options options = {.learning_rate = 1, .gradient_rescale = 1};

    for (int is_possible = 0; is_possible < 2; is_possible++) {
        pymps_training_tape *tape = NULL;
        pymps_optimizer *adam = NULL;
        pymps_error errors[2] = {{0}};
        const struct rlimit before = leave_memory(is_possible ? (size_t)1 << 30 : 1 << 20);
        training->training_layer_encode_forward(layer, commands, &forward, &tape, &errors[0]);
        training->adam_optimizer_create(layer, &options, 0.5, 0.5, 0, true, &adam, &errors[1]);
        setrlimit(RLIMIT_AS, &before);
        for (int i = 0; i < 2; i++)
            CHECK(errors[i].status == (is_possible ? PYMPS_OK : PYMPS_ERROR_MEMORY), "%d: '%s'", i, errors[i].text);
        CHECK((tape != NULL) == is_possible && (adam != NULL) == is_possible, "handles");
        training->training_tape_release(tape);
        training->optimizer_release(adam);
    }
    REQUIRE(api->command_buffer_commit(commands, error));
    REQUIRE(api->command_buffer_wait(commands, error));
    CHECK(((float *)api->buffer_contents(y))[ROWS * CHANNELS - 1] != 0, "not computed");

    api->command_buffer_release(commands);
    api->queue_release(queue);
    api->buffer_release(x);
    api->buffer_release(y);
    training->training_matrices_release(weights);
    training->training_layer_release(layer);
    api->descriptor_release(descriptor);
    lstm_destroy(&lstm);
    api->device_release(device);
}

#else

static void test_training(void) {}       /* as the last one */
static void test_states(void) {}         /* as the next one */
static void test_command_buffer(void) {} /* the limit is Linux's, and the sanitizer can't live with it */

#endif

#if __has_feature(address_sanitizer)

/* A diagonal whose matrix is more than the sanitizer may hand out (native/Makefile), though not more than a buffer. */
static void test_diagonal(void) {
    const size_t outputs = (size_t)1 << 14;
    pymps_device *device = open_device();
    pymps_descriptor *descriptor;
    REQUIRE(api->lstm_descriptor_create(1, outputs, &descriptor, error));
    REQUIRE(api->lstm_descriptor_set_memory_weights_are_diagonal(descriptor, true, error));
    float *diagonal = calloc(outputs, sizeof *diagonal);
    pymps_weights weights = {
        .data = diagonal, .data_type = PYMPS_FLOAT32, .output_feature_channels = outputs, .input_feature_channels = 1};
    REQUIRE(api->descriptor_set_weights(descriptor, PYMPS_LSTM_INPUT_GATE_MEMORY_WEIGHTS, &weights, error));
    free(diagonal);
    pymps_layer *layer = NULL;
    pymps_error error = {0};
    pymps_status status = api->layer_create(device, &descriptor, 1, &layer, &error);
    CHECK(status == PYMPS_ERROR_MEMORY && error.status == status, "status %d: '%s'", status, error.text);
    CHECK(layer == NULL, "a layer");
    api->descriptor_release(descriptor);
    api->device_release(device);
}

#else

static void test_diagonal(void) {} /* the limit is the sanitizer's */

#endif

static void test_all(void) {
    test_weights();
    test_diagonal();
    test_command_buffer();
    test_states();
    test_training();
}

int main(void) {
    for_each_backend(test_all);
    return report();
}
