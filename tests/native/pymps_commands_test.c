/* The C interface at the level of commands: status, order, handlers, events and blits. Their argument errors:
 * pymps_command_errors_test.c. */
#include "pymps_cells.h"

#include <pthread.h>
#include <stdatomic.h>

static pymps_device *device;

static pymps_queue *make_queue(void) {
    pymps_queue *queue;
    REQUIRE(api->queue_create(device, &queue, error));
    return queue;
}

static pymps_command_buffer *take(pymps_queue *queue) {
    pymps_command_buffer *command_buffer;
    REQUIRE(api->command_buffer_create(queue, &command_buffer, error));
    return command_buffer;
}

static pymps_shared_event *make_event(void) {
    pymps_shared_event *event;
    REQUIRE(api->shared_event_create(device, &event, error));
    return event;
}

/* Encodes 4 bytes of `value` at the start of `buffer`. */
static void fill(pymps_command_buffer *commands, pymps_buffer *buffer, uint8_t value) {
    REQUIRE(api->command_buffer_fill(commands, buffer, 0, 4, value, error));
}

static void test_status(void) {
    pymps_queue *queue = make_queue();
    pymps_command_buffer *commands = take(queue);
    pymps_shared_event *event = make_event();
    pymps_command_buffer_times times;
    CHECK(api->command_buffer_status(commands) == PYMPS_COMMAND_BUFFER_NOT_ENQUEUED, "status");
    api->command_buffer_times(commands, &times);
    CHECK(times.kernel_start == 0 && times.gpu_end == 0, "%g, %g", times.kernel_start, times.gpu_end);
    REQUIRE(api->command_buffer_enqueue(commands, error));
    CHECK(api->command_buffer_status(commands) == PYMPS_COMMAND_BUFFER_ENQUEUED, "status");
    REQUIRE(api->command_buffer_encode_wait_event(commands, event, 1, error));
    REQUIRE(api->command_buffer_commit(commands, error));
    REQUIRE(api->command_buffer_wait_until_scheduled(commands, error));
    CHECK(api->command_buffer_status(commands) == PYMPS_COMMAND_BUFFER_SCHEDULED, "status");
    api->shared_event_set_signaled_value(event, 1);
    REQUIRE(api->command_buffer_wait(commands, error));
    CHECK(api->command_buffer_status(commands) == PYMPS_COMMAND_BUFFER_COMPLETED, "status");
    api->command_buffer_times(commands, &times);
    CHECK(0 < times.kernel_start && times.kernel_start <= times.kernel_end, "%g, %g", times.kernel_start,
          times.kernel_end);
    CHECK(0 < times.gpu_start && times.gpu_start <= times.gpu_end, "%g, %g", times.gpu_start, times.gpu_end);
    api->shared_event_release(event);
    api->command_buffer_release(commands);
    api->queue_release(queue);
}

/* The second command buffer is committed first, and runs second. */
static void test_enqueue(void) {
    pymps_queue *queue = make_queue();
    pymps_buffer *buffer = make_buffer(device, 4, PYMPS_STORAGE_SHARED);
    pymps_command_buffer *first = take(queue), *second = take(queue);
    REQUIRE(api->command_buffer_enqueue(first, error));
    fill(first, buffer, 1);
    fill(second, buffer, 2);
    REQUIRE(api->command_buffer_commit(second, error));
    CHECK(*(uint8_t *)api->buffer_contents(buffer) == 0, "ran before its turn");
    REQUIRE(api->command_buffer_commit(first, error));
    REQUIRE(api->command_buffer_wait(second, error));
    CHECK(*(uint8_t *)api->buffer_contents(buffer) == 2, "%d", *(uint8_t *)api->buffer_contents(buffer));
    api->command_buffer_release(first);
    api->command_buffer_release(second);

    /* One that is enqueued and given up does not keep the next from running. */
    first = take(queue);
    second = take(queue);
    REQUIRE(api->command_buffer_enqueue(first, error));
    fill(first, buffer, 3);
    REQUIRE(api->command_buffer_commit(second, error));
    api->command_buffer_release(first);
    REQUIRE(api->command_buffer_wait(second, error));
    CHECK(*(uint8_t *)api->buffer_contents(buffer) == 3, "%d", *(uint8_t *)api->buffer_contents(buffer));
    api->command_buffer_release(second);
    api->buffer_release(buffer);
    api->queue_release(queue);
}

