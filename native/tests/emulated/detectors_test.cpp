// Wrong uses of memory: one kernel that is wrong on purpose for each thing that checked views find, and a right one
// that is left in peace.
#include <atomic>
#include <chrono>
#include <thread>

#include "emulated/detectors_fixture.h"

namespace td::checked {
namespace {

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
