/* The C interface at the level of commands: what it says of bad arguments. */
#include "pymps_cells.h"

static pymps_device *device;
static pymps_queue *queue;

static void count_call(void *context) {
    ++*(int *)context;
}

static void do_nothing(void *context, pymps_status status, const pymps_error *error) {
    (void)context;
    (void)status;
    (void)error;
}

static void test_queues(void) {
    pymps_queue *none = NULL;
    const size_t counts[] = {0, 4097, SIZE_MAX};
    for (int i = 0; i < 3; i++)
        FAILS(api->queue_create_with_max_command_buffer_count(device, counts[i], &none, error),
              "[queue_create_with_max_command_buffer_count] max_command_buffer_count: %zu, expected 1 to 4096",
              counts[i]);
    FAILS(api->queue_create_with_max_command_buffer_count(NULL, 1, &none, error),
          "[queue_create_with_max_command_buffer_count] device: NULL, expected a pointer");
    FAILS(api->queue_create_with_max_command_buffer_count(device, 1, NULL, error),
          "[queue_create_with_max_command_buffer_count] queue: NULL, expected a pointer");
    FAILS(api->shared_event_create(NULL, NULL, error), "[shared_event_create] device: NULL, expected a pointer");
    FAILS(api->shared_event_create(device, NULL, error), "[shared_event_create] event: NULL, expected a pointer");
    api->shared_event_release(NULL);
    api->shared_event_set_signaled_value(NULL, 1);
    CHECK(api->shared_event_signaled_value(NULL) == 0, "NULL");
}

static void test_order(void) {
    pymps_command_buffer *commands;
    pymps_shared_event *event;
    pymps_buffer *buffer = make_buffer(device, 16, PYMPS_STORAGE_SHARED);
    int calls = 0;
    REQUIRE(api->command_buffer_create(queue, &commands, error));
    REQUIRE(api->shared_event_create(device, &event, error));
    FAILS(api->command_buffer_wait_until_scheduled(commands, error),
          "[command_buffer_wait_until_scheduled] command_buffer: not committed, expected a commit before");
    FAILS(api->command_buffer_wait(commands, error),
          "[command_buffer_wait] command_buffer: not committed, expected a commit before");
    FAILS(api->command_buffer_encode_wait_event(commands, NULL, 1, error),
          "[command_buffer_encode_wait_event] event: NULL, expected a pointer");
    FAILS(api->command_buffer_add_completed_handler(commands, NULL, count_call, &calls, error),
          "[command_buffer_add_completed_handler] handler: NULL, expected a pointer");
    REQUIRE(api->command_buffer_enqueue(commands, error));
    FAILS(api->command_buffer_enqueue(commands, error),
          "[command_buffer_enqueue] command_buffer: already enqueued, expected one enqueue");
    REQUIRE(api->command_buffer_commit(commands, error));
    REQUIRE(api->command_buffer_wait(commands, error));
    FAILS(api->command_buffer_commit(commands, error),
          "[command_buffer_commit] command_buffer: already committed, expected one commit");
    FAILS(api->command_buffer_enqueue(commands, error),
          "[command_buffer_enqueue] command_buffer: already committed, expected to enqueue before");
    FAILS(api->command_buffer_add_scheduled_handler(commands, do_nothing, count_call, &calls, error),
          "[command_buffer_add_scheduled_handler] command_buffer: already committed, expected to add before");
    static const char late[] = "command_buffer: already committed, expected to encode before";
    FAILS(api->command_buffer_encode_signal_event(commands, event, 1, error), "[command_buffer_encode_signal_event] %s",
          late);
    FAILS(api->command_buffer_encode_wait_event(commands, event, 1, error), "[command_buffer_encode_wait_event] %s",
          late);
    FAILS(api->command_buffer_fill(commands, buffer, 0, 4, 0, error), "[command_buffer_fill] %s", late);
    FAILS(api->command_buffer_copy(commands, buffer, 0, buffer, 8, 4, error), "[command_buffer_copy] %s", late);
    FAILS(api->command_buffer_synchronize(commands, buffer, error), "[command_buffer_synchronize] %s", late);
    CHECK(calls == 0, "%d releases", calls);
    api->command_buffer_release(commands);
    api->shared_event_release(event);
    api->buffer_release(buffer);
}

