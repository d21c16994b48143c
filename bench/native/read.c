/* The limit: a read of the weights that does nothing else. */
#include <string.h>

#include "limits.h"

/* Places that are read at a time: one stream alone does not fill the path from a cache, and eight are slower in the
 * first level. The processor's own prefetch is enough: prefetching by hand made no size faster. */
enum { PLACES = 4 };

struct read {
    const char *memory;
    size_t vectors; /* at each place of each thread */
    size_t repeats;
    uint64_t *results; /* one for each thread */
};

uint64_t bench_read_vectors(const void *memory, size_t vectors, size_t repeats) {
    const bench_words *words = memory;
    bench_words sums[PLACES];
    memset(sums, 0, sizeof sums);
    for (size_t repeat = 0; repeat < repeats; ++repeat) {
        for (size_t i = 0; i < vectors; ++i) {
            for (size_t place = 0; place < PLACES; ++place)
                sums[place] ^= words[place * vectors + i];
        }
        __asm__ volatile("" : "+r"(words) : : "memory"); /* so that each repeat reads anew */
    }
    uint64_t result = 0;
    for (size_t place = 0; place < PLACES; ++place) {
        for (size_t lane = 0; lane < BENCH_VECTOR_BYTES / sizeof(uint64_t); ++lane)
            result ^= sums[place][lane];
    }
    return result;
}

static void read_part(void *context, int index) {
    const struct read *read = context;
    const bench_words *words = (const bench_words *)read->memory + (size_t)index * PLACES * read->vectors;
    read->results[index] = bench_read_vectors(words, read->vectors, read->repeats);
}

/* Reads `bytes`, a multiple of bench_read_granularity(threads), `repeats` times, each thread its part of them, and
 * stores the exclusive or of all that a thread has read, which costs less than the loads. The seconds that it took. */
double bench_read(const void *memory, size_t bytes, size_t repeats, const int *cpus, int threads, uint64_t *results) {
    struct read read = {memory, bytes / BENCH_VECTOR_BYTES / PLACES / (size_t)threads, repeats, results};
    return bench_run_pinned(read_part, &read, cpus, threads);
}

size_t bench_read_granularity(int threads) {
    return (size_t)threads * PLACES * BENCH_VECTOR_BYTES;
}
