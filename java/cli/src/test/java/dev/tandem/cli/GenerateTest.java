package dev.tandem.cli;

import static dev.tandem.cli.Tandem.ok;
import static dev.tandem.cli.Tandem.run;
import static dev.tandem.cli.Tandem.utf8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.tandem.model.TestData;
import dev.tandem.model.format.TensorType;
import dev.tandem.model.gguf.GgufFile;
import dev.tandem.text.Tokenizer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code tandem generate}, mostly with the built-in model. */
class GenerateTest {

  private static final String PROMPT = "Once upon a time";
  private static final int EOS = 1345;

  @TempDir Path folder;

  // ---- the prompt ----

  @Test
  void promptComesFromArgumentOptionFileOrStandardInput() throws IOException {
    Path file = Files.writeString(folder.resolve("prompt.txt"), PROMPT);
    String expected = ok("generate", PROMPT, "-n", "8", "--temp", "0").out();
    assertTrue(expected.startsWith(PROMPT + " "), expected);
    assertEquals(expected, ok("generate", "-p", PROMPT, "-n", "8", "--temp", "0").out());
    assertEquals(expected, ok("generate", "-f", file.toString(), "-n", "8", "--temp", "0").out());
    assertEquals(expected, ok(utf8(PROMPT), "generate", "-n", "8", "--temp", "0").out());
  }

  @ParameterizedTest
  @CsvSource({"a\\n, a", "a\\r\\n, a", "a\\n\\n, a\\n", "a, a", "\\n, ''", "a\\r, a\\r"})
  void oneLineEndBehindAPromptIsNotPartOfIt(String typed, String prompt) {
    byte[] input = utf8(typed.translateEscapes());
    assertEquals(prompt.translateEscapes(), ok(input, "generate", "-n", "0").out());
  }

