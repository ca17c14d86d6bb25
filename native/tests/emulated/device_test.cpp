// Memory, streams, events, copies and faults of the emulated device.
#include <atomic>
#include <chrono>
#include <future>
#include <numeric>
#include <thread>

#include "cuda/views.h"
#include "emulated/device_fixture.h"

namespace td::raw {
namespace {

using namespace testing;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int64_t kMiB = 1 << 20;

__global__ void add(Global<int> x, int value) {
  x[blockIdx.x * blockDim.x + threadIdx.x] += value;
}

DeviceError addTo(Stream& stream, const DeviceArray<int>& x, int value) {
  return launch<add>(static_cast<unsigned>(x.count() / 64), 64, 0, &stream, x.span(), value);
}

// Host memory that the device reaches.
template <class T>
class Pinned {
 public:
  Pinned(Device& device, size_t count) : device_(device), values_(count) {
    EXPECT_TRUE(ok(device.pin(values_.data(), bytes())));
  }
  ~Pinned() { EXPECT_NE(DeviceFault::invalidArgument, device_.unpin(values_.data()).fault()); }
  Pinned(const Pinned&) = delete;

  T* data() { return values_.data(); }
  T& operator[](size_t i) { return values_[i]; }
  int64_t bytes() const { return static_cast<int64_t>(values_.size() * sizeof(T)); }
  DeviceAddress address() const { return reinterpret_cast<DeviceAddress>(values_.data()); }

