/* Teams: every part of a run's work is done once, whoever comes late, sleeps or is missing. */
#include <atomic>
#include <memory>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "engine/team.h"
#include "engine_test.h"

namespace {

using test::Check;
constexpr size_t kLong = SIZE_MAX; // work that is always worth a wake
using Owned = std::unique_ptr<pymps_engine_team, void (*)(pymps_engine_team *)>;

Owned NewTeam(size_t threads) {
    return {pymps_engine_team_create(threads), pymps_engine_team_destroy};
}

void Enter(pymps_engine_team *team) {
    while (!team->TryEnter(kLong))
        std::this_thread::yield();
}

/* Shares `forks` times: every thread's part adds one to its own count. What the caller has counted between forks is
 * there for all, and the reverse. */
bool Shares(pymps_engine_team *team, size_t forks) {
    std::vector<size_t> counts(team->threads(), 0);
    size_t written = 0;
    for (size_t fork = 0; fork < forks; ++fork) {
        written = fork;
        team->Run([&](size_t thread) { counts[thread] += written == fork; });
        for (size_t count : counts) {
            if (count != fork + 1)
                return false;
        }
    }
    return true;
}

void TestManyForks() {
    for (size_t threads : {1, 2, 3, 8}) {
        const Owned team = NewTeam(threads);
        Enter(team.get());
        Check(team->threads() == threads && Shares(team.get(), 20000), "%zu threads: a part is not done once", threads);
        team->Leave();
    }
}

/* Where the caller's part waits for the others' they must run at the same time. */
void TestRunsAtOnce() {
    const Owned team = NewTeam(3);
    Enter(team.get());
    std::atomic<size_t> arrived{0};
    team->Run([&](size_t thread) {
        ++arrived;
        while (thread == 0 && arrived < 3)
            std::this_thread::yield();
    });
    Check(arrived == 3, "%zu of 3 arrived", arrived.load());
    team->Leave();
}

void TestSleepAndWake() {
    const Owned team = NewTeam(3);
    for (int i = 0; i < 20; ++i) {
        Enter(team.get());
        Check(Shares(team.get(), 3), "after sleep %d: a part is not done once", i);
        team->Leave();
        usleep(i % 2 ? 2000 : 60);
    }
}

void TestIsForOneAtATime() {
    const Owned team = NewTeam(2);
    Enter(team.get());
    Check(!team->TryEnter(kLong), "entered twice");
    team->Leave();
    Enter(team.get());
    team->Leave();

    std::atomic<size_t> bad{0}, inside{0}, entered{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 2000; ++i) {
                if (!team->TryEnter(kLong))
                    continue;
                bad += ++inside != 1;
                bad += !Shares(team.get(), 2);
                --inside;
                ++entered;
                team->Leave();
            }
        });
    }
    for (std::thread &thread : threads)
        thread.join();
    Check(bad == 0 && entered > 0, "%zu of %zu runs were not alone", bad.load(), entered.load());
}

/* A run too short to wake helpers for does without them, unless another one came just before. */
void TestShortRunsWakeNobody() {
    const Owned team = NewTeam(2);
    bool entered = true;
    for (int i = 0; i < 100 && entered; ++i) { // until the helper sleeps
        usleep(5000);
        entered = team->TryEnter(0);
        if (entered)
            team->Leave();
    }
    Check(!entered, "a short run woke a helper");
    for (int i = 0; i < 100000 && !entered; ++i)
        entered = team->TryEnter(0);
    Check(entered, "short runs one after the other never get the team");
    if (entered) {
        Check(Shares(team.get(), 3), "woken by a short run");
        team->Leave();
    }
}

void TestDestroy() {
    for (useconds_t wait : {0, 20, 70, 3000}) {
        for (int i = 0; i < 30; ++i) {
            const Owned team = NewTeam(3);
            Enter(team.get());
            Check(Shares(team.get(), 2), "a part is not done once");
            team->Leave();
            usleep(wait);
        }
        NewTeam(4); // destroyed before its helpers have begun
    }
    pymps_engine_team_destroy(nullptr);
}

/* A child has no helpers: it does without, even where the parent was in the middle of a run, and may have a team of
 * its own. */
void TestFork() {
    const Owned team = NewTeam(2);
    Enter(team.get());
    Check(Shares(team.get(), 2), "before a fork");
    const pid_t child = fork();
    if (child == 0) {
        alarm(30);
        bool holds = !team->TryEnter(kLong);
        team->Leave();
        holds &= !team->TryEnter(kLong);
        pymps_engine_team *own = pymps_engine_team_create(2);
        Enter(own);
        holds &= Shares(own, 100);
        own->Leave();
        pymps_engine_team_destroy(own);
        pymps_engine_team_destroy(const_cast<Owned &>(team).release());
        _exit(holds ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    Check(child > 0 && status == 0, "the child ended with status %d", status);
    Check(Shares(team.get(), 2), "after a fork");
    team->Leave();
}

} // namespace

int main() {
    TestManyForks();
    TestRunsAtOnce();
    TestSleepAndWake();
    TestIsForOneAtATime();
    TestShortRunsWakeNobody();
    TestDestroy();
    TestFork();
    return test::Report();
}
