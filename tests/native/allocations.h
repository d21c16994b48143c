// Counts every call of the process to malloc and its kin, and refuses them on demand, where the C library allows it:
// COUNTS_ALLOCATIONS tells.
#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stddef.h>

#if defined(__GLIBC__) && !__has_feature(address_sanitizer)
#define COUNTS_ALLOCATIONS
#define STANDS_BEFORE_THE_C_LIBRARYS __attribute__((visibility("default")))
extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *memory, size_t bytes);
extern void *__libc_memalign(size_t alignment, size_t bytes);
extern void __libc_free(void *memory);
static atomic_long allocations, frees;
static _Thread_local long allowed = LONG_MAX; // allocations of this thread until one is refused

static inline int is_refused(void) {
    allocations++;
    return allowed != LONG_MAX && allowed-- == 0;
}

STANDS_BEFORE_THE_C_LIBRARYS void *malloc(size_t bytes) {
    return is_refused() ? NULL : __libc_malloc(bytes);
}

STANDS_BEFORE_THE_C_LIBRARYS void *calloc(size_t count, size_t bytes) {
    return is_refused() ? NULL : __libc_calloc(count, bytes);
}

STANDS_BEFORE_THE_C_LIBRARYS void *realloc(void *memory, size_t bytes) {
    return is_refused() ? NULL : __libc_realloc(memory, bytes);
}

STANDS_BEFORE_THE_C_LIBRARYS void *aligned_alloc(size_t alignment, size_t bytes) {
    return is_refused() ? NULL : __libc_memalign(alignment, bytes);
}

STANDS_BEFORE_THE_C_LIBRARYS int posix_memalign(void **memory, size_t alignment, size_t bytes) {
    void *made = aligned_alloc(alignment, bytes);
    if (made == NULL)
        return ENOMEM;
    *memory = made;
    return 0;
}

STANDS_BEFORE_THE_C_LIBRARYS void free(void *memory) {
    frees += memory != NULL;
    __libc_free(memory);
}
#endif
