// Attention over the paged cache, piece by piece: a piece is up to 256 positions, and its result (largest score, sum of
// the exponentials, weighted values) does not depend on anything outside it; joinPieces() adds pieces in their order.
// So a token's result is the same whether its pieces were computed by one worker or by many.
//
//   score_j = (q * scale) . k_j       lanes are positions, summed over the dimensions in their order
//   p_j     = exp(score_j - largest)  summed in 16 lanes (position j in lane j mod 16), then across
//   out_d   = sum over j of p_j v_jd  lanes are dimensions, summed over the positions in their order
//
// Both products keep a tile of sums in registers: R query rows (heads, or heads of several tokens) by N vectors of
// cache (blocks of 16 positions, or 16 dimensions). Each vector of K or V is converted from f16 once for R rows, each
// element of q or p is broadcast once for N vectors, and R x N chains hide the latency of the fused multiply-add. Every
// sum is one chain in one order, whatever R and N are.
#include "core/kv_layout.h"
#include "cpu/kernels.h"
#include "cpu/simd.h"

namespace td::TD_ISA {
namespace {

// Rows that share a tile, and how many vectors there are beside so many rows: what the registers hold.
#if TD_LEVEL == 2
constexpr int kMostRows = 12;
constexpr int vectorsBeside(int rows) {
  return rows <= 6 ? 4 : 2;
}
#elif TD_LEVEL == 1
constexpr int kMostRows = 6;
constexpr int vectorsBeside(int rows) {
  return rows == 1 ? 4 : rows <= 3 ? 2 : 1;
}
#else
constexpr int kMostRows = 4;
constexpr int vectorsBeside(int) {
  return 1;
}
#endif
static_assert(kAttentionRows % kMostRows == 0);

// A few rows of a piece.
struct Rows {
  const AttentionPiece& piece;
  int first;

