// One kernel that is wrong on purpose for each thing that checked views find; and a right one that is left in peace.
#include <atomic>
#include <chrono>
#include <thread>

#include "cuda/views.h"
#include "emulated/device_fixture.h"

namespace td::checked {
namespace {

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

std::string orderOfTest(const ::testing::TestParamInfo<Order>& info) {
  return std::vector<std::string>{"Ascending", "Descending", "Random", "OtherRandom"}[info.index];
}

INSTANTIATE_TEST_SUITE_P(InOrder, Detectors, ::testing::ValuesIn(orders()), orderOfTest);

// ---- Nothing wrong --------------------------------------------------------------------------------------------------

__global__ void clean(In zeros, Out out) {
  TD_SHARED(float, values, 64);
  const Shared<float> more = dynamicShared<float>(0, 64);
  const int i = static_cast<int>(threadIdx.x), lane = i % 32, warp = i - lane;
  values[i] = 1 + zeros[i];
  more[63 - i] = 2;
  __syncthreads();
  const float sum = values[63 - i] + more[i];
  __syncthreads();
  values[i] = sum;
  __syncwarp();
  const float other = values[warp + 31 - lane];
  // What half a warp writes, it alone reads.
  const unsigned half = lane < 16 ? 0x0000ffff : 0xffff0000;
  __syncwarp();
  values[i] = other;
  __syncwarp(half);
  const float third = values[i ^ 15];
  const unsigned odd = __ballot_sync(kAll, lane & 1);
  if (blockIdx.x == 0) out[i] = __shfl_sync(kAll, third, 3) + (odd == 0xaaaaaaaa ? 0.0f : 1.0f);
}

TEST_P(Detectors, ARightKernelIsLeftInPeace) {
  EXPECT_EQ("", messageOf<clean>());
  EXPECT_EQ("", messageOf<clean>(3));
}

// ---- Bounds and alignment -------------------------------------------------------------------------------------------

__global__ void readsBehind(In zeros, Out out) {
  out[threadIdx.x] = zeros[threadIdx.x + 1];
}
__global__ void writesBefore(In, Out out) {
  out[static_cast<int>(threadIdx.x) - 1] = 1;
}
__global__ void overflowsShared(In, Out) {
  TD_SHARED(float, first, 64);
  TD_SHARED(float, second, 64);
  first[threadIdx.x + 1] = 1;  // on a GPU the last thread would write second[0]
  second[threadIdx.x] = 1;
}
__global__ void overflowsDynamic(In, Out) {
  dynamicShared<float>(0, 64)[threadIdx.x + 1] = 1;
}
__global__ void usesMoreDynamic(In, Out) {
  dynamicShared<float>(64, 64)[threadIdx.x] = 1;
}
__global__ void readsWideAtTheEnd(In zeros, Out) {
  loadAs<float4>(zeros, 62);
}
__global__ void usesNothing(In, Out) {
  const Global<float> nothing;
  nothing[threadIdx.x] = 1;
}

TEST_P(Detectors, OutOfBounds) {
  EXPECT_TRUE(begins(messageOf<readsBehind>(), "out of bounds: read of global zeros[64] (of 64) by thread (63,0,0)"));
}
TEST_P(Detectors, OutOfBoundsBeforeTheFirst) {
  EXPECT_TRUE(begins(messageOf<writesBefore>(), "out of bounds: write to global fresh[-1] (of 64) by thread (0,0,0)"));
}
TEST_P(Detectors, OutOfBoundsOfASharedArray) {
  EXPECT_TRUE(begins(messageOf<overflowsShared>(), "out of bounds: write to shared first[64] (of 64)"));
}
TEST_P(Detectors, OutOfBoundsOfDynamicShared) {
  EXPECT_TRUE(begins(messageOf<overflowsDynamic>(), "out of bounds: write to shared dynamic(byte 0)[64] (of 64)"));
}
TEST_P(Detectors, MoreDynamicSharedThanAskedFor) {
  EXPECT_TRUE(begins(messageOf<usesMoreDynamic>(),
                     "bytes 64 to 320 of dynamic shared memory are used; the launch asked for 256"));
}
TEST_P(Detectors, OutOfBoundsOfAWideAccess) {
  EXPECT_TRUE(begins(messageOf<readsWideAtTheEnd>(), "out of bounds: read of global zeros[62] (of 64)"));
}
TEST_P(Detectors, AnArrayThatWasLeftOut) {
  EXPECT_TRUE(begins(messageOf<usesNothing>(), "null: access to an element"));
}

__global__ void readsMisaligned(In zeros, Out) {
  if (threadIdx.x < 60) loadAs<float4>(zeros, threadIdx.x / 32 + 1);
}
__global__ void writesMisaligned(In, Out out) {
  if (threadIdx.x == 3) storeAs(out, 3, make_float2(1, 2));
}

TEST_P(Detectors, Misaligned) {
  EXPECT_TRUE(begins(messageOf<readsMisaligned>(), "misaligned: read of global zeros["));
}
TEST_P(Detectors, MisalignedWrite) {
  EXPECT_TRUE(
      begins(messageOf<writesMisaligned>(),
             "misaligned: write to global fresh[3] (of 64) by thread (3,0,0); it needs an address divisible by 8"));
}

// ---- Uninitialised --------------------------------------------------------------------------------------------------

__global__ void addsToFresh(In, Out out) {
  out[threadIdx.x] += 1;
}
__global__ void readsAHole(In, Out out) {
  TD_SHARED(float, values, 64);
  if (threadIdx.x < 63) values[threadIdx.x] = 1;
  __syncthreads();
  out[threadIdx.x] = values[threadIdx.x];
}
// Shared memory keeps nothing from block to block, though on a GPU it often seems to.
__global__ void readsWhatTheBlockBeforeLeft(In, Out out) {
  TD_SHARED(float, values, 64);
  if (blockIdx.x == 0) values[threadIdx.x] = 1;
  if (blockIdx.x == 1) out[threadIdx.x] = values[threadIdx.x];
}
__global__ void countsFromNothing(In, Out) {
  TD_SHARED(int, count, 1);
  atomicAdd(&count[0], 1);
}

TEST_P(Detectors, Uninitialised) {
  EXPECT_TRUE(begins(messageOf<addsToFresh>(), "uninitialised: read of global fresh["));
}
TEST_P(Detectors, UninitialisedShared) {
  EXPECT_TRUE(begins(messageOf<readsAHole>(),
                     "uninitialised: read of shared values[63] (of 64) by thread (63,0,0), which last synchronised at "
                     "detectors_test.cpp:"));
}
TEST_P(Detectors, UninitialisedSharedOfAnotherBlock) {
  EXPECT_TRUE(begins(messageOf<readsWhatTheBlockBeforeLeft>(2), "uninitialised: read of shared values["));
}
TEST_P(Detectors, UninitialisedAtomic) {
  EXPECT_TRUE(begins(messageOf<countsFromNothing>(), "uninitialised: atomic access to shared count[0] (of 1)"));
}

// ---- Barriers and warps ---------------------------------------------------------------------------------------------

__global__ void returnsEarly(In, Out) {
  if (threadIdx.x >= 50) return;
  __syncthreads();
}
__global__ void twoBarriers(In, Out) {
  if (threadIdx.x < 32) {
    __syncthreads();
  } else {
    __syncthreads();
  }
}
__global__ void barrierInHalfAWarp(In, Out) {
  if (threadIdx.x % 32 < 16) {
    __shfl_xor_sync(kAll, 1, 1);
  } else {
    __syncthreads();
  }
}
__global__ void missesLanes(In, Out) {
  if (threadIdx.x % 32 != 7) __syncwarp();
}
__global__ void differentOperations(In, Out) {
  if (threadIdx.x % 32 < 16) {
    __ballot_sync(kAll, 1);
  } else {
    __shfl_xor_sync(kAll, 1, 1);
  }
}
__global__ void notInItsMask(In, Out) {
  __syncwarp(0x0000ffff);
}
__global__ void takesFromOutside(In, Out) {
  if (threadIdx.x % 32 < 16) __shfl_xor_sync(0x0000ffff, 1, 16);
}

TEST_P(Detectors, BarrierThatSomeNeverReach) {
  EXPECT_TRUE(
      begins(messageOf<returnsEarly>(), "divergent barrier: 50 threads wait in __syncthreads at detectors_test.cpp:"));
}
TEST_P(Detectors, BarriersAtDifferentLines) {
  EXPECT_TRUE(
      begins(messageOf<twoBarriers>(), "divergent barrier: 32 threads wait in __syncthreads at detectors_test.cpp:"));
}
TEST_P(Detectors, BarrierInHalfAWarp) {
  EXPECT_TRUE(begins(messageOf<barrierInHalfAWarp>(),
                     "divergent barrier: 32 threads wait in __shfl_xor_sync at detectors_test.cpp:"));
}
TEST_P(Detectors, LanesMissing) {
  EXPECT_TRUE(
      begins(messageOf<missesLanes>(), "divergent barrier: 62 threads wait in __syncwarp at detectors_test.cpp:"));
}
TEST_P(Detectors, LanesInDifferentOperations) {
  EXPECT_TRUE(begins(messageOf<differentOperations>(), "divergent warp: lanes meet in different operations"));
}
TEST_P(Detectors, LaneOutsideItsMask) {
  EXPECT_TRUE(begins(messageOf<notInItsMask>(), "divergent warp: thread ("));
}
TEST_P(Detectors, ShuffleFromALaneThatTakesNoPart) {
  const std::string message = messageOf<takesFromOutside>();
  EXPECT_TRUE(begins(message, "divergent warp: thread ("));
  EXPECT_NE(std::string::npos, message.find(" takes lane 16 in __shfl_xor_sync at detectors_test.cpp:")) << message;
}

// ---- Races ----------------------------------------------------------------------------------------------------------

__global__ void missesABarrier(In, Out out) {
  TD_SHARED(float, values, 64);
  values[threadIdx.x] = 1;
  __syncthreads();
  const float other = values[63 - threadIdx.x];
  values[threadIdx.x] = other + 1;
  out[threadIdx.x] = other;
}
__global__ void missesTheFirstBarrier(In, Out out) {
  TD_SHARED(float, values, 64);
  values[threadIdx.x] = 1;
  out[threadIdx.x] = values[threadIdx.x ^ 1];
}
__global__ void shufflesForABarrier(In, Out out) {
  TD_SHARED(float, values, 64);
  values[threadIdx.x] = 1;
  __syncthreads();
  const float before = values[threadIdx.x ^ 1];
  __shfl_xor_sync(kAll, 1, 1);
  values[threadIdx.x] = before + 1;
  out[threadIdx.x] = 0;
}
__global__ void syncsTheWarpAlone(In, Out out) {
  TD_SHARED(float, values, 64);
  values[threadIdx.x] = 1;
  __syncthreads();
  const float before = values[63 - threadIdx.x];  // of the other warp
  __syncwarp();
  values[threadIdx.x] = before + 1;
  out[threadIdx.x] = 0;
}
// Read by the other warp, then by its own, ordered: the last two readers are of this warp, and ordered.
__global__ void hidesAReader(In, Out) {
  TD_SHARED(float, value, 1);
  if (threadIdx.x == 0) value[0] = 1;
  __syncthreads();
  if (threadIdx.x >= 30 && threadIdx.x <= 33) [[maybe_unused]]
    const float seen = value[0];
  __syncwarp();
  if (threadIdx.x == 31) value[0] = 2;
}
__global__ void syncsTheWrongHalf(In, Out out) {
  TD_SHARED(float, values, 64);
  values[threadIdx.x] = 1;
  __syncthreads();
  const float before = values[threadIdx.x ^ 16];
  __syncwarp(threadIdx.x % 32 < 16 ? 0x0000ffff : 0xffff0000);
  values[threadIdx.x] = before + 1;
  out[threadIdx.x] = 0;
}
__global__ void blocksCollide(In, Out out) {
  out[threadIdx.x] = static_cast<float>(blockIdx.x);
}
__global__ void readsWhatAnotherBlockWrites(In, Out out) {
  if (blockIdx.x == gridDim.x / 2) {
    out[threadIdx.x] = 1;
  } else {
    [[maybe_unused]] const float seen = out[threadIdx.x];
  }
}
__global__ void mixesAtomicAndPlain(In, Out) {
  TD_SHARED(int, count, 1);
  if (threadIdx.x == 0) count[0] = 0;
  __syncthreads();
  atomicAdd(&count[0], 1);
  if (threadIdx.x == 40) [[maybe_unused]]
    const int seen = count[0];
}
// Half of a float each: neighbours in one word are no race.
__global__ void writesHalves(In, Out) {
  TD_SHARED(__half, values, 64);
  values[threadIdx.x] = __float2half(1);
  __syncthreads();
  TD_SHARED(unsigned char, bytes, 64);
  bytes[threadIdx.x] = 1;
  __syncthreads();
  [[maybe_unused]] const unsigned four = loadAs<unsigned>(bytes, threadIdx.x / 4 * 4);
}

// The last block to finish sums what all have written.
template <bool fences, bool counts>
__global__ void lastBlockSums(In, Out out, Global<unsigned> finished) {
  TD_SHARED(unsigned, before, 1);
  if (threadIdx.x == 0) out[1 + blockIdx.x] = 1;
  if (fences) __threadfence();
  if (threadIdx.x == 0) before[0] = counts ? atomicAdd(&finished[0], 1u) : blockIdx.x;
  __syncthreads();
  if (before[0] + 1 < gridDim.x || threadIdx.x > 0) return;
  float sum = 0;
  for (unsigned i = 0; i < gridDim.x; ++i) sum += out[1 + i];
  out[0] = sum;
}

TEST_P(Detectors, AnAtomicBehindAFenceOrdersBlocks) {
  DeviceArray<unsigned> finished(device(), stream(), {0}, "finished");
  DeviceArray<float> zeros(device(), 64, "zeros"), out(device(), 64, "fresh");
  for (int i = 0; i < 2; ++i) {
    finished.write(stream(), {0});
    ASSERT_TRUE(ok(launch<lastBlockSums<true, true>>(7, 64, 0, &stream(), zeros.input(), out.span(), finished.span())));
    ASSERT_TRUE(ok(stream().synchronize()));
    EXPECT_EQ(7, out.read(stream())[0]);
  }
}

TEST_P(Detectors, AnAtomicWithoutAFenceOrdersNothing) {
  DeviceArray<unsigned> finished(device(), stream(), {0}, "finished");
  DeviceArray<float> zeros(device(), 64, "zeros"), out(device(), 64, "fresh");
  ASSERT_TRUE(ok(launch<lastBlockSums<false, true>>(7, 64, 0, &stream(), zeros.input(), out.span(), finished.span())));
  EXPECT_TRUE(fails(stream().synchronize(), DeviceFault::kernelFailed, "race: read of global fresh["));
}

TEST_P(Detectors, AFenceWithoutAnAtomicOrdersNothing) {
  DeviceArray<unsigned> finished(device(), stream(), {0}, "finished");
  DeviceArray<float> zeros(device(), 64, "zeros"), out(device(), stream(), std::vector<float>(64), "fresh");
  ASSERT_TRUE(ok(launch<lastBlockSums<true, false>>(7, 64, 0, &stream(), zeros.input(), out.span(), finished.span())));
  EXPECT_TRUE(fails(stream().synchronize(), DeviceFault::kernelFailed, "race: "));
}

TEST_P(Detectors, RaceOfReaderAndWriter) {
  const std::string message = messageOf<missesABarrier>();
  EXPECT_TRUE(begins(message, "race: "));
  EXPECT_NE(std::string::npos, message.find(" of shared values[") + message.find(" to shared values["));
  EXPECT_NE(std::string::npos, message.find(" it, and nothing orders the two")) << message;
}
TEST_P(Detectors, RaceOrTooEarly) {
  const std::string message = messageOf<missesTheFirstBarrier>();
  EXPECT_TRUE(begins(message, "race: read of shared values[") ||
              begins(message, "uninitialised: read of shared values["))
      << message;
}
TEST_P(Detectors, ShuffleIsNoBarrier) {
  EXPECT_TRUE(begins(messageOf<shufflesForABarrier>(), "race: write to shared values["));
}
TEST_P(Detectors, SyncwarpIsNoBarrierOfTheBlock) {
  EXPECT_TRUE(begins(messageOf<syncsTheWarpAlone>(), "race: "));
}
TEST_P(Detectors, ReaderBehindSyncwarp) {
  EXPECT_TRUE(begins(messageOf<hidesAReader>(), "race: "));
}
TEST_P(Detectors, SyncwarpOfAnotherHalf) {
  EXPECT_TRUE(begins(messageOf<syncsTheWrongHalf>(), "race: write to shared values["));
}
TEST_P(Detectors, RaceBetweenBlocks) {
  const std::string message = messageOf<blocksCollide>(2);
  EXPECT_TRUE(begins(message, "race: write to global fresh["));
  EXPECT_NE(std::string::npos, message.find(" of the same grid wrote it")) << message;
}
TEST_P(Detectors, RaceOfReaderBetweenBlocks) {
  const std::string message = messageOf<readsWhatAnotherBlockWrites>(3);
  EXPECT_TRUE(begins(message, "race: ") || begins(message, "uninitialised: ")) << message;
}
TEST_P(Detectors, AtomicAndPlainMixed) {
  const std::string message = messageOf<mixesAtomicAndPlain>();
  EXPECT_TRUE(begins(message, "race: "));
  EXPECT_NE(std::string::npos, message.find("(atomic and plain access mixed)")) << message;
}
TEST_P(Detectors, NeighboursInAWordAreNoRace) {
  EXPECT_EQ("", messageOf<writesHalves>());
}

// ---- Limits ---------------------------------------------------------------------------------------------------------

__global__ void declaresTooMuch(In, Out) {
  TD_SHARED(float, values, 13000);
  values[threadIdx.x] = 1;
}
__global__ void declaresMuch(In, Out) {
  TD_SHARED(float, values, 12000);
  values[threadIdx.x] = 1;
}
__global__ void doesNothing(In, Out) {}

TEST_P(Detectors, TooMuchSharedMemory) {
  EXPECT_TRUE(begins(messageOf<declaresTooMuch>(),
                     "shared arrays take 52000 bytes with values; at most 49152 may be declared"));
}
TEST_P(Detectors, TooMuchSharedMemoryTogether) {
  EXPECT_EQ("", messageOf<declaresMuch>(1, 98304 - 48000));
  EXPECT_TRUE(begins(messageOf<declaresMuch>(1, 98304 - 48000 + 4),
                     "shared memory: 48000 bytes declared and 50308 dynamic are more than 98304"));
}
TEST_P(Detectors, TooMuchDynamicSharedMemory) {
  EXPECT_EQ("doesNothing: 98308 bytes of dynamic shared memory; at most 98304", messageOf<doesNothing>(1, 98308));
  EXPECT_EQ("", messageOf<doesNothing>(1, 98304));
}

TEST_P(Detectors, TooManyThreads) {
  const auto refused = [&](dim3 grid, dim3 block) {
    return launch<doesNothing>(grid, block, 0, &stream(), DeviceSpan<const float>{}, DeviceSpan<float>{});
  };
  EXPECT_TRUE(fails(refused(1, 1025), DeviceFault::invalidArgument,
                    "doesNothing: blocks of 1025 x 1 x 1 threads; there must be 1 to 1024"));
  EXPECT_TRUE(fails(refused(1, dim3(32, 33)), DeviceFault::invalidArgument, "blocks of 32 x 33 x 1 threads"));
  EXPECT_TRUE(fails(refused(1, dim3(1, 1, 65)), DeviceFault::invalidArgument, "in z up to 64"));
  EXPECT_TRUE(fails(refused(0, 1), DeviceFault::invalidArgument, "a grid of 0 x 1 x 1 blocks"));
  EXPECT_TRUE(fails(refused(dim3(1, 65536), 1), DeviceFault::invalidArgument, "a grid of 1 x 65536 x 1 blocks"));
  EXPECT_TRUE(ok(refused(1, 1024)));
  EXPECT_TRUE(ok(stream().synchronize()));
}

// ---- Addresses ------------------------------------------------------------------------------------------------------

TEST_P(Detectors, HostPointer) {
  std::vector<float> host(64);
  const auto address = reinterpret_cast<DeviceAddress>(host.data());
  DeviceArray<float> out(device(), 64, "out");
  const DeviceError error = launch<clean>(1, 64, 256, &stream(), DeviceSpan<const float>{address, 64, "x"}, out.span());
  char text[128];
  snprintf(text, sizeof text, "clean: x: 0x%llx is a host address that is not pinned",
           static_cast<unsigned long long>(address));
  EXPECT_TRUE(fails(error, DeviceFault::kernelFailed, text));
  EXPECT_TRUE(fails(stream().synchronize(), DeviceFault::kernelFailed, text)) << "it stays";
}

// What was asked for before it happens all the same.
TEST_P(Detectors, HostPointerBehindOtherWork) {
  DeviceArray<float> zeros(device(), stream(), std::vector<float>(64), "zeros"), out(device(), 64, "out");
  std::atomic<bool> called = false;
  ASSERT_TRUE(ok(stream().call([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    called = true;
  })));
  EXPECT_TRUE(fails(launch<clean>(1, 64, 256, &stream(), DeviceSpan<const float>{64, 64, nullptr}, out.span()),
                    DeviceFault::kernelFailed, "clean: argument 0: 0x40 is a host address"));
  EXPECT_TRUE(fails(stream().synchronize(), DeviceFault::kernelFailed, "clean: argument 0: 0x40"));
  EXPECT_TRUE(called);
}

TEST_P(Detectors, PinnedMemoryIsReached) {
  std::vector<float> host(64);
  ASSERT_TRUE(ok(device().pin(host.data(), 256)));
  const auto address = reinterpret_cast<DeviceAddress>(host.data());
  DeviceArray<float> out(device(), 64, "out");
  ASSERT_TRUE(ok(launch<clean>(1, 64, 256, &stream(), DeviceSpan<const float>{address, 64, "x"}, out.span())));
  EXPECT_TRUE(ok(stream().synchronize()));
  EXPECT_TRUE(ok(device().unpin(host.data())));
}

TEST_P(Detectors, MoreThanAnAllocation) {
  DeviceArray<float> zeros(device(), 64);
  const DeviceError error =
      launch<clean>(1, 64, 256, &stream(), DeviceSpan<const float>{zeros.address() + 128, 33, nullptr}, zeros.span());
  EXPECT_TRUE(fails(error, DeviceFault::kernelFailed, "clean: argument 0: 132 bytes from 0x"));
  EXPECT_TRUE(fails(error, DeviceFault::kernelFailed, " are more than the 128 that are left of its allocation"));
}

TEST_P(Detectors, MisalignedArgument) {
  DeviceArray<float> zeros(device(), 64);
  const DeviceError error =
      launch<clean>(1, 64, 256, &stream(), DeviceSpan<const float>{zeros.address() + 2, 63, "x"}, zeros.span());
  EXPECT_TRUE(fails(error, DeviceFault::kernelFailed, "clean: x: misaligned, its address is not divisible by 4"));
}

// Bounds are the tensor's, not the allocation's.
TEST_P(Detectors, TensorInsideAnAllocation) {
  DeviceArray<float> all(device(), stream(), std::vector<float>(256), "all"), out(device(), 64, "out");
  ASSERT_TRUE(ok(
      launch<readsBehind>(1, 64, 0, &stream(), DeviceSpan<const float>{all.address() + 64, 64, "part"}, out.span())));
  EXPECT_TRUE(
      fails(stream().synchronize(), DeviceFault::kernelFailed, "out of bounds: read of global part[64] (of 64)"));
}

TEST_P(Detectors, ReadOnlyMemoryHasBounds) {
  DeviceArray<float> zeros(device(), stream(), std::vector<float>(64), "weights"), out(device(), 64, "out");
  ASSERT_TRUE(ok(launch<readsBehind>(1, 64, 0, &stream(), zeros.readOnly(), out.span())));
  EXPECT_TRUE(
      fails(stream().synchronize(), DeviceFault::kernelFailed, "out of bounds: read of global weights[64] (of 64)"));
}

TEST_P(Detectors, ReadOnlyMemoryIsInitialised) {
  DeviceArray<float> fresh(device(), 64, "weights"), out(device(), 64, "out");
  ASSERT_TRUE(ok(stream().fill(fresh.address(), 0, 100)));
  ASSERT_TRUE(ok(launch<clean>(1, 64, 256, &stream(), fresh.readOnly(), out.span())));
  EXPECT_TRUE(fails(stream().synchronize(), DeviceFault::kernelFailed, "uninitialised: read of weights at byte 100"));
}

}  // namespace
}  // namespace td::checked
