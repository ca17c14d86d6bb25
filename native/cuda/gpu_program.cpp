#include "cuda/gpu_program.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <thread>

#include "core/program.h"
#include "core/status.h"

namespace td {
namespace {

constexpr int64_t kWorkAlignment = 256;  // as the memory of a device has it

}  // namespace

class GpuProgram::Signal final : public GpuStep {
 public:
  Signal(GpuStream& stream, const GpuEvent& event) : stream_(stream), event_(event) {}
  void enqueue() override { stream_.record(event_); }

 private:
  GpuStream& stream_;
  const GpuEvent& event_;
};

class GpuProgram::Wait final : public GpuStep {
 public:
  Wait(GpuStream& stream, const GpuEvent& event) : stream_(stream), event_(event) {}
  void enqueue() override { stream_.wait(event_); }

 private:
  GpuStream& stream_;
  const GpuEvent& event_;
};

// The host waits for its own word before it puts anything more into the streams: it is what loads weights, so the
// device has nothing to do without it. A device that waited could not be aborted.
class GpuProgram::Await final : public GpuStep {
 public:
  Await(RunState& state, const op::Await& operation, const ProgramEntry& entry)
      : state_(state), word_(*operation.word.as<int32_t>()), value_(operation.value), extent_(entry.extent) {}

  void enqueue() override {
    if (*extent_ == 0) return;
    for (int32_t now = word_.load(std::memory_order_acquire); now < value_ && state_.goesOn();
         now = word_.load(std::memory_order_acquire)) {
      if (now < 0) fail(TD_INTERRUPTED, "what the run needs will not come (await: word is %d)", now);
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
  }

 private:
  RunState& state_;
  const std::atomic_ref<int32_t> word_;
  const int32_t value_;
  const int32_t* extent_;
};

// By the device. The number of rows is read when the copy is put into the stream: the host must know it by then.
class GpuProgram::Copy final : public GpuStep {
 public:
  Copy(GpuStream& stream, const op::Copy& operation, const ProgramEntry& entry)
      : stream_(stream), operation_(operation), extent_(entry.extent), mostRows_(entry.mostRows) {}

  static bool isFor(const op::Copy& operation) { return !operation.x.host || !operation.out.host; }

  void enqueue() override {
    const int64_t rows = rowsOf(extent_, mostRows_);
    if (rows == 0 || operation_.x.rowBytes == 0) return;
    const td_gpu_direction direction = operation_.x.host     ? TD_GPU_TO_DEVICE
                                       : operation_.out.host ? TD_GPU_TO_HOST
                                                             : TD_GPU_WITHIN;
    stream_.copy(gpuAddress(operation_.out.data), gpuAddress(operation_.x.data), rows * operation_.x.rowBytes,
                 direction);
  }

 private:
  GpuStream& stream_;
  const op::Copy operation_;
  const int32_t* extent_;
  int64_t mostRows_;
};

// How far the host is ahead of the compute stream: two groups of steps at most.
class GpuProgram::Lead {
 public:
  explicit Lead(const std::shared_ptr<Gpu>& gpu) : ends_{GpuEvent(gpu), GpuEvent(gpu)} {}

  // rows: of the run.
  void start(int64_t rows) {
    steps_ = 0;
    groupSteps_ = rows > kFewRows ? kStepsOfMany : kStepsOfFew;
  }
  // Called before each step.
  void step(GpuStream& compute) {
    const size_t group = steps_ / groupSteps_;
    if (steps_++ % groupSteps_ != 0 || group == 0) return;
    if (group > 1) ends_[(group - 1) % 2].await();
    compute.record(ends_[group % 2]);
  }

 private:
  // Steps of many rows take milliseconds each on large models, so that few of them keep the device busy; more would be
  // waited for when somebody aborts.
  static constexpr int64_t kFewRows = 32;
  static constexpr size_t kStepsOfFew = 32, kStepsOfMany = 4;

