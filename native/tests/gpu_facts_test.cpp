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

// A GPU that is too old, one without code, and one that can be used.
TEST(GpuFacts, OfGpusThatCannotBeUsed) {
  const char* const folder = getenv("TANDEM_FAKE_GPUS");
  if (folder == nullptr) GTEST_SKIP() << "TANDEM_FAKE_GPUS names no folder: run it by ctest";
  const Environment libraries("TANDEM_GPU_LIBRARIES", folder);
  EXPECT_EQ(3, ok(td_gpu_count("cuda")));
  const Facts old = describe("cuda:0");
  EXPECT_EQ(0, old.numbers[TD_FACT_USABLE]);
  EXPECT_EQ(61, old.numbers[TD_FACT_COMPUTE]);
  EXPECT_EQ(0, old.numbers[TD_FACT_MEMORY_FREE]);
  EXPECT_EQ(int64_t{11} << 30, old.numbers[TD_FACT_MEMORY]);
  EXPECT_EQ((std::vector<std::string>{"NVIDIA GeForce GTX 1080 Ti", "0000:01:00.0", "580.65.06",
                                      "cuda:0, NVIDIA GeForce GTX 1080 Ti (6.1): needs Turing (7.5) or newer"}),
            old.lines);
  EXPECT_TRUE(refused(td_device_open("cuda:0", "", 1, 0), TD_UNSUPPORTED, "needs Turing (7.5) or newer"));
  EXPECT_TRUE(refused(td_device_open("cuda:1", "", 1, 0), TD_UNSUPPORTED, "this build has code for 8.9 only"));
  const Facts usable = describe("cuda:2");
  EXPECT_EQ(1, usable.numbers[TD_FACT_USABLE]);
  EXPECT_EQ(int64_t{9} << 30, usable.numbers[TD_FACT_MEMORY_FREE]);
  EXPECT_EQ(13010, usable.numbers[TD_FACT_DRIVER]);
  EXPECT_EQ(13000, usable.numbers[TD_FACT_RUNTIME]);
  EXPECT_EQ("", usable.lines[3]);
  std::array<int64_t, TD_FACTS> numbers;
  EXPECT_TRUE(refused(td_gpu_describe("cuda:3", numbers.data(), nullptr, 0), TD_UNSUPPORTED, "there are 3"));
  EXPECT_TRUE(refused(td_device_open("cuda:2", "", 1, int64_t{10} << 30), TD_OUT_OF_MEMORY,
                      "cuda:2 has 9.00 GiB of memory free, and 10.00 GiB are to be used"));
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
  EXPECT_TRUE(refused(td_device_limit(device, 8, 20), TD_INVALID_ARGUMENT, "limit 8"));
  EXPECT_EQ(TD_MEMORY_LENT, td_device_property(device, TD_PROPERTY_MEMORY_KIND));
  EXPECT_TRUE(refused(td_device_limit(device, TD_LIMIT_COPY, 0), TD_INVALID_ARGUMENT, "0 milliseconds"));
  const Device cpu(td_device_open("cpu", "", 1, 0));
  EXPECT_TRUE(refused(td_device_limit(cpu, TD_LIMIT_TO_DEVICE, 20), TD_UNSUPPORTED, "limit 6"));
}

TEST(GpuFacts, CopiesThatFailAreToldAndLeaveNothing) {
  for (const char* fault : {"fail-copy=3", "lose-at=5", "fail-allocation=1", "memory=1024"}) {
    const Environment settings("TANDEM_EMULATED", fault);
    const Device device(td_device_open(kDevice, "", 1, 0));
    // Time enough for as many copies on any machine; the fault ends it.
    EXPECT_LT(td_device_limit(device, TD_LIMIT_TO_DEVICE, 10'000), 0) << fault;
    EXPECT_NE(std::string::npos, errorMessage().find(kDevice)) << errorMessage();
    EXPECT_EQ(0, ok(td_device_property(device, TD_PROPERTY_MEMORY_USED))) << fault;
  }
}

}  // namespace
}  // namespace td::testing
