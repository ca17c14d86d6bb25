package dev.tandem.text;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.model.gguf.ModelFormatException;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Metadata that is not what it must be: the message names the file, the key and the problem. */
class MalformedMetadataTest {
  private static MetadataBuilder bpe() {
    return TinyVocabulary.bytePair("gpt-2", 20);
  }

  private static MetadataBuilder spm() {
    return TinyVocabulary.sentencePiece();
  }

  static Stream<Arguments> malformed() {
    return Stream.of(
        Arguments.of(bpe().remove("model"), "model", "missing"),
        Arguments.of(bpe().set("model", "bert"), "model", "supported: gemma4, gpt2, llama"),
        Arguments.of(bpe().set("model", 3L), "model", "string"),
        Arguments.of(bpe().set("pre", "tea-leaves"), "pre", "llama-bpe, llama-v3"),
        Arguments.of(bpe().remove("tokens"), "tokens", "missing"),
        Arguments.of(bpe().set("tokens", List.of()).remove("token_type"), "tokens", "empty"),
        Arguments.of(bpe().set("token_type", 1, 1), "token_type", "2 entries for 280 tokens"),
        Arguments.of(bpe().set("token_type", types(280, 9)), "token_type[7]", "is 9"),
        Arguments.of(bpe().set("token_type", types(280, -1)), "token_type[7]", "is -1"),
        Arguments.of(bpe().set("token_type", types(280, 6)), "tokens[7]", "not like <0x0A>"),
        Arguments.of(bpe().remove("merges"), "merges", "missing"),
        Arguments.of(bpe().set("merges", List.of("a b", "zz a")), "merges[0]", "the whole"),
        Arguments.of(bpe().set("merges", List.of("zz a")), "merges[0]", "the left part"),
        Arguments.of(bpe().set("merges", List.of("a zz")), "merges[0]", "the right part"),
        Arguments.of(bpe().set("merges", List.of("ab")), "merges[0]", "with a space between"),
        Arguments.of(bpe().set("merges", List.of("a ")), "merges[0]", "with a space between"),
        Arguments.of(bpe().set("merges", List.of("")), "merges[0]", "with a space between"),
        Arguments.of(bpe().set("bos_token_id", 280L), "bos_token_id", "280 tokens"),
        Arguments.of(bpe().set("eos_token_id", -1L), "eos_token_id", "is -1"),
        Arguments.of(bpe().set("eot_token_id", 1L << 40), "eot_token_id", "280 tokens"),
        Arguments.of(
            bpe().remove("bos_token_id").set("add_bos_token", true),
            "bos_token_id",
            "add_bos_token is true"),
        Arguments.of(
            bpe().remove("eos_token_id").set("add_eos_token", true),
            "eos_token_id",
            "add_eos_token is true"),
        Arguments.of(spm().remove("scores"), "scores", "missing"),
        Arguments.of(spm().set("scores", 1f, 2f), "scores", "2 entries for"),
        Arguments.of(withScore(Float.NaN), "scores[5]", "not a number"));
  }

  private static int[] types(int count, int seventh) {
    int[] types = new int[count];
    Arrays.fill(types, 1);
    types[7] = seventh;
    return types;
  }

  private static MetadataBuilder withScore(float fifth) {
    float[] scores = spm().build().reals("tokenizer.ggml.scores");
    scores[5] = fifth;
    return spm().set("scores", scores);
  }

  @ParameterizedTest
  @MethodSource("malformed")
  void namesFileKeyAndProblem(MetadataBuilder metadata, String key, String problem) {
    ModelFormatException refusal = assertThrows(ModelFormatException.class, metadata::tokenizer);
    assertEquals("tokenizer.ggml." + key, refusal.field());
    assertTrue(refusal.getMessage().contains("hand-made.gguf"), refusal.getMessage());
    assertTrue(refusal.getMessage().contains(problem), refusal.getMessage());
  }

  /** A vocabulary of random bytes is a strange one, but no reason to fall over. */
  @Test
  void anyTextsCanBeTokens() {
    for (long seed : RandomText.seeds(200).toArray()) {
      RandomText random = new RandomText(seed);
      List<String> tokens = Stream.generate(() -> random.next(3)).limit(100).toList();
      int[] types = new Random(seed).ints(100, 0, 6).toArray();
      String text = random.next(50);
      for (String model : List.of("gpt2", "gemma4", "llama")) {
        Tokenizer tokenizer =
            new MetadataBuilder()
                .set("model", model)
                .set("tokens", tokens)
                .set("token_type", types)
                .set("scores", new float[100])
                .set("merges", List.of())
                .tokenizer();
        int[] ids = tokenizer.encode(text, true);
        assertTrue(tokenizer.decode(ids).length <= 3 * text.length() + ids.length, "seed " + seed);
      }
    }
  }

  @Test
  void infiniteScoresAndEmptyTokensAreAllowed() {
    assertTrue(withScore(Float.NEGATIVE_INFINITY).tokenizer().encode("the rain", false).length > 0);
    Tokenizer tokenizer =
        new MetadataBuilder()
            .set("model", "gpt2")
            .set("tokens", List.of("a", "", "a", "b"))
            .set("merges", List.of())
            .tokenizer();
    assertEquals("[0, 3]", Arrays.toString(tokenizer.encode("ab", true)));
    assertEquals(0, tokenizer.vocabulary().byteLength(1));
  }

  @Test
  void ofTwoMergesOfOnePairTheFirstCounts() {
    Tokenizer tokenizer =
        new MetadataBuilder()
            .set("model", "gpt2")
            .set("tokens", List.of("a", "b", "c", "ab", "bc"))
            .set("merges", List.of("a b", "b c", "a b"))
            .tokenizer();
    assertEquals("[3, 2]", Arrays.toString(tokenizer.encode("abc", false)));
  }
}
