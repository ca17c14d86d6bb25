#include "cpu/cpu_device.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>

#include "core/file.h"
#include "core/program.h"
#include "core/tiles.h"
#include "core/weight_file.h"
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

}  // namespace

CpuDevice::CpuDevice(td_isa isa, int threads, int64_t memoryLimit, const Topology& topology, PlaceRange place)
    : kernels_(kernelsFor(isa)),
      pool_(threads, topology),
      place_(std::move(place)),
      account_(std::make_shared<MemoryAccount>("cpu", memoryLimit)) {}

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
    case TD_PROPERTY_MEMORY_KIND:
      return TD_MEMORY_HOST;
    default:
      fail(TD_INVALID_ARGUMENT, "device property %d does not exist", property);
  }
}

int64_t CpuDevice::workBytesOfMatMul(int32_t weightType, td_layout layout, int64_t columns) const {
  return matMulWork(kernels_, weightType, layout, columns).bytes(pool_.threads());
}

int64_t CpuDevice::workBytesOfAttention(int heads, int kvHeads, int headSize) const {
  return attentionWork(heads / kvHeads, headSize).bytes(pool_.threads());
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

void CpuDevice::load(const File& file, int64_t fileOffset, int32_t type, int64_t rows, int64_t columns, Buffer& buffer,
                     int64_t bufferOffset, int32_t targetType, td_layout layout) {
  uint8_t* const target = buffer.data() + bufferOffset;
  // Matmuls cut a matrix into chunks of its rows, and give every node a range of them (thread_pool.h): its rows lie
  // there too, whichever thread loads them. Nearly: the ends of ranges are whole chunks, those of parts whole pages; a
  // page that two tensors share may have been touched by the one loaded first; and several blocks of tokens each go
  // over all rows, so that then a node reads the others' parts as well, once for a hundred tokens or so.
  const bool inTiles = layout == TD_TILES;
  placeParts(pool_.shares(), {buffer.data(), static_cast<size_t>(buffer.size())}, bufferOffset,
             inTiles ? rowGroups(rows) : rows,
             matrixBytes(formatOf(targetType), layout, inTiles ? kTileRows : 1, columns), place_);
  readMatrix(file, fileOffset, type, rows, columns, target, targetType, layout);
}

std::unique_ptr<Executable> CpuDevice::compile(const Program& program) {
  return std::make_unique<CpuProgram>(shared_from_this(), program);
}

}  // namespace td
