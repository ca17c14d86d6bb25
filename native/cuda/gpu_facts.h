// What is known of the GPUs of this machine, also of those that cannot be used.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "tandem.h"

namespace td {

struct GpuFacts {
  std::array<int64_t, TD_FACTS> numbers{};
  std::string text;  // four lines, see td_gpu_describe()
};

// kind: "cuda" or "emulated". Fails with TD_UNSUPPORTED where there is no driver or no library.
int32_t countGpus(const std::string& kind);

// Opens it, if that is possible, since only who has opened it is told how much of its memory is free.
GpuFacts describeGpu(const std::string& name);

}  // namespace td
