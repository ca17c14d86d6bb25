// Select: the best candidates of each row of logits, and the logarithm of the sum of all exponentials.
//
//   selectPart   a block of threads per part of a row (kSelectPart logits): its best candidates, its largest logit and
//                the sum of e^(logit - largest)
//   joinParts    a block of threads per row: the best of those candidates, in order, and the parts' sums
//
// A logit and its id are one whole number, its word, that is larger the better the candidate is: the logit's bits,
// ordered as the logits are, then the id from behind. No two are equal, so that many equal logits are nothing special.
// The best k of a set of words are those that reach some word, which is found two bits at a time from the top, by
// counting how many reach each of three possible ones, until exactly k do: about twelve rounds.
//
// What a part gives depends on its logits alone, and the parts' sums are added in an order that depends on their number
// alone: a row's results are the same whatever other rows there are.
#include "cuda/kernels/launchers.h"
#include "cuda/views.h"

namespace td::TD_VIEWS {

namespace {

constexpr int kThreads = 256, kWarps = kThreads / 32, kEach = kSelectPart / kThreads;
constexpr int kJoinThreads = 512, kJoinWarps = kJoinThreads / 32;
constexpr unsigned kAll = 0xffffffff;
// Counts of the words that reach 1, 2 and 3 more: three in one sum.
constexpr int kCountBits = 21;
constexpr int64_t kMostVocabulary = ((int64_t{1} << kCountBits) - 1) / TD_MAX_CANDIDATES * kSelectPart;

using Word = uint64_t;

// How words of a vocabulary are made. None of a finite logit is 0.
struct Words {
  int idBits;
  Word lastId;

  explicit Words(int64_t vocabulary) : idBits(0) {
    while (int64_t{1} << idBits < vocabulary) ++idBits;
    lastId = (Word{1} << idBits) - 1;
  }
  __device__ __forceinline__ Word of(float logit, int id) const {
    const unsigned bits = __float_as_uint(logit + 0.0f);  // -0 and 0 are the same logit
    const unsigned ordered = bits >> 31 != 0 ? ~bits : bits | 0x80000000u;
    return static_cast<Word>(ordered) << idBits | (lastId - static_cast<Word>(id));
  }
  __device__ __forceinline__ int id(Word word) const { return static_cast<int>(lastId - (word & lastId)); }
  __device__ __forceinline__ int highestPair() const { return (32 + idBits - 1) & ~1; }
};

__device__ __forceinline__ float notANumber() {
  return __int_as_float(0x7fffffff);
}

__device__ __forceinline__ float largestOfWarp(float value) {
  for (int distance = 16; distance > 0; distance /= 2) value = fmaxf(value, __shfl_xor_sync(kAll, value, distance));
  return value;
}

template <class T>
__device__ __forceinline__ T sumOfWarp(T value) {
  for (int distance = 16; distance > 0; distance /= 2) value += __shfl_xor_sync(kAll, value, distance);
  return value;
}

// The word that exactly `wanted` of the block's reach; `each` calls a function with every word of this thread. counts:
// two for each warp.
template <int kBlockWarps, class Each>
__device__ __forceinline__ Word leastOfBest(const Words& words, int wanted, Shared<Word> counts, Each each) {
  const int warp = static_cast<int>(threadIdx.x) / 32;
  Word least = 0;
  int half = 0;
  for (int shift = words.highestPair(); shift >= 0; shift -= 2, half ^= 1) {
    Word reached = 0;
    each([&](Word word) {
      for (int more = 1; more <= 3; ++more) {
        if (word >= least + (static_cast<Word>(more) << shift)) reached += Word{1} << kCountBits * (more - 1);
      }
    });
    reached = sumOfWarp(reached);
    if (threadIdx.x % 32 == 0) counts[half * kBlockWarps + warp] = reached;
    __syncthreads();  // the next round writes the other half
    reached = 0;
    for (int i = 0; i < kBlockWarps; ++i) reached += static_cast<Word>(counts[half * kBlockWarps + i]);
    for (int more = 3; more >= 1; --more) {
      const int count = static_cast<int>(reached >> kCountBits * (more - 1)) & ((1 << kCountBits) - 1);
      if (count < wanted) continue;
      least += static_cast<Word>(more) << shift;
      if (count == wanted) return least;
      break;
    }
  }
  return least;
}

}  // namespace

// best: kSelectPart's candidates of every part, 0 where there are fewer. sums: its largest logit and sum; the sum is
// NaN if a logit is not finite, and then it has no candidates.
__global__ void __launch_bounds__(kThreads)
    selectPartKernel(Global<const float> logits, Global<Word> best, Global<float> sums, Words words, int vocabulary,
                     int parts, int candidates) {
  TD_SHARED(Word, counts, 2 * kWarps);
  TD_SHARED(float, ofWarps, 2 * kWarps);
  TD_SHARED(int, taken, 1);
  const int thread = static_cast<int>(threadIdx.x), lane = thread % 32, warp = thread / 32;
  const int64_t row = static_cast<int>(blockIdx.x) / parts;
  const int firstId = static_cast<int>(blockIdx.x) % parts * kSelectPart;
  const int count = min(kSelectPart, vocabulary - firstId);
  const ptrdiff_t first = row * vocabulary + firstId;
  const float none = -__int_as_float(0x7f800000);

  float logit[kEach];
  bool finite = true;
  float largest = none;
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    const int at = i * kThreads + thread;
    logit[i] = none;
    if (at < count) {
      logit[i] = logits[first + at];
      finite &= isfinite(logit[i]);
      largest = fmaxf(largest, logit[i]);
    }
  }
  largest = largestOfWarp(largest);
  if (lane == 0) ofWarps[warp] = largest;
  if (thread == 0) taken[0] = 0;
  finite = __syncthreads_and(finite ? 1 : 0) != 0;
  for (int i = 0; i < kWarps; ++i) largest = fmaxf(largest, static_cast<float>(ofWarps[i]));
  if (!finite) {
    if (thread == 0) sums[2 * static_cast<ptrdiff_t>(blockIdx.x) + 1] = notANumber();
    return;  // all of the block
  }

