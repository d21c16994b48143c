#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#include "limits.h"

enum { MAX_THREADS = 64 };

struct run {
    void (*work)(void *context, int index);
    void *context;
    atomic_int ready;
    atomic_bool start;
};

struct helper {
    struct run *run;
    int index, cpu;
    pthread_t thread;
    double end;
};

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void pin(int cpu) {
#ifdef __linux__
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    sched_setaffinity(0, sizeof set, &set);
#else
    (void)cpu;
#endif
}

static void *help(void *argument) {
    struct helper *helper = argument;
    pin(helper->cpu);
    atomic_fetch_add(&helper->run->ready, 1);
    while (!atomic_load_explicit(&helper->run->start, memory_order_acquire)) {
    }
    helper->run->work(helper->run->context, helper->index);
    helper->end = now();
    return NULL;
}

double bench_run_pinned(void (*work)(void *, int), void *context, const int *cpus, int threads) {
    struct run run = {.work = work, .context = context};
    struct helper helpers[MAX_THREADS];
    if (threads > MAX_THREADS)
        return -1;
#ifdef __linux__
    cpu_set_t before;
    sched_getaffinity(0, sizeof before, &before);
#endif
    int started = 0;
    for (int i = 1; i < threads; ++i) {
        helpers[started] = (struct helper){.run = &run, .index = i, .cpu = cpus[i]};
        if (pthread_create(&helpers[started].thread, NULL, help, &helpers[started]) != 0)
            break;
        ++started;
    }
    pin(cpus[0]);
    while (atomic_load(&run.ready) < started) {
    }
    const double start = now();
    atomic_store_explicit(&run.start, true, memory_order_release);
    work(context, 0);
    double end = now();
    for (int i = 0; i < started; ++i) {
        pthread_join(helpers[i].thread, NULL);
        end = helpers[i].end > end ? helpers[i].end : end;
    }
#ifdef __linux__
    sched_setaffinity(0, sizeof before, &before);
#endif
    return started == threads - 1 ? end - start : -1;
}
