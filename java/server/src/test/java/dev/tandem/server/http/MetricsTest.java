package dev.tandem.server.http;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.server.request.ScriptedBackend;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What /metrics tells. */
@Timeout(60)
final class MetricsTest {

  private static final String CHAT = "/v1/chat/completions";

  private static String scrapeOfAllKinds() {
    try (HttpPort port = HttpPort.of(ScriptedBackend.saying("one two"))) {
      assertEquals(200, port.post(CHAT, Requests.chat("")).statusCode());
      assertEquals(200, port.post(CHAT, Requests.chat(",\"max_tokens\":2")).statusCode());
      assertEquals(400, port.post(CHAT, Requests.chat(",\"max_tokens\":5000")).statusCode());
      assertEquals(404, port.get("/nothing").statusCode());
      assertEquals(404, port.get("/nothing-else").statusCode());
      try (RawConnection raw = port.connect()) {
        assertEquals(400, raw.send("no HTTP\r\n\r\n").read().status());
      }
      return port.get("/metrics").body();
    }
  }

  private static void assertHas(String scrape, String line) {
    assertTrue(scrape.contains("\n" + line + "\n"), line + " is missing in " + scrape);
  }

  @Test
  void countsWhatHappens() {
    String scrape = scrapeOfAllKinds();
    assertHas(scrape, "tandem_requests_total{outcome=\"stop\",protocol=\"http\"} 1.0");
    assertHas(scrape, "tandem_requests_total{outcome=\"length\",protocol=\"http\"} 1.0");
    assertHas(scrape, "tandem_requests_total{outcome=\"context_exceeded\",protocol=\"http\"} 1.0");
    assertHas(scrape, "tandem_http_requests_total{path=\"" + CHAT + "\",status=\"200\"} 2.0");
    assertHas(scrape, "tandem_http_requests_total{path=\"other\",status=\"404\"} 2.0");
    assertHas(scrape, "tandem_http_requests_total{path=\"refused\",status=\"400\"} 1.0");
    assertHas(scrape, "tandem_request_first_token_seconds_count{protocol=\"http\"} 2");
    assertHas(scrape, "tandem_request_queue_seconds_bucket{protocol=\"http\",le=\"+Inf\"} 2");
    assertTrue(
        scrape.contains(
            "tandem_request_output_token_seconds_bucket{protocol=\"http\",le=\"0.05\"}"));
    assertTrue(scrape.contains("jvm_memory_used_bytes{area=\"heap\""));
    assertTrue(scrape.contains("jvm_buffer_memory_used_bytes{id=\"direct\""));
    assertTrue(scrape.contains("jvm_threads_live_threads"));
  }

  @Test
  void allNamesAreInTheDocument() throws IOException {
    String document = Files.readString(Path.of("../../docs/http.md"));
    Set<String> names = new TreeSet<>();
    Matcher type = Pattern.compile("# TYPE (tandem_\\S+) (\\S+)").matcher(scrapeOfAllKinds());
    while (type.find()) {
      names.add(type.group(1));
    }
    assertTrue(names.size() > 10, names.toString());
    names.removeIf(name -> name.endsWith("_max") || document.contains("`" + name + "`"));
    assertEquals(Set.of(), names, "not in docs/http.md");
  }
}
