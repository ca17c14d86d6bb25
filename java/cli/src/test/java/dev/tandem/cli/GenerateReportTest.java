package dev.tandem.cli;

import static dev.tandem.cli.Tandem.ok;
import static dev.tandem.cli.Tandem.run;
import static dev.tandem.cli.Tandem.utf8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.tandem.model.SyntheticModel;
import dev.tandem.model.format.TensorType;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What {@code tandem generate} tells, and on which of its outputs. */
class GenerateReportTest {

  private static final String PROMPT = "Once upon a time";
  private static final String HEADLINE =
      "Tandem Stories \\(3\\.50 M parameters\\) on cpu (scalar|avx2|avx512|amx), \\d+ threads?;"
          + " context 256 tokens; memory at most [\\d.]+ MiB; seed -?\\d+\n";
  private static final String STATISTICS =
      "load [\\d.]+ s \\| prompt 5 tokens, [\\d.]+ tokens/s, first token after [\\d.]+ s \\|"
          + " generated 4 tokens, [\\d.]+ tokens/s \\| end: length \\| memory [\\d.]+ MiB"
          + " \\(weights [\\d.]+ MiB, KV cache [\\d.]+ KiB, work [\\d.]+ MiB\\)\n";

  @TempDir Path folder;

  @Test
  void textAloneGoesToStandardOutput() {
    Tandem.Result result = ok("generate", PROMPT, "-n", "4", "--temp", "0", "--stats");
    assertEquals("Once upon a time there was a shy", result.out());
    assertTrue(result.err().matches(HEADLINE + STATISTICS), result.err());
    assertTrue(ok("generate", PROMPT, "-n", "4").err().matches(HEADLINE));
    assertEquals("", ok("generate", PROMPT, "-n", "4", "-q").err());
    assertTrue(ok("generate", PROMPT, "-n", "4", "-q", "--stats").err().matches(STATISTICS));
  }

  @Test
  void onATerminalTheTextEndsItsLine() {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    Tandem.Result result =
        run(
            new ByteArrayInputStream(new byte[0]),
            out,
            Set.of(Streams.Kind.OUT),
            "generate",
            PROMPT,
            "-n",
            "4",
            "--temp",
            "0");
    assertEquals("Once upon a time there was a shy\n", result.out());
  }

  /** The bar would wipe out the last line of a prompt that stood there already. */
  @Test
  void barIsGoneBeforeThePromptIsPrinted() {
    ByteArrayOutputStream screen = new ByteArrayOutputStream();
    Streams streams =
        new Streams(
            InputStream.nullInputStream(),
            screen,
            new PrintStream(screen, true, StandardCharsets.UTF_8),
            Set.of(Streams.Kind.OUT, Streams.Kind.ERR));
    String prompt = "There was once a cat. ".repeat(20);
    assertEquals(0, Main.run(streams, "generate", prompt, "-n", "0"));
    String bar = "\rreading the prompt [" + "-".repeat(30) + "]   0 %";
    String seen = screen.toString(StandardCharsets.UTF_8);
    assertTrue(seen.contains(bar), seen);
    assertTrue(seen.endsWith("\r\u001b[K" + prompt + "\n"), seen);
  }

  @Test
  void quietMeansNoBarEither() {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    Set<Streams.Kind> terminals = Set.of(Streams.Kind.OUT, Streams.Kind.ERR);
    String prompt = "There was once a cat. ".repeat(20);
    Tandem.Result result =
        run(InputStream.nullInputStream(), out, terminals, "generate", prompt, "-n", "0", "-q");
    assertEquals("", result.err());
  }

  @Test
  void terminalIsAskedForTheText() {
    Set<Streams.Kind> terminal = Set.of(Streams.Kind.IN);
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    Tandem.Result result =
        run(new ByteArrayInputStream(utf8("x\n")), out, terminal, "generate", "-n", "0");
    assertEquals("x", result.out());
    assertTrue(result.err().contains("Ctrl-D"), result.err());
  }

  @Test
  void documentHasEverything() {
    JsonNode json = ok("generate", PROMPT, "-s", "5", "-n", "12", "--json", "-t", "1").json();
    String plain = ok("generate", PROMPT, "-s", "5", "-n", "12", "-t", "1").out();
    assertEquals(plain, PROMPT + json.get("text").textValue());
    assertEquals("Tandem Stories", json.get("model").textValue());
    assertEquals(PROMPT, json.get("prompt").textValue());
    assertEquals("length", json.get("reason").textValue());
    assertEquals(5, json.get("prompt_tokens").intValue());
    assertEquals(12, json.get("generated_tokens").intValue());
    assertEquals(0.8, json.get("temperature").doubleValue());
    assertEquals(40, json.get("top_k").intValue());
    assertEquals(0.95, json.get("top_p").doubleValue());
    assertEquals(0.05, json.get("min_p").doubleValue());
    assertEquals(1, json.get("typical").doubleValue());
    assertEquals(1, json.get("repeat_penalty").doubleValue());
    assertEquals(0, json.get("presence_penalty").doubleValue());
    assertEquals(0, json.get("frequency_penalty").doubleValue());
    assertEquals(64, json.get("repeat_last_n").intValue());
    assertEquals(5, json.get("seed").intValue());
    assertEquals(256, json.get("context").intValue());
    assertEquals("cpu", json.get("device").textValue());
    assertEquals(1, json.get("threads").intValue());
    assertTrue(json.get("instruction_set").textValue().matches("scalar|avx2|avx512|amx"));
    assertTrue(json.get("memory_bytes").longValue() > 7_000_000);
    for (String time :
        new String[] {
          "load_seconds",
          "first_token_seconds",
          "prompt_tokens_per_second",
          "decode_seconds",
          "decode_tokens_per_second"
        }) {
      assertTrue(json.get("timings").get(time).doubleValue() > 0, time);
    }
  }

  @Test
  void idsAreThoseOfTheText() {
    JsonNode json = ok("generate", PROMPT, "--temp", "0", "-n", "40", "--json").json();
    String text = PROMPT + json.get("text").textValue();
    String expected = ok("tokenize", "--ids", "--bos", text).out();
    int[] ids =
        IntStream.concat(
                IntStream.of(GenerateTest.ids(json, "prompt_ids")),
                IntStream.of(GenerateTest.ids(json, "ids")))
            .toArray();
    assertEquals(
        expected,
        IntStream.of(ids).mapToObj(Integer::toString).collect(Collectors.joining(" ")) + "\n");
  }

  @Test
  void nameOfAModelCannotCommandTheTerminal() {
    Path model = folder.resolve("evil.gguf");
    SyntheticModel.write(
        model, Models.tiny("\u001b[31mred\nline"), SyntheticModel.Options.of(TensorType.F32));
    String err = ok("generate", "x", "-n", "0", "-m", model.toString()).err();
    assertTrue(err.startsWith("synthetic \\u001b[31mred\\nline ("), err);
  }
}