 private:
  Device& device_;
  std::vector<T> values_;
};

int32_t wordAt(int32_t* word) {
  return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}
void setWord(int32_t* word, int32_t value) {
  __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

// ---- Memory ---------------------------------------------------------------------------------------------------------

TEST(EmulatedMemory, HasAHardLimit) {
  Device device({.memoryLimit = 4 * kMiB});
  DeviceAddress a = 0, b = 0, c = 0;
  ASSERT_TRUE(ok(device.allocate(3 * kMiB, &a)));
  EXPECT_TRUE(fails(device.allocate(kMiB + 1, &b), DeviceFault::outOfMemory,
                    "emulated:0 has no 1.00 MiB left: 3.00 MiB of 4.00 MiB are in use"));
  ASSERT_TRUE(ok(device.allocate(kMiB, &b)));
  EXPECT_EQ(4 * kMiB, device.memoryUsed());
  EXPECT_TRUE(fails(device.allocate(1, &c), DeviceFault::outOfMemory, ""));
  ASSERT_TRUE(ok(device.release(a)));
  EXPECT_EQ(kMiB, device.memoryUsed());
  EXPECT_EQ(4 * kMiB, device.memoryPeak());
  ASSERT_TRUE(ok(device.allocate(1, &c)));
  EXPECT_EQ(kMiB + 256, device.memoryUsed()) << "as allocators round";
  EXPECT_TRUE(fails(device.allocate(-1, &c), DeviceFault::invalidArgument, "-1 bytes"));
}

TEST(EmulatedMemory, AddressesAreAlignedAndNeverGivenTwice) {
  Device device({});
  DeviceAddress first = 0, second = 0;
  ASSERT_TRUE(ok(device.allocate(100, &first)));
  ASSERT_TRUE(ok(device.release(first)));
  ASSERT_TRUE(ok(device.allocate(100, &second)));
  EXPECT_NE(first, second);
  EXPECT_EQ(0u, first % 256);
  EXPECT_TRUE(fails(device.release(first), DeviceFault::invalidArgument, "has been released already"));
  EXPECT_TRUE(fails(device.release(second + 4), DeviceFault::invalidArgument, "is no address that allocate() gave"));
}

TEST(EmulatedMemoryDeathTest, TheHostCannotFollowAnAddress) {
  if (kThreadSanitizer) GTEST_SKIP() << "death tests start processes, which the thread sanitizer does not like";
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  Device device({});
  DeviceAddress address = 0;
  ASSERT_TRUE(ok(device.allocate(100, &address)));
  EXPECT_DEATH(*reinterpret_cast<volatile char*>(address) = 1, "");
  EXPECT_EQ(nullptr, device.hostView(address, 101));
  EXPECT_NE(nullptr, device.hostView(address, 100));
}

TEST(EmulatedMemory, DevicesDoNotShareAddresses) {
  OpenDevice zero({.index = 0}), one({.index = 1});
  DeviceArray<int> x(one.device, 64);
  EXPECT_TRUE(fails(zero.stream.fill(x.address(), 0, 256), DeviceFault::invalidArgument,
                    "belongs to emulated:1, another device"));
}

TEST(EmulatedMemory, PinnedMemoryOverlapsNone) {
  Device device({});
  std::vector<char> host(1000);
  ASSERT_TRUE(ok(device.pin(host.data() + 100, 100)));
  EXPECT_TRUE(fails(device.pin(host.data(), 101), DeviceFault::invalidArgument, "overlap what is pinned at 0x"));
  EXPECT_TRUE(fails(device.pin(host.data() + 199, 1), DeviceFault::invalidArgument, "overlap"));
  EXPECT_TRUE(ok(device.pin(host.data(), 100)));
  EXPECT_TRUE(ok(device.pin(host.data() + 200, 1)));
  EXPECT_TRUE(fails(device.unpin(host.data() + 150), DeviceFault::invalidArgument, "nothing is pinned at 0x"));
  EXPECT_TRUE(ok(device.unpin(host.data() + 100)));
  EXPECT_TRUE(fails(device.unpin(host.data() + 100), DeviceFault::invalidArgument, ""));
  EXPECT_TRUE(fails(device.pin(nullptr, 10), DeviceFault::invalidArgument, ""));
}

// ---- Copies ---------------------------------------------------------------------------------------------------------

TEST(EmulatedCopies, GoEverywhere) {
  OpenDevice open({});
  auto& [device, stream] = open;
  const int64_t count = 3 * kMiB / 4 + 7;  // several pieces
  Pinned<int> from(device, static_cast<size_t>(count)), to(device, static_cast<size_t>(count));
  std::iota(from.data(), from.data() + count, 5);
  DeviceArray<int> a(device, count), b(device, count);
  ASSERT_TRUE(ok(stream.copyToDevice(a.address(), from.data(), from.bytes())));
  ASSERT_TRUE(ok(stream.copyWithin(b.address(), a.address(), from.bytes())));
  ASSERT_TRUE(ok(stream.fill(b.address() + 4, 0, 4)));
  ASSERT_TRUE(ok(stream.copyToHost(to.data(), b.address(), to.bytes())));
  ASSERT_TRUE(ok(stream.synchronize()));
  for (int64_t i = 0; i < count; ++i) ASSERT_EQ(i == 1 ? 0 : i + 5, to[static_cast<size_t>(i)]) << i;
}

TEST(EmulatedCopies, OfPageableMemoryAreDoneWhenTheCallReturns) {
  OpenDevice open({.faults = {.linkLatency = milliseconds(20)}});
  auto& [device, stream] = open;
  std::vector<int> values(64, 3);
  DeviceArray<int> x(device, 64);
  ASSERT_TRUE(ok(stream.copyToDevice(x.address(), values.data(), 256)));
  values.assign(64, 4);  // has been read
  ASSERT_TRUE(ok(stream.copyToHost(values.data(), x.address(), 256)));
  EXPECT_EQ(std::vector<int>(64, 3), values);
}

TEST(EmulatedCopies, OfMuchPageableMemoryWait) {
  OpenDevice open({});
  auto& [device, stream] = open;
  std::vector<char> values(5 * kMiB + 3, 3), back(values.size());
  DeviceArray<char> x(device, static_cast<int64_t>(values.size()));
  ASSERT_TRUE(ok(stream.copyToDevice(x.address(), values.data(), x.count())));
  const std::vector<char> expected = values;
  values.assign(values.size(), 4);
  ASSERT_TRUE(ok(stream.copyToHost(back.data(), x.address(), x.count())));
  EXPECT_EQ(expected, back);
}

TEST(EmulatedCopies, RefuseWhatIsNotThere) {
  OpenDevice open({});
  auto& [device, stream] = open;
  DeviceArray<int> x(device, 64);
  int host[65] = {};
  EXPECT_TRUE(fails(stream.copyToDevice(x.address(), host, 260), DeviceFault::invalidArgument,
                    "copy to device: 260 bytes from 0x"));
  EXPECT_TRUE(fails(stream.copyToHost(host, x.address() + 4, 256), DeviceFault::invalidArgument, "252 that are left"));
  EXPECT_TRUE(fails(stream.copyWithin(x.address(), reinterpret_cast<DeviceAddress>(host), 4),
                    DeviceFault::invalidArgument, "is a host address that is not pinned"));
  EXPECT_TRUE(fails(stream.copyToDevice(reinterpret_cast<DeviceAddress>(host), host, 4), DeviceFault::invalidArgument,
                    "is a host address that is not pinned"));
  EXPECT_TRUE(fails(stream.copyToHost(reinterpret_cast<void*>(x.address()), x.address(), 4),
                    DeviceFault::invalidArgument, "is no address of the host"));
  EXPECT_TRUE(fails(stream.fill(0, 0, 4), DeviceFault::invalidArgument, "0x0 is null"));
  EXPECT_TRUE(fails(stream.fill(x.address(), 0, -4), DeviceFault::invalidArgument, "-4 bytes"));
  EXPECT_TRUE(ok(stream.copyToDevice(x.address(), host, 0)));
  EXPECT_TRUE(ok(stream.synchronize())) << "the stream goes on";
}

TEST(EmulatedCopies, OfReleasedMemoryFail) {
  OpenDevice open({});
  auto& [device, stream] = open;
  Pinned<int32_t> word(device, 1);
  DeviceAddress x = 0;
  ASSERT_TRUE(ok(device.allocate(256, &x)));
  ASSERT_TRUE(ok(stream.awaitWord(word.address(), 1)));
  ASSERT_TRUE(ok(stream.fill(x, 0, 256)));
  ASSERT_TRUE(ok(device.release(x)));
  EXPECT_TRUE(fails(stream.fill(x, 0, 256), DeviceFault::invalidArgument, "or has been released"));
  setWord(word.data(), 1);
  EXPECT_TRUE(fails(stream.synchronize(), DeviceFault::copyFailed, "its memory has been released"));
}

TEST(EmulatedLaunches, RefuseTheOtherKindOfViews) {
  OpenDevice open({.checked = true});
  DeviceArray<int> x(open.device, 64);
  EXPECT_TRUE(fails(addTo(open.stream, x, 1), DeviceFault::invalidArgument,
                    "add: compiled with raw views, but emulated:0 was opened for checked ones"));
}

TEST(EmulatedLaunches, UseManyBlocksAndThreads) {
  for (const int threads : {1, 2, 5}) {
    OpenDevice open({.threads = threads});
    auto& [device, stream] = open;
    DeviceArray<int> x(device, stream, std::vector<int>(64 * 500, 1));
    for (const auto& [order, seed] : orders()) {
      stream.setOrder(order, seed);
      ASSERT_TRUE(ok(addTo(stream, x, 2)));
    }
    EXPECT_EQ(std::vector<int>(64 * 500, 1 + 2 * static_cast<int>(orders().size())), x.read(stream));
  }
}

// ---- Streams and events ---------------------------------------------------------------------------------------------

TEST(EmulatedStreams, KeepTheirOrderAndRunBesideOneAnother) {
  Device device({});
  Stream first(device), second(device);
  DeviceArray<int> x(device, first, std::vector<int>(64)), y(device, second, std::vector<int>(64));
  Pinned<int32_t> word(device, 1);
  // The first stream waits for the second.
  ASSERT_TRUE(ok(first.awaitWord(word.address(), 7)));
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(ok(addTo(first, x, i)));
  EXPECT_EQ(DeviceFault::notReady, first.query().fault());
  ASSERT_TRUE(ok(addTo(second, y, 1)));
  ASSERT_TRUE(ok(second.writeWord(word.address(), 8)));
  EXPECT_EQ(std::vector<int>(64, 190), x.read(first));
  EXPECT_EQ(std::vector<int>(64, 1), y.read(second));
  EXPECT_TRUE(ok(first.query()));
}

TEST(EmulatedStreams, WaitForWordsOfTheHost) {
  OpenDevice open({});
  auto& [device, stream] = open;
  Pinned<int32_t> words(device, 2);
  words[0] = -5;
  ASSERT_TRUE(ok(stream.awaitWord(words.address(), -4)));
  ASSERT_TRUE(ok(stream.writeWord(words.address() + 4, 1)));
  std::this_thread::sleep_for(milliseconds(5));
  EXPECT_EQ(0, wordAt(words.data() + 1));
  setWord(words.data(), 3);
  ASSERT_TRUE(ok(stream.synchronize()));
  EXPECT_EQ(1, wordAt(words.data() + 1));
  EXPECT_TRUE(fails(stream.awaitWord(words.address() + 2, 0), DeviceFault::invalidArgument, "not aligned"));
  DeviceArray<int32_t> inDevice(device, 1);
  EXPECT_TRUE(fails(stream.writeWord(inDevice.address(), 0), DeviceFault::invalidArgument, "not in pinned memory"));
}

TEST(EmulatedStreams, CallTheHostInOrder) {
  OpenDevice open({});
  auto& [device, stream] = open;
  Pinned<int> result(device, 64);
  DeviceArray<int> x(device, stream, std::vector<int>(64, 1));
  int seen = 0;
  ASSERT_TRUE(ok(stream.copyToHost(result.data(), x.address(), 256)));
  ASSERT_TRUE(ok(stream.call([&] {
    seen = result[5];
    result[5] = 9;
  })));
  ASSERT_TRUE(ok(stream.copyToDevice(x.address(), result.data(), 256)));
  ASSERT_TRUE(ok(stream.synchronize()));
  EXPECT_EQ(1, seen);
  EXPECT_EQ(9, x.read(stream)[5]);
}

TEST(EmulatedEvents, OrderStreams) {
  Device device({});
  Stream first(device), second(device);
  DeviceArray<int> x(device, first, std::vector<int>(64));
  Event event;
  EXPECT_TRUE(ok(event.query())) << "never recorded";
  for (int i = 0; i < 30; ++i) {
    ASSERT_TRUE(ok(addTo(first, x, 1)));
    ASSERT_TRUE(ok(first.record(event)));
    ASSERT_TRUE(ok(second.wait(event)));
    ASSERT_TRUE(ok(addTo(second, x, 1)));
    ASSERT_TRUE(ok(second.record(event)));
    ASSERT_TRUE(ok(first.wait(event)));
  }
  ASSERT_TRUE(ok(event.synchronize()));
  EXPECT_TRUE(ok(event.query()));
  EXPECT_EQ(std::vector<int>(64, 60), x.read(first));
}

TEST(EmulatedEvents, AreOfTheirLastRecordWhenAskedFor) {
  OpenDevice open({});
  auto& [device, stream] = open;
  Stream other(device);
  Pinned<int32_t> word(device, 1);
  Event event;
  ASSERT_TRUE(ok(other.record(event)));
  ASSERT_TRUE(ok(stream.wait(event)));  // of this record, which happens, not of the next
  ASSERT_TRUE(ok(other.awaitWord(word.address(), 1)));
  ASSERT_TRUE(ok(other.record(event)));
  EXPECT_TRUE(ok(stream.synchronize()));
  EXPECT_EQ(DeviceFault::notReady, event.query().fault());
  setWord(word.data(), 1);
  EXPECT_TRUE(ok(event.synchronize()));
  EXPECT_TRUE(ok(other.synchronize()));
}

TEST(EmulatedEvents, HaveTimes) {
  OpenDevice open({.faults = {.linkLatency = milliseconds(15)}});
  auto& [device, stream] = open;
  DeviceArray<int> x(device, 64);
  Pinned<int> host(device, 64);
  Event before, after;
  std::chrono::nanoseconds time{};
  EXPECT_TRUE(fails(Event::elapsed(before, after, &time), DeviceFault::invalidArgument, "never recorded"));
  ASSERT_TRUE(ok(stream.record(before)));
  ASSERT_TRUE(ok(stream.copyToDevice(x.address(), host.data(), 256)));
  ASSERT_TRUE(ok(stream.record(after)));
  ASSERT_TRUE(ok(after.synchronize()));
  ASSERT_TRUE(ok(Event::elapsed(before, after, &time)));
  EXPECT_GE(time, milliseconds(15));
  EXPECT_LT(time, std::chrono::seconds(10));
}

// ---- Cancelling -----------------------------------------------------------------------------------------------------

TEST(EmulatedCancel, DropsWhatHasNotBegun) {
  Device device({});
  Stream stream(device), other(device);
  Pinned<int32_t> word(device, 1);
  DeviceArray<int> x(device, stream, std::vector<int>(64));
  ASSERT_TRUE(ok(stream.synchronize()));
  Event dropped;
  ASSERT_TRUE(ok(stream.awaitWord(word.address(), 1)));  // nobody will write it
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(ok(addTo(stream, x, 1)));
  ASSERT_TRUE(ok(stream.record(dropped)));
  ASSERT_TRUE(ok(other.wait(dropped)));
  const auto begun = steady_clock::now();
  stream.cancel();
  EXPECT_TRUE(ok(stream.synchronize()));
  EXPECT_LT(steady_clock::now() - begun, milliseconds(2000));
  EXPECT_TRUE(fails(dropped.synchronize(), DeviceFault::cancelled, "was told to drop it"));
  EXPECT_TRUE(ok(other.synchronize())) << "goes on";
  EXPECT_EQ(std::vector<int>(64), x.read(stream)) << "can be used again";
}

TEST(EmulatedCancel, EndsACopyOverASlowLink) {
  OpenDevice open({.faults = {.linkBytesPerSecond = 1e6}});
  auto& [device, stream] = open;
  DeviceArray<char> x(device, 20 * kMiB);
  Pinned<char> host(device, 20 * kMiB);
  ASSERT_TRUE(ok(stream.copyToDevice(x.address(), host.data(), host.bytes())));
  std::this_thread::sleep_for(milliseconds(5));
  const auto begun = steady_clock::now();
  stream.cancel();
  EXPECT_TRUE(ok(stream.synchronize()));
  EXPECT_LT(steady_clock::now() - begun, milliseconds(5000)) << "it would take 20 seconds";
}

TEST(EmulatedCancel, HappensWhenAStreamIsClosed) {
  Device device({});
  Pinned<int32_t> word(device, 1);
  Stream stream(device);
  ASSERT_TRUE(ok(stream.awaitWord(word.address(), 1)));
  ASSERT_TRUE(ok(stream.awaitWord(word.address(), 2)));
}

// ---- Faults ---------------------------------------------------------------------------------------------------------

TEST(EmulatedFaults, AllocationFails) {
  Device device({.faults = {.failAllocation = 2}});
  DeviceAddress address = 0;
  EXPECT_TRUE(ok(device.allocate(10, &address)));
  EXPECT_TRUE(fails(device.allocate(10, &address), DeviceFault::outOfMemory,
                    "emulated:0 has no 10 bytes left: allocation 2 is to fail"));
  EXPECT_TRUE(ok(device.allocate(10, &address))) << "the device goes on";
}

TEST(EmulatedFaults, CopyFails) {
  OpenDevice open({.faults = {.failCopy = 3}});
  auto& [device, stream] = open;
  Stream other(device);
  DeviceArray<int> x(device, stream, std::vector<int>(64, 1));
  Event event;
  Pinned<int> host(device, 64);
  ASSERT_TRUE(ok(stream.copyToHost(host.data(), x.address(), 256)));
  ASSERT_TRUE(ok(stream.copyToHost(host.data(), x.address(), 256)));
  EXPECT_TRUE(fails(stream.synchronize(), DeviceFault::copyFailed, "copy to host of 256 bytes: copy 3 is to fail"));
  EXPECT_TRUE(fails(addTo(stream, x, 1), DeviceFault::copyFailed, "copy 3 is to fail")) << "the stream is spoilt";
  EXPECT_TRUE(fails(stream.record(event), DeviceFault::copyFailed, "copy 3"));
  EXPECT_TRUE(fails(other.wait(event), DeviceFault::none, ""));
  EXPECT_TRUE(fails(other.synchronize(), DeviceFault::copyFailed, "waited for an event whose stream has failed"));
  Stream third(device);
  EXPECT_EQ(std::vector<int>(64, 1), x.read(third)) << "the device goes on";
}

TEST(EmulatedFaults, LaunchesFailForGood) {
  OpenDevice open({.faults = {.failLaunchesFrom = 2}});
  auto& [device, stream] = open;
  Stream other(device);
  DeviceArray<int> x(device, stream, std::vector<int>(64));
  ASSERT_TRUE(ok(addTo(stream, x, 1)));
  ASSERT_TRUE(ok(stream.synchronize()));
  EXPECT_TRUE(
      fails(addTo(stream, x, 1), DeviceFault::kernelFailed, "add: launch 2 is to fail, and all calls after it"));
  DeviceAddress address = 0;
  Event event;
  for (const DeviceError& error : {other.synchronize(), device.allocate(1, &address), stream.record(event),
                                   other.fill(x.address(), 0, 4), device.error(), stream.query()}) {
    EXPECT_TRUE(fails(error, DeviceFault::kernelFailed, "launch 2 is to fail"));
  }
}

TEST(EmulatedFaults, DeviceIsLost) {
  OpenDevice open({.faults = {.loseAtOperation = 3}});
  auto& [device, stream] = open;
  Stream other(device);
  DeviceArray<int> x(device, stream, std::vector<int>(64));
  Pinned<int32_t> word(device, 1);
  ASSERT_TRUE(ok(other.awaitWord(word.address(), 1)));  // the second, which nobody will write
  std::this_thread::sleep_for(milliseconds(20));
  const DeviceError third = addTo(stream, x, 1);  // the third, unless the copy was slow
  EXPECT_TRUE(fails(stream.synchronize(), DeviceFault::lost, "emulated:0 is lost")) << third.message();
  EXPECT_TRUE(fails(other.synchronize(), DeviceFault::lost, "emulated:0 is lost")) << "who waits is freed";
  DeviceAddress address = 0;
  EXPECT_TRUE(fails(device.allocate(1, &address), DeviceFault::lost, ""));
}

TEST(EmulatedFaults, LinkIsSlow) {
  OpenDevice open({.faults = {.linkBytesPerSecond = 10e6, .linkLatency = milliseconds(10)}});
  auto& [device, stream] = open;
  DeviceArray<char> x(device, 300'000);
  Pinned<char> host(device, 300'000);
  Pinned<int32_t> gate(device, 1);
  ASSERT_TRUE(ok(stream.awaitWord(gate.address(), 1)));
  ASSERT_TRUE(ok(stream.copyToDevice(x.address(), host.data(), host.bytes()))) << "this does not wait for the copy";
  const auto begun = steady_clock::now();
  setWord(gate.data(), 1);
  ASSERT_TRUE(ok(stream.synchronize()));
  EXPECT_GE(steady_clock::now() - begun, milliseconds(40));
}

}  // namespace
}  // namespace td::raw
