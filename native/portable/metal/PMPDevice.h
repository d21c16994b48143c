// The processor that this process runs on.
#import <Metal/Metal.h>
#include <stdatomic.h>

@class PMPTeam;

@interface PMPDevice : NSObject <MTLDevice> {
    NSString *_name;
    uint64_t _usableMemory; // bytes
    atomic_size_t _allocatedSize;
}

/// The only one; never released.
+ (PMPDevice *)sharedDevice;

/// For the setTeam: of recurrent layers. nil where the system has no thread left. See PMPTeam.
- (PMPTeam *)newTeamWithThreadCount:(NSUInteger)threadCount;

/// Counts a buffer's memory in or out of currentAllocatedSize.
- (void)countAllocation:(size_t)bytes;
- (void)countRelease:(size_t)bytes;

@end

/// Options that the device knows, for storage that it has; raises, naming the argument.
void PMPCheckResourceOptions(MTLResourceOptions options, id object, SEL selector, NSString *name);

/// Nanoseconds on the host's clock.
uint64_t PMPHostTime(void);
