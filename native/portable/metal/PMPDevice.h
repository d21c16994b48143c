// The processor that this process runs on.
#import <Metal/Metal.h>
#include <stdatomic.h>

@interface PMPDevice : NSObject <MTLDevice> {
    NSString *_name;
    uint64_t _usableMemory; // bytes
    atomic_size_t _allocatedSize;
}

/// The only one; never released.
+ (PMPDevice *)sharedDevice;

/// Counts a buffer's memory in or out of currentAllocatedSize.
- (void)countAllocation:(size_t)bytes;
- (void)countRelease:(size_t)bytes;

@end

/// Nanoseconds on the host's clock.
uint64_t PMPHostTime(void);
