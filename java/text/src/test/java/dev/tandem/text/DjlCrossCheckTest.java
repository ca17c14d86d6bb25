package dev.tandem.text;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.tandem.model.gguf.GgufMetadata;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The same tokens as Hugging Face's own implementation, without a network. */
class DjlCrossCheckTest {
  static List<String> mergingVocabularies() {
    return TestData.vocabularies().stream()
        .filter(name -> !name.equals("llama-spm") && !name.equals("phi-3"))
        .toList();
  }

  static Collection<String> preTokenizers() {
    return TestData.preTokenizers();
  }

  @ParameterizedTest
  @MethodSource("mergingVocabularies")
  void realVocabulariesAgree(String name) {
    compare(TestData.vocabulary(name), 300);
  }

  @ParameterizedTest
  @MethodSource("preTokenizers")
  void preTokenizersAgree(String pre) {
    compare(TinyVocabulary.bytePair(pre, 200).build(), 300);
  }

  private static void compare(GgufMetadata metadata, int texts) {
    Tokenizer tokenizer = Tokenizer.of(metadata);
    try (DjlTokenizer other = DjlTokenizer.of(metadata)) {
      for (long seed : RandomText.seeds(texts).toArray()) {
        String text = new RandomText(seed).next(40);
        assertEquals(
            Arrays.toString(other.encode(text)),
            Arrays.toString(tokenizer.encode(text, false)),
            "seed " + seed + ": " + text);
      }
    }
  }
}
