#include "cpu/cpu_program.h"

#include <algorithm>
#include <chrono>
#include <span>

#include "core/file.h"
#include "core/futex.h"
#include "core/program.h"

namespace td {

using Clock = std::chrono::steady_clock;

// ---- Streams ------------------------------------------------------------------------------------

class CpuProgram::ComputeStream final : public Job {
 public:
  ComputeStream(CpuProgram& program) : program_(program) {}

  std::vector<Entry> entries;

  void restart() {
    next_ = 0;
    pass_ = 0;
    started_ = {};
  }

  // The next pass that has something to do. A run that stops opens nothing more.
  int64_t open() override {
    try {
      while (program_.state_.goesOn()) {
        if (next_ == entries.size()) return kFinished;
        Entry& entry = entries[next_];
        if (!entry.operation) {
          if (entry.signal >= 0) program_.state_.signal(entry.signal);
          if (entry.wait >= 0) program_.state_.wait(entry.wait);
          ++next_;
          continue;
        }
        if (pass_ == 0) {
          if (entry.minimum.count() > 0) started_ = Clock::now();
          rows_ = rowsOf(entry.extent, entry.mostRows);
        }
        if (rows_ == 0 || pass_ == entry.operation->passes()) {
          if (entry.minimum.count() > 0) pace(started_ + entry.minimum);
          ++next_;
          pass_ = 0;
          continue;
        }
        const int64_t chunks = entry.operation->open(pass_++, rows_);
        if (chunks > 0) return chunks;
      }
    } catch (...) {
      program_.state_.fail(std::current_exception());
    }
    return kFinished;
  }

  void run(int64_t chunk, int worker) override {
    if (!program_.state_.goesOn()) return;
    try {
      const Entry& entry = entries[next_];
      entry.operation->run(pass_ - 1, chunk, program_.workOf(entry, worker));
    } catch (...) {
      program_.state_.fail(std::current_exception());
    }
  }

 private:
  // Waits until a time, but not beyond an abort.
  void pace(Clock::time_point until) const {
    while (program_.state_.goesOn()) {
      const auto left = until - Clock::now();
      if (left <= left.zero()) return;
      std::this_thread::sleep_for(std::min<Clock::duration>(left, std::chrono::milliseconds(2)));
    }
  }

  CpuProgram& program_;
  size_t next_ = 0;
  int pass_ = 0;
  int64_t rows_ = 0;
  Clock::time_point started_;
};

// A thread that sleeps until a run starts, and runs its operations one after another.
class CpuProgram::CopyStream {
 public:
  explicit CopyStream(CpuProgram& program) : stream_(program), thread_([this] { work(); }) {}
  ~CopyStream() {
    order_.store(kQuit, std::memory_order_release);
    futexWake(order_);
    thread_.join();
  }

  std::vector<Entry>& entries() { return stream_.entries; }

  void start() {
    order_.store(kRun, std::memory_order_release);
    futexWake(order_);
  }

  void awaitEnd() {
    for (uint32_t order = order_.load(std::memory_order_acquire); order == kRun;
         order = order_.load(std::memory_order_acquire)) {
      futexWait(order_, order);
    }
  }

 private:
  static constexpr uint32_t kIdle = 0, kRun = 1, kQuit = 2;

  void work() {
    for (;;) {
      const uint32_t order = order_.load(std::memory_order_acquire);
      if (order == kQuit) return;
      if (order == kIdle) {
        futexWait(order_, kIdle);
        continue;
      }
      stream_.restart();
      for (int64_t chunks = stream_.open(); chunks != Job::kFinished; chunks = stream_.open()) {
        for (int64_t chunk = 0; chunk < chunks; ++chunk) stream_.run(chunk, 0);
      }
      order_.store(kIdle, std::memory_order_release);
      futexWake(order_);
    }
  }

