#include "cuda/emulated/fiber.h"

#include <sys/mman.h>

#include <atomic>
#include <new>

namespace td::emulated {
namespace {

constexpr size_t kGuard = 4096;
// Room for a kernel's local arrays; under the address sanitizer each has redzones.
constexpr size_t kStack = kAddressSanitized ? 256 << 10 : 64 << 10;
constexpr size_t kColours = 64, kColour = 192;  // bytes: three lines of a cache

}  // namespace

Fiber::Fiber(void (*main)(boost::context::detail::transfer_t), unsigned number)
    : mapping_(
          mmap(nullptr, kGuard + kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)) {
  if (mapping_ == MAP_FAILED) throw std::bad_alloc();
  mprotect(mapping_, kGuard, PROT_NONE);
  stack = static_cast<char*>(mapping_) + kGuard;
  stackBytes = kStack - number % kColours * kColour;
  saved = boost::context::detail::make_fcontext(static_cast<char*>(mapping_) + kGuard + stackBytes, stackBytes, main);
  beginning_ = saved;
#if defined(TD_TSAN)
  tsanFiber = __tsan_create_fiber(0);
#endif
}

#if defined(TD_TSAN)
namespace {

// The sanitizer reports a thread that ends while it is unseen, so what ran is seen again before it goes.
void destroyFiber(void* fiber, bool ran) {
  if (ran) {
    void* const here = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(fiber, __tsan_switch_to_fiber_no_sync);
    setSeen(true);
    __tsan_switch_to_fiber(here, __tsan_switch_to_fiber_no_sync);
  }
  __tsan_destroy_fiber(fiber);
}

}  // namespace
#endif

Fiber::~Fiber() {
#if defined(TD_TSAN)
  // With a fiber of its own the sanitizer throws away what it knows of it, and every race against that. So they are
  // kept, as far as its limit of about 8,000 threads allows.
  static std::atomic<int> kept{0};
  if (kept.fetch_add(1, std::memory_order_relaxed) >= 4096) destroyFiber(tsanFiber, saved != beginning_);
#endif
#if defined(TD_ASAN)
  __asan_unpoison_memory_region(stack, kStack);  // or the next mapping here has our redzones
#endif
  munmap(mapping_, kGuard + kStack);
}

}  // namespace td::emulated
