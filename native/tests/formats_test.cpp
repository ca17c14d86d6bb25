// Halves, weight formats and the tile layout.
#include "weights.h"

namespace td::testing {
namespace {

TEST(Half, EveryHalfToFloat) {
  for (int bits = 0; bits < 65536; ++bits) {
    const float actual = halfToFloat(static_cast<uint16_t>(bits));
    const bool special = (bits & 0x7c00) == 0x7c00;
    if (special && (bits & 0x3ff) != 0) {
      ASSERT_TRUE(std::isnan(actual)) << bits;
    } else {
      const uint8_t bytes[] = {static_cast<uint8_t>(bits), static_cast<uint8_t>(bits >> 8)};
      const double expected = special ? ((bits & 0x8000) != 0 ? -infinity() : infinity()) : half(bytes);
      ASSERT_EQ(expected, actual) << bits;
      ASSERT_EQ((bits & 0x8000) != 0, std::signbit(actual)) << bits;
    }
#if defined(__x86_64__) && defined(__FLT16_MAX__)
    ASSERT_TRUE(sameBits(static_cast<float>(std::bit_cast<_Float16>(static_cast<uint16_t>(bits))), actual)) << bits;
#endif
  }
}

TEST(Half, EveryHalfComesBack) {
  for (int bits = 0; bits < 65536; ++bits) {
    const auto original = static_cast<uint16_t>(bits);
    const uint16_t half = floatToHalf(halfToFloat(original));
    if (std::isnan(halfToFloat(original))) {
      ASSERT_TRUE(std::isnan(halfToFloat(half))) << bits;
      ASSERT_EQ(original & 0x8000, half & 0x8000) << bits;
    } else {
      ASSERT_EQ(original, half) << bits;
    }
  }
}

// Between any two neighbours: below the middle rounds down, above up, the middle itself to the even one.
TEST(Half, RoundsToNearestAndTiesToEven) {
  for (int bits = 0; bits < 0x7c00; ++bits) {
    const double low = halfToFloat(static_cast<uint16_t>(bits));
    const double high = bits == 0x7bff ? 65536 : halfToFloat(static_cast<uint16_t>(bits + 1));
    const float middle = static_cast<float>((low + high) / 2);
    ASSERT_EQ(bits + bits % 2, floatToHalf(middle)) << bits;
    ASSERT_EQ(bits, floatToHalf(std::nextafter(middle, 0.0f))) << bits;
    ASSERT_EQ(bits + 1, floatToHalf(std::nextafter(middle, infinity()))) << bits;
    ASSERT_EQ((bits + 1) | 0x8000, floatToHalf(-std::nextafter(middle, infinity()))) << bits;
  }
  EXPECT_EQ(0x7c00, floatToHalf(infinity()));
  EXPECT_EQ(0xfc00, floatToHalf(-infinity()));
  EXPECT_EQ(0x7c00, floatToHalf(3e38f));
  EXPECT_EQ(0, floatToHalf(1e-45f));
}

#if defined(__x86_64__) && defined(__FLT16_MAX__)
TEST(Half, RandomFloatsLikeTheCompilersOwn) {
  Random random("halves");
  for (int i = 0; i < rounds(1000000); ++i) {
    const float value = std::bit_cast<float>(static_cast<uint32_t>(random.bits()));
    const auto half = static_cast<_Float16>(value);
    ASSERT_TRUE(sameBits(static_cast<float>(half), halfToFloat(floatToHalf(value)))) << value;
  }
}
#endif

TEST(Bf16, EveryValueBothWaysAndTies) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const auto original = static_cast<uint16_t>(bits);
    const float value = bf16ToFloat(original);
    ASSERT_EQ(bits << 16, std::bit_cast<uint32_t>(value));
    if (std::isnan(value)) {
      ASSERT_TRUE(std::isnan(bf16ToFloat(floatToBf16(value)))) << bits;
      // The payload that would be cut off must not leave an infinity.
      ASSERT_TRUE(std::isnan(bf16ToFloat(floatToBf16(std::bit_cast<float>(0x7f800001u | (bits << 16 & 0x80000000u))))));
      continue;
    }
    ASSERT_EQ(original, floatToBf16(value)) << bits;
    if (!std::isfinite(value)) continue;
    const uint32_t middle = bits << 16 | 0x8000;
    ASSERT_EQ(bits + bits % 2, floatToBf16(std::bit_cast<float>(middle))) << bits;
    ASSERT_EQ(bits, floatToBf16(std::bit_cast<float>(middle - 1))) << bits;
    ASSERT_EQ(bits + 1, floatToBf16(std::bit_cast<float>(middle + 1))) << bits;
  }
}

