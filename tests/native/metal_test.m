// Devices, buffers and blit encoders of the portable Metal.
#import "check.h"
#import <Metal/Metal.h>
#import "PMPBuffer.h"
#import "PMPCommandBuffer.h"
#include "engine/engine.h"
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

static id<MTLDevice> device;

static void test_device(void) {
    id<MTLDevice> again = [MTLCreateSystemDefaultDevice() autorelease];
    NSArray<id<MTLDevice>> *all = [MTLCopyAllDevices() autorelease];
    CHECK([device.name hasPrefix:@"pymps portable CPU ("]);
    CHECK(contains(device.name, @(pymps_engine_target())));
    CHECK(device.registryID != 0 && again.registryID == device.registryID);
    CHECK(all.count == 1 && all.firstObject.registryID == device.registryID);
    CHECK(!device.isLowPower && device.isHeadless && !device.isRemovable && device.hasUnifiedMemory);
    CHECK(device.location == MTLDeviceLocationBuiltIn && device.locationNumber == 0 && device.maxTransferRate == 0);
    CHECK(device.peerGroupID == 0 && device.peerIndex == 0 && device.peerCount == 0);

    uint64_t physical = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    CHECK(device.recommendedMaxWorkingSetSize > physical / 2 && device.recommendedMaxWorkingSetSize < physical);
    CHECK(device.maxBufferLength > 0 && device.maxBufferLength <= device.recommendedMaxWorkingSetSize);
    CHECK(device.maxThreadsPerThreadgroup.width == 1);
    CHECK(![device supportsFamily:MTLGPUFamilyApple7] && ![device supportsFamily:MTLGPUFamilyMac2]);
    CHECK(![device supportsFamily:MTLGPUFamilyCommon1] &&
          ![device supportsFeatureSet:MTLFeatureSet_macOS_GPUFamily1_v1]);

    MTLTimestamp cpu, gpu, laterCPU, laterGPU;
    [device sampleTimestamps:&cpu gpuTimestamp:&gpu];
    [device sampleTimestamps:&laterCPU gpuTimestamp:&laterGPU];
    CHECK(cpu == gpu && cpu > 0 && laterCPU >= cpu);
}

static void test_types(void) {
    MTLRegion region = MTLRegionMake2D(1, 2, 3, 4);
    CHECK(region.origin.x == 1 && region.origin.y == 2 && region.origin.z == 0);
    CHECK(region.size.width == 3 && region.size.height == 4 && region.size.depth == 1);
    region = MTLRegionMake1D(5, 6);
    CHECK(region.origin.x == 5 && region.size.width == 6 && region.size.height == 1 && region.size.depth == 1);
    CHECK(MTLOriginMake(7, 8, 9).z == 9 && MTLSizeMake(7, 8, 9).height == 8);
}

static BOOL is_zero(const char *bytes, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] != 0) {
            return NO;
        }
    }
    return YES;
}

/// Zeroed also where the memory has been in use before.
static void test_new_buffers(void) {
    size_t page = (size_t)getpagesize();
    NSUInteger lengths[] = {1, 63, 64, 65, page - 1, page, page + 1, 1 << 20};
    NSUInteger before = device.currentAllocatedSize;
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
            id<MTLBuffer> buffer = [device newBufferWithLength:lengths[i] options:MTLResourceStorageModeShared];
            CHECK(buffer.length == lengths[i] && buffer.allocatedSize >= lengths[i]);
            CHECK((uintptr_t)buffer.contents % (lengths[i] < page ? 64 : page) == 0);
            CHECK(is_zero(buffer.contents, lengths[i]));
            CHECK(device.currentAllocatedSize == before + buffer.allocatedSize);
            memset(buffer.contents, 0xff, lengths[i]);
            [buffer release];
            CHECK(device.currentAllocatedSize == before);
        }
    }
    id<MTLBuffer> copy = [device newBufferWithBytes:"pymps" length:6 options:MTLResourceStorageModeManaged];
    CHECK(strcmp(copy.contents, "pymps") == 0);
    [copy release];
}

