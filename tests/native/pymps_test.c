/* The C interface as an embedder uses it: the library, devices, buffers, and who owns what. */
#include "pymps_test.h"

#include <unistd.h>

static void test_library(void) {
    size_t count = 0, devices = 0;
    const pymps_backend *const *backends = pymps_backends(&count);
    CHECK(pymps_abi_version() == PYMPS_ABI_VERSION, "%u", pymps_abi_version());
    CHECK(count >= 1, "%zu", count);
    CHECK(strcmp(backends[count - 1]->name, "portable") == 0, "%s", backends[count - 1]->name);
    REQUIRE(backends[count - 1]->device_count(&devices, error));
    CHECK(devices >= 1, "%zu", devices);
}

static void test_devices(void) {
    pymps_device *device = open_device(), *again = open_device();
    pymps_device_info info = {0}, info_again = {0};
    api->device_info(device, &info);
    api->device_info(again, &info_again);
    CHECK(info.name[0] != '\0' && strlen(info.name) < sizeof info.name, "'%s'", info.name);
    CHECK(info.registry_id == info_again.registry_id, "%llu", (unsigned long long)info_again.registry_id);
    CHECK(info.max_buffer_length_bytes >= 1 << 20, "%llu", (unsigned long long)info.max_buffer_length_bytes);
    CHECK(info.recommended_max_working_set_size_bytes > 0, "0");
    api->device_release(again);

    uint64_t before = api->device_current_allocated_size_bytes(device);
    pymps_buffer *buffer = make_buffer(device, 1 << 20, PYMPS_STORAGE_SHARED);
    uint64_t grown = api->device_current_allocated_size_bytes(device) - before;
    CHECK(grown >= 1 << 20, "%llu", (unsigned long long)grown);
    api->buffer_release(buffer);
    api->device_release(device);
}

static void test_buffers(void) {
    pymps_device *device = open_device();
    for (int mode = PYMPS_STORAGE_SHARED; mode <= PYMPS_STORAGE_PRIVATE; mode++) {
        pymps_buffer *buffer = make_buffer(device, 1002, (pymps_storage_mode)mode);
        CHECK(api->buffer_length_bytes(buffer) == 1002, "%zu", api->buffer_length_bytes(buffer));
        CHECK(api->buffer_storage_mode(buffer) == (pymps_storage_mode)mode, "%d", mode);
        CHECK((api->buffer_contents(buffer) == NULL) == (mode == PYMPS_STORAGE_PRIVATE), "mode %d", mode);
        /* The last three halves: the end of the buffer is no multiple of the 4 bytes that blits copy. */
        pymps_matrix matrix = {buffer, 996, 1, 3, 6, PYMPS_FLOAT16};
        uint16_t halves[4] = {1, 1, 1, 1};
        if (mode == PYMPS_STORAGE_MANAGED) {
            memset(api->buffer_contents(buffer), 0, 1002);
            REQUIRE(api->buffer_did_modify(buffer, 0, 1002, error));
        }
        REQUIRE(api->matrix_read(device, &matrix, halves, error));
        CHECK(halves[0] == 0 && halves[1] == 0 && halves[2] == 0 && halves[3] == 1, "mode %d", mode);
        api->buffer_release(buffer);
    }
    api->device_release(device);
}

static void count_call(void *context) {
    ++*(int *)context;
}

static void test_wrap(void) {
    pymps_device *device = open_device();
    size_t length = (size_t)getpagesize();
    void *pages;
    CHECK(posix_memalign(&pages, length, length) == 0, "no memory");
    int calls = 0;
    pymps_buffer *buffer, *untouched = NULL;
    CHECK(api->buffer_wrap(device, pages, length - 1, count_call, &calls, &untouched, NULL) == PYMPS_ERROR_ARGUMENT,
          "wrapped");
    CHECK(untouched == NULL && calls == 0, "%d calls", calls);
    REQUIRE(api->buffer_wrap(device, pages, length, count_call, &calls, &buffer, error));
    CHECK(api->buffer_contents(buffer) == pages, "moved");
    memset(pages, 0, length);

    /* What is encoded keeps the memory in use. */
    lstm lstm = lstm_create(4, 4, MEMORY_NONE, 1);
    pymps_layer *layer = lstm_layer(device, &lstm, 1, false);
    pymps_queue *queue;
    pymps_command_buffer *command_buffer;
    REQUIRE(api->queue_create(device, &queue, error));
    REQUIRE(api->command_buffer_create(queue, &command_buffer, error));
    pymps_matrix source = float_matrix(buffer, 0, 1, 4, 16), destination = float_matrix(buffer, 16, 1, 4, 16);
    REQUIRE(api->layer_encode_sequence(layer, command_buffer, 1, &source, &destination, NULL, 0, false, NULL, error));
    api->buffer_release(buffer);
    CHECK(calls == 0, "%d calls", calls);
    REQUIRE(api->command_buffer_commit(command_buffer, error));
    REQUIRE(api->command_buffer_wait(command_buffer, error));
    CHECK(((float *)pages)[4] != 0, "not computed");
    api->command_buffer_release(command_buffer);
    api->queue_release(queue);
    CHECK(calls == 1, "%d calls", calls);
    api->layer_release(layer);
    lstm_destroy(&lstm);
    api->device_release(device);
    free(pages);
}

/* Handles keep alive what they need: whatever goes first, the stream works until it goes itself. */
static void test_release_orders(void) {
    enum { HANDLES = 5 };
    for (int first = 0; first < HANDLES; first++)
        for (int step = 1; step < HANDLES; step++) {
            lstm lstm = lstm_create(3, 4, MEMORY_NONE, 9);
            pymps_device *device = open_device();
            pymps_layer *layer = lstm_layer(device, &lstm, 1, false), *copy;
            pymps_stream *stream;
            REQUIRE(api->layer_copy(layer, &copy, error));
            REQUIRE(api->stream_create(copy, 1, &stream, error));
            REQUIRE(api->stream_step(stream, error));
            pymps_state *state = api->stream_state(stream);
            bool has_stream = true;
            for (int i = 0, handle = first; i < HANDLES; i++, handle = (handle + step) % HANDLES) {
                if (handle == 0)
                    api->device_release(device);
                else if (handle == 1)
                    api->layer_release(layer);
                else if (handle == 2)
                    api->layer_release(copy);
                else if (handle == 3)
                    api->state_release(state);
                else
                    api->stream_release(stream);
                has_stream &= handle != 4;
                if (has_stream)
                    REQUIRE(api->stream_step(stream, error));
            }
            ++passed;
            lstm_destroy(&lstm);
        }
    api->device_release(NULL);
    api->buffer_release(NULL);
    api->descriptor_release(NULL);
    api->layer_release(NULL);
    api->state_release(NULL);
    api->queue_release(NULL);
    api->command_buffer_release(NULL);
    api->stream_release(NULL);
}

static void test_all(void) {
    test_devices();
    test_buffers();
    test_wrap();
    test_release_orders();
}

int main(void) {
    test_library();
    for_each_backend(test_all);
    return report();
}
