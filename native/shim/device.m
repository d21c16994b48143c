// pymps_device: an MTLDevice that MPS supports.
#import "images.h"
#include <stdlib.h>

// In Metal's order. Made at the first call and kept for the life of the process, so that an index keeps its meaning.
static NSArray *shared_supported_devices(void) {
    static _Atomic(void *) shared;
    NSArray *known = (NSArray *)atomic_load(&shared);
    if (known != nil)
        return known;
    NSArray *all = [MTLCopyAllDevices() autorelease];
    NSMutableArray *supported = [NSMutableArray array];
    for (id<MTLDevice> device in all)
        if (MPSSupportsMTLDevice(device))
            [supported addObject:device];
    void *first = NULL;
    if (!atomic_compare_exchange_strong(&shared, &first, (void *)supported))
        return (NSArray *)first;
    return [supported retain];
}

static pymps_status supported_devices(const pmp_call *call, NSArray **devices) {
    @try {
        *devices = shared_supported_devices();
        return PYMPS_OK;
    } @catch (NSException *exception) {
        return pmp_fail(call, PYMPS_ERROR_DEVICE, 0, "no device can be had: %s", pmp_utf8(exception.reason));
    }
}

pymps_status device_count(size_t *count, pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(count, call);
        NSArray *devices = nil;
        PMP_TRY(supported_devices(call, &devices));
        *count = devices.count;
        return PYMPS_OK;
    });
}

// `team` (autoreleased) becomes nil for a device that has processors of its own.
static pymps_status make_team(const pmp_call *call, id<MTLDevice> device, size_t threads, id<PMPThreads> *team) {
    *team = nil;
    PMP_CHECK(threads <= PYMPS_MAX_THREADS, call, "threads: %zu, expected at most %d", threads, PYMPS_MAX_THREADS);
    if (![device respondsToSelector:@selector(newTeamWithThreadCount:)])
        return PYMPS_OK;
    *team = [[(id<PMPThreads>)device newTeamWithThreadCount:threads] autorelease];
    return *team != nil ? PYMPS_OK
                        : pmp_fail(call, PYMPS_ERROR_DEVICE, 0, "threads: the system can't start %zu", threads);
}

pymps_status device_open(size_t index, size_t threads, pymps_device **device, pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(device, call);
        NSArray *devices = nil;
        PMP_TRY(supported_devices(call, &devices));
        if (index >= devices.count)
            return pmp_fail(call, PYMPS_ERROR_DEVICE, 0, "index: %zu, expected less than %lu, the number of devices",
                            index, (unsigned long)devices.count);
        id<MTLDevice> opened = [devices objectAtIndex:index];
        id<PMPThreads> team;
        PMP_TRY(make_team(call, opened, threads, &team));
        id<MTLCommandQueue> queue = [[opened newCommandQueue] autorelease];
        if (queue == nil)
            return pmp_fail(call, PYMPS_ERROR_DEVICE, 0, "the device has no command queue left");
        pymps_device *handle = calloc(1, sizeof *handle);
        if (handle == NULL)
            return pmp_out_of_memory(call);
        atomic_init(&handle->references, 1);
        handle->device = [opened retain];
        handle->queue = [queue retain];
        handle->team = [team retain];
        *device = handle;
        return PYMPS_OK;
    });
}

void device_release(pymps_device *device) {
    if (device == NULL || !pmp_drop(&device->references))
        return;
    pmp_perform(^{
        [device->team release];
        [device->queue release];
        [device->device release];
    });
    free(device);
}

void device_info(pymps_device *device, pymps_device_info *info) {
    if (device == NULL || info == NULL)
        return;
    pmp_perform(^{
        id<MTLDevice> object = device->device;
        *info = (pymps_device_info){
            .registry_id = object.registryID,
            .is_low_power = object.isLowPower,
            .is_headless = object.isHeadless,
            .is_removable = object.isRemovable,
            .has_unified_memory = object.hasUnifiedMemory,
            .recommended_max_working_set_size_bytes = object.recommendedMaxWorkingSetSize,
            .max_buffer_length_bytes = object.maxBufferLength,
            .threads = device->team.threadCount,
            .has_linear_images = pmp_images_are_linear(),
        };
        pmp_copy_utf8(info->name, sizeof info->name, object.name.UTF8String);
    });
}

uint64_t device_current_allocated_size_bytes(pymps_device *device) {
    __block uint64_t size_bytes = 0;
    if (device != NULL)
        pmp_perform(^{
            size_bytes = device->device.currentAllocatedSize;
        });
    return size_bytes;
}