TEST(Bf16, EveryHalfLikeThroughFloat) {
  for (int bits = 0; bits < 65536; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    ASSERT_EQ(floatToBf16(halfToFloat(half)), halfToBf16(half)) << bits;
  }
}

class Formats : public ::testing::TestWithParam<td_type> {
 protected:
  const Format& format() const { return formatOf(GetParam()); }
};

TEST_P(Formats, FieldsCoverTheBlockWithoutGaps) {
  int at = 0;
  for (const Field& field : format().fields) {
    EXPECT_EQ(at, field.offset);
    at += field.unit * field.count;
  }
  EXPECT_EQ(format().blockBytes, at);
}

// u = 2^-24: at most three roundings of the parts' sizes.
TEST_P(Formats, DecodeBlocks) {
  for (int round = 0; round < rounds(500); ++round) {
    SCOPED_TRACE(caseOf(static_cast<uint64_t>(round)));
    Random random("decode " + typeName(GetParam()), static_cast<uint64_t>(round));
    std::vector<uint8_t> block(static_cast<size_t>(format().blockBytes));
    randomBlock(random, GetParam(), block.data());
    Poisoned<float> out(format().blockElements);
    format().decode(block.data(), out.data());
    ASSERT_TRUE(out.intact());
    for (int i = 0; i < format().blockElements; ++i) {
      const Element element = elementOf(GetParam(), block.data(), i);
      const double sizes = std::abs(element.multiplier * element.quant) + std::abs(element.base);
      ASSERT_TRUE(within(out[i], {element.value(), 3 * kRounding * sizes})) << i;
    }
  }
}

// In tiles, each row decodes to the bits that it has in plain layout.
TEST_P(Formats, TilesKeepEveryRow) {
  for (int round = 0; round < rounds(60); ++round) {
    Random random("tiles " + typeName(GetParam()), static_cast<uint64_t>(round));
    const int64_t rows = random.between(1, 70);
    const int64_t columns =
        format().blockElements > 2 ? format().blockElements * random.between(1, 6) : random.between(1, 300);
    SCOPED_TRACE(caseOf(static_cast<uint64_t>(round)) << "[" << rows << ", " << columns << "]");
    const WeightMatrix matrix(random, GetParam(), rows, columns);
    ASSERT_EQ(matrix.plain.size(), static_cast<size_t>(matrixBytes(format(), TD_PLAIN, rows, columns)));
    const std::vector<uint8_t> tiles = matrix.tiles();
    for (int64_t row = 0; row < rows; ++row) {
      Poisoned<float> plain(columns), tiled(columns);
      decodeRow(format(), TD_PLAIN, matrix.plain.data(), columns, row, plain.data());
      decodeRow(format(), TD_TILES, tiles.data(), columns, row, tiled.data());
      ASSERT_TRUE(plain.intact() && tiled.intact());
      ASSERT_TRUE(sameBits(plain, tiled)) << "row " << row;
      for (int64_t column = 0; column < columns; ++column) {
        const Element element = matrix.element(row, column);
        const double sizes = std::abs(element.multiplier * element.quant) + std::abs(element.base);
        ASSERT_TRUE(within(plain[column], {element.value(), 3 * kRounding * sizes})) << row << ", " << column;
      }
    }
    for (int64_t row = rows; row < rowGroups(rows) * kTileRows; ++row) {
      Poisoned<float> padding(columns);
      decodeRow(format(), TD_TILES, tiles.data(), columns, row, padding.data());
      for (const float value : padding) ASSERT_EQ(0, value) << "padding row " << row;
    }
  }
}

