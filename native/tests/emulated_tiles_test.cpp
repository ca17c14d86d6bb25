// The emulated tile registers: that they compute what AMX is documented to compute, and see what a kernel must not do.
// By the configuration's bytes and by instructions, independent of the kernels.
#include "emulated_tiles.h"

#include "testing.h"

namespace td::testing {
namespace {

// LDTILECFG's operand.
struct Shapes {
  uint8_t bytes[64] = {1};

  Shapes& tile(int t, int rows, int rowBytes) {
    bytes[16 + 2 * t] = static_cast<uint8_t>(rowBytes);
    bytes[17 + 2 * t] = static_cast<uint8_t>(rowBytes >> 8);
    bytes[48 + t] = static_cast<uint8_t>(rows);
    return *this;
  }
  Shapes& byte(int at, int value) {
    bytes[at] = static_cast<uint8_t>(value);
    return *this;
  }
};

class EmulatedTiles : public ::testing::Test {
 protected:
  void SetUp() override { clear(); }
  void TearDown() override { clear(); }

  static void clear() {
    if (tileReport().configured) emulateRelease();
    tileReport();
  }

  // That the one thing which `use` does wrong is seen.
  template <class Use>
  static void expectFault(const std::string& what, const Shapes& shapes, Use use) {
    SCOPED_TRACE(what);
    clear();
    emulateConfigure(shapes.bytes);
    use();
    const TileReport report = tileReport();
    EXPECT_EQ(1, report.faults);
    EXPECT_NE(std::string::npos, std::string(report.firstFault).find(what)) << report.firstFault;
  }
};

TEST_F(EmulatedTiles, DotProductsOfEveryShape) {
  for (int round = 0; round < rounds(60); ++round) {
    Random random("dot", static_cast<uint64_t>(round));
    const int m = random.integer(1, 16), n = random.integer(1, 16), k = random.integer(1, 16);
    SCOPED_TRACE(caseOf(static_cast<uint64_t>(round)) << m << " x " << n << " x " << k);
    const int strideA = 4 * k + random.integer(0, 9), strideB = 4 * n + random.integer(0, 9), strideC = 4 * n;
    // Not a byte more than is to be read.
    std::vector<int8_t> a(static_cast<size_t>((m - 1) * strideA + 4 * k)),
        b(static_cast<size_t>((k - 1) * strideB + 4 * n));
    for (auto* bytes : {&a, &b}) {
      for (int8_t& each : *bytes) each = static_cast<int8_t>(random.bits());
    }
    std::vector<int32_t> c(static_cast<size_t>(m * n)), expected;
    for (int32_t& each : c) each = static_cast<int32_t>(random.between(-1000, 1000));
    for (int i = 0; i < m * n; ++i) {
      int32_t sum = c[static_cast<size_t>(i)];
      for (int j = 0; j < 4 * k; ++j) {
        sum +=
            a[static_cast<size_t>(i / n * strideA + j)] * b[static_cast<size_t>(j / 4 * strideB + 4 * (i % n) + j % 4)];
      }
      expected.push_back(sum);
    }
    emulateConfigure(Shapes().tile(7, m, 4 * n).tile(0, m, 4 * k).tile(3, k, 4 * n).bytes);
    emulateLoad(7, c.data(), strideC);
    emulateLoad(0, a.data(), strideA);
    emulateLoad(3, b.data(), strideB);
    emulateDot(7, 0, 3);
    emulateStore(7, c.data(), strideC);
    emulateRelease();
    EXPECT_EQ(expected, c);
    const TileReport report = tileReport();
    EXPECT_EQ(0, report.faults) << report.firstFault;
    EXPECT_EQ(1, report.dots);
    EXPECT_FALSE(report.configured);
  }
}

TEST_F(EmulatedTiles, ConfigurationsThatTheProcessorRefuses) {
  const auto nothing = [] {};
  expectFault("palette 0", Shapes().byte(0, 0), nothing);
  expectFault("palette 2", Shapes().byte(0, 2), nothing);
  expectFault("byte 1 ", Shapes().byte(1, 1), nothing);
  expectFault("byte 15 ", Shapes().byte(15, 1), nothing);
  expectFault("tile 0 has 17 rows", Shapes().tile(0, 17, 64), nothing);
  expectFault("tile 7 has 16 rows of 65 bytes", Shapes().tile(7, 16, 65), nothing);
  expectFault("tile 1 has 1 rows of 256 bytes", Shapes().tile(1, 1, 256), nothing);
  expectFault("tile 2 has 0 rows of 4", Shapes().tile(2, 0, 4), nothing);
  expectFault("tile 2 has 4 rows of 0", Shapes().tile(2, 4, 0), nothing);
  expectFault("tile 8 does not exist", Shapes().tile(8, 1, 4), nothing);
}

TEST_F(EmulatedTiles, UsesThatTheProcessorRefuses) {
  alignas(64) uint8_t memory[1024] = {};
  const Shapes good = Shapes().tile(0, 16, 64).tile(1, 16, 32).tile(2, 8, 64).tile(3, 15, 64).tile(4, 8, 60);
  const auto fill = [&](auto... tiles) { (emulateLoad(tiles, memory, 64), ...); };

  expectFault("not configured", good, [&] {
    emulateRelease();
    emulateZero(0);
  });
  expectFault("released, but not configured", good, [] {
    emulateRelease();
    emulateRelease();
  });
  expectFault("configured again", good, [&] { emulateConfigure(good.bytes); });
  expectFault("zero of tile 5", good, [] { emulateZero(5); });
  expectFault("load of tile 8", good, [&] { emulateLoad(8, memory, 64); });
  expectFault("store of tile 5", good, [&] { emulateStore(5, memory, 64); });
  expectFault("dot of tile 5", good, [&] {
    fill(0, 1);
    emulateDot(0, 1, 5);
  });
  expectFault("two are the same", good, [&] {
    fill(0, 1);
    emulateDot(0, 1, 1);
  });
  const auto dotFault = [&](int sums, int a, int b) {
    expectFault("bytes from", good, [&] {
      fill(0, 1, 2, 3, 4);
      emulateDot(sums, a, b);
    });
  };
  dotFault(3, 1, 2);  // rows of the sums and of a
  dotFault(0, 1, 4);  // bytes of the sums and of b
  dotFault(0, 1, 3);  // bytes of a and rows of b
  expectFault("store of tile 0: rows overlap", good, [&] {
    fill(0);
    emulateStore(0, memory, 32);
  });
  expectFault("store of tile 0, which nothing was put into", good, [&] { emulateStore(0, memory, 64); });
  expectFault("dot of tile 0, which nothing was put into", good, [&] {
    fill(1, 2);
    emulateDot(0, 1, 2);
  });
  // ... and that it is not these tiles as such.
  clear();
  emulateConfigure(good.bytes);
  fill(0, 1, 2);
  emulateDot(0, 1, 2);
  emulateStore(0, memory, 64);
  emulateRelease();
  const TileReport report = tileReport();
  EXPECT_EQ(0, report.faults) << report.firstFault;
}

}  // namespace
}  // namespace td::testing
