/* What the benchmarks' own native code has in common: vectors as wide as the machine's, and threads pinned to CPUs. */
#ifndef BENCH_LIMITS_H
#define BENCH_LIMITS_H

#include <stddef.h>
#include <stdint.h>

#if defined __AVX512F__
#define BENCH_VECTOR_BYTES 64
#elif defined __AVX__
#define BENCH_VECTOR_BYTES 32
#else
#define BENCH_VECTOR_BYTES 16
#endif

typedef uint64_t bench_words __attribute__((vector_size(BENCH_VECTOR_BYTES)));
typedef float bench_floats __attribute__((vector_size(BENCH_VECTOR_BYTES)));

/* Calls `work` with each index below `threads` at the same time, index i on the CPU cpus[i], the first one on the
 * calling thread; where the system can't pin a thread it may run anywhere. The seconds until the last one has finished:
 * starting the threads does not count. Negative where one can't be started. */
double bench_run_pinned(void (*work)(void *context, int index), void *context, const int *cpus, int threads);

/* Reads `vectors` vectors at each of four places, one behind the other, `repeats` times: the exclusive or of all that
 * was read. */
uint64_t bench_read_vectors(const void *memory, size_t vectors, size_t repeats);

/* What bytes on so many threads are a multiple of. */
size_t bench_read_granularity(int threads);

/* Multiply-adds on one register, each of which waits for the one before: no memory. */
float bench_chain(size_t links);

#endif
