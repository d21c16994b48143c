// Sizes that saturate: one that no size_t can hold is SIZE_MAX, and stays it.
#include <stddef.h>
#include <stdint.h>

enum { kPMPAlignment = 64 }; // of workspaces, and of what lies in them

static inline size_t PMPSizeAdd(size_t a, size_t b) {
    size_t sum;
    return __builtin_add_overflow(a, b, &sum) ? SIZE_MAX : sum;
}

static inline size_t PMPSizeMultiply(size_t a, size_t b) {
    size_t product;
    return __builtin_mul_overflow(a, b, &product) ? SIZE_MAX : product;
}

static inline size_t PMPSizeAligned(size_t bytes) {
    size_t excess = bytes % kPMPAlignment;
    return excess == 0 ? bytes : PMPSizeAdd(bytes, kPMPAlignment - excess);
}
