// Weight matrices for tests: random blocks that are valid in their format, ordinary and extreme, and their values in
// double precision, decoded by a description of the formats that shares nothing with the library's.
#pragma once

#include "core/tiles.h"
#include "testing.h"

namespace td::testing {

inline constexpr td_type kWeightTypes[] = {TD_F32, TD_F16, TD_BF16, TD_Q8_0, TD_Q4_0, TD_Q4_1, TD_Q4_K, TD_Q6_K};

// f16 as the nearest; for values that f16 has.
inline void putHalf(uint8_t* at, double value) {
  const uint16_t half = floatToHalf(static_cast<float>(value));
  memcpy(at, &half, sizeof half);
}

inline double half(const uint8_t* at) {
  const int bits = at[0] | at[1] << 8;
  const int exponent = bits >> 10 & 31, mantissa = bits & 1023;
  const double size = exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
  return (bits & 0x8000) != 0 ? -size : size;
}

// A finite half: mostly of a weight's usual size, sometimes 0, subnormal or large.
inline double randomScale(Random& random, double usual) {
  const double sign = random.chance(0.5) ? -1 : 1;
  switch (random.integer(0, 11)) {
    case 0:
      return 0;
    case 1:
      return sign * random.integer(1, 1023) * 0x1p-24;
    case 2:
      return sign * 1000 * random.uniform();
    default:
      return sign * usual * random.uniform(0.2, 1);
  }
}

// Bytes of quants: random, or all the same extreme.
inline void randomQuants(Random& random, uint8_t* at, int count) {
  static constexpr uint8_t kExtremes[] = {0x00, 0xff, 0x80, 0x7f, 0x88, 0x0f, 0xf0};
  const bool extreme = random.chance(0.15);
  const uint8_t same = random.pick(kExtremes);
  for (int i = 0; i < count; ++i) at[i] = extreme ? same : static_cast<uint8_t>(random.bits());
}

inline void randomBlock(Random& random, td_type type, uint8_t* block) {
  switch (type) {
    case TD_F32: {
      const float value = static_cast<float>(random.chance(0.05) ? 0 : random.normal());
      memcpy(block, &value, sizeof value);
      break;
    }
    case TD_F16:
      putHalf(block, random.chance(0.05) ? randomScale(random, 1) : random.normal());
      break;
    case TD_BF16:
      for (int i = 0; i < 2; ++i) {
        const uint16_t value = floatToBf16(static_cast<float>(random.chance(0.05) ? 0 : random.normal()));
        memcpy(block + 2 * i, &value, sizeof value);
      }
      break;
    case TD_Q8_0:
      putHalf(block, randomScale(random, 0.01));
      randomQuants(random, block + 2, 32);
      break;
    case TD_Q4_0:
      putHalf(block, randomScale(random, 0.1));
      randomQuants(random, block + 2, 16);
      break;
    case TD_Q4_1:
      putHalf(block, randomScale(random, 0.1));
      putHalf(block + 2, randomScale(random, 0.5));
      randomQuants(random, block + 4, 16);
      break;
    case TD_Q4_K:
      putHalf(block, randomScale(random, 0.002));
      putHalf(block + 2, randomScale(random, 0.01));
      randomQuants(random, block + 4, 12);
      randomQuants(random, block + 16, 128);
      break;
    case TD_Q6_K:
      randomQuants(random, block, 128);
      randomQuants(random, block + 128, 64);
      randomQuants(random, block + 192, 16);
      putHalf(block + 208, randomScale(random, 0.001));
      break;
    default:
      FAIL() << typeName(type);
  }
}

// Element `index` of a block. A value of a quantised format is multiplier * quant + base: see Term.
struct Element {
  double multiplier = 1, quant = 0, base = 0;
  double value() const { return multiplier * quant + base; }
};

inline Element elementOf(td_type type, const uint8_t* block, int index) {
  const auto nibble = [](const uint8_t* bytes, int i) { return i < 16 ? bytes[i] & 15 : bytes[i - 16] >> 4; };
  switch (type) {
    case TD_F32: {
      float value;
      memcpy(&value, block, sizeof value);
      return {1, value, 0};
    }
    case TD_F16:
      return {1, half(block), 0};
    case TD_BF16: {
      const uint32_t bits = static_cast<uint32_t>(block[2 * index] | block[2 * index + 1] << 8) << 16;
      return {1, std::bit_cast<float>(bits), 0};
    }
    case TD_Q8_0:
      return {half(block), static_cast<double>(static_cast<int8_t>(block[2 + index])), 0};
    case TD_Q4_0:
      return {half(block), nibble(block + 2, index) - 8.0, 0};
    case TD_Q4_1:
      return {half(block), static_cast<double>(nibble(block + 4, index)), half(block + 2)};
    case TD_Q4_K: {
      // The 96 bits of scales and minima as one number, least significant first: 6 bits each, except that sub-blocks 4
      // to 7 have their low four bits in the last four bytes and their high two on top of the bytes of 0 to 3.
      const int sub = index / 32;
      const auto bits = [&](int byte, int first, int count) { return (block[4 + byte] >> first) & ((1 << count) - 1); };
      const int scale = sub < 4 ? bits(sub, 0, 6) : bits(4 + sub, 0, 4) + 16 * bits(sub - 4, 6, 2);
      const int minimum = sub < 4 ? bits(4 + sub, 0, 6) : bits(4 + sub, 4, 4) + 16 * bits(sub, 6, 2);
      const int byte = block[16 + index / 64 * 32 + index % 32];
      return {half(block) * scale, static_cast<double>(index / 32 % 2 == 0 ? byte % 16 : byte / 16),
              -half(block + 2) * minimum};
    }
    case TD_Q6_K: {
      const int in = index % 128, byte = block[index / 128 * 64 + in % 64];
      const int low = in < 64 ? byte % 16 : byte / 16;
      const int high = block[128 + index / 128 * 32 + in % 32] >> (in / 32 * 2) & 3;
      return {half(block + 208) * static_cast<int8_t>(block[192 + index / 16]), low + 16.0 * high - 32, 0};
    }
    default:
      return {};
  }
}

// A random matrix in plain layout.
struct WeightMatrix {
  td_type type;
  int64_t rows, columns;
  std::vector<uint8_t> plain;

