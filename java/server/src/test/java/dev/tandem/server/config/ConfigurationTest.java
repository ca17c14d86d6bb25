package dev.tandem.server.config;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.engine.OnDeviceLoss;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Settings from file, environment and flags. */
class ConfigurationTest {

  @TempDir private Path folder;

  private Path file(String text) throws IOException {
    return Files.writeString(folder.resolve("tandem.yaml"), text);
  }

  private static String refused(Path file, Map<String, String> environment, String... flags) {
    Map<String, String> typed = new HashMap<>();
    for (int i = 0; i < flags.length; i += 2) {
      typed.put(flags[i], flags[i + 1]);
    }
    return assertThrows(
            ConfigurationException.class,
            () -> ServerOptions.of(Configuration.of(Optional.ofNullable(file), environment, typed)))
        .getMessage();
  }

  private static ServerOptions flags(String... words) {
    Map<String, String> typed = new HashMap<>();
    for (int i = 0; i < words.length; i += 2) {
      typed.put(words[i], words[i + 1]);
    }
    return ServerOptions.of(Configuration.of(Optional.empty(), Map.of(), typed));
  }

  @Test
  void whatNobodySetsIsAsDocumented() {
    ServerOptions options = ServerOptions.of(Configuration.presets());
    assertEquals("127.0.0.1", options.network().host());
    assertEquals(8077, options.network().port());
    assertEquals(8080, options.network().httpPort());
    assertEquals(16, options.model().parallel());
    assertEquals(256, options.limits().queue());
    assertEquals(4 << 20, options.limits().frameBytes());
    assertTrue(options.http().web());
    assertFalse(options.security().insecure());
    assertEquals(Optional.empty(), options.model().kvMemory());
    assertEquals(LogFormat.TEXT, options.log().format());
  }

  @Test
  void flagsGoBeforeTheEnvironmentWhichGoesBeforeTheFile() throws IOException {
    Path file = file("port: 1\nhttp-port: 2\nparallel: 3\n");
    Map<String, String> environment =
        Map.of("TANDEM_SERVE_HTTP_PORT", "20", "TANDEM_SERVE_PARALLEL", "30", "PATH", "/bin");
    Configuration configuration =
        Configuration.of(Optional.of(file), environment, Map.of("parallel", "300"));
    ServerOptions options = ServerOptions.of(configuration);
    assertEquals(1, options.network().port());
    assertEquals(20, options.network().httpPort());
    assertEquals(300, options.model().parallel());
    String printed = configuration.print();
    assertTrue(printed.contains("port: 1  # " + file + ", port\n"), printed);
    assertTrue(printed.contains("http-port: 20  # TANDEM_SERVE_HTTP_PORT\n"), printed);
    assertTrue(printed.contains("parallel: 300  # --parallel\n"), printed);
    assertTrue(printed.contains("queue: 256  # default\n"), printed);
  }

  @Test
  void everyKindOfValueIsRead() throws IOException {
    Path file =
        file(
            """
            # a comment
            model: /models/a model.gguf
            kv-memory: 1.5GiB
            idle-timeout: 90s
            no-web: true
            cors-origins: [https://a.example, 'https://b.example']
            allowed-hosts: a.example, b.example
            log-format: json
            log-level: DEBUG
            ctx-size: 4096
            """);
    ServerOptions options =
        ServerOptions.of(Configuration.of(Optional.of(file), Map.of(), Map.of()));
    assertEquals(Optional.of(Path.of("/models/a model.gguf")), options.model().file());
    assertEquals(Optional.of(3L << 29), options.model().kvMemory());
    assertEquals(Duration.ofSeconds(90), options.network().idleTimeout());
    assertFalse(options.http().web());
    assertEquals(
        List.of("https://a.example", "https://b.example"), options.security().corsOrigins());
    assertEquals(List.of("a.example", "b.example"), options.security().allowedHosts());
    assertEquals(new ServerOptions.Log(LogFormat.JSON, LogLevel.DEBUG), options.log());
    assertEquals(Optional.of(4096), options.model().context());
  }