  std::array<GpuEvent, 2> ends_;
  size_t steps_ = 0, groupSteps_ = kStepsOfFew;
};

GpuProgram::GpuProgram(std::shared_ptr<GpuDevice> device, const Program& program)
    : device_(std::move(device)), buffers_(program.buffers()), lead_(std::make_unique<Lead>(device_->gpu())) {
  for (int i = 0; i < program.events(); ++i) events_.push_back(std::make_unique<GpuEvent>(device_->gpu()));
  for (size_t i = 0; i < program.streams().size(); ++i) streams_.push_back(std::make_unique<GpuStream>(device_->gpu()));
  const std::span<const ProgramEntry> entries = program.entries();
  for (const ProgramEntry& entry : entries) {
    if (entry.extent != nullptr && std::ranges::find(extents_, entry.extent) == extents_.end())
      extents_.push_back(entry.extent);
  }
  std::vector<size_t> streamOf;  // of each step
  for (size_t i = 0; i < entries.size();) {
    streamOf.push_back(static_cast<size_t>(entries[i].stream));
    i += static_cast<size_t>(add(entries.subspan(i)));
  }
  giveWork(streamOf);
}

void GpuProgram::giveWork(std::span<const size_t> streamOf) {
  std::vector<int64_t> bytes(streams_.size()), offsets(streams_.size());
  for (size_t i = 0; i < steps_.size(); ++i) {
    bytes[streamOf[i]] = std::max(bytes[streamOf[i]], steps_[i]->workBytes());
  }
  int64_t end = 0;
  for (size_t stream = 0; stream < streams_.size(); ++stream) {
    if (bytes[stream] == 0) continue;
    offsets[stream] = (end + kWorkAlignment - 1) / kWorkAlignment * kWorkAlignment;
    end = offsets[stream] + bytes[stream];
  }
  if (end == 0) return;
  work_ = device_->allocate(end);
  for (size_t i = 0; i < steps_.size(); ++i) {
    if (steps_[i]->workBytes() > 0) steps_[i]->useWork(gpuAddress(work_->data() + offsets[streamOf[i]]));
  }
}

GpuProgram::~GpuProgram() = default;

int GpuProgram::add(std::span<const ProgramEntry> entries) {
  const ProgramEntry& entry = entries[0];
  GpuStream& stream = *streams_[static_cast<size_t>(entry.stream)];
  const GpuStepPlace place{*device_, stream, state_};
  if (const auto* signal = std::get_if<op::Signal>(&entry.operation)) {
    steps_.push_back(std::make_unique<Signal>(stream, *events_[static_cast<size_t>(signal->event)]));
  } else if (const auto* wait = std::get_if<op::Wait>(&entry.operation)) {
    steps_.push_back(std::make_unique<Wait>(stream, *events_[static_cast<size_t>(wait->event)]));
  } else if (const auto* await = std::get_if<op::Await>(&entry.operation)) {
    steps_.push_back(std::make_unique<Await>(state_, *await, entry));
  } else if (const auto* copy = std::get_if<op::Copy>(&entry.operation); copy != nullptr && Copy::isFor(*copy)) {
    steps_.push_back(std::make_unique<Copy>(stream, *copy, entry));
  } else if (device_->runsOnHost()) {
    steps_.push_back(makeHostStep(place, entry));
  } else if (const auto* pick = std::get_if<op::Pick>(&entry.operation)) {
    steps_.push_back(makePickStep(place, *pick, entry));
  } else {
    return addKernelStep(place, entries, steps_);
  }
  return 1;
}

int64_t GpuProgram::mostRows() const {
  int64_t most = 0;
  for (const int32_t* extent : extents_) most = std::max<int64_t>(most, *extent);
  return most;
}

void GpuProgram::run(const std::atomic<bool>* abort) {
  const std::lock_guard lock(device_->turn());
  state_.start(abort);
  lead_->start(mostRows());
  try {
    for (const auto& step : steps_) {
      if (!state_.goesOn()) break;
      lead_->step(*streams_.front());
      step->enqueue();
    }
  } catch (...) {
    state_.fail(std::current_exception());
  }
  for (const auto& stream : streams_) {
    try {
      stream->synchronize();
    } catch (const Failure& failure) {
      // What was put into a stream may fail in its own words before anybody hears that the device is lost.
      state_.fail(std::current_exception(), failure.status() == TD_DEVICE_LOST);
    } catch (...) {  // the other streams are to be waited for, whatever this is
      state_.fail(std::current_exception());
    }
  }
  if (state_.goesOn()) {
    try {
      for (const auto& step : steps_) step->check();
    } catch (...) {
      state_.fail(std::current_exception());
    }
  }
  state_.finish();
}

}  // namespace td
