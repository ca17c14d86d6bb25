// To the thread sanitizer, a stream: things that happen one after another, whatever the host threads that work for it
// lock and unlock meanwhile, since that orders nothing on a GPU. So they happen on a fiber of their own, with a stack
// of its own.
#pragma once

#include "cuda/emulated/fiber.h"

namespace td::emulated {

class LineOfEvents {
 public:
  // Runs a step of it, now. It is the emulator's own, so it is unseen; what the stream does to memory, it does within a
  // Seen.
  template <class Step>
  void happens(Step step) {
#if defined(TD_TSAN)
    const Unseen unseen;
    call_ = [](void* what) { (*static_cast<Step*>(what))(); };
    step_ = &step;
    entered = this;
    enterFromHost(host_);
    switchContext(host_, fiber_);
#else
    step();
#endif
  }

 private:
#if defined(TD_TSAN)
  static inline thread_local LineOfEvents* entered = nullptr;

  static void main(boost::context::detail::transfer_t from) {
    const Unseen unseen;
    LineOfEvents& me = *entered;
    arrive(me.fiber_, from);
    while (true) {
      me.call_(me.step_);
      switchContext(me.fiber_, me.host_);
    }
  }

  void (*call_)(void*) = nullptr;
  void* step_ = nullptr;
  Context host_;
  Fiber fiber_{&main, 0};
#endif
};

}  // namespace td::emulated
