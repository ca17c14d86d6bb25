package dev.tandem.cli;

import static dev.tandem.cli.Tandem.ok;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** {@code tandem bench kernels}. */
class BenchKernelsTest {

  @Test
  void tableLinesUpAndEndsWithTheSum() {
    String[] lines = ok("bench", "kernels", "-p", "0", "-r", "1", "-t", "1").lines();
    assertTrue(lines[0].matches("Tandem Stories, cpu \\w+, 1 thread"), lines[0]);
    int title = List.of(lines).indexOf("decode, 1 token at depth 0");
    assertTrue(lines[title + 1].startsWith("kernel "), lines[title + 1]);
    int share = lines[title + 1].indexOf("share") + "share".length();
    int last = lines.length - 2;
    for (int i = title + 2; i <= last; i++) {
      assertTrue(lines[i].substring(0, share).endsWith(" %"), lines[i]);
    }
    assertTrue(lines[last].matches("total +71 .* 100\\.0 %  [\\d.]+ tokens/s"), lines[last]);
  }

  /** Its kernels are timed like all others, but nobody knows what bounds them. */
  @Test
  void aDeviceWithoutLimits() {
    String[] command = {
      "bench", "kernels", "--device", "emulated:0/host", "-b", "2", "-p", "9", "-r", "1", "-t", "2"
    };
    Tandem.Result run = Tandem.run(command);
    assumeFalse(run.err().contains("this installation has no"), run.err());
    assertEquals(0, run.code(), run.err());
    String[] lines = run.lines();
    assertEquals("Tandem Stories, emulated:0/host", lines[0].replaceAll(" avx.*| scalar.*", ""));
    assertEquals("", lines[1], "no limits");
    int title = List.of(lines).indexOf("decode, 2 tokens at depth 0");
    int kernels = 0;
    for (int i = title + 2; !lines[i].isEmpty(); i++) {
      assertTrue(lines[i].matches(".* [\\d.]+ +(- +)?- +[\\d.]+ %  .*"), lines[i]);
      kernels++;
    }
    assertTrue(kernels > 10, run.out());
    List<String> words = new ArrayList<>(List.of(command));
    words.add("--json");
    JsonNode json = ok(words.toArray(String[]::new)).json();
    assertEquals("emulated:0/host", json.get("device").textValue());
    assertEquals(0, json.get("limits").size());
    for (JsonNode step : json.get("steps")) {
      for (JsonNode kernel : step.get("kernels")) {
        assertTrue(kernel.get("seconds").doubleValue() > 1e-9, kernel::toString);
        assertTrue(kernel.get("bytes_per_second").doubleValue() > 0, kernel::toString);
        assertTrue(!kernel.has("fraction_of_limit") && !kernel.has("bound_by"), kernel::toString);
      }
    }
  }

  @Test
  void aDeviceThatCannotMeasure() {
    Tandem.Result small =
        Tandem.run("bench", "kernels", "--device", "emulated:0/host", "--gpu-memory", "2MiB");
    assumeFalse(small.err().contains("this installation has no"), small.err());
    assertEquals(1, small.code());
    assertTrue(small.err().contains("exceed its memory limit of 2.00 MiB"), small.err());
    Tandem.Result none = Tandem.run("bench", "kernels", "--device", "x:0");
    assertTrue(none.code() == 2 && none.err().contains("--device 'x:0'"), none.err());
    assertEquals(2, Tandem.run("bench", "kernels", "--gpu-memory", "1GiB").code());
    Tandem.Result lost =
        Tandem.runProcess(
            Map.of("TANDEM_EMULATED", "lose-at=2000"),
            "bench",
            "kernels",
            "--device",
            "emulated:0/host");
    assertEquals(1, lost.code());
    assertTrue(lost.err().endsWith("tandem: emulated:0/host: emulated:0 is lost\n"), lost.err());
    assertFalse(lost.err().contains("\tat "), lost.err());
  }

