package dev.tandem.reference;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.tandem.model.Model;
import dev.tandem.model.ModelShape;
import dev.tandem.model.SyntheticModel;
import dev.tandem.model.format.BlockCodec;
import dev.tandem.model.format.TensorType;
import dev.tandem.model.gguf.GgufValue;
import dev.tandem.model.gguf.GgufWriter;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ReferenceModelTest {
  private static final float[] ZEROS = {0, 0, 0, 0};
  private static final float[] IDENTITY = {1, 0, 0, 1};
  private static final double EPSILON = 0.5;
  private static final double[][] EMBEDDINGS = {{1, 2}, {3, -1}, {-2, 0.5}};

  @TempDir private Path folder;

  /**
   * A model of one layer, one head of two elements and three tokens, all of whose matrices are
   * zero: every layer passes on what it gets, until something is put in.
   */
  private final Map<String, float[]> tensors =
      new TreeMap<>(
          Map.ofEntries(
              Map.entry("token_embd.weight", new float[] {1, 2, 3, -1, -2, 0.5f}),
              Map.entry("output.weight", new float[] {1, 0, 0, 1, 1, 1}),
              Map.entry("output_norm.weight", new float[] {1, 1}),
              Map.entry("blk.0.attn_norm.weight", new float[] {1, 1}),
              Map.entry("blk.0.ffn_norm.weight", new float[] {1, 1}),
              Map.entry("blk.0.attn_q.weight", ZEROS),
              Map.entry("blk.0.attn_k.weight", ZEROS),
              Map.entry("blk.0.attn_v.weight", ZEROS),
              Map.entry("blk.0.attn_output.weight", ZEROS),
              Map.entry("blk.0.ffn_gate.weight", ZEROS),
              Map.entry("blk.0.ffn_up.weight", ZEROS),
              Map.entry("blk.0.ffn_down.weight", ZEROS)));

  @Test
  void emptyLayer() {
    assertLogits(EMBEDDINGS[1], logits(1)[0]);
  }

  @Test
  void biasesOfAttentionOutputAndDown() {
    tensors.put("blk.0.attn_output.bias", new float[] {10, 20});
    tensors.put("blk.0.ffn_down.bias", new float[] {-3, 4});
    assertLogits(new double[] {1 + 10 - 3, 2 + 20 + 4}, logits(0)[0]);
  }

  /** All tokens have the same value, so that is what attention gives, whatever the scores. */
  @Test
  void biasOfValues() {
    tensors.put("blk.0.attn_v.bias", new float[] {5, 7});
    tensors.put("blk.0.attn_output.weight", IDENTITY);
    for (double[] row : logits(0, 0)) {
      assertLogits(new double[] {1 + 5, 2 + 7}, row);
    }
  }

  @Test
  void biasesOfGateAndUp() {
    tensors.put("blk.0.ffn_gate.bias", new float[] {0, 1});
    tensors.put("blk.0.ffn_up.bias", new float[] {9, 6});
    tensors.put("blk.0.ffn_down.weight", IDENTITY);
    assertLogits(new double[] {3, -1 + 6 / (1 + Math.exp(-1))}, logits(1)[0]);
  }

  @Test
  void biasesOfQueriesAndKeysAndRotation() {
    assertLogits(secondOfTwo(1), logits(0, 1)[1]);
  }

  @Test
  void divisorsSlowTheRotation() {
    tensors.put("rope_freqs.weight", new float[] {4});
    assertLogits(secondOfTwo(0.25), logits(0, 1)[1]);
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5})
  void laterTokensChangeNothing(long seed) {
    ModelShape shape = new ModelShape("causal", 3, 96, 6, 2, 16, 160, 300, 64, 10_000, true, 1e-5f);
    Path file = folder.resolve("causal.gguf");
    SyntheticModel.write(file, shape, SyntheticModel.Options.of(TensorType.F16).withSeed(seed));
    ReferenceModel model = new ReferenceModel(Model.open(file));
    SplittableRandom random = new SplittableRandom(seed);
    int[] tokens = random.ints(12, 0, 300).toArray();
    int changed = random.nextInt(tokens.length);
    int[] others = tokens.clone();
    others[changed] = (others[changed] + 1 + random.nextInt(299)) % 300;
    double[][] before = model.logits(tokens);
    double[][] after = model.logits(others);
    for (int t = 0; t < tokens.length; t++) {
      boolean same = Arrays.equals(before[t], after[t]);
      if (t < changed) {
        assertArrayEquals(before[t], after[t], "seed " + seed + ", token " + t);
      } else {
        assertFalse(same, "seed " + seed + ", token " + t + " does not see token " + changed);
      }
    }
  }

  @Test
  void refusesAnUnknownToken() {
    assertThrows(IllegalArgumentException.class, () -> logits(3));
    assertThrows(IllegalArgumentException.class, () -> logits(-1));
  }

  /**
   * Makes queries and keys their biases (1, 0), so that the score of a token at distance d is
   * cos(angle * d) / sqrt(2), and values the normed embeddings.
   *
   * @return the residual stream of token 1 behind token 0
   */
  private double[] secondOfTwo(double angle) {
    tensors.put("blk.0.attn_q.bias", new float[] {1, 0});
    tensors.put("blk.0.attn_k.bias", new float[] {1, 0});
    tensors.put("blk.0.attn_v.weight", IDENTITY);
    tensors.put("blk.0.attn_output.weight", IDENTITY);
    double far = Math.exp(Math.cos(angle) / Math.sqrt(2));
    double near = Math.exp(1 / Math.sqrt(2));
    double[] first = normed(EMBEDDINGS[0]);
    double[] second = normed(EMBEDDINGS[1]);
    double[] x = new double[2];
    for (int i = 0; i < 2; i++) {
      x[i] = EMBEDDINGS[1][i] + (far * first[i] + near * second[i]) / (far + near);
    }
    return x;
  }

  private double[][] logits(int... tokens) {
    GgufWriter writer =
        new GgufWriter()
            .put("general.architecture", GgufValue.text("llama"))
            .put("llama.context_length", GgufValue.uint32(16))
            .put("llama.embedding_length", GgufValue.uint32(2))
            .put("llama.block_count", GgufValue.uint32(1))
            .put("llama.feed_forward_length", GgufValue.uint32(2))
            .put("llama.attention.head_count", GgufValue.uint32(1))
            .put("llama.attention.layer_norm_rms_epsilon", GgufValue.float32((float) EPSILON));
    tensors.forEach((name, values) -> {
      boolean matrix = name.endsWith(".weight") && values.length > 2;
      List<Long> shape = matrix ? List.of(2L, values.length / 2L) : List.of((long) values.length);
      byte[] bytes = BlockCodec.of(TensorType.F32).encode(values);
      writer.tensor(name, TensorType.F32, shape, bytes);
    });
    Path file = folder.resolve("hand.gguf");
    writer.write(file);
    return new ReferenceModel(Model.open(file)).logits(tokens);
  }

  /** The logits of a residual stream: its elements, normed, and their sum. */
  private static void assertLogits(double[] x, double[] logits) {
    double[] n = normed(x);
    assertArrayEquals(new double[] {n[0], n[1], n[0] + n[1]}, logits, 1e-13);
  }

  private static double[] normed(double[] x) {
    double root = Math.sqrt((x[0] * x[0] + x[1] * x[1]) / 2 + EPSILON);
    return new double[] {x[0] / root, x[1] / root};
  }
}
