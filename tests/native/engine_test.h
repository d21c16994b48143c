/* What the engine's tests share: counting checks, and running once per instruction set. */
#ifndef PYMPS_TESTS_ENGINE_TEST_H
#define PYMPS_TESTS_ENGINE_TEST_H

#include <cstdarg>
#include <cstdint>
#include <cstdio>

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
    for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
        hwy::SetSupportedTargetsForTest(target);
        // The cached choice of hwy::SupportedTargets must be taken anew.
        hwy::GetChosenTarget().Update(hwy::SupportedTargets());
        test();
    }
    hwy::SetSupportedTargetsForTest(0);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

inline int Report() {
    std::printf("tried:");
    ForEachTarget([] { std::printf(" %s", pymps_engine_target()); });
    std::printf("\n");
    std::printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 && passed > 0 ? 0 : 1;
}

} // namespace test

#endif
