// What the tests of queues share: commands that leave a trace, that wait, and threads.
#import "check.h"
#import <Metal/Metal.h>
#import "PMPCommandBuffer.h"
#include <pthread.h>
#include <string.h>

static id<MTLDevice> device;

static inline BOOL is_asynchronous(void) {
    const char *value = getenv("PYMPS_PORTABLE_ASYNC");
    return value != NULL && strcmp(value, "1") == 0;
}

/// The letters of the commands that have run, in their order.
static char trace[64];
static atomic_int traceLength;

static inline void clear_trace(void) {
    memset(trace, 0, sizeof trace);
    traceLength = 0;
}

/// The letter before the length: who sees the length sees the letter.
static inline void write_letter(char letter) {
    trace[traceLength] = letter;
    traceLength++;
}

static inline void trace_command(void *record, void *workspace) {
    (void)workspace;
    write_letter(*(char *)record);
}

static inline void encode_letter(id<MTLCommandBuffer> buffer, char letter) {
    char *record = [(PMPCommandBuffer *)buffer encodeCommand:trace_command recordBytes:1 workspaceBytes:0];
    *record = letter;
}

/// A door that commands and threads wait at until it is opened.
struct door {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    BOOL isOpen, isReached;
};

#define CLOSED_DOOR {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, NO, NO}

static inline void open_door(struct door *door) {
    pthread_mutex_lock(&door->lock);
    door->isOpen = YES;
    pthread_cond_broadcast(&door->changed);
    pthread_mutex_unlock(&door->lock);
}

static inline void pass_door(struct door *door) {
    pthread_mutex_lock(&door->lock);
    door->isReached = YES;
    pthread_cond_broadcast(&door->changed);
    while (!door->isOpen) {
        pthread_cond_wait(&door->changed, &door->lock);
    }
    pthread_mutex_unlock(&door->lock);
}

/// Waits until somebody stands at the door.
static inline void await_guest(struct door *door) {
    pthread_mutex_lock(&door->lock);
    while (!door->isReached) {
        pthread_cond_wait(&door->changed, &door->lock);
    }
    pthread_mutex_unlock(&door->lock);
}

static inline void door_command(void *record, void *workspace) {
    (void)workspace;
    pass_door(*(struct door **)record);
}

static inline void encode_door(id<MTLCommandBuffer> buffer, struct door *door) {
    struct door **record = [(PMPCommandBuffer *)buffer encodeCommand:door_command
                                                         recordBytes:sizeof door
                                                      workspaceBytes:0];
    *record = door;
}

/// Calls function(argument) on a new thread, with an autorelease pool.
struct thread {
    pthread_t handle;
    void (*function)(void *);
    void *argument;
};

static inline void *thread_main(void *argument) {
    struct thread *thread = argument;
    @autoreleasepool {
        thread->function(thread->argument);
    }
    return NULL;
}

static inline void start(struct thread *thread, void (*function)(void *), void *argument) {
    thread->function = function;
    thread->argument = argument;
    pthread_create(&thread->handle, NULL, thread_main, thread);
}

static inline void join(struct thread *thread) {
    pthread_join(thread->handle, NULL);
}
