/* The peak: multiply-adds on registers alone. */
#include "limits.h"

/* Enough chains to hide the latency of an operation, four or five cycles, on two units, and few enough for 16
 * registers. */
enum { CHAINS = 12, LANES = BENCH_VECTOR_BYTES / sizeof(float) };

struct peak {
    size_t repeats;
    float *results; /* one for each thread */
};

static void multiply_add(void *context, int index) {
    const struct peak *peak = context;
    bench_floats sums[CHAINS] = {{0}}, factor = {0}, term = {0};
    factor += 0.5f;
    term += 1.0f;
    __asm__ volatile("" : "+m"(factor), "+m"(term)); /* the compiler is not to know them */
    const bench_floats a = factor, b = term;
    for (size_t repeat = 0; repeat < peak->repeats; ++repeat) {
#pragma clang loop unroll(full)
        for (int chain = 0; chain < CHAINS; ++chain)
            sums[chain] = sums[chain] * a + b;
    }
    bench_floats sum = {0};
    for (int chain = 0; chain < CHAINS; ++chain)
        sum += sums[chain];
    peak->results[index] = sum[0];
}

float bench_chain(size_t links) {
    float sum = 0, factor = 0.5f, term = 1;
    __asm__ volatile("" : "+m"(factor), "+m"(term));
    const float a = factor, b = term;
    for (size_t link = 0; link < links; ++link)
        sum = sum * a + b;
    return sum;
}

/* Each thread does repeats * bench_peak_flops() operations; every chain comes to 2. The seconds that it took. */
double bench_peak(size_t repeats, const int *cpus, int threads, float *results) {
    struct peak peak = {repeats, results};
    return bench_run_pinned(multiply_add, &peak, cpus, threads);
}

size_t bench_peak_flops(void) {
    return 2 * CHAINS * LANES;
}

float bench_peak_result(void) {
    return 2.0f * CHAINS;
}