/* ---- Handlers ---- */

typedef struct handled {
    atomic_int calls, releases;
    pymps_status status;
    pymps_command_buffer *earlier, *command_buffer;
    pymps_command_buffer_status seen;
    pymps_error wait_error;
} handled;

static void handle(void *context, pymps_status status, const pymps_error *error) {
    handled *handled = context;
    CHECK(handled->releases == 0, "released before its call");
    CHECK((status == PYMPS_OK) == (error == NULL), "status %d", status);
    handled->status = status;
    handled->seen = api->command_buffer_status(handled->command_buffer);
    CHECK(api->command_buffer_wait(handled->command_buffer, &handled->wait_error) != PYMPS_OK, "waited");
    if (handled->earlier != NULL)
        REQUIRE(api->command_buffer_wait(handled->earlier, error));
    handled->calls++;
}

static void release_handled(void *context) {
    ((handled *)context)->releases++;
}

static void test_handlers(void) {
    pymps_queue *queue = make_queue();
    pymps_command_buffer *earlier = take(queue), *commands = take(queue);
    REQUIRE(api->command_buffer_commit(earlier, error));
    handled scheduled = {.command_buffer = commands}, unreleased = scheduled;
    handled completed = {.command_buffer = commands, .earlier = earlier};
    REQUIRE(api->command_buffer_add_scheduled_handler(commands, handle, release_handled, &scheduled, error));
    REQUIRE(api->command_buffer_add_completed_handler(commands, handle, release_handled, &completed, error));
    REQUIRE(api->command_buffer_add_completed_handler(commands, handle, NULL, &unreleased, error));
    REQUIRE(api->command_buffer_commit(commands, error));
    REQUIRE(api->command_buffer_wait(commands, error));
    CHECK(scheduled.calls == 1 && scheduled.releases == 1, "%d calls", scheduled.calls);
    CHECK(completed.calls == 1 && completed.releases == 1, "%d calls", completed.calls);
    CHECK(unreleased.calls == 1 && unreleased.releases == 0, "%d calls", unreleased.calls);
    CHECK(scheduled.seen == PYMPS_COMMAND_BUFFER_SCHEDULED, "status %d", scheduled.seen);
    CHECK(completed.seen == PYMPS_COMMAND_BUFFER_COMPLETED && completed.status == PYMPS_OK, "status %d",
          completed.seen);
    CHECK(strcmp(completed.wait_error.text,
                 "[command_buffer_wait] command_buffer: can't complete before this handler of "
                 "its queue ends, expected no wait for it here") == 0,
          "'%s'", completed.wait_error.text);
    api->command_buffer_release(commands);
    api->command_buffer_release(earlier);

    /* Never committed: never called, but released; enqueued only: called after all. */
    for (int is_enqueued = 0; is_enqueued < 2; is_enqueued++) {
        commands = take(queue);
        pymps_command_buffer *next = take(queue);
        handled never = {.command_buffer = next}, also = {.command_buffer = next};
        REQUIRE(api->command_buffer_add_scheduled_handler(commands, handle, release_handled, &never, error));
        REQUIRE(api->command_buffer_add_completed_handler(commands, handle, release_handled, &also, error));
        if (is_enqueued)
            REQUIRE(api->command_buffer_enqueue(commands, error));
        api->command_buffer_release(commands);
        REQUIRE(api->command_buffer_commit(next, error));
        REQUIRE(api->command_buffer_wait(next, error));
        CHECK(never.calls == is_enqueued && also.calls == is_enqueued, "%d, %d calls", never.calls, also.calls);
        CHECK(never.releases == 1 && also.releases == 1, "%d, %d releases", never.releases, also.releases);
        api->command_buffer_release(next);
    }
    api->queue_release(queue);
}

