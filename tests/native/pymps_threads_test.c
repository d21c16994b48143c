/* The C interface from several threads: copies and streams of one layer side by side, and what a thread leaves. */
#include "pymps_test.h"

#include <pthread.h>
#include <sys/resource.h>

enum { THREADS = 4, STEPS = 200, CHANNELS = 8 };

static lstm weights;
static double expected[STEPS * CHANNELS];

static void start_all(void *(*run)(void *), void *const *arguments) {
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, run, arguments[i]);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

/* What every thread feeds in at a step. */
static void fill_input(float *x, uint32_t *seed) {
    for (int i = 0; i < CHANNELS; i++)
        x[i] = next_number(seed);
}

static void compute_expected(void) {
    double x[CHANNELS], h[CHANNELS] = {0}, c[CHANNELS] = {0};
    float numbers[CHANNELS];
    uint32_t seed = 11;
    for (int t = 0; t < STEPS; t++) {
        fill_input(numbers, &seed);
        for (int i = 0; i < CHANNELS; i++)
            x[i] = numbers[i];
        lstm_step(&weights, x, h, c);
        memcpy(expected + t * CHANNELS, h, sizeof h);
    }
}

typedef struct task {
    pymps_device *device;
    pymps_layer *layer;
    double worst;
} task;

static void *run_stream(void *argument) {
    task *task = argument;
    pymps_stream *stream;
    REQUIRE(api->stream_create(task->layer, 1, &stream, error));
    pymps_matrix source, destination;
    api->stream_source(stream, &source);
    api->stream_destination(stream, &destination);
    uint32_t seed = 11;
    for (int t = 0; t < STEPS; t++) {
        fill_input(api->buffer_contents(source.buffer), &seed);
        REQUIRE(api->stream_step(stream, error));
        double here = difference(api->buffer_contents(destination.buffer), expected + t * CHANNELS, CHANNELS);
        task->worst = fmax(task->worst, here);
    }
    api->stream_release(stream);
    return NULL;
}

static void *run_sequences(void *argument) {
    task *task = argument;
    pymps_buffer *x = make_buffer(task->device, STEPS * CHANNELS * sizeof(float), PYMPS_STORAGE_SHARED);
    pymps_buffer *y = make_buffer(task->device, STEPS * CHANNELS * sizeof(float), PYMPS_STORAGE_SHARED);
    pymps_matrix sources[STEPS], destinations[STEPS];
    uint32_t seed = 11;
    for (int t = 0; t < STEPS; t++) {
        size_t offset = (size_t)t * CHANNELS * sizeof(float);
        fill_input((float *)api->buffer_contents(x) + t * CHANNELS, &seed);
        sources[t] = float_matrix(x, offset, 1, CHANNELS, CHANNELS * sizeof(float));
        destinations[t] = float_matrix(y, offset, 1, CHANNELS, CHANNELS * sizeof(float));
    }
    pymps_queue *queue;
    REQUIRE(api->queue_create(task->device, &queue, error));
    for (int round = 0; round < 10; round++) {
        pymps_command_buffer *command_buffer;
        pymps_state *state;
        REQUIRE(api->command_buffer_create(queue, &command_buffer, error));
        REQUIRE(api->layer_encode_sequence(task->layer, command_buffer, STEPS, sources, destinations, NULL, 1, false,
                                           &state, error));
        REQUIRE(api->command_buffer_commit(command_buffer, error));
        REQUIRE(api->command_buffer_wait(command_buffer, error));
        task->worst = fmax(task->worst, difference(api->buffer_contents(y), expected, STEPS * CHANNELS));
        memset(api->buffer_contents(y), 0, STEPS * CHANNELS * sizeof(float));
        api->state_release(state);
        api->command_buffer_release(command_buffer);
    }
    api->queue_release(queue);
    api->buffer_release(x);
    api->buffer_release(y);
    return NULL;
}

/* Each thread with a copy of the layer, all with the layer itself, and streams that each thread makes of it. */
static void test_side_by_side(void) {
    pymps_device *device = open_device();
    pymps_layer *layer = lstm_layer(device, &weights, 1, false);
    task tasks[THREADS];
    void *arguments[THREADS];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < THREADS; i++) {
            tasks[i] = (task){device, layer, 0};
            if (round == 0)
                REQUIRE(api->layer_copy(layer, &tasks[i].layer, error));
            arguments[i] = &tasks[i];
        }
        start_all(round == 2 ? run_stream : run_sequences, arguments);
        for (int i = 0; i < THREADS; i++) {
            CHECK(tasks[i].worst <= 1e-5, "round %d, thread %d differs by %g", round, i, tasks[i].worst);
            if (round == 0)
                api->layer_release(tasks[i].layer);
        }
    }
    api->layer_release(layer);
    api->device_release(device);
}

static void *step_once(void *stream) {
    REQUIRE(api->stream_step(stream, error));
    return NULL;
}

static void run_short_threads(pymps_stream *stream, int count) {
    for (int i = 0; i < count; i++) {
        pthread_t thread;
        pthread_create(&thread, NULL, step_once, stream);
        pthread_join(thread, NULL);
    }
}

#if defined(__has_feature) && (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))

/* A sanitizer keeps memory of its own for each thread, and finds leaks itself. */
static void check_short_threads(pymps_stream *stream) {
    run_short_threads(stream, 100);
}

#else

static long peak_kilobytes(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
#ifdef __APPLE__
    return usage.ru_maxrss / 1024;
#else
    return usage.ru_maxrss;
#endif
}

/* 20 bytes from each would show. */
static void check_short_threads(pymps_stream *stream) {
    run_short_threads(stream, 2000);
    long before = peak_kilobytes();
    run_short_threads(stream, 20000);
    long grown = peak_kilobytes() - before;
    CHECK(grown < 400, "20000 threads left %ld KB", grown);
}

#endif

/* Threads that the runtime did not make leave nothing behind. */
static void test_short_threads(void) {
    pymps_device *device = open_device();
    pymps_layer *layer = lstm_layer(device, &weights, 1, false);
    pymps_stream *stream;
    REQUIRE(api->stream_create(layer, 1, &stream, error));
    check_short_threads(stream);
    api->stream_release(stream);
    api->layer_release(layer);
    api->device_release(device);
}

static void test_all(void) {
    test_side_by_side();
    test_short_threads();
}

int main(void) {
    weights = lstm_create(CHANNELS, CHANNELS, MEMORY_NONE, 10);
    compute_expected();
    for_each_backend(test_all);
    lstm_destroy(&weights);
    return report();
}
