// Memory that a matrix occupies.
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// `rows` pieces of `width` bytes, `rowBytes` from one to the next.
typedef struct PMPMemoryRegion {
    uintptr_t start;
    size_t rows, rowBytes, width;
} PMPMemoryRegion;

/// Where the last row ends.
static inline uintptr_t PMPMemoryRegionEnd(PMPMemoryRegion region) {
    return region.start + (region.rows - 1) * region.rowBytes + region.width;
}

/// Whether a byte belongs to both: not so where rows of one lie between rows of the other.
static inline bool PMPMemoryRegionsShare(PMPMemoryRegion a, PMPMemoryRegion b) {
    if (PMPMemoryRegionEnd(a) <= b.start || PMPMemoryRegionEnd(b) <= a.start) {
        return false;
    }
    for (size_t i = 0; i < a.rows; i++) {
        uintptr_t start = a.start + i * a.rowBytes, end = start + a.width;
        // The first row of b that ends behind `start`.
        size_t j = start < b.start + b.width ? 0 : (start - b.start - b.width) / b.rowBytes + 1;
        if (j < b.rows && b.start + j * b.rowBytes < end) {
            return true;
        }
    }
    return false;
}
