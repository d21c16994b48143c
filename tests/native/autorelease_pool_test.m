// The runtime's pools, by whose rules the shim frees what is made during a call.
#import "check.h"
#include <pthread.h>

void *objc_autoreleasePoolPush(void);
void objc_autoreleasePoolPop(void *pool);

static atomic_int alive;

/// An object that is counted while it lives.
@interface Counted : NSObject
@end

@implementation Counted
- (instancetype)init {
    alive++;
    return [super init];
}

- (void)dealloc {
    alive--;
    [super dealloc];
}
@end

static void make_some(int count) {
    for (int i = 0; i < count; i++) {
        [[[Counted alloc] init] autorelease];
    }
}

static void test_scopes(void) {
    for (int around = 0; around < 3; around++) { // objects in the pool around, from none on
        int before = alive;
        @autoreleasepool {
            make_some(around);
            void *outer = objc_autoreleasePoolPush();
            make_some(2);
            void *inner = objc_autoreleasePoolPush();
            make_some(300);
            @autoreleasepool {
                make_some(1);
            }
            CHECK(alive == before + around + 302);
            objc_autoreleasePoolPop(inner);
            CHECK(alive == before + around + 2);
            objc_autoreleasePoolPop(outer);
            CHECK(alive == before + around);
            make_some(1);
            CHECK(alive == before + around + 1);
        }
        CHECK(alive == before);
    }
}

static void test_nested_before_anything_is_made(void) {
    int before = alive;
    @autoreleasepool {
        void *outer = objc_autoreleasePoolPush();
        void *inner = objc_autoreleasePoolPush();
        make_some(2);
        objc_autoreleasePoolPop(inner);
        CHECK(alive == before);
        make_some(1);
        objc_autoreleasePoolPop(outer);
        CHECK(alive == before);
    }
}

/// A pool that is left behind, as an exception leaves it, goes with the one around it.
static void test_pool_left_behind(void) {
    int before = alive;
    @autoreleasepool {
        void *pool = objc_autoreleasePoolPush();
        make_some(1);
        objc_autoreleasePoolPush();
        make_some(1);
        objc_autoreleasePoolPop(pool);
        CHECK(alive == before);
    }
}

static void *on_a_thread_without_a_pool(void *unused) {
    int before = alive;
    for (int i = 0; i < 3; i++) {
        void *pool = objc_autoreleasePoolPush();
        make_some(3);
        CHECK(alive == before + 3);
        objc_autoreleasePoolPop(pool);
        CHECK(alive == before);
    }
    test_scopes();
    return unused;
}

int main(void) {
    on_a_thread_without_a_pool(NULL);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, on_a_thread_without_a_pool, NULL) == 0);
    pthread_join(thread, NULL);
    @autoreleasepool {
        test_scopes();
        test_nested_before_anything_is_made();
        test_pool_left_behind();
    }
    return report();
}
