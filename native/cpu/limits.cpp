#include "cpu/limits.h"

#include <sys/mman.h>

#include <chrono>
#include <cstring>
#include <mutex>

#include "core/memory.h"
#include "core/status.h"
#include "core/thread_pool.h"
#include "cpu/cpu_device.h"

namespace td {

namespace scalar {
extern const LimitLoops limitLoops;
}
#if defined(__x86_64__)
namespace avx2 {
extern const LimitLoops limitLoops;
}
namespace avx512 {
extern const LimitLoops limitLoops;
}
namespace amx {
extern const LimitLoop int8Limit;
}
#endif

namespace {

using Clock = std::chrono::steady_clock;

constexpr int64_t kBeyondCaches = int64_t{512} << 20;  // larger than any cache of one socket that we know
constexpr int64_t kPiece = int64_t{1} << 20;
constexpr int64_t kChunksPerThread = 32;  // about a millisecond, so that meeting at the end costs little

LimitLoops loopsFor(td_isa isa) {
#if defined(__x86_64__)
  if (isa == TD_ISA_AMX) {
    LimitLoops loops = avx512::limitLoops;
    loops.int8 = amx::int8Limit;
    return loops;
  }
  if (isa == TD_ISA_AVX512) return avx512::limitLoops;
  if (isa == TD_ISA_AVX2) return avx2::limitLoops;
#endif
  (void)isa;
  return scalar::limitLoops;
}

// Repeats a pass until the time is over, at least once; units of all passes per second.
template <class Pass>
double perSecond(int32_t milliseconds, double unitsOfPass, Pass pass) {
  const Clock::time_point start = Clock::now(), end = start + std::chrono::milliseconds(milliseconds);
  Clock::time_point now;
  double units = 0;
  do {
    pass();
    units += unitsOfPass;
    now = Clock::now();
  } while (now < end);
  return units / std::chrono::duration<double>(now - start).count();
}

double compute(CpuDevice& device, const LimitLoop& loop, const char* what, int32_t milliseconds) {
  if (loop.run == nullptr) {
    fail(TD_UNSUPPORTED, "limit: instruction set %s has no %s instruction", isaName(device.kernels().isa), what);
  }
  const int64_t chunks = kChunksPerThread * device.pool().threads();
  return perSecond(milliseconds, loop.operations * static_cast<double>(chunks),
                   [&] { parallelFor(device.pool(), chunks, [&](int64_t, int) { loop.run(); }); });
}

double read(CpuDevice& device, bool smallPages, int32_t milliseconds) {
  class Taken {  // counts against the device's limit, as a buffer does
   public:
    explicit Taken(MemoryAccount& account) : account_(account) { account_.take(kBeyondCaches); }
    ~Taken() { account_.give(kBeyondCaches); }
    Taken(const Taken&) = delete;
    Taken& operator=(const Taken&) = delete;

   private:
    MemoryAccount& account_;
  };
  const Taken taken(device.account());
  const Memory memory(static_cast<size_t>(kBeyondCaches));
  if (smallPages) madvise(memory.data(), memory.size(), MADV_NOHUGEPAGE);  // refused where there are no huge pages
  const auto eachPiece = [&](auto work) {
    parallelFor(device.pool(), kBeyondCaches / kPiece,
                [&](int64_t piece, int) { work(memory.data() + piece * kPiece); });
  };
  // Memory that nobody wrote to would be one page of zeros.
  eachPiece([](uint8_t* piece) { memset(piece, 1, kPiece); });
  const LimitLoops loops = loopsFor(device.kernels().isa);
  return perSecond(milliseconds, static_cast<double>(kBeyondCaches),
                   [&] { eachPiece([&](const uint8_t* piece) { loops.read(piece, kPiece); }); });
}

}  // namespace

double measureLimit(CpuDevice& device, td_limit kind, int32_t milliseconds) {
  const std::lock_guard turn(device.turn());
  const LimitLoops loops = loopsFor(device.kernels().isa);
  switch (kind) {
    case TD_LIMIT_READ:
      return read(device, false, milliseconds);
    case TD_LIMIT_READ_SMALL_PAGES:
      return read(device, true, milliseconds);
    case TD_LIMIT_F32:
      return compute(device, loops.f32, "fp32", milliseconds);
    case TD_LIMIT_INT8:
      return compute(device, loops.int8, "int8 dot product", milliseconds);
    case TD_LIMIT_BF16:
      return compute(device, loops.bf16, "bf16 dot product", milliseconds);
    case TD_LIMIT_COPY:
    case TD_LIMIT_TO_DEVICE:
    case TD_LIMIT_TO_HOST:
      fail(TD_UNSUPPORTED, "limit %d is one of GPUs, and not of the CPU", static_cast<int>(kind));
  }
  fail(TD_INVALID_ARGUMENT, "limit %d does not exist", static_cast<int>(kind));
}

}  // namespace td
