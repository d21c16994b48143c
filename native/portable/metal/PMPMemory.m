#import "PMPMemory.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const size_t kSmallAlignment = 64;

/// From here on there are whole huge pages in it, which spare a pass over a tape many look-ups of small ones.
static const size_t kLeastHugeSize = (size_t)4 << 20;

size_t PMPPageSize(void) {
    return (size_t)getpagesize();
}

static size_t round_up(size_t bytes, size_t multiple) {
    return bytes > SIZE_MAX - multiple ? 0 : (bytes + multiple - 1) / multiple * multiple;
}

size_t PMPMemorySize(size_t bytes) {
    return round_up(bytes, bytes < PMPPageSize() ? kSmallAlignment : PMPPageSize());
}

void *PMPMemoryAllocate(size_t bytes) {
    size_t size = PMPMemorySize(bytes);
    if (size == 0) {
        return NULL;
    }
    if (bytes >= PMPPageSize()) { // the kernel gives zeroed pages, and only those that are touched
        void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
        if (pages == MAP_FAILED) {
            return NULL;
        }
#ifdef MADV_HUGEPAGE
        if (size >= kLeastHugeSize) {
            madvise(pages, size, MADV_HUGEPAGE); // a hint: where it is refused, nothing is lost but time
        }
#endif
        return pages;
    }
    void *memory = NULL;
    if (posix_memalign(&memory, kSmallAlignment, size) != 0) {
        return NULL;
    }
    return memset(memory, 0, size);
}

void PMPMemoryFree(void *address, size_t bytes) {
    if (address != NULL && bytes >= PMPPageSize()) {
        munmap(address, PMPMemorySize(bytes));
    } else {
        free(address);
    }
}
