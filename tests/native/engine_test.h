/* What the engine's tests share: counting checks, and running once per instruction set. */
#ifndef PYMPS_TESTS_ENGINE_TEST_H
#define PYMPS_TESTS_ENGINE_TEST_H

#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "engine/targets.h"
#include "hwy/highway.h"
#include "engine/engine.h"

namespace test {

inline int passed = 0, failed = 0;

/* Counts a check; where it fails, says what differed (the first 20 times). */
__attribute__((format(printf, 2, 3))) inline bool Check(bool holds, const char *format, ...) {
    ++(holds ? passed : failed);
    if (holds || failed > 20)
        return holds;
    std::printf("FAILED [%s] ", pymps_engine_target());
    va_list arguments;
    va_start(arguments, format);
    std::vprintf(format, arguments);
    va_end(arguments);
    std::printf("\n");
    return false;
}

/* Calls test() once for each instruction set that this machine has and the engine was built for. */
template <class Test> void ForEachTarget(Test test) {
    for (size_t i = 0; const char *name = pymps_engine_supported_target(i); ++i) {
        pymps_engine_set_target(name);
        if (Check(std::strcmp(pymps_engine_target(), name) == 0, "the engine did not change to %s", name))
            test();
    }
    pymps_engine_set_target(pymps_engine_supported_target(0));
}

/* Tells which instruction sets the engine was built for and the machine has or lacks, and the counts. */
inline int Report() {
    std::printf("tried:");
    ForEachTarget([] { std::printf(" %s", pymps_engine_target()); });
    std::printf("\n");
    if (const int64_t lacking = HWY_TARGETS & ~hwy::SupportedTargets()) {
        std::printf("skipped:");
        for (int64_t rest = lacking; rest != 0; rest &= rest - 1)
            std::printf(" %s", hwy::TargetName(rest & -rest));
        std::printf(", which this machine lacks\n");
    }
    std::printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 && passed > 0 ? 0 : 1;
}

} // namespace test

#endif
