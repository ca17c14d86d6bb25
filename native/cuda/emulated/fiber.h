// Fibers: stacks among which a host thread switches without the operating system, a few nanoseconds each time. Below
// Boost's public interface, because that tells the sanitizers nothing in the builds that distributions have.
#pragma once

#include <boost/context/detail/fcontext.hpp>
#include <cstddef>

#include "cuda/emulated/sanitizers.h"

namespace td::emulated {

// Where something can be continued: a fiber, or the host thread's own stack while a fiber runs.
struct Context {
  boost::context::detail::fcontext_t saved = nullptr;
  // For the sanitizers.
  const void* stack = nullptr;
  size_t stackBytes = 0;
  void* fakeStack = nullptr;
  void* tsanFiber = nullptr;
};

// The first thing that happens on a stack to which another has switched.
inline void arrive([[maybe_unused]] Context& self, boost::context::detail::transfer_t from) {
  auto& origin = *static_cast<Context*>(from.data);
  origin.saved = from.fctx;
#if defined(TD_ASAN)
  __sanitizer_finish_switch_fiber(self.fakeStack, &origin.stack, &origin.stackBytes);
#endif
}

#if defined(__x86_64__) && !defined(TD_ASAN) && !defined(TD_TSAN)
// jump_fcontext(), but without a call. The other side continues by a jump, which leaves in place the return address
// that a call lets the processor expect, and then every return on the way back into the kernel is predicted wrongly.
inline boost::context::detail::transfer_t jumpTo(boost::context::detail::fcontext_t to, void* data) {
  boost::context::detail::transfer_t from;
  auto* jump = &boost::context::detail::jump_fcontext;
  asm volatile(
      "sub $128, %%rsp\n\t"  // what functions may use below their stack
      "lea 1f(%%rip), %%rax\n\t"
      "push %%rax\n\t"
      "jmp *%%rcx\n"
      "1:\n\t"
      "add $128, %%rsp"
      : "+D"(to), "+S"(data), "=a"(from.fctx), "=d"(from.data), "+c"(jump)
      :
      : "r8", "r9", "r10", "r11", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
        "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "cc", "memory");
  return from;
}
#else
inline boost::context::detail::transfer_t jumpTo(boost::context::detail::fcontext_t to, void* data) {
  return boost::context::detail::jump_fcontext(to, data);
}
#endif

// Returns when somebody switches back; with `forever` nobody does.
inline void switchContext(Context& from, Context& to, [[maybe_unused]] bool forever = false) {
#if defined(TD_ASAN)
  __sanitizer_start_switch_fiber(forever ? nullptr : &from.fakeStack, to.stack, to.stackBytes);
#endif
  const auto destination = to.saved;
#if defined(TD_TSAN)
  __tsan_switch_to_fiber(to.tsanFiber, __tsan_switch_to_fiber_no_sync);
#endif
  arrive(from, jumpTo(destination, &from));
}

// The host thread's own stack, before it switches to a fiber.
inline void enterFromHost([[maybe_unused]] Context& host) {
#if defined(TD_TSAN)
  host.tsanFiber = __tsan_get_current_fiber();
#endif
}

// A stack with an unreadable page below it, so that an overflow crashes where it happens.
class Fiber : public Context {
 public:
  // Runs `main` when first switched to; it must call arrive(), never return, and be Unseen whenever it switches away
  // (for the thread sanitizer). Stacks of different `number` lie
  // differently, so that they do not compete for the same places of a cache.
  Fiber(void (*main)(boost::context::detail::transfer_t), unsigned number);
  // The fiber must be switched away from forever, or never have been switched to.
  ~Fiber();
  Fiber(const Fiber&) = delete;

 private:
  void* mapping_;
  boost::context::detail::fcontext_t beginning_;
};

}  // namespace td::emulated