static void test_buffer_properties(void) {
    MTLResourceOptions options =
        MTLResourceStorageModeManaged | MTLResourceCPUCacheModeWriteCombined | MTLResourceHazardTrackingModeUntracked;
    id<MTLBuffer> buffer = [[device newBufferWithLength:16 options:options] autorelease];
    CHECK(buffer.device == device && buffer.resourceOptions == options);
    CHECK(buffer.storageMode == MTLStorageModeManaged && buffer.cpuCacheMode == MTLCPUCacheModeWriteCombined);
    CHECK(buffer.hazardTrackingMode == MTLHazardTrackingModeUntracked);

    NSMutableString *label = [NSMutableString stringWithString:@"x"];
    buffer.label = label;
    [label appendString:@"y"];
    CHECK([buffer.label isEqual:@"x"]);

    CHECK([buffer setPurgeableState:MTLPurgeableStateKeepCurrent] == MTLPurgeableStateNonVolatile);
    CHECK([buffer setPurgeableState:MTLPurgeableStateVolatile] == MTLPurgeableStateNonVolatile);
    CHECK([buffer setPurgeableState:MTLPurgeableStateKeepCurrent] == MTLPurgeableStateVolatile);
    CHECK_RAISES(@"setPurgeableState:] state: 5", [buffer setPurgeableState:5]);

    id<MTLBuffer> plain = [[device newBufferWithLength:16 options:0] autorelease];
    CHECK(plain.storageMode == MTLStorageModeShared && plain.cpuCacheMode == MTLCPUCacheModeDefaultCache);
    CHECK(plain.hazardTrackingMode == MTLHazardTrackingModeTracked && plain.label == nil);
    CHECK_RAISES(@"storage mode 0, expected managed", [plain didModifyRange:NSMakeRange(0, 1)]);
    [buffer didModifyRange:NSMakeRange(0, 16)];
    [buffer didModifyRange:NSMakeRange(16, 0)];
    CHECK_RAISES(@"expected a part of 16 bytes", [buffer didModifyRange:NSMakeRange(1, 16)]);
    CHECK_RAISES(@"expected a part of 16 bytes", [buffer didModifyRange:(NSRange){NSUIntegerMax, 2}]);

    [plain addDebugMarker:@"weights" range:NSMakeRange(4, 12)];
    CHECK_RAISES(@"addDebugMarker:range:] range: location 4", [plain addDebugMarker:@"x" range:NSMakeRange(4, 13)]);
    CHECK_RAISES(@"marker: nil", [plain addDebugMarker:(id _Nonnull)nil range:NSMakeRange(4, 12)]);
    [plain removeAllDebugMarkers];

    id<MTLBuffer> hidden = [[device newBufferWithLength:16 options:MTLResourceStorageModePrivate] autorelease];
    CHECK(hidden.contents == NULL && PMPBufferAddress(hidden) != NULL);
    CHECK(is_zero(PMPBufferAddress(hidden), 16) && PMPBufferAddress(plain) == plain.contents);
}

static void test_refused_buffers(void) {
    char bytes[4] = {0};
    const void *missing = NULL;
    NSUInteger before = device.currentAllocatedSize;
    CHECK_RAISES(@"length: 0", [device newBufferWithLength:0 options:0]);
    CHECK_RAISES(@"storage mode 3", [device newBufferWithLength:4 options:MTLResourceStorageModeMemoryless]);
    CHECK_RAISES(@"options: 0x1000", [device newBufferWithLength:4 options:0x1000]);
    CHECK_RAISES(@"options: 0x300", [device newBufferWithLength:4 options:0x300]);
    CHECK_RAISES(@"pointer: NULL", [device newBufferWithBytes:missing length:4 options:0]);
    CHECK_RAISES(@"private storage", [device newBufferWithBytes:bytes length:4 options:MTLResourceStorageModePrivate]);
    CHECK([device newBufferWithLength:device.maxBufferLength + 1 options:0] == nil);
    CHECK([device newBufferWithLength:NSUIntegerMax options:0] == nil);
    CHECK([device newBufferWithBytes:bytes length:NSUIntegerMax options:0] == nil);
    CHECK(device.currentAllocatedSize == before);
}

