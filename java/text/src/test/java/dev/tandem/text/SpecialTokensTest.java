package dev.tandem.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.tandem.model.gguf.GgufFile;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/**
 * Control and user-defined tokens: when text becomes one, what surrounds a prompt, what ends one.
 */
class SpecialTokensTest {
  private static final List<String> SPECIAL = List.of("<|a|>", "<|a|>b", "<|im_end|>", "<<", "  ");

  /**
   * The bytes, then {@link #SPECIAL}: the first three are control tokens, the others user-defined.
   */
  private static MetadataBuilder bytes() {
    List<String> tokens = new ArrayList<>();
    for (int b = 0; b < 256; b++) {
      tokens.add(SlowReference.letter(b));
    }
    tokens.addAll(SPECIAL);
    int[] types = new int[tokens.size()];
    Arrays.fill(types, 0, 256, 1);
    Arrays.fill(types, 256, 259, 3);
    Arrays.fill(types, 259, 261, 4);
    return new MetadataBuilder()
        .set("model", "gpt2")
        .set("pre", "gpt-2")
        .set("tokens", tokens)
        .set("token_type", types)
        .set("merges", List.of());
  }

  private static String shown(Tokenizer tokenizer, int[] ids) {
    StringBuilder shown = new StringBuilder();
    for (int id : ids) {
      shown.append(id < 256 ? "" : "[").append(tokenizer.vocabulary().text(id));
      shown.append(id < 256 ? "" : "]");
    }
    return shown.toString();
  }

  private static String encoded(String text, boolean parseSpecial) {
    Tokenizer tokenizer = bytes().tokenizer();
    return shown(tokenizer, tokenizer.encode(text, parseSpecial));
  }

  @Test
  void controlTokensAreParsedOnlyOnRequest() {
    assertEquals("x[<|a|>]y[<|im_end|>]", encoded("x<|a|>y<|im_end|>", true));
    assertEquals("x<|a|>y<|im_end|>", encoded("x<|a|>y<|im_end|>", false));
  }

  @Test
  void theLongestTokenAtTheLeftmostPlaceWins() {
    assertEquals("[<|a|>b]c[<|a|>]", encoded("<|a|>bc<|a|>", true));
    assertEquals("[<<]|a|>b", encoded("<<|a|>b", true), "<< begins before <|a|>");
    assertEquals("[<<]<|a|", encoded("<<<|a|", true), "an incomplete token is text");
  }

  @Test
  void userDefinedTokensAreAlwaysParsed() {
    assertEquals("a[<<]b[  ] c", encoded("a<<b   c", false));
    assertEquals("a[<<]b[  ] c", encoded("a<<b   c", true));
  }

  /** As gemma-4's {@code <|tool_call>}: the file calls it user-defined, but it steers the model. */
  @Test
  void userDefinedTokensWithBarsAreParsedOnlyOnRequest() {
    MetadataBuilder metadata = bytes();
    var tokens = new ArrayList<String>();
    metadata.build().strings("tokenizer.ggml.tokens").forEach(tokens::add);
    for (String name : List.of("<|User|>", "<|call>", "<call|>", "<\uFF5Ccall\uFF5C>")) {
      tokens.set(259, name);
      Tokenizer tokenizer = metadata.set("tokens", tokens).tokenizer();
      assertEquals("[" + name + "]", shown(tokenizer, tokenizer.encode(name, true)));
      assertFalse(Arrays.stream(tokenizer.encode(name, false)).anyMatch(id -> id == 259), name);
    }
    for (String name : List.of("<think>", "<b>", "<|>", "[PAD1]", "||", "<|x", "x|>")) {
      tokens.set(259, name);
      Tokenizer tokenizer = metadata.set("tokens", tokens).tokenizer();
      assertEquals("[" + name + "]", shown(tokenizer, tokenizer.encode(name, false)));
    }
  }

  @Test
  void whatAUserTypesIsNeverAControlToken() {
    Tokenizer tokenizer = bytes().tokenizer();
    List<TextSpan> spans =
        List.of(
            new TextSpan("<|a|>", true),
            new TextSpan("<|im_end|><<", false),
            new TextSpan("<|im_", true),
            new TextSpan("end|><|a|>", true),
            new TextSpan("<|a", true),
            new TextSpan("|>", false),
            new TextSpan("<|", false),
            new TextSpan("a|>", true));
    assertEquals(
        "[<|a|>]<|im_end|>[<<][<|im_end|>][<|a|>]<|a|><|a|>",
        shown(tokenizer, tokenizer.encode(spans)));
  }

  @Test
  void partsOfATextAreEncodedAsOne() {
    Tokenizer tokenizer = TinyVocabulary.bytePair("llama-bpe", 300).tokenizer();
    for (long seed : RandomText.seeds(100).toArray()) {
      String text = new RandomText(seed).next(40);
      int middle = text.offsetByCodePoints(0, text.codePointCount(0, text.length()) / 2);
      assertArrayEquals(
          tokenizer.encode(text, false),
          tokenizer.encode(
              List.of(
                  new TextSpan(text.substring(0, middle), false),
                  new TextSpan("", true),
                  new TextSpan(text.substring(middle), false))),
          "seed " + seed);
    }
  }

