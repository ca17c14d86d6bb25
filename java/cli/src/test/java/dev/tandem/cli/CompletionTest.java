package dev.tandem.cli;

import static dev.tandem.cli.Tandem.ok;
import static dev.tandem.cli.Tandem.run;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code tandem completion}, whose scripts are given to real shells. */
class CompletionTest {

  @TempDir Path folder;

  private record Ended(int code, String output) {}

  /** Runs a shell's script in the folder. */
  private Ended shell(List<String> command, String script)
      throws IOException, InterruptedException {
    Path file = Files.writeString(folder.resolve("script"), script);
    Process process =
        new ProcessBuilder(command)
            .directory(folder.toFile())
            .redirectInput(file.toFile())
            .redirectErrorStream(true)
            .start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    return new Ended(process.waitFor(), output);
  }

  private static boolean isInstalled(String shell) {
    return Arrays.stream(System.getenv("PATH").split(":"))
        .anyMatch(place -> Files.isExecutable(Path.of(place, shell)));
  }

  @ParameterizedTest
  @ValueSource(strings = {"bash", "zsh"})
  void shellAcceptsItsScript(String shell) throws IOException, InterruptedException {
    assumeTrue(isInstalled(shell), shell + " is not installed");
    String script = ok("completion", shell).out();
    Ended ended = shell(List.of(shell, "-n"), script);
    assertEquals(new Ended(0, ""), ended);
    assertEquals(script, ok("completion", shell.toUpperCase(java.util.Locale.ROOT)).out());
  }

  /** What bash offers for the last word of a line, as it would call the script. */
  private String completed(String line) throws IOException, InterruptedException {
    String words =
        Arrays.stream(line.split(" ", -1)).map(w -> "'" + w + "'").collect(Collectors.joining(" "));
    String script =
        ok("completion", "bash").out()
            + """
            COMP_WORDS=(%s)
            COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
            COMP_LINE='%s' COMP_POINT=${#COMP_LINE}
            compopt() { :; }
            $(complete -p tandem | sed 's/.*-F \\([^ ]*\\).*/\\1/') tandem
            printf '%%s\\n' "${COMPREPLY[@]}"
            """
                .formatted(words, line);
    Ended ended = shell(List.of("bash", "--norc"), script);
    assertEquals(0, ended.code(), ended.output());
    return String.join(" ", new TreeSet<>(Arrays.asList(ended.output().strip().split("\\s+"))));
  }

  @ParameterizedTest
  @CsvSource({
    "tandem gen, generate",
    "tandem generate, generate",
    "tandem generate --te, --temp",
    "tandem generate --no-re, --no-repack",
    "tandem generate --top-k 4 --see, --seed",
    "tandem perplexity --kl, --kl-base",
    "tandem bench m, model",
    "tandem bench model --rep, --repetitions",
    "'tandem completion ', bash zsh",
    "tandem completion z, zsh",
    "tandem --vers, --version",
    "tandem syn, ''"
  })
  void namesAreCompleted(String line, String expected) throws IOException, InterruptedException {
    assertEquals(expected, completed(line));
  }

  @Test
  void commandsAreThoseOfTheHelp() throws IOException, InterruptedException {
    String all = completed("tandem ");
    for (String command : List.of("generate", "inspect", "perplexity", "bench", "completion")) {
      assertTrue((" " + all + " ").contains(" " + command + " "), all);
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "generate -m",
        "generate --file",
        "inspect --model",
        "logits --tokens-file",
        "logits -o",
        "perplexity --kl-base",
        "bench model -m"
      })
  void filesAreCompletedWhereOneIsWanted(String words) throws IOException, InterruptedException {
    Files.writeString(folder.resolve("model-one.gguf"), "");
    Files.writeString(folder.resolve("model-two.gguf"), "");
    Files.writeString(folder.resolve("other"), "");
    assertEquals("model-one.gguf model-two.gguf", completed("tandem " + words + " mod"));
  }

  @Test
  void numbersAreNotCompleted() throws IOException, InterruptedException {
    Files.writeString(folder.resolve("4-things"), "");
    assertEquals("", completed("tandem generate -n 4"));
    assertEquals("", completed("tandem generate -n "));
  }

  @Test
  void otherShellsAreWrongUsage() {
    Tandem.Result result = run("completion", "fish");
    assertEquals(2, result.code());
    assertTrue(result.err().contains("SHELL 'fish' is not possible: bash, zsh"), result.err());
    assertEquals(2, run("completion").code());
  }
}
