// Rows: of an embedding table, decoded; gathered; copied.
//
//   embedding  out[r] = table[ids[r]]    every weight format, as core/formats.h packs it, in plain layout or tiles
//   gather     out[r] = x[indices[r]]
//   copy       out = x, byte by byte
//
// An index out of range gives a row of NaN.
#include "core/tiles.h"
#include "cuda/kernels/launchers.h"
#include "cuda/views.h"

namespace td::TD_VIEWS {

namespace {

constexpr int kThreads = 256;
constexpr int64_t kMostBlocks = 4096, kMostGridRows = 65535;

using Bytes = Global<const unsigned char>;

__device__ __forceinline__ float notANumber() {
  return __int_as_float(0x7fffffff);
}

// A block of a row in a matrix: where its bytes lie. A field of it is named by its offset and the bytes of its units
// (core/formats.h).
struct PlainBlock {
  Bytes matrix;
  ptrdiff_t block;

  __device__ __forceinline__ PlainBlock(Bytes matrix, int64_t row, int64_t index, int64_t rowBytes, int64_t,
                                        int blockBytes)
      : matrix(matrix), block(row * rowBytes + index * blockBytes) {}

  // Byte i of a field.
  template <int offset, int unit>
  __device__ __forceinline__ int byte(int i) const {
    return matrix[block + offset + i];
  }
  // A field's first unit.
  template <int offset, class Unit>
  __device__ __forceinline__ Unit first() const {
    return loadAs<Unit>(matrix, block + offset);
  }
};

struct TileBlock {
  Bytes matrix;
  ptrdiff_t tile;
  int row;

  __device__ __forceinline__ TileBlock(Bytes matrix, int64_t row, int64_t index, int64_t, int64_t blocks,
                                       int blockBytes)
      : matrix(matrix),
        tile((row / kTileRows * blocks + index) * kTileRows * blockBytes),
        row(static_cast<int>(row % kTileRows)) {}