  float sum = 0;
#pragma unroll
  for (int i = 0; i < kEach; ++i) sum += expf(logit[i] - largest);
  sum = sumOfWarp(sum);
  if (lane == 0) ofWarps[kWarps + warp] = sum;

  const int wanted = min(candidates, count);
  const auto eachPlace = [&](auto body) {
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
      const int at = i * kThreads + thread;
      body(at < count ? words.of(logit[i], firstId + at) : 0);
    }
  };
  const Word least = leastOfBest<kWarps>(words, wanted, counts, eachPlace);
  const ptrdiff_t places = static_cast<ptrdiff_t>(blockIdx.x) * candidates;
  eachPlace([&](Word word) {
    if (word >= least) best[places + atomicAdd(&taken[0], 1)] = word;
  });
  for (int i = wanted + thread; i < candidates; i += kThreads) best[places + i] = 0;

  if (thread == 0) {  // a barrier of leastOfBest() lies behind the warps' sums
    sum = 0;
    for (int i = 0; i < kWarps; ++i) sum += static_cast<float>(ofWarps[kWarps + i]);
    sums[2 * static_cast<ptrdiff_t>(blockIdx.x)] = largest;
    sums[2 * static_cast<ptrdiff_t>(blockIdx.x) + 1] = sum;
  }
}

