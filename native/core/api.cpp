// The C boundary: handles in, status codes out, no exception across.
#include <algorithm>
#include <cstring>

#include "core/activation.h"
#include "core/api_boundary.h"
#include "core/file.h"
#include "core/tiles.h"
#include "cpu/cpu_device.h"
#include "cuda/gpu_facts.h"
#include "cuda/gpu_library.h"

namespace td {

Handles& handles() {
  static Handles* const all = new Handles;
  return *all;
}

namespace {
thread_local std::string lastError;
}

int64_t failed(td_status status, const char* message) {
  try {
    lastError = message;
  } catch (...) {
    lastError.clear();
  }
  return -static_cast<int64_t>(status);
}

std::shared_ptr<BufferHandle> bufferOf(int64_t handle) {
  return handles().get<BufferHandle>(handle, "buffer");
}

}  // namespace td

namespace {

using namespace td;

const char* text(const void* argument, const char* what) {
  if (argument == nullptr) fail(TD_INVALID_ARGUMENT, "%s: no text", what);
  return static_cast<const char*>(argument);
}

// NUL-ended, cut to the capacity; returns its full length.
int64_t copyText(const std::string& from, void* out, int64_t capacity) {
  if (out != nullptr && capacity > 0) {
    const size_t length = std::min(from.size(), static_cast<size_t>(capacity) - 1);
    memcpy(out, from.data(), length);
    static_cast<char*>(out)[length] = 0;
  }
  return static_cast<int64_t>(from.size());
}

// A handle of what allocate(Device&) gives.
template <class Allocate>
int64_t create(int64_t device, int64_t bytes, Allocate allocate) {
  return guarded([&]() -> int64_t {
    if (bytes < 0) fail(TD_INVALID_ARGUMENT, "a buffer of %lld bytes is not possible", static_cast<long long>(bytes));
    auto owner = handles().get<Device>(device, "device");
    auto buffer = allocate(*owner);
    return handles().add(std::make_shared<BufferHandle>(std::move(owner), std::move(buffer)));
  });
}

void checkRange(const Buffer& buffer, int64_t offset, int64_t bytes) {
  if (offset < 0 || bytes < 0 || offset > buffer.size() - bytes) {
    fail(TD_INVALID_ARGUMENT, "%lld bytes at offset %lld lie outside the buffer of %lld bytes",
         static_cast<long long>(bytes), static_cast<long long>(offset), static_cast<long long>(buffer.size()));
  }
}

// Java's address of a buffer that is none arrives as NULL.
void checkMemory(const void* memory, const char* what) {
  if (memory == nullptr) fail(TD_INVALID_ARGUMENT, "%s: no memory (NULL)", what);
}

void checkBlocks(const Format& format, int64_t columns) {
  if (format.type != TD_BF16 && columns % format.blockElements != 0) {
    fail(TD_INVALID_ARGUMENT, "%lld columns are no whole number of %s blocks of %d", static_cast<long long>(columns),
         typeName(format.type).c_str(), format.blockElements);
  }
}

void checkLayout(int32_t layout) {
  if (layout != TD_PLAIN && layout != TD_TILES) fail(TD_INVALID_ARGUMENT, "layout %d does not exist", layout);
}

}  // namespace

