// Loading in its parts: reading a file that is in the page cache, packing rows into tiles, and both as devices do it.
// What the whole takes beyond reading alone is what the tile layout costs.
//   native_bench --benchmark_filter=load
#include <fcntl.h>
#include <unistd.h>

#include "bench.h"
#include "core/file.h"
#include "core/memory.h"
#include "core/thread_pool.h"
#include "core/tiles.h"

namespace td::bench {
namespace {

constexpr int64_t kColumns = 2048;
constexpr int64_t kPiece = int64_t{4} << 20;
constexpr int64_t kStaging = int64_t{256} << 10;

// A file of kBeyondCaches bytes that is deleted with the process, all of it in the page cache.
const char* testFile() {
  static char path[64];
  static const int descriptor = [] {
    const char* folder = getenv("TMPDIR");
    snprintf(path, sizeof path, "%.40s/tandem-bench-XXXXXX", folder == nullptr ? "/tmp" : folder);
    const int file = mkstemp(path);
    const std::vector<uint8_t> piece(static_cast<size_t>(kStaging), 0x2c);
    for (int64_t at = 0; at < kBeyondCaches; at += kStaging) {
      if (file < 0 || write(file, piece.data(), piece.size()) != kStaging) {
        fprintf(stderr, "%s: %lld bytes cannot be written\n", path, static_cast<long long>(kBeyondCaches));
        std::abort();
      }
    }
    atexit([] { unlink(path); });
    return file;
  }();
  return descriptor < 0 ? nullptr : path;
}

// The limit of all that follows.
void readFile(benchmark::State& state, int threads) {
  const File file(testFile());
  ThreadPool pool(threads);
  std::vector<std::vector<uint8_t>> staging(static_cast<size_t>(threads), std::vector<uint8_t>(kStaging));
  for (auto _ : state) {
    parallelFor(pool, kBeyondCaches / kStaging, [&](int64_t piece, int worker) {
      file.read(piece * kStaging, kStaging, staging[static_cast<size_t>(worker)].data());
    });
  }
  rate(state, "GB", static_cast<double>(kBeyondCaches));
}

// What the system takes for memory that nobody has touched, on 2 MiB pages where it has them.
void touchMemory(benchmark::State& state, int threads) {
  ThreadPool pool(threads);
  for (auto _ : state) {
    const Memory memory(static_cast<size_t>(kBeyondCaches));
    parallelFor(pool, kBeyondCaches / kStaging, [&](int64_t piece, int) {
      for (int64_t at = 0; at < kStaging; at += 4096) memory.data()[piece * kStaging + at] = 1;
    });
  }
  rate(state, "GB", static_cast<double>(kBeyondCaches));
}

// Rows in a cache, tiles in memory.
void pack(benchmark::State& state, td_type type, int threads) {
  const Format& format = formatOf(type);
  const int64_t rowBytes = plainRowBytes(format, kColumns), blocks = blocksPerRow(format, kColumns);
  const int64_t perPiece = std::max<int64_t>(1, kStaging / (kTileRows * rowBytes));
  const int64_t pieces = kBeyondCaches / kTileRows / rowBytes / perPiece;
  const std::vector<uint8_t> plain(static_cast<size_t>(perPiece * kTileRows * rowBytes), 0x2c);
  const Memory tiles(static_cast<size_t>(kBeyondCaches));
  memset(tiles.data(), 1, tiles.size());
  ThreadPool pool(threads);
  for (auto _ : state) {
    parallelFor(pool, pieces, [&](int64_t piece, int) {
      for (int64_t group = 0; group < perPiece; ++group) {
        packTiles(format, plain.data() + group * kTileRows * rowBytes, rowBytes, kTileRows, kColumns, 0, blocks,
                  tiles.data() + (piece * perPiece + group) * kTileRows * rowBytes);
      }
    });
  }
  rate(state, "GB", static_cast<double>(pieces * perPiece * kTileRows * rowBytes));
}

// A whole matrix in pieces, into memory that has been touched before.
void loadTensor(benchmark::State& state, td_type type, td_type target, td_layout layout, int threads) {
  const int64_t rows = kBeyondCaches / plainRowBytes(formatOf(type), kColumns) / kTileRows * kTileRows;
  const int64_t bytes = ok(td_tensor_bytes(target, layout, rows, kColumns));
  const int64_t device = ok(td_device_open("cpu", "", 1, 0)), file = ok(td_file_open(testFile()));
  const int64_t buffer = ok(td_buffer_create(device, bytes));
  memset(reinterpret_cast<void*>(ok(td_buffer_address(buffer))), 1, static_cast<size_t>(bytes));
  const int64_t perPiece = kPiece / plainRowBytes(formatOf(type), kColumns) / kTileRows * kTileRows;
  ThreadPool pool(threads);
  for (auto _ : state) {
    parallelFor(pool, (rows + perPiece - 1) / perPiece, [&](int64_t piece, int) {
      const int64_t first = piece * perPiece;
      ok(td_tensor_load(file, ok(td_tensor_bytes(type, TD_PLAIN, first, kColumns)), type,
                        std::min(perPiece, rows - first), kColumns, buffer,
                        ok(td_tensor_bytes(target, layout, first, kColumns)), target, layout));
    });
  }
  rate(state, "GB", static_cast<double>(rows * plainRowBytes(formatOf(type), kColumns)));
  td_buffer_close(buffer);
  td_file_close(file);
  td_device_close(device);
}

[[maybe_unused]] const bool registered = [] {
  const auto add = [](const std::string& name, auto function, auto... arguments) {
    benchmark::RegisterBenchmark(name.c_str(), function, arguments...)->UseRealTime()->Unit(benchmark::kMillisecond);
  };
  for (const int threads : threadCounts()) {
    const std::string suffix = "/threads:" + std::to_string(threads);
    add("load/read" + suffix, readFile, threads);
    add("load/touch" + suffix, touchMemory, threads);
    for (const td_type type : {TD_F32, TD_F16, TD_BF16, TD_Q8_0, TD_Q4_0, TD_Q4_1, TD_Q4_K, TD_Q6_K}) {
      add("load/pack/" + typeName(type) + suffix, pack, type, threads);
      add("load/tiles/" + typeName(type) + suffix, loadTensor, type, type, TD_TILES, threads);
    }
    add("load/tiles/F16-as-BF16" + suffix, loadTensor, TD_F16, TD_BF16, TD_TILES, threads);
  }
  return true;
}();

}  // namespace
}  // namespace td::bench