// The definition of tiles.h, byte by byte: for rows and columns of every remainder, from rows that lie anywhere, with
// not one byte read behind the last row (the sanitizers see to that) or written behind the last tile.
TEST_P(Formats, TilesAreWhatTheirDefinitionSays) {
  for (int round = 0; round < rounds(60); ++round) {
    Random random("definition " + typeName(GetParam()), static_cast<uint64_t>(round));
    const int rows = random.chance(0.5) ? kTileRows : random.integer(1, kTileRows);
    const int64_t columns = format().blockElements * random.between(1, format().blockElements > 2 ? 5 : 90);
    SCOPED_TRACE(caseOf(static_cast<uint64_t>(round)) << "[" << rows << ", " << columns << "]");
    const int64_t blocks = blocksPerRow(format(), columns), rowBytes = plainRowBytes(format(), columns);
    const int64_t stride = rowBytes + random.between(0, 5);
    std::vector<uint8_t> plain(static_cast<size_t>((rows - 1) * stride + rowBytes));
    for (uint8_t& byte : plain) byte = static_cast<uint8_t>(random.bits());
    const int64_t first = random.between(0, blocks - 1), count = random.between(1, blocks - first);
    std::vector<uint8_t> expected(static_cast<size_t>(count * tileBytes(format())), 0);
    for (int64_t block = 0; block < count; ++block) {
      for (const Field& field : format().fields) {
        for (int row = 0; row < rows; ++row) {
          for (int byte = 0; byte < field.unit * field.count; ++byte) {
            const int unit = byte / field.unit, inUnit = byte % field.unit;
            expected[static_cast<size_t>(block * tileBytes(format()) + field.offset * kTileRows +
                                         (unit * kTileRows + row) * field.unit + inUnit)] =
                plain[static_cast<size_t>(row * stride + (first + block) * format().blockBytes + field.offset + byte)];
          }
        }
      }
    }
    std::vector<uint8_t> tiles(expected.size() + 64, 0xee);
    packTiles(format(), plain.data(), stride, rows, columns, first, count, tiles.data());
    for (size_t i = expected.size(); i < tiles.size(); ++i) ASSERT_EQ(0xee, tiles[i]);
    tiles.resize(expected.size());
    ASSERT_EQ(expected, tiles);
  }
}

// Blocks of a row group can be packed in parts.
TEST_P(Formats, TilesArePackedInPartsToTheSameBytes) {
  Random random("parts");
  const int64_t columns = format().blockElements > 2 ? format().blockElements * 5 : 9;
  const WeightMatrix matrix(random, GetParam(), 13, columns);
  const std::vector<uint8_t> whole = matrix.tiles();
  const int64_t blocks = blocksPerRow(format(), columns), stride = plainRowBytes(format(), columns);
  std::vector<uint8_t> parts(whole.size(), 0xff);
  for (int64_t block = 0; block < blocks; ++block) {
    packTiles(format(), matrix.plain.data(), stride, 13, columns, block, 1, parts.data() + block * tileBytes(format()));
  }
  EXPECT_EQ(whole, parts);
}

INSTANTIATE_TEST_SUITE_P(Format, Formats, ::testing::ValuesIn(kWeightTypes),
                         [](const auto& info) { return typeName(info.param); });

TEST(FormatTable, UnknownTypesAreNamedWithTheKnownOnes) {
  EXPECT_EQ(nullptr, findFormat(TD_I32));
  EXPECT_EQ(nullptr, findFormat(TD_ACT8));
  try {
    formatOf(11);
    FAIL();
  } catch (const Failure& failure) {
    EXPECT_EQ(TD_UNSUPPORTED, failure.status());
    EXPECT_STREQ("weights of type 11 are not supported; supported: F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q4_K, Q6_K",
                 failure.what());
  }
}

}  // namespace
}  // namespace td::testing