  /** YAML would make other numbers of them: 7, 1000.0, 10, 90, 31. */
  @ParameterizedTest
  @ValueSource(
      strings = {"007", "1e3", "1_0", "1:30", "0x1F", "1.10", "+5", "True", "2026-11-22", "0o17"})
  void valuesAreReadAsTheyAreWritten(String value) throws IOException {
    Path file = file("model-name: " + value + "\nallowed-hosts: [a, " + value + "]\n");
    Configuration read = Configuration.of(Optional.of(file), Map.of(), Map.of());
    assertEquals(Optional.of(value), read.get(Settings.MODEL_NAME));
    assertEquals(List.of("a", value), read.get(Settings.ALLOWED_HOSTS));
    Configuration again = Configuration.of(Optional.of(file(read.print())), Map.of(), Map.of());
    assertEquals(Optional.of(value), again.get(Settings.MODEL_NAME));
  }

  @Test
  void whatIsPrintedCanBeReadAgain() throws IOException {
    Configuration configuration =
        Configuration.of(
            Optional.empty(),
            Map.of(
                "TANDEM_SERVE_MODEL_NAME", "it's: a #name", "TANDEM_SERVE_TOKENS", "canary-4711"),
            Map.of(
                "kv-memory", "512MiB",
                "drain-timeout", "1500ms",
                "cors-origins", "*",
                "host", "::1",
                "no-web", "true",
                "model", "/a b/c.gguf"));
    String printed = configuration.print();
    assertFalse(printed.contains("canary"), printed);
    assertTrue(printed.contains("# tokens: set, hidden (TANDEM_SERVE_TOKENS)\n"), printed);
    Configuration again = Configuration.of(Optional.of(file(printed)), Map.of(), Map.of());
    for (Setting<?> setting : Settings.ALL) {
      if (!setting.secret()) {
        assertEquals(configuration.get(setting), again.get(setting), setting.name());
      }
    }
  }

  @Test
  void secretsAreNotShown() throws IOException {
    Map<String, String> environment = Map.of("TANDEM_SERVE_TOKENS", "canary-4711");
    ServerOptions options =
        ServerOptions.of(Configuration.of(Optional.empty(), environment, Map.of()));
    assertFalse(options.toString().contains("canary"), options.toString());
    assertEquals("canary-4711", options.security().tokens().orElseThrow().value());
    String refusal = refused(file("tokens: canary-4711\n"), Map.of());
    assertTrue(refusal.contains("TANDEM_SERVE_TOKENS"), refusal);
    assertFalse(refusal.contains("canary"), refusal);
  }

  @ParameterizedTest
  @CsvSource({
    "paralell, parallel",
    "http_port, http-port",
    "kv-memry, kv-memory",
    "ctxsize, ctx-size",
    "Host, host"
  })
  void unknownNamesSayWhatWasMeant(String typed, String meant) throws IOException {
    String refusal = refused(file(typed + ": 1\n"), Map.of());
    assertTrue(refusal.contains("there is no setting " + typed + " in "), refusal);
    assertTrue(refusal.endsWith("did you mean " + meant + "?"), refusal);
  }