#ifndef __APPLE__ // where the kernel does not enforce the limit
/// Memory that the system refuses is nil, not a crash.
static void test_out_of_memory(void) {
    struct rlimit unlimited, limited;
    getrlimit(RLIMIT_AS, &unlimited);
    limited = unlimited;
    limited.rlim_cur = 1 << 20; // less than the process has: nothing more is mapped
    setrlimit(RLIMIT_AS, &limited);
    id<MTLBuffer> buffer = [device newBufferWithLength:1 << 26 options:0];
    setrlimit(RLIMIT_AS, &unlimited);
    CHECK(buffer == nil);
    buffer = [device newBufferWithLength:1 << 26 options:0];
    CHECK(buffer != nil);
    [buffer release];
}
#endif

static void test_no_copy(void) {
    NSUInteger page = (NSUInteger)getpagesize();
    char *memory = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
    __block int calls = 0;
    __block void *freed = NULL;
    __block NSUInteger freedLength = 0;
    void (^deallocator)(void *, NSUInteger) = ^(void *pointer, NSUInteger length) {
        calls++;
        freed = pointer;
        freedLength = length;
    };
    CHECK([device newBufferWithBytesNoCopy:memory + 64 length:page options:0 deallocator:deallocator] == nil);
    CHECK([device newBufferWithBytesNoCopy:memory length:page + 64 options:0 deallocator:deallocator] == nil);
    CHECK_RAISES(@"private storage", [device newBufferWithBytesNoCopy:memory
                                                               length:page
                                                              options:MTLResourceStorageModePrivate
                                                          deallocator:deallocator]);
    CHECK(calls == 0);

    id<MTLBuffer> buffer = [device newBufferWithBytesNoCopy:memory length:2 * page options:0 deallocator:deallocator];
    CHECK(buffer.contents == memory && buffer.length == 2 * page);
    memory[5] = 42;
    CHECK(((char *)buffer.contents)[5] == 42);
    [buffer retain];
    [buffer release];
    CHECK(calls == 0);
    [buffer release];
    CHECK(calls == 1 && freed == memory && freedLength == 2 * page);

    buffer = [device newBufferWithBytesNoCopy:memory length:page options:0 deallocator:nil];
    [buffer release];
    CHECK(memory[5] == 42); // still the caller's
    munmap(memory, 2 * page);
}

static void test_blit(void) {
    id<MTLCommandQueue> queue = [[device newCommandQueue] autorelease];
    id<MTLBuffer> source = [[device newBufferWithBytes:"0123456789abcde" length:16 options:0] autorelease];
    id<MTLBuffer> hidden = [[device newBufferWithLength:16 options:MTLResourceStorageModePrivate] autorelease];
    id<MTLBuffer> result = [[device newBufferWithLength:16 options:MTLResourceStorageModeManaged] autorelease];
    id<MTLCommandBuffer> buffer = [queue commandBuffer];
    id<MTLBlitCommandEncoder> encoder = [buffer blitCommandEncoder];
    CHECK(encoder.device == device && encoder.label == nil);
    encoder.label = @"copies";
    CHECK([encoder.label isEqual:@"copies"]);
    [encoder copyFromBuffer:source sourceOffset:4 toBuffer:hidden destinationOffset:0 size:8];
    [encoder copyFromBuffer:hidden sourceOffset:0 toBuffer:result destinationOffset:8 size:8];
    [encoder fillBuffer:result range:NSMakeRange(4, 4) value:'z'];
    [encoder synchronizeResource:result];
    [encoder endEncoding];
    CHECK(is_zero(result.contents, 16));
    [buffer commit];
    [buffer waitUntilCompleted];
    CHECK(memcmp(result.contents, "\0\0\0\0zzzz456789ab", 16) == 0);
}

