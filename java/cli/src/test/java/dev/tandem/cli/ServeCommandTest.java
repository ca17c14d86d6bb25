package dev.tandem.cli;

import static dev.tandem.cli.Tandem.ok;
import static dev.tandem.cli.Tandem.run;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.server.config.Setting;
import dev.tandem.server.config.Settings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code tandem serve}, as far as it goes without serving; ci/launcher-test does the rest. */
class ServeCommandTest {

  @TempDir private Path folder;

  @Test
  void everySettingButSecretsHasAFlagInTheHelp() {
    String help = ok("serve", "--help").out();
    for (Setting<?> setting : Settings.ALL) {
      assertEquals(
          !setting.secret(),
          Pattern.compile("  " + setting.flag() + "[=\\[ \n]")
              .matcher(help.replace(", --", "  --"))
              .find(),
          setting.name());
    }
    for (Setting.Group group : Setting.Group.values()) {
      assertTrue(help.contains("\n" + group.title() + ":\n"), group.title());
    }
  }

  @Test
  void printedConfigurationCanBeReadAgain() throws IOException {
    String printed =
        ok(
                "serve",
                "--http-port",
                "9000",
                "--no-web",
                "-c",
                "512",
                "--kv-memory",
                "1GiB",
                "--print-config")
            .out();
    assertTrue(printed.contains("http-port: 9000  # --http-port\n"), printed);
    assertTrue(printed.contains("no-web: true  # --no-web\n"), printed);
    assertTrue(printed.contains("ctx-size: 512  # --ctx-size\n"), printed);
    assertTrue(printed.contains("port: 8077  # default\n"), printed);
    Path file = Files.writeString(folder.resolve("tandem.yaml"), printed);
    String again = ok("serve", "--config", file.toString(), "--print-config").out();
    assertEquals(values(printed), values(again));
  }

  private static String values(String printed) {
    return printed.replaceAll("(?m)  #.*$", "");
  }

  @Test
  void switchesCanBeSwitchedOffAgain() throws IOException {
    Path file = Files.writeString(folder.resolve("tandem.yaml"), "no-web: true\n");
    String printed =
        ok("serve", "--config", file.toString(), "--no-web=false", "--print-config").out();
    assertTrue(printed.contains("no-web: false  # --no-web\n"), printed);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "--parallel 0",
        "--port x",
        "--kv-memory 6GB",
        "--device gpu",
        "--no-web=perhaps",
        "--frobnicate",
        "--tokens secret",
        "--host",
        "word"
      })
  void whatIsTypedWronglyIsWrongUsage(String words) {
    Tandem.Result result = run(("serve " + words + " --print-config").split(" "));
    assertEquals(2, result.code(), result.err());
    assertTrue(result.err().endsWith("Try 'tandem serve --help'.\n"), result.err());
    assertEquals("", result.out());
  }

  @Test
  void whatStandsWronglyElsewhereIsAFailure() throws IOException {
    Path file = Files.writeString(folder.resolve("tandem.yaml"), "paralell: 4\n");
    Tandem.Result result = run("serve", "--config", file.toString());
    assertEquals(1, result.code());
    assertEquals(
        "tandem: there is no setting paralell in " + file + "; did you mean parallel?\n",
        result.err());
    assertEquals(1, run("serve", "--config", folder.resolve("none").toString()).code());
  }

  @Test
  void aModelThatCannotBeLoadedEndsIt() {
    Tandem.Result result =
        run(
            "serve",
            "-m",
            folder.resolve("none.gguf").toString(),
            "--port",
            "0",
            "--http-port",
            "0");
    assertEquals(1, result.code());
    String last = result.err().lines().reduce((first, second) -> second).orElseThrow();
    assertTrue(last.startsWith("tandem: ") && last.contains("none.gguf"), result.err());
    assertFalse(result.err().contains("\tat "), result.err());
    assertEquals("", result.out());
  }

  @Test
  void listeningElsewhereNeedsATokenOrAWord() {
    Tandem.Result result = run("serve", "--host", "0.0.0.0");
    assertEquals(1, result.code());
    assertTrue(result.err().contains("--token-file, or --insecure"), result.err());
  }
}
