// An array of pointers that keeps its memory when it is emptied. It owns none of what they point to.
#include <stdbool.h>
#include <stddef.h>

struct PMPPointerArray {
    void **items;
    size_t count, capacity;
};

/// false where memory runs out.
bool PMPPointerArrayAppend(struct PMPPointerArray *array, void *item);

void PMPPointerArrayFree(struct PMPPointerArray *array);
