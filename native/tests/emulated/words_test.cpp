// The words of CUDA on the emulated device, with raw views and with checked ones (this file is compiled for each), in
// every order of threads.
#include <numeric>

#include "cuda/tensor_core.h"
#include "cuda/views.h"
#include "emulated/device_fixture.h"

namespace td::TD_VIEWS {
namespace {

using namespace testing;

constexpr unsigned kAll = 0xffffffff;

class Words : public ::testing::Test {
 protected:
  Words() : open_({.checked = Views::kChecked}) {}

  // Runs a kernel that fills `count` elements, in every order, and expects them to be as want(i) says.
  template <auto kernel, class T, class Want, class... Arguments>
  void expectEach(dim3 grid, dim3 block, int64_t count, Want want, size_t dynamicShared,
                  const Arguments&... arguments) {
    for (const auto& [order, seed] : orders()) {
      stream().setOrder(order, seed);
      DeviceArray<T> out(device(), count, "out");
      ASSERT_TRUE(ok(stream().fill(out.address(), 0xff, count * static_cast<int64_t>(sizeof(T)))));
      ASSERT_TRUE(ok(launch<kernel>(grid, block, dynamicShared, &stream(), out.span(), arguments...)));
      ASSERT_TRUE(ok(stream().synchronize()));
      const std::vector<T> got = out.read(stream());
      for (int64_t i = 0; i < count; ++i) {
        ASSERT_EQ(static_cast<T>(want(i)), got[static_cast<size_t>(i)])
            << "element " << i << ", order " << static_cast<int>(order) << ", seed " << seed;
      }
    }
  }

  Device& device() { return open_.device; }
  Stream& stream() { return open_.stream; }

