// Operations of the CPU on an emulated device.
#include <algorithm>
#include <chrono>
#include <thread>

#include "cpu/cpu_operation.h"
#include "cuda/gpu_device.h"
#include "cuda/gpu_step.h"

namespace td {
namespace {

using Clock = std::chrono::steady_clock;

class HostStep final : public GpuStep, private Job {
 public:
  HostStep(const GpuStepPlace& place, std::unique_ptr<CpuOperation> operation, const ProgramEntry& entry)
      : place_(place),
        operation_(std::move(operation)),
        work_(operation_->work()),
        extent_(entry.extent),
        mostRows_(entry.mostRows),
        minimum_(entry.minimumNanos) {}

  void enqueue() override {
    place_.stream.call([](void* self) { static_cast<HostStep*>(self)->start(); }, this);
  }

  int64_t workBytes() const override { return work_.bytes(place_.device.pool().threads()); }
  void useWork(uint64_t address) override {
    memory_ = place_.device.hostView(reinterpret_cast<const uint8_t*>(address));
    operation_->useShared(memory_);
  }

 private:
  // On the stream's thread.
  void start() {
    if (!place_.state.goesOn()) return;
    const auto started = Clock::now();
    pass_ = 0;
    place_.device.pool().execute(*this);
    for (auto left = started + minimum_ - Clock::now(); left > left.zero() && place_.state.goesOn();
         left = started + minimum_ - Clock::now()) {
      std::this_thread::sleep_for(std::min<Clock::duration>(left, std::chrono::milliseconds(2)));
    }
  }

  int64_t open() override {
    try {
      if (pass_ == 0) rows_ = rowsOf(extent_, mostRows_);
      while (rows_ > 0 && place_.state.goesOn() && pass_ != operation_->passes()) {
        if (const int64_t chunks = operation_->open(pass_++, rows_); chunks > 0) return chunks;
      }
    } catch (...) {
      place_.state.fail(std::current_exception());
    }
    return kFinished;
  }

  void run(int64_t chunk, int worker) override {
    if (!place_.state.goesOn()) return;
    try {
      operation_->run(pass_ - 1, chunk, memory_ != nullptr ? memory_ + work_.workerOffset(worker) : nullptr);
    } catch (...) {
      place_.state.fail(std::current_exception());
    }
  }

  const GpuStepPlace place_;
  std::unique_ptr<CpuOperation> operation_;
  const WorkNeed work_;
  const int32_t* extent_;
  int64_t mostRows_;
  const std::chrono::nanoseconds minimum_;
  uint8_t* memory_ = nullptr;
  int pass_ = 0;
  int64_t rows_ = 0;
};

}  // namespace

std::unique_ptr<GpuStep> makeHostStep(const GpuStepPlace& place, const ProgramEntry& entry) {
  Operation operation = entry.operation;
  forEachTensor(operation, [&](Tensor& tensor) {
    if (!tensor.host) tensor.data = place.device.hostView(tensor.data);
  });
  const CpuTarget target{place.device.kernels(), place.device.pool().threads()};
  return std::make_unique<HostStep>(place, compileOperation(operation, target), entry);
}

}  // namespace td