static void test_null(void) {
    pymps_command_buffer_times times;
#define NULL_COMMANDS(name, ...)                                                                                       \
    FAILS(api->command_buffer_##name(NULL, ##__VA_ARGS__, error),                                                      \
          "[command_buffer_" #name "] command_buffer: NULL, expected a pointer")
    NULL_COMMANDS(enqueue);
    NULL_COMMANDS(commit);
    NULL_COMMANDS(wait);
    NULL_COMMANDS(wait_until_scheduled);
    NULL_COMMANDS(add_scheduled_handler, do_nothing, NULL, NULL);
    NULL_COMMANDS(add_completed_handler, do_nothing, NULL, NULL);
    NULL_COMMANDS(encode_signal_event, NULL, 1);
    NULL_COMMANDS(encode_wait_event, NULL, 1);
    NULL_COMMANDS(copy, NULL, 0, NULL, 0, 4);
    NULL_COMMANDS(fill, NULL, 0, 4, 0);
    NULL_COMMANDS(synchronize, NULL);
#undef NULL_COMMANDS
    CHECK(api->command_buffer_status(NULL) == PYMPS_COMMAND_BUFFER_NOT_ENQUEUED, "NULL");
    api->command_buffer_times(NULL, &times);
    api->command_buffer_release(NULL);
}

static void test_ranges(void) {
    pymps_command_buffer *commands;
    pymps_buffer *a = make_buffer(device, 32, PYMPS_STORAGE_SHARED), *b = make_buffer(device, 16, PYMPS_STORAGE_SHARED);
    REQUIRE(api->command_buffer_create(queue, &commands, error));
#define COPY(from, to, size) api->command_buffer_copy(commands, a, from, b, to, size, error)
    FAILS(api->command_buffer_copy(commands, NULL, 0, b, 0, 4, error),
          "[command_buffer_copy] source: NULL, expected a pointer");
    FAILS(api->command_buffer_copy(commands, a, 0, NULL, 0, 4, error),
          "[command_buffer_copy] destination: NULL, expected a pointer");
    FAILS(COPY(2, 0, 4), "[command_buffer_copy] source_offset_bytes: 2, expected a multiple of 4");
    FAILS(COPY(0, 1, 4), "[command_buffer_copy] destination_offset_bytes: 1, expected a multiple of 4");
    const size_t lengths[] = {0, 6};
    for (int i = 0; i < 2; i++)
        FAILS(COPY(0, 0, lengths[i]), "[command_buffer_copy] length_bytes: %zu, expected a multiple of 4, at least 4",
              lengths[i]);
    FAILS(COPY(24, 0, 12), "[command_buffer_copy] length_bytes: 12 at source_offset_bytes 24, expected to end within "
                           "the buffer's 32 bytes");
    FAILS(COPY(0, 8, 12),
          "[command_buffer_copy] length_bytes: 12 at destination_offset_bytes 8, expected to end within "
          "the buffer's 16 bytes");
    const size_t huge = SIZE_MAX - 3;
    FAILS(COPY(huge, 0, 8),
          "[command_buffer_copy] length_bytes: 8 at source_offset_bytes %zu, expected to end within "
          "the buffer's 32 bytes",
          huge);
    FAILS(COPY(4, 0, huge),
          "[command_buffer_copy] length_bytes: %zu at source_offset_bytes 4, expected to end within "
          "the buffer's 32 bytes",
          huge);
#undef COPY
    FAILS(api->command_buffer_copy(commands, a, 0, a, 4, 8, error),
          "[command_buffer_copy] destination_offset_bytes: 4, expected no overlap with the 8 bytes at "
          "source_offset_bytes 0");
    FAILS(api->command_buffer_fill(commands, a, 30, 4, 0, error),
          "[command_buffer_fill] offset_bytes: 30, expected a multiple of 4");
    FAILS(api->command_buffer_fill(commands, a, 28, 8, 0, error),
          "[command_buffer_fill] length_bytes: 8 at offset_bytes 28, expected to end within the buffer's 32 bytes");
    FAILS(api->command_buffer_fill(commands, NULL, 0, 4, 0, error),
          "[command_buffer_fill] buffer: NULL, expected a pointer");
    FAILS(api->command_buffer_synchronize(commands, NULL, error),
          "[command_buffer_synchronize] buffer: NULL, expected a pointer");
    finish(commands);
    api->buffer_release(a);
    api->buffer_release(b);
}

static void test_all(void) {
    device = open_device();
    REQUIRE(api->queue_create(device, &queue, error));
    test_queues();
    test_order();
    test_null();
    test_ranges();
    api->queue_release(queue);
    api->device_release(device);
}

int main(void) {
    for_each_backend(test_all);
    return report();
}