 private:
  OpenDevice open_;
};

// ---- Indices --------------------------------------------------------------------------------------------------------

__global__ void indices(Global<int> out) {
  const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  const unsigned at = block * blockDim.x * blockDim.y * blockDim.z + thread;
  out[at] = static_cast<int>(at);
}

TEST_F(Words, IndicesHaveThreeDimensions) {
  expectEach<indices, int>(dim3(3, 2, 4), dim3(5, 3, 2), 24 * 30, [](int64_t i) { return i; }, 0);
  const unsigned many = kThreadSanitizer ? 64 : 1024;  // whose fibers take it milliseconds each
  expectEach<indices, int>(1, many, many, [](int64_t i) { return i; }, 0);
  expectEach<indices, int>(70, 1, 70, [](int64_t i) { return i; }, 0);
}

// ---- Barriers and shared memory -------------------------------------------------------------------------------------

__global__ void reverse(Global<int> out, int rounds) {
  TD_SHARED(int, values, 300);
  const Shared<int> swapped = dynamicShared<int>(16, blockDim.x);
  const unsigned last = blockDim.x - 1;
  values[threadIdx.x] = static_cast<int>(threadIdx.x);
  for (int i = 0; i < rounds; ++i) {
    __syncthreads();
    swapped[last - threadIdx.x] = values[threadIdx.x];
    __syncthreads();
    values[threadIdx.x] = swapped[threadIdx.x];
  }
  out[blockIdx.x * blockDim.x + threadIdx.x] = values[threadIdx.x];
}

TEST_F(Words, BarriersOrderSharedMemory) {
  expectEach<reverse, int>(3, 300, 900, [](int64_t i) { return 299 - i % 300; }, 16 + 300 * 4, 3);
  expectEach<reverse, int>(2, 37, 74, [](int64_t i) { return i % 37; }, 16 + 37 * 4, 2);
}

__global__ void countedBarriers(Global<int> out) {
  const int count = __syncthreads_count(threadIdx.x % 3 == 0);
  const int all = __syncthreads_and(threadIdx.x < 1000), notAll = __syncthreads_and(threadIdx.x != 5);
  const int any = __syncthreads_or(threadIdx.x == 60), none = __syncthreads_or(threadIdx.x > 1000);
  out[threadIdx.x] = count * 10000 + (all != 0) * 1000 + (notAll != 0) * 100 + (any != 0) * 10 + (none != 0);
}

TEST_F(Words, BarriersCountAndVote) {
  expectEach<countedBarriers, int>(1, 70, 70, [](int64_t) { return 24 * 10000 + 1010; }, 0);
}

// ---- Warps ----------------------------------------------------------------------------------------------------------

template <int width>
__global__ void shuffles(Global<int> out, int argument) {
  const int own = static_cast<int>(threadIdx.x);
  const int at = own * 4;
  out[at] = __shfl_xor_sync(kAll, own, argument, width);
  out[at + 1] = __shfl_up_sync(kAll, own, static_cast<unsigned>(argument), width);
  out[at + 2] = __shfl_down_sync(kAll, own, static_cast<unsigned>(argument), width);
  out[at + 3] = __shfl_sync(kAll, own, argument, width);
}

template <int width>
int64_t shuffled(int64_t i, int argument) {
  const int64_t lane = i / 4 % 32, group = lane / width * width, first = i / 4 - lane;
  const int64_t in = lane - group;
  int64_t source = lane;
  if (i % 4 == 0 && (in ^ argument) < width) source = group + (in ^ argument);
  if (i % 4 == 1 && in >= argument) source = lane - argument;
  if (i % 4 == 2 && in + argument < width) source = lane + argument;
  if (i % 4 == 3) source = group + argument % width;
  return first + source;
}

TEST_F(Words, ShufflesMoveValuesBetweenLanes) {
  for (const int argument : {0, 1, 2, 5, 16, 31}) {
    SCOPED_TRACE(argument);
    expectEach<shuffles<32>, int>(1, 96, 4 * 96, [&](int64_t i) { return shuffled<32>(i, argument); }, 0, argument);
  }
  for (const int argument : {0, 1, 3, 7}) {
    SCOPED_TRACE(argument);
    expectEach<shuffles<8>, int>(1, 64, 4 * 64, [&](int64_t i) { return shuffled<8>(i, argument); }, 0, argument);
  }
}

__global__ void wideShuffle(Global<double> out) {
  out[threadIdx.x] = __shfl_xor_sync(kAll, 1e100 * threadIdx.x, 1);
}

TEST_F(Words, ShufflesCarryEightBytes) {
  expectEach<wideShuffle, double>(1, 32, 32, [](int64_t i) { return 1e100 * static_cast<double>(i ^ 1); }, 0);
}

__global__ void warpSums(Global<int> out) {
  int sum = static_cast<int>(threadIdx.x);
  for (int distance = 16; distance > 0; distance /= 2) sum += __shfl_xor_sync(kAll, sum, distance);
  out[threadIdx.x] = sum;
}

TEST_F(Words, ButterflySumsReachEveryLane) {
  expectEach<warpSums, int>(1, 256, 256, [](int64_t i) { return i / 32 * 32 * 32 + 496; }, 0);
}

__global__ void votes(Global<int> out) {
  const int odd = threadIdx.x & 1;
  int result = __ballot_sync(kAll, odd) == 0xaaaaaaaa ? 1 : 0;
  result += __any_sync(kAll, threadIdx.x == 40) != 0 ? 10 : 0;
  result += __all_sync(kAll, threadIdx.x >= 32) != 0 ? 100 : 0;
  // Halves of a warp by themselves, for a different number of times.
  const unsigned half = threadIdx.x % 32 < 16 ? 0x0000ffff : 0xffff0000;
  for (unsigned i = 0; i < (half == 0xffff ? 3u : 5u); ++i) {
    result += __popc(__ballot_sync(half, 1)) * 1000;
  }
  out[threadIdx.x] = result;
}

TEST_F(Words, VotesAndHalfWarps) {
  expectEach<votes, int>(
      1, 64, 64, [](int64_t i) { return 1 + (i >= 32 ? 110 : 0) + (i % 32 < 16 ? 3 : 5) * 16000; }, 0);
}

__global__ void exchangeByWarp(Global<int> out) {
  TD_SHARED(int, values, 128);
  values[threadIdx.x] = static_cast<int>(threadIdx.x);
  __syncwarp();
  const int other = values[threadIdx.x ^ 31];
  __syncwarp();
  values[threadIdx.x] = other * 2;
  const unsigned half = threadIdx.x % 32 < 16 ? 0x0000ffff : 0xffff0000;
  __syncwarp(half);
  out[threadIdx.x] = values[threadIdx.x ^ 15];
}

TEST_F(Words, SyncwarpOrdersSharedMemoryOfTheWarp) {
  expectEach<exchangeByWarp, int>(1, 128, 128, [](int64_t i) { return ((i ^ 15) ^ 31) * 2; }, 0);
}

// The pattern of aggregated atomics: right for whatever lanes are converged.
__global__ void aggregated(Global<int> out, Global<int> counter) {
  if (threadIdx.x % 3 != 0) {
    const unsigned mask = __activemask();
    const int leader = __ffs(static_cast<int>(mask)) - 1, lane = static_cast<int>(threadIdx.x % 32);
    int first = 0;
    if (lane == leader) first = atomicAdd(&counter[0], __popc(mask));
    first = __shfl_sync(mask, first, leader);
    out[threadIdx.x] = first >= 0;
  } else {
    out[threadIdx.x] = 7;
  }
}

TEST_F(Words, ActivemaskIsWhoeverIsConverged) {
  DeviceArray<int> counter(device(), stream(), {0}, "counter");
  expectEach<aggregated, int>(1, 96, 96, [](int64_t i) { return i % 3 != 0 ? 1 : 7; }, 0, counter.span());
  EXPECT_EQ(static_cast<int>(orders().size()) * 64, counter.read(stream())[0]);
}

// ---- Atomics --------------------------------------------------------------------------------------------------------

__global__ void atomics(Global<int> out, Global<int> sums, Global<float> floats, Global<unsigned> words) {
  TD_SHARED(int, local, 2);
  if (threadIdx.x == 0) local[0] = 0;
  __syncthreads();
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  atomicAdd(&local[0], 2);
  atomicAdd(&sums[0], i);
  atomicMax(&sums[1], i);
  atomicMin(&sums[2], -i);
  atomicAdd(&floats[0], 0.5f);
  atomicOr(&words[0], 1u << i % 32);
  if (atomicCAS(&words[1], 0u, 77u) == 0u) atomicExch(&words[2], 5u);
  __syncthreads();
  out[i] = local[0];
}

TEST_F(Words, AtomicsOnSharedAndGlobalMemory) {
  for (const auto& [order, seed] : orders()) {
    DeviceArray<int> sums(device(), stream(), {0, -5, 5}, "sums"), out(device(), 400, "out");
    DeviceArray<float> floats(device(), stream(), {1}, "floats");
    DeviceArray<unsigned> words(device(), stream(), {0, 0, 0}, "words");
    stream().setOrder(order, seed);
    ASSERT_TRUE(ok(launch<atomics>(4, 100, 0, &stream(), out.span(), sums.span(), floats.span(), words.span())));
    EXPECT_EQ((std::vector<int>{399 * 200, 399, -399}), sums.read(stream()));
    EXPECT_EQ(201, floats.read(stream())[0]);
    EXPECT_EQ((std::vector<unsigned>{kAll, 77, 5}), words.read(stream()));
    EXPECT_EQ(std::vector<int>(400, 200), out.read(stream()));
  }
}

// The last block to finish sums what the others have written, wherever they ran.
__global__ void lastBlockSums(Global<int> out, Global<int> parts, Global<unsigned> finished) {
  TD_SHARED(unsigned, before, 1);
  if (threadIdx.x == 33) parts[blockIdx.x] = static_cast<int>(blockIdx.x) + 1;
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) before[0] = atomicAdd(&finished[0], 1u);
  __syncthreads();
  if (before[0] + 1 < gridDim.x || threadIdx.x > 0) return;
  __threadfence();
  int sum = 0;
  for (unsigned i = 0; i < gridDim.x; ++i) sum += parts[i];
  out[0] = sum;
  finished[0] = 0;
}

TEST_F(Words, FencesAndAtomicsOrderBlocks) {
  DeviceArray<int> parts(device(), 40, "parts");
  DeviceArray<unsigned> finished(device(), stream(), {0}, "finished");
  expectEach<lastBlockSums, int>(40, 64, 1, [](int64_t) { return 820; }, 0, parts.span(), finished.span());
}

// ---- Arithmetic -----------------------------------------------------------------------------------------------------

// Bytes one by one.
template <class Byte, class Sum>
Sum dotOfBytes(unsigned a, unsigned b, Sum sum) {
  int64_t result = sum;
  for (int shift = 0; shift < 32; shift += 8) {
    result += int64_t{static_cast<Byte>(a >> shift)} * static_cast<Byte>(b >> shift);
  }
  return static_cast<Sum>(result);
}

TEST_F(Words, Dp4aIsExactAndWrapsAround) {
  Random random("dp4a");
  std::vector<unsigned> values = {0, kAll, 0x80808080, 0x7f7f7f7f, 0x807f807f};
  for (int i = 0; i < 200; ++i) values.push_back(static_cast<unsigned>(random.bits()));
  for (const unsigned a : values) {
    for (const unsigned b : values) {
      const auto sum = static_cast<unsigned>(random.bits());
      ASSERT_EQ(dotOfBytes<int8_t>(a, b, static_cast<int>(sum)),
                __dp4a(static_cast<int>(a), static_cast<int>(b), static_cast<int>(sum)))
          << a << " " << b << " " << sum;
      ASSERT_EQ(dotOfBytes<uint8_t>(a, b, sum), __dp4a(a, b, sum)) << a << " " << b << " " << sum;
    }
  }
  EXPECT_EQ(INT32_MIN, __dp4a(1, 1, INT32_MAX));
}

TEST_F(Words, BitsAndBytes) {
  EXPECT_EQ(0x44332211u, __byte_perm(0x44332211, 0x88776655, 0x3210));
  EXPECT_EQ(0x55881144u, __byte_perm(0x44332211, 0x88776655, 0x4703));
  EXPECT_EQ(0x00ff00ffu, __byte_perm(0x00008000, 0, 0x8989 ^ 0x1010 ^ 0x1010));
  EXPECT_EQ(0, __ffs(0));
  EXPECT_EQ(5, __ffs(0x30));
  EXPECT_EQ(32, __clz(0));
  EXPECT_EQ(0, __clz(-1));
  EXPECT_EQ(2, __float2int_rn(2.5f));
  EXPECT_EQ(-4, __float2int_rn(-3.5f));
  EXPECT_EQ(INT32_MAX, __float2int_rn(3e9f));
  EXPECT_EQ(0, __float2int_rn(notANumber()));
}

// Every half and bfloat16 comes back as it was; CUDA makes 0x7fff of every NaN.
TEST_F(Words, SixteenBitFloatsRoundTrip) {
  for (unsigned bits = 0; bits <= 0xffff; ++bits) {
    const auto number = static_cast<uint16_t>(bits);
    const float fromHalf = __half2float(__ushort_as_half(number));
    ASSERT_EQ(std::isnan(fromHalf) ? 0x7fff : number, __half_as_ushort(__float2half_rn(fromHalf))) << bits;
    const float fromBf16 = __bfloat162float(__ushort_as_bfloat16(number));
    ASSERT_EQ(std::isnan(fromBf16) ? 0x7fff : number, __bfloat16_as_ushort(__float2bfloat16_rn(fromBf16))) << bits;
  }
}

// Between two neighbours the nearer one, half-way the even one.
TEST_F(Words, SixteenBitFloatsRoundToNearestEven) {
  for (unsigned bits = 0; bits < 0x7bff; ++bits) {
    const double low = __half2float(__ushort_as_half(static_cast<uint16_t>(bits)));
    const double high = __half2float(__ushort_as_half(static_cast<uint16_t>(bits + 1)));
    const auto half = static_cast<float>((low + high) / 2);
    const auto even = static_cast<uint16_t>(bits % 2 == 0 ? bits : bits + 1);
    ASSERT_EQ(even, __half_as_ushort(__float2half_rn(half)));
    ASSERT_EQ(bits, __half_as_ushort(__float2half_rn(std::nextafter(half, 0.0f))));
    ASSERT_EQ(bits + 1, __half_as_ushort(__float2half_rn(std::nextafter(half, infinity()))));
  }
  EXPECT_EQ(0x7bff, __half_as_ushort(__float2half_rn(65519.0f)));
  EXPECT_EQ(0x7c00, __half_as_ushort(__float2half_rn(65520.0f)));
  EXPECT_EQ(0xfc00, __half_as_ushort(__float2half_rn(-infinity())));
  EXPECT_EQ(0x3f80, __bfloat16_as_ushort(__float2bfloat16_rn(1.00390625f)));
  EXPECT_EQ(0x3f82, __bfloat16_as_ushort(__float2bfloat16_rn(1.01171875f)));
}

// ---- Wide accesses, members, optional arrays ------------------------------------------------------------------------

struct Pair {
  float value;
  int32_t index;
};

__global__ void wide(Global<int> out, Global<const unsigned char> bytes, Global<const Pair> pairs, Global<int> none) {
  const int i = static_cast<int>(threadIdx.x);
  const int4 four = loadAs<int4>(bytes, 16 * i);
  storeAs(out, 4 * i, make_int4(four.w, four.z, four.y, loadField(pairs, i, &Pair::index)));
  if (none) none[0] = 1;
  out[4 * i + 1] += __ldg(&bytes[0]);
}

TEST_F(Words, WideAccessesAndMembers) {
  std::vector<unsigned char> bytes(512);
  std::iota(bytes.begin(), bytes.end(), static_cast<unsigned char>(0));
  std::vector<Pair> pairs;
  for (int i = 0; i < 32; ++i) pairs.push_back({0.5f, 1000 + i});
  bytes[0] = 3;
  DeviceArray<unsigned char> in(device(), stream(), bytes, "bytes");
  DeviceArray<Pair> pairsIn(device(), stream(), pairs, "pairs");
  const auto word = [&](int64_t index) {
    int value;
    memcpy(&value, &bytes[static_cast<size_t>(4 * index)], 4);
    return value;
  };
  expectEach<wide, int>(
      1, 32, 128,
      [&](int64_t i) {
        return i % 4 == 3 ? 1000 + static_cast<int>(i / 4) : word(i / 4 * 4 + 3 - i % 4) + (i % 4 == 1 ? 3 : 0);
      },
      0, in.input(), pairsIn.readOnly(), DeviceSpan<int>{});
}

// ---- Asynchronous copies --------------------------------------------------------------------------------------------

// Rows of 64 elements come through two buffers in turn, the next one while the last is summed.
__global__ void sumsOfRows(Global<int> out, Global<const int> x, int rows) {
  TD_SHARED(int, buffers, 2 * 64);
  const int i = static_cast<int>(threadIdx.x);
  const auto fetch = [&](int row) {
    if (i < 16 && row < rows) copyAsync<16>(buffers, row % 2 * 64 + 4 * i, x, row * 64 + 4 * i);
    commitCopies();
  };
  fetch(0);
  int sum = 0;
  for (int row = 0; row < rows; ++row) {
    fetch(row + 1);
    awaitCopies<1>();
    __syncthreads();
    sum += buffers[row % 2 * 64 + 63 - i];
    __syncthreads();
  }
  awaitCopies<0>();
  out[i] = sum;
}

TEST_F(Words, AsynchronousCopiesAreThereAfterTheWait) {
  std::vector<int> x(64 * 7);
  std::iota(x.begin(), x.end(), 0);
  DeviceArray<int> in(device(), stream(), x, "x");
  expectEach<sumsOfRows, int>(1, 64, 64, [](int64_t i) { return 7 * (63 - i) + 64 * 21; }, 0, in.input(), 7);
}

__global__ void peeks(Global<int> out, Global<const int> x) {
  TD_SHARED(int, buffer, 64);
  const int i = static_cast<int>(threadIdx.x);
  buffer[i] = -1;
  __syncthreads();
  if (i < 16) copyAsync<16>(buffer, 4 * i, x, 4 * i);
  commitCopies();
  awaitCopies<1>();  // one too few
  __syncthreads();
  out[i] = buffer[i];
  __syncthreads();
}

TEST_F(Words, AForgottenWaitShows) {
  DeviceArray<int> in(device(), stream(), std::vector<int>(64, 5), "x"), out(device(), 64, "out");
  ASSERT_TRUE(ok(launch<peeks>(1, 64, 0, &stream(), out.span(), in.input())));
  if (Views::kChecked) {
    EXPECT_TRUE(fails(stream().synchronize(), DeviceFault::kernelFailed,
                      "peeks, block (0,0,0): uninitialised: read of shared buffer["));
  } else {
    EXPECT_EQ(std::vector<int>(64, -1), out.read(stream()));
  }
}

}  // namespace
}  // namespace td::TD_VIEWS
