// Contexts for tests of attention: random ones, and what attention over them must be in double precision.
#pragma once

#include <numeric>

#include "core/kv_layout.h"
#include "testing.h"

namespace td::testing {

// A sequence: queries, keys and values of all its positions.
struct Context {
  int kvHeads, group, headSize, positions;
  std::vector<float> q, k, v;  // per position

  Context(Random& random, int kvHeads, int group, int headSize, int positions)
      : kvHeads(kvHeads),
        group(group),
        headSize(headSize),
        positions(positions),
        q(random.normals(int64_t{positions} * kvHeads * group * headSize)),
        k(random.normals(int64_t{positions} * kvHeads * headSize)),
        v(random.normals(int64_t{positions} * kvHeads * headSize)) {}

  int width() const { return kvHeads * group * headSize; }
  int kvWidth() const { return kvHeads * headSize; }
  float scale() const { return static_cast<float>(1 / std::sqrt(headSize)); }
};

inline std::vector<int32_t> permutation(Random& random, int count) {
  std::vector<int32_t> values(static_cast<size_t>(count));
  std::iota(values.begin(), values.end(), 0);
  for (size_t i = values.size(); i > 1; --i)
    std::swap(values[i - 1], values[static_cast<size_t>(random.between(0, static_cast<int64_t>(i) - 1))]);
  return values;
}

inline double inHalf(float value) {
  return halfToFloat(floatToHalf(value));
}

// Attention of a token, in double precision. Tolerance as kernels_attention_test.cpp has it for a piece; joining a
// piece adds an exponential and three roundings.
inline std::vector<Bounded> expectedOf(const Context& c, int token) {
  std::vector<Bounded> out;
  const double joins = (token / kPiece + 1) * (1e-7 + 4 * kRounding);
  for (int head = 0; head < c.kvHeads * c.group; ++head) {
    const auto row = [&](const std::vector<float>& from, int position) {
      return from.data() + int64_t{position} * c.kvWidth() + head / c.group * c.headSize;
    };
    const float* q = c.q.data() + int64_t{token} * c.width() + head * c.headSize;
    std::vector<double> weights, errors;
    double sum = 0, error = 0;
    for (int j = 0; j <= token; ++j) {
      double score = 0, sizes = 0;
      for (int d = 0; d < c.headSize; ++d) {
        const double product = q[d] * inHalf(row(c.k, j)[d]) * c.scale();
        score += product;
        sizes += std::abs(product);
      }
      weights.push_back(std::exp(score));
      errors.push_back((c.headSize + 2) * kRounding * sizes + 20 * kRounding + 1e-7 + kPiece * kRounding + joins);
      sum += weights.back();
      error += weights.back() * errors.back();
    }
    for (int d = 0; d < c.headSize; ++d) {
      Bounded element;
      for (int j = 0; j <= token; ++j) {
        const double part = weights[static_cast<size_t>(j)] / sum * inHalf(row(c.v, j)[d]);
        element.value += part;
        element.tolerance += std::abs(part) * (errors[static_cast<size_t>(j)] + error / sum + 2 * kRounding);
      }
      out.push_back(element);
    }
  }
  return out;
}

}  // namespace td::testing
