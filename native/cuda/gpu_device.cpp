#include "cuda/gpu_device.h"

#include <algorithm>
#include <cstring>

#include "core/program.h"
#include "core/tiles.h"
#include "core/weight_file.h"
#include "cpu/cpu_operation.h"
#include "cuda/gpu_limits.h"
#include "cuda/gpu_program.h"
#include "cuda/kernels/kernels.h"

namespace td {
namespace {

// Within the limit, but the device has none: somebody else has taken it since, or it lies in pieces.
[[noreturn]] void failForWantOfMemory(const Gpu& gpu, int64_t bytes) {
  char message[1024] = "";
  gpu.table().message(message, sizeof message);
  int64_t free = 0;
  gpu.table().free_bytes(gpu.handle(), &free);
  fail(TD_OUT_OF_MEMORY, "%s has no %s of memory left: %s of it are free now (%s); end who uses the rest, or use less",
       gpu.name().c_str(), bytesText(bytes).c_str(), bytesText(free).c_str(), message);
}

// Memory of the device. Its address is for the device alone.
class DeviceMemory final : public Buffer {
 public:
  DeviceMemory(std::shared_ptr<Gpu> gpu, std::shared_ptr<MemoryAccount> account, int64_t bytes)
      : gpu_(std::move(gpu)), account_(std::move(account)), bytes_(bytes) {
    if (bytes == 0) return;
    account_->take(bytes);
    const td_gpu_status status = gpu_->table().allocate(gpu_->handle(), bytes, &address_);
    if (status == TD_GPU_OK) return;
    account_->give(bytes);
    if (status == TD_GPU_OUT_OF_MEMORY) failForWantOfMemory(*gpu_, bytes);
    gpu_->check(status);
  }
  ~DeviceMemory() override {
    if (address_ == 0) return;
    gpu_->table().release(gpu_->handle(), address_);
    account_->give(bytes_);
  }
  uint8_t* data() const override { return reinterpret_cast<uint8_t*>(address_); }
  int64_t size() const override { return bytes_; }
  bool isHost() const override { return false; }

 private:
  std::shared_ptr<Gpu> gpu_;
  std::shared_ptr<MemoryAccount> account_;
  int64_t bytes_;
  uint64_t address_ = 0;
};

// Memory of the host that the device reaches; it does not count against the device's limit.
class SharedMemory final : public Buffer {
 public:
  SharedMemory(std::shared_ptr<Gpu> gpu, int64_t bytes) : memory_(std::move(gpu), bytes) {}
  uint8_t* data() const override { return memory_.data(); }
  int64_t size() const override { return memory_.size(); }

