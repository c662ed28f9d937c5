// Threads that work through one step together.
#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

// Waiting for others costs a few hundred nanoseconds while they are about to arrive, and no processor
// time when they are not: machines are shared, and what one waits for may not be running.
class Wait {
  public:
    static void until_changed(const std::atomic<uint32_t>& value, uint32_t from) {
        for (int turn = 0; turn < SPINS; turn++) {
            if (value.load(std::memory_order_acquire) != from) return;
            pause();
        }
        value.wait(from, std::memory_order_acquire);
    }

  private:
    static constexpr int SPINS = 4000;

    static void pause() {
#if defined(__x86_64__)
        _mm_pause();
#else
        std::this_thread::yield();
#endif
    }
};

class Crew {
  public:
    explicit Crew(int threads) : size_(threads) {
        for (int member = 1; member < threads; member++)
            others_.emplace_back([this, member] { serve(member); });
    }

    ~Crew() {
        work_ = nullptr;
        begin();
        for (std::thread& other : others_) other.join();
    }

    Crew(const Crew&) = delete;
    Crew& operator=(const Crew&) = delete;

    int size() const { return size_; }

    // Has every member do the work, the caller as member 0; returns when all have.
    void run(const std::function<void(int)>& work) {
        if (size_ == 1) return work(0);
        work_ = &work;
        begin();
        work(0);
        meet();
    }

    // Waits until every member is here.
    void meet() {
        if (size_ == 1) return;
        const uint32_t now = met_.load(std::memory_order_acquire);
        if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 < size_)
            return Wait::until_changed(met_, now);
        arrived_.store(0, std::memory_order_relaxed);
        met_.fetch_add(1, std::memory_order_release);
        met_.notify_all();
    }

  private:
    void begin() {
        begun_.fetch_add(1, std::memory_order_release);
        begun_.notify_all();
    }

    void serve(int member) {
        for (uint32_t seen = 0;; seen++) {
            Wait::until_changed(begun_, seen);
            if (!work_) return;
            (*work_)(member);
            meet();
        }
    }

    const int size_;
    const std::function<void(int)>* work_ = nullptr;
    std::vector<std::thread> others_;
    alignas(64) std::atomic<uint32_t> begun_{0};
    alignas(64) std::atomic<int> arrived_{0};
    alignas(64) std::atomic<uint32_t> met_{0};
};

// Hands out the numbers 0..count-1 to the members of a crew, some at a time, so that none waits for
// one whose processor is busy elsewhere.
class Shares {
  public:
    void reset() { next_.store(0, std::memory_order_relaxed); }

    template <class Each>
    void take(int count, int at_once, const Each& each) {
        for (;;) {
            const int first = next_.fetch_add(at_once, std::memory_order_relaxed);
            if (first >= count) return;
            each(first, first + at_once < count ? first + at_once : count);
        }
    }

  private:
    alignas(64) std::atomic<int> next_{0};
};
