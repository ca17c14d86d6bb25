package dev.tandem.cli;

import static dev.tandem.cli.Tandem.ok;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The page docs/cli.md. */
class DocsTest {

  private static final Path PAGE = Path.of("../../docs/cli.md");

  @Test
  void pageSaysWhatTheCommandsSay() throws IOException {
    String committed = Files.exists(PAGE) ? Files.readString(PAGE) : "";
    assertEquals(
        ok("docs").out(),
        committed,
        "docs/cli.md is not what the commands say. Write it again: ./tandem docs >docs/cli.md");
  }

  @Test
  void everyCommandHasASectionWithItsOptions() {
    String page = ok("docs").out();
    for (String command : List.of("generate", "bench model", "perplexity", "completion")) {
      int at = page.indexOf("\n## tandem " + command + "\n");
      assertTrue(at > 0, command);
      assertTrue(page.indexOf("\n```\ntandem " + command, at) > at, command);
      String link = "(#tandem-" + command.replace(' ', '-') + ")";
      assertTrue(page.substring(0, at).contains(link), link);
    }
    String perplexity = page.substring(page.indexOf("## tandem perplexity"));
    assertTrue(
        perplexity.contains("| `-c`, `--ctx-size=N` | Tokens of a window. Default: 512. |"), page);
    assertTrue(perplexity.contains("\ntandem perplexity -m model.gguf -f wiki.test.raw\n"), page);
    assertFalse(page.contains("synth"), "hidden");
    assertFalse(page.contains("${"), page);
  }

  @Test
  void whatIsNoMarkupIsEscaped() {
    String page = ok("docs").out();
    assertEquals(0, page.split("```", -1).length % 2 - 1, "fences come in pairs");
    for (String line : page.split("\n")) {
      if (line.startsWith("| ")) {
        assertEquals(3, line.replace("\\|", "").chars().filter(c -> c == '|').count(), line);
      }
    }
  }
}
