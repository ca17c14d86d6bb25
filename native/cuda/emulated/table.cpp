// The table of gpu.h over the emulated device.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "cuda/emulated/device.h"
#include "cuda/emulated/told.h"
#include "cuda/gpu.h"
#include "cuda/kernels/kernels.h"

using td::emulated::Device;
using td::emulated::DeviceSettings;
using td::emulated::Event;
using td::emulated::failed;
using td::emulated::lastMessage;
using td::emulated::Stream;
using td::emulated::told;

struct td_gpu {
  explicit td_gpu(const DeviceSettings& settings) : device(settings) {}
  Device device;
};

struct td_gpu_stream {
  explicit td_gpu_stream(Device& device) : stream(device) {}
  Stream stream;
};

struct td_gpu_event {
  Event event;
};

namespace {

constexpr int64_t kUsualMemory = int64_t{8} << 30;
constexpr int32_t kMostDevices = 8;

int64_t message(char* text, int64_t capacity) {
  const std::string& last = lastMessage();
  if (text != nullptr && capacity > 0) {
    const size_t length = std::min(last.size(), static_cast<size_t>(capacity) - 1);
    memcpy(text, last.data(), length);
    text[length] = 0;
  }
  return static_cast<int64_t>(last.size());
}

// Reads NAME=VALUE, separated by spaces. False, with a message, for what is no setting.
bool read(std::string_view text, DeviceSettings& settings) {
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    if (word.empty()) continue;
    const size_t equals = word.find('=');
    const std::string_view name = word.substr(0, equals);
    const std::string_view digits = equals == word.npos ? std::string_view() : word.substr(equals + 1);
    int64_t value = -1;
    const char* const end = digits.data() + digits.size();
    const bool isNumber = std::from_chars(digits.data(), end, value).ptr == end && value >= 0 && !digits.empty();
    td::emulated::Faults& faults = settings.faults;
    if (isNumber && name == "memory")
      settings.memoryLimit = value;
    else if (isNumber && name == "checked")
      settings.checked = value != 0;
    else if (isNumber && name == "threads")
      settings.threads = static_cast<int>(value);
    else if (isNumber && name == "link")
      faults.linkBytesPerSecond = static_cast<double>(value);
    else if (isNumber && name == "latency")
      faults.linkLatency = std::chrono::nanoseconds(value);
    else if (isNumber && name == "fail-allocation")
      faults.failAllocation = value;
    else if (isNumber && name == "fail-copy")
      faults.failCopy = value;
    else if (isNumber && name == "fail-launch")
      faults.failLaunchesFrom = value;
    else if (isNumber && name == "lose-at")
      faults.loseAtOperation = value;
    else {
      failed(TD_GPU_NONE,
             "TANDEM_EMULATED: '" + std::string(word) +
                 "' is no setting; possible are memory=BYTES, checked=1, threads=N, link=BYTES_PER_SECOND, "
                 "latency=NANOSECONDS, fail-allocation=N, fail-copy=N, fail-launch=N, lose-at=N");
      return false;
    }
  }
  return true;
}

td_gpu_status count(int32_t* devices) {
  *devices = kMostDevices;
  return TD_GPU_OK;
}

td_gpu_status requireDevice(int32_t index) {
  if (index >= 0 && index < kMostDevices) return TD_GPU_OK;
  return failed(TD_GPU_NONE,
                "there is no device emulated:" + std::to_string(index) + ": there are " + std::to_string(kMostDevices));
}

td_gpu_status info(int32_t index, td_gpu_info* info) {
  if (const td_gpu_status status = requireDevice(index)) return status;
  *info = {};
  strncpy(info->name, "emulated GPU", sizeof info->name - 1);
  DeviceSettings settings{.memoryLimit = kUsualMemory};
  if (const char* const text = getenv("TANDEM_EMULATED")) read(text, settings);  // what is wrong there, open() tells
  info->memory_bytes = info->free_bytes = settings.memoryLimit;
  info->multiprocessors = info->copy_engines = 1;
  return TD_GPU_OK;
}

td_gpu_status open(int32_t index, const char* text, td_gpu** gpu) {
  if (const td_gpu_status status = requireDevice(index)) return status;
  DeviceSettings settings{.index = index, .memoryLimit = kUsualMemory};
  if (!read(text, settings)) return TD_GPU_NONE;
  return told([&] { *gpu = new td_gpu(settings); });
}

void close(td_gpu* gpu) {
  delete gpu;
}

td_gpu_status freeBytes(td_gpu* gpu, int64_t* bytes) {
  *bytes = gpu->device.settings().memoryLimit - gpu->device.memoryUsed();
  return TD_GPU_OK;
}

td_gpu_status allocate(td_gpu* gpu, int64_t bytes, uint64_t* address) {
  return told([&] { return gpu->device.allocate(bytes, address); });
}

