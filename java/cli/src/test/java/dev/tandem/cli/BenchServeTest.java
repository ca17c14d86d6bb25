package dev.tandem.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@Timeout(120)
final class BenchServeTest {

  @TempDir private Path folder;

  @Test
  void bothProtocolsAnswerAllThatIsAskedOfAnInstantServer() throws IOException {
    Tandem.Result run =
        Tandem.run(
            "bench", "serve", "--instant", "-c", "4", "-r", "40", "-p", "5-9", "-n", "3", "--json");
    assertEquals(0, run.code(), run.err());
    JsonNode document = run.json();
    for (String protocol : new String[] {"binary", "http"}) {
      JsonNode result = document.get(protocol);
      assertEquals(40, result.get("succeeded").asInt(), run.out());
      assertEquals(120, result.get("tokens").asInt(), run.out());
      assertTrue(result.get("time_to_first_token").get("p50").asDouble() > 0, run.out());
      assertTrue(
          result.get("end_to_end").get("max").asDouble()
              >= result.get("time_to_first_token").get("p50").asDouble(),
          run.out());
    }
  }

  @Test
  void playsATrace() throws IOException {
    Path trace =
        Files.writeString(
            folder.resolve("trace.csv"), "req_time,prompt_len,output_len\n0,5,2\n0.1,6,3\n");
    Tandem.Result run =
        Tandem.run("bench", "serve", "--instant", "--trace", trace.toString(), "--speed", "10");
    assertEquals(0, run.code(), run.err());
    assertTrue(run.out().startsWith("binary: 2 of 2 requests succeeded"), run.out());
    assertTrue(run.out().contains("\nhttp: 2 of 2 requests succeeded"), run.out());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "''|name one server",
        "--instant --url http://localhost:1|name one server",
        "--connect localhost|a host, a colon, and a port",
        "--connect localhost:65536|from 1 to 65535",
        "--url https://localhost:1|http://HOST:PORT",
        "--url http://localhost:65536|http://HOST:PORT",
        "--url http://localhost:1/v1|without a path",
        "--url http://user:secret@localhost:1|http://HOST:PORT",
        "--instant -c 0|-c 0",
        "--instant -n 0|-n",
        "--instant --rate 0|--rate 0",
        "--instant --rate 1 --trace x|--trace",
        "--instant --requests 0|--requests 0",
        "--instant --requests 10000001|from 1 to 10000000",
        "--instant --warm-up -1|--warm-up -1",
        "--instant --warm-up 10000001|from 0 to 10000000",
        "--instant --timeout 0|--timeout 0",
        "--instant --timeout 1000001|from 1 to 1000000 seconds"
      })
  void wrongUsageIsNamed(String arguments, String words) {
    String[] all = ("bench serve " + arguments).strip().split(" ");
    Tandem.Result run = Tandem.run(all);
    assertEquals(2, run.code(), run.err());
    assertTrue(run.err().contains(words), run.err());
  }

  @Test
  void aTraceThatCannotBeReadIsNamedWithItsReason() throws IOException {
    Path missing = folder.resolve("missing.csv");
    Tandem.Result run = Tandem.run("bench", "serve", "--instant", "--trace", missing.toString());
    assertEquals("tandem: " + missing + ": no such file\n", run.err());
    Path bad = Files.writeString(folder.resolve("bad.csv"), "\u001b[31mred,b\n");
    run = Tandem.run("bench", "serve", "--instant", "--trace", bad.toString());
    assertTrue(run.err().startsWith("tandem: " + bad + ", line 1: no column"), run.err());
    assertTrue(run.err().indexOf('\u001b') < 0, "a file cannot command the terminal");
  }

  @Test
  void aServerThatIsNotThereIsNamed() {
    for (String[] server :
        new String[][] {{"--connect", "localhost:1"}, {"--url", "http://localhost:1"}}) {
      Tandem.Result run = Tandem.run("bench", "serve", server[0], server[1], "--timeout", "2");
      assertEquals(1, run.code(), run.err());
      assertTrue(run.err().contains("localhost:1"), run.err());
    }
  }
}
