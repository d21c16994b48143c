#include "engine/memory.h"

#include <sys/mman.h>

namespace pymps::engine {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;

/* What UnmapHugePages gives back: whole huge pages. */
size_t MappedBytes(size_t bytes) {
    return RoundUp(bytes, kHugePage);
}

} // namespace

/* Mapped and not from malloc, whose memory may have been in use before: small pages stay small. */
void *MapHugePages(size_t bytes) {
    const size_t mapped = MappedBytes(bytes);
    if (mapped > PTRDIFF_MAX - kHugePage)
        return nullptr;
    void *const whole = mmap(nullptr, mapped + kHugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
    if (whole == MAP_FAILED)
        return nullptr;
    char *const begin = static_cast<char *>(whole);
    const size_t before = (kHugePage - reinterpret_cast<uintptr_t>(begin) % kHugePage) % kHugePage;
    if (before > 0)
        munmap(begin, before);
    if (before < kHugePage)
        munmap(begin + before + mapped, kHugePage - before);
#ifdef MADV_HUGEPAGE
    madvise(begin + before, mapped, MADV_HUGEPAGE); // a hint: where it is refused, nothing is lost but time
#endif
    return begin + before;
}

void UnmapHugePages(void *memory, size_t bytes) {
    munmap(memory, MappedBytes(bytes));
}

} // namespace pymps::engine