td_gpu_status release(td_gpu* gpu, uint64_t address) {
  return told([&] { return gpu->device.release(address); });
}

td_gpu_status allocatePinned(td_gpu* gpu, int64_t bytes, void** memory) {
  return told([&] {
    constexpr size_t kPage = 4096;
    *memory = std::aligned_alloc(kPage, (static_cast<size_t>(bytes) + kPage - 1) / kPage * kPage);
    if (*memory == nullptr) throw std::bad_alloc();
    const td::DeviceError pinned = gpu->device.pin(*memory, bytes);
    if (pinned) std::free(*memory);
    return pinned;
  });
}

td_gpu_status releasePinned(td_gpu* gpu, void* memory) {
  return told([&] {
    const td::DeviceError unpinned = gpu->device.unpin(memory);
    std::free(memory);
    return unpinned;
  });
}

td_gpu_status streamCreate(td_gpu* gpu, td_gpu_stream** stream) {
  return told([&] { *stream = new td_gpu_stream(gpu->device); });
}

void streamDestroy(td_gpu_stream* stream) {
  delete stream;
}

td_gpu_status synchronize(td_gpu_stream* stream) {
  return told([&] { return stream->stream.synchronize(); });
}

td_gpu_status eventCreate(td_gpu*, td_gpu_event** event) {
  return told([&] { *event = new td_gpu_event; });
}

void eventDestroy(td_gpu_event* event) {
  delete event;
}

td_gpu_status record(td_gpu_stream* stream, td_gpu_event* event) {
  return told([&] { return stream->stream.record(event->event); });
}

td_gpu_status wait(td_gpu_stream* stream, td_gpu_event* event) {
  return told([&] { return stream->stream.wait(event->event); });
}

td_gpu_status await(td_gpu_event* event) {
  return told([&] { return event->event.synchronize(); });
}

td_gpu_status elapsed(td_gpu_event* from, td_gpu_event* to, double* seconds) {
  std::chrono::nanoseconds time{0};
  const td_gpu_status status = told([&] { return Event::elapsed(from->event, to->event, &time); });
  *seconds = std::chrono::duration<double>(time).count();
  return status;
}

td_gpu_status copy(td_gpu_stream* stream, uint64_t to, uint64_t from, int64_t bytes, td_gpu_direction direction) {
  return told([&] {
    switch (direction) {
      case TD_GPU_TO_DEVICE:
        return stream->stream.copyToDevice(to, reinterpret_cast<const void*>(from), bytes);
      case TD_GPU_TO_HOST:
        return stream->stream.copyToHost(reinterpret_cast<void*>(to), from, bytes);
      default:
        return stream->stream.copyWithin(to, from, bytes);
    }
  });
}

td_gpu_status fill(td_gpu_stream* stream, uint64_t address, uint8_t value, int64_t bytes) {
  return told([&] { return stream->stream.fill(address, value, bytes); });
}

td_gpu_status call(td_gpu_stream* stream, void (*function)(void*), void* argument) {
  return told([&] { return stream->stream.call([=] { function(argument); }); });
}

td_gpu_status awaitWord(td_gpu_stream* stream, uint64_t address, int32_t value) {
  return told([&] { return stream->stream.awaitWord(address, value); });
}

td_gpu_status writeWord(td_gpu_stream* stream, uint64_t address, int32_t value) {
  return told([&] { return stream->stream.writeWord(address, value); });
}

const void* kernels(td_gpu* gpu) {
  return gpu->device.settings().checked ? &td::checked::gpuKernels : &td::raw::gpuKernels;
}

td_gpu_status kernelStream(td_gpu_stream* stream, void** kernelStream) {
  *kernelStream = &stream->stream;
  return TD_GPU_OK;
}

void* hostView(td_gpu* gpu, uint64_t address) {
  return gpu->device.hostView(address, 1);
}

}  // namespace

extern "C" __attribute__((visibility("default"))) const td_gpu_table* td_gpu_open_table(void) {
  static const td_gpu_table table{
      .version = TD_GPU_VERSION,
      .message = message,
      .count = count,
      .info = info,
      .open = open,
      .close = close,
      .free_bytes = freeBytes,
      .allocate = allocate,
      .release = release,
      .allocate_pinned = allocatePinned,
      .release_pinned = releasePinned,
      .stream_create = streamCreate,
      .stream_destroy = streamDestroy,
      .synchronize = synchronize,
      .event_create = eventCreate,
      .event_destroy = eventDestroy,
      .record = record,
      .wait = wait,
      .await = await,
      .elapsed = elapsed,
      .copy = copy,
      .fill = fill,
      .call = call,
      .await_word = awaitWord,
      .write_word = writeWord,
      .kernels = kernels,
      .kernel_stream = kernelStream,
      .host_view = hostView,
  };
  return &table;
}
