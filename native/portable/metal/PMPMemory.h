// Memory of buffers and workspaces.
#include <stddef.h>

/// What an allocation of `bytes` really takes: a multiple of 64 below one page, whole pages from there on. 0 where the
/// sum overflows.
size_t PMPMemorySize(size_t bytes);

/// Zeroed memory, aligned to 64 bytes; to a page from one page on. NULL where it runs out.
void *PMPMemoryAllocate(size_t bytes);

/// `bytes` as it was allocated; NULL is allowed.
void PMPMemoryFree(void *address, size_t bytes);

size_t PMPPageSize(void);