  // randomise(random, type, block) writes one block.
  template <class Randomise = decltype(&randomBlock)>
  WeightMatrix(Random& random, td_type type, int64_t rows, int64_t columns, Randomise randomise = randomBlock)
      : type(type), rows(rows), columns(columns) {
    const Format& format = formatOf(type);
    const int64_t rowBytes = plainRowBytes(format, columns);
    plain.resize(static_cast<size_t>(rows * rowBytes));
    uint8_t block[256];
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t at = 0; at < rowBytes; at += format.blockBytes) {
        randomise(random, type, block);
        memcpy(&plain[static_cast<size_t>(row * rowBytes + at)], block,
               static_cast<size_t>(std::min<int64_t>(format.blockBytes, rowBytes - at)));
      }
    }
  }

  const Format& format() const { return formatOf(type); }

  Element element(int64_t row, int64_t column) const {
    const Format& f = format();
    const uint8_t* block =
        &plain[static_cast<size_t>(row * plainRowBytes(f, columns) + column / f.blockElements * f.blockBytes)];
    return elementOf(type, block, static_cast<int>(column % f.blockElements));
  }

  std::vector<uint8_t> tiles() const {
    const Format& f = format();
    const int64_t blocks = blocksPerRow(f, columns), rowBytes = plainRowBytes(f, columns);
    std::vector<uint8_t> packed(static_cast<size_t>(matrixBytes(f, TD_TILES, rows, columns)), 0xff);
    for (int64_t row = 0; row < rows; row += kTileRows) {
      packTiles(f, plain.data() + row * rowBytes, rowBytes, static_cast<int>(std::min<int64_t>(kTileRows, rows - row)),
                columns, 0, blocks, packed.data() + row / kTileRows * blocks * tileBytes(f));
    }
    return packed;
  }
};

}  // namespace td::testing
