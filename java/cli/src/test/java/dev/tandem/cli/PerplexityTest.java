package dev.tandem.cli;

import static dev.tandem.cli.Tandem.ok;
import static dev.tandem.cli.Tandem.run;
import static dev.tandem.cli.Tandem.utf8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.tandem.model.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code tandem perplexity}: the built-in model, whose texts begin with a BOS, and tiny ones. */
class PerplexityTest {

  private static final int BOS = 1344;

  @TempDir Path folder;
  private PerplexityRuns runs;
  private Path text;

  @BeforeEach
  void writeText() throws IOException {
    runs = PerplexityRuns.of(folder);
    text = runs.text();
  }

  // ---- against the definition ----

  @ParameterizedTest
  @ValueSource(ints = {8, 9, 31, 64})
  void isWhatLlamaPerplexityDefines(int size) throws IOException {
    JsonNode json = runs.json("-c " + size);
    runs.dropLineFeed();
    int[] ids = runs.ids("");
    int windows = ids.length / size;
    List<Double> surprises = new ArrayList<>();
    for (int window = 0; window < windows; window++) {
      int[] tokens = Arrays.copyOfRange(ids, window * size, (window + 1) * size);
      tokens[0] = BOS;
      double[][] rows = runs.logProbabilities("", tokens);
      for (int at = size / 2; at < size - 1; at++) {
        surprises.add(-rows[at][tokens[at + 1]]);
      }
    }
    double mean = surprises.stream().mapToDouble(d -> d).average().orElseThrow();
    double squares = surprises.stream().mapToDouble(d -> d * d).average().orElseThrow();
    double error = Math.sqrt((squares - mean * mean) / (surprises.size() - 1));
    assertEquals(Math.exp(mean), json.get("perplexity").doubleValue(), 1e-9 * Math.exp(mean));
    assertEquals(Math.exp(mean) * error, json.get("error").doubleValue(), 1e-7);
    assertEquals(surprises.size(), json.get("tokens").intValue());
    assertEquals(windows, json.get("windows").intValue());
    assertEquals(size, json.get("window_tokens").intValue());
    assertEquals(ids.length, json.get("text_tokens").intValue());
    assertEquals(windows, json.get("running").size());
    assertEquals(json.get("perplexity"), json.get("running").get(windows - 1));
    assertTrue(json.get("complete").booleanValue());
    assertTrue(json.get("seconds").doubleValue() > 0);
  }

  @Test
  void realModelHasThePerplexityOfTheReference() {
    PerplexityRuns reference =
        new PerplexityRuns(folder, TestData.path("models/smollm2/perplexity.txt"));
    Path model = TestData.path("models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf");
    JsonNode json = reference.json("-m " + model);
    double perplexity = json.get("perplexity").doubleValue();
    System.out.printf(
        "SmolLM2 perplexity: %.4f ± %.4f in %.2f s%n",
        perplexity, json.get("error").doubleValue(), json.get("seconds").doubleValue());
    assertEquals(89.16, perplexity, 0.01 * 89.16);
    assertEquals(6.6, json.get("error").doubleValue(), 0.1);
    assertEquals(8, json.get("windows").intValue());
    assertEquals(8 * 255, json.get("tokens").intValue());
  }

  // ---- what does not change it ----

  @ParameterizedTest
  @ValueSource(
      strings = {"-b 1", "-b 5", "-b 33", "-b 64", "-b 5000", "-t 1", "-t 3", "--no-repack"})
  void howItIsComputedChangesNoBit(String options) {
    JsonNode expected = runs.json("-c 32");
    JsonNode json = runs.json("-c 32 " + options);
    for (String field : List.of("perplexity", "error", "running", "tokens", "windows")) {
      assertEquals(expected.get(field), json.get(field), field);
    }
  }

  @Test
  void textComesFromStandardInputToo() throws IOException {
    byte[] input = Files.readAllBytes(text);
    assertEquals(
        runs.json("-c 64").get("perplexity"),
        ok(input, "perplexity", "-c", "64", "--json").json().get("perplexity"));
  }

  @Test
  void firstWindowsAreThoseOfTheWholeText() {
    JsonNode all = runs.json("-c 32");
    JsonNode some = runs.json("-c 32 --chunks 3");
    assertTrue(all.get("windows").intValue() > 3);
    assertEquals(3, some.get("windows").intValue());
    assertEquals(all.get("running").get(2), some.get("perplexity"));
    assertEquals(all.get("perplexity"), runs.json("-c 32 --chunks 99999").get("perplexity"));
  }

  @Test
  void specialTokensInTheTextAreText() throws IOException {
    Files.writeString(text, "<|begin_story|>".repeat(20));
    assertTrue(runs.json("-c 8").get("text_tokens").intValue() > 100);
  }

  // ---- what is printed ----

  @Test
  void resultIsOneLine() {
    Tandem.Result result = ok("perplexity", "-f", text.toString(), "-c", "64");
    assertTrue(result.out().matches("perplexity \\d+\\.\\d{4} ± \\d+\\.\\d{4}\n"), result.out());
    String[] lines = result.err().split("\n");
    assertEquals(2, lines.length, result.err());
    assertTrue(
        lines[0].matches(
            "Tandem Stories \\(3\\.50 M parameters\\) on cpu \\w+, \\d+ threads?; \\d+ windows of"
                + " 64 tokens; memory at most [\\d.]+ MiB"),
        lines[0]);
    assertTrue(
        lines[1].matches(
            "\\d+ windows of 64 tokens, \\d+ tokens scored in [\\d.]+ s \\([\\d.]+ tokens/s\\)"),
        lines[1]);
    assertEquals("", ok("perplexity", "-q", "-f", text.toString(), "-c", "64").err());
  }

  @Test
  void longWindowsAreWarnedOf() {
    String err = ok("perplexity", "-f", text.toString(), "-c", "270").err();
    assertTrue(
        err.startsWith(
            "tandem: windows of 270 tokens are more than the 256 that Tandem Stories was trained"
                + " for"),
        err);
  }

  // ---- what goes wrong ----

  @Test
  void shortTextIsRefused() {
    Tandem.Result result = run(utf8("There was once"), "perplexity");
    assertEquals(1, result.code());
    assertEquals(
        "tandem: the text has 4 tokens, too few for a window of 512: give a longer text, or smaller"
            + " windows (-c)\n",
        result.err());
    assertEquals(1, run("perplexity", "-c", "8").code());
    assertEquals(1, run("perplexity", "-f", text.toString(), "-c", "2147483647").code());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "-c 7 | -c 7 is not possible: at least 8 tokens",
        "-c -1 | -c -1 is not possible: at least 8 tokens",
        "--chunks 0 | --chunks 0 is not possible: at least 1 window",
        "-b 0 | -b 0 is not possible: from 1 to 65536 tokens",
        "x | 'x' belongs to no option",
      })
  void wrongUsageIsToldInALine(String options, String message) {
    Tandem.Result result = run(("perplexity " + options.strip()).split(" "));
    assertEquals(2, result.code());
    assertEquals("tandem: " + message + "\nTry 'tandem perplexity --help'.\n", result.err());
  }

  @Test
  void missingFilesAreNamed() {
    assertEquals("tandem: /no: no such file\n", run("perplexity", "-q", "-f", "/no").err());
    Tandem.Result base = run("perplexity", "-f", text.toString(), "--kl-base", "/no");
    assertEquals(1, base.code());
    assertEquals("tandem: /no: no such file\n", base.err());
    assertFalse(run("perplexity", "-m", "/no").err().contains("\tat "));
  }
}
