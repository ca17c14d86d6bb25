package dev.tandem.cli.load;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class WorkloadTest {

  @TempDir private Path folder;

  @Test
  void aSeedGivesTheSameLoad() {
    Workload one = Workload.poisson(50, 2, new Lengths(1, 9), new Lengths(5, 5), 7);
    assertEquals(one, Workload.poisson(50, 2, new Lengths(1, 9), new Lengths(5, 5), 7));
    assertNotEquals(one, Workload.poisson(50, 2, new Lengths(1, 9), new Lengths(5, 5), 8));
  }

  @Test
  void arrivalsComeAtTheRateThatWasAskedFor() {
    Workload load = Workload.poisson(20_000, 4, new Lengths(3, 17), new Lengths(1, 2), 1);
    assertEquals(20_000 / 4.0, load.arrivals().getLast().seconds(), 20_000 / 4.0 * 0.05);
    assertTrue(load.arrivals().stream().allMatch(a -> a.promptTokens() >= 3));
    assertEquals(17, load.arrivals().stream().mapToInt(Arrival::promptTokens).max().orElse(0));
    double before = 0;
    for (Arrival arrival : load.arrivals()) {
      assertTrue(arrival.seconds() >= before);
      before = arrival.seconds();
    }
  }

  @Test
  void requestsAreCutToTheContext() {
    Workload load =
        new Workload(List.of(new Arrival(0, 900, 200), new Arrival(1, 10, 5000)), false)
            .within(1000);
    assertEquals(new Arrival(0, 800, 200), load.arrivals().get(0));
    assertEquals(new Arrival(1, 1, 999), load.arrivals().get(1));
  }

  @Test
  void lengthsAreANumberOrARange() {
    assertEquals(new Lengths(64, 64), Lengths.parse("64"));
    assertEquals(new Lengths(16, 128), Lengths.parse("16-128"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "0", "-4", "8-4", "x", "1-", "999999999999"})
  void otherLengthsAreRefused(String text) {
    assertThrows(IllegalArgumentException.class, () -> Lengths.parse(text));
  }

  @Test
  void readsTracesByTheNamesOfTheirColumns() throws IOException {
    Path dates =
        write(
            "dates.csv",
            """
            TIMESTAMP,ContextTokens,GeneratedTokens
            2023-11-16 18:17:03.9799600,4808,10
            2023-11-16 18:17:05.9799600,3180,8
            """);
    assertEquals(
        List.of(new Arrival(0, 4808, 10), new Arrival(1, 3180, 8)),
        TraceFile.read(dates, 10, 2).arrivals());
    Path numbers =
        write("numbers.csv", "req_id,prompt_len,output_len,req_time\n0,13,199,4.5\n1,36,0,4.0\n");
    assertEquals(
        List.of(new Arrival(0, 36, 1), new Arrival(0.5, 13, 199)),
        TraceFile.read(numbers, 10, 1).arrivals());
    Path lines =
        write(
            "lines.jsonl",
            """
            {"timestamp": 0, "input_length": 6758, "output_length": 500, "hash_ids": [0, 1]}
            {"timestamp": 250, "input_length": 7, "output_length": 3, "hash_ids": []}
            {"timestamp": 500, "input_length": 8, "output_length": 3, "hash_ids": []}
            """);
    assertEquals(
        List.of(new Arrival(0, 6758, 500), new Arrival(0.25, 7, 3)),
        TraceFile.read(lines, 2, 1).arrivals());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "a,b,c\n1,2,3\n",
        "timestamp,prompt_len,output_len\n1,2\n",
        "timestamp,prompt_len,output_len\n1,x,3\n",
        "timestamp,prompt_len,output_len\nNaN,1,3\n",
        "timestamp,prompt_len,output_len\n1,-1,3\n",
        "timestamp,prompt_len,output_len\n1,100000000,3\n",
        "{\"timestamp\": 1, \"prompt_len\": 1e300, \"output_len\": 1}\n",
        "{\"timestamp\": 1}\n",
        "{\"timestamp\"\n"
      })
  void whatIsNoTraceIsNamed(String text) throws IOException {
    Path file = write("bad", text);
    IllegalArgumentException e =
        assertThrows(IllegalArgumentException.class, () -> TraceFile.read(file, 10, 1));
    assertTrue(e.getMessage().startsWith(file.toString()), e.getMessage());
  }

  /** A model, named by mistake, or a device: no line of a trace is so long. */
  @Test
  void aFileWithoutLinesIsNotReadToItsEnd() {
    IllegalArgumentException e =
        assertThrows(
            IllegalArgumentException.class, () -> TraceFile.read(Path.of("/dev/zero"), 10, 1));
    assertTrue(e.getMessage().startsWith("/dev/zero, line 1: "), e.getMessage());
  }

  /** Where I is not the capital of i. */
  @Test
  void namesOfColumnsAreReadAlikeEverywhere() throws IOException {
    Locale before = Locale.getDefault();
    Locale.setDefault(Locale.forLanguageTag("tr"));
    try {
      Path file = write("capitals.csv", "TIMESTAMP,ContextTokens,GeneratedTokens\n1,2,3\n");
      assertEquals(List.of(new Arrival(0, 2, 3)), TraceFile.read(file, 10, 1).arrivals());
    } finally {
      Locale.setDefault(before);
    }
  }

  private Path write(String name, String text) throws IOException {
    return Files.writeString(folder.resolve(name), text);
  }
}
