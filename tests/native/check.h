// What the tests of the portable classes share: counting checks.
#import <Foundation/Foundation.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#if __has_feature(address_sanitizer)
#include <sanitizer/lsan_interface.h>
#endif

static atomic_int passed, failed;

/// Counts a check, from any thread; where it fails, says which.
#define CHECK(...)                                                                                                     \
    do {                                                                                                               \
        if (__VA_ARGS__) {                                                                                             \
            passed++;                                                                                                  \
        } else {                                                                                                       \
            failed++;                                                                                                  \
            printf("FAILED %s:%d: %s\n", __FILE__, __LINE__, #__VA_ARGS__);                                            \
        }                                                                                                              \
    } while (0)

/// Whether `text` has `part`.
static inline BOOL contains(NSString *text, NSString *part) {
    return text != nil && strstr(text.UTF8String, part.UTF8String) != NULL;
}

/// Checks that an expression raises an exception with a reason that contains `text`.
#define CHECK_RAISES_NAMED(name_, text, ...)                                                                           \
    do {                                                                                                               \
        NSString *reason_ = nil;                                                                                       \
        @try {                                                                                                         \
            (void)(__VA_ARGS__);                                                                                       \
        } @catch (NSException * exception) {                                                                           \
            reason_ = [exception.name isEqual:name_] ? exception.reason : nil;                                         \
        }                                                                                                              \
        if (contains(reason_, text)) {                                                                                 \
            passed++;                                                                                                  \
        } else {                                                                                                       \
            failed++;                                                                                                  \
            printf("FAILED %s:%d: %s: %s\n", __FILE__, __LINE__, #__VA_ARGS__,                                         \
                   reason_ == nil ? "did not raise" : reason_.UTF8String);                                             \
        }                                                                                                              \
    } while (0)

#define CHECK_RAISES(text, ...) CHECK_RAISES_NAMED(NSInvalidArgumentException, text, __VA_ARGS__)

/// Prints the counts and returns main's result. Leaks are looked for here already: at exit GNUstep forgets objects of
/// its own.
static inline int report(void) {
    printf("%d passed, %d failed\n", passed, failed);
#if __has_feature(address_sanitizer)
    __lsan_do_leak_check();
#endif
    return failed != 0 || passed == 0;
}
