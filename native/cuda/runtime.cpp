// The table of gpu.h over NVIDIA's runtime: what devices there are, memory, streams, events, copies.
#include <cudaTypedefs.h>
#include <cuda_runtime_api.h>

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "cuda/code_probe.h"
#include "cuda/device_error.h"
#include "cuda/gpu.h"
#include "cuda/kernels/kernels.h"

namespace {

constexpr int kOldestCompute = 75;  // Turing: the first with int8 dot products and tensor cores that the kernels use

thread_local char lastMessage[1024];

td_gpu_status failed(td_gpu_status status, const char* format, ...) __attribute__((format(printf, 2, 3)));
td_gpu_status failed(td_gpu_status status, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(lastMessage, sizeof lastMessage, format, arguments);
  va_end(arguments);
  return status;
}

// Errors after which the context is gone: whatever is called next returns the same, as long as the process lives.
bool isSticky(cudaError_t error) {
  switch (error) {
    case cudaErrorContained:
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchTimeout:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorLaunchFailure:
    case cudaErrorECCUncorrectable:
    case cudaErrorNvlinkUncorrectable:
    case cudaErrorAssert:
    case cudaErrorContextIsDestroyed:
    case cudaErrorMpsClientTerminated:
    case cudaErrorExternalDevice:
    case cudaErrorTensorMemoryLeak:
      return true;
    default:
      return false;
  }
}

// What the driver says of an open device that has fallen off the bus or was taken away. (Of one that is to be opened
// the same means that it cannot be used.)
bool isGone(cudaError_t error) {
  switch (error) {
    case cudaErrorUnknown:
    case cudaErrorNoDevice:
    case cudaErrorInvalidDevice:
    case cudaErrorDeviceUninitialized:
    case cudaErrorDevicesUnavailable:
    case cudaErrorMpsRpcFailure:
      return true;
    default:
      return false;
  }
}

td_gpu_status told(cudaError_t error, const char* what, bool isLost) {
  if (error == cudaSuccess) return TD_GPU_OK;
  cudaGetLastError();  // a failure that is not sticky is not told twice
  const char* const name = cudaGetErrorName(error);
  const char* const text = cudaGetErrorString(error);
  if (isLost)
    return failed(TD_GPU_LOST, "%s: %s (%s): the device is lost to this process: start it anew", what, text, name);
  if (error == cudaErrorMemoryAllocation) return failed(TD_GPU_OUT_OF_MEMORY, "%s: %s", what, text);
  return failed(TD_GPU_FAILED, "%s: %s (%s)", what, text, name);
}

td_gpu_status checked(cudaError_t error, const char* what) {
  return told(error, what, isSticky(error));
}

// Of an open device.
td_gpu_status checkedOpen(cudaError_t error, const char* what) {
  return told(error, what, isSticky(error) || isGone(error));
}

// Waiting for what was accepted fails for the reasons alone for which nothing goes on.
td_gpu_status checkedWait(cudaError_t error, const char* what) {
  return told(error, what, true);
}

struct Release {
  char text[32];
};

// "550.54.15", as the kernel's module has it; empty where it does not say.
Release driverRelease() {
  Release release{};
  FILE* const file = fopen("/proc/driver/nvidia/version", "re");
  if (file == nullptr) return release;
  while (fscanf(file, "%31s", release.text) == 1) {
    if (strspn(release.text, "0123456789.") == strlen(release.text) && strchr(release.text, '.') != nullptr) break;
    release.text[0] = 0;
  }
  fclose(file);
  return release;
}

td_gpu_status requireDriver() {
  int driver = 0;
  if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0) {
    return failed(TD_GPU_NONE, "no NVIDIA driver is installed: install release 580 or newer, or compute on the CPU");
  }
  if (driver / 1000 < CUDART_VERSION / 1000) {
    const Release release = driverRelease();
    return failed(
        TD_GPU_NONE,
        "the NVIDIA driver%s%s is too old: it knows CUDA %d.%d, and this build needs %d.0: install release 580 or "
        "newer",
        release.text[0] != 0 ? " " : "", release.text, driver / 1000, driver % 1000 / 10, CUDART_VERSION / 1000);
  }
  return TD_GPU_OK;
}

td_gpu_status requireDevice(int32_t index) {
  if (const td_gpu_status status = requireDriver()) return status;
  int devices = 0;
  const cudaError_t error = cudaGetDeviceCount(&devices);
  if (error == cudaErrorNoDevice)
    devices = 0;
  else if (error != cudaSuccess)
    return checked(error, "counting the devices");
  if (index >= 0 && index < devices) return TD_GPU_OK;
  cudaGetLastError();
  return failed(TD_GPU_NONE, "there is no device cuda:%d: there %s %d (CUDA_VISIBLE_DEVICES may hide some)", index,
                devices == 1 ? "is" : "are", devices);
}

}  // namespace

