#include "cpu/kernels.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace {

using tandem::cpu::Kernels;
using tandem::cpu::kernels_named;

// Every instruction set that this processor has.
class EveryIsa : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (kernels_named(GetParam()) == nullptr) {
      GTEST_SKIP() << "this processor or build has no " << GetParam();
    }
  }

  const Kernels& kernels() const { return *kernels_named(GetParam()); }
};

TEST_P(EveryIsa, NamesItself) {
  EXPECT_STREQ(kernels().isa, GetParam());
}

TEST_P(EveryIsa, AddsEveryLength) {
  for (size_t count = 0; count < 70; ++count) {
    std::vector<float> sum(count + 1, 0.5f), addend(count + 1);
    for (size_t i = 0; i <= count; ++i) {
      addend[i] = static_cast<float>(i);
    }
    kernels().add(sum.data(), addend.data(), count);
    for (size_t i = 0; i < count; ++i) {
      ASSERT_EQ(sum[i], 0.5f + static_cast<float>(i)) << "element " << i << " of " << count;
    }
    ASSERT_EQ(sum[count], 0.5f) << "written past the end of " << count;
  }
}

INSTANTIATE_TEST_SUITE_P(Kernels, EveryIsa, testing::Values("scalar", "avx2", "avx512"),
                         [](const auto& info) { return std::string(info.param); });

TEST(Dispatch, KnowsNoOtherName) {
  EXPECT_EQ(kernels_named("sse9"), nullptr);
}

TEST(Dispatch, GivesAllThreadsTheSame) {
  std::vector<const Kernels*> seen(4);
  std::vector<std::thread> threads;
  for (auto& slot : seen) {
    threads.emplace_back([&slot] { slot = &tandem::cpu::kernels(); });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(seen, std::vector<const Kernels*>(4, &tandem::cpu::kernels()));
}

}  // namespace
