#define _GNU_SOURCE // sched_getaffinity
#import "PMPTeam.h"
#import "PMPArgument.h"
#include <sched.h>
#include <unistd.h>

enum { kMaxDefaultThreadCount = 8 };

static NSUInteger default_thread_count(void) {
    long count = sysconf(_SC_NPROCESSORS_ONLN);
#ifdef __linux__
    cpu_set_t usable;
    if (sched_getaffinity(0, sizeof usable, &usable) == 0) {
        count = CPU_COUNT(&usable);
    }
#endif
    return count < 1 ? 1 : MIN((NSUInteger)count, (NSUInteger)kMaxDefaultThreadCount);
}

@implementation PMPTeam

@synthesize threadCount = _threadCount;

- (instancetype)initWithThreadCount:(NSUInteger)threadCount {
    if (threadCount > kPMPMaxThreadCount) {
        [self autorelease];
        PMPInvalidArgument(@"threadCount: %lu, expected at most %d", (unsigned long)threadCount, kPMPMaxThreadCount);
    }
    if ((self = [super init]) != nil) {
        _threadCount = threadCount == 0 ? default_thread_count() : threadCount;
        _team = pymps_engine_team_create(_threadCount);
        if (_team == NULL) {
            [self release];
            return nil;
        }
    }
    return self;
}

- (void)dealloc {
    pymps_engine_team_destroy(_team);
    [super dealloc];
}

@end
