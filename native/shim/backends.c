/* The library's two exported symbols. The backends themselves are the shim, compiled once for each. */
#include "pymps.h"

#define EXPORT __attribute__((visibility("default")))

#ifdef PYMPS_HAS_METAL
extern const pymps_backend pymps_metal_backend;
#endif
extern const pymps_backend pymps_portable_backend;

static const pymps_backend *const backends[] = {
#ifdef PYMPS_HAS_METAL
    &pymps_metal_backend,
#endif
    &pymps_portable_backend,
};

EXPORT uint32_t pymps_abi_version(void) {
    return PYMPS_ABI_VERSION;
}

EXPORT const pymps_backend *const *pymps_backends(size_t *count) {
    *count = sizeof backends / sizeof *backends;
    return backends;
}
