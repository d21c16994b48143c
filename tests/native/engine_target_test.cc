/* The choice of the instruction set: the best by itself, and each one that the compiler's own look at the machine
 * finds, but no other. */
#include "engine_test.h"

namespace {

bool IsUsed(const char *name) {
    return std::strcmp(pymps_engine_target(), name) == 0;
}

void CheckTarget(const char *name, bool machine_has) {
    const char *const before = pymps_engine_target();
    test::Check(pymps_engine_set_target(name) == machine_has, "%s: %s", name, machine_has ? "refused" : "accepted");
    test::Check(IsUsed(machine_has ? name : before), "%s: the engine is now on %s", name, pymps_engine_target());
}

} // namespace

int main() {
    test::Check(IsUsed(pymps_engine_supported_target(0)), "the best is not what the engine begins with");
    for (const char *name : {"", "AVX", "AVX2 ", "avx2", "SVE", "Unknown"})
        CheckTarget(name, false);
#if defined(__x86_64__)
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    const bool avx3 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    CheckTarget("AVX3", avx3);
    CheckTarget("AVX2", avx2);
    CheckTarget("SSE4", __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("aes"));
    CheckTarget("NEON", false);
#elif defined(__aarch64__)
    CheckTarget("NEON", true);
    CheckTarget("AVX2", false);
    test::Check(pymps_engine_supported_target(1) == nullptr, "beside NEON there is %s",
                pymps_engine_supported_target(1));
#endif
    return test::Report();
}
