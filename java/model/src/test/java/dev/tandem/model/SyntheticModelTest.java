package dev.tandem.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import dev.tandem.model.SyntheticModel.Biases;
import dev.tandem.model.SyntheticModel.Options;
import dev.tandem.model.format.BlockCodec;
import dev.tandem.model.format.TensorType;
import dev.tandem.model.gguf.GgufFile;
import dev.tandem.model.gguf.GgufMetadata;
import dev.tandem.model.gguf.StringTable;
import dev.tandem.model.gguf.TensorInfo;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import java.util.zip.CRC32;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class SyntheticModelTest {
  private static final ModelShape TINY =
      new ModelShape("tiny", 2, 256, 4, 2, 64, 512, 320, 4096, 10_000, true, 1e-5f);

  @TempDir private Path folder;

  static Stream<TensorType> types() {
    return BlockCodec.supported().stream();
  }

  @ParameterizedTest
  @MethodSource("types")
  void everyFormat(TensorType type) {
    SyntheticModel.Result result = write(TINY, Options.of(type));
    GgufFile file = GgufFile.open(result.file());
    assertEquals(file.bytes(), result.bytes());
    assertEquals(Map.of(), result.fallbacks());
    long elements = file.tensors().values().stream().mapToLong(TensorInfo::elements).sum();
    assertEquals(elements, result.parameters());
    for (TensorInfo tensor : file.tensors().values()) {
      float[] values = BlockCodec.of(tensor.type()).decode(file.read(tensor));
      double square = 0;
      for (float value : values) {
        square += (double) value * value / values.length;
      }
      if (tensor.shape().size() == 1) {
        assertEquals(TensorType.F32, tensor.type());
        assertEquals(1, square, 0.1, tensor.name());
      } else {
        assertEquals(type, tensor.type());
        assertEquals(1.0 / tensor.columns(), square, 0.1 / tensor.columns(), tensor.name());
      }
    }
  }

  /** Tensors and keys are those of a model that llama.cpp wrote. */
  @Test
  void namesAreThoseOfARealModel() {
    GgufFile real = GgufFile.open(TestData.path("golden/llama-linear-f16.gguf"));
    SyntheticModel.Result result = write(TINY, Options.of(TensorType.F16).withLinearScaling(4));
    GgufFile ours = GgufFile.open(result.file());
    assertEquals(new TreeSet<>(real.tensors().keySet()), new TreeSet<>(ours.tensors().keySet()));
    for (TensorInfo tensor : ours.tensors().values()) {
      assertEquals(real.tensor(tensor.name()).shape(), tensor.shape());
      assertEquals(real.tensor(tensor.name()).type(), tensor.type());
    }
    Set<String> missing = new TreeSet<>(real.metadata().keys());
    missing.removeAll(ours.metadata().keys());
    assertEquals(Set.of("general.file_type"), missing);
    for (String key : real.metadata().keys()) {
      if (key.startsWith("llama.")) {
        assertEquals(real.metadata().get(key), ours.metadata().get(key), key);
      }
    }
  }

  @Test
  void options() {
    Options options =
        Options.of(TensorType.Q4_K)
            .withEmbeddings(TensorType.F16)
            .withOutput(TensorType.Q6_K)
            .withBiases(Biases.ALL)
            .withRopeFactors();
    GgufFile file = GgufFile.open(write(TINY.withTiedEmbeddings(false), options).file());
    assertEquals(TensorType.F16, file.tensor("token_embd.weight").type());
    assertEquals(TensorType.Q6_K, file.tensor("output.weight").type());
    assertEquals(TensorType.Q4_K, file.tensor("blk.1.ffn_down.weight").type());
    for (String layer :
        List.of("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")) {
      TensorInfo bias = file.tensor("blk.1." + layer + ".bias");
      assertEquals(TensorType.F32, bias.type());
      assertEquals(file.tensor("blk.1." + layer + ".weight").rows(), bias.columns());
    }
    GgufFile attention =
        GgufFile.open(write(TINY, Options.of(TensorType.F16).withBiases(Biases.ATTENTION)).file());
    assertTrue(attention.find("blk.0.attn_v.bias").isPresent());
    assertFalse(attention.find("blk.0.ffn_up.bias").isPresent());
    assertFalse(attention.find("output.weight").isPresent());
    assertFalse(attention.find("rope_freqs.weight").isPresent());
  }

  /** By wavelength: up to 2,048 tokens as it is, from 8,192 on eight times as long. */
  @Test
  void ropeFactorsAreThoseOfLlama3() {
    GgufFile file = GgufFile.open(write(TINY, Options.of(TensorType.F16).withRopeFactors()).file());
    float[] factors =
        BlockCodec.of(TensorType.F32).decode(file.read(file.tensor("rope_freqs.weight")));
    assertEquals(32, factors.length);
    int between = 0;
    for (int i = 0; i < factors.length; i++) {
      double wavelength = 2 * Math.PI * Math.pow(10_000, i / 32.0);
      if (wavelength < 2048) {
        assertEquals(1, factors[i]);
      } else if (wavelength > 8192) {
        assertEquals(8, factors[i]);
      } else {
        double share = (8192 / wavelength - 1) / 3;
        assertEquals(1 / factors[i], share + (1 - share) / 8, 1e-6);
        between++;
      }
    }
    assertEquals(4, between);
  }

  @Test
  void fallsBackWhereRowsAreNotWholeBlocks() {
    ModelShape odd = new ModelShape("odd", 1, 288, 9, 3, 32, 172, 300, 64, 10_000, true, 1e-5f);
    SyntheticModel.Result result = write(odd, Options.of(TensorType.Q4_K));
    assertEquals(TensorType.Q8_0, result.fallbacks().get("blk.0.attn_q.weight"));
    assertEquals(TensorType.F16, result.fallbacks().get("blk.0.ffn_down.weight"));
    GgufFile file = GgufFile.open(result.file());
    result.fallbacks().forEach((name, type) -> assertEquals(type, file.tensor(name).type()));
    assertEquals(8, result.fallbacks().size());
  }

  @Test
  void equalSeedsGiveEqualBytes() throws IOException {
    Options options = Options.of(TensorType.Q4_0);
    byte[] first = Files.readAllBytes(write(TINY, options).file());
    assertArrayEquals(first, Files.readAllBytes(write(TINY, options).file()));
    byte[] other = Files.readAllBytes(write(TINY, options.withSeed(2)).file());
    assertEquals(first.length, other.length);
    assertFalse(Arrays.equals(first, other));
    CRC32 crc = new CRC32();
    crc.update(first);
    assertEquals(416_391_755L, crc.getValue(), "the model of a seed is the same everywhere");
  }

  @Test
  void vocabulary() {
    GgufMetadata metadata =
        GgufFile.open(write(TINY, Options.of(TensorType.F16)).file()).metadata();
    StringTable tokens = metadata.strings("tokenizer.ggml.tokens");
    assertEquals(320, tokens.size());
    assertEquals("<unk>", tokens.string(0));
    assertEquals("</s>", tokens.string((int) metadata.integer("tokenizer.ggml.eos_token_id")));
    assertEquals("<0xFF>", tokens.string(3 + 255));
    assertEquals("\u2581", tokens.string(3 + 256));
    assertEquals("A", tokens.string(3 + 256 + 'A' - ' '));
    int[] types = metadata.integers("tokenizer.ggml.token_type");
    assertArrayEquals(
        new int[] {2, 3, 3, 6, 6, 1},
        new int[] {types[0], types[1], types[2], types[3], types[258], types[259]});
    assertEquals(320, metadata.reals("tokenizer.ggml.scores").length);
  }

  @Test
  void wordsDoNotRepeat() {
    SyntheticVocabulary vocabulary = SyntheticVocabulary.of(128_256);
    assertEquals(128_256, new HashSet<>(vocabulary.tokens()).size());
    assertEquals(
        List.of("\u2581ba", "ba", "\u2581be", "be"), vocabulary.tokens().subList(354, 358));
    assertThrows(IllegalArgumentException.class, () -> SyntheticVocabulary.of(258));
  }

  /** What is allocated besides the vocabulary is a buffer for each tensor, whatever its size. */
  @Test
  void memoryDoesNotGrowWithTheModel() {
    ModelShape shape =
        new ModelShape("wide", 2, 2048, 16, 4, 128, 8192, 300, 64, 10_000, true, 1e-5f);
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    long before = threads.getCurrentThreadAllocatedBytes();
    SyntheticModel.Result result = write(shape, Options.of(TensorType.F32));
    long allocated = threads.getCurrentThreadAllocatedBytes() - before;
    assertTrue(result.bytes() > 450_000_000, result.toString());
    assertTrue(allocated < 40_000_000, allocated + " bytes allocated");
  }

  private SyntheticModel.Result write(ModelShape shape, Options options) {
    return SyntheticModel.write(folder.resolve("model.gguf"), shape, options);
  }
}
