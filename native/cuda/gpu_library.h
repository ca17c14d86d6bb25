// Finds the libraries for GPUs, and opens their devices by name.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "core/device.h"
#include "cuda/gpu.h"

namespace td {

// KIND:INDEX/MODE; the mode may be left out: "cuda:0", "emulated:1/host".
struct GpuName {
  std::string kind;
  int32_t index = 0;
  std::string mode;
};

// Nothing for a text that is no GPU's name.
std::optional<GpuName> parseGpuName(const std::string& name);
bool isGpuName(const std::string& name);

// The table of a library that lies beside this one, or in the folder that TANDEM_GPU_LIBRARIES names:
// "libtandem_emulated.so". It stays loaded. Fails with TD_UNSUPPORTED.
const td_gpu_table& gpuTable(const std::string& library);
// That of a kind of GPUs: "cuda", "emulated".
const td_gpu_table& gpuTableOf(const std::string& kind);
// What a GPU of this kind is opened with: TANDEM_EMULATED.
const char* gpuSettings(const std::string& kind);

// isa, threads: of the CPU's kernels, where an emulated device uses them. memoryLimit: bytes; 0 = what the device has.
std::shared_ptr<Device> openGpuDevice(const std::string& name, const char* isa, int threads, int64_t memoryLimit);

}  // namespace td
