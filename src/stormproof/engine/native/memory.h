// Large arrays: zeroed, aligned, and taken from the machine only where they are written to.
#pragma once
#include <sys/mman.h>

#include <cstddef>
#include <new>
#include <utility>

template <class T>
class Memory {
  public:
    Memory() = default;
    explicit Memory(size_t rows, size_t width = 1) {
        if (__builtin_mul_overflow(rows, width, &bytes_) ||
            __builtin_mul_overflow(bytes_, sizeof(T), &bytes_))
            throw std::bad_alloc();
        if (!bytes_) return;
        void* found = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (found == MAP_FAILED) throw std::bad_alloc();
#ifdef MADV_HUGEPAGE
        madvise(found, bytes_, MADV_HUGEPAGE);
#endif
        at_ = static_cast<T*>(found);
    }
    Memory(Memory&& other) noexcept { *this = std::move(other); }
    Memory& operator=(Memory&& other) noexcept {
        std::swap(at_, other.at_);
        std::swap(bytes_, other.bytes_);
        return *this;
    }
    ~Memory() {
        if (at_) munmap(at_, bytes_);
    }

    operator T*() const { return at_; }

  private:
    T* at_ = nullptr;
    size_t bytes_ = 0;
};