  @Test
  void unknownNamesInTheEnvironmentAreErrors() {
    String refusal = refused(null, Map.of("TANDEM_SERVE_PARALEL", "4"));
    assertTrue(refusal.contains("TANDEM_SERVE_PARALEL in the environment"), refusal);
    assertTrue(refusal.endsWith("did you mean TANDEM_SERVE_PARALLEL?"), refusal);
    refusal = refused(null, Map.of("TANDEM_SERVE_QQQQQQQQ", "4"));
    assertTrue(refusal.endsWith("'tandem serve --help' lists all"), refusal);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "parallel   | 0        | --parallel: '0' is not possible: from 1 to 1024",
        "parallel   | many     | --parallel: 'many' is not possible: from 1 to 1024",
        "port       | 65536    | --port: '65536' is not possible: from 0 to 65535",
        "port       | -1       | --port: '-1' is not possible: from 0 to 65535",
        "kv-memory  | 6GB      | --kv-memory: '6GB' is not possible: a size such as 512MiB or 6GiB",
        "kv-memory  | 99999999999TiB | --kv-memory: '99999999999TiB' is not possible",
        "kv-memory  | 1KiB     | at least 64KiB",
        "idle-timeout | 30     | --idle-timeout: '30' is not possible: a time such as 500ms, 30s",
        "idle-timeout | 30d    | from 100ms to 24h",
        "idle-timeout | 0      | from 100ms to 24h",
        "no-web     | perhaps  | --no-web: 'perhaps' is not possible: true or false",
        "log-format | xml      | --log-format: 'xml' is not possible: one of text, json",
        "model      | ''       | ",
      })
  void impossibleValuesSayWhatIsPossible(String setting, String value, String expected) {
    if (expected == null) {
      assertEquals(Optional.empty(), flags(setting, value).model().file());
      return;
    }
    String refusal = refused(null, Map.of(), setting, value);
    assertTrue(refusal.contains(expected), refusal);
  }

  @Test
  void errorsNameWhereTheValueStands() throws IOException {
    Path file = file("port: many\n");
    assertTrue(refused(file, Map.of()).startsWith(file + ", port: 'many' is not possible"));
    assertTrue(
        refused(null, Map.of("TANDEM_SERVE_PORT", "x"))
            .startsWith("TANDEM_SERVE_PORT: 'x' is not"));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "port: [1",
        "- port",
        "port",
        "port: 1\nport: 2\n",
        "port: {a: 1}",
        "port: [[1], 2, {}]",
        "port:\n",
        "kv-memory:\n",
        "\u0000",
        "a: &x 1\nb: *x",
        "port: &x 1\nhttp-port: *x\n",
        "port: [1, null]",
        "port: 1\n---\nport: 2\n"
      })
  void brokenFilesAreErrorsThatNameTheFile(String text) throws IOException {
    Path file = file(text);
    String refusal = refused(file, Map.of());
    assertTrue(refusal.contains(file.toString()), refusal);
    assertFalse(refusal.contains("\n"), refusal);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "# nothing\n", "---\n"})
  void emptyFilesSetNothing(String text) throws IOException {
    Configuration read = Configuration.of(Optional.of(file(text)), Map.of(), Map.of());
    assertEquals(Configuration.presets().print(), read.print());
  }

  @Test
  void missingFilesAreErrors() {
    assertTrue(refused(folder.resolve("none"), Map.of()).endsWith("no such file (--config)"));
  }

  @Test
  void otherThingsThanAFileOfSettingsAreErrors() throws IOException {
    assertEquals(folder + ": Is a directory (--config)", refused(folder, Map.of()));
    Path endless = Path.of("/dev/zero");
    assertEquals("/dev/zero: has more than 1MiB (--config)", refused(endless, Map.of()));
    Path large = file("#".repeat(SmallFile.MOST_BYTES + 1));
    assertEquals(large + ": has more than 1MiB (--config)", refused(large, Map.of()));
    Path binary = Files.write(folder.resolve("binary"), new byte[] {'#', (byte) 0xff});
    assertEquals(binary + ": is no text in UTF-8 (--config)", refused(binary, Map.of()));
    Path loop = Files.createSymbolicLink(folder.resolve("loop"), folder.resolve("loop"));
    String refusal = refused(loop, Map.of());
    assertTrue(refusal.startsWith(loop + ": Too many levels of symbolic links"), refusal);
  }

  /** Its own message is the file's name alone; root, who may run this, is never denied anything. */
  @Test
  void aFileThatMayNotBeReadSaysSo() {
    assertEquals(
        "key.pem: permission denied (--tls-key)",
        SmallFile.problem(Path.of("key.pem"), "--tls-key", new AccessDeniedException("key.pem")));
  }

  @Test
  void settingsThatDoNotGoTogetherAreErrors() {
    assertTrue(
        refused(null, Map.of(), "batch-tokens", "8")
            .startsWith("--batch-tokens 8 is less than --parallel 16"));
    assertTrue(
        refused(null, Map.of(), "tls-cert", "a").contains("--tls-cert and --tls-key belong"));
    assertTrue(
        refused(null, Map.of(), "fast-f16", "true", "no-repack", "true").contains("leave out"));
    assertTrue(refused(null, Map.of(), "gpu-memory", "6GiB").contains("--device is cpu"));
    assertTrue(refused(null, Map.of(), "gpu-memory", "6GB", "device", "cuda:0").contains("6GB"));
    assertTrue(refused(null, Map.of(), "on-device-loss", "panic").contains("one of fail, cpu"));
    ServerOptions.Model gpu =
        flags("device", "cuda:0", "gpu-memory", "6GiB", "on-device-loss", "cpu").model();
    assertEquals(Optional.of(6L << 30), gpu.gpuMemory());
    assertEquals(OnDeviceLoss.CPU, gpu.onDeviceLoss());
    assertEquals(OnDeviceLoss.FAIL, flags().model().onDeviceLoss());
    assertTrue(refused(null, Map.of(), "frame-size", "2GiB").contains("at most 1GiB"));
  }

  /** They would never match, and nobody would be told. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "example.org:8081             | ': write example.org'",
        "a.example,Example.org:8081   | ': write example.org'",
        "https://example.org          | ': write example.org'",
        "https://example.org:8081/a/b | ': write example.org'",
        "[::1]:8081                   | ': write [::1]'",
        "::1                          | ': write [::1]'",
        "b\u00fccher.example            | '; write it in ASCII (xn--...)'",
        "*.example.org                | 'any port is served'",
        "example..org                 | 'any port is served'",
        "two words                    | 'any port is served'",
      })
  void hostsAreNamesAlone(String written, String remedy) {
    String refusal = refused(null, Map.of(), "allowed-hosts", written);
    String name = written.substring(written.indexOf(',') + 1);
    assertTrue(refusal.startsWith("--allowed-hosts: '" + name + "' is not possible"), refusal);
    assertTrue(refusal.endsWith(remedy), refusal);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "chat.example                | ', such as https://chat.example.org'",
        "https://chat.example/       | ': write https://chat.example'",
        "https://Chat.example:8443/a | ': write https://chat.example:8443'",
        "https://chat.example:443    | ': write https://chat.example'",
        "http://chat.example:80      | ': write http://chat.example'",
        "https://*.chat.example      | ', such as https://chat.example.org'",
      })
  void originsAreAsBrowsersSendThem(String written, String remedy) {
    String refusal = refused(null, Map.of(), "cors-origins", written);
    assertTrue(refusal.startsWith("--cors-origins: '" + written + "' is not possible"), refusal);
    assertTrue(refusal.endsWith(remedy), refusal);
  }

  @Test
  void hostsAndOriginsThatCanMatchAreTaken() {
    List<String> hosts = List.of("*", "Example.org", "box", "10.0.0.7", "[fe80::1]", "a_b.example");
    assertEquals(hosts, flags("allowed-hosts", String.join(",", hosts)).security().allowedHosts());
    List<String> origins =
        List.of("*", "null", "https://Chat.example", "http://[::1]:3000", "tauri://localhost");
    assertEquals(
        origins, flags("cors-origins", String.join(",", origins)).security().corsOrigins());
  }

  @ParameterizedTest
  @CsvSource({
    "1024, 1KiB",
    "1536KiB, 1536KiB",
    "1.5MiB, 1536KiB",
    "0.5GiB, 512MiB",
    "1000000, 1000000",
    "2048MiB, 2GiB"
  })
  void sizesAreWrittenShort(String text, String written) {
    assertEquals(written, Quantity.size(Quantity.parseSize(text)));
    assertEquals(Quantity.parseSize(text), Quantity.parseSize(written));
  }

  @ParameterizedTest
  @CsvSource({"90s, 90s", "60s, 1m", "1.5s, 1500ms", "0, 0s", "120m, 2h", "500ms, 500ms"})
  void timesAreWrittenShort(String text, String written) {
    assertEquals(written, Quantity.duration(Quantity.parseDuration(text)));
  }

  @Test
  void namesAreDifferentEverywhere() {
    Set<String> names = new HashSet<>();
    for (Setting<?> setting : Settings.ALL) {
      assertTrue(names.add(setting.name()), setting.name());
      assertTrue(names.add(setting.environmentName()), setting.name());
      assertTrue(names.add(setting.flag()), setting.name());
      setting.shortFlags().forEach(flag -> assertTrue(names.add(flag), flag));
      assertTrue(setting.name().matches("[a-z0-9-]+"), setting.name());
      assertTrue(setting.description().endsWith("."), setting.name());
    }
  }

  @Test
  void distancesCountTypingErrors() {
    assertEquals(0, Nearest.distance("port", "port"));
    assertEquals(1, Nearest.distance("prt", "port"));
    assertEquals(2, Nearest.distance("prot", "port"));
    assertEquals(4, Nearest.distance("", "port"));
    assertEquals(Optional.empty(), Nearest.of("xyzzy", List.of("port", "host")));
  }
}
