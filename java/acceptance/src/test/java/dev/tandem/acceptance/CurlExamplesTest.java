package dev.tandem.acceptance;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.abort;

import dev.tandem.server.config.Configuration;
import dev.tandem.server.config.ServerOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** The examples of docs/http.md, as they stand there, and what it says that comes back. */
@Timeout(120)
final class CurlExamplesTest {

  private static final Path DOCUMENT = StoryServer.root().resolve("docs/http.md");

  // ```sh, a comment that says what is in the answer, a command, ```
  private static final Pattern EXAMPLE =
      Pattern.compile("```sh\\n(# -> (.+)\\n)((?:.*\\n)+?)```", Pattern.MULTILINE);

  private static final String USUAL =
      "localhost:" + ServerOptions.of(Configuration.presets()).network().httpPort();

  private static StoryServer server;

  @BeforeAll
  static void start() {
    if (Shell.run("curl", "--version").status() != 0) {
      if ("true".equals(System.getenv("CI"))) {
        fail("curl is missing");
      }
      abort("curl is missing");
    }
    server = StoryServer.start();
  }

  @AfterAll
  static void stop() {
    if (server != null) {
      server.close();
    }
  }

  static List<Arguments> examples() throws IOException {
    Matcher example = EXAMPLE.matcher(Files.readString(DOCUMENT));
    List<Arguments> all = new ArrayList<>();
    while (example.find()) {
      all.add(Arguments.of(example.group(2), example.group(3)));
    }
    assertTrue(all.size() >= 10, "docs/http.md has its examples");
    return all;
  }

  @ParameterizedTest(name = "{1}")
  @MethodSource("examples")
  void examplesWork(String expected, String command) {
    assertTrue(command.contains(USUAL), "asks where a server is unless told otherwise: " + USUAL);
    String here = command.replace(USUAL, "localhost:" + server.port());
    Shell.Result result =
        Shell.run("bash", "-c", "set -e; curl() { command curl -sS \"$@\"; }\n" + here);
    assertEquals(0, result.status(), result.output());
    assertTrue(result.output().contains(expected), result.output());
  }
}
