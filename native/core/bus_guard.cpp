#include "core/bus_guard.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <mutex>

namespace td {
namespace {

// Nodes are reused but never freed, because the handler may walk the list at any moment. A node is live while `hit` is
// set.
struct Range {
  std::atomic<uintptr_t> start{0}, end{0};
  std::atomic<std::atomic<bool>*> hit{nullptr};
  Range* next = nullptr;
};

std::atomic<Range*> ranges{nullptr};
std::mutex rangesMutex;
struct sigaction previous{};
uintptr_t pageSize = 4096;

bool fillHole(uintptr_t address) {
  for (Range* range = ranges.load(std::memory_order_acquire); range != nullptr; range = range->next) {
    std::atomic<bool>* hit = range->hit.load(std::memory_order_acquire);
    const uintptr_t end = range->end.load(std::memory_order_relaxed);
    if (hit == nullptr || address < range->start.load(std::memory_order_relaxed) || address >= end) continue;
    // All the rest at once: it is behind the file's end too, and a hole filled page by page could take more mappings
    // than a process may have.
    const uintptr_t page = address & ~(pageSize - 1);
    // The system's call itself: several threads may meet the hole and fill it at the same time, with the same zeros,
    // which the thread sanitizer would take for a race with whoever reads there.
    if (syscall(SYS_mmap, page, end - page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) < 0)
      return false;
    hit->store(true, std::memory_order_relaxed);
    return true;
  }
  return false;
}

void onBusError(int signal, siginfo_t* info, void* context) {
  const bool sent = info->si_code <= 0;  // by kill() and the like: there is no address
  if (!sent && fillHole(reinterpret_cast<uintptr_t>(info->si_addr))) return;
  if ((previous.sa_flags & SA_SIGINFO) != 0) {
    previous.sa_sigaction(signal, info, context);
  } else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
    previous.sa_handler(signal);
  } else if (!sent || previous.sa_handler == SIG_DFL) {
    // As it would have been without us: the faulting instruction runs again, or the signal comes again, and ends the
    // process.
    ::signal(signal, SIG_DFL);
    if (sent) raise(signal);
  }
}

}  // namespace

void BusGuard::add(const void* start, size_t bytes, std::atomic<bool>* hit) {
  static std::once_flag installed;
  std::call_once(installed, [] {
    pageSize = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
    struct sigaction action{};
    action.sa_sigaction = onBusError;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, &previous);
  });
  const std::lock_guard lock(rangesMutex);
  Range* range = ranges.load();
  while (range != nullptr && range->hit.load() != nullptr) range = range->next;
  const bool fresh = range == nullptr;
  if (fresh) range = new Range;
  range->start.store(reinterpret_cast<uintptr_t>(start), std::memory_order_relaxed);
  range->end.store(reinterpret_cast<uintptr_t>(start) + bytes, std::memory_order_relaxed);
  range->hit.store(hit, std::memory_order_release);
  if (fresh) {
    range->next = ranges.load();
    ranges.store(range, std::memory_order_release);
  }
}

void BusGuard::remove(const void* start) {
  const std::lock_guard lock(rangesMutex);
  for (Range* range = ranges.load(); range != nullptr; range = range->next) {
    if (range->hit.load() != nullptr && range->start.load() == reinterpret_cast<uintptr_t>(start)) {
      range->hit.store(nullptr, std::memory_order_release);
      return;
    }
  }
}

}  // namespace td