struct td_gpu {
  int index;
  PFN_cuStreamWaitValue32_v11070 waitValue;
  PFN_cuStreamWriteValue32_v11070 writeValue;
};

struct td_gpu_stream {
  td_gpu* gpu;
  cudaStream_t handle;
};

struct td_gpu_event {
  td_gpu* gpu;
  cudaEvent_t handle;
};

namespace {

// The runtime's functions are about the device that a thread chose last.
td_gpu_status use(const td_gpu* gpu) {
  return checkedOpen(cudaSetDevice(gpu->index), "choosing the device");
}

// On the heap, by C's means: what this library takes of the C++ runtime ties it to one release of glibc.
template <class T>
td_gpu_status make(const T& value, T** made) {
  *made = static_cast<T*>(malloc(sizeof(T)));
  if (*made == nullptr) return failed(TD_GPU_OUT_OF_MEMORY, "out of memory");
  **made = value;
  return TD_GPU_OK;
}

void* pointer(uint64_t address) {
  return reinterpret_cast<void*>(address);
}

int64_t message(char* text, int64_t capacity) {
  const size_t length = strlen(lastMessage);
  if (text != nullptr && capacity > 0) {
    const size_t copied = length < static_cast<size_t>(capacity) ? length : static_cast<size_t>(capacity) - 1;
    memcpy(text, lastMessage, copied);
    text[copied] = 0;
  }
  return static_cast<int64_t>(length);
}

td_gpu_status count(int32_t* devices) {
  *devices = 0;
  if (const td_gpu_status status = requireDriver()) return status;
  const cudaError_t error = cudaGetDeviceCount(devices);
  if (error == cudaErrorNoDevice) {
    cudaGetLastError();
    *devices = 0;
    return TD_GPU_OK;
  }
  return checked(error, "counting the devices");
}

td_gpu_status info(int32_t index, td_gpu_info* info) {
  if (const td_gpu_status status = requireDevice(index)) return status;
  cudaDeviceProp properties;
  if (const td_gpu_status status = checked(cudaGetDeviceProperties(&properties, index), "asking for its properties")) {
    return status;
  }
  *info = {};
  snprintf(info->name, sizeof info->name, "%s", properties.name);
  cudaDeviceGetPCIBusId(info->bus, sizeof info->bus, index);
  info->compute = properties.major * 10 + properties.minor;
  info->multiprocessors = properties.multiProcessorCount;
  info->copy_engines = properties.asyncEngineCount;
  info->shared_bytes = static_cast<int32_t>(properties.sharedMemPerBlockOptin);
  info->memory_bytes = static_cast<int64_t>(properties.totalGlobalMem);
  info->l2_bytes = properties.l2CacheSize;
  cudaDriverGetVersion(&info->driver);
  info->runtime = CUDART_VERSION;
  memcpy(info->release, driverRelease().text, sizeof info->release);
  // The free memory is known to a context alone, and an old device gets none.
  size_t total = 0, available = 0;
  if (info->compute >= kOldestCompute && cudaSetDevice(index) == cudaSuccess &&
      cudaMemGetInfo(&available, &total) == cudaSuccess) {
    info->free_bytes = static_cast<int64_t>(available);
  }
  cudaGetLastError();
  return TD_GPU_OK;
}

template <class Function>
td_gpu_status find(const char* name, Function* function) {
  cudaDriverEntryPointQueryResult found;
  void* entry = nullptr;
  const td_gpu_status status =
      checked(cudaGetDriverEntryPointByVersion(name, &entry, 11070, cudaEnableDefault, &found), name);
  if (status) return status;
  if (entry == nullptr) return failed(TD_GPU_NONE, "the NVIDIA driver has no %s: install release 580 or newer", name);
  *function = reinterpret_cast<Function>(entry);
  return TD_GPU_OK;
}

// What is built in is for some architectures, or can be made for newer ones by the driver.
td_gpu_status requireCode(int32_t index, const td_gpu_info& about) {
  const cudaError_t error = findCode();
  switch (error) {
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorInvalidDeviceFunction:
    case cudaErrorUnsupportedPtxVersion:
    case cudaErrorJitCompilerNotFound:
      cudaGetLastError();
      return failed(TD_GPU_NONE, "cuda:%d, %s (%d.%d): this build has code for %s only: install one for this GPU",
                    index, about.name, about.compute / 10, about.compute % 10, TANDEM_CUDA_ARCHITECTURES);
    default:
      return checked(error, "asking for its code");
  }
}

td_gpu_status open(int32_t index, const char*, td_gpu** gpu) {
  td_gpu_info about;
  if (const td_gpu_status status = info(index, &about)) return status;
  if (about.compute < kOldestCompute) {
    return failed(TD_GPU_NONE, "cuda:%d, %s (%d.%d): needs Turing (7.5) or newer", index, about.name,
                  about.compute / 10, about.compute % 10);
  }
  td_gpu opened{index, nullptr, nullptr};
  if (cudaSetDevice(index) == cudaErrorDevicesUnavailable) {
    cudaGetLastError();
    return failed(TD_GPU_NONE,
                  "cuda:%d, %s: the driver lets no further process use it: end the one that has it, or set its compute "
                  "mode to the default",
                  index, about.name);
  }
  if (const td_gpu_status status = checked(cudaSetDevice(index), "choosing the device")) return status;
  if (const td_gpu_status status = requireCode(index, about)) return status;
  if (const td_gpu_status status = find("cuStreamWaitValue32", &opened.waitValue)) return status;
  if (const td_gpu_status status = find("cuStreamWriteValue32", &opened.writeValue)) return status;
  return make(opened, gpu);
}

void close(td_gpu* gpu) {
  free(gpu);
}

td_gpu_status freeBytes(td_gpu* gpu, int64_t* bytes) {
  if (const td_gpu_status status = use(gpu)) return status;
  size_t available = 0, total = 0;
  const td_gpu_status status = checkedOpen(cudaMemGetInfo(&available, &total), "asking for free memory");
  *bytes = static_cast<int64_t>(available);
  return status;
}

td_gpu_status allocate(td_gpu* gpu, int64_t bytes, uint64_t* address) {
  if (const td_gpu_status status = use(gpu)) return status;
  void* memory = nullptr;
  const cudaError_t error = cudaMalloc(&memory, static_cast<size_t>(bytes));
  *address = reinterpret_cast<uint64_t>(memory);
  if (error != cudaErrorMemoryAllocation) return checkedOpen(error, "allocating");
  cudaGetLastError();
  int64_t available = 0;
  if (const td_gpu_status status = freeBytes(gpu, &available)) return status;
  return failed(TD_GPU_OUT_OF_MEMORY,
                "allocating %lld MiB: %lld MiB are free, for all processes that use this GPU: choose a lower limit",
                static_cast<long long>(bytes >> 20), static_cast<long long>(available >> 20));
}

td_gpu_status release(td_gpu* gpu, uint64_t address) {
  if (const td_gpu_status status = use(gpu)) return status;
  return checkedOpen(cudaFree(pointer(address)), "releasing memory");
}

td_gpu_status allocatePinned(td_gpu* gpu, int64_t bytes, void** memory) {
  if (const td_gpu_status status = use(gpu)) return status;
  constexpr unsigned kFlags = cudaHostAllocPortable | cudaHostAllocMapped;
  const td_gpu_status status =
      checkedOpen(cudaHostAlloc(memory, static_cast<size_t>(bytes), kFlags), "allocating pinned memory of the host");
  if (status) return status;
  void* mapped = nullptr;
  const td_gpu_status found = checkedOpen(cudaHostGetDevicePointer(&mapped, *memory, 0), "mapping memory of the host");
  if (!found && mapped == *memory) return TD_GPU_OK;
  cudaFreeHost(*memory);
  return found ? found : failed(TD_GPU_NONE, "host and device have different addresses for the same memory");
}

td_gpu_status releasePinned(td_gpu*, void* memory) {
  return checkedOpen(cudaFreeHost(memory), "releasing pinned memory of the host");
}

td_gpu_status streamCreate(td_gpu* gpu, td_gpu_stream** stream) {
  if (const td_gpu_status status = use(gpu)) return status;
  cudaStream_t handle = nullptr;
  if (const td_gpu_status status =
          checkedOpen(cudaStreamCreateWithFlags(&handle, cudaStreamNonBlocking), "creating a stream")) {
    return status;
  }
  const td_gpu_status status = make(td_gpu_stream{gpu, handle}, stream);
  if (status) cudaStreamDestroy(handle);
  return status;
}

void streamDestroy(td_gpu_stream* stream) {
  use(stream->gpu);
  cudaStreamDestroy(stream->handle);
  cudaGetLastError();  // nobody hears of a failure, nor is the next kernel to be blamed for it
  free(stream);
}

td_gpu_status synchronize(td_gpu_stream* stream) {
  if (const td_gpu_status status = use(stream->gpu)) return status;
  return checkedWait(cudaStreamSynchronize(stream->handle), "waiting for a stream");
}

td_gpu_status eventCreate(td_gpu* gpu, td_gpu_event** event) {
  if (const td_gpu_status status = use(gpu)) return status;
  cudaEvent_t handle = nullptr;
  if (const td_gpu_status status = checkedOpen(cudaEventCreate(&handle), "creating an event")) return status;
  const td_gpu_status status = make(td_gpu_event{gpu, handle}, event);
  if (status) cudaEventDestroy(handle);
  return status;
}

void eventDestroy(td_gpu_event* event) {
  use(event->gpu);
  cudaEventDestroy(event->handle);
  cudaGetLastError();
  free(event);
}

td_gpu_status record(td_gpu_stream* stream, td_gpu_event* event) {
  if (const td_gpu_status status = use(stream->gpu)) return status;
  return checkedOpen(cudaEventRecord(event->handle, stream->handle), "recording an event");
}

td_gpu_status wait(td_gpu_stream* stream, td_gpu_event* event) {
  if (const td_gpu_status status = use(stream->gpu)) return status;
  return checkedOpen(cudaStreamWaitEvent(stream->handle, event->handle, 0), "waiting for an event");
}

td_gpu_status await(td_gpu_event* event) {
  if (const td_gpu_status status = use(event->gpu)) return status;
  return checkedWait(cudaEventSynchronize(event->handle), "waiting for an event");
}

td_gpu_status elapsed(td_gpu_event* from, td_gpu_event* to, double* seconds) {
  if (const td_gpu_status status = use(from->gpu)) return status;
  float milliseconds = 0;
  const td_gpu_status status = checkedOpen(cudaEventElapsedTime(&milliseconds, from->handle, to->handle), "timing");
  *seconds = static_cast<double>(milliseconds) / 1e3;
  return status;
}

td_gpu_status copy(td_gpu_stream* stream, uint64_t to, uint64_t from, int64_t bytes, td_gpu_direction direction) {
  if (const td_gpu_status status = use(stream->gpu)) return status;
  const cudaMemcpyKind kind = direction == TD_GPU_TO_DEVICE ? cudaMemcpyHostToDevice
                              : direction == TD_GPU_TO_HOST ? cudaMemcpyDeviceToHost
                                                            : cudaMemcpyDeviceToDevice;
  return checkedOpen(cudaMemcpyAsync(pointer(to), pointer(from), static_cast<size_t>(bytes), kind, stream->handle),
                     "copying");
}

td_gpu_status fill(td_gpu_stream* stream, uint64_t address, uint8_t value, int64_t bytes) {
  if (const td_gpu_status status = use(stream->gpu)) return status;
  return checkedOpen(cudaMemsetAsync(pointer(address), value, static_cast<size_t>(bytes), stream->handle),
                     "filling memory");
}

td_gpu_status call(td_gpu_stream* stream, void (*function)(void*), void* argument) {
  if (const td_gpu_status status = use(stream->gpu)) return status;
  return checkedOpen(cudaLaunchHostFunc(stream->handle, function, argument), "calling the host");
}

td_gpu_status ofDriver(CUresult result, const char* what) {
  return result == CUDA_SUCCESS ? TD_GPU_OK : checkedOpen(static_cast<cudaError_t>(result), what);  // the same numbers
}

td_gpu_status awaitWord(td_gpu_stream* stream, uint64_t address, int32_t value) {
  if (const td_gpu_status status = use(stream->gpu)) return status;
  // "Greater or equal" compares the difference with its sign, so that negative words are less.
  return ofDriver(
      stream->gpu->waitValue(stream->handle, address, static_cast<cuuint32_t>(value), CU_STREAM_WAIT_VALUE_GEQ),
      "waiting for a word");
}

td_gpu_status writeWord(td_gpu_stream* stream, uint64_t address, int32_t value) {
  if (const td_gpu_status status = use(stream->gpu)) return status;
  return ofDriver(
      stream->gpu->writeValue(stream->handle, address, static_cast<cuuint32_t>(value), CU_STREAM_WRITE_VALUE_DEFAULT),
      "writing a word");
}

// The runtime's functions are about the device that a thread chose last; so this chooses it for the kernels too.
td_gpu_status kernelStream(td_gpu_stream* stream, void** kernelStream) {
  *kernelStream = stream->handle;
  return use(stream->gpu);
}

const void* kernels(td_gpu*) {
  return &td::cuda::gpuKernels;
}

}  // namespace

// For the launchers (cuda_views.h).
namespace td::cuda {
td_gpu_status failed(DeviceFault fault, const char* message) {
  const cudaError_t error = cudaGetLastError();
  if (fault == DeviceFault::kernelFailed) return ::checkedOpen(error, "starting a kernel");
  return ::failed(TD_GPU_FAILED, "%s", message);
}
}  // namespace td::cuda

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
      .host_view = nullptr,
  };
  return &table;
}
