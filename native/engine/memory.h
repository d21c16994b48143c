/* Memory for packed weights and scratch: aligned to a cache line, sizes that saturate instead of wrapping round. */
#ifndef PYMPS_ENGINE_MEMORY_H
#define PYMPS_ENGINE_MEMORY_H

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

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

struct AlignedDelete {
    void operator()(void *memory) const { ::operator delete(memory, std::align_val_t(kAlignment)); }
};

template <class T> using AlignedArray = std::unique_ptr<T[], AlignedDelete>;

/* Not initialised; null when memory runs out. For T without constructor and destructor. */
template <class T> AlignedArray<T> AllocateAligned(size_t count) {
    const size_t bytes = MultiplySizes(count, sizeof(T));
    if (bytes > PTRDIFF_MAX - kAlignment)
        return nullptr;
    return AlignedArray<T>(static_cast<T *>(::operator new(bytes, std::align_val_t(kAlignment), std::nothrow)));
}

} // namespace pymps::engine

#endif
