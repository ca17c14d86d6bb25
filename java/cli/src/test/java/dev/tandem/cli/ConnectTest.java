package dev.tandem.cli;

import static dev.tandem.cli.Tandem.ok;
import static dev.tandem.cli.Tandem.run;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.tandem.server.security.Authenticator;
import java.io.IOException;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code tandem generate --connect}: what a server does is what this process would have done. */
class ConnectTest {

  private static RemoteModel server;

  @TempDir Path folder;

  @BeforeAll
  static void start() {
    server = RemoteModel.of(ModelOptions.file(Optional.empty()));
  }

  @AfterAll
  static void close() {
    server.close();
  }

  private static String[] remote(String... words) {
    return Stream.concat(Stream.of("generate", "--connect", server.address()), Arrays.stream(words))
        .toArray(String[]::new);
  }

  private static String[] local(String... words) {
    return Stream.concat(Stream.of("generate"), Arrays.stream(words)).toArray(String[]::new);
  }

  /** The CLI's own defaults hold, not the server's. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "-s 7 -n 40",
        "-s 7 -n 40 --temp 1.3 --top-k 0 --top-p 1 --min-p 0",
        "-s 3 -n 40 --typical 0.7 --repeat-penalty 1.2 --repeat-last-n 16",
        "-s 3 -n 40 --presence-penalty 1 --frequency-penalty 0.5 -l 300-inf -l 301+2",
        "--temp 0 -n 40 --stop the",
        "--temp 0 -n 20 --no-display-prompt",
        "--temp 0",
        "-n 0"
      })
  void textIsThatOfThisProcess(String options) {
    String[] words = ("Once upon a time~" + options.replace(' ', '~')).split("~");
    assertEquals(ok(local(words)).out(), ok(remote(words)).out());
  }

  /** As many tokens as are asked for, or as the context takes. */
  @ParameterizedTest
  @ValueSource(strings = {"250", "-1"})
  void anEndlessTextIsThatOfThisProcess(String length) {
    String[] words = {"Once upon a time", "-s", "5", "--ignore-eos", "-n", length, "--json"};
    JsonNode here = ok(local(words)).json();
    JsonNode there = ok(remote(words)).json();
    assertEquals(here.get("ids"), there.get("ids"));
    assertEquals("length", there.get("reason").textValue());
  }

  @Test
  void namesOfSpecialTokensAreReadOnRequest() {
    for (List<String> words : List.of(List.of("<s>Once"), List.of("<s>Once", "--special"))) {
      String[] all =
          Stream.concat(words.stream(), Stream.of("-n", "8", "--temp", "0")).toArray(String[]::new);
      assertEquals(ok(local(all)).out(), ok(remote(all)).out());
    }
  }

  @Test
  void aConversationIsWrittenByTheServer() {
    String[] words = {"Tell a story.", "--chat", "--system", "Be brief.", "-n", "20", "-s", "1"};
    assertEquals(ok(local(words)).out(), ok(remote(words)).out());
  }

  @Test
  void theDocumentSaysTheSame() {
    String[] words = {
      "Once upon a time", "-n", "12", "-s", "4", "--json", "--logprobs", "2", "--stop", "xyzzy"
    };
    JsonNode here = ok(local(words)).json();
    JsonNode there = ok(remote(words)).json();
    for (String field :
        List.of(
            "model",
            "prompt",
            "text",
            "reason",
            "prompt_tokens",
            "generated_tokens",
            "prompt_ids",
            "ids",
            "logprobs",
            "temperature",
            "top_k",
            "top_p",
            "min_p",
            "typical",
            "repeat_penalty",
            "presence_penalty",
            "frequency_penalty",
            "repeat_last_n",
            "seed",
            "context")) {
      assertEquals(here.get(field), there.get(field), field);
    }
    assertEquals(server.address(), there.get("server").asText());
    assertTrue(there.get("timings").get("first_token_seconds").asDouble() > 0);
    assertTrue(there.get("timings").get("decode_tokens_per_second").asDouble() > 0);
  }

