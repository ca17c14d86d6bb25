// What a program refuses: when it is written, shapes and types that do not fit; when it runs, values out of range. Each
// time with a message that names the thing and the value, and with everything usable afterwards.
#include <functional>

#include "c_interface.h"
#include "core/kv_layout.h"

namespace td::testing {
namespace {

class Refusal : public ::testing::Test {
 protected:
  Refusal() : device_(openDevice(isas().back(), 2)), program_(td_program_create(device_)), memory_(device_, 1 << 20) {
    name();
  }

  // A tensor at the start of the memory: these programs do not run.
  int32_t tensor(int32_t type, int64_t rows, int64_t columns, int32_t layout = TD_PLAIN) {
    return ok(td_program_tensor(program_, memory_.handle(), 0, type, layout, rows, columns));
  }
  int32_t f32(int64_t rows, int64_t columns) { return tensor(TD_F32, rows, columns); }
  int32_t i32(int64_t rows, int64_t columns = 1) { return tensor(TD_I32, rows, columns); }
  void name() { ok(td_program_extent(program_, i32(1))); }

  Device device_;
  Program program_;
  Buffer<uint8_t> memory_;
};

::testing::AssertionResult invalid(int64_t result, const std::string& part) {
  return refused(result, TD_INVALID_ARGUMENT, part);
}

// ---- Tensors ------------------------------------------------------------------------------------

TEST_F(Refusal, Tensors) {
  const auto declare = [&](int64_t offset, int32_t type, int32_t layout, int64_t rows, int64_t columns) {
    return td_program_tensor(program_, memory_.handle(), offset, type, layout, rows, columns);
  };
  EXPECT_TRUE(invalid(declare(0, TD_F32, TD_PLAIN, -1, 4), "[-1, 4]"));
  EXPECT_TRUE(invalid(declare(0, TD_F32, TD_PLAIN, 4, 0), "[4, 0]"));
  EXPECT_TRUE(invalid(declare(0, TD_F32, 2, 1, 1), "layout 2"));
  EXPECT_TRUE(invalid(declare(0, TD_Q8_0, TD_PLAIN, 1, 33), "33 columns are no whole number of Q8_0 blocks of 32"));
  EXPECT_TRUE(invalid(declare(0, TD_Q4_K, TD_TILES, 1, 128), "Q4_K blocks of 256"));
  EXPECT_TRUE(refused(declare(0, 11, TD_PLAIN, 1, 256), TD_UNSUPPORTED, "type 11"));
  EXPECT_TRUE(refused(declare(0, TD_I32, TD_TILES, 16, 1), TD_UNSUPPORTED, "I32 in layout 1"));
  EXPECT_TRUE(refused(declare(0, TD_ACT8, TD_TILES, 16, 32), TD_UNSUPPORTED, "ACT8 in layout 1"));
  // The end of the memory: exactly, and one element beyond.
  const int64_t floats = memory_.size() / 4;
  ok(declare(0, TD_F32, TD_PLAIN, 1, floats));
  ok(declare(memory_.size(), TD_F32, TD_PLAIN, 0, 4));
  EXPECT_TRUE(invalid(declare(0, TD_F32, TD_PLAIN, 1, floats + 1), "outside the buffer of 1.00 MiB"));
  EXPECT_TRUE(invalid(declare(4, TD_F32, TD_PLAIN, 1, floats), "offset 4"));
  EXPECT_TRUE(invalid(declare(-4, TD_F32, TD_PLAIN, 1, 1), "offset -4"));
  EXPECT_TRUE(invalid(declare(INT64_MAX - 3, TD_F32, TD_PLAIN, 1, 1), "offset 9223372036854775804"));
  // 16 rows are padded to: 17 need 32.
  EXPECT_TRUE(invalid(declare(0, TD_F32, TD_TILES, 17, floats / 17), "outside"));
  ok(declare(0, TD_F32, TD_TILES, 16, floats / 16));
  // Sizes that would overflow: 2^31 - 1 squared times 8, and products that are 0 modulo 2^64.
  EXPECT_TRUE(invalid(declare(0, TD_F64, TD_PLAIN, INT32_MAX, INT32_MAX), "[2147483647, 2147483647] is not possible"));
  EXPECT_TRUE(invalid(declare(0, TD_F32, TD_PLAIN, int64_t{1} << 31, int64_t{1} << 31), "is not possible"));
  EXPECT_TRUE(invalid(declare(0, TD_F32, TD_PLAIN, int64_t{1} << 62, 4), "is not possible"));
  EXPECT_TRUE(invalid(declare(0, TD_F32, TD_PLAIN, int64_t{1} << 21, int64_t{1} << 31), "is not possible"));
  // Addresses that are no multiple of the element's size.
  EXPECT_TRUE(invalid(declare(2, TD_F32, TD_PLAIN, 1, 1), "F32 at offset 2: its address is no multiple of 4"));
  EXPECT_TRUE(invalid(declare(4, TD_F64, TD_PLAIN, 1, 1), "no multiple of 8"));
  EXPECT_TRUE(invalid(declare(1, TD_Q8_0, TD_PLAIN, 1, 32), "no multiple of 2"));
  ok(declare(2, TD_Q8_0, TD_PLAIN, 1, 32));
}

TEST_F(Refusal, StreamsExtentsAndPace) {
  EXPECT_TRUE(invalid(td_program_stream(program_, 2), "kind 2"));
  EXPECT_TRUE(invalid(td_program_on(program_, 1), "stream 1"));
  EXPECT_TRUE(invalid(td_program_on(program_, -1), "stream -1"));
  EXPECT_TRUE(invalid(td_program_extent(program_, 99), "tensor 99"));
  EXPECT_TRUE(invalid(td_program_extent(program_, -1), "tensor -1"));
  EXPECT_TRUE(invalid(td_program_extent(program_, f32(1, 1)), "is F32, needs plain I32"));
  EXPECT_TRUE(invalid(td_program_extent(program_, i32(0)), "empty"));
  EXPECT_TRUE(invalid(td_program_pace(program_, -1), "-1 ns"));
  EXPECT_TRUE(invalid(td_program_pace(program_, 61'000'000'000), "61000000000 ns"));
}

TEST_F(Refusal, AnOperationNeedsAnExtent) {
  const Program fresh(td_program_create(device_));
  const int32_t x = ok(td_program_tensor(fresh, memory_.handle(), 0, TD_F32, TD_PLAIN, 1, 1));
  EXPECT_TRUE(invalid(td_op_add(fresh, x, x, x), "extent"));
}

TEST_F(Refusal, AFinishedProgramIsNotWritten) {
  const int32_t x = f32(1, 1);
  EXPECT_TRUE(invalid(td_program_run(program_, 0), "not finished"));
  ok(td_program_finish(program_));
  EXPECT_TRUE(invalid(td_program_finish(program_), "finished"));
  EXPECT_TRUE(invalid(td_op_add(program_, x, x, x), "finished"));
  EXPECT_TRUE(invalid(td_program_tensor(program_, memory_.handle(), 0, TD_F32, TD_PLAIN, 1, 1), "finished"));
  EXPECT_TRUE(invalid(td_program_event(program_), "finished"));
  EXPECT_TRUE(invalid(td_program_stream(program_, 0), "finished"));
  EXPECT_TRUE(invalid(td_program_on(program_, 0), "finished"));
  EXPECT_TRUE(invalid(td_program_extent(program_, 0), "finished"));
  EXPECT_TRUE(invalid(td_program_pace(program_, 0), "finished"));
  EXPECT_EQ(0, td_program_run(program_, 0)) << "an empty program";
}

// ---- Operations ---------------------------------------------------------------------------------

TEST_F(Refusal, Embedding) {
  const int32_t table = tensor(TD_Q8_0, 10, 64), ids = i32(4), out = f32(4, 64);
  ok(td_op_embedding(program_, table, ids, out));
  ok(td_op_embedding(program_, tensor(TD_Q6_K, 20, 256, TD_TILES), ids, f32(4, 256)));
  EXPECT_TRUE(refused(td_op_embedding(program_, ids, ids, out), TD_UNSUPPORTED, "weights of I32"));
  EXPECT_TRUE(invalid(td_op_embedding(program_, table, f32(4, 1), out), "embedding: ids: is F32"));
  EXPECT_TRUE(invalid(td_op_embedding(program_, table, i32(4, 2), out), "embedding: ids: has 2 columns, needs 1"));
  EXPECT_TRUE(invalid(td_op_embedding(program_, table, ids, f32(4, 32)), "embedding: out: has 32 columns, needs 64"));
  EXPECT_TRUE(
      invalid(td_op_embedding(program_, table, ids, tensor(TD_F32, 16, 64, TD_TILES)), "tiled F32, needs plain F32"));
  EXPECT_TRUE(invalid(td_op_embedding(program_, 1000, ids, out), "embedding: table: tensor 1000"));
}

TEST_F(Refusal, RmsNormAndEncode) {
  const int32_t x = f32(4, 64), weight = f32(1, 64);
  ok(td_op_rms_norm(program_, x, weight, x, 1e-5));
  EXPECT_TRUE(invalid(td_op_rms_norm(program_, x, f32(2, 64), x, 1e-5), "weight: has 2 rows, needs 1"));
  EXPECT_TRUE(invalid(td_op_rms_norm(program_, x, f32(0, 64), x, 1e-5), "weight: has 0 rows, needs 1"));
  EXPECT_TRUE(invalid(td_op_rms_norm(program_, x, f32(1, 63), x, 1e-5), "weight: has 63 columns, needs 64"));
  EXPECT_TRUE(invalid(td_op_rms_norm(program_, x, weight, f32(4, 65), 1e-5), "out: has 65 columns"));
  for (const double epsilon : {-1e-9, 1.0, std::nan("")})
    EXPECT_TRUE(invalid(td_op_rms_norm(program_, x, weight, x, epsilon), "epsilon"));
  ok(td_op_encode(program_, x, tensor(TD_ACT8, 4, 64)));
  ok(td_op_encode(program_, x, tensor(TD_ACTBF16, 4, 64)));
  EXPECT_TRUE(invalid(td_op_encode(program_, x, x), "encode: out: is F32, needs ACT8 or ACTBF16"));
  EXPECT_TRUE(invalid(td_op_encode(program_, x, tensor(TD_ACT8, 4, 96)), "encode: out: has 96 columns"));
  EXPECT_TRUE(invalid(td_op_encode(program_, i32(4, 64), tensor(TD_ACT8, 4, 64)), "encode: x: is I32"));
}

TEST_F(Refusal, MatMul) {
  const int32_t weight = tensor(TD_Q4_0, 20, 64, TD_TILES), x = tensor(TD_ACT8, 4, 64), out = f32(4, 20),
                bias = f32(1, 20);
  ok(td_op_matmul(program_, weight, x, bias, out));
  ok(td_op_matmul(program_, tensor(TD_F16, 20, 7), f32(4, 7), -1, out));
  EXPECT_TRUE(invalid(td_op_matmul(program_, weight, f32(4, 64), bias, out), "x: is F32, weights of Q4_0 need ACT8"));
  EXPECT_TRUE(
      invalid(td_op_matmul(program_, tensor(TD_F32, 20, 64), x, bias, out), "x: is ACT8, weights of F32 need F32"));
  EXPECT_TRUE(
      invalid(td_op_matmul(program_, weight, tensor(TD_ACT8, 4, 96), bias, out), "x: has 96 columns, needs 64"));
  EXPECT_TRUE(invalid(td_op_matmul(program_, weight, x, bias, f32(4, 21)), "out: has 21 columns, needs 20"));
  EXPECT_TRUE(invalid(td_op_matmul(program_, weight, x, f32(1, 19), out), "bias: has 19 columns, needs 20"));
  EXPECT_TRUE(invalid(td_op_matmul(program_, weight, x, f32(0, 20), out), "bias: has 0 rows, needs 1"));
  EXPECT_TRUE(invalid(td_op_matmul(program_, weight, x, i32(1, 20), out), "bias: is I32"));
  EXPECT_TRUE(invalid(td_op_matmul(program_, weight, x, -2, out), "bias: tensor -2"));
  EXPECT_TRUE(refused(td_op_matmul(program_, x, x, -1, out), TD_UNSUPPORTED, "weights of ACT8"));
}

TEST_F(Refusal, Rope) {
  const int32_t positions = i32(4), frequencies = tensor(TD_F64, 1, 8), angles = f32(4, 16), x = f32(4, 96);
  ok(td_op_rope_angles(program_, positions, frequencies, angles));
  EXPECT_TRUE(invalid(td_op_rope_angles(program_, positions, frequencies, f32(4, 8)), "out: has 8 columns, needs 16"));
  EXPECT_TRUE(invalid(td_op_rope_angles(program_, positions, tensor(TD_F64, 0, 8), angles),
                      "frequencies: has 0 rows, needs 1"));
  EXPECT_TRUE(invalid(td_op_rope_angles(program_, positions, f32(1, 8), angles), "frequencies: is F32"));
  EXPECT_TRUE(invalid(td_op_rope_angles(program_, i32(4, 2), frequencies, angles), "positions: has 2 columns"));
  ok(td_op_rope(program_, x, angles, 32, TD_ROPE_NEOX));
  EXPECT_TRUE(invalid(td_op_rope(program_, x, angles, 32, 2), "layout 2"));
  EXPECT_TRUE(
      invalid(td_op_rope(program_, x, angles, 36, TD_ROPE_NORM), "96 columns are no whole number of heads of 36"));
  EXPECT_TRUE(invalid(td_op_rope(program_, x, angles, 0, TD_ROPE_NORM), "heads of 0"));
  EXPECT_TRUE(
      invalid(td_op_rope(program_, x, angles, 12, TD_ROPE_NORM), "16 rotated dimensions do not fit a head of 12"));
  EXPECT_TRUE(invalid(td_op_rope(program_, x, f32(4, 15), 32, TD_ROPE_NORM), "15 rotated dimensions"));
}

TEST_F(Refusal, Attention) {
  const int32_t k = f32(4, 32), q = f32(4, 96), positions = i32(4), tables = i32(4), blocks = i32(2, 8);
  const int64_t layer = kvLayerBytes(2, 16);
  const int32_t pool = tensor(TD_F16, 8, layer);  // two layers: a half has two bytes
  const auto store = [&](int32_t v, int32_t place, int64_t offset, int32_t headSize) {
    return td_op_store_kv(program_, k, v, positions, tables, blocks, place, offset, headSize);
  };
  ok(store(k, pool, layer, 16));
  EXPECT_TRUE(invalid(store(f32(4, 16), pool, 0, 16), "k and v: shapes [4, 32] and [4, 16] differ"));
  EXPECT_TRUE(invalid(store(k, pool, 0, 15), "32 columns are no whole number of heads of 15"));
  EXPECT_TRUE(invalid(store(k, pool, 0, 0), "heads of 0"));
  EXPECT_TRUE(invalid(store(k, pool, layer + 2, 16), "does not fit into a KV block"));
  EXPECT_TRUE(invalid(store(k, pool, -2, 16), "offset -2"));
  EXPECT_TRUE(invalid(store(k, pool, 1, 16), "offset 1"));
  EXPECT_TRUE(invalid(store(k, pool, INT64_MAX - 1, 16), "offset 9223372036854775806"));
  EXPECT_TRUE(invalid(store(k, f32(8, layer), 0, 16), "store_kv: is F32"));
  const auto attend = [&](int32_t query, int32_t out, int32_t headSize, int32_t kvHeads) {
    return td_op_attention(program_, query, positions, tables, blocks, pool, out, 0, headSize, kvHeads, 0.25);
  };
  ok(attend(q, q, 16, 2));
  EXPECT_TRUE(invalid(attend(q, f32(4, 48), 16, 2), "out: has 48 columns, needs 96"));
  EXPECT_TRUE(invalid(attend(f32(4, 80), f32(4, 80), 16, 2),
                      "80 columns are no whole number of heads of 16 for each of 2 KV heads"));
  EXPECT_TRUE(invalid(attend(q, q, 16, 0), "0 KV heads"));
  EXPECT_TRUE(invalid(attend(q, q, 16, -3), "-3 KV heads"));
  EXPECT_TRUE(invalid(attend(q, q, 16, INT32_MAX), "does not fit"));
  EXPECT_TRUE(invalid(attend(q, q, 1025, 2), "head size 1025"));
  EXPECT_TRUE(invalid(attend(q, q, -16, 2), "head size -16"));
}

TEST_F(Refusal, Elementwise) {
  const int32_t x = f32(4, 8), narrow = f32(4, 7), shorter = f32(3, 8);
  ok(td_op_gated(program_, x, x, x, TD_GATE_SILU));
  EXPECT_TRUE(refused(td_op_gated(program_, x, x, x, 1), TD_UNSUPPORTED, "gate 1"));
  EXPECT_TRUE(invalid(td_op_gated(program_, x, narrow, x, 0), "[4, 8] and [4, 7]"));
  EXPECT_TRUE(invalid(td_op_gated(program_, x, x, shorter, 0), "[4, 8] and [3, 8]"));
  ok(td_op_add(program_, x, shorter, x));
  EXPECT_TRUE(invalid(td_op_add(program_, x, narrow, x), "add: y: has 7 columns"));
  EXPECT_TRUE(invalid(td_op_add(program_, x, x, narrow), "add: out: has 7 columns"));
  ok(td_op_gather(program_, x, i32(9), x));
  EXPECT_TRUE(invalid(td_op_gather(program_, x, i32(9, 2), x), "gather: rows: has 2 columns"));
  EXPECT_TRUE(invalid(td_op_gather(program_, x, i32(9), narrow), "gather: out"));
  ok(td_op_copy(program_, tensor(TD_Q8_0, 3, 64), tensor(TD_Q8_0, 3, 64)));
  EXPECT_TRUE(invalid(td_op_copy(program_, x, narrow), "copy: out: has 7 columns"));
  EXPECT_TRUE(invalid(td_op_copy(program_, x, i32(4, 8)), "same type"));
  EXPECT_TRUE(
      invalid(td_op_copy(program_, tensor(TD_F32, 4, 8, TD_TILES), tensor(TD_F32, 4, 8, TD_TILES)), "plain layout"));
}

TEST_F(Refusal, Select) {
  const int32_t logits = f32(4, 100), ids = i32(4, 5), values = f32(4, 5), sums = f32(4, 1);
  ok(td_op_select(program_, logits, ids, values, sums));
  EXPECT_TRUE(invalid(td_op_select(program_, logits, i32(4, 257), f32(4, 257), sums), "257 candidates exceed 256"));
  EXPECT_TRUE(invalid(td_op_select(program_, logits, ids, f32(4, 6), sums), "values: has 6 columns, needs 5"));
  EXPECT_TRUE(invalid(td_op_select(program_, logits, ids, values, f32(4, 2)), "log_sums: has 2 columns"));
  EXPECT_TRUE(invalid(td_op_select(program_, ids, ids, values, sums), "logits: is I32"));
}

TEST_F(Refusal, Adjust) {
  const int32_t logits = f32(4, 100), counts = i32(4), ids = i32(4, 8), numbers = f32(4, 8);
  ok(td_op_adjust(program_, logits, counts, ids, numbers, numbers));
  EXPECT_TRUE(invalid(td_op_adjust(program_, ids, counts, ids, numbers, numbers), "adjust: logits: is I32"));
  EXPECT_TRUE(invalid(td_op_adjust(program_, logits, i32(4, 2), ids, numbers, numbers), "counts: has 2 columns"));
  EXPECT_TRUE(invalid(td_op_adjust(program_, logits, counts, numbers, numbers, numbers), "adjust: ids: is F32"));
  EXPECT_TRUE(invalid(td_op_adjust(program_, logits, counts, ids, f32(4, 7), numbers), "factors: has 7 columns"));
  EXPECT_TRUE(invalid(td_op_adjust(program_, logits, counts, ids, numbers, f32(4, 9)), "addends: has 9 columns"));
}

TEST_F(Refusal, Pick) {
  const int32_t logits = f32(4, 100), values = f32(4, 5), sums = f32(4, 1), rows = i32(3),
                settings = tensor(TD_F64, 3, TD_PICK_SETTINGS), ids = i32(3), picked = f32(3, 1);
  const auto pick = [&](int32_t all, int32_t sum, int32_t of, int32_t how, int32_t id, int32_t value) {
    return td_op_pick(program_, all, values, sum, of, how, id, value);
  };
  ok(pick(logits, sums, rows, settings, ids, picked));
  EXPECT_TRUE(invalid(pick(ids, sums, rows, settings, ids, picked), "pick: logits: is I32"));
  EXPECT_TRUE(invalid(pick(logits, values, rows, settings, ids, picked), "log_sums: has 5 columns"));
  EXPECT_TRUE(invalid(pick(logits, sums, i32(3, 2), settings, ids, picked), "rows: has 2 columns"));
  EXPECT_TRUE(invalid(pick(logits, sums, rows, sums, ids, picked), "settings: is F32"));
  EXPECT_TRUE(invalid(pick(logits, sums, rows, tensor(TD_F64, 3, 5), ids, picked), "settings: has 5 columns, needs 6"));
  EXPECT_TRUE(invalid(pick(logits, sums, rows, settings, i32(3, 2), picked), "picked_ids: has 2 columns"));
  EXPECT_TRUE(invalid(pick(logits, sums, rows, settings, ids, f32(3, 2)), "picked_values: has 2 columns"));
  EXPECT_TRUE(invalid(td_op_pick(program_, logits, rows, sums, rows, settings, ids, picked), "pick: values: is I32"));
}

// ---- Values, when it runs -----------------------------------------------------------------------

class BadValues : public ::testing::Test {
 protected:
  static constexpr int kHead = 8, kPoolBlocks = 4;

  BadValues()
      : device_(openDevice(isas().back(), 2)),
        count_(device_, std::vector<int32_t>{3}),
        ids_(device_, std::vector<int32_t>{0, 1, 2}),
        positions_(device_, std::vector<int32_t>{0, 17, 5}),
        tables_(device_, std::vector<int32_t>{0, 0, 2}),
        blocks_(device_, std::vector<int32_t>{3, 1, 0, 2}),
        table_(device_, 6 * kHead),
        x_(device_, 3 * kHead),
        pool_(device_, kPoolBlocks * kvHeadElements(kHead)),
        program_(td_program_create(device_)) {}

  int32_t x() { return tensorOf(program_, x_, kHead); }
  int32_t positions() { return tensorOf(program_, positions_, 1); }
  int32_t tables() { return tensorOf(program_, tables_, 1); }
  int32_t blocks() { return tensorOf(program_, blocks_, 1); }
  int32_t pool() { return tensorOf(program_, pool_, kvHeadElements(kHead)); }
  void finish(const std::function<void()>& write) {
    ok(td_program_extent(program_, tensorOf(program_, count_, 1)));
    write();
    ok(td_program_finish(program_));
    ASSERT_EQ(0, td_program_run(program_, 0)) << errorMessage();
  }
  // Runs with one value changed, then with the old one.
  void expectRefusal(const Buffer<int32_t>& values, int64_t index, int32_t bad, const std::string& part) {
    const int32_t good = values[index];
    values[index] = bad;
    EXPECT_TRUE(refused(td_program_run(program_, 0), TD_INVALID_ARGUMENT, part)) << bad;
    values[index] = good;
    EXPECT_EQ(0, td_program_run(program_, 0)) << errorMessage();
  }
  void expectCacheRefusals() {
    expectRefusal(positions_, 1, -1, "position -1 is negative");
    expectRefusal(positions_, 1, INT32_MIN, "position -2147483648");
    expectRefusal(positions_, 1, 64, "token 1: entry 4 of the block tables is not below 4");
    expectRefusal(positions_, 2, INT32_MAX, "token 2");
    expectRefusal(tables_, 2, 4, "token 2: entry 4");
    expectRefusal(tables_, 0, -1, "token 0: entry -1");
    expectRefusal(tables_, 1, INT32_MAX, "token 1: entry 214748364");
    expectRefusal(blocks_, 0, 4, "KV block 4 is not below 4");
    expectRefusal(blocks_, 1, -1, "token 1: KV block -1");
  }

  Device device_;
  Buffer<int32_t> count_, ids_, positions_, tables_, blocks_;
  Buffer<float> table_, x_;
  Buffer<uint16_t> pool_;
  Program program_;
};

TEST_F(BadValues, TokenIds) {
  finish([&] { ok(td_op_embedding(program_, tensorOf(program_, table_, kHead), tensorOf(program_, ids_, 1), x())); });
  expectRefusal(ids_, 1, 6, "token id 6 in row 1 is not below 6");
  expectRefusal(ids_, 2, -1, "token id -1 in row 2");
  expectRefusal(ids_, 0, INT32_MAX, "token id 2147483647 in row 0");
}

TEST_F(BadValues, GatheredRows) {
  finish([&] { ok(td_op_gather(program_, tensorOf(program_, table_, kHead), tensorOf(program_, ids_, 1), x())); });
  expectRefusal(ids_, 1, 6, "gather: row 6 in row 1 is not below 6");
  expectRefusal(ids_, 1, INT32_MIN, "gather: row -2147483648");
}

TEST_F(BadValues, StoreKv) {
  finish([&] { ok(td_op_store_kv(program_, x(), x(), positions(), tables(), blocks(), pool(), 0, kHead)); });
  expectCacheRefusals();
}

TEST_F(BadValues, Attention) {
  finish([&] { ok(td_op_attention(program_, x(), positions(), tables(), blocks(), pool(), x(), 0, kHead, 1, 1)); });
  expectCacheRefusals();
}

TEST_F(BadValues, Adjustments) {
  const Buffer<int32_t> counts(device_, std::vector<int32_t>{0, 1, 2}), adjusted(device_, 3 * 2);
  const Buffer<float> factors(device_, std::vector<float>(6, 1)), addends(device_, 3 * 2);
  finish([&] {
    ok(td_op_adjust(program_, x(), tensorOf(program_, counts, 1), tensorOf(program_, adjusted, 2),
                    tensorOf(program_, factors, 2), tensorOf(program_, addends, 2)));
  });
  expectRefusal(counts, 1, 3, "row 1 has 3 adjustments; 0 to 2");
  expectRefusal(counts, 0, -1, "row 0 has -1 adjustments");
  expectRefusal(counts, 2, INT32_MAX, "row 2 has 2147483647");
  expectRefusal(adjusted, 2, kHead, "token id 8 in row 1 is not below 8");
  expectRefusal(adjusted, 5, -1, "token id -1 in row 2");
  adjusted[3] = 99;  // is not counted
  for (const float bad : {0.0f, -1.0f, notANumber(), infinity()}) {
    factors[5] = bad;
    EXPECT_TRUE(refused(td_program_run(program_, 0), TD_INVALID_ARGUMENT, "token id 0 in row 2")) << bad;
    factors[5] = 1;
  }
  addends[2] = notANumber();
  EXPECT_TRUE(refused(td_program_run(program_, 0), TD_INVALID_ARGUMENT, "token id 0 in row 1"));
  addends[2] = 1;
  EXPECT_EQ(0, td_program_run(program_, 0)) << errorMessage();
}

// Settings: program_pick_test.cpp.
TEST_F(BadValues, RowsToPickFrom) {
  const Buffer<float> values(device_, 3 * 2), sums(device_, 2), picked(device_, 3);
  const Buffer<double> settings(device_, 3 * TD_PICK_SETTINGS);
  for (int64_t row = 0; row < 3; ++row) settings[row * TD_PICK_SETTINGS + TD_PICK_TOP_K] = 1;
  ids_[2] = 0;
  finish([&] {
    ok(td_op_pick(program_, x(), tensorOf(program_, values, 2), tensorOf(program_, sums, 1),
                  tensorOf(program_, ids_, 1), tensorOf(program_, settings, TD_PICK_SETTINGS),
                  tensorOf(program_, tables_, 1), tensorOf(program_, picked, 1)));
  });
  expectRefusal(ids_, 0, -1, "pick: row -1 in row 0 is not below 2");
  expectRefusal(ids_, 1, 2, "pick: row 2 in row 1");
  expectRefusal(ids_, 2, INT32_MAX, "pick: row 2147483647 in row 2");
  // Rows that never went through Select do no harm, whatever they hold.
  for (const float bad : {notANumber(), infinity(), -infinity()}) {
    for (const bool filtered : {false, true}) {
      std::fill(&x_[0], &x_[kHead], bad);
      settings[TD_PICK_TOP_K] = filtered ? 3 : 0;
      settings[TD_PICK_TYPICAL] = filtered ? 0.5 : 1;
      settings[TD_PICK_TOP_P] = filtered ? 0.5 : 1;
      settings[TD_PICK_MIN_P] = filtered ? 0.5 : 0;
      settings[TD_PICK_INVERSE_TEMPERATURE] = 1;
      const int32_t result = td_program_run(program_, 0);
      EXPECT_TRUE(result == 0 || result == -TD_NOT_FINITE) << bad << ": " << result;
    }
  }
}

TEST_F(BadValues, LogitsThatAreNotFinite) {
  const Buffer<int32_t> ids(device_, 3 * 2);
  const Buffer<float> values(device_, 3 * 2), sums(device_, 3);
  finish([&] {
    ok(td_op_select(program_, x(), tensorOf(program_, ids, 2), tensorOf(program_, values, 2),
                    tensorOf(program_, sums, 1)));
  });
  for (const float bad : {notANumber(), infinity(), -infinity()}) {
    x_[kHead + 3] = bad;
    EXPECT_TRUE(refused(td_program_run(program_, 0), TD_NOT_FINITE, "output row 1"));
    x_[kHead + 3] = 0;
    EXPECT_EQ(0, td_program_run(program_, 0)) << errorMessage();
  }
  // Rows beyond the extent do not count.
  count_[0] = 1;
  x_[kHead] = notANumber();
  EXPECT_EQ(0, td_program_run(program_, 0)) << errorMessage();
}

}  // namespace
}  // namespace td::testing
