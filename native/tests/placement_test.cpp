// Where weights lie on a machine with several memory nodes, and who computes with them: made-up topologies, and a
// recorder in place of the system call.
#include <unistd.h>

#include <algorithm>
#include <numeric>

#include "core/file.h"
#include "core/memory.h"
#include "core/program.h"
#include "core/thread_pool.h"
#include "cpu/cpu_device.h"
#include "cpu/cpu_operation.h"
#include "made_up_topology.h"
#include "temporary_file.h"
#include "weights.h"

namespace td::testing {
namespace {

struct Placed {
  const uint8_t* data;
  size_t bytes;
  int node;
  bool untouched;
};

// What was asked for, and whether the range was still zeros.
class Recorder {
 public:
  PlaceRange place() {
    return [this](const uint8_t* data, size_t bytes, int node) {
      calls_.push_back({data, bytes, node, std::all_of(data, data + bytes, [](uint8_t byte) { return byte == 0; })});
      return true;
    };
  }
  const std::vector<Placed>& calls() const { return calls_; }

 private:
  std::vector<Placed> calls_;
};

TEST(Placement, IsAdviceThatChangesNoByte) {
  const Memory memory(size_t{5} << 20);
  const std::span<const uint8_t> all(memory.data(), memory.size());
  const NodeShares two(withCpus({1, 1}), 2);  // its second node does not exist here: refused, and no harm
  placeParts(two, all, 0, 1000, 5000);
  const int here = Topology::read().nodes.empty() ? 0 : Topology::read().nodes[0].id;
  // Container runtimes commonly forbid the call.
  if (!placeOnNode(memory.data() + 100, memory.size() - 200, here)) GTEST_SKIP() << "the system refuses mbind";
  for (size_t i = 0; i < memory.size(); i += 4096) ASSERT_EQ(0, memory.data()[i]);
  EXPECT_FALSE(placeOnNode(memory.data(), 0, here));
  EXPECT_FALSE(placeOnNode(memory.data(), memory.size(), -1));
  EXPECT_FALSE(placeOnNode(memory.data(), memory.size(), 100'000));
}

TEST(Placement, OneNodeIsNotEvenAsked) {
  Recorder recorder;
  placeParts(NodeShares(withCpus({2}), 2), {}, 0, 1000, 5000, recorder.place());
  EXPECT_TRUE(recorder.calls().empty());
}

// Tensors one behind another in one memory: a page is where its middle is read, and no page is two nodes'.
TEST(Placement, EveryPageIsWhereItsMiddleIsRead) {
  for (int round = 0; round < rounds(300); ++round) {
    SCOPED_TRACE(caseOf(static_cast<uint64_t>(round)));
    Random random("pages", static_cast<uint64_t>(round));
    std::vector<int> cpus(static_cast<size_t>(random.integer(2, 4)));
    for (int& count : cpus) count = random.integer(1, 9);
    const NodeShares shares(withCpus(cpus), random.integer(2, 20));
    const bool huge = random.chance(0.5);
    const int64_t page = huge ? int64_t{2} << 20 : sysconf(_SC_PAGESIZE);
    struct Matrix {
      int64_t offset, items, itemBytes;
    };
    std::vector<Matrix> matrices;
    int64_t size = 0;
    for (int i = random.integer(1, 5); i > 0; --i) {
      const int64_t items = random.between(1, 64), most = huge ? 400'000 : 700;
      matrices.push_back({size, items, random.between(1, most)});
      size += items * matrices.back().itemBytes;
    }
    if (!huge && size >= int64_t{2} << 20) continue;
    const Memory memory(static_cast<size_t>(huge ? std::max(size, page) : size));
    Recorder recorder;
    for (const Matrix& matrix : matrices) {
      placeParts(shares, {memory.data(), memory.size()}, matrix.offset, matrix.items, matrix.itemBytes,
                 recorder.place());
    }
    if (shares.nodes() < 2) {
      ASSERT_TRUE(recorder.calls().empty());
      continue;
    }
    const auto nodeAt = [&](int64_t byte) {
      int node = -1;
      for (const Placed& placed : recorder.calls()) {
        const uint8_t* at = memory.data() + byte;
        if (at < placed.data || at >= placed.data + placed.bytes) continue;
        EXPECT_EQ(-1, node) << "byte " << byte << " is placed twice";
        node = placed.node;
      }
      return node;
    };
    // The node of the part that a byte lies in.
    const auto ownerOf = [&](int64_t byte) {
      for (const Matrix& matrix : matrices) {
        for (int node = 0; node < shares.nodes(); ++node) {
          const ChunkRange part = shares.part(matrix.items, node);
          const int64_t in = byte - matrix.offset;
          if (in >= part.first * matrix.itemBytes && in < part.last * matrix.itemBytes) return shares.home(node).id;
        }
      }
      return -1;
    };
    const auto all = static_cast<int64_t>(memory.size());
    for (int64_t at = 0; at < all; at += page) {
      const int owner = ownerOf(at + page / 2 - 1);
      ASSERT_EQ(owner, nodeAt(at)) << "page at " << at;
      ASSERT_EQ(owner, nodeAt(std::min(at + page, all) - 1)) << "page at " << at;
    }
    for (const Placed& placed : recorder.calls()) {
      ASSERT_EQ(0, (placed.data - memory.data()) % page) << "a page is cut";
      ASSERT_LE(placed.data + placed.bytes, memory.data() + memory.size());
    }
  }
}

// A matrix in a file, and a device whose memory nodes are made up.
class Loaded {
 public:
  Loaded(const WeightMatrix& weights, td_layout layout, const Topology& topology, int threads)
      : device_(std::make_shared<CpuDevice>(TD_ISA_SCALAR, threads, 0, topology, recorder_.place())) {
    const TemporaryFile content(weights.plain);
    const File file(content.path());
    const int64_t bytes = matrixBytes(weights.format(), layout, weights.rows, weights.columns);
    buffer_ = device_->allocate(bytes);
    device_->load(file, 0, weights.type, weights.rows, weights.columns, *buffer_, 0, weights.type, layout);
  }

  const Recorder& recorder() const { return recorder_; }
  const NodeShares& shares() const { return device_->pool().shares(); }
  std::span<const uint8_t> bytes() const { return {buffer_->data(), static_cast<size_t>(buffer_->size())}; }

 private:
  Recorder recorder_;
  std::shared_ptr<CpuDevice> device_;
  std::shared_ptr<Buffer> buffer_;
};

TEST(Placement, LoadingPlacesTheRowsOfEachNodeBeforeItTouchesThem) {
  Random random("loading");
  const WeightMatrix weights(random, TD_Q8_0, 1000, 512);
  const int64_t page = sysconf(_SC_PAGESIZE);
  for (const td_layout layout : {TD_TILES, TD_PLAIN}) {
    SCOPED_TRACE(layout);
    const Loaded one(weights, layout, withCpus({4}), 4), two(weights, layout, withCpus({3, 1}), 4);
    EXPECT_TRUE(one.recorder().calls().empty());
    EXPECT_TRUE(std::ranges::equal(one.bytes(), two.bytes()));
    EXPECT_TRUE(std::ranges::equal(one.bytes(), layout == TD_TILES ? weights.tiles() : weights.plain));
    const auto& calls = two.recorder().calls();
    ASSERT_EQ(2u, calls.size());
    const auto all = static_cast<int64_t>(two.bytes().size());
    EXPECT_EQ(two.bytes().data(), calls[0].data);
    EXPECT_EQ(calls[0].data + calls[0].bytes, calls[1].data);
    EXPECT_EQ(two.bytes().data() + all, calls[1].data + calls[1].bytes);
    const int64_t item = layout == TD_TILES ? all / rowGroups(weights.rows) : all / weights.rows;
    EXPECT_NEAR(static_cast<double>(all) * 3 / 4, static_cast<double>(calls[0].bytes),
                static_cast<double>(item + page / 2));
    EXPECT_EQ(0, calls[0].node);
    EXPECT_EQ(1, calls[1].node);
    for (const Placed& call : calls) EXPECT_TRUE(call.untouched) << "node " << call.node;
  }
}

// Matrices of the same activations, as queries, keys and values are.
class Matrices {
 public:
  static constexpr int64_t kColumns = 64;

  Matrices(Random& random, std::initializer_list<int64_t> rows, int64_t tokens)
      : tokens_(tokens), x_(random.normals(tokens * kColumns)) {
    for (const int64_t count : rows) {
      weights_.push_back(WeightMatrix(random, TD_F32, count, kColumns).tiles());
      outs_.emplace_back(static_cast<size_t>(tokens * count), notANumber());
      operations_.push_back({.weight = tensor(weights_.back().data(), TD_TILES, count, kColumns),
                             .x = tensor(x_.data(), TD_PLAIN, tokens, kColumns),
                             .bias = {},
                             .out = tensor(outs_.back().data(), TD_PLAIN, tokens, count)});
    }
  }

  std::span<const op::MatMul> operations() const { return operations_; }
  std::vector<std::vector<float>>& outs() { return outs_; }
  void clear() {
    for (auto& out : outs_) std::fill(out.begin(), out.end(), notANumber());
  }
  // The rows of a matrix that have been computed for the first token: [first, last), or nothing if they do not follow
  // one another.
  ChunkRange written(size_t matrix) const {
    const auto begin = outs_[matrix].begin(), end = begin + operations_[matrix].weight.rows;
    const auto isThere = [](float value) { return !std::isnan(value); };
    const auto first = std::find_if(begin, end, isThere), last = std::find_if_not(first, end, isThere);
    EXPECT_EQ(end, std::find_if(last, end, isThere)) << "matrix " << matrix << ": rows with a gap";
    return {first - begin, last - begin};
  }

 private:
  static Tensor tensor(void* data, td_layout layout, int64_t rows, int64_t columns) {
    return {.data = static_cast<uint8_t*>(data),
            .type = TD_F32,
            .layout = layout,
            .rows = rows,
            .columns = columns,
            .rowBytes = columns * 4,
            .writable = true};
  }

  int64_t tokens_;
  std::vector<float> x_;
  std::vector<std::vector<uint8_t>> weights_;
  std::vector<std::vector<float>> outs_;
  std::vector<op::MatMul> operations_;
};

TEST(Placement, EachNodeComputesTheRowsOfEveryMatrixThatLieThere) {
  for (const auto& cpus : std::vector<std::vector<int>>{{1, 1}, {3, 1}, {2, 2, 1}}) {
    const int threads = std::accumulate(cpus.begin(), cpus.end(), 0);
    const NodeShares shares(withCpus(cpus), threads);
    SCOPED_TRACE(threads);
    Random random("ranges");
    Matrices matrices(random, {4096, 1024, 1000}, 1);
    const CpuTarget target{kernelsFor(TD_ISA_SCALAR), threads, shares.nodes()};
    std::vector<std::unique_ptr<CpuOperation>> each;
    for (const op::MatMul& operation : matrices.operations()) each.push_back(makeMatMuls({&operation, 1}, target));
    const auto pass = makeInterleaved(std::move(each));
    const int64_t chunks = pass->open(0, 1);
    ASSERT_GT(chunks, 8 * threads);
    for (int node = 0; node < shares.nodes(); ++node) {
      matrices.clear();
      const ChunkRange range = shares.part(chunks, node);
      for (int64_t chunk = range.first; chunk < range.last; ++chunk) pass->run(0, chunk, nullptr);
      for (size_t i = 0; i < matrices.operations().size(); ++i) {
        const int64_t rows = matrices.operations()[i].weight.rows, groups = rowGroups(rows);
        const ChunkRange here = shares.part(groups, node), done = matrices.written(i);
        // Two chunks, each of two groups or a fraction of the whole.
        const double near = static_cast<double>(2 * kTileRows * std::max<int64_t>(2, groups / (8 * threads)));
        EXPECT_NEAR(static_cast<double>(here.first * kTileRows), static_cast<double>(done.first), near)
            << "matrix " << i << ", node " << node;
        EXPECT_NEAR(static_cast<double>(std::min(rows, here.last * kTileRows)), static_cast<double>(done.last), near)
            << "matrix " << i << ", node " << node;
      }
    }
  }
}

// Whole programs, joined matmuls among them, on as many nodes as one likes.
TEST(Placement, NodesChangeNoBit) {
  Random random("programs on nodes");
  const std::initializer_list<int64_t> rows = {160, 48, 33, 7};
  constexpr int64_t kColumns = Matrices::kColumns, kTokens = 300;
  std::vector<WeightMatrix> weights;
  for (const int64_t count : rows) weights.emplace_back(random, TD_F32, count, kColumns);
  const std::vector<float> x = random.normals(kTokens * kColumns);
  const auto outputs = [&](const Topology& topology, int threads, int32_t tokens) {
    Recorder recorder;
    const auto device = std::make_shared<CpuDevice>(TD_ISA_SCALAR, threads, 0, topology, recorder.place());
    Program program(device);
    const auto tensorOf = [&](const void* data, int64_t bytes, int32_t type, td_layout layout, int64_t count,
                              int64_t columns) {
      const auto buffer = device->allocate(bytes);
      if (data != nullptr) memcpy(buffer->data(), data, static_cast<size_t>(bytes));
      return std::pair(buffer, program.tensor(*device, buffer, 0, type, layout, count, columns));
    };
    program.extent(tensorOf(&tokens, 4, TD_I32, TD_PLAIN, 1, 1).second);
    const int32_t in = tensorOf(x.data(), kTokens * kColumns * 4, TD_F32, TD_PLAIN, kTokens, kColumns).second;
    std::vector<std::shared_ptr<Buffer>> outs;
    for (const WeightMatrix& matrix : weights) {
      const auto tiles = matrix.tiles();
      const auto weight =
          tensorOf(tiles.data(), static_cast<int64_t>(tiles.size()), TD_F32, TD_TILES, matrix.rows, kColumns);
      const auto out = tensorOf(nullptr, kTokens * matrix.rows * 4, TD_F32, TD_PLAIN, kTokens, matrix.rows);
      program.matmul(weight.second, in, -1, out.second);
      outs.push_back(out.first);
    }
    program.finish();
    program.run(nullptr);
    program.run(nullptr);  // the chunks are those of the run before
    std::vector<float> all;
    for (const auto& out : outs) {
      const auto* values = reinterpret_cast<const float*>(out->data());
      all.insert(all.end(), values, values + out->size() / 4);
    }
    return all;
  };
  for (const int32_t tokens : {1, 5, 300}) {
    const auto expected = outputs(withCpus({1}), 1, tokens);
    EXPECT_TRUE(std::any_of(expected.begin(), expected.end(), [](float value) { return value != 0; }));
    EXPECT_TRUE(sameBits(expected, outputs(withCpus({1, 1}), 2, tokens))) << tokens;
    EXPECT_TRUE(sameBits(expected, outputs(withCpus({1, 2, 2}), 5, tokens))) << tokens;
  }
}

}  // namespace
}  // namespace td::testing
