// Kernels that are wrong on purpose, and what checked views say of them.
#pragma once

#include <string>
#include <vector>

#include "cuda/views.h"
#include "emulated/device_fixture.h"

namespace td::checked {

using namespace testing;

constexpr unsigned kAll = 0xffffffff;

// What all of them are given: 64 zeros, and 64 elements that nobody has written.
using In = Global<const float>;
using Out = Global<float>;

class Detectors : public ::testing::TestWithParam<Order> {
 protected:
  Detectors() : open_({.checked = true}) { open_.stream.setOrder(GetParam().order, GetParam().seed); }

  // The message of a kernel over `blocks` blocks of 64 threads; empty if there was none. Its beginning, up to the
  // block, is checked here and left out.
  template <auto kernel>
  std::string messageOf(unsigned blocks = 1, size_t dynamicShared = 256) {
    DeviceArray<float> zeros(device(), stream(), std::vector<float>(64), "zeros"), fresh(device(), 64, "fresh");
    const DeviceError refused = launch<kernel>(blocks, 64, dynamicShared, &stream(), zeros.input(), fresh.span());
    if (refused) {
      EXPECT_TRUE(ok(stream().synchronize())) << "the stream goes on";
      return refused.message();
    }
    const DeviceError error = stream().synchronize();
    if (!error) return "";
    EXPECT_EQ(DeviceFault::kernelFailed, error.fault());
    EXPECT_EQ(error.message(), stream().synchronize().message()) << "it stays";
    EXPECT_EQ(error.message(),
              launch<kernel>(blocks, 64, dynamicShared, &stream(), zeros.input(), fresh.span()).message());
    const size_t end = error.message().find("): ");
    EXPECT_NE(std::string::npos, end) << error.message();
    EXPECT_NE(std::string::npos, error.message().find(", block (")) << error.message();
    return error.message().substr(end + 3);
  }

  // As messages begin: a kernel's or an array's name must not pass for what is found.
  static ::testing::AssertionResult begins(const std::string& message, const std::string& beginning) {
    if (message.starts_with(beginning)) return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << "'" << message << "' does not begin with '" << beginning << "'";
  }

  Device& device() { return open_.device; }
  Stream& stream() { return open_.stream; }

 private:
  OpenDevice open_;
};

inline std::string orderOfTest(const ::testing::TestParamInfo<Order>& info) {
  return std::vector<std::string>{"Ascending", "Descending", "Random", "OtherRandom"}[info.index];
}

}  // namespace td::checked
