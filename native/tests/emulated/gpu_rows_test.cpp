// Embedding, gathering and copying of rows on the emulated device, raw and checked, in all orders of threads.
#include "emulated/paged_cache.h"
#include "weights.h"

namespace td::testing {
namespace {

using GpuRowsTest = CacheKernelsTest;
INSTANTIATE_TEST_SUITE_P(Views, GpuRowsTest, ::testing::Bool(), viewsOfTest);

// Row numbers, some of them out of range.
std::vector<int32_t> someRows(Random& random, int64_t count, int64_t rows) {
  std::vector<int32_t> indices;
  for (int64_t i = 0; i < count; ++i) {
    indices.push_back(static_cast<int32_t>(random.between(0, rows - 1)));
    if (random.chance(0.1)) {
      const auto behind = static_cast<int32_t>(rows);
      indices.back() = random.pick(std::initializer_list<int32_t>{-1, behind, 0x7fffffff, -0x7fffffff - 1});
    }
  }
  return indices;
}

bool possible(int32_t row, int64_t rows) {
  return row >= 0 && row < rows;
}

// The bits of decodeRow(), near double precision: a product or two and a sum, each rounded once.
TEST_P(GpuRowsTest, EmbeddingOfEveryFormatAndLayout) {
  for (const td_type type : kWeightTypes) {
    for (int round = 0; round < rounds(8); ++round) {
      Random random("gpu embedding", static_cast<uint64_t>(100 * type + round));
      arrange(random);
      const Format& format = formatOf(type);
      const int64_t rows = random.between(1, 40), count = random.between(0, 9);
      int64_t columns = format.blockElements * random.between(1, format.blockElements > 32 ? 2 : 12);
      if (type == TD_BF16 && random.chance(0.5)) ++columns;
      SCOPED_TRACE(caseOf(static_cast<uint64_t>(round)) << typeName(type) << " [" << rows << ", " << columns << "]");
      const WeightMatrix weights(random, type, rows, columns);
      const std::vector<int32_t> ids = someRows(random, count, rows);
      const DeviceArray<int32_t> idArray(device(), stream(), ids, "ids");
      for (const td_layout layout : {TD_PLAIN, TD_TILES}) {
        const std::vector<uint8_t> bytes = layout == TD_TILES ? weights.tiles() : weights.plain;
        const DeviceArray<uint8_t> table(device(), stream(), bytes, "table");
        const DeviceArray<float> out(device(), count * columns, "out");
        ASSERT_TRUE(ok(kernels().embedding(&stream(), {.table = table.readOnly(),
                                                       .ids = idArray.input(),
                                                       .out = out.span(),
                                                       .type = type,
                                                       .layout = layout,
                                                       .rows = rows,
                                                       .columns = columns})));
        const std::vector<float> result = out.read(stream());
        std::vector<float> row(static_cast<size_t>(columns));
        for (int64_t i = 0; i < count; ++i) {
          const int32_t id = ids[static_cast<size_t>(i)];
          const auto actual = std::span(result).subspan(static_cast<size_t>(i * columns), row.size());
          if (!possible(id, rows)) {
            for (const float value : actual) ASSERT_TRUE(std::isnan(value)) << "id " << id;
            continue;
          }
          decodeRow(format, layout, bytes.data(), columns, id, row.data());
          ASSERT_TRUE(sameBits(row, actual)) << "layout " << layout << ", id " << id;
          for (int64_t column = 0; column < columns; ++column) {
            const Element element = weights.element(id, column);
            const double size = std::abs(element.multiplier * element.quant) + std::abs(element.base);
            ASSERT_TRUE(within(actual[static_cast<size_t>(column)], {element.value(), 3 * kRounding * size + 0x1p-148}))
                << "layout " << layout << ", id " << id << ", column " << column;
          }
        }
      }
    }
  }
}

TEST_P(GpuRowsTest, ATypeThatIsNoWeightIsRefused) {
  const DeviceArray<uint8_t> table(device(), 64);
  const DeviceArray<int32_t> ids(device(), 1);
  const DeviceArray<float> out(device(), 16);
  EXPECT_TRUE(refuses(kernels().embedding(&stream(), {.table = table.readOnly(),
                                                      .ids = ids.input(),
                                                      .out = out.span(),
                                                      .type = TD_ACT8,
                                                      .layout = TD_PLAIN,
                                                      .rows = 1,
                                                      .columns = 16}),
                      "weights of this type are not supported"));
}

TEST_P(GpuRowsTest, Gather) {
  for (int round = 0; round < rounds(30); ++round) {
    Random random("gpu gather", static_cast<uint64_t>(round));
    arrange(random);
    const int64_t rows = random.between(1, 20), columns = random.between(1, 700), count = random.between(0, 12);
    SCOPED_TRACE(caseOf(static_cast<uint64_t>(round)) << count << " of [" << rows << ", " << columns << "]");
    const std::vector<float> x = random.normals(rows * columns);
    const std::vector<int32_t> indices = someRows(random, count, rows);
    const DeviceArray<float> xs(device(), stream(), x, "x"), out(device(), count * columns, "out");
    const DeviceArray<int32_t> indexArray(device(), stream(), indices, "indices");
    ASSERT_TRUE(ok(kernels().gatherRows(
        &stream(), {.x = xs.input(), .indices = indexArray.input(), .out = out.span(), .columns = columns})));
    const std::vector<float> result = out.read(stream());
    for (int64_t i = 0; i < count * columns; ++i) {
      const int32_t row = indices[static_cast<size_t>(i / columns)];
      const float expected = possible(row, rows) ? x[static_cast<size_t>(row * columns + i % columns)] : notANumber();
      ASSERT_TRUE(sameBits(expected, result[static_cast<size_t>(i)])) << i;
    }
  }
}

TEST_P(GpuRowsTest, CopyOfAnyAlignment) {
  for (int round = 0; round < rounds(40); ++round) {
    Random random("gpu copy", static_cast<uint64_t>(round));
    arrange(random);
    const int64_t bytes = random.between(0, random.chance(0.5) ? 40 : 9000), from = random.between(0, 2) * 8,
                  to = random.between(0, 2) * 8;
    SCOPED_TRACE(caseOf(static_cast<uint64_t>(round)) << bytes << " bytes from " << from << " to " << to);
    std::vector<uint8_t> x(static_cast<size_t>(from + bytes)), expected(static_cast<size_t>(to + bytes + 16), 0xa5);
    for (uint8_t& byte : x) byte = static_cast<uint8_t>(random.bits());
    const DeviceArray<uint8_t> xs(device(), stream(), x, "x"), out(device(), stream(), expected, "out");
    const CopyCall call{.x = {xs.address() + static_cast<DeviceAddress>(from), bytes, "x"},
                        .out = {out.address() + static_cast<DeviceAddress>(to), bytes, "out"}};
    ASSERT_TRUE(ok(kernels().copyBytes(&stream(), call)));
    std::copy(x.begin() + from, x.end(), expected.begin() + to);
    ASSERT_EQ(expected, out.read(stream()));
  }
}

}  // namespace
}  // namespace td::testing
