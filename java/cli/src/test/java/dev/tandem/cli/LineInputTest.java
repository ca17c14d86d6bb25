package dev.tandem.cli;

import static dev.tandem.cli.Tandem.utf8;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Lines of a chat that come through a pipe. */
class LineInputTest {

  private final ByteArrayOutputStream err = new ByteArrayOutputStream();

  private List<String> lines(String text, String prompt) {
    Streams streams =
        new Streams(
            new ByteArrayInputStream(utf8(text)),
            OutputStream.nullOutputStream(),
            new PrintStream(err, true, StandardCharsets.UTF_8),
            Set.of());
    List<String> lines = new ArrayList<>();
    try (LineInput input = new LineInput(streams, prompt)) {
      for (Optional<String> line = input.next(); line.isPresent(); line = input.next()) {
        lines.add(line.get());
      }
    }
    return lines;
  }

  @Test
  void lineIsAMessage() {
    assertEquals(List.of("a", "", "\u00e9 b", "c"), lines("a\n\n\u00e9 b\r\nc", ""));
    assertEquals(List.of(), lines("", ""));
    assertEquals("", err.toString(StandardCharsets.UTF_8));
  }

  @Test
  void backslashAtTheEndGoesOn() {
    assertEquals(List.of("a\nb", "c"), lines("a\\\nb\nc\n", ""));
    assertEquals(List.of("a\n\nb"), lines("a\\\n\\\nb\n", ""));
    assertEquals(List.of("a\\\\", "b"), lines("a\\\\\nb\n", ""));
    assertEquals(List.of("a\\\\\nb"), lines("a\\\\\\\nb\n", ""));
    assertEquals(List.of("a\n"), lines("a\\", ""));
    assertEquals(List.of("a\\ ", "b"), lines("a\\ \nb", ""));
  }

  @Test
  void promptAsksForEachLine() {
    lines("a\nb\n", "> ");
    assertEquals("> > > ", err.toString(StandardCharsets.UTF_8));
  }
}
