package dev.tandem.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import dev.tandem.model.gguf.GgufFile;
import dev.tandem.model.gguf.GgufMetadata;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class ModelShapeTest {
  @Test
  void findsByName() {
    for (ModelShape shape : ModelShape.known()) {
      assertEquals(shape, ModelShape.named(shape.name()));
    }
    assertEquals("llama-3-8b", ModelShape.named("Llama-3-8B").name());
    IllegalArgumentException e =
        assertThrows(IllegalArgumentException.class, () -> ModelShape.named("gpt-5"));
    assertEquals(
        "the shape gpt-5 is unknown; known: llama-3.2-1b, llama-3-8b, smollm2-135m,"
            + " tinyllama-1.1b, stories",
        e.getMessage());
  }

  static Stream<Arguments> files() {
    return Stream.of(
        arguments("stories", "models/stories.gguf"),
        arguments("smollm2-135m", "models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"));
  }

  @ParameterizedTest
  @MethodSource("files")
  void isThatOfTheRealModel(String name, String path) {
    ModelShape shape = ModelShape.named(name);
    GgufFile file = GgufFile.open(TestData.path(path));
    GgufMetadata metadata = file.metadata();
    assertEquals(metadata.integer("llama.block_count"), shape.layers());
    assertEquals(metadata.integer("llama.embedding_length"), shape.width());
    assertEquals(metadata.integer("llama.attention.head_count"), shape.heads());
    assertEquals(metadata.integer("llama.attention.head_count_kv"), shape.kvHeads());
    assertEquals(metadata.integer("llama.rope.dimension_count"), shape.headSize());
    assertEquals(metadata.integer("llama.feed_forward_length"), shape.feedForward());
    assertEquals(metadata.integer("llama.vocab_size"), shape.vocabulary());
    assertEquals(metadata.integer("llama.context_length"), shape.context());
    assertEquals(metadata.real("llama.rope.freq_base"), shape.ropeBase());
    assertEquals(metadata.real("llama.attention.layer_norm_rms_epsilon"), shape.normEpsilon());
    assertEquals(file.find("output.weight").isEmpty(), shape.tiedEmbeddings());
  }

  @Test
  void refusesWhatCannotBe() {
    ModelShape stories = ModelShape.named("stories");
    assertThrows(IllegalArgumentException.class, () -> shape(0, 2, 32));
    assertThrows(IllegalArgumentException.class, () -> shape(8, 3, 32));
    assertThrows(IllegalArgumentException.class, () -> shape(8, 2, 31));
    assertEquals(256, shape(8, 2, 32).queryWidth());
    assertEquals(64, shape(8, 2, 32).kvWidth());
    assertTrue(stories.tiedEmbeddings());
    assertFalse(stories.withTiedEmbeddings(false).tiedEmbeddings());
  }

  private static ModelShape shape(int heads, int kvHeads, int headSize) {
    return new ModelShape(
        "test", 1, 64, heads, kvHeads, headSize, 128, 300, 64, 10_000, true, 1e-5f);
  }
}
