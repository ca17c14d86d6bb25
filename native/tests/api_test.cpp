#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "tandem.h"

namespace {

std::string last_error() {
  std::string text(static_cast<size_t>(td_error_message(nullptr, 0)), '\0');
  td_error_message(text.data(), static_cast<int64_t>(text.size()));
  return text;
}

TEST(Api, NamesItsVersion) {
  EXPECT_EQ(td_abi_version(), TD_ABI_VERSION);
}

TEST(Api, AddsInPlace) {
  std::vector<float> sum = {1, 2, 3};
  const std::vector<float> addend = {10, 20, 30};
  ASSERT_EQ(td_add_f32(sum.data(), addend.data(), 3), TD_OK);
  EXPECT_EQ(sum, (std::vector<float>{11, 22, 33}));
}

TEST(Api, ReportsTheValueThatIsWrong) {
  float value = 0;
  EXPECT_EQ(td_add_f32(&value, &value, -7), TD_INVALID_ARGUMENT);
  EXPECT_NE(last_error().find("-7"), std::string::npos) << last_error();
  EXPECT_EQ(td_add_f32(nullptr, &value, 1), TD_INVALID_ARGUMENT);
}

TEST(Api, CutsTheMessageToTheBuffer) {
  float value = 0;
  td_add_f32(&value, &value, -1);
  std::string text(5, '.');
  EXPECT_GT(td_error_message(text.data(), 4), 4);
  EXPECT_EQ(text, "td_a.");
}

TEST(Api, KeepsMessagesApartByThread) {
  float value = 0;
  td_add_f32(&value, &value, -1);
  std::thread([] { EXPECT_EQ(td_error_message(nullptr, 0), 0); }).join();
  EXPECT_GT(td_error_message(nullptr, 0), 0);
}

}  // namespace
