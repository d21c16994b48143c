#import "PMPPointerArray.h"
#include <stdlib.h>

bool PMPPointerArrayAppend(struct PMPPointerArray *array, void *item) {
    if (array->count == array->capacity) {
        size_t capacity = array->capacity == 0 ? 8 : 2 * array->capacity;
        void **items = realloc(array->items, capacity * sizeof *items);
        if (items == NULL) {
            return false;
        }
        array->items = items;
        array->capacity = capacity;
    }
    array->items[array->count++] = item;
    return true;
}

void PMPPointerArrayFree(struct PMPPointerArray *array) {
    free(array->items);
    *array = (struct PMPPointerArray){0};
}
