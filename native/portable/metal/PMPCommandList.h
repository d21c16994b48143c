// The commands of one command buffer, in memory that is kept from one use to the next.
#include <stddef.h>

/// `workspace` has at least the size that was asked for and is aligned to 64 bytes; its contents are undefined.
typedef void (*PMPCommandFunction)(void *record, void *workspace);

struct PMPCommand {
    PMPCommandFunction function; // NULL: wait for the event in the record, a PMPEventRecord
    size_t workspaceBytes;
    struct PMPCommand *next;
    void *record;
};

struct PMPCommandList {
    struct PMPCommand *first, *last;
    struct PMPCommandBlock *blocks,
        *current; // memory that records are cut from, in order; blocks after `current` are free
};

/// Appends a command with a zeroed record aligned to 16 and returns it. NULL where memory runs out.
void *PMPCommandListAppend(struct PMPCommandList *list, PMPCommandFunction function, size_t recordBytes,
                           size_t workspaceBytes);

/// Removes all commands and keeps their memory.
void PMPCommandListClear(struct PMPCommandList *list);

/// Frees the memory.
void PMPCommandListFree(struct PMPCommandList *list);