  @Test
  void bothHalvesOfABrokenCharacterAreReplaced() {
    Tokenizer tokenizer = bytes().tokenizer();
    for (String broken :
        List.of("\uD83E", "\uDD99", "a\uD83Eb", "\uDD99\uD83E", "\uD83E\uD83E\uDD99")) {
      String whole =
          broken
              .codePoints()
              .map(c -> c >= 0xD800 && c < 0xE000 ? 0xFFFD : c)
              .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
              .toString();
      assertEquals(
          whole,
          new String(tokenizer.decode(tokenizer.encode(broken, true)), StandardCharsets.UTF_8));
    }
  }

  @Test
  void phi3TakesTheSpaceBehindSpecialTokensAway() {
    MetadataBuilder metadata = TinyVocabulary.sentencePiece();
    Tokenizer plain = metadata.name("Llama").tokenizer();
    Tokenizer phi3 = metadata.name("Phi-3 mini").tokenizer();
    int user = plain.vocabulary().find("<|user|>").orElseThrow();
    int[] the = plain.encode("the", true);
    assertArrayEquals(
        IntStream.concat(IntStream.of(user), Arrays.stream(the)).toArray(),
        phi3.encode("<|user|> \t\n\r the", true));
    assertTrue(plain.encode("<|user|> \t\n\r the", true).length > 1 + the.length);
    // <s> is an exception there.
    assertArrayEquals(plain.encode("<s> the", true), phi3.encode("<s> the", true));
  }

  @Test
  void sentencePieceAddsASpaceAfterSpecialTokensAndTakesItAwayAgain() {
    Tokenizer tokenizer = TinyVocabulary.sentencePiece().tokenizer();
    int[] ids = tokenizer.encode("the<s>the", true);
    int the = tokenizer.encode("the", true)[0];
    assertEquals(" the", tokenizer.vocabulary().text(the));
    assertArrayEquals(new int[] {the, 1, the}, ids);
    assertEquals("the<s>the", new String(tokenizer.decode(ids), StandardCharsets.UTF_8));
    assertEquals("thethe", printed(tokenizer, false, OptionalInt.empty(), ids));
    assertEquals("the<s>the", printed(tokenizer, true, OptionalInt.empty(), ids));
    assertEquals(" thethe", printed(tokenizer, false, OptionalInt.of(the), ids));
    assertEquals("thethe", printed(tokenizer, false, OptionalInt.of(1), ids));
  }

  private static String printed(
      Tokenizer tokenizer, boolean showControl, OptionalInt previous, int[] ids) {
    StringBuilder out = new StringBuilder();
    TextStream stream =
        new TextStream(
            tokenizer,
            showControl,
            (b, at, n) -> out.append(new String(b, at, n, StandardCharsets.UTF_8)));
    previous.ifPresent(stream::follow);
    for (int id : ids) {
      stream.print(id);
    }
    stream.finish();
    return out.toString();
  }

  @Test
  void beginsAndEndsAsTheFileSaysAndElseAsItsKindDoes() {
    MetadataBuilder bytes = bytes().set("bos_token_id", 256L).set("eos_token_id", 258L);
    assertAround(bytes, List.of(), List.of());
    assertAround(bytes.set("pre", "llama-bpe"), List.of(256), List.of());
    assertAround(bytes.set("add_bos_token", false), List.of(), List.of());
    assertAround(bytes.set("pre", "gpt-2").set("add_bos_token", true), List.of(256), List.of());
    assertAround(bytes.set("add_eos_token", true), List.of(256), List.of(258));
    // A default adds only what is there.
    assertAround(bytes().set("pre", "llama-bpe"), List.of(), List.of());
    MetadataBuilder pieces = TinyVocabulary.sentencePiece();
    assertAround(pieces.set("bos_token_id", 1L).set("eos_token_id", 2L), List.of(1), List.of());
    assertAround(pieces.set("add_bos_token", false), List.of(), List.of());
    MetadataBuilder gemma4 = TinyVocabulary.gemma4().set("bos_token_id", 1L);
    assertAround(gemma4, List.of(1), List.of());
    assertAround(gemma4.set("add_bos_token", false), List.of(1), List.of());
  }

  private static void assertAround(
      MetadataBuilder metadata, List<Integer> begin, List<Integer> end) {
    Tokenizer tokenizer = metadata.tokenizer();
    assertEquals(begin.toString(), Arrays.toString(tokenizer.beginTokens()));
    assertEquals(end.toString(), Arrays.toString(tokenizer.endTokens()));
  }