  @ParameterizedTest
  @ValueSource(strings = {"a -p b", "a -f b", "-p a -f b", "a -p b -f c"})
  void promptThatIsNamedTwiceIsWrongUsage(String words) {
    Tandem.Result result = run(("generate " + words).split(" "));
    assertEquals(2, result.code());
    assertTrue(result.err().contains("choose one of PROMPT, -p and -f"), result.err());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        " ",
        "\u00e9",
        "e\u0301",
        "\uD83E\uDD9C",
        "\u65e5\u672c",
        "a\u0000b",
        "@file",
        "\uD83D\uDC69\u200D\uD83D\uDC69\u200D\uD83D\uDC67",
        "%n ${x} @|bold x|@"
      })
  void promptIsPrintedAsItWasGiven(String prompt) throws IOException {
    Path file = Files.writeString(folder.resolve("prompt.txt"), prompt + "\n");
    assertEquals(prompt, ok("generate", "-n", "0", "-f", file.toString()).out());
    assertEquals(prompt, ok("generate", "-n", "0", "-p=" + prompt).out());
    assertEquals(prompt, ok("generate", "-n", "0", "--", prompt).out());
  }

  @Test
  void bytesThatAreNoUtf8AreToldAndReadAsReplacements() throws IOException {
    Path file = folder.resolve("latin1.txt");
    Files.write(file, "caf\u00e9 x".getBytes(StandardCharsets.ISO_8859_1));
    Tandem.Result result = ok("generate", "-n", "0", "-f", file.toString());
    assertEquals("caf\uFFFD x", result.out());
    assertTrue(result.err().contains("latin1.txt: byte 3 is not UTF-8"), result.err());
  }

  @Test
  void promptCanBeHidden() {
    String all = ok("generate", PROMPT, "-n", "8", "--temp", "0").out();
    String added = ok("generate", PROMPT, "-n", "8", "--temp", "0", "--no-display-prompt").out();
    assertEquals(all, PROMPT + added);
  }

  @Test
  void specialTokensOfAPromptAreReadOnRequestOnly() {
    String name = "<|begin_story|>";
    assertEquals(
        "[1344,1344]",
        ok("generate", name, "-n", "0", "--special", "--json").json().get("prompt_ids").toString());
    assertTrue(ok("generate", name, "-n", "0", "--json").json().get("prompt_ids").size() > 5);
  }

  @Test
  void emptyPromptIsOneWhereTheModelBeginsTexts() {
    assertEquals(
        "[1344]", ok("generate", "", "-n", "1", "--json").json().get("prompt_ids").toString());
    Path smollm = TestData.path("models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf");
    Tandem.Result refused = run("generate", "", "-q", "-n", "1", "-m", smollm.toString());
    assertEquals(1, refused.code());
    assertTrue(refused.err().startsWith("tandem: the prompt is empty"), refused.err());
  }

  @Test
  void stopStringsAreNotPrinted() {
    String all = ok("generate", PROMPT, "-n", "40", "--temp", "0", "--no-display-prompt").out();
    String stop = all.substring(all.length() / 2, all.length() / 2 + 4);
    Tandem.Result stopped =
        ok(
            "generate",
            PROMPT,
            "-n",
            "40",
            "--temp",
            "0",
            "--no-display-prompt",
            "--stop",
            stop,
            "--stop",
            "never heard of");
    assertEquals(all.substring(0, all.indexOf(stop)), stopped.out());
  }

  @Test
  void logProbabilitiesOfTheTokens() {
    JsonNode document =
        ok("generate", PROMPT, "-n", "5", "--temp", "0", "--json", "--logprobs", "3").json();
    assertEquals(5, document.get("logprobs").size());
    for (int i = 0; i < 5; i++) {
      JsonNode token = document.get("logprobs").get(i);
      assertEquals(document.get("ids").get(i), token.get("id"));
      assertEquals(3, token.get("top").size());
      assertEquals(token.get("id"), token.get("top").get(0).get("id"), "greedy takes the best");
      assertTrue(token.get("logprob").doubleValue() <= 0);
    }
    Tandem.Result refused = run("generate", PROMPT, "--logprobs", "3");
    assertEquals(2, refused.code());
    assertTrue(refused.err().contains("add --json"), refused.err());
    for (String number : List.of("-1", "257")) {
      assertEquals(2, run("generate", PROMPT, "--json", "--logprobs", number).code(), number);
    }
  }

  // ---- how much ----

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2, 17})
  void generatesAsManyTokensAsAskedFor(int count) {
    JsonNode json = ok("generate", PROMPT, "-n", "" + count, "-s", "1", "--json").json();
    assertEquals(count, json.get("generated_tokens").intValue());
    assertEquals(count, json.get("ids").size());
    assertEquals("length", json.get("reason").textValue());
  }

  @Test
  void storyEndsByItself() {
    JsonNode json = ok("generate", PROMPT, "-s", "1", "--json").json();
    assertEquals("stop", json.get("reason").textValue());
    assertTrue(json.get("generated_tokens").intValue() > 50, json.toString());
    assertFalse(IntStream.of(ids(json, "ids")).anyMatch(id -> id == EOS));
    assertTrue(json.get("text").textValue().endsWith("."), json.get("text").textValue());
    assertEquals(
        json, withTimings(ok("generate", PROMPT, "-s", "1", "-n", "-1", "--json").json(), json));
  }

  @Test
  void withoutAnEndTheContextIsFilled() {
    JsonNode json = ok("generate", PROMPT, "-s", "1", "--ignore-eos", "--json").json();
    assertEquals("length", json.get("reason").textValue());
    assertEquals(
        256, json.get("prompt_tokens").intValue() + json.get("generated_tokens").intValue());
    assertFalse(IntStream.of(ids(json, "ids")).anyMatch(id -> id == EOS), "it is banned");
    assertFalse(json.get("text").textValue().contains("<|"), "names of control tokens are no text");
  }

  @Test
  void contextIsWhatIsAskedForAlthoughBlocksAreWhole() {
    Tandem.Result result = ok("generate", PROMPT, "-c", "100", "--ignore-eos", "--json");
    assertTrue(result.err().contains("; context 100 tokens;"), result.err());
    JsonNode json = result.json();
    assertEquals(100, json.get("context").intValue());
    assertEquals("length", json.get("reason").textValue());
    assertEquals(
        100, json.get("prompt_tokens").intValue() + json.get("generated_tokens").intValue());
  }

  @Test
  void promptThatDoesNotFitIsRefused() {
    Tandem.Result result = run("generate", "-q", "-c", "16", "the cat ".repeat(50));
    assertEquals(1, result.code());
    assertTrue(result.err().contains("choose a larger context (-c)"), result.err());
  }

  @Test
  void contextBeyondTheTrainedOneIsToldAndFits() {
    Tandem.Result result = ok("generate", PROMPT, "-n", "1", "-c", "512");
    assertTrue(result.err().contains("-c 512 is more than the 256 tokens"), result.err());
    assertTrue(result.err().contains("context 512 tokens"), result.err());
    assertFalse(ok("generate", PROMPT, "-n", "1", "-c", "256").err().contains("more than"));
  }

  // ---- what ----

  @Test
  void greedyTextIsTheReferences() throws IOException {
    int compared = 0;
    for (JsonNode answer :
        new ObjectMapper().readTree(TestData.path("models/stories.answers.json").toFile())) {
      String prompt = answer.get("prompt").textValue();
      JsonNode json = ok("generate", prompt, "--temp", "0", "--json").json();
      assertArrayEquals(ids(answer, "prompt_ids"), ids(json, "prompt_ids"));
      int[] expected = ids(answer, "greedy_ids");
      int[] ids = ids(json, "ids");
      int same = 0;
      while (same < ids.length && same < expected.length && ids[same] == expected[same]) {
        same++;
      }
      compared += same;
      // It may leave the reference's text at a near-tie, from where on there is nothing to compare.
      boolean whole = same == ids.length && expected[same] == EOS;
      assertTrue(
          whole || answer.get("margins").get(same).doubleValue() < 0.05,
          prompt + ": another token at " + same + ", margin " + answer.get("margins").get(same));
      if (whole) {
        assertEquals(answer.get("text").textValue(), json.get("text").textValue());
      }
    }
    assertTrue(compared > 100, compared + " tokens compared");
  }

  @Test
  void sameSeedGivesTheSameText() {
    String text = ok("generate", PROMPT, "-s", "7").out();
    assertEquals(text, ok("generate", PROMPT, "-s", "7").out());
    assertNotEquals(text, ok("generate", PROMPT, "-s", "8").out());
    assertNotEquals(text, ok("generate", PROMPT, "-s", "7", "--temp", "2").out());
    assertEquals(
        ok("generate", PROMPT, "--temp", "0").out(), ok("generate", PROMPT, "--top-k", "1").out());
  }

  /** Each option alone changes a text that is drawn from all tokens, and off means off. */
  @ParameterizedTest
  @CsvSource({
    "--top-k, 3, 0",
    "--top-p, 0.3, 1",
    "--min-p, 0.5, 0",
    "--typical, 0.3, 1",
    "--repeat-penalty, 1.5, 1",
    "--presence-penalty, 2, 0",
    "--frequency-penalty, 2, 0"
  })
  void optionsReachTheSampler(String option, String on, String off) {
    String plain = generated(Map.of());
    assertNotEquals(plain, generated(Map.of(option, on)));
    assertEquals(plain, generated(Map.of(option, off)));
    if (option.endsWith("-penalty")) {
      assertEquals(plain, generated(Map.of(option, on, "--repeat-last-n", "0")));
      assertNotEquals(
          generated(Map.of(option, on)), generated(Map.of(option, on, "--repeat-last-n", "4")));
    }
  }

  private static String generated(Map<String, String> options) {
    Map<String, String> all = new TreeMap<>();
    all.putAll(Map.of("--temp", "1.5", "--top-k", "0", "--top-p", "1", "--min-p", "0"));
    all.putAll(options);
    StringBuilder words = new StringBuilder("-s 11 -n 60");
    all.forEach((name, value) -> words.append(' ').append(name).append(' ').append(value));
    return ok(words(words.toString())).out();
  }

  @Test
  void biasesBanAndForceTokens() {
    JsonNode greedy = ok("generate", PROMPT, "--temp", "0", "-n", "20", "--json").json();
    int banned = ids(greedy, "ids")[4];
    String without = "--temp 0 -n 20 --json -l " + banned;
    int[] ids = ids(ok(words(without + "-inf")).json(), "ids");
    assertFalse(IntStream.of(ids).anyMatch(id -> id == banned));
    int[] forced = ids(ok(words(without + "+1000")).json(), "ids");
    assertTrue(IntStream.of(forced).allMatch(id -> id == banned));
  }

  private static String[] words(String options) {
    return ("generate|" + PROMPT + "|" + options.strip().replace(' ', '|')).split("\\|");
  }

  @Test
  void withoutASeedEachTextIsAnotherAndToldHowToRepeat() {
    JsonNode first = ok("generate", PROMPT, "--json").json();
    JsonNode second = ok("generate", PROMPT, "--json").json();
    assertNotEquals(first.get("seed"), second.get("seed"));
    String again = ok("generate", PROMPT, "-s", first.get("seed").asText()).out();
    assertEquals(PROMPT + first.get("text").textValue(), again);
  }

  @ParameterizedTest
  @ValueSource(strings = {"-t 1", "-t 3", "-b 1", "-b 3", "--no-mmap", "-t 2 -b 2"})
  void howItIsComputedChangesNothing(String options) {
    String expected = ok("generate", PROMPT + " there was a cat", "-s", "3", "-n", "40").out();
    String[] words =
        ("generate|" + PROMPT + " there was a cat|-s|3|-n|40|" + options.replace(' ', '|'))
            .split("\\|");
    assertEquals(expected, ok(words).out());
  }

  @Test
  void plainLayoutIsTheSameMappedOrRead() {
    String mapped = ok("generate", PROMPT, "-s", "3", "-n", "40", "--no-repack").out();
    String read = ok("generate", PROMPT, "-s", "3", "-n", "40", "--no-repack", "--no-mmap").out();
    assertTrue(mapped.length() > PROMPT.length() + 40);
    assertEquals(mapped, read);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "a", " a", "ba bo"})
  void textIsWhatTheTokensStandFor(String prompt) {
    Path model = Models.tiny(folder, TensorType.F32); // its vocabulary puts a space before texts
    JsonNode json =
        ok(
                "generate",
                prompt,
                "-s",
                "1",
                "-n",
                "60",
                "--ignore-eos",
                "--json",
                "-m",
                model.toString())
            .json();
    Tokenizer tokenizer = Tokenizer.of(GgufFile.open(model).metadata());
    int[] all =
        IntStream.concat(
                IntStream.of(tokenizer.encode(prompt, false)), IntStream.of(ids(json, "ids")))
            .filter(id -> id > 2)
            .toArray();
    String expected = new String(tokenizer.decode(all), StandardCharsets.UTF_8);
    assertEquals(expected, prompt + json.get("text").textValue());
  }

  @Test
  void storyWithoutAPromptBeginsWithoutASpace() {
    Path model = TestData.path("models/stories260K.gguf");
    String text = ok("generate", "", "--temp", "0", "-n", "5", "-m", model.toString()).out();
    assertEquals("Once upon a time,", text);
  }

  // ---- helpers ----

  static int[] ids(JsonNode json, String field) {
    return IntStream.range(0, json.get(field).size())
        .map(i -> json.get(field).get(i).intValue())
        .toArray();
  }

  /** The document with the timings of another one, which no two runs share. */
  private static JsonNode withTimings(JsonNode json, JsonNode other) {
    return ((ObjectNode) json).set("timings", other.get("timings"));
  }
}
