// Products of weights and activations for tests: random ones, and what they must be in double precision.
//
// Tolerance. The integer dot products are exact, so the error is that of the float sums: one rounding per term and one
// per product of scales. With u = 2^-24, `terms` fused multiply-adds give at most (terms + 3) u sum|term| (Higham,
// "Accuracy and Stability of Numerical Algorithms", section 3.1); products of scales that underflow lose at most 2^-150
// times a dot product below 2^24. AVX-512's BF16 instruction rounds the same number of times, but takes what is below
// 2^-126 for zero.
#pragma once

#include "core/activation.h"
#include "weights.h"

namespace td::testing {

// A matrix, and activations of some tokens.
struct Product {
  WeightMatrix weights;
  int64_t tokens;
  std::vector<float> x;
  std::vector<float> bias;  // may be empty

  Product(Random& random, td_type type, int64_t rows, int64_t columns, int64_t tokens)
      : weights(random, type, rows, columns), tokens(tokens) {
    for (int64_t token = 0; token < tokens; ++token) {
      const double amplitude = random.chance(0.1) ? 0 : std::pow(10, random.uniform(-4, 4));
      const auto row = random.normals(columns, amplitude);
      x.insert(x.end(), row.begin(), row.end());
    }
    if (random.chance(0.5)) bias = random.normals(rows);
  }
};

// Activations as a device has encoded them.
struct EncodedTokens {
  int32_t type;  // TD_F32, TD_ACT8 or TD_ACTBF16
  int64_t columns, rowBytes;
  std::vector<uint8_t> bytes;

  int64_t usedBytes() const { return activationRowBytes(type, columns); }
  const uint8_t* row(int64_t token) const { return bytes.data() + token * rowBytes; }

  double float32(int64_t token, int64_t column) const {
    float value;
    if (type == TD_ACTBF16) {
      uint16_t bits;
      memcpy(&bits, row(token) + 2 * column, sizeof bits);
      return bf16ToFloat(bits);
    }
    memcpy(&value, row(token) + 4 * column, sizeof value);
    return value;
  }
};

// The activations as these kernels encode them, rows `padding` bytes apart.
inline EncodedTokens encodeTokens(const Kernels& kernels, int32_t type, const Product& product, int64_t padding = 0) {
  const int64_t columns = product.weights.columns;
  EncodedTokens x{type, columns, activationRowBytes(type, columns) + padding, {}};
  x.bytes.assign(static_cast<size_t>(product.tokens * x.rowBytes), 0xff);
  for (int64_t token = 0; token < product.tokens; ++token) {
    const float* from = product.x.data() + token * columns;
    uint8_t* to = x.bytes.data() + token * x.rowBytes;
    switch (type) {
      case TD_ACT8:
        kernels.encode8(from, columns, reinterpret_cast<Act8Block*>(to));
        break;
      case TD_ACTBF16:
        kernels.encodeBf16(from, columns, reinterpret_cast<uint16_t*>(to));
        break;
      default:
        memcpy(to, from, static_cast<size_t>(columns) * sizeof(float));
    }
  }
  return x;
}

// One row of weights times all tokens. joins: of partial sums, beside the terms.
inline std::vector<Bounded> expectedOf(const Product& product, const EncodedTokens& x, int64_t row, int64_t joins = 0) {
  std::vector<Element> elements;
  for (int64_t column = 0; column < x.columns; ++column) elements.push_back(product.weights.element(row, column));

  std::vector<Bounded> expected;
  for (int64_t token = 0; token < product.tokens; ++token) {
    double sum = 0, sizes = 0, tiniest = 0;
    int64_t terms = joins;
    if (x.type == TD_ACT8) {
      const auto add = [&](const Act8Block& block, int64_t first) {
        double dot = 0, base = 0;
        for (int i = 0; i < kActBlock; ++i) {
          const Element& element = elements[static_cast<size_t>(first + i)];
          dot += element.multiplier * element.quant * block.quants[i];
          base += element.base * block.quants[i];
        }
        sum += (dot + base) * block.scale;
        sizes += (std::abs(dot) + std::abs(base)) * block.scale;
        terms += 2;
        tiniest += 0x1p-125;
      };
      const Act8Row layout(x.columns);
      const auto* blocks = reinterpret_cast<const Act8Block*>(x.row(token));
      const auto* rests = reinterpret_cast<const Act8Rest*>(blocks + layout.blocks);
      for (int64_t i = 0; i < layout.blocks; ++i) add(blocks[i], i * kActBlock);
      for (int64_t i = 0; i < layout.rests; ++i) add(rests[i].block, rests[i].index * kActBlock);
    } else {
      for (int64_t column = 0; column < x.columns; ++column) {
        const double term = elements[static_cast<size_t>(column)].value() * x.float32(token, column);
        sum += term;
        sizes += std::abs(term);
        ++terms;
        // What the BF16 instruction takes for zero: a factor, or a sum.
        tiniest += x.type == TD_ACTBF16 ? 0x1p-125 * (1 + std::abs(x.float32(token, column))) : 0x1p-149;
      }
    }
    double tolerance = static_cast<double>(terms + 3) * kRounding * sizes + tiniest;
    if (!product.bias.empty()) {
      sum += product.bias[static_cast<size_t>(row)];
      tolerance += kRounding * std::abs(sum);
    }
    expected.push_back({sum, tolerance});
  }
  return expected;
}

// Whole blocks of a format.
inline int64_t randomColumns(Random& random, td_type type) {
  switch (const int block = formatOf(type).blockElements) {
    case 256:
      return block * random.between(1, random.chance(0.2) ? 9 : 3);
    case 32:
      return block * random.between(1, random.chance(0.2) ? 40 : 8);
    default:
      return random.chance(0.2) ? random.between(1, 4) : random.between(1, 600);
  }
}

}  // namespace td::testing
