/* The threads that share the work of one run. */
#ifndef PYMPS_ENGINE_TEAM_H
#define PYMPS_ENGINE_TEAM_H

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <pthread.h>

#include "engine/engine.h"
#include "engine/memory.h"
#include "engine/placement.h"

/* Work is counted in multiply-adds.
 *
 * Made once, used by one run at a time: a run that finds the team busy does without. A fork of work to the helpers and
 * its join are each one cache line that travels between two cores. Helpers wait for the next fork awake for a short
 * while, then sleep. */
struct pymps_engine_team {
  public:
    explicit pymps_engine_team(size_t threads) : threads_(threads) {}
    ~pymps_engine_team();
    pymps_engine_team(const pymps_engine_team &) = delete;
    pymps_engine_team &operator=(const pymps_engine_team &) = delete;

    /* False where memory or threads run out. */
    bool Start();

    /* With the thread that calls Run. */
    size_t threads() const { return threads_; }

    /* Whether the team is the caller's, for a run of so much work, until it calls Leave. Never waits. False too in a
     * child of fork(), which has no helpers, and where they sleep and waking them would not pay: for a run that does
     * not last much longer than that, unless such runs follow each other closely. */
    bool TryEnter(size_t work);
    void Leave() { is_busy_.store(false, std::memory_order_release); }

    /* Calls f(thread) once for each thread in [0, threads()) and returns when all calls have. A helper that has not
     * begun when the caller is done with its own part loses its call to the caller. Between TryEnter and Leave. */
    template <class Function> void Run(const Function &f) {
        Run([](const void *context, size_t thread) { (*static_cast<const Function *>(context))(thread); }, &f);
    }

  private:
    using Task = void (*)(const void *context, size_t thread);
    using Clock = std::chrono::steady_clock;

    /* What one side waits for has a cache line of its own. */
    struct Helper {
        alignas(pymps::engine::kAlignment) std::atomic<uint64_t> begun; /* the last epoch that someone has begun ... */
        alignas(pymps::engine::kAlignment) std::atomic<uint64_t> done;  /* ... and that the helper has done */
        alignas(pymps::engine::kAlignment) std::atomic<bool> is_asleep;
        bool was_late;         /* to the last fork: the caller has done its part. The caller's own note */
        pthread_mutex_t mutex; /* to sleep, and to be woken */
        pthread_cond_t woken;
        pthread_t pthread;
        pymps::engine::Placement placement;
        pymps_engine_team *team;
        size_t thread;
    };

    static void *Main(void *helper);
    bool StartHelper(size_t index);
    void Run(Task task, const void *context);
    void Help(Helper &helper);
    void AwaitEpochAfter(uint64_t epoch, Helper &helper);
    void SleepAfter(uint64_t epoch, Helper &helper);
    void Join(Helper &helper, uint64_t epoch);
    void WakeSleepers();
    bool HasSleepers() const;
    bool IsForked() const;

    alignas(pymps::engine::kAlignment) std::atomic<uint64_t> epoch_{0}; /* counts the forks; it comes with: */
    Task task_ = nullptr;                                               /* null: the end */
    const void *context_ = nullptr;

    alignas(pymps::engine::kAlignment) std::atomic<bool> is_busy_{false};
    Clock::time_point last_alone_; /* when the last run came that did not wake the helpers */
    const size_t threads_;
    size_t started_ = 0; /* of the helpers */
    unsigned process_ = 0;
    std::unique_ptr<Helper[]> helpers_;
};

namespace pymps::engine {

using Team = pymps_engine_team;

/* Less is not shared out. A fork and its join take 0.4 us, and the other core has to fetch half of the state. Measured
 * on two cores of a Xeon with AVX-512, one row, float32 and float16 weights: two threads need 0.95 to 1.2 times as long
 * as one for 100 000 multiply-adds, as long for 160 000, half to 0.75 times for 260 000 to 400 000. Batches of narrow
 * layers have more to do beside: 130 000 (64 rows of 16 to 16 channels) take 1.1 times as long. */
inline constexpr size_t kSharedWork = 200000;

/* What a run may use of a team. */
class Teamwork {
  public:
    Teamwork() = default;
    /* `largest`: of the products that the run does at a time; `total`: of all of them. */
    Teamwork(Team *team, size_t largest, size_t total)
        : team_(team != nullptr && largest >= kSharedWork && team->TryEnter(total) ? team : nullptr) {}
    ~Teamwork() {
        if (team_ != nullptr)
            team_->Leave();
    }
    Teamwork(const Teamwork &) = delete;
    Teamwork &operator=(const Teamwork &) = delete;

    /* The team for this much work; NULL where one thread has done it sooner. */
    Team *For(size_t work) const { return work >= kSharedWork ? team_ : nullptr; }

  private:
    Team *const team_ = nullptr;
};

} // namespace pymps::engine

#endif
