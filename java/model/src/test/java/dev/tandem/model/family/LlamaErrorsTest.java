package dev.tandem.model.family;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import dev.tandem.model.ModelShape;
import dev.tandem.model.format.TensorType;
import dev.tandem.model.gguf.GgufValue;
import dev.tandem.model.gguf.ModelFormatException;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What is wrong with a model is told by the name of the file and of the thing. */
class LlamaErrorsTest {
  private static final ModelShape SHAPE =
      new ModelShape("small", 2, 24, 6, 2, 4, 40, 10, 64, 10_000, false, 1e-5f);

  @TempDir private Path folder;

  static Stream<Arguments> metadata() {
    return Stream.of(
        number("llama.block_count", 0, "0 is not between 1 and"),
        number("llama.block_count", 4_000_000_000L, "4000000000 is not between 1 and"),
        number("llama.embedding_length", 0, "0 is not between 1 and"),
        number("llama.embedding_length", 1L << 31, "2147483648 is not between 1 and"),
        number("llama.attention.head_count", 0, "0 is not between 1 and"),
        number("llama.attention.head_count_kv", 0, "0 is not between 1 and"),
        number("llama.attention.head_count_kv", 4, "4 does not divide the 6 heads"),
        number("llama.attention.key_length", 0, "0 is not between 1 and"),
        number("llama.attention.value_length", 8, "is 8, keys have 4 elements"),
        number("llama.feed_forward_length", 0, "0 is not between 1 and"),
        number("llama.context_length", 0, "0 is not between 1 and"),
        number("llama.context_length", 4_000_000_000L, "4000000000 is not between 1 and"),
        number("llama.rope.dimension_count", 3, "3 is no even number"),
        number("llama.rope.dimension_count", 0, "0 is no even number"),
        number("llama.rope.dimension_count", 6, "between 2 and the head size of 4"),
        number("llama.expert_count", 8, "experts are not supported"),
        real("llama.rope.freq_base", 0, "0.0 is not"),
        real("llama.rope.freq_base", -1, "-1.0 is not"),
        real("llama.rope.freq_base", Float.NaN, "NaN is not"),
        real("llama.rope.freq_base", Float.POSITIVE_INFINITY, "Infinity is not"),
        real("llama.rope.scaling.factor", -2, "-2.0 is not"),
        real("llama.rope.scaling.factor", Float.NaN, "NaN is not"),
        real("llama.rope.scaling.factor", Float.POSITIVE_INFINITY, "Infinity is not"),
        real("llama.rope.scale_linear", -2, "-2.0 is not"),
        real("llama.attention.layer_norm_rms_epsilon", -1, "-1.0 is not"),
        real("llama.attention.layer_norm_rms_epsilon", Float.NaN, "NaN is not"),
        text("llama.rope.scaling.type", "yarn", "'yarn' is not supported; supported: none, linear"),
        text("llama.rope.scaling.type", "longrope", "'longrope' is not supported"),
        text("llama.block_count", "two", "is of the type"),
        text("general.architecture", "mamba", "'mamba' is not supported; supported: llama"),
        text("general.architecture", "LLAMA", "'LLAMA' is not supported; supported: llama"));
  }

  @ParameterizedTest
  @MethodSource("metadata")
  void metadataThatCannotBe(String key, GgufValue value, String problem) {
    assertRefused(file -> file.put(key, value), key, problem);
  }

