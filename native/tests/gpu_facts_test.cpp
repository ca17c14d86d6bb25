// What is told of GPUs, on the emulated one: its facts, how fast it copies, and what is missing where there is none.
#include <array>
#include <chrono>
#include <cstdlib>

#include "c_interface.h"

namespace td::testing {
namespace {

constexpr const char* kDevice = "emulated:0/host";

// A variable of the environment, for as long as this lives.
class Environment {
 public:
  Environment(const char* name, const char* value) : name_(name) {
    if (const char* const text = getenv(name)) before_ = text;
    setenv(name, value, 1);
  }
  ~Environment() { before_.empty() ? unsetenv(name_) : setenv(name_, before_.c_str(), 1); }

 private:
  const char* name_;
  std::string before_;
};

struct Facts {
  std::array<int64_t, TD_FACTS> numbers;
  std::vector<std::string> lines;
};

Facts describe(const char* name) {
  Facts facts;
  facts.numbers.fill(-1);
  char text[1024] = "";
  const int64_t length = ok(td_gpu_describe(name, facts.numbers.data(), text, sizeof text));
  EXPECT_EQ(length, static_cast<int64_t>(strlen(text)));
  std::string line;
  for (const char* c = text;; ++c) {
    if (*c == '\n' || *c == 0)
      facts.lines.push_back(std::exchange(line, {}));
    else
      line += *c;
    if (*c == 0) return facts;
  }
}

TEST(GpuFacts, OfAnEmulatedDevice) {
  const Environment settings("TANDEM_EMULATED", "memory=6442450944");
  EXPECT_EQ(8, ok(td_gpu_count("emulated")));
  for (const char* name : {kDevice, "emulated:7"}) {
    const Facts facts = describe(name);
    EXPECT_EQ(1, facts.numbers[TD_FACT_USABLE]);
    EXPECT_EQ(int64_t{6} << 30, facts.numbers[TD_FACT_MEMORY_FREE]);
    EXPECT_EQ(int64_t{6} << 30, facts.numbers[TD_FACT_MEMORY]);
    EXPECT_EQ(0, facts.numbers[TD_FACT_COMPUTE]);
    EXPECT_EQ(0, facts.numbers[TD_FACT_DRIVER]);
    EXPECT_EQ((std::vector<std::string>{"emulated GPU", "", "", ""}), facts.lines);
  }
  char cut[4];
  std::array<int64_t, TD_FACTS> numbers;
  EXPECT_EQ(15, ok(td_gpu_describe(kDevice, numbers.data(), cut, sizeof cut)));
  EXPECT_STREQ("emu", cut);
}

TEST(GpuFacts, OfOneThatCannotBeOpened) {
  const Environment settings("TANDEM_EMULATED", "memory=6442450944 colour=red");
  const Facts facts = describe(kDevice);
  EXPECT_EQ(0, facts.numbers[TD_FACT_USABLE]);
  EXPECT_EQ(0, facts.numbers[TD_FACT_MEMORY_FREE]);
  ASSERT_EQ(4u, facts.lines.size());
  EXPECT_NE(std::string::npos, facts.lines[3].find("'colour=red' is no setting"));
}

TEST(GpuFacts, OfNone) {
  std::array<int64_t, TD_FACTS> numbers;
  EXPECT_TRUE(refused(td_gpu_count("quantum"), TD_INVALID_ARGUMENT, "'quantum' is no kind of GPU"));
  EXPECT_TRUE(refused(td_gpu_count(nullptr), TD_INVALID_ARGUMENT, "no text"));
  EXPECT_TRUE(refused(td_gpu_describe("cpu", numbers.data(), nullptr, 0), TD_INVALID_ARGUMENT, "'cpu' is no GPU"));
  EXPECT_TRUE(refused(td_gpu_describe("emulated:99", numbers.data(), nullptr, 0), TD_UNSUPPORTED, "emulated:99"));
  EXPECT_TRUE(refused(td_gpu_describe(kDevice, nullptr, nullptr, 0), TD_INVALID_ARGUMENT, "facts: no memory"));
  const Environment nowhere("TANDEM_GPU_LIBRARIES", "/nowhere");
  EXPECT_TRUE(refused(td_gpu_count("cuda"), TD_UNSUPPORTED, "this installation has no libtandem_cuda.so"));
  EXPECT_TRUE(refused(td_gpu_describe("cuda:0", numbers.data(), nullptr, 0), TD_UNSUPPORTED, "libtandem_cuda.so"));
}

// The link is as fast as it was made; within the device, and across a link that is not slowed down, as fast as memory.
TEST(GpuFacts, HowFastItCopies) {
  constexpr double kLink = 2e8;
  const Environment settings("TANDEM_EMULATED", "link=200000000");
  const Device device(td_device_open(kDevice, "", 1, int64_t{64} << 20));
  for (const td_limit kind : {TD_LIMIT_TO_DEVICE, TD_LIMIT_TO_HOST}) {
    const auto started = std::chrono::steady_clock::now();
    const auto speed = static_cast<double>(ok(td_device_limit(device, kind, 50)));
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
    EXPECT_GT(speed, 0.3 * kLink);  // a machine that is busy makes it slower
    EXPECT_LT(speed, 1.01 * kLink);
    EXPECT_LT(took.count(), 20);
  }
  EXPECT_GT(ok(td_device_limit(device, TD_LIMIT_COPY, 20)), 0);
  EXPECT_EQ(0, ok(td_device_property(device, TD_PROPERTY_MEMORY_USED)));
  EXPECT_LE(ok(td_device_property(device, TD_PROPERTY_MEMORY_PEAK)), int64_t{64} << 20);
  for (const td_limit kind : {TD_LIMIT_READ, TD_LIMIT_READ_SMALL_PAGES, TD_LIMIT_F32, TD_LIMIT_INT8}) {
    EXPECT_TRUE(refused(td_device_limit(device, kind, 20), TD_UNSUPPORTED, "is not measured"));
  }
  EXPECT_TRUE(refused(td_device_limit(device, TD_LIMIT_COPY, 0), TD_INVALID_ARGUMENT, "0 milliseconds"));
  const Device cpu(td_device_open("cpu", "", 1, 0));
  EXPECT_TRUE(refused(td_device_limit(cpu, TD_LIMIT_TO_DEVICE, 20), TD_UNSUPPORTED, "limit 6"));
}

TEST(GpuFacts, CopiesThatFailAreToldAndLeaveNothing) {
  for (const char* fault : {"fail-copy=3", "lose-at=5", "fail-allocation=1", "memory=1024"}) {
    const Environment settings("TANDEM_EMULATED", fault);
    const Device device(td_device_open(kDevice, "", 1, 0));
    EXPECT_LT(td_device_limit(device, TD_LIMIT_TO_DEVICE, 20), 0) << fault;
    EXPECT_NE(std::string::npos, errorMessage().find(kDevice)) << errorMessage();
    EXPECT_EQ(0, ok(td_device_property(device, TD_PROPERTY_MEMORY_USED))) << fault;
  }
}

}  // namespace
}  // namespace td::testing
