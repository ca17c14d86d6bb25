package dev.tandem.cli;

import static dev.tandem.cli.Tandem.ok;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What {@code --help} says. */
class HelpTest {

  static List<String> commands() {
    return List.of(
        "",
        "generate",
        "chat",
        "serve",
        "inspect",
        "tokenize",
        "template",
        "logits",
        "perplexity",
        "bench",
        "bench model",
        "bench kernels",
        "devices",
        "completion",
        "synth",
        "docs");
  }

  private static String help(String command) {
    return ok((command + " --help").strip().split(" ")).out();
  }

  @ParameterizedTest
  @MethodSource("commands")
  void fits80ColumnsAndHasExamples(String command) {
    String help = help(command);
    assertTrue(help.startsWith("Usage: tandem"), help);
    for (String line : help.split("\n")) {
      assertTrue(line.length() <= 80, line.length() + ": " + line);
    }
    assertTrue(
        Pattern.compile("^  (tandem|\\w+ .*\\| tandem) ", Pattern.MULTILINE).matcher(help).find(),
        help);
    Matcher examples = Pattern.compile("\n(Try|Examples?):\n((.+\n)+)").matcher(help);
    assertTrue(examples.find(), help);
    for (String example : examples.group(2).split("\n")) {
      assertTrue(example.startsWith("  "), "too long, and wrapped: " + example);
    }
    assertFalse(help.contains("\u001b"), "colours only on a terminal");
    assertFalse(help.contains("${"), help);
  }

  @ParameterizedTest
  @ValueSource(strings = {"-h", "--help", "--verbose --help", "generate -h"})
  void helpHasShortAndLongNames(String words) {
    assertTrue(ok(words.split(" ")).out().startsWith("Usage: tandem "));
  }

  @Test
  void helpIsACommandToo() {
    assertEquals(help(""), ok("help").out());
    assertEquals(help("generate"), ok("help", "generate").out());
    assertEquals(help("bench model"), ok("help", "bench", "model").out());
    assertEquals(help("generate"), ok("-h", "generate").out());
    assertEquals(help("bench model"), ok("--help", "bench", "model").out());
  }

  @Test
  void commandsAreListedButForTheHiddenOne() {
    String help = help("");
    for (String command :
        List.of(
            "generate",
            "chat",
            "serve",
            "inspect",
            "tokenize",
            "template",
            "logits",
            "perplexity",
            "bench",
            "devices",
            "completion")) {
      assertTrue(
          Pattern.compile("^  " + command + " +[A-Z]", Pattern.MULTILINE).matcher(help).find(),
          command);
    }
    assertFalse(help.contains("synth"), help);
    assertFalse(help.contains("docs"), help);
  }

  /**
   * The examples of all commands can be typed as they stand, as far as this goes without the files.
   */
  @ParameterizedTest
  @MethodSource("commands")
  void examplesAreParsed(String command) {
    Matcher example =
        Pattern.compile("^  (?:.*\\| )?tandem (.*?)(?:   .*)?$", Pattern.MULTILINE)
            .matcher(help(command));
    int found = 0;
    while (example.find()) {
      Matcher word =
          Pattern.compile("\"[^\"]*\"|\\S+")
              .matcher(
                  example
                      .group(1)
                      .replace("model.gguf", "/no/model.gguf")
                      .replace("messages.json", "/no/messages.json")
                      .replace("-o ", "-o /no/"));
      String[] words = word.results().map(r -> r.group().replace("\"", "")).toArray(String[]::new);
      int code = Tandem.run(words).code();
      assertTrue(code == 0 || code == 1, Arrays.toString(words) + " is wrong usage");
      found++;
    }
    assertTrue(found > 0, "no example");
  }

  @ParameterizedTest
  @CsvSource({
    "generate, --temp, 0.8",
    "generate, --top-k, 40",
    "chat, --temp, 0.8",
    "generate, --top-p, 0.95",
    "generate, --min-p, 0.05",
    "generate, --typical, 1",
    "generate, --repeat-penalty, 1",
    "generate, --presence-penalty, 0",
    "generate, --frequency-penalty, 0",
    "generate, --repeat-last-n, 64",
    "generate, --batch-size, 512",
    "perplexity, --ctx-size, 512",
    "bench model, --n-prompt, 512",
    "bench model, --n-gen, 64",
    "bench model, --repetitions, 5",
    "serve, --http-port, 8080",
    "serve, --parallel, 16",
    "serve, --queue, 256",
    "synth, --type, F16"
  })
  void defaultsAreStated(String command, String option, String value) {
    String text = help(command).replaceAll("\\s+", " ");
    int at = text.indexOf(option + "=");
    String description = text.substring(at, text.indexOf("Default:", at) + 20);
    assertTrue(description.contains("Default: " + value), description);
  }

  @Test
  void coloursAreForTerminals() {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    Tandem.run(InputStream.nullInputStream(), out, Set.of(Streams.Kind.OUT), "--help");
    boolean wanted =
        Objects.requireNonNullElse(System.getenv("NO_COLOR"), "").isEmpty()
            && !"dumb".equals(System.getenv("TERM"));
    assertEquals(wanted, out.toString(java.nio.charset.StandardCharsets.UTF_8).contains("\u001b["));
  }

  @Test
  void versionIsOneLine() {
    assertTrue(ok("--version").out().matches("tandem [^\n]+\n"));
    assertEquals(ok("--version").out(), ok("-V").out());
  }
}
