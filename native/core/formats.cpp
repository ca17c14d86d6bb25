#include "core/formats.h"

#include <cstring>

#include "core/half.h"
#include "core/status.h"

namespace td {
namespace {

uint16_t read16(const uint8_t* at) {
  uint16_t value;
  memcpy(&value, at, sizeof value);
  return value;
}

void decodeF32(const uint8_t* block, float* out) {
  memcpy(out, block, sizeof *out);
}

void decodeF16(const uint8_t* block, float* out) {
  *out = halfToFloat(read16(block));
}

// A block of BF16 is a pair, because the dot product instructions take pairs.
void decodeBf16(const uint8_t* block, float* out) {
  out[0] = bf16ToFloat(read16(block));
  out[1] = bf16ToFloat(read16(block + 2));
}

// weight = d * (nibble - 8); byte i holds elements i (low) and i + 16 (high)
void decodeQ40(const uint8_t* block, float* out) {
  const float d = halfToFloat(read16(block));
  for (int i = 0; i < 16; ++i) {
    out[i] = d * static_cast<float>((block[2 + i] & 15) - 8);
    out[i + 16] = d * static_cast<float>((block[2 + i] >> 4) - 8);
  }
}

// weight = d * nibble + m
void decodeQ41(const uint8_t* block, float* out) {
  const float d = halfToFloat(read16(block)), m = halfToFloat(read16(block + 2));
  for (int i = 0; i < 16; ++i) {
    out[i] = d * static_cast<float>(block[4 + i] & 15) + m;
    out[i + 16] = d * static_cast<float>(block[4 + i] >> 4) + m;
  }
}

void decodeQ80(const uint8_t* block, float* out) {
  const float d = halfToFloat(read16(block));
  for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>(static_cast<int8_t>(block[2 + i]));
}

// 8 sub-blocks of 32: weight = d * scale * nibble - dmin * minimum; scales and minima are 6 bits, packed into 12 bytes:
// those of sub-blocks 0-3 in the low 6 bits of bytes 0-3 and 4-7, those of 4-7 in bytes 8-11 and the high 2 bits of the
// others.
void decodeQ4K(const uint8_t* block, float* out) {
  const float d = halfToFloat(read16(block)), dmin = halfToFloat(read16(block + 2));
  const uint8_t* packed = block + 4;
  for (int sub = 0; sub < 8; ++sub) {
    int scale, minimum;
    if (sub < 4) {
      scale = packed[sub] & 63;
      minimum = packed[sub + 4] & 63;
    } else {
      scale = (packed[sub + 4] & 15) | ((packed[sub - 4] >> 6) << 4);
      minimum = (packed[sub + 4] >> 4) | ((packed[sub] >> 6) << 4);
    }
    const uint8_t* quants = block + 16 + sub / 2 * 32;
    const float factor = d * static_cast<float>(scale), base = dmin * static_cast<float>(minimum);
    for (int i = 0; i < 32; ++i) {
      const int nibble = sub % 2 == 0 ? quants[i] & 15 : quants[i] >> 4;
      out[sub * 32 + i] = factor * static_cast<float>(nibble) - base;
    }
  }
}

// 16 sub-blocks of 16: weight = d * scale * (six bits - 32); low four bits in the first 128 bytes, high two in the
// next 64.
void decodeQ6K(const uint8_t* block, float* out) {
  const float d = halfToFloat(read16(block + 208));
  for (int half = 0; half < 2; ++half) {
    const uint8_t* low = block + half * 64;
    const uint8_t* high = block + 128 + half * 32;
    for (int i = 0; i < 128; ++i) {
      const int quarter = i / 32, lane = i % 32;
      const int four = quarter < 2 ? low[lane + quarter % 2 * 32] & 15 : low[lane + quarter % 2 * 32] >> 4;
      const int two = (high[lane] >> (2 * quarter)) & 3;
      const int8_t scale = static_cast<int8_t>(block[192 + half * 8 + i / 16]);
      out[half * 128 + i] = d * static_cast<float>(scale) * static_cast<float>((four | (two << 4)) - 32);
    }
  }
}

constexpr Field kF32[] = {{0, 4, 1}};
constexpr Field kF16[] = {{0, 2, 1}};
constexpr Field kBf16[] = {{0, 4, 1}};
constexpr Field kQ40[] = {{0, 2, 1}, {2, 4, 4}};
constexpr Field kQ41[] = {{0, 2, 1}, {2, 2, 1}, {4, 4, 4}};
constexpr Field kQ80[] = {{0, 2, 1}, {2, 4, 8}};
constexpr Field kQ4K[] = {{0, 2, 1}, {2, 2, 1}, {4, 1, 12}, {16, 4, 32}};
constexpr Field kQ6K[] = {{0, 4, 32}, {128, 4, 16}, {192, 1, 16}, {208, 2, 1}};

constexpr Format kFormats[] = {
    {TD_F32, 1, 4, kF32, decodeF32},      {TD_F16, 1, 2, kF16, decodeF16},      {TD_BF16, 2, 4, kBf16, decodeBf16},
    {TD_Q8_0, 32, 34, kQ80, decodeQ80},   {TD_Q4_0, 32, 18, kQ40, decodeQ40},   {TD_Q4_1, 32, 20, kQ41, decodeQ41},
    {TD_Q4_K, 256, 144, kQ4K, decodeQ4K}, {TD_Q6_K, 256, 210, kQ6K, decodeQ6K},
};

}  // namespace

const Format* findFormat(int32_t type) {
  for (const Format& format : kFormats) {
    if (format.type == type) return &format;
  }
  return nullptr;
}

const Format& formatOf(int32_t type) {
  const Format* format = findFormat(type);
  if (format == nullptr) {
    std::string known;
    for (const Format& each : kFormats) known += (known.empty() ? "" : ", ") + typeName(each.type);
    fail(TD_UNSUPPORTED, "weights of %s are not supported; supported: %s", typeName(type).c_str(), known.c_str());
  }
  return *format;
}

}  // namespace td
