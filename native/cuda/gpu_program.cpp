#include "cuda/gpu_program.h"

#include <algorithm>
#include <thread>

#include "core/program.h"

namespace td {
namespace {

using Clock = std::chrono::steady_clock;

uint64_t addressOf(const void* memory) {
  return reinterpret_cast<uint64_t>(memory);
}

}  // namespace

// Something that a run puts into a stream.
class GpuProgram::Step {
 public:
  explicit Step(GpuStream& stream) : stream_(stream) {}
  virtual ~Step() = default;
  virtual void enqueue() = 0;

 protected:
  GpuStream& stream_;
};

class GpuProgram::Signal final : public Step {
 public:
  Signal(GpuStream& stream, const GpuEvent& event) : Step(stream), event_(event) {}
  void enqueue() override { stream_.record(event_); }

 private:
  const GpuEvent& event_;
};

class GpuProgram::Wait final : public Step {
 public:
  Wait(GpuStream& stream, const GpuEvent& event) : Step(stream), event_(event) {}
  void enqueue() override { stream_.wait(event_); }

 private:
  const GpuEvent& event_;
};

// By the device. The number of rows is read when the copy is put into the stream: the host must know it by then.
class GpuProgram::Copy final : public Step {
 public:
  Copy(GpuStream& stream, const op::Copy& operation, const ProgramEntry& entry)
      : Step(stream), operation_(operation), extent_(entry.extent), mostRows_(entry.mostRows) {}

  static bool isFor(const op::Copy& operation) { return !operation.x.host || !operation.out.host; }

  void enqueue() override {
    const int64_t rows = rowsOf(extent_, mostRows_);
    if (rows == 0 || operation_.x.rowBytes == 0) return;
    const td_gpu_direction direction = operation_.x.host     ? TD_GPU_TO_DEVICE
                                       : operation_.out.host ? TD_GPU_TO_HOST
                                                             : TD_GPU_WITHIN;
    stream_.copy(addressOf(operation_.out.data), addressOf(operation_.x.data), rows * operation_.x.rowBytes, direction);
  }

 private:
  const op::Copy operation_;
  const int32_t* extent_;
  int64_t mostRows_;
};

// An operation of the CPU, which the stream calls.
class GpuProgram::Compute final : public Step, private Job {
 public:
  Compute(GpuStream& stream, GpuProgram& program, std::unique_ptr<CpuOperation> operation, const ProgramEntry& entry)
      : Step(stream),
        program_(program),
        operation_(std::move(operation)),
        work_(operation_->work()),
        extent_(entry.extent),
        mostRows_(entry.mostRows),
        minimum_(entry.minimumNanos) {}

  WorkNeed work() const { return work_; }
  void useWork(uint8_t* memory) {
    memory_ = memory;
    operation_->useShared(memory);
  }

  void enqueue() override {
    stream_.call([](void* self) { static_cast<Compute*>(self)->start(); }, this);
  }

 private:
  // On the stream's thread.
  void start() {
    if (!program_.state_.goesOn()) return;
    const auto started = Clock::now();
    pass_ = 0;
    program_.device_->pool().execute(*this);
    for (auto left = started + minimum_ - Clock::now(); left > left.zero() && program_.state_.goesOn();
         left = started + minimum_ - Clock::now()) {
      std::this_thread::sleep_for(std::min<Clock::duration>(left, std::chrono::milliseconds(2)));
    }
  }

  int64_t open() override {
    try {
      if (pass_ == 0) rows_ = rowsOf(extent_, mostRows_);
      while (rows_ > 0 && program_.state_.goesOn() && pass_ != operation_->passes()) {
        if (const int64_t chunks = operation_->open(pass_++, rows_); chunks > 0) return chunks;
      }
    } catch (...) {
      program_.state_.fail(std::current_exception());
    }
    return kFinished;
  }

  void run(int64_t chunk, int worker) override {
    if (!program_.state_.goesOn()) return;
    try {
      operation_->run(pass_ - 1, chunk, memory_ != nullptr ? memory_ + work_.workerOffset(worker) : nullptr);
    } catch (...) {
      program_.state_.fail(std::current_exception());
    }
  }

  GpuProgram& program_;
  std::unique_ptr<CpuOperation> operation_;
  const WorkNeed work_;
  const int32_t* extent_;
  int64_t mostRows_;
  const std::chrono::nanoseconds minimum_;
  uint8_t* memory_ = nullptr;
  int pass_ = 0;
  int64_t rows_ = 0;
};

GpuProgram::GpuProgram(std::shared_ptr<GpuDevice> device, const Program& program)
    : device_(std::move(device)), buffers_(program.buffers()) {
  for (int i = 0; i < program.events(); ++i) events_.push_back(std::make_unique<GpuEvent>(device_->gpu()));
  for (size_t i = 0; i < program.streams().size(); ++i) streams_.push_back(std::make_unique<GpuStream>(device_->gpu()));
  for (const ProgramEntry& entry : program.entries()) add(entry);
  int64_t workBytes = 0;
  for (const auto& step : steps_) {
    if (const auto* compute = dynamic_cast<Compute*>(step.get())) {
      workBytes = std::max(workBytes, compute->work().bytes(device_->pool().threads()));
    }
  }
  if (workBytes == 0) return;
  work_ = device_->allocate(workBytes);
  for (const auto& step : steps_) {
    if (auto* compute = dynamic_cast<Compute*>(step.get())) compute->useWork(device_->hostView(work_->data()));
  }
}

GpuProgram::~GpuProgram() = default;

void GpuProgram::add(const ProgramEntry& entry) {
  GpuStream& stream = *streams_[static_cast<size_t>(entry.stream)];
  if (const auto* signal = std::get_if<op::Signal>(&entry.operation)) {
    steps_.push_back(std::make_unique<Signal>(stream, *events_[static_cast<size_t>(signal->event)]));
  } else if (const auto* wait = std::get_if<op::Wait>(&entry.operation)) {
    steps_.push_back(std::make_unique<Wait>(stream, *events_[static_cast<size_t>(wait->event)]));
  } else if (const auto* copy = std::get_if<op::Copy>(&entry.operation); copy != nullptr && Copy::isFor(*copy)) {
    steps_.push_back(std::make_unique<Copy>(stream, *copy, entry));
  } else {
    Operation operation = entry.operation;
    forEachTensor(operation, [this](Tensor& tensor) {
      if (!tensor.host) tensor.data = device_->hostView(tensor.data);
    });
    const CpuTarget target{device_->kernels(), device_->pool().threads()};
    steps_.push_back(std::make_unique<Compute>(stream, *this, compileOperation(operation, target), entry));
  }
}

void GpuProgram::run(const std::atomic<bool>* abort) {
  const std::lock_guard lock(device_->turn());
  state_.start(abort);
  try {
    for (const auto& step : steps_) {
      if (!state_.goesOn()) break;
      step->enqueue();
    }
  } catch (...) {
    state_.fail(std::current_exception());
  }
  for (const auto& stream : streams_) {
    try {
      stream->synchronize();
    } catch (...) {
      state_.fail(std::current_exception());
    }
  }
  state_.finish();
}

}  // namespace td
