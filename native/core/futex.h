// Waiting in two steps: a few hundred pauses, then sleep in the kernel. Never by yielding: who spins while another
// worker has no core burns the very time slice that the other needs (docs/benchmarks/cpu-notes.md).
#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <climits>
#include <cstdint>
#include <ctime>

namespace td {

constexpr int kPausesBeforeSleep = 400;

inline void pauseCpu() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb" ::: "memory");
#endif
}

// Sleeps while *word == expected (spurious wake-ups happen), at most so long.
inline void futexWaitFor(const std::atomic<uint32_t>& word, uint32_t expected, long nanos) {
  const timespec limit{0, nanos};
  syscall(SYS_futex, reinterpret_cast<const uint32_t*>(&word), FUTEX_WAIT_PRIVATE, expected, &limit, nullptr, 0);
}

// Sleeps while *word == expected (spurious wake-ups happen).
inline void futexWait(const std::atomic<uint32_t>& word, uint32_t expected) {
  syscall(SYS_futex, reinterpret_cast<const uint32_t*>(&word), FUTEX_WAIT_PRIVATE, expected, nullptr, nullptr, 0);
}

inline void futexWake(const std::atomic<uint32_t>& word, int sleepers = INT_MAX) {
  syscall(SYS_futex, reinterpret_cast<const uint32_t*>(&word), FUTEX_WAKE_PRIVATE, sleepers, nullptr, nullptr, 0);
}

}  // namespace td
