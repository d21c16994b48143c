/* Memory for packed weights and scratch: aligned to a cache line, sizes that saturate instead of wrapping round. */
#ifndef PYMPS_ENGINE_MEMORY_H
#define PYMPS_ENGINE_MEMORY_H

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>

namespace pymps::engine {

inline constexpr size_t kAlignment = 64;

inline size_t AddSizes(size_t a, size_t b) {
    size_t sum;
    return __builtin_add_overflow(a, b, &sum) ? SIZE_MAX : sum;
}

inline size_t MultiplySizes(size_t a, size_t b) {
    size_t product;
    return __builtin_mul_overflow(a, b, &product) ? SIZE_MAX : product;
}

/* Saturates too: SIZE_MAX stays SIZE_MAX. */
inline size_t RoundUp(size_t size, size_t multiple) {
    const size_t excess = size % multiple;
    return excess == 0 ? size : AddSizes(size, multiple - excess);
}

/* From half a huge page on. Where so much memory is read from end to end, small pages cost more than the memory: they
 * lie unevenly over the sets of a second-level cache that has room for all of them (1.5 MB: 5 to 15 % more time), and
 * reading 25 MB that other work has pushed out of the caches takes twice as long (Sapphire Rapids, virtual). */
inline constexpr size_t kLeastHugeBytes = size_t{1} << 20;

/* Fresh memory in huge pages, where the system has any to give; null when memory runs out. */
void *MapHugePages(size_t bytes);
void UnmapHugePages(void *memory, size_t bytes);

struct AlignedDelete {
    size_t bytes = 0;

    void operator()(void *memory) const {
        if (bytes >= kLeastHugeBytes)
            UnmapHugePages(memory, bytes);
        else
            std::free(memory);
    }
};

template <class T> using AlignedArray = std::unique_ptr<T[], AlignedDelete>;

/* Not initialised; null when memory runs out. For T without constructor and destructor. */
template <class T> AlignedArray<T> AllocateAligned(size_t count) {
    const size_t bytes = MultiplySizes(count, sizeof(T));
    void *memory = nullptr;
    if (bytes >= kLeastHugeBytes)
        memory = MapHugePages(bytes);
    else if (posix_memalign(&memory, kAlignment, bytes) != 0)
        memory = nullptr;
    return AlignedArray<T>(static_cast<T *>(memory), AlignedDelete{bytes});
}

} // namespace pymps::engine

#endif