static void release_command_buffer(void *context, pymps_status status, const pymps_error *error) {
    (void)status;
    (void)error;
    handled *handled = context;
    handled->calls++;
    api->command_buffer_release(handled->command_buffer);
}

/* A handler may drop the last reference to its command buffer. */
static void test_release_in_handler(void) {
    pymps_queue *queue = make_queue();
    handled handled = {.command_buffer = take(queue)};
    REQUIRE(api->command_buffer_add_completed_handler(handled.command_buffer, release_command_buffer, NULL, &handled,
                                                      error));
    REQUIRE(api->command_buffer_commit(handled.command_buffer, error));
    pymps_command_buffer *next = take(queue);
    REQUIRE(api->command_buffer_commit(next, error));
    REQUIRE(api->command_buffer_wait(next, error));
    CHECK(handled.calls == 1, "%d calls", handled.calls);
    api->command_buffer_release(next);
    api->queue_release(queue);
}

/* ---- Events ---- */

static void *signal_later(void *event) {
    api->shared_event_set_signaled_value(event, 5);
    return NULL;
}

/* One queue waits for the other, which waits for the CPU. */
static void test_events(void) {
    pymps_queue *queues[2] = {make_queue(), make_queue()};
    pymps_buffer *buffer = make_buffer(device, 4, PYMPS_STORAGE_SHARED);
    pymps_command_buffer *consumer = take(queues[0]), *producer = take(queues[1]);
    pymps_shared_event *made = make_event(), *start = make_event();
    CHECK(api->shared_event_signaled_value(made) == 0, "not 0");
    REQUIRE(api->command_buffer_encode_wait_event(consumer, made, 7, error));
    fill(consumer, buffer, 2);
    REQUIRE(api->command_buffer_encode_wait_event(producer, start, 5, error));
    fill(producer, buffer, 1);
    REQUIRE(api->command_buffer_encode_signal_event(producer, made, 7, error));
    REQUIRE(api->command_buffer_commit(consumer, error));
    REQUIRE(api->command_buffer_commit(producer, error));
    api->shared_event_set_signaled_value(start, 4);
    CHECK(api->shared_event_signaled_value(start) == 4, "%d", (int)api->shared_event_signaled_value(start));
    CHECK(*(uint8_t *)api->buffer_contents(buffer) == 0, "ran before the event");
    pthread_t thread;
    pthread_create(&thread, NULL, signal_later, start);
    REQUIRE(api->command_buffer_wait(consumer, error));
    pthread_join(thread, NULL);
    REQUIRE(api->command_buffer_wait(producer, error));
    CHECK(*(uint8_t *)api->buffer_contents(buffer) == 2, "%d", *(uint8_t *)api->buffer_contents(buffer));
    CHECK(api->shared_event_signaled_value(made) == 7, "%d", (int)api->shared_event_signaled_value(made));
    api->command_buffer_release(consumer);
    api->command_buffer_release(producer);
    for (int i = 0; i < 2; i++)
        api->queue_release(queues[i]);
    api->shared_event_release(made);
    api->shared_event_release(start);
    api->buffer_release(buffer);
}

