// Counts every allocation of the process, where the C library allows it: COUNTS_ALLOCATIONS tells.
#include <stdatomic.h>
#include <stddef.h>

#if defined(__GLIBC__) && !__has_feature(address_sanitizer)
#define COUNTS_ALLOCATIONS
extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
static atomic_long allocations;

/// These stand before the C library's.
__attribute__((visibility("default"))) void *malloc(size_t bytes) {
    allocations++;
    return __libc_malloc(bytes);
}

__attribute__((visibility("default"))) void *calloc(size_t count, size_t bytes) {
    allocations++;
    return __libc_calloc(count, bytes);
}
#endif
