// Every operation as a program of its own, on the device that TANDEM_TEST_DEVICE names and on every instruction set,
// against double precision: random shapes with tails, outputs that were NaN, and nothing touched beside them.
#include "attention_context.h"
#include "logits.h"
#include "matmul_problem.h"
#include "one_operation.h"

namespace td::testing {
namespace {

// Whether kernels for GPUs run here under the emulator, thousands of times slower than a processor's.
bool isSlow() {
  return !takesPlainWeights() && std::string_view(deviceName()).starts_with("emulated");
}

class DeviceKernels : public ::testing::TestWithParam<td_isa> {
 protected:
  int64_t device() const { return device_; }

  // Runs body(random, round) with a generator for each round.
  template <class Body>
  void eachRound(const std::string& name, int usual, Body body) {
    for (int round = 0; round < rounds(isSlow() ? (usual + 3) / 4 : usual); ++round) {
      Random random("device " + name, static_cast<uint64_t>(round));
      SCOPED_TRACE(caseOf(static_cast<uint64_t>(round)));
      body(random);
      if (HasFailure()) return;
    }
  }

 private:
  const Device device_ = openDevice(GetParam(), 3);
};

int64_t randomCount(Random& random) {
  return random.chance(0.5) ? random.between(1, 70) : random.between(1, isSlow() ? 600 : 2500);
}

// Rows of a step, and those that its tensors have beyond them.
struct Rows {
  int64_t used, spare;
  explicit Rows(Random& random) : used(random.between(0, 6)), spare(random.between(used == 0 ? 1 : 0, 2)) {}
  int64_t all() const { return used + spare; }
};

std::vector<int32_t> numbersBelow(Random& random, int64_t count, int64_t end) {
  std::vector<int32_t> numbers;
  for (int64_t i = 0; i < count; ++i) numbers.push_back(static_cast<int32_t>(random.between(0, end - 1)));
  return numbers;
}

// A product or two and a sum, each rounded once.
TEST_P(DeviceKernels, Embedding) {
  for (const td_type type : kWeightTypes) {
    eachRound("embedding " + typeName(type), 8, [&](Random& random) {
      const Rows rows(random);
      const auto layout = random.chance(0.5) ? TD_TILES : TD_PLAIN;
      const WeightMatrix weights(random, type, random.between(1, 40), randomColumns(random, type));
      SCOPED_TRACE(::testing::Message() << typeName(type) << ", layout " << layout << ", " << weights.columns);
      const std::vector<int32_t> ids = numbersBelow(random, rows.used, weights.rows);
      OneOperation run(device(), random, rows.used);
      const int32_t table = run.input(type, layout, weights.rows, weights.columns,
                                      layout == TD_TILES ? weights.tiles() : weights.plain),
                    out = run.output(TD_F32, rows.all(), weights.columns);
      ok(td_op_embedding(run, table, run.input(ids, 1, rows.spare), out));
      ASSERT_EQ(0, run.run()) << errorMessage();
      const std::vector<float> result = run.rows<float>(out, rows.used * weights.columns);
      for (int64_t i = 0; i < rows.used * weights.columns; ++i) {
        const Element element = weights.element(ids[static_cast<size_t>(i / weights.columns)], i % weights.columns);
        const double size = std::abs(element.multiplier * element.quant) + std::abs(element.base);
        ASSERT_TRUE(within(result[static_cast<size_t>(i)], {element.value(), 3 * kRounding * size + 0x1p-148})) << i;
      }
    });
  }
}

// The sum of the squares rounds at most as often as sixteen lanes' do, and on the way through lanes and warps.
TEST_P(DeviceKernels, RmsNorm) {
  eachRound("rms_norm", 40, [&](Random& random) {
    const Rows rows(random);
    const int64_t columns = randomCount(random), size = rows.used * columns;
    const auto epsilon = static_cast<float>(random.chance(0.2) ? 0 : std::pow(10, random.uniform(-12, -1)));
    const bool inPlace = random.chance(0.3);
    SCOPED_TRACE(::testing::Message() << rows.used << " rows of " << columns << ", in place: " << inPlace);
    const std::vector<float> x = random.normals(size, std::pow(10, random.uniform(-10, 10))),
                             weight = random.normals(columns);
    OneOperation run(device(), random, rows.used);
    const int32_t from = run.inPlace(x, columns, rows.spare),
                  out = inPlace ? from : run.output(TD_F32, rows.all(), columns);
    ok(td_op_rms_norm(run, from, run.input(weight, columns), out, epsilon));
    ASSERT_EQ(0, run.run()) << errorMessage();
    const std::vector<float> result = run.rows<float>(out, size);
    const double relative = (static_cast<double>(columns) / 32 + 16) * kRounding;
    for (int64_t row = 0; row < rows.used; ++row) {
      double squares = 0;
      for (int64_t i = 0; i < columns; ++i) squares += std::pow(x[static_cast<size_t>(row * columns + i)], 2.0);
      const double factor = 1 / std::sqrt(squares / static_cast<double>(columns) + epsilon);
      for (int64_t i = 0; i < columns; ++i) {
        const auto at = static_cast<size_t>(row * columns + i);
        const double expected = x[at] * factor * weight[static_cast<size_t>(i)];
        ASSERT_TRUE(within(result[at], {expected, std::abs(expected) * relative + 0x1p-149})) << row << ", " << i;
      }
    }
  });
}

// Encoding is the same on all devices, bit by bit; kernels_rows_test.cpp has it against double precision.
TEST_P(DeviceKernels, Encode) {
  for (const int32_t type : {TD_ACT8, TD_ACTBF16}) {
    eachRound("encode", 40, [&](Random& random) {
      const Rows rows(random);
      const int64_t columns = randomCount(random), size = rows.used * columns;
      SCOPED_TRACE(::testing::Message() << typeName(type) << ", " << rows.used << " rows of " << columns);
      std::vector<float> x = random.normals(size, std::pow(10, random.uniform(-30, 30)));
      for (float& value : x) {
        if (random.chance(0.01)) value = random.pick(std::initializer_list<float>{0, -0.0f, 1e-38f, 1e32f, -1e-45f});
      }
      OneOperation run(device(), random, rows.used);
      const int32_t out = run.output(type, rows.all(), columns);
      ok(td_op_encode(run, run.input(x, columns, rows.spare), out));
      ASSERT_EQ(0, run.run()) << errorMessage();
      const int64_t rowBytes = activationRowBytes(type, columns);
      std::vector<uint8_t> result = run.rows<uint8_t>(out, rows.used * rowBytes);
      for (int64_t row = 0; row < rows.used; ++row) {
        std::vector<uint8_t> expected(static_cast<size_t>(rowBytes), 0xff);
        const float* from = x.data() + row * columns;
        uint8_t* actual = &result[static_cast<size_t>(row * rowBytes)];
        if (type == TD_ACT8) {
          kernelsFor(TD_ISA_SCALAR).encode8(from, columns, reinterpret_cast<Act8Block*>(expected.data()));
          const Act8Row layout(columns);  // what a rest's last words hold is nobody's business
          for (int64_t i = 0; i < layout.rests; ++i) {
            const int64_t rest = layout.blocks * int64_t{sizeof(Act8Block)} + i * int64_t{sizeof(Act8Rest)};
            memset(actual + rest + offsetof(Act8Rest, unused), 0xff, sizeof(Act8Rest::unused));
          }
        } else {
          kernelsFor(TD_ISA_SCALAR).encodeBf16(from, columns, reinterpret_cast<uint16_t*>(expected.data()));
        }
        ASSERT_EQ(0, memcmp(expected.data(), actual, expected.size())) << "row " << row;
      }
    });
  }
}

// As the device itself encodes its activations; and a token's results are the same by itself, bit by bit.
TEST_P(DeviceKernels, MatMul) {
  for (const td_type type : kWeightTypes) {
    const int32_t activation = ok(td_activation_type(device(), type));
    eachRound("matmul " + typeName(type), 16, [&](Random& random) {
      const int64_t tokens = random.chance(0.5) ? random.between(0, 8) : random.between(9, isSlow() ? 24 : 70),
                    spare = random.between(tokens == 0 ? 1 : 0, 2);
      const Product product(random, type, random.between(1, isSlow() ? 40 : 90), randomColumns(random, type), tokens);
      const int64_t rows = product.weights.rows, columns = product.weights.columns;
      SCOPED_TRACE(::testing::Message() << typeName(type) << " [" << rows << ", " << columns << "] x " << tokens);
      const auto multiply = [&](const std::vector<float>& x, int64_t count, EncodedTokens* encoded) {
        OneOperation run(device(), random, count);
        int32_t operand;
        if (activation == TD_F32) {
          operand = run.input(x, columns, spare);
        } else {
          operand = run.output(activation, count + spare, columns);
          ok(td_op_encode(run, run.input(x, columns, spare), operand));
        }
        const int32_t weight = run.input(type, TD_TILES, rows, columns, product.weights.tiles()),
                      bias = product.bias.empty() ? -1 : run.input(product.bias, rows),
                      out = run.output(TD_F32, count + spare, rows);
        ok(td_op_matmul(run, weight, operand, bias, out));
        EXPECT_EQ(0, run.run()) << errorMessage();
        const int64_t rowBytes = activationRowBytes(activation, columns);
        if (encoded != nullptr)
          *encoded = {activation, columns, rowBytes, run.rows<uint8_t>(operand, count * rowBytes)};
        return run.rows<float>(out, count * rows);
      };
      EncodedTokens encoded;
      const std::vector<float> all = multiply(product.x, tokens, &encoded);
      for (int64_t row = 0; row < rows; ++row) {
        const std::vector<Bounded> expected = expectedOf(product, encoded, row, 8);
        for (int64_t token = 0; token < tokens; ++token) {
          ASSERT_TRUE(within(all[static_cast<size_t>(token * rows + row)], expected[static_cast<size_t>(token)]))
              << "row " << row << ", token " << token;
        }
      }
      if (tokens == 0) return;
      const int64_t token = random.between(0, tokens - 1);
      const auto first = product.x.begin() + token * columns;
      const std::vector<float> alone = multiply(std::vector<float>(first, first + columns), 1, nullptr);
      ASSERT_TRUE(sameBits(std::span(all).subspan(static_cast<size_t>(token * rows), static_cast<size_t>(rows)), alone))
          << "token " << token << " by itself";
    });
  }
}

// Computed in double, and rounded once.
TEST_P(DeviceKernels, RopeAngles) {
  eachRound("rope_angles", 20, [&](Random& random) {
    const Rows rows(random);
    const int64_t pairs = random.between(1, 70);
    std::vector<double> frequencies;
    for (int64_t i = 0; i < pairs; ++i)
      frequencies.push_back(std::pow(10000.0, -static_cast<double>(i) / static_cast<double>(pairs)));
    const std::vector<int32_t> positions = numbersBelow(random, rows.used, random.chance(0.5) ? 100 : 200'000);
    OneOperation run(device(), random, rows.used);
    const int32_t out = run.output(TD_F32, rows.all(), 2 * pairs);
    ok(td_op_rope_angles(run, run.input(positions, 1, rows.spare), run.input(frequencies, pairs), out));
    ASSERT_EQ(0, run.run()) << errorMessage();
    const std::vector<float> result = run.rows<float>(out, rows.used * 2 * pairs);
    for (size_t i = 0; i < result.size(); ++i) {
      const auto pair = static_cast<int64_t>(i) / 2;
      const double angle =
          positions[static_cast<size_t>(pair / pairs)] * frequencies[static_cast<size_t>(pair % pairs)];
      const double expected = i % 2 == 0 ? std::cos(angle) : std::sin(angle);
      ASSERT_TRUE(within(result[i], {expected, 1.01 * kRounding * std::abs(expected) + 1e-15})) << i;
    }
  });
}

// Two products and a sum, each rounded once.
TEST_P(DeviceKernels, Rope) {
  eachRound("rope", 40, [&](Random& random) {
    const Rows rows(random);
    const int64_t heads = random.between(1, 9), headSize = random.between(2, 130), width = heads * headSize,
                  pairs = random.between(1, headSize / 2);
    const auto layout = random.chance(0.5) ? TD_ROPE_NORM : TD_ROPE_NEOX;
    SCOPED_TRACE(::testing::Message() << heads << " heads of " << headSize << ", " << pairs << " pairs, " << layout);
    const std::vector<float> x = random.normals(rows.used * width);
    std::vector<float> angles;
    for (int64_t i = 0; i < rows.used * pairs; ++i) {
      const double angle = random.uniform(-10, 10);
      angles.insert(angles.end(), {static_cast<float>(std::cos(angle)), static_cast<float>(std::sin(angle))});
    }
    OneOperation run(device(), random, rows.used);
    const int32_t rotated = run.inPlace(x, width, rows.spare);
    ok(td_op_rope(run, rotated, run.input(angles, 2 * pairs, rows.spare), static_cast<int32_t>(headSize), layout));
    ASSERT_EQ(0, run.run()) << errorMessage();
    const std::vector<float> result = run.rows<float>(rotated, rows.used * width);
    for (int64_t i = 0; i < rows.used * width; ++i) {
      const int64_t in = i % headSize, head = i - in;
      if (in >= 2 * pairs) {
        ASSERT_TRUE(sameBits(x[static_cast<size_t>(i)], result[static_cast<size_t>(i)])) << i;
        continue;
      }
      const bool near = layout == TD_ROPE_NORM;
      const int64_t pair = near ? in / 2 : in % pairs, a = near ? 2 * pair : pair, b = near ? a + 1 : a + pairs;
      const double first = x[static_cast<size_t>(head + a)], second = x[static_cast<size_t>(head + b)];
      const float* angle = &angles[static_cast<size_t>(2 * (i / width * pairs + pair))];
      const double expected = in == a ? first * angle[0] - second * angle[1] : first * angle[1] + second * angle[0];
      ASSERT_TRUE(
          within(result[static_cast<size_t>(i)], {expected, 2 * kRounding * (std::abs(first) + std::abs(second))}))
          << i;
    }
  });
}

// The positions of one sequence, stored in random blocks of the second of two layers, and attention for some of them.
TEST_P(DeviceKernels, StoreKvAndAttention) {
  eachRound("attention", 16, [&](Random& random) {
    const int kvHeads = random.integer(1, 3), group = random.pick(std::initializer_list<int>{1, 2, 4, 5, 7}),
              headSize = random.pick(std::initializer_list<int>{4, 32, 64, 80, 100, 128, 256}),
              positions = random.chance(0.5) ? random.integer(1, 40) : random.integer(250, isSlow() ? 290 : 700);
    const Context context(random, kvHeads, group, headSize, positions);
    SCOPED_TRACE(::testing::Message() << kvHeads << " KV heads of " << headSize << " for " << group << " each, "
                                      << positions << " positions");
    constexpr int kMargin = 3;  // entries of the block table that belong to nobody
    const auto blockCount = kMargin + (positions + kKvTokens - 1) / kKvTokens;
    const std::vector<int32_t> blocks = permutation(random, blockCount);
    const int64_t layer = kvHeads * kvHeadElements(headSize), width = context.width(), spare = random.between(0, 2);
    std::vector<int32_t> every(static_cast<size_t>(positions)), tables(every.size(), kMargin);
    std::iota(every.begin(), every.end(), 0);

    OneOperation store(device(), random, positions);
    const int32_t stored = store.output(TD_F16, blockCount, 2 * layer);
    ok(td_op_store_kv(store, store.input(context.k, context.kvWidth()), store.input(context.v, context.kvWidth()),
                      store.input(every, 1), store.input(tables, 1), store.input(blocks, 1), stored, 2 * layer,
                      headSize));
    ASSERT_EQ(0, store.run()) << errorMessage();
    const std::vector<uint16_t> pool = store.all<uint16_t>(stored);
    std::vector<uint16_t> expectedPool(pool.size(), 0xffff);
    for (int position = 0; position < positions; ++position) {
      const int64_t block = blocks[static_cast<size_t>(kMargin + position / kKvTokens)], slot = position % kKvTokens;
      for (int64_t i = 0; i < context.kvWidth(); ++i) {
        const int64_t head = (2 * block + 1) * layer + i / headSize * kvHeadElements(headSize), d = i % headSize;
        const auto from = static_cast<size_t>(position * context.kvWidth() + i);
        expectedPool[static_cast<size_t>(head + d * kKvTokens + slot)] = floatToHalf(context.k[from]);
        expectedPool[static_cast<size_t>(head + (kKvTokens + slot) * headSize + d)] = floatToHalf(context.v[from]);
      }
    }
    ASSERT_EQ(expectedPool, pool);

    // A stretch of neighbours, or some in any order.
    std::vector<int32_t> tokens = numbersBelow(random, random.between(1, isSlow() ? 4 : 20), positions);
    if (random.chance(0.5)) {
      const int first = tokens[0];
      tokens.resize(std::min(tokens.size(), static_cast<size_t>(positions - first)));
      std::iota(tokens.begin(), tokens.end(), first);
    }
    std::vector<float> q;
    for (const int32_t token : tokens)
      q.insert(q.end(), &context.q[static_cast<size_t>(token * width)],
               &context.q[static_cast<size_t>(token * width)] + width);
    tables.assign(tokens.size(), kMargin);
    const auto count = static_cast<int64_t>(tokens.size());
    OneOperation run(device(), random, count);
    const int32_t out = run.output(TD_F32, count + spare, width);
    ok(td_op_attention(run, run.input(q, width, spare), run.input(tokens, 1, spare), run.input(tables, 1, spare),
                       run.input(blocks, 1), run.input(pool, 2 * layer), out, 2 * layer, headSize, kvHeads,
                       context.scale()));
    ASSERT_EQ(0, run.run()) << errorMessage();
    const std::vector<float> result = run.rows<float>(out, count * width);
    for (int64_t i = 0; i < count; ++i) {
      const std::vector<Bounded> expected = expectedOf(context, tokens[static_cast<size_t>(i)]);
      for (int64_t d = 0; d < width; ++d) {
        ASSERT_TRUE(within(result[static_cast<size_t>(i * width + d)], expected[static_cast<size_t>(d)]))
            << "token " << tokens[static_cast<size_t>(i)] << ", element " << d;
      }
    }
  });
}

// The exponential, and three roundings; below -88.7228 the exponential is infinite and the gate 0.
TEST_P(DeviceKernels, GatedAndAdd) {
  eachRound("gated", 40, [&](Random& random) {
    const Rows rows(random);
    const int64_t columns = randomCount(random), size = rows.used * columns;
    SCOPED_TRACE(::testing::Message() << rows.used << " rows of " << columns);
    std::vector<float> x = random.normals(size, std::pow(10, random.uniform(-3, 3)));
    const std::vector<float> y = random.normals(size);
    for (float& value : x) {
      if (random.chance(0.02)) value = random.pick(std::initializer_list<float>{-1000, -1e38f, 1e37f, 0, -0.0f});
    }
    const bool inPlace = random.chance(0.3);
    OneOperation run(device(), random, rows.used), plus(device(), random, rows.used);
    const auto outOf = [&](OneOperation& of, int32_t from) {
      return inPlace ? from : of.output(TD_F32, rows.all(), columns);
    };
    const int32_t a = run.inPlace(x, columns, rows.spare), gated = outOf(run, a);
    ok(td_op_gated(run, a, run.input(y, columns, rows.spare), gated, TD_GATE_SILU));
    const int32_t b = plus.inPlace(x, columns, rows.spare), sum = outOf(plus, b);
    ok(td_op_add(plus, b, plus.input(y, columns, rows.spare), sum));
    ASSERT_EQ(0, run.run()) << errorMessage();
    ASSERT_EQ(0, plus.run()) << errorMessage();
    const std::vector<float> products = run.rows<float>(gated, size), sums = plus.rows<float>(sum, size);
    for (size_t i = 0; i < x.size(); ++i) {
      const double gate = x[i], value = y[i], expected = gate / (1 + std::exp(-gate)) * value;
      ASSERT_TRUE(within(products[i], {expected, std::abs(expected) * 6 * kRounding + std::abs(value) * 2.61e-37}))
          << gate << " and " << value;
      ASSERT_TRUE(within(sums[i], {gate + value, kRounding * std::abs(gate + value)})) << gate << " and " << value;
    }
  });
}

TEST_P(DeviceKernels, GatherAndCopy) {
  eachRound("gather", 40, [&](Random& random) {
    const Rows rows(random);
    const int64_t columns = randomCount(random), from = random.between(1, 20);
    SCOPED_TRACE(::testing::Message() << rows.used << " of " << from << " rows of " << columns);
    const std::vector<float> x = random.normals(from * columns);
    const std::vector<int32_t> indices = numbersBelow(random, rows.used, from);
    OneOperation run(device(), random, rows.used), copy(device(), random, rows.used);
    const int32_t out = run.output(TD_F32, rows.all(), columns), copied = copy.output(TD_F32, rows.all(), columns);
    ok(td_op_gather(run, run.input(x, columns), run.input(indices, 1, rows.spare), out));
    ok(td_op_copy(copy, copy.input(x, columns, rows.all()), copied));
    ASSERT_EQ(0, run.run()) << errorMessage();
    const std::vector<float> gathered = run.rows<float>(out, rows.used * columns);
    for (int64_t i = 0; i < rows.used * columns; ++i) {
      const int64_t at = indices[static_cast<size_t>(i / columns)] * columns + i % columns;
      ASSERT_TRUE(sameBits(x[static_cast<size_t>(at)], gathered[static_cast<size_t>(i)])) << i;
    }
    if (rows.used > from) return;
    ASSERT_EQ(0, copy.run()) << errorMessage();
    ASSERT_TRUE(sameBits(std::span(x).first(static_cast<size_t>(rows.used * columns)),
                         copy.rows<float>(copied, rows.used * columns)));
  });
}

// Each step rounds twice, and what a step before has rounded a factor of at most 2 makes larger.
TEST_P(DeviceKernels, Adjust) {
  eachRound("adjust", 40, [&](Random& random) {
    const Rows rows(random);
    const int64_t vocabulary = randomCount(random), places = random.between(1, 80);
    SCOPED_TRACE(::testing::Message() << rows.used << " rows of " << vocabulary << ", " << places << " places");
    const std::vector<float> logits = random.normals(rows.used * vocabulary, 5);
    std::vector<Bounded> expected;
    for (const float logit : logits) expected.push_back({logit, 0});
    // What is not counted cannot be: nobody may look at it.
    std::vector<int32_t> counts, ids(static_cast<size_t>(rows.used * places), -1);
    std::vector<float> factors(ids.size(), notANumber()), addends(ids.size(), notANumber());
    for (int64_t row = 0; row < rows.used; ++row) {
      counts.push_back(random.chance(0.3) ? 0 : static_cast<int32_t>(random.between(0, places)));
      for (auto at = static_cast<size_t>(row * places); at < static_cast<size_t>(row * places + counts.back()); ++at) {
        ids[at] = random.chance(0.3) && at % static_cast<size_t>(places) > 0
                      ? ids[at - 1]
                      : static_cast<int32_t>(random.between(0, vocabulary - 1));
        factors[at] = random.pick(std::initializer_list<float>{1, 1.1f, 2, 0.5f});
        addends[at] = random.chance(0.3) ? 0 : static_cast<float>(random.uniform(-10, 10));
        Bounded& logit = expected[static_cast<size_t>(row * vocabulary + ids[at])];
        const double scaled = logit.value > 0 ? logit.value / factors[at] : logit.value * factors[at];
        logit = {scaled + addends[at],
                 2 * logit.tolerance + 2 * kRounding * (std::abs(scaled) + std::abs(addends[at]))};
      }
    }
    OneOperation run(device(), random, rows.used);
    const int32_t adjusted = run.inPlace(logits, vocabulary, rows.spare);
    ok(td_op_adjust(run, adjusted, run.input(counts, 1, rows.spare), run.input(ids, places, rows.spare),
                    run.input(factors, places, rows.spare), run.input(addends, places, rows.spare)));
    ASSERT_EQ(0, run.run()) << errorMessage();
    const std::vector<float> result = run.rows<float>(adjusted, rows.used * vocabulary);
    for (size_t i = 0; i < result.size(); ++i) ASSERT_TRUE(within(result[i], expected[i])) << i;
  });
}

TEST_P(DeviceKernels, Select) {
  eachRound("select", 40, [&](Random& random) {
    const Rows rows(random);
    const int64_t vocabulary =
                      random.chance(0.3) ? random.between(1, 300) : random.between(1, isSlow() ? 9000 : 30'000),
                  candidates = random.chance(0.3) ? int64_t{TD_MAX_CANDIDATES} : random.between(1, TD_MAX_CANDIDATES);
    SCOPED_TRACE(::testing::Message() << candidates << " of " << vocabulary << ", " << rows.used << " rows");
    std::vector<float> logits;
    for (int64_t row = 0; row < rows.used; ++row) {
      const std::vector<float> some = someLogits(random, vocabulary);
      logits.insert(logits.end(), some.begin(), some.end());
    }
    const bool damaged = rows.used > 0 && random.chance(0.1);
    const int64_t spoilt = damaged ? random.between(0, rows.used - 1) : -1;
    if (damaged) {
      logits[static_cast<size_t>(spoilt * vocabulary + random.between(0, vocabulary - 1))] =
          random.pick(std::initializer_list<float>{notANumber(), infinity(), -infinity()});
    }
    OneOperation run(device(), random, rows.used);
    const int32_t ids = run.output(TD_I32, rows.all(), candidates), values = run.output(TD_F32, rows.all(), candidates),
                  sums = run.sharedOutput(TD_F32, rows.all(), 1);
    ok(td_op_select(run, run.input(logits, vocabulary, rows.spare), ids, values, sums));
    if (damaged) {
      ASSERT_TRUE(refused(run.run(), TD_NOT_FINITE, "output row " + std::to_string(spoilt)));
      return;
    }
    ASSERT_EQ(0, run.run()) << errorMessage();
    const auto best = run.rows<int32_t>(ids, rows.used * candidates);
    const auto bestLogits = run.rows<float>(values, rows.used * candidates), all = run.rows<float>(sums, rows.used);
    for (int64_t row = 0; row < rows.used; ++row) {
      SCOPED_TRACE(::testing::Message() << "row " << row);
      const auto of = [&](const auto& from, int64_t columns) {
        return std::span(from).subspan(static_cast<size_t>(row * columns), static_cast<size_t>(columns));
      };
      expectBest(of(logits, vocabulary), of(best, candidates), of(bestLogits, candidates),
                 all[static_cast<size_t>(row)]);
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Isa, DeviceKernels, ::testing::ValuesIn(deviceIsas()), isaOfTest);

}  // namespace
}  // namespace td::testing