 private:
  PinnedMemory memory_;
};

// What a driver takes of the memory later: the code of kernels, which it loads when they are started for the first
// time, and what they keep outside of registers.
constexpr int64_t kOfDriver = int64_t{256} << 20;

// What may be taken: as much as is asked for, if the device has that, or else all that it has.
int64_t limitOf(const Gpu& gpu, int64_t wanted) {
  int64_t free = 0;
  gpu.check(gpu.table().free_bytes(gpu.handle(), &free));
  if (wanted > free) {
    fail(TD_OUT_OF_MEMORY, "%s has %s of memory free, and %s are to be used: choose a lower limit (--gpu-memory)",
         gpu.name().c_str(), bytesText(free).c_str(), bytesText(wanted).c_str());
  }
  if (wanted > 0) return wanted;
  const bool isEmulated = gpu.table().host_view != nullptr;
  return isEmulated ? free : std::max(free - kOfDriver, free / 2);
}

}  // namespace

GpuDevice::GpuDevice(std::shared_ptr<Gpu> gpu, GpuMode mode, td_isa isa, int threads, int64_t memoryLimit)
    : gpu_(std::move(gpu)),
      kernels_(kernelsFor(isa)),
      threads_(std::max(threads, 1)),
      pool_(mode == GpuMode::host ? std::make_unique<ThreadPool>(threads) : nullptr),
      account_(std::make_shared<MemoryAccount>(gpu_->name(), limitOf(*gpu_, memoryLimit))),
      transfers_(gpu_) {}

int64_t GpuDevice::property(int32_t property) const {
  switch (property) {
    case TD_PROPERTY_THREADS:
      return pool_ ? pool_->threads() : threads_;  // for what the host does for it: reading weights
    case TD_PROPERTY_MEMORY_USED:
      return account_->used();
    case TD_PROPERTY_MEMORY_PEAK:
      return account_->peak();
    case TD_PROPERTY_MEMORY_LIMIT:
      return account_->limit();
    case TD_PROPERTY_ISA:
      return pool_ ? kernels_.isa : TD_ISA_GPU;
    case TD_PROPERTY_MEMORY_KIND:
      return gpu_->table().host_view == nullptr ? TD_MEMORY_OWN : TD_MEMORY_LENT;
    default:
      fail(TD_INVALID_ARGUMENT, "device property %d does not exist", property);
  }
}

double GpuDevice::limit(int32_t kind, int32_t milliseconds) {
  const std::lock_guard lock(turn_);
  return measureGpu(*this, kind, milliseconds);
}

int32_t GpuDevice::activationType(int32_t weightType) const {
  return pool_ ? kernels_.activationType(weightType) : activationTypeFor(weightType);
}

int64_t GpuDevice::workBytesOfMatMul(int32_t weightType, td_layout layout, int64_t columns) const {
  return pool_ ? matMulWork(kernels_, weightType, layout, columns).bytes(pool_->threads()) : 0;
}

int64_t GpuDevice::workBytesOfAttention(int heads, int kvHeads, int headSize) const {
  if (pool_) return attentionWork(heads / kvHeads, headSize).bytes(pool_->threads());
  // For so many pieces of a context at once, of several tokens or of one at position 131,071: what does not fit is
  // walked by one block of threads for each KV head, which leaves most of a GPU idle.
  constexpr int64_t kPieces = 512;
  return 4 * attentionWorkFloats(heads, headSize, kPieces * TD_ATTENTION_PIECE);
}

int64_t GpuDevice::workBytesOfSelect(int64_t rows, int64_t vocabulary) const {
  return pool_ ? selectWork(rows, vocabulary).bytes(pool_->threads()) : selectWorkBytes(rows, vocabulary);
}

int64_t GpuDevice::workBytesOfPick(int64_t rows, int64_t vocabulary) const {
  return pool_ ? pickWork(rows, vocabulary).bytes(pool_->threads()) : 0;  // the host draws
}

const GpuKernels& GpuDevice::gpuKernels() const {
  return *static_cast<const GpuKernels*>(gpu_->table().kernels(gpu_->handle()));
}

std::shared_ptr<Buffer> GpuDevice::allocate(int64_t bytes) {
  auto memory = std::make_shared<DeviceMemory>(gpu_, account_, bytes);
  if (bytes > 0) transfers_.zero(gpuAddress(memory->data()), bytes);
  return memory;
}

std::shared_ptr<Buffer> GpuDevice::allocateShared(int64_t bytes) {
  return std::make_shared<SharedMemory>(gpu_, bytes);
}

std::shared_ptr<Buffer> GpuDevice::window(std::shared_ptr<File>, int64_t, int64_t) {
  fail(TD_UNSUPPORTED, "%s cannot read a mapped file: load its tensors (without --no-repack)", name().c_str());
}

void GpuDevice::write(Buffer& buffer, int64_t offset, const void* source, int64_t bytes) {
  if (buffer.isHost()) {
    memcpy(buffer.data() + offset, source, static_cast<size_t>(bytes));
  } else {
    transfers_.write(gpuAddress(buffer.data() + offset), static_cast<const uint8_t*>(source), bytes);
  }
}

void GpuDevice::read(const Buffer& buffer, int64_t offset, void* destination, int64_t bytes) {
  if (buffer.isHost()) {
    memcpy(destination, buffer.data() + offset, static_cast<size_t>(bytes));
  } else {
    transfers_.read(gpuAddress(buffer.data() + offset), static_cast<uint8_t*>(destination), bytes);
  }
}

void GpuDevice::load(const File& file, int64_t fileOffset, int32_t type, int64_t rows, int64_t columns, Buffer& buffer,
                     int64_t bufferOffset, int32_t targetType, td_layout layout) {
  uint8_t* const target = buffer.data() + bufferOffset;
  if (buffer.isHost()) {
    return readMatrix(file, fileOffset, type, rows, columns, target, targetType, layout);
  }
  // In pieces of whole row groups.
  const int64_t rowBytes = plainRowBytes(formatOf(type), columns);
  const int64_t groupBytes = matrixBytes(formatOf(targetType), layout, kTileRows, columns);
  const int64_t rowsAtOnce = std::max<int64_t>(1, GpuTransfers::kPieceBytes / groupBytes) * kTileRows;
  transfers_.write((rows + rowsAtOnce - 1) / rowsAtOnce, rowsAtOnce / kTileRows * groupBytes,
                   [&](int64_t piece, uint8_t* pinned) {
                     const int64_t first = piece * rowsAtOnce, count = std::min(rowsAtOnce, rows - first);
                     readMatrix(file, fileOffset + first * rowBytes, type, count, columns, pinned, targetType, layout);
                     return GpuTransfers::Piece{gpuAddress(target + first / kTileRows * groupBytes),
                                                matrixBytes(formatOf(targetType), layout, count, columns)};
                   });
}

uint8_t* GpuDevice::hostView(const uint8_t* address) const {
  const td_gpu_table& table = gpu_->table();
  void* const view = table.host_view != nullptr ? table.host_view(gpu_->handle(), gpuAddress(address)) : nullptr;
  if (view == nullptr) fail(TD_INTERNAL, "%s: %p is no address of an emulated device", name().c_str(), address);
  return static_cast<uint8_t*>(view);
}

std::unique_ptr<Executable> GpuDevice::compile(const Program& program) {
  return std::make_unique<GpuProgram>(shared_from_this(), program);
}

}  // namespace td