  template <int offset, int unit>
  __device__ __forceinline__ int byte(int i) const {
    return matrix[tile + offset * kTileRows + (i / unit * kTileRows + row) * unit + i % unit];
  }
  template <int offset, class Unit>
  __device__ __forceinline__ Unit first() const {
    return loadAs<Unit>(matrix, tile + offset * kTileRows + row * static_cast<int>(sizeof(Unit)));
  }
};

// ---- The formats: element i of a block. The same operations in the same order as core/formats.cpp.

template <int offset, class Block>
__device__ __forceinline__ float half(const Block& block) {
  return __half2float(block.template first<offset, __half>());
}

// Byte i holds elements i (low) and i + 16 (high).
template <int offset, class Block>
__device__ __forceinline__ int nibble(const Block& block, int i) {
  return block.template byte<offset, 4>(i % 16) >> (i < 16 ? 0 : 4) & 15;
}

struct F32 {
  static constexpr int kElements = 1, kBytes = 4;
  template <class Block>
  static __device__ __forceinline__ float element(const Block& block, int) {
    return block.template first<0, float>();
  }
};

struct F16 {
  static constexpr int kElements = 1, kBytes = 2;
  template <class Block>
  static __device__ __forceinline__ float element(const Block& block, int) {
    return half<0>(block);
  }
};

struct Bf16 {
  static constexpr int kElements = 2, kBytes = 4;
  template <class Block>
  static __device__ __forceinline__ float element(const Block& block, int i) {
    const int low = block.template byte<0, 4>(2 * i), high = block.template byte<0, 4>(2 * i + 1);
    return __uint_as_float(static_cast<unsigned>(high << 8 | low) << 16);
  }
};

struct Q80 {
  static constexpr int kElements = 32, kBytes = 34;
  template <class Block>
  static __device__ __forceinline__ float element(const Block& block, int i) {
    return half<0>(block) * static_cast<float>(static_cast<signed char>(block.template byte<2, 4>(i)));
  }
};

struct Q40 {
  static constexpr int kElements = 32, kBytes = 18;
  template <class Block>
  static __device__ __forceinline__ float element(const Block& block, int i) {
    return half<0>(block) * static_cast<float>(nibble<2>(block, i) - 8);
  }
};

struct Q41 {
  static constexpr int kElements = 32, kBytes = 20;
  template <class Block>
  static __device__ __forceinline__ float element(const Block& block, int i) {
    return half<0>(block) * static_cast<float>(nibble<4>(block, i)) + half<2>(block);
  }
};

// Sub-blocks of 32; their scales and minima have 6 bits each, in 12 bytes.
struct Q4K {
  static constexpr int kElements = 256, kBytes = 144;
  template <class Block>
  static __device__ __forceinline__ float element(const Block& block, int i) {
    const int sub = i / 32;
    const auto packed = [&](int at) { return block.template byte<4, 1>(at); };
    int scale, minimum;
    if (sub < 4) {
      scale = packed(sub) & 63;
      minimum = packed(sub + 4) & 63;
    } else {
      scale = (packed(sub + 4) & 15) | packed(sub - 4) >> 6 << 4;
      minimum = packed(sub + 4) >> 4 | packed(sub) >> 6 << 4;
    }
    const int quant = block.template byte<16, 4>(sub / 2 * 32 + i % 32) >> (sub % 2 == 0 ? 0 : 4) & 15;
    const float factor = half<0>(block) * static_cast<float>(scale);
    return factor * static_cast<float>(quant) - half<2>(block) * static_cast<float>(minimum);
  }
};

// Sub-blocks of 16; of six bits the low four lie in the first 128 bytes, the high two in the next 64.
struct Q6K {
  static constexpr int kElements = 256, kBytes = 210;
  template <class Block>
  static __device__ __forceinline__ float element(const Block& block, int i) {
    const int in = i % 128, quarter = in / 32;
    const int low = block.template byte<0, 4>(i / 128 * 64 + in % 64) >> (quarter < 2 ? 0 : 4) & 15;
    const int high = block.template byte<128, 4>(i / 128 * 32 + in % 32) >> 2 * quarter & 3;
    const auto scale = static_cast<signed char>(block.template byte<192, 1>(i / 16));
    return half<208>(block) * static_cast<float>(scale) * static_cast<float>((low | high << 4) - 32);
  }
};

}  // namespace

// Blocks of threads: pieces of a row x rows, each of which is taken by those whole grids apart.
template <class Format, class Block>
__global__ void __launch_bounds__(kThreads)
    embeddingKernel(Bytes table, Global<const int> ids, Global<float> out, int64_t count, int64_t rows, int64_t columns,
                    int64_t rowBytes) {
  const int64_t blocks = (columns + Format::kElements - 1) / Format::kElements;
  for (int64_t r = blockIdx.y; r < count; r += gridDim.y) {
    const int id = ids[r];
    for (int64_t i = blockIdx.x * kThreads + threadIdx.x; i < columns; i += gridDim.x * kThreads) {
      float element = notANumber();
      if (id >= 0 && id < rows) {
        const Block block(table, id, i / Format::kElements, rowBytes, blocks, Format::kBytes);
        element = Format::element(block, static_cast<int>(i % Format::kElements));
      }
      out[r * columns + i] = element;
    }
  }
}

__global__ void __launch_bounds__(kThreads)
    gatherKernel(Global<const float> x, Global<const int> indices, Global<float> out, int64_t count, int64_t rows,
                 int64_t columns) {
  for (int64_t r = blockIdx.y; r < count; r += gridDim.y) {
    const int64_t row = indices[r];
    for (int64_t i = blockIdx.x * kThreads + threadIdx.x; i < columns; i += gridDim.x * kThreads) {
      float element = notANumber();
      if (row >= 0 && row < rows) element = x[row * columns + i];
      out[r * columns + i] = element;
    }
  }
}

template <class Wide>
__global__ void __launch_bounds__(kThreads) copyKernel(Bytes x, Global<unsigned char> out, int64_t bytes) {
  constexpr int64_t kWide = sizeof(Wide);
  const int64_t first = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x, step = gridDim.x * kThreads;
  for (int64_t i = first; i < bytes / kWide; i += step) storeAs(out, kWide * i, loadAs<Wide>(x, kWide * i));
  for (int64_t i = bytes / kWide * kWide + first; i < bytes; i += step) out[i] = x[i];
}

namespace {

unsigned blocksFor(int64_t threads) {
  return static_cast<unsigned>(min((threads + kThreads - 1) / kThreads, kMostBlocks));
}

dim3 gridFor(int64_t rows, int64_t columns) {
  return {blocksFor(columns), static_cast<unsigned>(min(rows, kMostGridRows))};
}

template <class Format, class Block>
DeviceError embed(void* stream, const EmbeddingCall& call) {
  const int64_t rowBytes = call.columns * Format::kBytes / Format::kElements;
  return launch<embeddingKernel<Format, Block>>(gridFor(call.ids.count, call.columns), kThreads, 0,
                                                static_cast<StreamRef>(stream), call.table, call.ids, call.out,
                                                call.ids.count, call.rows, call.columns, rowBytes);
}

template <class Format>
DeviceError embed(void* stream, const EmbeddingCall& call) {
  return call.layout == TD_TILES ? embed<Format, TileBlock>(stream, call) : embed<Format, PlainBlock>(stream, call);
}

}  // namespace

DeviceError embedding(void* stream, const EmbeddingCall& call) {
  if (call.ids.count == 0) return {};
  switch (call.type) {
    case TD_F32:
      return embed<F32>(stream, call);
    case TD_F16:
      return embed<F16>(stream, call);
    case TD_BF16:
      return embed<Bf16>(stream, call);
    case TD_Q8_0:
      return embed<Q80>(stream, call);
    case TD_Q4_0:
      return embed<Q40>(stream, call);
    case TD_Q4_1:
      return embed<Q41>(stream, call);
    case TD_Q4_K:
      return embed<Q4K>(stream, call);
    case TD_Q6_K:
      return embed<Q6K>(stream, call);
    default:
      return {DeviceFault::invalidArgument, "embedding: weights of this type are not supported on GPUs"};
  }
}

DeviceError gatherRows(void* stream, const GatherCall& call) {
  if (call.indices.count == 0) return {};
  return launch<gatherKernel>(gridFor(call.indices.count, call.columns), kThreads, 0, static_cast<StreamRef>(stream),
                              call.x, call.indices, call.out, call.indices.count, call.x.count / call.columns,
                              call.columns);
}

DeviceError copyBytes(void* stream, const CopyCall& call) {
  const int64_t bytes = call.out.count;
  if (bytes == 0) return {};
  const bool wide = (call.x.address | call.out.address) % sizeof(uint4) == 0;
  const unsigned blocks = blocksFor(wide ? bytes / static_cast<int64_t>(sizeof(uint4)) + 1 : bytes);
  if (wide) {
    return launch<copyKernel<uint4>>(blocks, kThreads, 0, static_cast<StreamRef>(stream), call.x, call.out, bytes);
  }
  return launch<copyKernel<unsigned char>>(blocks, kThreads, 0, static_cast<StreamRef>(stream), call.x, call.out,
                                           bytes);
}

}  // namespace td::TD_VIEWS
