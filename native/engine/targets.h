/* The instruction sets that the engine is built for, of those that Highway knows. Include it before any header of
 * Highway, in every file. Left out: vectors of unknown length (SVE, RVV), which cannot stand in arrays, and steps
 * between the sets named here, which would only lengthen the build. */
#ifndef PYMPS_ENGINE_TARGETS_H
#define PYMPS_ENGINE_TARGETS_H

#define HWY_DISABLED_TARGETS (~(HWY_AVX3 | HWY_AVX2 | HWY_SSE4 | HWY_NEON | HWY_EMU128 | HWY_SCALAR))

#endif
