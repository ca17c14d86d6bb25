package dev.tandem.text;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.tandem.model.gguf.GgufMetadata;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Collection;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Small vocabularies on random texts, against the slow reference. */
class ReferenceTest {
  static Collection<String> preTokenizers() {
    return TestData.preTokenizers();
  }

  @ParameterizedTest
  @MethodSource("preTokenizers")
  void bytePairEncodingIsThatOfTheReference(String pre) {
    compare(TinyVocabulary.bytePair(pre, 300).build(), 200);
  }

  @Test
  void sentencePieceIsThatOfTheReference() {
    compare(TinyVocabulary.sentencePiece().build(), 500);
  }

  @Test
  void sentencePieceWithoutSpacePrefixIsThatOfTheReference() {
    compare(TinyVocabulary.sentencePiece().set("add_space_prefix", false).build(), 300);
  }

  @Test
  void gemma4IsThatOfTheReference() {
    compare(TinyVocabulary.gemma4().build(), 500);
  }

  private static void compare(GgufMetadata metadata, int texts) {
    Tokenizer tokenizer = Tokenizer.of(metadata);
    SlowReference reference = new SlowReference(metadata);
    for (long seed : RandomText.seeds(texts).toArray()) {
      check(tokenizer, reference, new RandomText(seed).next(40), seed);
    }
    check(tokenizer, reference, TinyVocabulary.TEXT, 0);
  }

  /** The same tokens as the reference, and the same text back. */
  static void check(Tokenizer tokenizer, SlowReference reference, String text, long seed) {
    String message = "seed " + seed + ": " + text;
    int[] ids = tokenizer.encode(text, false);
    assertEquals(reference.encode(text).toString(), Arrays.toString(ids), message);
    if (reference.covers(text)) {
      assertEquals(text, new String(tokenizer.decode(ids), StandardCharsets.UTF_8), message);
    }
  }
}