  @Test
  void whatIsSaidBesideTheText() {
    Tandem.Result result = ok(remote("Once upon a time", "-n", "4", "-s", "9", "--stats"));
    assertTrue(
        result
            .err()
            .matches(
                "Tandem Stories \\(3\\.50 M parameters\\) at localhost:\\d+, cpu, 1 thread, test;"
                    + " context 256 tokens; seed 9\n"
                    + "waited [\\d.]+ s \\| prompt 5 tokens, [\\d.]+ tokens/s, first token after"
                    + " [\\d.]+ s \\| generated 4 tokens, [\\d.]+ tokens/s \\| end: length\n"),
        result.err());
    assertEquals("", ok(remote("Once", "-n", "4", "-q")).err());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "-m model.gguf",
        "--model model.gguf",
        "-t 1",
        "--threads 1",
        "-b 32",
        "-c 64",
        "--ctx-size 64",
        "--device cpu",
        "--gpu-memory 1GiB",
        "--on-device-loss cpu",
        "--no-repack",
        "--no-mmap",
        "--fast-f16",
        "--chat --chat-template x.jinja"
      })
  void whatTheServerDecidesIsRefused(String options) {
    List<String> words = new ArrayList<>(List.of("x"));
    words.addAll(List.of(options.split(" ")));
    Tandem.Result result = run(remote(words.toArray(String[]::new)));
    assertEquals(2, result.code(), result.err());
    assertTrue(
        result.err().contains("is decided where the server is started: leave it out"),
        result.err());
  }

  @ParameterizedTest
  @CsvSource({
    "--tls, --tls is for a server: add --connect HOST:PORT",
    "--ca x.pem, --ca is for a server: add --connect HOST:PORT",
    "--token-file x, --token-file is for a server: add --connect HOST:PORT"
  })
  void whatIsForAServerNeedsOne(String options, String message) {
    List<String> words = new ArrayList<>(List.of("x"));
    words.addAll(List.of(options.split(" ")));
    Tandem.Result result = run(local(words.toArray(String[]::new)));
    assertEquals(2, result.code());
    assertTrue(result.err().contains(message), result.err());
  }

  @ParameterizedTest
  @ValueSource(strings = {"localhost", "localhost:0", "localhost:65536", ":1", "a b:1", "::1:80"})
  void anAddressHasAHostAndAPort(String address) {
    Tandem.Result result = run("generate", "x", "--connect", address);
    assertEquals(2, result.code(), result.err());
    assertTrue(result.err().contains("--connect '" + address + "' is not possible"), result.err());
  }

  @Test
  void aServerThatIsNotThereIsOneClearLine() throws IOException {
    int port;
    try (ServerSocket socket = new ServerSocket(0)) {
      port = socket.getLocalPort();
    }
    Tandem.Result result = run("generate", "x", "--connect", "localhost:" + port);
    assertEquals(1, result.code());
    assertEquals(
        "tandem: cannot connect to localhost:" + port + ": Connection refused\n", result.err());
  }

  @Test
  void aModelThatIsBeingLoadedIsTold() {
    try (RemoteModel loading = RemoteModel.loading(Authenticator.open())) {
      Tandem.Result result = run("generate", "x", "--connect", loading.address());
      assertEquals(1, result.code());
      assertTrue(result.err().startsWith("tandem: " + loading.address() + ": "), result.err());
      assertTrue(result.err().contains("try again in 1.5 s"), result.err());
    }
  }

  @Test
  void aPromptThatDoesNotFitIsRefused() {
    Tandem.Result result = run(remote("word ".repeat(400), "-q"));
    assertEquals(1, result.code());
    assertEquals("", result.out());
    assertTrue(result.err().contains("256"), result.err());
  }

  @Test
  void aTokenComesFromAFile() throws IOException {
    Path right = Files.writeString(folder.resolve("right"), "canary\n");
    Path wrong = Files.writeString(folder.resolve("wrong"), "canaries\n");
    Path empty = Files.writeString(folder.resolve("empty"), "\n");
    try (RemoteModel wary = RemoteModel.loading(RemoteModel.knowing("canary"))) {
      Tandem.Result result = withToken(wary, right);
      assertTrue(result.err().contains("load"), "known, and told to wait: " + result.err());
      for (Path file : List.of(wrong, empty, folder.resolve("missing"))) {
        result = withToken(wary, file);
        assertEquals(1, result.code());
        assertFalse(result.err().contains("canar"), result.err());
      }
      result = run("generate", "x", "--connect", wary.address());
      assertTrue(result.err().contains("(--token-file, or TANDEM_TOKEN)"), result.err());
    }
  }

  private static Tandem.Result withToken(RemoteModel server, Path file) {
    return run("generate", "x", "--connect", server.address(), "--token-file", file.toString());
  }

  /**
   * In a process of its own, where no library could be unpacked, and which tells what it loads.
   * (Types in the command's signatures are loaded to check its code; they bring nothing along.)
   */
  @Test
  void loadsNoLibraryAndNoEngine() throws Exception {
    String[] words = remote("Once upon a time", "-n", "20", "--temp", "0", "--stats");
    Path classes = folder.resolve("classes.log");
    ProcessBuilder builder =
        Tandem.process(
            List.of(
                "-Xlog:class+load:file=" + classes,
                "-Xshare:off",
                "-Dslf4j.provider=org.slf4j.helpers.NOP_FallbackServiceProvider",
                "-Dslf4j.internal.verbosity=WARN"),
            words);
    Map<String, String> environment = builder.environment();
    Path noFolder = Files.writeString(folder.resolve("no-folder"), "");
    environment.put("XDG_CACHE_HOME", noFolder.toString());
    environment.put("HOME", noFolder.toString());
    environment.put("TMPDIR", noFolder.toString());
    builder.redirectError(folder.resolve("err").toFile());
    Process process = builder.start();
    byte[] out = process.getInputStream().readAllBytes();
    assertTrue(process.waitFor(60, TimeUnit.SECONDS));
    assertEquals(0, process.exitValue(), Files.readString(folder.resolve("err")));
    assertArrayEquals(
        ok(local("Once upon a time", "-n", "20", "--temp", "0"))
            .out()
            .getBytes(StandardCharsets.UTF_8),
        out);
    String err = Files.readString(folder.resolve("err"));
    assertEquals(2, err.lines().count(), "a headline and statistics, no warnings: " + err);
    String loaded = Files.readString(classes);
    assertTrue(loaded.contains("dev.tandem.client.TandemClient "), "this does tell");
    assertFalse(loaded.contains(" dev.tandem.runtime."), lines(loaded, " dev.tandem.runtime."));
    for (String name : List.of("Engine ", "EngineLoop ", "program.Program")) {
      assertFalse(loaded.contains(" dev.tandem.engine." + name), name);
    }
  }

  private static String lines(String text, String word) {
    return text.lines().filter(line -> line.contains(word)).toList().toString();
  }
}
