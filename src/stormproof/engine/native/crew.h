// Threads that work through the phases of a step together.
//
// A phase is a number of pieces that do not depend on each other. Every member has a part of them, to
// be taken from front to back: memory is read fastest straight on. Whoever is through with its own
// takes what the others have left. A phase is over when every piece is done, not when every thread has
// arrived: on a machine that is shared, one whose processor is busy elsewhere holds up nobody, unless
// in the middle of a piece. When it comes back, it finds the phases over that it has missed, and
// catches up.
//
// Phases are numbered, and the counters of each know its number. So one that comes back even after
// the step is over, and others have begun the next, takes nothing that is not its to take.
#pragma once
#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

// Numbers go round; of two that are near each other, the later one.
inline bool is_after(uint32_t one, uint32_t other) {
    return static_cast<int32_t>(one - other) > 0;
}

// Waiting costs nothing but time on the processor while the others are about to be done, and not even
// that when they are not.
template <class Done>
void wait_until(const std::atomic<uint32_t>& value, const Done& done) {
    constexpr int SPINS = 2000;
    for (int turn = 0; turn < SPINS; turn++) {
        if (done(value.load(std::memory_order_acquire))) return;
#if defined(__x86_64__)
        _mm_pause();
#else
        std::this_thread::yield();
#endif
    }
    for (uint32_t now; !done(now = value.load(std::memory_order_acquire));)
        value.wait(now, std::memory_order_acquire);
}

// How many pieces of a phase were taken, or are done; the number of the phase comes with it.
class alignas(64) Counter {
  public:
    // Takes some pieces of a phase; returns the first, or `count` if there are none left for us.
    uint32_t take(uint32_t phase, uint32_t count, uint32_t at_once) {
        uint64_t now = state_.load(std::memory_order_acquire);
        for (;;) {
            if (is_after(phase_of(now), phase)) return count;
            const uint32_t taken = phase_of(now) == phase ? static_cast<uint32_t>(now) : 0;
            if (taken >= count) return count;
            if (state_.compare_exchange_weak(now, state(phase, taken + at_once),
                                             std::memory_order_acq_rel))
                return taken;
        }
    }

    // Adds pieces of a phase that has not ended; returns how many that makes.
    uint32_t add(uint32_t phase, uint32_t pieces) {
        uint64_t now = state_.load(std::memory_order_acquire);
        for (;;) {
            const uint32_t sum = (phase_of(now) == phase ? static_cast<uint32_t>(now) : 0) + pieces;
            if (state_.compare_exchange_weak(now, state(phase, sum), std::memory_order_acq_rel))
                return sum;
        }
    }

    // From now on nothing can be taken of the phases up to this one.
    void close(uint32_t phase) { state_.store(state(phase, 0), std::memory_order_release); }

  private:
    static uint64_t state(uint32_t phase, uint32_t pieces) { return uint64_t{phase} << 32 | pieces; }
    static uint32_t phase_of(uint64_t state) { return static_cast<uint32_t>(state >> 32); }

    std::atomic<uint64_t> state_{0};
};

class Crew {
  public:
    // What every member does of a step: a run through its phases, from the given one on.
    using Work = std::function<void(int member, uint32_t first_phase)>;

    Crew(int threads, Work work) : size_(threads), work_(std::move(work)) {
        for (Phase& phase : phases_) phase.taken = std::vector<Counter>(threads);
        try {
            for (int member = 1; member < threads; member++)
                others_.emplace_back([this, member] { serve(member); });
        } catch (...) {  // the machine gives no more; a thread that nobody joins ends the process
            dismiss();
            throw;
        }
    }

    ~Crew() { dismiss(); }

    Crew(const Crew&) = delete;
    Crew& operator=(const Crew&) = delete;

    int size() const { return size_; }

    // Ends what others may still believe to be going on. Only then may that change which they read.
    void close() {
        for (Phase& phase : phases_)
            for (Counter& taken : phase.taken) taken.close(next_);
        current_.store(++next_, std::memory_order_relaxed);
        std::atomic_thread_fence(std::memory_order_release);
    }

    // Whether the step that begins with this phase has not been closed: what a member has read of it
    // until now is not, in part, the next one's (a seqlock, https://doi.org/10.1145/2247684.2247688).
    bool is_current(uint32_t first_phase) const {
        std::atomic_thread_fence(std::memory_order_acquire);
        return current_.load(std::memory_order_relaxed) == first_phase;
    }

    // Has the members do the work, the caller as member 0; returns when it is done.
    void run() {
        begun_.store(next_);  // as in `announce`
        if (size_ > 1) begun_.notify_all();
        work_(0, next_);
    }

    // Takes part in a phase until it is over: `each(first, last)` does some of its pieces.
    template <class Each>
    void share(int member, uint32_t number, int32_t count, int32_t at_once, const Each& each) {
        if (member == 0) next_ = number + 1;
        if (count <= 0) return;
        if (size_ == 1) return each(0, count);
        Phase& phase = phases_[number % phases_.size()];
        const uint32_t all = count;
        uint32_t done = 0;
        for (int i = 0; i < size_; i++) {
            const int owner = (member + i) % size_;
            const uint32_t begin = part(owner, all), length = part(owner + 1, all) - begin;
            for (uint32_t at; (at = phase.taken[owner].take(number, length, at_once)) < length;) {
                const uint32_t end = std::min<uint32_t>(at + at_once, length);
                each(static_cast<int32_t>(begin + at), static_cast<int32_t>(begin + end));
                done += end - at;
            }
        }
        if (done && phase.done.add(number, done) == all) announce(number + 1);
        wait_until(over_, [number](uint32_t over) { return is_after(over, number); });
    }

  private:
    struct Phase {
        std::vector<Counter> taken;  // of the part of each member
        Counter done;
    };

    // Where a member's part of some pieces begins.
    uint32_t part(int member, uint32_t pieces) const {
        return static_cast<uint32_t>(uint64_t{pieces} * member / size_);
    }

    void announce(uint32_t over) {
        // Sequentially consistent: a weaker store may still be on its way when `notify_all` finds
        // that nobody waits, and one that begins to wait then would not be woken.
        over_.store(over);
        over_.notify_all();
    }

    void dismiss() {
        leaving_ = true;
        begun_.fetch_add(1);
        begun_.notify_all();
        for (std::thread& other : others_) other.join();
    }

    void serve(int member) {
        for (uint32_t seen = 0;;) {
            wait_until(begun_, [seen](uint32_t begun) { return begun != seen; });
            seen = begun_.load(std::memory_order_acquire);
            if (leaving_) return;
            work_(member, seen);
        }
    }

    const int size_;
    const Work work_;
    std::atomic<bool> leaving_{false};
    uint32_t next_ = 1;                  // phase, known to member 0 alone
    std::atomic<uint32_t> current_{0};   // the first phase of the step that is not closed
    std::array<Phase, 4> phases_;        // nobody is more than one behind, of those that matter
    alignas(64) std::atomic<uint32_t> begun_{0};  // the first phase of the step
    alignas(64) std::atomic<uint32_t> over_{0};   // the phase after the last that is over
    std::vector<std::thread> others_;    // last: they use all of the above
};
