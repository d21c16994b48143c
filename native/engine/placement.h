/* On which processor a thread wakes. */
#ifndef PYMPS_ENGINE_PLACEMENT_H
#define PYMPS_ENGINE_PLACEMENT_H

#include <pthread.h>
#include <sched.h>

namespace pymps::engine {

/* Keeps a thread that is about to be woken off its waker's processor. In a virtual machine Linux takes a halted
 * processor for one that is not there, and so wakes the thread where its waker is busy; there it stays for
 * milliseconds. Elsewhere the system is left to itself. */
class Placement {
  public:
#ifdef __linux__
    /* By the waker. */
    void KeepOff(pthread_t thread) {
        if (is_kept_off_) // it has not run since
            return;
        cpu_set_t others;
        const int own = sched_getcpu();
        is_kept_off_ = own >= 0 && pthread_getaffinity_np(thread, sizeof allowed_, &allowed_) == 0;
        if (!is_kept_off_)
            return;
        others = allowed_;
        CPU_CLR(static_cast<size_t>(own), &others);
        is_kept_off_ = CPU_COUNT(&others) > 0 && pthread_setaffinity_np(thread, sizeof others, &others) == 0;
    }

    /* By the thread itself, once it runs: from now on it may move to wherever it was allowed to before. */
    void Restore() {
        if (is_kept_off_)
            pthread_setaffinity_np(pthread_self(), sizeof allowed_, &allowed_);
        is_kept_off_ = false;
    }

  private:
    cpu_set_t allowed_;
    bool is_kept_off_ = false;
#else
    void KeepOff(pthread_t) {}
    void Restore() {}
#endif
};

} // namespace pymps::engine

#endif