  ComputeStream stream_;
  std::atomic<uint32_t> order_{kIdle};
  std::thread thread_;  // last: it reads the others
};

// ---- CpuProgram ---------------------------------------------------------------------------------

namespace {

// How many of the first entries run as one operation: matmuls that may join, one behind another, unpaced.
size_t joined(std::span<const ProgramEntry> entries) {
  const auto joins = [&](size_t i) {
    const auto* matmul = std::get_if<op::MatMul>(&entries[i].operation);
    if (matmul == nullptr || entries[i].minimumNanos != 0) return false;
    if (entries[i].stream != entries[0].stream || entries[i].extent != entries[0].extent) return false;
    for (size_t j = 0; j < i; ++j) {
      if (!mayJoin(std::get<op::MatMul>(entries[j].operation), *matmul)) return false;
    }
    return true;
  };
  size_t count = 0;
  while (count < entries.size() && joins(count)) ++count;
  return std::max<size_t>(count, 1);
}

std::unique_ptr<CpuOperation> compile(std::span<const ProgramEntry> entries, const CpuTarget& target) {
  if (entries.size() == 1) return compileOperation(entries[0].operation, target);
  if (target.nodes > 1) {  // one matrix behind another, all of the first would be the first node's
    std::vector<std::unique_ptr<CpuOperation>> each;
    for (const ProgramEntry& entry : entries) each.push_back(compileOperation(entry.operation, target));
    return makeInterleaved(std::move(each));
  }
  std::vector<op::MatMul> matmuls;
  for (const ProgramEntry& entry : entries) matmuls.push_back(std::get<op::MatMul>(entry.operation));
  return makeMatMuls(matmuls, target);
}

}  // namespace

CpuProgram::CpuProgram(std::shared_ptr<CpuDevice> device, const Program& program)
    : device_(std::move(device)),
      buffers_(program.buffers()),
      state_(program.events()),
      compute_(std::make_unique<ComputeStream>(*this)) {
  const CpuTarget target{device_->kernels(), device_->pool().threads(), device_->pool().shares().nodes()};
  std::vector<CopyStream*> copyOfStream;
  for (const td_stream_kind kind : program.streams()) {
    copyOfStream.push_back(nullptr);
    if (kind == TD_STREAM_COPY) copyOfStream.back() = copies_.emplace_back(std::make_unique<CopyStream>(*this)).get();
  }
  int64_t workBytes = 0;
  const std::span<const ProgramEntry> all = program.entries();
  for (size_t i = 0, next; i < all.size(); i = next) {
    const ProgramEntry& from = all[i];
    next = i + joined(all.subspan(i));
    Entry entry{.operation = compile(all.subspan(i, next - i), target),
                .extent = from.extent,
                .mostRows = from.mostRows,
                .minimum = std::chrono::nanoseconds(from.minimumNanos)};
    if (const auto* signal = std::get_if<op::Signal>(&from.operation)) entry.signal = signal->event;
    if (const auto* wait = std::get_if<op::Wait>(&from.operation)) entry.wait = wait->event;
    CopyStream* copy = copyOfStream[static_cast<size_t>(from.stream)];
    if (copy != nullptr && entry.operation && !std::holds_alternative<op::Copy>(from.operation)) {
      fail(TD_INVALID_ARGUMENT, "a copy stream takes copies, signals and waits only");
    }
    if (entry.operation) {
      entry.work = entry.operation->work();
      workBytes = std::max(workBytes, entry.work.bytes(target.threads));
    }
    (copy != nullptr ? copy->entries() : compute_->entries).push_back(std::move(entry));
  }
  if (workBytes == 0) return;
  work_ = device_->allocate(workBytes);
  for (Entry& entry : compute_->entries) {
    if (entry.operation) entry.operation->useShared(work_->data());
  }
}

CpuProgram::~CpuProgram() = default;

uint8_t* CpuProgram::workOf(const Entry& entry, int worker) const {
  return work_ ? work_->data() + entry.work.workerOffset(worker) : nullptr;
}

void CpuProgram::run(const std::atomic<bool>* abort) {
  const std::lock_guard lock(device_->turn());
  for (const auto& buffer : buffers_) {
    if (buffer->file() != nullptr) buffer->file()->checkUnchanged();
  }
  state_.start(abort);
  for (auto& copy : copies_) copy->start();
  compute_->restart();
  device_->pool().execute(*compute_);
  for (auto& copy : copies_) copy->awaitEnd();
  for (const auto& buffer : buffers_) {
    // Before anything else: zeros in place of weights explain the rest.
    if (buffer->file() != nullptr) buffer->file()->checkUnchanged();
  }
  state_.finish();
}

}  // namespace td