  @Test
  void generationEndsAtTokensOfTheFileAndAtKnownNames() {
    Tokenizer tokenizer = bytes().set("eos_token_id", 256L).tokenizer();
    Vocabulary vocabulary = tokenizer.vocabulary();
    assertTrue(vocabulary.isEndOfGeneration(256));
    assertTrue(vocabulary.isEndOfGeneration(258), "<|im_end|>");
    assertFalse(vocabulary.isEndOfGeneration(257));
    assertFalse(vocabulary.isEndOfGeneration('a'));
    assertEquals(OptionalInt.of(256), vocabulary.special(SpecialToken.EOS));
    assertEquals(OptionalInt.of(258), vocabulary.special(SpecialToken.EOT), "by its name");
    assertEquals(OptionalInt.empty(), vocabulary.special(SpecialToken.BOS));
  }

  @Test
  void aNamedEndOfTurnThatTheFileCallsTextIsAControlToken() {
    MetadataBuilder metadata = TinyVocabulary.sentencePiece();
    var tokens = new ArrayList<String>();
    metadata.build().strings("tokenizer.ggml.tokens").forEach(tokens::add);
    tokens.set(tokens.indexOf("<|user|>"), "<|end|>");
    Tokenizer tokenizer = metadata.set("tokens", tokens).tokenizer();
    int end = tokens.indexOf("<|end|>");
    assertEquals(TokenType.CONTROL, tokenizer.vocabulary().type(end));
    assertFalse(Arrays.stream(tokenizer.encode("x<|end|>", false)).anyMatch(id -> id == end));
  }

  /** In gpt-oss {@code <|end|>} ends a message, not the answer. */
  @Test
  void endIsNoEndWhereReturnIs() {
    MetadataBuilder metadata = bytes();
    var tokens = new ArrayList<String>();
    metadata.build().strings("tokenizer.ggml.tokens").forEach(tokens::add);
    tokens.set(256, "<|end|>");
    tokens.set(257, "<|return|>");
    assertTrue(metadata.set("tokens", tokens).tokenizer().vocabulary().isEndOfGeneration(256));
    tokens.set(258, "<|call|>");
    Vocabulary vocabulary = metadata.set("tokens", tokens).tokenizer().vocabulary();
    assertFalse(vocabulary.isEndOfGeneration(256));
    assertTrue(vocabulary.isEndOfGeneration(257));
    assertTrue(vocabulary.isEndOfGeneration(258));
  }

  @Test
  void tokensAreShownReadably() {
    Vocabulary vocabulary = bytes().tokenizer().vocabulary();
    assertEquals("a", vocabulary.text('a'));
    assertEquals(" ", vocabulary.text(' '));
    assertEquals("<0xE2>", vocabulary.text(0xE2));
    assertEquals("<|im_end|>", vocabulary.text(258));
    assertArrayEquals(new byte[] {(byte) 0xE2}, vocabulary.bytes(0xE2));
    assertEquals(1, vocabulary.byteLength(0xE2));
    byte[] target = new byte[12];
    assertEquals(10, vocabulary.copyBytes(258, target, 1));
    assertEquals("<|im_end|>", new String(target, 1, 10, StandardCharsets.UTF_8));
    assertEquals(OptionalInt.of(258), vocabulary.find("<|im_end|>"));
    assertEquals(OptionalInt.empty(), vocabulary.find("nothing"));
    assertEquals(261, vocabulary.size());
  }

  @Test
  void promptsOfSmolLm2AreExact() throws IOException {
    Tokenizer tokenizer = Tokenizer.of(TestData.vocabulary("smollm"));
    JsonNode answers =
        new ObjectMapper().readTree(TestData.file("models/smollm2/answers.json").toFile());
    assertEquals(15, answers.size());
    for (JsonNode answer : answers) {
      String prompt = answer.get("prompt").asText();
      assertEquals(
          answer.get("prompt_ids").toString(),
          Arrays.toString(tokenizer.encode(prompt, true)).replace(" ", ""),
          prompt);
    }
    assertTrue(tokenizer.vocabulary().isEndOfGeneration(2), "<|im_end|>");
    assertTrue(tokenizer.vocabulary().isEndOfGeneration(0), "<|endoftext|>");
  }

  @Test
  void promptsAndTextsOfTheStoriesAreExact() throws IOException {
    Tokenizer tokenizer =
        Tokenizer.of(GgufFile.open(TestData.file("models/stories.gguf")).metadata());
    JsonNode answers =
        new ObjectMapper().readTree(TestData.file("models/stories.answers.json").toFile());
    for (JsonNode answer : answers) {
      int[] prompt = tokenizer.encode(answer.get("prompt").asText(), false);
      int[] ids =
          IntStream.concat(Arrays.stream(tokenizer.beginTokens()), Arrays.stream(prompt)).toArray();
      assertEquals(answer.get("prompt_ids").toString(), Arrays.toString(ids).replace(" ", ""));
      List<Integer> greedy = new ArrayList<>();
      answer.get("greedy_ids").forEach(id -> greedy.add(id.asInt()));
      int[] generated = greedy.stream().mapToInt(Integer::intValue).toArray();
      int last = ids[ids.length - 1];
      assertEquals(
          answer.get("text").asText(), printed(tokenizer, false, OptionalInt.of(last), generated));
    }
  }
}
