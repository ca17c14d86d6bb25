package dev.tandem.cli;

import static dev.tandem.cli.Tandem.ok;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
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
