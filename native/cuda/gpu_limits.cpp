#include "cuda/gpu_limits.h"

#include <algorithm>
#include <chrono>

#include "core/status.h"
#include "cuda/gpu_device.h"

namespace td {
namespace {

using Clock = std::chrono::steady_clock;

// Beyond all caches within the device; across the link, long beside what a copy costs to begin.
constexpr int64_t kMostWithin = int64_t{256} << 20;
constexpr int64_t kMostAcross = int64_t{64} << 20;
constexpr int64_t kLeast = 64 << 10;

// Times copies of a growing number of bytes, so that a slow link takes no longer than was asked for, and then of as
// many as there is time for. The best one counts: what else goes on makes copies slower, and nothing faster.
class CopyTimer {
 public:
  CopyTimer(const std::shared_ptr<Gpu>& gpu, uint64_t to, uint64_t from, td_gpu_direction direction)
      : gpu_(gpu), stream_(gpu), before_(gpu), after_(gpu), to_(to), from_(from), direction_(direction) {}
  ~CopyTimer() { stream_.settle(); }

  double bytesPerSecond(int64_t most, std::chrono::milliseconds time) {
    const auto end = Clock::now() + time;
    const double enough = std::chrono::duration<double>(time).count() / 16;
    int64_t bytes = std::min(most, kLeast);
    double best = 0;
    do {
      const double seconds = copy(bytes);
      const double speed = static_cast<double>(bytes) / std::max(seconds, 1e-9);
      const bool isLargest = bytes == most || seconds >= enough;
      // The first ones are mostly latency, unless there is time for no other.
      best = isLargest ? std::max(best, speed) : speed;
      if (!isLargest) bytes = std::min(most, 2 * bytes);
    } while (Clock::now() < end);
    return best;
  }

 private:
  double copy(int64_t bytes) {
    stream_.record(before_);
    stream_.copy(to_, from_, bytes, direction_);
    stream_.record(after_);
    stream_.synchronize();
    double seconds = 0;
    gpu_->check(gpu_->table().elapsed(before_.handle(), after_.handle(), &seconds));
    return seconds;
  }

  std::shared_ptr<Gpu> gpu_;
  GpuStream stream_;
  GpuEvent before_, after_;
  uint64_t to_, from_;
  td_gpu_direction direction_;
};

// So many bytes as are left, or `most`.
int64_t within(const GpuDevice& device, int64_t most) {
  const int64_t left = device.property(TD_PROPERTY_MEMORY_LIMIT) - device.property(TD_PROPERTY_MEMORY_USED);
  const int64_t bytes = std::min(most, left / 256 * 256);
  if (bytes < kLeast) {
    fail(TD_OUT_OF_MEMORY, "%s: too little of its memory is left to measure with: %s", device.name().c_str(),
         bytesText(left).c_str());
  }
  return bytes;
}

uint64_t addressOf(const Buffer& buffer) {
  return reinterpret_cast<uint64_t>(buffer.data());
}

double across(GpuDevice& device, td_gpu_direction direction, std::chrono::milliseconds time) {
  const int64_t bytes = within(device, kMostAcross);
  const auto there = device.allocate(bytes), here = device.allocateShared(bytes);
  const bool isToDevice = direction == TD_GPU_TO_DEVICE;
  CopyTimer timer(device.gpu(), addressOf(isToDevice ? *there : *here), addressOf(isToDevice ? *here : *there),
                  direction);
  return timer.bytesPerSecond(bytes, time);
}

double inside(GpuDevice& device, std::chrono::milliseconds time) {
  const int64_t bytes = within(device, 2 * kMostWithin) / 512 * 256;
  const auto memory = device.allocate(2 * bytes);
  const uint64_t address = addressOf(*memory);
  CopyTimer timer(device.gpu(), address + static_cast<uint64_t>(bytes), address, TD_GPU_WITHIN);
  return 2 * timer.bytesPerSecond(bytes, time);  // each byte is read and written
}

}  // namespace

double measureGpu(GpuDevice& device, int32_t kind, int32_t milliseconds) {
  const std::chrono::milliseconds time(milliseconds);
  switch (kind) {
    case TD_LIMIT_TO_DEVICE:
      return across(device, TD_GPU_TO_DEVICE, time);
    case TD_LIMIT_TO_HOST:
      return across(device, TD_GPU_TO_HOST, time);
    case TD_LIMIT_COPY:
      return inside(device, time);
    case TD_LIMIT_READ:
      // The kernels of an emulated device read as the CPU does, from its caches too.
      if (device.gpu()->table().host_view == nullptr) return inside(device, time);
      break;
    default:
      break;
  }
  fail(TD_UNSUPPORTED, "%s: limit %d of a GPU is not measured: its copies are", device.name().c_str(), kind);
}

}  // namespace td
