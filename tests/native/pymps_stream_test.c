/* The steps of a stream through the C interface: they allocate nothing. */
#include "allocations.h"
#include "pymps_test.h"

#ifdef COUNTS_ALLOCATIONS
enum { INPUTS = 3, OUTPUTS = 9, ROWS = 2 };

typedef struct opened {
    pymps_device *device;
    pymps_layer *layer;
    pymps_stream *stream;
} opened;

/* Two layers, so that there is something between them too. */
static opened open_stream(void) {
    opened opened = {.device = open_device()};
    lstm lstms[] = {lstm_create(INPUTS, 5, MEMORY_NONE, 1), lstm_create(5, OUTPUTS, MEMORY_DIAGONAL, 2)};
    opened.layer = lstm_layer(opened.device, lstms, 2, false);
    for (int i = 0; i < 2; i++)
        lstm_destroy(&lstms[i]);
    REQUIRE(api->stream_create(opened.layer, ROWS, &opened.stream, error));
    return opened;
}

static void close_stream(opened *opened) {
    api->stream_release(opened->stream);
    api->layer_release(opened->layer);
    api->device_release(opened->device);
}

static void step_many_times(pymps_stream *stream, int steps) {
    for (int step = 0; step < steps; step++)
        REQUIRE(api->stream_step(stream, error));
}

/* In inline mode. Where a queue has a thread, it depends on the timing how many command buffers are in use at once. */
static void test_steps_allocate_nothing(void) {
    const char *async = getenv("PYMPS_PORTABLE_ASYNC");
    if (async != NULL && strcmp(async, "1") == 0)
        return;
    opened opened = open_stream();
    long made = allocations, freed = frees;
    CHECK(made > freed && freed > 0, "%ld allocations, %ld frees", made, freed);
    step_many_times(opened.stream, 10000);
    CHECK(allocations == made, "%ld allocations from the first step on", allocations - made);
    CHECK(frees == freed, "%ld frees from the first step on", frees - freed);
    api->state_release(api->stream_state(opened.stream));
    CHECK(allocations > made && frees > freed, "a handle is not counted");
    close_stream(&opened);
}
#endif

static void test_all(void) {
#ifdef COUNTS_ALLOCATIONS
    if (strcmp(api->name, "portable") == 0)
        test_steps_allocate_nothing();
#endif
}

int main(void) {
    for_each_backend(test_all);
    return report();
}
