#import "PMPCommandList.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { kAlignment = 16, kBlockBytes = 4096 };

struct PMPCommandBlock {
    struct PMPCommandBlock *next;
    size_t used, capacity;
    _Alignas(kAlignment) char bytes[];
};

static size_t round_up(size_t bytes) {
    return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

/// Appends a block that doubles what the last one has, so that even a long sequence takes few.
static struct PMPCommandBlock *append_block(struct PMPCommandList *list, struct PMPCommandBlock *last, size_t bytes) {
    size_t capacity = last == NULL ? kBlockBytes : 2 * last->capacity;
    if (capacity < bytes) {
        capacity = bytes;
    }
    struct PMPCommandBlock *block = malloc(sizeof *block + capacity);
    if (block == NULL) {
        return NULL;
    }
    *block = (struct PMPCommandBlock){.capacity = capacity};
    *(last == NULL ? &list->blocks : &last->next) = block;
    return block;
}

/// The current block if it has room, else the next one that does, emptied.
static struct PMPCommandBlock *block_with_room(struct PMPCommandList *list, size_t bytes) {
    struct PMPCommandBlock *last = list->current;
    if (last != NULL && last->capacity - last->used >= bytes) {
        return last;
    }
    struct PMPCommandBlock *block = last == NULL ? NULL : last->next;
    while (block != NULL && block->capacity < bytes) {
        last = block;
        block = block->next;
    }
    if (block == NULL && (block = append_block(list, last, bytes)) == NULL) {
        return NULL;
    }
    block->used = 0;
    list->current = block;
    return block;
}

static void *take(struct PMPCommandList *list, size_t bytes) {
    struct PMPCommandBlock *block = block_with_room(list, bytes);
    if (block == NULL) {
        return NULL;
    }
    void *memory = block->bytes + block->used;
    block->used += bytes;
    return memory;
}

void *PMPCommandListAppend(struct PMPCommandList *list, PMPCommandFunction function, size_t recordBytes,
                           size_t workspaceBytes) {
    size_t headerBytes = round_up(sizeof(struct PMPCommand));
    if (recordBytes > SIZE_MAX / 4) {
        return NULL;
    }
    struct PMPCommand *command = take(list, headerBytes + round_up(recordBytes));
    if (command == NULL) {
        return NULL;
    }
    void *record = memset((char *)command + headerBytes, 0, recordBytes);
    *command = (struct PMPCommand){.function = function, .workspaceBytes = workspaceBytes, .record = record};
    if (list->last == NULL) {
        list->first = command;
    } else {
        list->last->next = command;
    }
    list->last = command;
    return record;
}

void PMPCommandListClear(struct PMPCommandList *list) {
    list->first = list->last = NULL;
    list->current = list->blocks;
    if (list->current != NULL) {
        list->current->used = 0;
    }
}

void PMPCommandListFree(struct PMPCommandList *list) {
    for (struct PMPCommandBlock *block = list->blocks, *next; block != NULL; block = next) {
        next = block->next;
        free(block);
    }
    *list = (struct PMPCommandList){0};
}
