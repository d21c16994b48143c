// The runtime's own autorelease pools, which GCC's runtime lacks, over GNUstep's: a push where nothing has been
// autoreleased yet makes no object.
#import <Foundation/Foundation.h>

void *objc_autoreleasePoolPush(void) __attribute__((visibility("hidden")));
void objc_autoreleasePoolPop(void *token) __attribute__((visibility("hidden")));

// Marks the token of a push that uses the pool that was there: as that was empty, all that it has at the pop came since.
enum { kBorrowed = 1 };

void *objc_autoreleasePoolPush(void) {
    NSAutoreleasePool *pool = [NSAutoreleasePool currentPool];
    if (pool == nil) {
        pool = [NSAutoreleasePool new]; // the thread's: it goes when the thread ends
    }
    return [pool autoreleaseCount] == 0 ? (char *)pool + kBorrowed : (void *)[NSAutoreleasePool new];
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
