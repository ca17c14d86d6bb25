package dev.tandem.server.log;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.tandem.server.config.LogFormat;
import dev.tandem.server.config.LogLevel;
import dev.tandem.server.config.ServerOptions;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.MDC;

/** How lines of the log look. */
class LogLinesTest {

  private static final Logger log = LoggerFactory.getLogger("dev.tandem.Test");

  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  private void configure(LogFormat format, LogLevel level) {
    LogSetup.configure(new ServerOptions.Log(format, level), out);
  }

  private String text() {
    return out.toString(StandardCharsets.UTF_8);
  }

  @AfterEach
  void quiet() {
    LogSetup.configure(
        new ServerOptions.Log(LogFormat.TEXT, LogLevel.ERROR),
        ByteArrayOutputStream.nullOutputStream());
  }

  private static void say() {
    MDC.put("request", "7f3a");
    log.atInfo().addKeyValue("tokens", 12).addKeyValue("seconds", 0.5).log("finished {}", "é");
    MDC.remove("request");
  }

  @Test
  void textIsForPeople() {
    configure(LogFormat.TEXT, LogLevel.INFO);
    say();
    assertTrue(
        text()
            .matches(
                "\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d{3})?Z INFO \\[7f3a] finished é"
                    + " tokens=12 seconds=0.5\n"),
        text());
  }

  @Test
  void jsonIsForPrograms() throws IOException {
    configure(LogFormat.JSON, LogLevel.INFO);
    say();
    log.error("broken", new IllegalStateException("why"));
    String[] lines = text().split("\n");
    assertEquals(2, lines.length, text());
    JsonNode line = new ObjectMapper().readTree(lines[0]);
    assertEquals("info", line.get("level").asText());
    assertEquals("7f3a", line.get("request").asText());
    assertEquals("finished é", line.get("message").asText());
    assertEquals(12, line.get("tokens").asInt());
    assertEquals(0.5, line.get("seconds").asDouble());
    assertEquals("dev.tandem.Test", line.get("logger").asText());
    line = new ObjectMapper().readTree(lines[1]);
    assertTrue(line.get("error").asText().contains("IllegalStateException: why"), lines[1]);
    assertFalse(line.has("request"));
  }

  @Test
  void nobodyForgesLines() throws IOException {
    String forged = "a\r\n2026-01-01T00:00:00Z INFO ended\u001b[2J\u0000";
    configure(LogFormat.TEXT, LogLevel.INFO);
    MDC.put("request", forged);
    log.atWarn().addKeyValue("detail", forged).log(forged);
    MDC.remove("request");
    assertEquals(1, text().lines().count(), text());
    assertFalse(text().contains("\u001b") || text().contains("\u0000"), text());
    out.reset();
    configure(LogFormat.JSON, LogLevel.INFO);
    log.atWarn().addKeyValue("message", "other").addKeyValue("detail", forged).log(forged);
    assertEquals(1, text().lines().count(), text());
    JsonNode line = new ObjectMapper().readTree(text());
    assertEquals(forged, line.get("message").asText());
    assertEquals(forged, line.get("detail").asText());
  }

  @Test
  void levelsAreForOurLinesAndLibrariesOnlyWarn() {
    configure(LogFormat.TEXT, LogLevel.TRACE);
    log.trace("ours");
    LoggerFactory.getLogger("io.netty.handler").debug("theirs");
    LoggerFactory.getLogger("io.netty.handler").warn("their warning");
    assertTrue(text().contains("ours") && text().contains("their warning"), text());
    assertFalse(text().contains("theirs"), text());
    out.reset();
    configure(LogFormat.TEXT, LogLevel.WARN);
    log.info("ours");
    assertEquals("", text());
  }
}