extern "C" {

int32_t td_abi_version(void) {
  return TD_ABI_VERSION;
}

int64_t td_error_message(void* out, int64_t capacity) {
  return copyText(lastError, out, capacity);
}

int64_t td_device_open(const void* name, const void* isa, int32_t threads, int64_t memoryLimit) {
  return guarded([&]() -> int64_t {
    const std::string device = text(name, "device");
    if (device != "cpu" && !isGpuName(device)) {
      fail(TD_UNSUPPORTED, "device %s is not supported; supported: cpu, cuda:N, emulated:N/cuda, emulated:N/host",
           device.c_str());
    }
    if (memoryLimit < 0)
      fail(TD_INVALID_ARGUMENT, "memory limit: %lld is negative", static_cast<long long>(memoryLimit));
    const char* const kernels = text(isa, "instruction set");
    return handles().add(device == "cpu" ? openCpuDevice(kernels, threads, memoryLimit)
                                         : openGpuDevice(device, kernels, threads, memoryLimit));
  });
}

int64_t td_device_close(int64_t device) {
  return guarded([&]() -> int64_t {
    handles().close<Device>(device, "device");
    return 0;
  });
}

int64_t td_device_property(int64_t device, int32_t property) {
  return guarded([&] { return handles().get<Device>(device, "device")->property(property); });
}

int64_t td_device_limit(int64_t device, int32_t kind, int32_t milliseconds) {
  return guarded([&]() -> int64_t {
    if (milliseconds < 1 || milliseconds > 10'000) {
      fail(TD_INVALID_ARGUMENT, "limit: %d milliseconds are not possible; 1 to 10000 are", milliseconds);
    }
    return static_cast<int64_t>(handles().get<Device>(device, "device")->limit(kind, milliseconds));
  });
}

int32_t td_activation_type(int64_t device, int32_t weightType) {
  return static_cast<int32_t>(guarded(
      [&]() -> int64_t { return handles().get<Device>(device, "device")->activationType(formatOf(weightType).type); }));
}

int64_t td_work_bytes_of_matmul(int64_t device, int32_t weightType, int32_t layout, int64_t columns) {
  return guarded([&]() -> int64_t {
    const Format& format = formatOf(weightType);
    checkLayout(layout);
    checkShape(1, columns, "matmul");
    checkBlocks(format, columns);
    return handles()
        .get<Device>(device, "device")
        ->workBytesOfMatMul(format.type, static_cast<td_layout>(layout), columns);
  });
}

int64_t td_work_bytes_of_attention(int64_t device, int32_t heads, int32_t kvHeads, int32_t headSize) {
  return guarded([&]() -> int64_t {
    if (kvHeads < 1 || heads < 1 || heads % kvHeads != 0 || headSize < 1) {
      fail(TD_INVALID_ARGUMENT, "attention: %d heads of %d elements for %d KV heads are not possible", heads, headSize,
           kvHeads);
    }
    checkShape(heads, headSize, "attention");
    return handles().get<Device>(device, "device")->workBytesOfAttention(heads, kvHeads, headSize);
  });
}

int64_t td_work_bytes_of_select(int64_t device, int64_t rows, int64_t vocabulary) {
  return guarded([&]() -> int64_t {
    checkShape(rows, vocabulary, "select");
    return handles().get<Device>(device, "device")->workBytesOfSelect(rows, vocabulary);
  });
}

int64_t td_work_bytes_of_pick(int64_t device, int64_t rows, int64_t vocabulary) {
  return guarded([&]() -> int64_t {
    checkShape(rows, vocabulary, "pick");
    return handles().get<Device>(device, "device")->workBytesOfPick(rows, vocabulary);
  });
}

int32_t td_gpu_count(const void* kind) {
  return static_cast<int32_t>(guarded([&]() -> int64_t { return countGpus(text(kind, "kind of GPU")); }));
}

int64_t td_gpu_describe(const void* name, void* facts, void* out, int64_t capacity) {
  return guarded([&]() -> int64_t {
    checkMemory(facts, "facts");
    const GpuFacts known = describeGpu(text(name, "GPU"));
    memcpy(facts, known.numbers.data(), sizeof known.numbers);
    return copyText(known.text, out, capacity);
  });
}

int64_t td_file_open(const void* path) {
  return guarded([&]() -> int64_t { return handles().add(std::make_shared<File>(text(path, "file"))); });
}

int64_t td_file_close(int64_t file) {
  return guarded([&]() -> int64_t {
    handles().close<File>(file, "file");
    return 0;
  });
}

int64_t td_file_size(int64_t file) {
  return guarded([&] { return handles().get<File>(file, "file")->size(); });
}

int64_t td_tensor_bytes(int32_t type, int32_t layout, int64_t rows, int64_t columns) {
  return guarded([&]() -> int64_t {
    checkShape(rows, columns, "tensor");
    checkLayout(layout);
    if (layout == TD_PLAIN && type == TD_I32) return rows * columns * 4;
    if (layout == TD_PLAIN && type == TD_F64) return rows * columns * 8;
    if (layout == TD_PLAIN && (type == TD_ACT8 || type == TD_ACTBF16)) return rows * activationRowBytes(type, columns);
    const Format& format = formatOf(type);
    checkBlocks(format, columns);
    return matrixBytes(format, static_cast<td_layout>(layout), rows, columns);
  });
}

int64_t td_buffer_create(int64_t device, int64_t bytes) {
  return create(device, bytes, [bytes](Device& owner) { return owner.allocate(bytes); });
}

int64_t td_buffer_create_shared(int64_t device, int64_t bytes) {
  return create(device, bytes, [bytes](Device& owner) { return owner.allocateShared(bytes); });
}

int64_t td_buffer_of_file(int64_t device, int64_t file, int64_t offset, int64_t bytes) {
  return guarded([&]() -> int64_t {
    auto owner = handles().get<Device>(device, "device");
    auto window = owner->window(handles().get<File>(file, "file"), offset, bytes);
    return handles().add(std::make_shared<BufferHandle>(std::move(owner), std::move(window)));
  });
}

int64_t td_buffer_close(int64_t buffer) {
  return guarded([&]() -> int64_t {
    handles().close<BufferHandle>(buffer, "buffer");
    return 0;
  });
}

int64_t td_buffer_address(int64_t buffer) {
  return guarded([&]() -> int64_t {
    const auto held = bufferOf(buffer);
    return held->buffer->isHost() ? reinterpret_cast<int64_t>(held->buffer->data()) : 0;
  });
}

int64_t td_buffer_write(int64_t buffer, int64_t offset, const void* source, int64_t bytes) {
  return guarded([&]() -> int64_t {
    const auto held = bufferOf(buffer);
    checkRange(*held->buffer, offset, bytes);
    if (held->buffer->readOnly()) fail(TD_INVALID_ARGUMENT, "the buffer lies in a file and cannot be written");
    if (bytes == 0) return 0;
    checkMemory(source, "source");
    held->device->write(*held->buffer, offset, source, bytes);
    return 0;
  });
}

int64_t td_buffer_read(int64_t buffer, int64_t offset, void* destination, int64_t bytes) {
  return guarded([&]() -> int64_t {
    const auto held = bufferOf(buffer);
    checkRange(*held->buffer, offset, bytes);
    if (bytes == 0) return 0;
    checkMemory(destination, "destination");
    held->device->read(*held->buffer, offset, destination, bytes);
    return 0;
  });
}

int64_t td_buffer_publish(int64_t buffer, int64_t offset, int32_t value) {
  return guarded([&]() -> int64_t {
    const auto held = bufferOf(buffer);
    checkRange(*held->buffer, offset, sizeof value);
    if (offset % 4 != 0) fail(TD_INVALID_ARGUMENT, "offset %lld is no multiple of 4", static_cast<long long>(offset));
    if (held->buffer->readOnly()) fail(TD_INVALID_ARGUMENT, "the buffer lies in a file and cannot be written");
    if (!held->buffer->isHost()) fail(TD_INVALID_ARGUMENT, "the buffer is the device's own; share it with the host");
    auto* const word = reinterpret_cast<int32_t*>(held->buffer->data() + offset);
    std::atomic_ref(*word).store(value, std::memory_order_release);
    return 0;
  });
}

int64_t td_tensor_load(int64_t file, int64_t fileOffset, int32_t type, int64_t rows, int64_t columns, int64_t buffer,
                       int64_t bufferOffset, int32_t targetType, int32_t layout) {
  return guarded([&]() -> int64_t {
    const auto source = handles().get<File>(file, "file");
    const auto held = bufferOf(buffer);
    checkShape(rows, columns, "tensor");
    checkLayout(layout);
    const Format& format = formatOf(type);
    checkBlocks(format, columns);
    const bool possible = targetType == type || (targetType == TD_F32 && layout == TD_PLAIN) ||
                          (type == TD_F16 && targetType == TD_BF16 && layout == TD_TILES);
    if (!possible) {
      fail(TD_INVALID_ARGUMENT,
           "%s cannot be loaded as %s in layout %d; possible: the same type, F32 in plain layout, F16 as BF16 in tiles",
           typeName(type).c_str(), typeName(targetType).c_str(), layout);
    }
    checkRange(*held->buffer, bufferOffset,
               matrixBytes(formatOf(targetType), static_cast<td_layout>(layout), rows, columns));
    if (held->buffer->readOnly()) fail(TD_INVALID_ARGUMENT, "the buffer lies in a file and cannot be written");
    source->checkRange(fileOffset, matrixBytes(format, TD_PLAIN, rows, columns));
    held->device->load(*source, fileOffset, type, rows, columns, *held->buffer, bufferOffset, targetType,
                       static_cast<td_layout>(layout));
    return 0;
  });
}

int64_t td_flag_create(void) {
  return guarded([&]() -> int64_t { return handles().add(std::make_shared<Flag>()); });
}

int64_t td_flag_close(int64_t flag) {
  return guarded([&]() -> int64_t {
    handles().close<Flag>(flag, "flag");
    return 0;
  });
}

int64_t td_flag_set(int64_t flag) {
  return guarded([&]() -> int64_t {
    handles().get<Flag>(flag, "flag")->raised.store(true);
    return 0;
  });
}

int64_t td_flag_clear(int64_t flag) {
  return guarded([&]() -> int64_t {
    handles().get<Flag>(flag, "flag")->raised.store(false);
    return 0;
  });
}

}  // extern "C"
