#include "cpu/cpu_device.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "core/file.h"
#include "core/program.h"
#include "core/tiles.h"
#include "cpu/cpu_operation.h"
#include "cpu/cpu_program.h"

namespace td {
namespace {

class HostBuffer final : public Buffer {
 public:
  // First the memory, which nobody has touched yet, then its place in the account: what the system refuses is never
  // counted.
  HostBuffer(std::shared_ptr<MemoryAccount> account, int64_t bytes)
      : account_(std::move(account)), bytes_(bytes), memory_(static_cast<size_t>(bytes)) {
    account_->take(bytes);
  }
  ~HostBuffer() override {
    memory_ = {};
    account_->give(bytes_);
  }
  uint8_t* data() const override { return memory_.data(); }
  int64_t size() const override { return bytes_; }

 private:
  std::shared_ptr<MemoryAccount> account_;
  int64_t bytes_;
  Memory memory_;
};

// Mapped pages belong to the page cache: they do not count against the device's limit.
class FileWindow final : public Buffer {
 public:
  FileWindow(std::shared_ptr<File> file, int64_t offset, int64_t bytes) : file_(std::move(file)), bytes_(bytes) {
    file_->checkRange(offset, bytes);
    data_ = file_->map() + offset;
  }
  uint8_t* data() const override { return const_cast<uint8_t*>(data_); }
  int64_t size() const override { return bytes_; }
  bool readOnly() const override { return true; }
  File* file() const override { return file_.get(); }

 private:
  std::shared_ptr<File> file_;
  const uint8_t* data_;
  int64_t bytes_;
};

// The first failure among chunks that run on several threads.
class FirstFailure {
 public:
  template <class Body>
  void guard(Body body) {
    if (failed_.load(std::memory_order_relaxed)) return;
    try {
      body();
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!failure_) failure_ = std::current_exception();
      failed_.store(true, std::memory_order_relaxed);
    }
  }
  void rethrow() {
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  std::atomic<bool> failed_{false};
  std::mutex mutex_;
  std::exception_ptr failure_;
};

}  // namespace

CpuDevice::CpuDevice(td_isa isa, int threads, int64_t memoryLimit)
    : kernels_(kernelsFor(isa)), pool_(threads), account_(std::make_shared<MemoryAccount>("cpu", memoryLimit)) {}

std::shared_ptr<Device> openCpuDevice(const char* isa, int threads, int64_t memoryLimit) {
  return std::make_shared<CpuDevice>(chooseIsa(isa), threads, memoryLimit);
}

int64_t CpuDevice::property(int32_t property) const {
  switch (property) {
    case TD_PROPERTY_THREADS:
      return pool_.threads();
    case TD_PROPERTY_MEMORY_USED:
      return account_->used();
    case TD_PROPERTY_MEMORY_PEAK:
      return account_->peak();
    case TD_PROPERTY_MEMORY_LIMIT:
      return account_->limit();
    case TD_PROPERTY_ISA:
      return kernels_.isa;
    default:
      fail(TD_INVALID_ARGUMENT, "device property %d does not exist", property);
  }
}

int64_t CpuDevice::workBytesOfMatMul(int32_t weightType, td_layout layout, int64_t columns) const {
  return matMulWork(weightType, layout, columns).bytes(pool_.threads());
}

int64_t CpuDevice::workBytesOfAttention(int headsPerKvHead, int headSize) const {
  return attentionWork(headsPerKvHead, headSize).bytes(pool_.threads());
}

int64_t CpuDevice::workBytesOfSelect(int64_t rows, int64_t vocabulary) const {
  return selectWork(rows, vocabulary).bytes(pool_.threads());
}

int64_t CpuDevice::workBytesOfPick(int64_t rows, int64_t vocabulary) const {
  return pickWork(rows, vocabulary).bytes(pool_.threads());
}

std::shared_ptr<Buffer> CpuDevice::allocate(int64_t bytes) {
  return std::make_shared<HostBuffer>(account_, bytes);
}

std::shared_ptr<Buffer> CpuDevice::window(std::shared_ptr<File> file, int64_t offset, int64_t bytes) {
  return std::make_shared<FileWindow>(std::move(file), offset, bytes);
}

void CpuDevice::write(Buffer& buffer, int64_t offset, const void* source, int64_t bytes) {
  memcpy(buffer.data() + offset, source, static_cast<size_t>(bytes));
}

void CpuDevice::read(const Buffer& buffer, int64_t offset, void* destination, int64_t bytes) {
  memcpy(destination, buffer.data() + offset, static_cast<size_t>(bytes));
  if (buffer.file() != nullptr) buffer.file()->checkUnchanged();
}

// Row groups in parallel, about a megabyte at a time: read into the worker's own staging memory, then laid out in the
// buffer.
void CpuDevice::load(const File& file, int64_t fileOffset, int32_t type, int64_t rows, int64_t columns, Buffer& buffer,
                     int64_t bufferOffset, int32_t targetType, td_layout layout) {
  constexpr int64_t kPieceBytes = int64_t{1} << 20;
  const Format& format = formatOf(type);
  const int64_t rowBytes = plainRowBytes(format, columns);
  const int64_t blocks = blocksPerRow(format, columns);
  const int64_t groups = rowGroups(rows);
  const int64_t perPiece = std::max<int64_t>(1, kPieceBytes / (kTileRows * rowBytes));
  const int64_t pieces = (groups + perPiece - 1) / perPiece;
  uint8_t* const target = buffer.data() + bufferOffset;
  std::vector<std::vector<uint8_t>> staging(static_cast<size_t>(pool_.threads()));
  FirstFailure failure;
  parallelFor(pool_, pieces, [&](int64_t piece, int worker) {
    failure.guard([&] {
      const int64_t first = piece * perPiece * kTileRows;
      const int64_t count = std::min(rows - first, perPiece * kTileRows);
      if (targetType == type && layout == TD_PLAIN) {
        file.read(fileOffset + first * rowBytes, count * rowBytes, target + first * rowBytes);
        return;
      }
      std::vector<uint8_t>& bytes = staging[static_cast<size_t>(worker)];
      bytes.resize(static_cast<size_t>(perPiece * kTileRows * rowBytes));
      file.read(fileOffset + first * rowBytes, count * rowBytes, bytes.data());
      for (int64_t row = 0; row < count; ++row) {
        if (layout == TD_TILES && row % kTileRows != 0) continue;
        const uint8_t* from = bytes.data() + row * rowBytes;
        if (layout == TD_TILES) {
          const int inGroup = static_cast<int>(std::min<int64_t>(kTileRows, count - row));
          packTiles(format, from, rowBytes, inGroup, columns, 0, blocks,
                    target + (first + row) / kTileRows * blocks * tileBytes(format));
        } else {
          decodeRow(format, TD_PLAIN, from, columns, 0, reinterpret_cast<float*>(target) + (first + row) * columns);
        }
      }
    });
  });
  failure.rethrow();
}

std::unique_ptr<Executable> CpuDevice::compile(const Program& program) {
  return std::make_unique<CpuProgram>(shared_from_this(), program);
}

}  // namespace td
