// What the sanitizers must be told about fibers; nothing in other builds.
//
// AddressSanitizer must know which stack is in use, or a throw on a fiber makes it report errors that are none.
//
// ThreadSanitizer is told which CUDA threads there are and what orders them on a GPU: launches, barriers, events. To
// it a switch of fibers orders nothing, so it finds a missing barrier even between raw pointers, although the fibers of
// a block take turns on one host thread. The price: what the emulator itself does on fibers is hidden by Unseen.
#pragma once

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TD_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define TD_TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define TD_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__)
#define TD_TSAN 1
#endif

#if defined(TD_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(TD_TSAN)
#include <sanitizer/tsan_interface.h>
// In the run-time libraries of GCC and Clang, but in no header.
extern "C" {
void AnnotateIgnoreReadsBegin(const char* file, int line);
void AnnotateIgnoreReadsEnd(const char* file, int line);
void AnnotateIgnoreWritesBegin(const char* file, int line);
void AnnotateIgnoreWritesEnd(const char* file, int line);
}
#endif

namespace td::emulated {

#if defined(TD_ASAN)
constexpr bool kAddressSanitized = true;
#else
constexpr bool kAddressSanitized = false;
#endif
#if defined(TD_TSAN)
constexpr bool kThreadSanitized = true;
#else
constexpr bool kThreadSanitized = false;
#endif

// An address by which one side tells the thread sanitizer that the other comes later.
struct Sync {
#if defined(TD_TSAN)
  void release() { __tsan_release(this); }
  void acquire() { __tsan_acquire(this); }
#else
  void release() {}
  void acquire() {}
#endif
  char unused = 0;
};

inline void setSeen([[maybe_unused]] bool seen) {
#if defined(TD_TSAN)
  if (seen) {
    AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
    AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
  } else {
    AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
    AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
  }
#endif
}

// The emulator's own bookkeeping on a fiber ...
struct Unseen {
  Unseen() { setSeen(false); }
  ~Unseen() { setSeen(true); }
  Unseen(const Unseen&) = delete;
};
// ... and the kernel's code inside it.
struct Seen {
  Seen() { setSeen(true); }
  ~Seen() { setSeen(false); }
  Seen(const Seen&) = delete;
};

}  // namespace td::emulated
