#import "PMPDevice.h"
#import "PMPArgument.h"
#import "PMPBuffer.h"
#import "PMPCommandQueue.h"
#import "PMPEvent.h"
#import "PMPMemory.h"
#import "PMPTeam.h"
#import "PMPTexture.h"
#include "engine/engine.h"
#include <pthread.h>
#include <time.h>
#include <unistd.h>

/// "pympsCPU" in ASCII: the same in every process.
static const uint64_t kRegistryID = 0x70796d7073435055;

static const NSUInteger kDefaultMaxCommandBufferCount = 64;

static PMPDevice *sharedDevice;

/// Why there is none: $PYMPS_PORTABLE_TARGET asks for an instruction set that can't be had. nil: there is one.
static NSString *refusal;

static void make_shared_device(void) {
    const char *target = getenv("PYMPS_PORTABLE_TARGET");
    if (target != NULL && *target != '\0' && !pymps_engine_set_target(target)) {
        NSMutableArray *supported = [NSMutableArray array];
        const char *name;
        while ((name = pymps_engine_supported_target(supported.count)) != NULL) {
            [supported addObject:@(name)];
        }
        refusal = [[NSString alloc] initWithFormat:@"PYMPS_PORTABLE_TARGET: %s, expected one of %@", target,
                                                   [supported componentsJoinedByString:@", "]];
        return;
    }
    sharedDevice = [[PMPDevice alloc] init];
}

/// Three quarters of the physical memory, in whole pages: the rest is for the system and the program itself.
static uint64_t usable_memory(void) {
    return (uint64_t)sysconf(_SC_PHYS_PAGES) * 3 / 4 * PMPPageSize();
}

uint64_t PMPHostTime(void) {
#ifdef __APPLE__
    return clock_gettime_nsec_np(CLOCK_UPTIME_RAW); // the clock of mach_absolute_time
#else
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
#endif
}

@implementation PMPDevice

+ (PMPDevice *)sharedDevice {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_shared_device);
    if (refusal != nil) {
        @throw [NSException exceptionWithName:NSInvalidArgumentException reason:refusal userInfo:nil];
    }
    return sharedDevice;
}

- (instancetype)init {
    if ((self = [super init]) != nil) {
        _name = [[NSString alloc] initWithFormat:@"pymps portable CPU (%s)", pymps_engine_target()];
        _usableMemory = usable_memory();
    }
    return self;
}

- (void)dealloc {
    [_name release];
    [super dealloc];
}

- (NSString *)name {
    return _name;
}

- (uint64_t)registryID {
    return kRegistryID;
}

- (BOOL)isLowPower {
    return NO;
}

- (BOOL)isHeadless {
    return YES;
}

- (BOOL)isRemovable {
    return NO;
}

- (BOOL)hasUnifiedMemory {
    return YES;
}

- (MTLDeviceLocation)location {
    return MTLDeviceLocationBuiltIn;
}

- (NSUInteger)locationNumber {
    return 0;
}

- (uint64_t)maxTransferRate {
    return 0;
}

- (uint64_t)peerGroupID {
    return 0;
}

- (uint32_t)peerIndex {
    return 0;
}

- (uint32_t)peerCount {
    return 0;
}

- (MTLSize)maxThreadsPerThreadgroup {
    return MTLSizeMake(1, 1, 1);
}

- (uint64_t)recommendedMaxWorkingSetSize {
    return _usableMemory;
}

- (NSUInteger)maxBufferLength {
    return (NSUInteger)_usableMemory;
}

- (NSUInteger)currentAllocatedSize {
    return atomic_load_explicit(&_allocatedSize, memory_order_relaxed);
}

- (void)countAllocation:(size_t)bytes {
    atomic_fetch_add_explicit(&_allocatedSize, bytes, memory_order_relaxed);
}

- (void)countRelease:(size_t)bytes {
    atomic_fetch_sub_explicit(&_allocatedSize, bytes, memory_order_relaxed);
}

- (BOOL)supportsFamily:(MTLGPUFamily)gpuFamily {
    (void)gpuFamily;
    return NO;
}

- (BOOL)supportsFeatureSet:(MTLFeatureSet)featureSet {
    (void)featureSet;
    return NO;
}

- (id<MTLCommandQueue>)newCommandQueue {
    return [self newCommandQueueWithMaxCommandBufferCount:kDefaultMaxCommandBufferCount];
}

- (id<MTLCommandQueue>)newCommandQueueWithMaxCommandBufferCount:(NSUInteger)maxCommandBufferCount {
    if (maxCommandBufferCount == 0) {
        PMPInvalidArgument(@"maxCommandBufferCount: 0, expected at least 1");
    }
    return [[PMPCommandQueue alloc] initWithDevice:self maxCommandBufferCount:maxCommandBufferCount];
}

