// What functions of the emulated device have to say, as the table of gpu.h tells it: a status, and a message per
// thread.
#pragma once

#include <exception>
#include <string>
#include <type_traits>

#include "cuda/device_error.h"
#include "cuda/gpu.h"

namespace td::emulated {

// Of this thread's last failure.
const std::string& lastMessage();

// Keeps a message; returns the status.
td_gpu_status failed(td_gpu_status status, std::string message) noexcept;

td_gpu_status statusOf(const DeviceError& error) noexcept;

// Runs what may throw for want of memory or threads: nothing leaves the library.
template <class Body>
td_gpu_status told(Body body) noexcept {
  try {
    if constexpr (std::is_void_v<decltype(body())>) {
      body();
      return TD_GPU_OK;
    } else {
      return statusOf(body());
    }
  } catch (const std::exception& e) {
    return failed(TD_GPU_OUT_OF_MEMORY, e.what());
  }
}

}  // namespace td::emulated
