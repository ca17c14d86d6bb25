package dev.tandem.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The example of docs/client.md, compiled and run; and what that document quotes of it. */
class ClientExampleTest {

  private static final Path ROOT = Path.of("../..");
  private static final Path EXAMPLE = ROOT.resolve("java/examples/client");
  private static final Path SOURCE = EXAMPLE.resolve("src/main/java/dev/tandem/examples/Ask.java");
  private static final Pattern QUOTED =
      Pattern.compile("<!-- ([^ ]+) -->\n```\\w*\n(.*?)\n```\n", Pattern.DOTALL);

  @TempDir Path folder;

  @Test
  void printsWhatIsExpected() throws Exception {
    String path = System.getProperty("java.class.path");
    int compiled =
        ToolProvider.getSystemJavaCompiler()
            .run(null, null, null, "-cp", path, "-d", folder.toString(), SOURCE.toString());
    assertEquals(0, compiled);
    try (RemoteModel server = RemoteModel.of(ModelOptions.file(Optional.empty()))) {
      List<String> command =
          new ArrayList<>(
              List.of(
                  Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                  "-Dslf4j.provider=org.slf4j.helpers.NOP_FallbackServiceProvider",
                  "-cp",
                  folder + ":" + path,
                  "dev.tandem.examples.Ask"));
      command.addAll(List.of(server.address().split(":")));
      Process process =
          new ProcessBuilder(command).redirectError(folder.resolve("err").toFile()).start();
      String out = new String(process.getInputStream().readAllBytes());
      assertTrue(process.waitFor(60, TimeUnit.SECONDS));
      assertEquals(0, process.exitValue(), Files.readString(folder.resolve("err")));
      assertEquals(Files.readString(EXAMPLE.resolve("expected/Ask.txt")), out);
    }
  }

  @Test
  void documentQuotesWhatIsThere() throws IOException {
    Matcher quoted = QUOTED.matcher(Files.readString(ROOT.resolve("docs/client.md")));
    int quotations = 0;
    while (quoted.find()) {
      String file = Files.readString(ROOT.resolve(quoted.group(1)));
      String lines = flat(quoted.group(2));
      assertTrue(flat(file).contains(lines), "not in " + quoted.group(1) + ":\n" + lines);
      quotations++;
    }
    assertTrue(quotations >= 5, quotations + " quotations");
  }

  /** Without indentation: a document has less of it. */
  private static String flat(String text) {
    return text.lines().map(String::strip).collect(Collectors.joining("\n"));
  }
}