  @Test
  void documentAddsUp() {
    JsonNode json =
        ok("bench", "kernels", "-b", "3", "-p", "40", "-d", "20", "-r", "2", "-t", "2", "--json")
            .json();
    assertTrue(json.get("limits").get("fp32").doubleValue() > 1e8);
    assertEquals(2, json.get("steps").size());
    int[] tokens = {3, 40};
    for (int i = 0; i < tokens.length; i++) {
      JsonNode step = json.get("steps").get(i);
      assertEquals(tokens[i], step.get("tokens").intValue());
      assertEquals(20, step.get("depth").intValue());
      double seconds = 0;
      double shares = 0;
      List<String> names = new ArrayList<>();
      for (JsonNode kernel : step.get("kernels")) {
        names.add(kernel.get("kernel").textValue());
        assertEquals(2, kernel.get("samples").size());
        seconds += kernel.get("calls").intValue() * kernel.get("seconds").doubleValue();
        shares += kernel.get("share_of_step").doubleValue();
        double rate = kernel.get("bytes").doubleValue() / kernel.get("seconds").doubleValue();
        assertEquals(rate, kernel.get("bytes_per_second").doubleValue(), 1e-9 * rate);
        assertTrue(kernel.get("fraction_of_limit").doubleValue() > 0);
      }
      assertEquals(seconds, step.get("seconds").doubleValue(), 1e-9 * seconds);
      assertEquals(1, shares, 1e-9);
      double speed = tokens[i] / seconds;
      assertEquals(speed, step.get("tokens_per_second").doubleValue(), 1e-9 * speed);
      assertTrue(
          names.containsAll(
              List.of("embedding", "norm", "matmul", "rope", "kv store", "attention", "select")),
          names::toString);
    }
  }

  @Test
  void knownShapesNeedNoFile() {
    JsonNode json =
        ok(
                "bench", "kernels", "--shape", "stories", "--type", "q4_0", "--isa", "scalar", "-r",
                "1", "-p", "0", "--json")
            .json();
    assertEquals("scalar", json.get("instruction_set").textValue());
    List<String> formats = new ArrayList<>();
    json.get("steps").get(0).get("kernels").forEach(k -> formats.add(k.get("format").textValue()));
    assertTrue(formats.containsAll(List.of("Q4_0", "ACT8")), formats::toString);
  }

  static Stream<Arguments> wrong() {
    return Stream.of(
        Arguments.of(List.of("-b", "0", "-p", "0"), "nothing to measure"),
        Arguments.of(List.of("-b", "-1"), "-b -1 is not possible"),
        Arguments.of(List.of("-p", "99999"), "-p 99999 is not possible"),
        Arguments.of(List.of("-d", "-1"), "-d -1 is not possible"),
        Arguments.of(List.of("-b", "60000", "-d", "16000000"), "60000 sequences"),
        Arguments.of(List.of("-r", "0"), "-r 0 is not possible"),
        Arguments.of(List.of("-t", "0"), "-t 0 is not possible"),
        Arguments.of(List.of("--shape", "huge"), "the shape huge is unknown"),
        Arguments.of(List.of("--shape", "stories", "-m", "x.gguf"), "choose one"));
  }

  @ParameterizedTest
  @MethodSource
  void wrong(List<String> options, String message) {
    List<String> words = new ArrayList<>(List.of("bench", "kernels"));
    words.addAll(options);
    Tandem.Result result = Tandem.run(words.toArray(String[]::new));
    assertEquals(2, result.code(), result.err());
    assertTrue(result.err().contains(message), result.err());
  }

  @Test
  void whatCannotBeDoneIsSaid() {
    String missing = Path.of("no", "such.gguf").toString();
    assertTrue(Tandem.run("bench", "kernels", "-m", missing).err().contains("such.gguf"));
    assertTrue(Tandem.run("bench", "kernels", "--isa", "sse9").err().contains("sse9"));
    Tandem.Result result = Tandem.run("bench", "kernels", "-b", "60000", "-d", "30000");
    assertEquals(1, result.code());
    assertTrue(result.err().contains("memory"), result.err());
  }
}