void PMPCheckResourceOptions(MTLResourceOptions options, id object, SEL selector, NSString *name) {
    MTLResourceOptions known =
        MTLResourceCPUCacheModeWriteCombined | MTLResourceStorageModeMask | MTLResourceHazardTrackingModeMask;
    NSUInteger hazards = options >> MTLResourceHazardTrackingModeShift;
    if ((options & ~known) != 0 || hazards > MTLHazardTrackingModeTracked) {
        PMPRaiseInvalidArgument(object, selector, @"%@: 0x%lx, expected a combination of MTLResourceOptions", name,
                                (unsigned long)options);
    }
    NSUInteger storage = (options & MTLResourceStorageModeMask) >> MTLResourceStorageModeShift;
    if (storage > MTLStorageModePrivate) {
        PMPRaiseInvalidArgument(object, selector, @"%@: storage mode %lu, expected shared, managed or private", name,
                                (unsigned long)storage);
    }
}

static void check_buffer_arguments(PMPDevice *device, SEL selector, NSUInteger length, MTLResourceOptions options) {
    if (length == 0) {
        PMPRaiseInvalidArgument(device, selector, @"length: 0, expected at least 1");
    }
    PMPCheckResourceOptions(options, device, selector, @"options");
}

static void check_bytes(PMPDevice *device, SEL selector, const void *pointer, MTLResourceOptions options) {
    if (pointer == NULL) {
        PMPRaiseInvalidArgument(device, selector, @"pointer: NULL, expected memory");
    }
    if ((options & MTLResourceStorageModeMask) == MTLResourceStorageModePrivate) {
        PMPRaiseInvalidArgument(device, selector, @"options: private storage, expected shared or managed");
    }
}

- (id<MTLBuffer>)newBufferWithLength:(NSUInteger)length options:(MTLResourceOptions)options {
    check_buffer_arguments(self, _cmd, length, options);
    if (length > self.maxBufferLength) {
        return nil;
    }
    return [[PMPBuffer alloc] initWithDevice:self length:length options:options];
}

- (id<MTLBuffer>)newBufferWithBytes:(const void *)pointer
                             length:(NSUInteger)length
                            options:(MTLResourceOptions)options {
    check_buffer_arguments(self, _cmd, length, options);
    check_bytes(self, _cmd, pointer, options);
    id<MTLBuffer> buffer = [self newBufferWithLength:length options:options];
    if (buffer != nil) {
        memcpy(buffer.contents, pointer, length);
    }
    return buffer;
}

- (id<MTLBuffer>)newBufferWithBytesNoCopy:(void *)pointer
                                   length:(NSUInteger)length
                                  options:(MTLResourceOptions)options
                              deallocator:(void (^)(void *, NSUInteger))deallocator {
    check_buffer_arguments(self, _cmd, length, options);
    check_bytes(self, _cmd, pointer, options);
    if ((uintptr_t)pointer % PMPPageSize() != 0 || length % PMPPageSize() != 0 || length > self.maxBufferLength) {
        return nil;
    }
    return [[PMPBuffer alloc] initWithDevice:self
                                     address:pointer
                                      length:length
                                     options:options
                                 deallocator:deallocator];
}

/// The slices of RGBA textures are taken for those of one image until an image says otherwise.
- (id<MTLTexture>)newTextureWithDescriptor:(MTLTextureDescriptor *)descriptor {
    PMPCheckTextureDescriptor(descriptor, self, _cmd, @"descriptor");
    PMPPixelFormat format = PMPPixelFormatOf(descriptor.pixelFormat);
    NSUInteger slices = format.components < 4 ? 1 : descriptor.arrayLength;
    PMPPixelLayout layout = PMPPixelLayoutMake(descriptor.width, descriptor.height, slices, slices * format.components,
                                               format.elementBytes);
    return [[PMPTexture alloc] initWithDevice:self descriptor:descriptor layout:layout];
}

- (NSUInteger)minimumLinearTextureAlignmentForPixelFormat:(MTLPixelFormat)format {
    size_t bytes = PMPPixelBytes(format);
    if (bytes == 0) {
        PMPInvalidArgument(@"format: %lu, expected R, RG or RGBA as Unorm8, Unorm16, Float16 or Float32",
                           (unsigned long)format);
    }
    return bytes;
}

- (id<MTLEvent>)newEvent {
    return [[PMPEvent alloc] initWithDevice:self];
}

- (id<MTLSharedEvent>)newSharedEvent {
    return [[PMPSharedEvent alloc] initWithDevice:nil];
}

- (PMPTeam *)newTeamWithThreadCount:(NSUInteger)threadCount {
    return [[PMPTeam alloc] initWithThreadCount:threadCount];
}

- (void)sampleTimestamps:(MTLTimestamp *)cpuTimestamp gpuTimestamp:(MTLTimestamp *)gpuTimestamp {
    *cpuTimestamp = *gpuTimestamp = PMPHostTime();
}

@end

id<MTLDevice> MTLCreateSystemDefaultDevice(void) {
    return [[PMPDevice sharedDevice] retain];
}

NSArray<id<MTLDevice>> *MTLCopyAllDevices(void) {
    return [[NSArray alloc] initWithObjects:[PMPDevice sharedDevice], nil];
}
