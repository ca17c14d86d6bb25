// Attention over the paged cache, piece by piece: a piece is up to 256 positions, and its result (largest score, sum of
// the exponentials, weighted values) does not depend on anything outside it; joinPieces() adds pieces in their order.
// So a token's result is the same whether its pieces were computed by one worker or by many.
//
//   score_j = (q * scale) . k_j       lanes are positions, summed over the dimensions in their order
//   p_j     = exp(score_j - largest)  summed in 16 lanes (position j in lane j mod 16), then across
//   out_d   = sum over j of p_j v_jd  lanes are dimensions, summed over the positions in their order
#include "core/kv_layout.h"
#include "cpu/kernels.h"
#include "cpu/simd.h"

namespace td::TD_ISA {
namespace {

// Scores of G heads, [G][kPiece]; positions beyond `count` get -infinity, whatever lies in their slots.
template <int G>
inline void scores(const AttentionPiece& piece, int firstHead, float (*out)[kPiece]) {
  const F32x16 none = broadcast(-__builtin_inff());
  const float* q = piece.q + firstHead * piece.headSize;
  for (int first = 0; first < piece.count; first += kKvTokens) {
    const uint16_t* k = piece.blocks[first / kKvTokens];
    F32x16 sum[G];
    for (int h = 0; h < G; ++h) sum[h] = zeroF();
    for (int d = 0; d < piece.headSize; ++d) {
      const F32x16 column = loadHalf(k + d * kKvTokens);
      for (int h = 0; h < G; ++h) sum[h] = mulAdd(column, broadcast(q[h * piece.headSize + d] * piece.scale), sum[h]);
    }
    for (int h = 0; h < G; ++h) store(out[h] + first, firstLanes(sum[h], none, piece.count - first));
  }
}

// Turns scores into exponentials, in place.
inline void exponentiate(float* scores, int count, float* largest, float* sum) {
  F32x16 most = load(scores);
  for (int i = kKvTokens; i < count; i += kKvTokens) most = maximum(most, load(scores + i));
  *largest = maxLane(most);
  F32x16 total = zeroF();
  for (int i = 0; i < count; i += kKvTokens) {
    const F32x16 p = exponential(sub(load(scores + i), broadcast(*largest)));
    store(scores + i, p);
    total = add(total, p);
  }
  *sum = sumLanes(total);
}

template <int G>
inline void weighValues(const AttentionPiece& piece, int firstHead, const float (*p)[kPiece]) {
  for (int d = 0; d < piece.headSize; d += 16) {
    const int lanes = piece.headSize - d < 16 ? piece.headSize - d : 16;
    F32x16 sum[G];
    for (int h = 0; h < G; ++h) sum[h] = zeroF();
    for (int j = 0; j < piece.count; ++j) {
      const uint16_t* v = piece.blocks[j / kKvTokens] + kKvTokens * piece.headSize + j % kKvTokens * piece.headSize + d;
      const F32x16 values = lanes == 16 ? loadHalf(v) : loadHalfFirst(v, lanes);
      for (int h = 0; h < G; ++h) sum[h] = mulAdd(values, broadcast(p[h][j]), sum[h]);
    }
    for (int h = 0; h < G; ++h) storeFirst(piece.out + (firstHead + h) * piece.headSize + d, sum[h], lanes);
  }
}

template <int G>
inline void attendHeads(const AttentionPiece& piece, int firstHead) {
  auto* p = reinterpret_cast<float (*)[kPiece]>(piece.scratch);
  scores<G>(piece, firstHead, p);
  for (int h = 0; h < G; ++h) exponentiate(p[h], piece.count, piece.largest + firstHead + h, piece.sum + firstHead + h);
  weighValues<G>(piece, firstHead, p);
}

}  // namespace

void attend(const AttentionPiece& piece) {
  int head = 0;
  for (; head + kMostAttentionHeads <= piece.heads; head += kMostAttentionHeads)
    attendHeads<kMostAttentionHeads>(piece, head);
  switch (piece.heads - head) {
    case 1:
      attendHeads<1>(piece, head);
      break;
    case 2:
      attendHeads<2>(piece, head);
      break;
    case 3:
      attendHeads<3>(piece, head);
      break;
    default:
      break;
  }
}

void joinPieces(float* largest, float* sum, float* out, float pieceLargest, float pieceSum, const float* pieceOut,
                int headSize) {
  const float both = *largest > pieceLargest ? *largest : pieceLargest;
  float factors[16] = {*largest - both, pieceLargest - both};
  store(factors, exponential(load(factors)));
  *largest = both;
  *sum = *sum * factors[0] + pieceSum * factors[1];
  for (int d = 0; d < headSize; d += 16) {
    const int lanes = headSize - d < 16 ? headSize - d : 16;
    const F32x16 scaled = mul(loadFirst(out + d, lanes), broadcast(factors[0]));
    storeFirst(out + d, mulAdd(loadFirst(pieceOut + d, lanes), broadcast(factors[1]), scaled), lanes);
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
