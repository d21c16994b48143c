#include "engine/team.h"

#include <new>
#include <sched.h>
#include <signal.h>

namespace {

using std::chrono::microseconds;

/* How long a helper waits awake for the next fork: about as long as a wake costs, 20 us of the caller's time and 50 us
 * until the helper runs (measured on a virtual machine with two processors, where the other one has halted). */
constexpr microseconds kAwakeTime{50};

/* A run of this much work outlasts a wake by far: one row takes 170 us and more, its weights being beyond any one
 * core's cache. */
constexpr size_t kLongWork = 1500000;
/* Shorter runs wake helpers where not more than this goes by between the end of one and the next. */
constexpr microseconds kCloseTime{100};
/* What one thread does at least: so little where one row's weights come from memory. */
constexpr size_t kWorkPerMicrosecond = 3000;

/* A waiting thread looks again after each pause (30 to 140 cycles). It gives its core to others after the first few
 * microseconds, and then ever again: there may be more threads than cores. */
constexpr size_t kPausesBeforeYield = 512, kPausesBetweenYields = 64;
/* Pauses until the caller takes over the part of a helper that has not begun: a fork arrives sooner. None for a helper
 * that was late before: it does not run, or is about to wake. */
constexpr size_t kPatience = 32;

void Pause() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb");
#endif
}

/* How many times this process is a child of the one that loaded the library. */
std::atomic<unsigned> process{0};

void CountProcess() {
    process.fetch_add(1, std::memory_order_relaxed);
}

void RegisterProcess() {
    pthread_atfork(nullptr, nullptr, CountProcess);
}

} // namespace

pymps_engine_team::~pymps_engine_team() {
    if (IsForked()) // the helpers are another process's
        return;
    task_ = nullptr;
    epoch_.fetch_add(1);
    WakeSleepers();
    for (size_t i = 0; i < started_; ++i) {
        pthread_join(helpers_[i].pthread, nullptr);
        pthread_cond_destroy(&helpers_[i].woken);
        pthread_mutex_destroy(&helpers_[i].mutex);
    }
}

bool pymps_engine_team::Start() {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, RegisterProcess);
    process_ = process.load(std::memory_order_relaxed);
    helpers_.reset(new (std::nothrow) Helper[threads_ - 1]);
    if (helpers_ == nullptr)
        return false;
    while (started_ < threads_ - 1) {
        if (!StartHelper(started_))
            return false;
        ++started_;
    }
    return true;
}

/* Signals are for the program's own threads: a helper takes none but those that it raises itself, and a profiler's. */
bool pymps_engine_team::StartHelper(size_t index) {
    Helper &helper = helpers_[index];
    helper.begun = helper.done = 0;
    helper.is_asleep = helper.was_late = false;
    helper.team = this;
    helper.thread = index + 1;
    pthread_mutex_init(&helper.mutex, nullptr);
    pthread_cond_init(&helper.woken, nullptr);
    sigset_t all, before;
    sigfillset(&all);
    const int kept[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGPROF};
    for (const int signal : kept)
        sigdelset(&all, signal);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const bool is_started = pthread_create(&helper.pthread, nullptr, Main, &helper) == 0;
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return is_started;
}

bool pymps_engine_team::TryEnter(size_t work) {
    if (IsForked() || is_busy_.load(std::memory_order_relaxed) || is_busy_.exchange(true, std::memory_order_acquire))
        return false;
    if (work >= kLongWork || !HasSleepers())
        return true;
    const Clock::time_point now = Clock::now();
    const bool is_close = now - last_alone_ < kCloseTime + microseconds(work / kWorkPerMicrosecond);
    last_alone_ = now;
    if (!is_close)
        Leave();
    return is_close;
}

