// Wrong uses of barriers, warps and shared data: one kernel that is wrong on purpose for each thing that checked views
// find.
#include "emulated/detectors_fixture.h"

namespace td::checked {
namespace {

using DivergenceAndRaces = Detectors;

INSTANTIATE_TEST_SUITE_P(InOrder, DivergenceAndRaces, ::testing::ValuesIn(orders()), orderOfTest);

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

TEST_P(DivergenceAndRaces, BarrierThatSomeNeverReach) {
  EXPECT_TRUE(
      begins(messageOf<returnsEarly>(), "divergent barrier: 50 threads wait in __syncthreads at races_test.cpp:"));
}
TEST_P(DivergenceAndRaces, BarriersAtDifferentLines) {
  EXPECT_TRUE(
      begins(messageOf<twoBarriers>(), "divergent barrier: 32 threads wait in __syncthreads at races_test.cpp:"));
}
TEST_P(DivergenceAndRaces, BarrierInHalfAWarp) {
  EXPECT_TRUE(begins(messageOf<barrierInHalfAWarp>(),
                     "divergent barrier: 32 threads wait in __shfl_xor_sync at races_test.cpp:"));
}
TEST_P(DivergenceAndRaces, LanesMissing) {
  EXPECT_TRUE(begins(messageOf<missesLanes>(), "divergent barrier: 62 threads wait in __syncwarp at races_test.cpp:"));
}
TEST_P(DivergenceAndRaces, LanesInDifferentOperations) {
  EXPECT_TRUE(begins(messageOf<differentOperations>(), "divergent warp: lanes meet in different operations"));
}
TEST_P(DivergenceAndRaces, LaneOutsideItsMask) {
  EXPECT_TRUE(begins(messageOf<notInItsMask>(), "divergent warp: thread ("));
}
TEST_P(DivergenceAndRaces, ShuffleFromALaneThatTakesNoPart) {
  const std::string message = messageOf<takesFromOutside>();
  EXPECT_TRUE(begins(message, "divergent warp: thread ("));
  EXPECT_NE(std::string::npos, message.find(" takes lane 16 in __shfl_xor_sync at races_test.cpp:")) << message;
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

TEST_P(DivergenceAndRaces, AnAtomicBehindAFenceOrdersBlocks) {
  DeviceArray<unsigned> finished(device(), stream(), {0}, "finished");
  DeviceArray<float> zeros(device(), 64, "zeros"), out(device(), 64, "fresh");
  for (int i = 0; i < 2; ++i) {
    finished.write(stream(), {0});
    ASSERT_TRUE(ok(launch<lastBlockSums<true, true>>(7, 64, 0, &stream(), zeros.input(), out.span(), finished.span())));
    ASSERT_TRUE(ok(stream().synchronize()));
    EXPECT_EQ(7, out.read(stream())[0]);
  }
}

TEST_P(DivergenceAndRaces, AnAtomicWithoutAFenceOrdersNothing) {
  DeviceArray<unsigned> finished(device(), stream(), {0}, "finished");
  DeviceArray<float> zeros(device(), 64, "zeros"), out(device(), 64, "fresh");
  ASSERT_TRUE(ok(launch<lastBlockSums<false, true>>(7, 64, 0, &stream(), zeros.input(), out.span(), finished.span())));
  EXPECT_TRUE(fails(stream().synchronize(), DeviceFault::kernelFailed, "race: read of global fresh["));
}

TEST_P(DivergenceAndRaces, AFenceWithoutAnAtomicOrdersNothing) {
  DeviceArray<unsigned> finished(device(), stream(), {0}, "finished");
  DeviceArray<float> zeros(device(), 64, "zeros"), out(device(), stream(), std::vector<float>(64), "fresh");
  ASSERT_TRUE(ok(launch<lastBlockSums<true, false>>(7, 64, 0, &stream(), zeros.input(), out.span(), finished.span())));
  EXPECT_TRUE(fails(stream().synchronize(), DeviceFault::kernelFailed, "race: "));
}

TEST_P(DivergenceAndRaces, RaceOfReaderAndWriter) {
  const std::string message = messageOf<missesABarrier>();
  EXPECT_TRUE(begins(message, "race: "));
  EXPECT_NE(std::string::npos, message.find(" of shared values[") + message.find(" to shared values["));
  EXPECT_NE(std::string::npos, message.find(" it, and nothing orders the two")) << message;
}
TEST_P(DivergenceAndRaces, RaceOrTooEarly) {
  const std::string message = messageOf<missesTheFirstBarrier>();
  EXPECT_TRUE(begins(message, "race: read of shared values[") ||
              begins(message, "uninitialised: read of shared values["))
      << message;
}
TEST_P(DivergenceAndRaces, ShuffleIsNoBarrier) {
  EXPECT_TRUE(begins(messageOf<shufflesForABarrier>(), "race: write to shared values["));
}
TEST_P(DivergenceAndRaces, SyncwarpIsNoBarrierOfTheBlock) {
  EXPECT_TRUE(begins(messageOf<syncsTheWarpAlone>(), "race: "));
}
TEST_P(DivergenceAndRaces, ReaderBehindSyncwarp) {
  EXPECT_TRUE(begins(messageOf<hidesAReader>(), "race: "));
}
TEST_P(DivergenceAndRaces, SyncwarpOfAnotherHalf) {
  EXPECT_TRUE(begins(messageOf<syncsTheWrongHalf>(), "race: write to shared values["));
}
TEST_P(DivergenceAndRaces, RaceBetweenBlocks) {
  const std::string message = messageOf<blocksCollide>(2);
  EXPECT_TRUE(begins(message, "race: write to global fresh["));
  EXPECT_NE(std::string::npos, message.find(" of the same grid wrote it")) << message;
}
TEST_P(DivergenceAndRaces, RaceOfReaderBetweenBlocks) {
  const std::string message = messageOf<readsWhatAnotherBlockWrites>(3);
  EXPECT_TRUE(begins(message, "race: ") || begins(message, "uninitialised: ")) << message;
}
TEST_P(DivergenceAndRaces, AtomicAndPlainMixed) {
  const std::string message = messageOf<mixesAtomicAndPlain>();
  EXPECT_TRUE(begins(message, "race: "));
  EXPECT_NE(std::string::npos, message.find("(atomic and plain access mixed)")) << message;
}
TEST_P(DivergenceAndRaces, NeighboursInAWordAreNoRace) {
  EXPECT_EQ("", messageOf<writesHalves>());
}

}  // namespace
}  // namespace td::checked