__global__ void __launch_bounds__(kJoinThreads)
    joinPartsKernel(Global<const float> logits, Global<const Word> best, Global<const float> sums, Global<int> ids,
                    Global<float> values, Global<float> logSums, Words words, int vocabulary, int parts,
                    int candidates) {
  TD_SHARED(Word, counts, 2 * kJoinWarps);
  TD_SHARED(Word, chosen, TD_MAX_CANDIDATES);
  TD_SHARED(int, taken, 1);
  const int thread = static_cast<int>(threadIdx.x);
  const ptrdiff_t row = static_cast<ptrdiff_t>(blockIdx.x), firstPart = row * parts;

  bool finite = true;
  for (int part = thread; part < parts; part += kJoinThreads) {
    finite &= isfinite(static_cast<float>(sums[2 * (firstPart + part) + 1]));
  }
  if (thread == 0) taken[0] = 0;
  finite = __syncthreads_and(finite ? 1 : 0) != 0;
  const int wanted = finite ? min(candidates, vocabulary) : 0;
  for (int i = wanted + thread; i < candidates; i += kJoinThreads) {
    ids[row * candidates + i] = -1;
    values[row * candidates + i] = finite ? -__int_as_float(0x7f800000) : notANumber();
  }
  if (!finite) {
    if (thread == 0) logSums[row] = notANumber();
    return;  // all of the block
  }

  if (thread < 32) {
    float largest = sums[2 * firstPart];
    for (int part = thread; part < parts; part += 32)
      largest = fmaxf(largest, static_cast<float>(sums[2 * (firstPart + part)]));
    largest = largestOfWarp(largest);
    float sum = 0;
    for (int part = thread; part < parts; part += 32) {
      const float ofPart = sums[2 * (firstPart + part)];
      sum = fmaf(sums[2 * (firstPart + part) + 1], expf(ofPart - largest), sum);
    }
    sum = sumOfWarp(sum);
    if (thread == 0) logSums[row] = largest + logf(sum);
  }

  const int all = parts * candidates;
  const auto eachWord = [&](auto body) {
    for (int i = thread; i < all; i += kJoinThreads) {
      const Word word = best[row * all + i];
      body(word);
    }
  };
  const Word least = leastOfBest<kJoinWarps>(words, wanted, counts, eachWord);
  eachWord([&](Word word) {
    if (word >= least) chosen[atomicAdd(&taken[0], 1)] = word;
  });
  __syncthreads();
  // A candidate's place is how many are better.
  if (thread >= wanted) return;
  const Word mine = chosen[thread];
  int place = 0;
  for (int i = 0; i < wanted; ++i) place += static_cast<Word>(chosen[i]) > mine ? 1 : 0;
  const int id = words.id(mine);
  const float value = logits[row * vocabulary + id];
  ids[row * candidates + place] = id;
  values[row * candidates + place] = value;
}

DeviceError select(void* stream, const SelectCall& call) {
  if (call.rows == 0) return {};
  if (call.vocabulary < 1 || call.vocabulary > kMostVocabulary) {
    return {DeviceFault::invalidArgument, "select: a vocabulary has 1 to 33 million tokens"};
  }
  if (call.candidates < 1 || call.candidates > TD_MAX_CANDIDATES) {
    return {DeviceFault::invalidArgument, "select: 1 to 256 candidates are possible"};
  }
  if (call.work.count < selectWorkBytes(call.rows, call.vocabulary)) {
    return {DeviceFault::invalidArgument, "select: less work memory than selectWorkBytes()"};
  }
  const int64_t parts = selectParts(call.vocabulary), blocks = call.rows * parts;
  const DeviceSpan<float> sums = {call.work.address, 2 * blocks, "select's sums"};
  const DeviceSpan<Word> best = {call.work.address + static_cast<DeviceAddress>(2 * blocks) * sizeof(float),
                                 blocks * call.candidates, "select's candidates"};
  const Words words(call.vocabulary);
  const auto vocabulary = static_cast<int>(call.vocabulary), candidates = static_cast<int>(call.candidates);
  if (DeviceError error =
          launch<selectPartKernel>(static_cast<unsigned>(blocks), kThreads, 0, static_cast<StreamRef>(stream),
                                   call.logits, best, sums, words, vocabulary, static_cast<int>(parts), candidates)) {
    return error;
  }
  return launch<joinPartsKernel>(static_cast<unsigned>(call.rows), kJoinThreads, 0, static_cast<StreamRef>(stream),
                                 call.logits, DeviceSpan<const Word>{best.address, best.count, best.name},
                                 DeviceSpan<const float>{sums.address, sums.count, sums.name}, call.ids, call.values,
                                 call.logSums, words, vocabulary, static_cast<int>(parts), candidates);
}

}  // namespace td::TD_VIEWS