void pymps_engine_team::Run(Task task, const void *context) {
    task_ = task;
    context_ = context;
    const uint64_t epoch = epoch_.load(std::memory_order_relaxed) + 1;
    epoch_.store(epoch); // and only then look for sleepers, who look in reverse order
    WakeSleepers();
    task(context, 0);
    for (size_t i = 0; i < started_; ++i)
        Join(helpers_[i], epoch);
}

void pymps_engine_team::Join(Helper &helper, uint64_t epoch) {
    const size_t patience = helper.was_late ? 0 : kPatience;
    helper.was_late = false;
    for (size_t pauses = 0; helper.done.load(std::memory_order_acquire) != epoch; ++pauses) {
        uint64_t before = epoch - 1;
        if (pauses == patience && helper.begun.compare_exchange_strong(before, epoch)) {
            helper.was_late = true;
            task_(context_, helper.thread);
            return;
        }
        Pause();
        if (pauses > kPausesBeforeYield && pauses % kPausesBetweenYields == 0)
            sched_yield();
    }
}

void *pymps_engine_team::Main(void *helper) {
    Helper *const own = static_cast<Helper *>(helper);
    own->team->Help(*own);
    return nullptr;
}

/* The task of an epoch stays as it is until whoever has begun it is done. */
void pymps_engine_team::Help(Helper &helper) {
    for (uint64_t epoch = 0;;) {
        AwaitEpochAfter(epoch, helper);
        epoch = epoch_.load(std::memory_order_acquire);
        uint64_t before = epoch - 1;
        if (!helper.begun.compare_exchange_strong(before, epoch))
            continue;
        if (task_ == nullptr)
            return;
        task_(context_, helper.thread);
        helper.done.store(epoch, std::memory_order_release);
    }
}

void pymps_engine_team::AwaitEpochAfter(uint64_t epoch, Helper &helper) {
    Clock::time_point start;
    for (size_t pauses = 1; epoch_.load(std::memory_order_acquire) == epoch; ++pauses) {
        Pause();
        if (pauses == kPausesBeforeYield)
            start = Clock::now();
        if (pauses <= kPausesBeforeYield || pauses % kPausesBetweenYields != 0)
            continue;
        sched_yield();
        if (Clock::now() - start > kAwakeTime)
            SleepAfter(epoch, helper);
    }
}

void pymps_engine_team::SleepAfter(uint64_t epoch, Helper &helper) {
    pthread_mutex_lock(&helper.mutex);
    helper.is_asleep.store(true);
    if (epoch_.load() != epoch)
        helper.is_asleep.store(false);
    while (helper.is_asleep.load(std::memory_order_relaxed))
        pthread_cond_wait(&helper.woken, &helper.mutex);
    helper.placement.Restore();
    pthread_mutex_unlock(&helper.mutex);
}

void pymps_engine_team::WakeSleepers() {
    for (size_t i = 0; i < started_; ++i) {
        Helper &helper = helpers_[i];
        if (!helper.is_asleep.load())
            continue;
        pthread_mutex_lock(&helper.mutex);
        if (helper.is_asleep.load(std::memory_order_relaxed)) { // and has not seen the epoch by itself
            helper.is_asleep.store(false, std::memory_order_relaxed);
            helper.placement.KeepOff(helper.pthread);
        }
        pthread_mutex_unlock(&helper.mutex);
        pthread_cond_signal(&helper.woken);
    }
}

bool pymps_engine_team::HasSleepers() const {
    for (size_t i = 0; i < started_; ++i) {
        if (helpers_[i].is_asleep.load(std::memory_order_relaxed))
            return true;
    }
    return false;
}

bool pymps_engine_team::IsForked() const {
    return process_ != process.load(std::memory_order_relaxed);
}

extern "C" {

pymps_engine_team *pymps_engine_team_create(size_t threads) {
    pymps_engine_team *team = new (std::nothrow) pymps_engine_team(threads);
    if (team == nullptr || team->Start())
        return team;
    delete team;
    return nullptr;
}

void pymps_engine_team_destroy(pymps_engine_team *team) {
    delete team;
}

} // extern "C"
