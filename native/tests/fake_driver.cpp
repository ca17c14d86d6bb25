// A driver of NVIDIA's that has no device and is of the version in FAKE_DRIVER_VERSION (12040 for CUDA 12.4): what the
// CUDA runtime asks of libcuda.so.1 before it does anything.
#include <cstdint>
#include <cstdlib>
#include <cstring>

extern "C" {

int cuDriverGetVersion(int* version) {
  const char* const text = getenv("FAKE_DRIVER_VERSION");
  *version = text != nullptr ? atoi(text) : 0;
  return 0;
}

int cuInit(unsigned) {
  return 100;  // no device
}

int cuGetProcAddress_v2(const char* name, void** entry, int, uint64_t, int* result) {
  *entry = nullptr;
  if (strcmp(name, "cuDriverGetVersion") == 0) *entry = reinterpret_cast<void*>(cuDriverGetVersion);
  if (strcmp(name, "cuInit") == 0) *entry = reinterpret_cast<void*>(cuInit);
  if (strcmp(name, "cuGetProcAddress") == 0) *entry = reinterpret_cast<void*>(cuGetProcAddress_v2);
  if (result != nullptr) *result = *entry != nullptr ? 0 : 1;
  return *entry != nullptr ? 0 : 500;  // not found
}

int cuGetProcAddress(const char* name, void** entry, int version, uint64_t flags) {
  return cuGetProcAddress_v2(name, entry, version, flags, nullptr);
}
}
