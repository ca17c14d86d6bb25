package dev.tandem.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Long texts are neither cut nor slow: what takes n² steps would take hours here. */
class LongTextTest {
  private static final int MEGABYTE = 1 << 20;
  private static final Duration BOUND = Duration.ofSeconds(30);

  static Stream<MetadataBuilder> tokenizers() {
    return Stream.concat(
        TestData.preTokenizers().stream().map(pre -> TinyVocabulary.bytePair(pre, 200)),
        Stream.of(TinyVocabulary.sentencePiece(), TinyVocabulary.gemma4()));
  }

  static List<String> vocabularies() {
    return List.of("gemma-4", "llama-bpe", "llama-spm");
  }

  @ParameterizedTest
  @MethodSource("tokenizers")
  void aMegabyteOfAnythingTakesBoundedTime(MetadataBuilder metadata) {
    check(metadata.tokenizer());
  }

  @ParameterizedTest
  @MethodSource("vocabularies")
  void aMegabyteOfAnythingTakesBoundedTimeWithRealVocabularies(String name) {
    check(Tokenizer.of(TestData.vocabulary(name)));
  }

  private static void check(Tokenizer tokenizer) {
    String manySpacesThenWords = (" ".repeat(1000) + "x").repeat(MEGABYTE / 1001);
    String mixed = "🦙想在工作😶‍🌫️é한국어\uD83D\uDE00";
    for (String part : List.of("a", " ", "\n", "0", "!", "想", "\u0301", mixed)) {
      check(tokenizer, part, part.repeat(MEGABYTE / part.length()));
    }
    check(tokenizer, "spaces before words", manySpacesThenWords);
    check(tokenizer, "spaces before a letter", " ".repeat(MEGABYTE) + "x");
    check(tokenizer, "spaces before a digit", " ".repeat(MEGABYTE) + "7");
  }

  private static void check(Tokenizer tokenizer, String what, String text) {
    byte[] bytes =
        assertTimeoutPreemptively(
            BOUND, () -> tokenizer.decode(tokenizer.encode(text, true)), what);
    assertArrayEquals(text.getBytes(StandardCharsets.UTF_8), bytes, what);
  }

  @Test
  void aLongPromptIsNotCut() {
    Tokenizer tokenizer = TinyVocabulary.bytePair("llama-bpe", 200).tokenizer();
    // Every line is a word of its own ending, so that the whole is the sum of its parts.
    int[] line = tokenizer.encode(TinyVocabulary.TEXT, false);
    int times = 1 + 5000 / line.length;
    int[] all = tokenizer.encode(TinyVocabulary.TEXT.repeat(times), false);
    assertTrue(all.length >= 5000, all.length + " tokens");
    assertEquals(times * line.length, all.length);
    assertArrayEquals(line, Arrays.copyOfRange(all, all.length - line.length, all.length));
  }
}
