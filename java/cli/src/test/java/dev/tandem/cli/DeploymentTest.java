package dev.tandem.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.tandem.server.config.Configuration;
import dev.tandem.server.config.Setting;
import dev.tandem.server.config.Settings;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The files under tools/systemd and tools/docker, as far as they can be judged unused. */
class DeploymentTest {

  private static final Path ROOT = Path.of("../..");
  private static final Path UNIT = ROOT.resolve("tools/systemd/tandem.service");
  private static final Path IMAGE = ROOT.resolve("tools/docker/Dockerfile");
  private static final Set<String> INSTRUCTIONS =
      Set.of(
          "FROM",
          "SHELL",
          "RUN",
          "WORKDIR",
          "COPY",
          "ENV",
          "USER",
          "EXPOSE",
          "STOPSIGNAL",
          "HEALTHCHECK",
          "ENTRYPOINT");

  @TempDir private Path folder;

  private static String unit(String key) throws IOException {
    return Files.readAllLines(UNIT).stream()
        .filter(line -> line.startsWith(key + "="))
        .map(line -> line.substring(key.length() + 1))
        .findFirst()
        .orElseThrow(() -> new AssertionError(key));
  }

  /** The flags of a command line must be those of the server. */
  private static void checkFlags(String commandLine) {
    Matcher flag = Pattern.compile("(?<= )--([a-z0-9-]+)").matcher(commandLine);
    List<String> known = new ArrayList<>(List.of("config"));
    Settings.ALL.forEach(setting -> known.add(setting.name()));
    int found = 0;
    while (flag.find()) {
      assertTrue(known.contains(flag.group(1)), flag.group(1));
      found++;
    }
    assertTrue(found > 0, commandLine);
  }

  @Test
  void theUnitIsHardenedButLetsTheJvmCompile() throws IOException {
    for (String key :
        List.of("DynamicUser", "NoNewPrivileges", "PrivateTmp", "ProtectHome", "LockPersonality")) {
      assertEquals("yes", unit(key), key);
    }
    assertEquals("strict", unit("ProtectSystem"));
    assertEquals("no", unit("MemoryDenyWriteExecute"));
    checkFlags(unit("ExecStart"));
  }

  @Test
  void theUnitWaitsLongerThanTheServerDrains() throws IOException {
    String drain =
        Configuration.presets()
            .print()
            .lines()
            .filter(line -> line.startsWith("drain-timeout: "))
            .findFirst()
            .orElseThrow();
    int seconds = Integer.parseInt(drain.replaceAll("drain-timeout: '?(\\d+)s'? .*", "$1"));
    assertTrue(Integer.parseInt(unit("TimeoutStopSec")) > seconds, drain);
  }

  @Test
  void systemdFindsNothingWrong() throws Exception {
    Path program = Path.of("/usr/bin/systemd-analyze");
    assumeTrue(Files.isExecutable(program), program + " is not there");
    String text = Files.readString(UNIT).replace("/opt/tandem/bin/tandem", "/bin/true");
    Path copy = Files.writeString(folder.resolve("tandem.service"), text);
    Process process =
        new ProcessBuilder(program.toString(), "verify", "--man=no", copy.toString())
            .redirectErrorStream(true)
            .start();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertTrue(process.waitFor(60, TimeUnit.SECONDS), "systemd-analyze hangs");
    assertFalse(said.contains("tandem.service"), said);
    assertEquals(0, process.exitValue(), said);
  }

  /** Instructions with their continued lines joined. */
  private static List<String> instructions() throws IOException {
    String joined =
        Files.readString(IMAGE).replaceAll("(?m)^#.*\n", "").replaceAll("\\\\\n\\s*", "");
    return Arrays.stream(joined.split("\n")).filter(line -> !line.isBlank()).toList();
  }

  @Test
  void theImageIsBuiltInStagesAndRunsAsNobodySpecial() throws IOException {
    List<String> lines = instructions();
    Map<String, String> last = new HashMap<>();
    for (String line : lines) {
      String[] parts = line.split("\\s+", 2);
      assertTrue(INSTRUCTIONS.contains(parts[0]), line);
      assertEquals(2, parts.length, line);
      last.put(parts[0], parts[1]);
    }
    assertTrue(lines.getFirst().matches("FROM \\S+ AS build"), lines.getFirst());
    assertEquals(2, lines.stream().filter(line -> line.startsWith("FROM ")).count());
    assertTrue(Integer.parseInt(last.get("USER")) > 0, last.get("USER"));
    assertEquals("[\"tandem\", \"serve\"]", last.get("ENTRYPOINT"));
    assertTrue(last.get("HEALTHCHECK").contains("tandem-healthcheck"), last.get("HEALTHCHECK"));
    for (String line : lines) {
      if (line.startsWith("COPY ") && !line.startsWith("COPY --from")) {
        for (String path : Arrays.asList(line.split(" ")).subList(1, line.split(" ").length - 1)) {
          assertTrue(Files.exists(ROOT.resolve(path)), path);
        }
      }
    }
  }

  @Test
  void theImageSetsWhatExists() throws IOException {
    Map<String, String> environment = new HashMap<>();
    for (String line : instructions()) {
      if (line.startsWith("ENV ")) {
        for (String pair : line.substring(4).split(" ")) {
          environment.put(pair.split("=", 2)[0], pair.split("=", 2)[1]);
        }
      }
    }
    assertEquals("0.0.0.0", environment.get("TANDEM_SERVE_HOST"));
    String printed = Configuration.of(Optional.empty(), environment, Map.of()).print();
    assertTrue(printed.contains("log-format: json  # TANDEM_SERVE_LOG_FORMAT\n"), printed);
    String exposed =
        instructions().stream()
            .filter(line -> line.startsWith("EXPOSE "))
            .findFirst()
            .orElseThrow();
    for (String setting : List.of("port", "http-port")) {
      String port = printed.replaceAll("(?s).*\n" + setting + ": (\\d+) .*", "$1");
      assertTrue(exposed.contains(port), exposed);
    }
  }

  @Test
  void scriptsAreBash() throws Exception {
    Path script = ROOT.resolve("tools/docker/healthcheck");
    assertTrue(Files.isExecutable(script));
    Process process = new ProcessBuilder("bash", "-n", script.toString()).inheritIO().start();
    assertTrue(process.waitFor(60, TimeUnit.SECONDS));
    assertEquals(0, process.exitValue());
    assertTrue(
        Settings.ALL.stream()
            .map(Setting::environmentName)
            .anyMatch("TANDEM_SERVE_HTTP_PORT"::equals));
  }
}
