/* The limit: a read of the weights that does nothing else. */
#include <stddef.h>
#include <stdint.h>

/* Reads 4 * count words `repeats` times and returns their exclusive or, which costs less than the loads. Four places are
 * read at a time: one stream alone does not fill the path from a cache's last level. The compiler vectorises it. */
uint64_t bench_read(const uint64_t *words, size_t count, size_t repeats)
{
    uint64_t result = 0;
    for (size_t repeat = 0; repeat < repeats; ++repeat) {
        result = 0;
        for (size_t i = 0; i < count; ++i) {
            result ^= words[i] ^ words[count + i] ^ words[2 * count + i] ^ words[3 * count + i];
        }
        __asm__ volatile("" : : "r"(words), "r"(result) : "memory"); /* so that each repeat reads anew */
    }
    return result;
}
