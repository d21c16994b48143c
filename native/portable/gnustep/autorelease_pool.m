// The runtime's own autorelease pools, which GCC's runtime lacks, over GNUstep's: a push where nothing has been
// autoreleased yet makes no object.
#import <Foundation/Foundation.h>
#include <stdatomic.h>

void *objc_autoreleasePoolPush(void) __attribute__((visibility("hidden")));
void objc_autoreleasePoolPop(void *token) __attribute__((visibility("hidden")));

// Marks the token of a push that uses the pool that was there: as that was empty, all that it has at the pop came
// since.
enum { kBorrowed = 1 };

/// The class, which GCC's runtime would look up by its name for each message.
static Class pool_class(void) {
    static _Atomic(Class) class;
    Class found = atomic_load_explicit(&class, memory_order_relaxed);
    if (found == Nil) {
        found = [NSAutoreleasePool class];
        atomic_store_explicit(&class, found, memory_order_relaxed);
    }
    return found;
}

void *objc_autoreleasePoolPush(void) {
    Class class = pool_class();
    NSAutoreleasePool *pool = [class currentPool];
    if (pool == nil) {
        pool = [class new]; // the thread's: it goes when the thread ends
    }
    return [pool autoreleaseCount] == 0 ? (char *)pool + kBorrowed : (void *)[class new];
}

void objc_autoreleasePoolPop(void *token) {
    if (((uintptr_t)token & kBorrowed) == 0) {
        [(NSAutoreleasePool *)token drain];
        return;
    }
    NSAutoreleasePool *pool = (NSAutoreleasePool *)((char *)token - kBorrowed);
    if ([pool autoreleaseCount] > 0) {
        [pool emptyPool];
    }
}
