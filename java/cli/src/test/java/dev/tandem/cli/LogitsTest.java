package dev.tandem.cli;

import static dev.tandem.cli.Tandem.ok;
import static dev.tandem.cli.Tandem.run;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.tandem.model.TestData;
import dev.tandem.model.format.TensorType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code tandem logits}. */
class LogitsTest {

  private static final String TOKENS = "1344,369,439,258,591,44,265,1226,300,46";

  @TempDir Path folder;

  private Npy logits(String... options) throws IOException {
    Path file = folder.resolve("logits.npy");
    List<String> words = new ArrayList<>(List.of("logits", "-o", file.toString()));
    words.addAll(List.of(options));
    Tandem.Result result = ok(words.toArray(String[]::new));
    assertEquals("", result.out());
    Npy npy = Npy.read(file);
    assertEquals(file + ": float32 [" + npy.rows() + ", " + npy.columns() + "]\n", result.err());
    return npy;
  }

  @Test
  void rowIsTheLogitsBehindItsToken() throws IOException {
    Npy npy = logits("--tokens", TOKENS);
    assertEquals(10, npy.rows());
    assertEquals(1376, npy.columns());
    JsonNode next = ok("generate", "Once upon", "-n", "1", "--temp", "0", "--json").json();
    assertEquals("[1344,369,439]", next.get("prompt_ids").toString());
    assertEquals(next.get("ids").get(0).intValue(), Npy.best(npy.row(2)));
  }

  @ParameterizedTest
  @ValueSource(strings = {"1344 369 439", "1344, 369 ,439", " 1344,,369\t439,", "+1344,0369,439"})
  void tokensAreSeparatedByCommasAndSpaces(String tokens) throws IOException {
    assertArrayEquals(
        logits("--tokens", "1344,369,439").values(), logits("--tokens", tokens).values());
  }

  @Test
  void tokensComeFromAFile() throws IOException {
    Path file = Files.writeString(folder.resolve("ids.txt"), "1344\n369,\r\n\t439\n");
    assertArrayEquals(
        logits("--tokens", "1344,369,439").values(),
        logits("--tokens-file", file.toString()).values());
    Files.writeString(file, " \n");
    Tandem.Result empty = run("logits", "-o", "x", "--tokens-file", file.toString());
    assertEquals(2, empty.code());
    assertTrue(empty.err().startsWith("tandem: --tokens-file holds no token ids"), empty.err());
  }

  @ParameterizedTest
  @ValueSource(strings = {"-b 1", "-b 3", "-b 7", "-t 1", "-t 3 -b 4", "--no-mmap"})
  void howItIsComputedChangesNoBit(String options) throws IOException {
    Npy expected = logits("--tokens", TOKENS);
    assertArrayEquals(
        expected.values(), logits(("--tokens " + TOKENS + " " + options).split(" ")).values());
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 9, 10, 11, 1000})
  void lastRowsAreTheLastOfAll(int last) throws IOException {
    Npy all = logits("--tokens", TOKENS);
    for (String batch : new String[] {"512", "4", "1"}) {
      Npy npy = logits("--tokens", TOKENS, "--last", "" + last, "-b", batch);
      assertEquals(Math.min(10, last), npy.rows());
      for (int i = 1; i <= npy.rows(); i++) {
        assertArrayEquals(all.row(10 - i), npy.row(npy.rows() - i));
      }
    }
  }

  @Test
  void contextIsAsLongAsTheTokens() throws IOException {
    long seed = 5;
    String tokens =
        new SplittableRandom(seed)
            .ints(700, 0, 1344)
            .mapToObj(Integer::toString)
            .collect(Collectors.joining(","));
    Npy npy =
        logits("--tokens", tokens, "--last", "3", "-b", "64"); // the model was trained for 256
    assertEquals(3, npy.rows());
  }

  @Test
  void failedRunLeavesNoFile() throws IOException {
    Path model = Models.tiny(folder, TensorType.Q2_K);
    Path file = folder.resolve("never.npy");
    assertEquals(
        1, run("logits", "--tokens", "1", "-o", file.toString(), "-m", model.toString()).code());
    assertFalse(Files.exists(file));
    Path kept = Files.writeString(folder.resolve("kept.npy"), "precious");
    assertEquals(1, run("logits", "--tokens", "99999", "-o", kept.toString()).code());
    assertEquals(1, run("logits", "--tokens", "1", "-o", kept.toString(), "-m", "/no").code());
    assertEquals("precious", Files.readString(kept));
  }

  // ---- against references ----

  @ParameterizedTest
  @ValueSource(
      strings = {
        "llama-f16",
        "llama-linear-f16",
        "llama-rope3-f16",
        "llama-untied-f32",
        "llama-untied-f16",
        "llama-untied-bf16",
        "llama-untied-q8_0",
        "llama-untied-q4_0",
        "llama-untied-q4_1",
        "llama-untied-q4_k_m",
        "llama-untied-q6_k"
      })
  void goldenLogitsAgree(String name) throws IOException {
    Npy expected = Npy.read(TestData.path("golden/" + name + ".npy"));
    Npy actual =
        logits(
            "--tokens-file",
            TestData.path("golden/tokens.txt").toString(),
            "-m",
            TestData.path("golden/" + name + ".gguf").toString());
    double tolerance =
        Files.readAllLines(TestData.path("golden/tolerances.tsv")).stream()
            .map(line -> line.split("\t"))
            .filter(fields -> fields[0].equals(name))
            .mapToDouble(fields -> Double.parseDouble(fields[2]))
            .findFirst()
            .orElseThrow();
    double error = 0;
    double size = 0;
    for (int i = 0; i < expected.values().length; i++) {
      double difference = actual.values()[i] - expected.values()[i];
      error += difference * difference;
      size += (double) expected.values()[i] * expected.values()[i];
    }
    assertTrue(error / size <= tolerance, "error " + error / size + ", tolerance " + tolerance);
    for (int row = 0; row < expected.rows(); row++) {
      if (lead(expected.row(row)) > 0.2) {
        assertEquals(Npy.best(expected.row(row)), Npy.best(actual.row(row)), "row " + row);
      }
    }
  }

  /** By how much the best of a row is ahead of the second. */
  private static double lead(float[] row) {
    float[] sorted = row.clone();
    java.util.Arrays.sort(sorted);
    return sorted[row.length - 1] - sorted[row.length - 2];
  }

  @Test
  void referencesAnswersAreTheLikeliestTokens() throws IOException {
    int compared = 0;
    for (JsonNode answer :
        new ObjectMapper().readTree(TestData.path("models/stories.answers.json").toFile())) {
      JsonNode greedy = answer.get("greedy_ids");
      List<String> tokens = new ArrayList<>();
      answer.get("prompt_ids").forEach(id -> tokens.add(id.asText()));
      greedy.forEach(id -> tokens.add(id.asText()));
      Npy npy = logits("--tokens", String.join(",", tokens), "--last", "" + (greedy.size() + 1));
      for (int i = 0; i < greedy.size(); i++) {
        if (answer.get("margins").get(i).doubleValue() >= 0.05) {
          assertEquals(
              greedy.get(i).intValue(),
              Npy.best(npy.row(i)),
              answer.get("prompt") + ", token " + i);
          compared++;
        }
      }
    }
    assertTrue(compared > 1000, compared + " compared");
  }
}