  /**
   * Either size is possible; together they are 2^32 + 24, as an int 24, which is as it should be.
   */
  @Test
  void headsOfMoreElementsThanAnIntCounts() {
    assertRefused(
        file ->
            file.put("llama.attention.head_count", GgufValue.uint32(7604))
                .put("llama.attention.head_count_kv", GgufValue.uint32(7604))
                .put("llama.attention.key_length", GgufValue.uint32(564_830))
                .put("llama.attention.value_length", GgufValue.uint32(564_830))
                .tensor("blk.0.attn_k.weight", TensorType.F16, 24, 24)
                .tensor("blk.0.attn_v.weight", TensorType.F16, 24, 24)
                .tensor("blk.1.attn_k.weight", TensorType.F16, 24, 24)
                .tensor("blk.1.attn_v.weight", TensorType.F16, 24, 24),
        "llama.attention.key_length",
        "7604 heads of 564830 elements");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "general.architecture",
        "llama.block_count",
        "llama.embedding_length",
        "llama.attention.head_count",
        "llama.feed_forward_length",
        "llama.context_length",
        "llama.attention.layer_norm_rms_epsilon"
      })
  void missingMetadata(String key) {
    assertRefused(file -> file.without(key), key, "the key is missing");
  }

  static Stream<String> requiredTensors() {
    return Stream.concat(
        Stream.of("token_embd.weight", "output_norm.weight"),
        Stream.of(0, 1)
            .flatMap(layer ->
                Stream.of(
                        "attn_norm",
                        "attn_q",
                        "attn_k",
                        "attn_v",
                        "attn_output",
                        "ffn_norm",
                        "ffn_gate",
                        "ffn_up",
                        "ffn_down")
                    .map(name -> "blk." + layer + "." + name + ".weight")));
  }

  @ParameterizedTest
  @MethodSource("requiredTensors")
  void missingTensors(String name) {
    assertRefused(file -> file.without(name), "tensor " + name, "is missing");
  }

  static Stream<String> tensors() {
    return Stream.concat(
        requiredTensors(), Stream.of("output.weight", "blk.1.attn_q.bias", "rope_freqs.weight"));
  }

  /** One row, one column, one matrix too many: each has its own place to be found out. */
  @ParameterizedTest
  @MethodSource("tensors")
  void shapesThatDoNotFit(String name) {
    boolean vector = name.contains("norm") || name.contains("bias") || name.contains("freqs");
    List<long[]> wrong =
        vector
            ? List.of(new long[] {23}, new long[] {25}, new long[] {24, 2}, new long[] {24, 1, 2})
            : List.of(new long[] {23, 24}, new long[] {24, 23}, new long[] {24, 24, 2});
    for (long[] shape : wrong) {
      String field = "tensor " + name;
      boolean table = name.equals("token_embd.weight") && shape.length == 2 && shape[0] == 24;
      if (table) {
        field = "tensor output.weight"; // the vocabulary is as large as the table; the head is not
      }
      assertRefused(file -> file.tensor(name, TensorType.F32, shape), field, "shape");
    }
  }

  /** A matrix whose rows and columns are exchanged is no matrix of the same size. */
  @Test
  void transposed() {
    assertRefused(
        file -> file.tensor("blk.1.ffn_down.weight", TensorType.F16, 24, 40),
        "tensor blk.1.ffn_down.weight",
        "has shape [24, 40], the metadata ask for [40, 24] (columns, rows)");
  }

  @Test
  void divisorsOfAnotherType() {
    assertRefused(
        file -> file.tensor("rope_freqs.weight", TensorType.F16, 2),
        "tensor rope_freqs.weight",
        "is F16, must be F32");
  }

  private void assertRefused(UnaryOperator<LlamaFile> change, String field, String problem) {
    Path path = folder.resolve("broken.gguf");
    LlamaFile file = change.apply(new LlamaFile(SHAPE, TensorType.F16));
    ModelFormatException e = assertThrows(ModelFormatException.class, () -> file.open(path));
    assertEquals(field, e.field(), e.getMessage());
    assertEquals(path, e.file());
    for (String part : Set.of(path.toString(), field, problem)) {
      assertTrue(e.getMessage().contains(part), e.getMessage());
    }
  }

  private static Arguments number(String key, long value, String problem) {
    return arguments(key, GgufValue.uint32(value), problem);
  }

  private static Arguments real(String key, float value, String problem) {
    return arguments(key, GgufValue.float32(value), problem);
  }

  private static Arguments text(String key, String value, String problem) {
    return arguments(key, GgufValue.text(value), problem);
  }
}
