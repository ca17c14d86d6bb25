package dev.tandem.cli;

import static dev.tandem.cli.Tandem.ok;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** {@code tandem bench model}. */
class BenchModelTest {

  @Test
  void tableLinesUp() {
    String[] lines =
        ok("bench", "model", "-p", "4,100", "-n", "2", "-d", "0,16", "-r", "2", "-t", "1").lines();
    String heading = "model +size +params +device +threads +test +tokens/s +reached +of limit";
    assertTrue(lines[0].matches(heading), lines[0]);
    String row =
        "Tandem Stories F16  6\\.7 MiB  3\\.50 M  cpu \\w+ +1 +%s +[\\d.]+ ± [\\d.]+"
            + " +[\\d.]+ (GB|GFLOP)/s +\\d+ %%";
    String[] tests = {"pp4", "pp100", "tg2", "pp4 @ d16", "pp100 @ d16", "tg2 @ d16"};
    for (int i = 0; i < tests.length; i++) {
      assertTrue(lines[i + 1].matches(row.formatted(tests[i])), lines[i + 1]);
      assertEquals(lines[0].length(), lines[i + 1].length(), "rows end where the heading ends");
    }
    assertEquals("", lines[tests.length + 1]);
    assertTrue(lines[tests.length + 2].startsWith("memory read, "), lines[tests.length + 2]);
  }

  /** It has no limits of its own to be compared with. */
  @Test
  void emulatedDevicesAreMeasuredWithoutLimits() {
    Tandem.Result run =
        Tandem.run(
            "bench", "model", "-p", "4", "-n", "2", "-r", "1", "--device", "emulated:0/host");
    assumeFalse(run.err().contains("this installation has no"), run.err());
    assertEquals(0, run.code(), run.err());
    assertTrue(run.out().contains("  emulated:0/host "), run.out());
    assertFalse(run.out().contains("memory read"), run.out());
  }

  @Test
  void devicesThatAreNone() {
    for (String name :
        List.of("", "gpu", "CPU", "cuda", "cuda:", "cuda:-1", "emulated:0/x", "cuda:1234567890")) {
      Tandem.Result run = Tandem.run("generate", "x", "-n", "1", "--device", name);
      assertEquals(2, run.code(), name);
      assertTrue(
          run.err().startsWith("tandem: --device '" + name + "' is not possible: cpu, cuda:0, "),
          run.err());
      assertTrue(run.err().endsWith("Try 'tandem generate --help'.\n"), run.err());
    }
    for (String name :
        List.of("emulated:8", "emulated:99/host")) { // where the library knows better
      Tandem.Result run = Tandem.run("generate", "x", "-n", "1", "--device", name);
      assertEquals(1, run.code(), name);
      assertTrue(run.err().startsWith("tandem: "), run.err());
      assertFalse(run.err().contains("\tat "), run.err());
    }
  }

  @Test
  void sequencesGenerateTogether() {
    JsonNode json =
        ok("bench", "model", "-p", "0", "-n", "3", "-B", "1,5", "-d", "20", "-r", "1", "--json")
            .json();
    List<String> tests = new ArrayList<>();
    json.get("results").forEach(result -> tests.add(result.get("test").textValue()));
    assertEquals(List.of("tg3 @ d20", "tg3 x5 @ d20"), tests);
    JsonNode five = json.get("results").get(1);
    assertEquals(5, five.get("sequences").intValue());
    // Per step all weights but the embedding table's unread rows, and 5 contexts of 22 positions.
    double steps = five.get("median").doubleValue() / 5;
    double kv = 5 * 22 * 4 * 2 * 2 * 4 * 32;
    double bytes = five.get("bytes_per_second").doubleValue() / steps;
    double weights = json.get("bytes").doubleValue();
    assertEquals(weights + kv, bytes, 0.01 * weights);
    double limit =
        json.get("limits").get(json.get("limits").get("weights_read_by").textValue()).doubleValue();
    assertEquals(
        five.get("bytes_per_second").doubleValue() / limit,
        five.get("fraction_of_limit").doubleValue(),
        1e-9);
  }

  @Test
  void sequencesThatCannotBeAreRefused() {
    assertTrue(Tandem.run("bench", "model", "-B", "0").err().contains("-B 0 is not possible"));
  }

  @Test
  void documentHasEverySample() {
    JsonNode json =
        ok("bench", "model", "-p", "8", "-n", "0", "-d", "4", "-r", "3", "-t", "2", "--json")
            .json();
    assertEquals("Tandem Stories F16", json.get("model").textValue());
    assertEquals(3_500_288, json.get("parameters").longValue());
    assertEquals(2, json.get("threads").intValue());
    assertTrue(json.get("load_seconds").doubleValue() > 0);
    assertEquals(1, json.get("results").size());
    JsonNode result = json.get("results").get(0);
    assertEquals("pp8 @ d4", result.get("test").textValue());
    assertTrue(result.get("prompt").booleanValue());
    assertEquals(8, result.get("tokens").intValue());
    assertEquals(4, result.get("depth").intValue());
    List<Double> samples = new ArrayList<>();
    result.get("samples").forEach(sample -> samples.add(sample.doubleValue()));
    assertEquals(3, samples.size());
    double mean = samples.stream().mapToDouble(d -> d).average().orElseThrow();
    assertEquals(mean, result.get("mean").doubleValue(), 1e-9 * mean);
    assertEquals(samples.stream().sorted().toList().get(1), result.get("median").doubleValue());
    double squares = samples.stream().mapToDouble(d -> (d - mean) * (d - mean)).sum();
    assertEquals(Math.sqrt(squares / 2), result.get("deviation").doubleValue(), 1e-9 * mean);
  }

  @Test
  void promptsLongerThanAStepAreReadInSteps() {
    JsonNode json =
        ok("bench", "model", "-p", "70", "-n", "0", "-b", "16", "-r", "1", "--json").json();
    assertEquals("pp70", json.get("results").get(0).get("test").textValue());
  }
}