/* What is encoded keeps the event and the buffers. */
static void test_lifetime(void) {
    pymps_queue *queue = make_queue();
    pymps_command_buffer *commands = take(queue);
    pymps_shared_event *event = make_event();
    pymps_buffer *buffer = make_buffer(device, 64, PYMPS_STORAGE_PRIVATE);
    pymps_buffer *result = make_buffer(device, 64, PYMPS_STORAGE_SHARED);
    REQUIRE(api->command_buffer_fill(commands, buffer, 0, 64, 0xab, error));
    REQUIRE(api->command_buffer_encode_signal_event(commands, event, 1, error));
    REQUIRE(api->command_buffer_encode_wait_event(commands, event, 1, error));
    REQUIRE(api->command_buffer_copy(commands, buffer, 4, result, 8, 16, error));
    api->buffer_release(buffer);
    api->shared_event_release(event);
    api->queue_release(queue);
    finish(commands);
    const uint8_t *bytes = api->buffer_contents(result);
    for (int i = 0; i < 64; i++)
        CHECK(bytes[i] == (i >= 8 && i < 24 ? 0xab : 0), "byte %d: %d", i, bytes[i]);
    api->buffer_release(result);
}

static void test_blits(void) {
    for (int mode = PYMPS_STORAGE_SHARED; mode <= PYMPS_STORAGE_PRIVATE; mode++) {
        pymps_buffer *from = make_buffer(device, 32, PYMPS_STORAGE_SHARED);
        pymps_buffer *to = make_buffer(device, 32, (pymps_storage_mode)mode);
        for (int i = 0; i < 32; i++)
            ((uint8_t *)api->buffer_contents(from))[i] = (uint8_t)i;
        pymps_command_buffer *commands = make_command_buffer(device);
        REQUIRE(api->command_buffer_fill(commands, to, 0, 32, 0xff, error));
        REQUIRE(api->command_buffer_copy(commands, from, 8, to, 4, 12, error));
        REQUIRE(api->command_buffer_copy(commands, to, 4, to, 20, 8, error)); /* within one buffer */
        REQUIRE(api->command_buffer_synchronize(commands, to, error));
        finish(commands);
        uint16_t halves[16];
        uint8_t *bytes = (uint8_t *)halves;
        pymps_matrix whole = {to, 0, 1, 16, 32, PYMPS_FLOAT16};
        REQUIRE(api->matrix_read(device, &whole, halves, error));
        for (int i = 0; i < 32; i++) {
            int expected = i >= 4 && i < 16 ? i + 4 : i >= 20 && i < 28 ? i - 12 : 0xff;
            CHECK(bytes[i] == expected, "mode %d, byte %d: %d, expected %d", mode, i, bytes[i], expected);
        }
        api->buffer_release(from);
        api->buffer_release(to);
    }
}

/* ---- Queues ---- */

static void *commit_later(void *command_buffer) {
    REQUIRE(api->command_buffer_commit(command_buffer, error));
    return NULL;
}

/* A queue of one: the second command buffer comes when the first has completed. */
static void test_full_queue(void) {
    pymps_queue *queue;
    REQUIRE(api->queue_create_with_max_command_buffer_count(device, 1, &queue, error));
    pymps_command_buffer *first = take(queue), *second = NULL;
    FAILS(api->command_buffer_create(queue, &second, error),
          "[command_buffer_create] queue: 1 command buffers wait for their commit, expected less");
    pymps_shared_event *event = make_event();
    REQUIRE(api->command_buffer_encode_wait_event(first, event, 5, error));
    REQUIRE(api->command_buffer_commit(first, error));
    pthread_t thread;
    pthread_create(&thread, NULL, signal_later, event);
    second = take(queue);
    pthread_join(thread, NULL);
    CHECK(api->command_buffer_status(first) == PYMPS_COMMAND_BUFFER_COMPLETED, "%d", api->command_buffer_status(first));
    pthread_create(&thread, NULL, commit_later, second);
    pthread_join(thread, NULL);
    REQUIRE(api->command_buffer_wait(second, error));
    api->command_buffer_release(first);
    api->command_buffer_release(second);
    api->shared_event_release(event);
    api->queue_release(queue);
}

static void test_all(void) {
    device = open_device();
    test_status();
    test_enqueue();
    test_handlers();
    test_release_in_handler();
    test_events();
    test_lifetime();
    test_blits();
    test_full_queue();
    api->device_release(device);
}

int main(void) {
    for_each_backend(test_all);
    return report();
}
