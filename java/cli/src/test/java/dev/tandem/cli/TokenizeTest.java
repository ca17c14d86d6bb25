package dev.tandem.cli;

import static dev.tandem.cli.Tandem.ok;
import static dev.tandem.cli.Tandem.utf8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.model.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code tandem tokenize}, mostly with the built-in vocabulary. */
class TokenizeTest {

  private static final String SEPARATOR = "\n__ggml_vocab_test__\n";

  @TempDir Path folder;

  @Test
  void showsIdsAndWhatTheyStandFor() {
    assertEquals(
        " 72  'H'\n513  'ell'\n111  'o'\n 44  ','\n259  ' w'\n", ok("tokenize", "Hello, w").out());
    assertEquals("10  '\\n'\n 9  '\\t'\n", ok("tokenize", "\n\t").out());
    assertEquals("195  '<0xC3>'\n169  '<0xA9>'\n", ok("tokenize", "\u00e9").out());
    assertEquals("", ok("tokenize", "").out());
  }

  @Test
  void idsAreOneLine() {
    assertEquals("72 513 111\n", ok("tokenize", "--ids", "Hello").out());
    assertEquals("\n", ok("tokenize", "--ids", "").out());
  }

  @Test
  void textComesFromArgumentFileOrStandardInputToItsLastByte() throws IOException {
    Path file = Files.writeString(folder.resolve("text"), "Hello\n");
    assertEquals("72 513 111 10\n", ok("tokenize", "--ids", "Hello\n").out());
    assertEquals("72 513 111 10\n", ok("tokenize", "--ids", "-f", file.toString()).out());
    assertEquals("72 513 111 10\n", ok(utf8("Hello\n"), "tokenize", "--ids").out());
  }

  @Test
  void nothingIsAddedUnasked() {
    assertEquals("1344 72 513 111\n", ok("tokenize", "--ids", "--bos", "Hello").out());
    assertEquals("1344\n", ok("tokenize", "--ids", "--bos", "").out());
    assertEquals("1344  '<|begin_story|>'\n", ok("tokenize", "--bos", "").out());
  }

  @Test
  void specialTokensAreReadOnRequest() {
    String text = "a<|begin_story|>b";
    assertEquals("97 1344 98\n", ok("tokenize", "--ids", "--special", text).out());
    assertEquals(2 + "<|begin_story|>".length(), asText(ok("tokenize", text).out()).length());
  }

  /** The pieces of a table, joined. */
  private static String asText(String table) {
    return table.replaceAll("(?m)^ *\\d+  '(.*)'\n", "$1");
  }

  // ---- many texts ----

  @ParameterizedTest
  @ValueSource(strings = {"a\0b\0", "a\0b"})
  void textsEndedByNulGiveALineEach(String input) {
    assertEquals("97\n98\n", ok(utf8(input), "tokenize", "-0", "--ids").out());
  }

  @Test
  void emptyTextsGiveEmptyLines() {
    assertEquals("", ok(utf8(""), "tokenize", "-0", "--ids").out());
    assertEquals("\n", ok(utf8("\0"), "tokenize", "-0", "--ids").out());
    assertEquals("97\n\n\n98\n", ok(utf8("a\0\0\0b"), "tokenize", "-0", "--ids").out());
    assertEquals("\n97\n\n", ok(utf8("\0a\0\0"), "tokenize", "-0", "--ids").out());
  }

  @Test
  void manyTextsTakeTheOtherOptionsToo() throws IOException {
    Path file = Files.writeString(folder.resolve("texts"), "a\0<|begin_story|>\0");
    String path = file.toString();
    assertEquals("97\n1344\n", ok("tokenize", "-0", "--ids", "--special", "-f", path).out());
    assertEquals(
        "1344 97\n1344 1344\n",
        ok("tokenize", "-0", "--ids", "--special", "--bos", "-f", path).out());
    assertEquals("10\n13 10\n", ok(utf8("\n\0\r\n\0"), "tokenize", "-0", "--ids").out());
  }

  @Test
  void textThatIsNoUtf8IsToldByItsNumber() {
    Tandem.Result result = ok(new byte[] {'a', 0, 'b', (byte) 0xFF, 0}, "tokenize", "-0", "--ids");
    assertEquals(ok(utf8("a\0b\uFFFD"), "tokenize", "-0", "--ids").out(), result.out());
    assertEquals(
        "tandem: text 2: byte 1 is not UTF-8; such bytes are read as U+FFFD\n", result.err());
  }

  @Test
  void longTextIsNotCutOff() {
    String text = "word ".repeat(20_000);
    int ids = ok(utf8(text), "tokenize", "--ids").out().split(" ").length;
    assertTrue(ids >= 20_000, ids + " tokens");
  }

  // ---- real vocabularies ----

  @ParameterizedTest
  @ValueSource(
      strings = {
        "gpt-2",
        "llama-bpe",
        "qwen2",
        "smollm",
        "llama-spm",
        "phi-3",
        "deepseek-coder",
        "deepseek-llm",
        "falcon",
        "mpt",
        "starcoder",
        "qwen35",
        "gemma-4"
      })
  void vectorsAreExact(String name) throws IOException {
    Path model =
        TestData.path(
            name.equals("smollm")
                ? "models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
                : "vocab/" + name + ".gguf");
    String[] texts = Files.readString(TestData.path("vocab/" + name + ".inp")).split(SEPARATOR, -1);
    StringBuilder expected = new StringBuilder();
    Files.readAllLines(TestData.path("vocab/" + name + ".out"))
        .forEach(line -> expected.append(line.strip()).append('\n'));
    int count = (int) expected.chars().filter(c -> c == '\n').count();
    assertTrue(count > 40 && texts.length >= count, count + " vectors, " + texts.length + " texts");
    String input = String.join("\0", java.util.List.of(texts).subList(0, count)) + "\0";
    Tandem.Result result = ok(utf8(input), "tokenize", "-0", "--ids", "-m", model.toString());
    assertEquals(expected.toString(), result.out());
    assertEquals("", result.err());
  }
}