static void test_blit_rules(void) {
    id<MTLCommandQueue> queue = [[device newCommandQueue] autorelease];
    id<MTLBuffer> buffer = [[device newBufferWithLength:16 options:0] autorelease];
    id<MTLCommandBuffer> commands = [queue commandBuffer];
    id<MTLBlitCommandEncoder> encoder = [commands blitCommandEncoder];
    id<MTLBuffer> none = nil;
#define COPY(from, fromOffset, to, toOffset, bytes)                                                                    \
    [encoder copyFromBuffer:from sourceOffset:fromOffset toBuffer:to destinationOffset:toOffset size:bytes]
    CHECK_RAISES(@"sourceBuffer: ", COPY(none, 0, buffer, 0, 4));
    CHECK_RAISES(@"destinationBuffer: ", COPY(buffer, 0, (id)queue, 0, 4));
    CHECK_RAISES(@"sourceBuffer: offset 2", COPY(buffer, 2, buffer, 8, 4));
    CHECK_RAISES(@"destinationBuffer: offset 6", COPY(buffer, 0, buffer, 6, 4));
    CHECK_RAISES(@"size 3, expected multiples of 4", COPY(buffer, 0, buffer, 8, 3));
    CHECK_RAISES(@"expected a part of 16 bytes", COPY(buffer, 12, buffer, 0, 8));
    CHECK_RAISES(@"expected a part of 16 bytes", COPY(buffer, NSUIntegerMax - 3, buffer, 0, 4));
    CHECK_RAISES(@"expected no overlap", COPY(buffer, 0, buffer, 4, 8));
    CHECK_RAISES(@"length 0", [encoder fillBuffer:buffer range:NSMakeRange(0, 0) value:1]);
    CHECK_RAISES(@"expected multiples of 4", [encoder fillBuffer:buffer range:NSMakeRange(0, 3) value:1]);
    CHECK_RAISES(@"expected a part", [encoder fillBuffer:buffer range:NSMakeRange(16, 4) value:1]);
    CHECK_RAISES(@"expected managed", [encoder synchronizeResource:buffer]);
    CHECK_RAISES(@"no debug group", [encoder popDebugGroup]);
    [encoder pushDebugGroup:@"group"];
    [encoder insertDebugSignpost:@"here"];
    [encoder popDebugGroup];

    CHECK_RAISES(@"an encoder is open", [commands blitCommandEncoder]);
    CHECK_RAISES(@"an encoder is open", [commands commit]);
    CHECK_RAISES(@"an encoder is open", [(PMPCommandBuffer *)commands encodeCommand:NULL
                                                                        recordBytes:0
                                                                     workspaceBytes:0]);
    [encoder endEncoding];
    CHECK_RAISES(@"has ended", [encoder endEncoding]);
    CHECK_RAISES(@"has ended", COPY(buffer, 0, buffer, 8, 4));
    [commands commit];
    [commands waitUntilCompleted];
    CHECK(commands.status == MTLCommandBufferStatusCompleted && is_zero(buffer.contents, 16));
    CHECK_RAISES(@"committed already", [commands blitCommandEncoder]);
}

/// An encoder that outlives everything else keeps its command buffer.
static void test_encoder_lifetime(void) {
    id<MTLBlitCommandEncoder> encoder;
    @autoreleasepool {
        id<MTLCommandQueue> queue = [[device newCommandQueue] autorelease];
        encoder = [[[queue commandBuffer] blitCommandEncoder] retain];
    }
    CHECK(encoder.device == device);
    [encoder endEncoding];
    [encoder release];
}

int main(void) {
    @autoreleasepool {
        device = [MTLCreateSystemDefaultDevice() autorelease];
        test_device();
        test_types();
        test_new_buffers();
        test_buffer_properties();
        test_refused_buffers();
#ifndef __APPLE__
        test_out_of_memory();
#endif
        test_no_copy();
        test_blit();
        test_blit_rules();
        test_encoder_lifetime();
    }
    return report();
}