  const float* q() const { return piece.q + first * kAttentionStride; }
  float* scores() const { return piece.scratch + first * kAttentionStride; }
  float* out() const { return piece.result.out + first * piece.headSize; }
  int count(int row) const { return piece.counts[first + row]; }
};

// Calls work<0>() to work<N - 1>(). Unlike a loop's, its indices are constants before the compiler decides what can be
// kept in registers.
template <int N, class Work>
[[gnu::always_inline]] inline void unrolled(Work work) {
  if constexpr (N > 0) {
    unrolled<N - 1>(work);
    work.template operator()<N - 1>();
  }
}

// What is read soon comes nearer. The stretches of a head's K and V are too short, and too far apart, for the
// processor's own prefetching. It drops such requests while it has too many; so whatever is read is asked for twice,
// one phase of the piece before, and again shortly before.
inline void fetchAhead(const uint16_t* p) {
  __builtin_prefetch(p);
}

constexpr bool askAgain(int rows) {
  return rows <= 6;
}

// Calls work<R>() for a number of rows that only the run time knows.
template <int R, class Work>
inline void withRows(int rows, Work work) {
  if constexpr (R > 0) {
    if (rows == R) {
      work.template operator()<R>();
    } else {
      withRows<R - 1>(rows, work);
    }
  }
}

// Calls work<N>(first) for N, then fewer vectors at a time, from the first to the end.
template <int N, class Work>
inline void eachVectors(int first, int end, Work work) {
  for (; first + N <= end; first += N) work.template operator()<N>(first);
  if constexpr (N > 1) eachVectors<N / 2>(first, end, work);
}

// Scores of R rows against N blocks of positions; positions beyond a row's own get -infinity, whatever lies there.
// Meanwhile the values of these positions are fetched, and the next keys.
template <int R, int N>
inline void scoreBlocks(Rows rows, int block, int blocks) {
  const int headSize = rows.piece.headSize;
  const uint16_t *k[N], *ahead[N];
  unrolled<N>([&]<int n>() {
    k[n] = rows.piece.blocks[block + n];
    ahead[n] = rows.piece.blocks[block + n + N < blocks ? block + n + N : block + n];
  });
  F32x16 sum[R][N];
  unrolled<R>([&]<int r>() { unrolled<N>([&]<int n>() { sum[r][n] = zeroF(); }); });
  const float* q = rows.q();
  for (int panel = headSize; panel > 0; panel -= kAttentionPanel, q += rows.piece.qPanel) {
    const int end = panel < kAttentionPanel ? panel : kAttentionPanel;
    for (int d = 0; d < end; ++d) {
      F32x16 column[N];
      unrolled<N>([&]<int n>() {
        column[n] = loadHalf(k[n] + d * kKvTokens);
        fetchAhead(k[n] + (headSize + d) * kKvTokens);
        if constexpr (askAgain(R)) fetchAhead(ahead[n] + d * kKvTokens);
      });
      unrolled<R>([&]<int r>() {
        const F32x16 element = broadcast(q[r * kAttentionStride + d]);
        unrolled<N>([&]<int n>() { sum[r][n] = mulAdd(column[n], element, sum[r][n]); });
      });
    }
    unrolled<N>([&]<int n>() {
      k[n] += end * kKvTokens;
      ahead[n] += end * kKvTokens;
    });
  }
  const F32x16 none = broadcast(-__builtin_inff());
  unrolled<R>([&]<int r>() {
    unrolled<N>([&]<int n>() {
      const int at = (block + n) * kKvTokens, left = rows.count(r) - at;
      store(rows.scores() + r * kAttentionStride + at,
            left >= kKvTokens ? sum[r][n] : firstLanes(sum[r][n], none, left > 0 ? left : 0));
    });
  });
}

// Turns scores into exponentials, in place.
inline void exponentiate(float* scores, int count, float* largest, float* sum) {
  F32x16 most = load(scores);
  for (int i = kKvTokens; i < count; i += kKvTokens) most = maximum(most, load(scores + i));
  *largest = maxLane(most);
  const F32x16 top = broadcast(*largest);
  F32x16 total = zeroF();
  for (int i = 0; i < count; i += kKvTokens) {
    const F32x16 p = exponential(sub(load(scores + i), top));
    store(scores + i, p);
    total = add(total, p);
  }
  *sum = sumLanes(total);
}

// Adds the values of positions `from` to `to`, weighted, to the outputs of R rows in N vectors of dimensions; the
// outputs begin at position 0. Whole: vectors of 16, else the last one, of fewer. Meanwhile the next values are
// fetched, and the keys of the positions that come next.
template <int R, int N, bool Whole>
inline void weighVectors(Rows rows, int vector, int from, int to) {
  const int headSize = rows.piece.headSize, d = vector * 16, lanes = Whole ? 16 : headSize % 16;
  float* out = rows.out() + d;
  F32x16 sum[R][N];
  if (from == 0) {
    unrolled<R>([&]<int r>() { unrolled<N>([&]<int n>() { sum[r][n] = zeroF(); }); });
  } else {
    unrolled<R>(
        [&]<int r>() { unrolled<N>([&]<int n>() { sum[r][n] = loadFirst(out + r * headSize + 16 * n, lanes); }); });
  }
  for (int j = from; j < to;) {
    const int slot = j % kKvTokens, end = to - j < kKvTokens - slot ? to - j : kKvTokens - slot;
    const int block = j / kKvTokens, at = slot * headSize + d;
    const uint16_t* v = rows.piece.blocks[block] + kKvTokens * headSize + at;
    const uint16_t* ahead =
        rows.piece.blocks[(block + 1) * kKvTokens < to ? block + 1 : block] + kKvTokens * headSize + at;
    const uint16_t* next = rows.piece.nextBlocks[block] + at;
    const float* p = rows.scores() + j;
    for (int i = 0; i < end; ++i, v += headSize, ahead += headSize, next += headSize) {
      F32x16 values[N];
      unrolled<N>([&]<int n>() {
        values[n] = Whole ? loadHalf(v + 16 * n) : loadHalfFirst(v + 16 * n, lanes);
        if (n % 2 == 0) {  // two vectors are a cache line
          if constexpr (askAgain(R)) fetchAhead(ahead + 16 * n);
          fetchAhead(next + 16 * n);
        }
      });
      unrolled<R>([&]<int r>() {
        const F32x16 weight = broadcast(p[r * kAttentionStride + i]);
        unrolled<N>([&]<int n>() { sum[r][n] = mulAdd(values[n], weight, sum[r][n]); });
      });
    }
    j += end;
  }
  unrolled<R>(
      [&]<int r>() { unrolled<N>([&]<int n>() { storeFirst(out + r * headSize + 16 * n, sum[r][n], lanes); }); });
}

template <int R>
void weighValues(Rows rows, int from, int to) {
  const int headSize = rows.piece.headSize;
  eachVectors<vectorsBeside(R)>(0, headSize / 16,
                                [&]<int N>(int vector) { weighVectors<R, N, true>(rows, vector, from, to); });
  if (headSize % 16 != 0) weighVectors<R, 1, false>(rows, headSize / 16, from, to);
}

template <int R>
void attendRows(Rows rows) {
  const AttentionPiece& piece = rows.piece;
  const int blocks = (rows.count(R - 1) + kKvTokens - 1) / kKvTokens;
  eachVectors<vectorsBeside(R)>(0, blocks, [&]<int N>(int block) { scoreBlocks<R, N>(rows, block, blocks); });
  for (int r = 0; r < R; ++r) {
    exponentiate(rows.scores() + r * kAttentionStride, rows.count(r), piece.result.largest + rows.first + r,
                 piece.result.sum + rows.first + r);
  }
  // All rows together as far as the first one goes; then those that go on. Not with a weight of 0: what lies beyond a
  // token may be anything.
  int done = rows.count(0);
  weighValues<R>(rows, 0, done);
  for (int r = 1; r < R; ++r) {
    const int to = rows.count(r);
    if (to == done) continue;
    withRows<R - 1>(R - r, [&]<int Left>() { weighValues<Left>({piece, rows.first + r}, done, to); });
    done = to;
  }
}

}  // namespace

void scaleQueries(const float* q, int64_t rows, int headSize, float scale, float* out, int64_t qPanel) {
  for (int64_t row = 0; row < rows; ++row, q += headSize) {
    for (int d = 0; d < headSize; d += 16) {
      float* to = out + d / kAttentionPanel * qPanel + row * kAttentionStride + d % kAttentionPanel;
      const int lanes = headSize - d < 16 ? headSize - d : 16;
      storeFirst(to, mul(loadFirst(q + d, lanes), broadcast(scale)), lanes);
    }
  }
}

void attend(const AttentionPiece& piece) {
  for (int first = 0; first < piece.rows; first += kMostRows) {
    const int rows = piece.rows - first < kMostRows ? piece.rows - first : kMostRows;
    withRows<kMostRows>(rows, [&]<int R>() { attendRows<R>({piece, first}); });
  }
}
void joinPieces(AttentionResult all, AttentionResult piece, int rows, int headSize) {
  for (int first = 0; first < rows; first += 16) {
    const int lanes = rows - first < 16 ? rows - first : 16;
    const F32x16 before = loadFirst(all.largest + first, lanes), next = loadFirst(piece.largest + first, lanes);
    const F32x16 both = maximum(before, next);
    const F32x16 factor = exponential(sub(before, both)), pieceFactor = exponential(sub(next, both));
    storeFirst(all.largest + first, both, lanes);
    storeFirst(
        all.sum + first,
        add(mul(loadFirst(all.sum + first, lanes), factor), mul(loadFirst(piece.sum + first, lanes), pieceFactor)),
        lanes);
    float factors[16], pieceFactors[16];
    store(factors, factor);
    store(pieceFactors, pieceFactor);
    for (int row = first; row < first + lanes; ++row) {
      float* out = all.out + row * headSize;
      const float* from = piece.out + row * headSize;
      for (int d = 0; d < headSize; d += 16) {
        const int n = headSize - d < 16 ? headSize - d : 16;
        const F32x16 scaled = mul(loadFirst(out + d, n), broadcast(factors[row - first]));
        storeFirst(out + d, mulAdd(loadFirst(from + d, n), broadcast(pieceFactors[row - first]), scaled), n);
      }
    }
  }
}

void storeKv(const float* k, const float* v, int headSize, int slot, uint16_t* block) {
  uint16_t half[16];
  for (int d = 0; d < headSize; d += 16) {
    const int lanes = headSize - d < 16 ? headSize - d : 16;
    storeHalfFirst(half, loadFirst(k + d, lanes), lanes);
    for (int i = 0; i < lanes; ++i) block[(d + i) * kKvTokens + slot] = half[i];
    storeHalfFirst(block + kKvTokens * headSize + slot * headSize + d, loadFirst(v + d, lanes), lanes);
  }
}

}  // namespace td::TD_ISA
