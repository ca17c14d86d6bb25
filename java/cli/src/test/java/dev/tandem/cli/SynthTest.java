package dev.tandem.cli;

import static dev.tandem.cli.Tandem.ok;
import static dev.tandem.cli.Tandem.run;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.tandem.model.format.BlockCodec;
import dev.tandem.model.format.TensorType;
import dev.tandem.model.gguf.GgufFile;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** {@code tandem synth}. */
class SynthTest {

  private static final String SMALL =
      "--layers 1 --width 256 --heads 4 --kv-heads 2 --head-size 64 --feed-forward 256 --vocabulary"
          + " 300 --context 64";

  @TempDir Path folder;

  private Path synth(String options) {
    Path file = folder.resolve("model.gguf");
    ok(
        Stream.concat(Stream.of("synth", "-o", file.toString()), Stream.of(options.split(" ")))
            .toArray(String[]::new));
    return file;
  }

  /** A model replaces what has its name, and a device in /dev has to stay. */
  @Test
  void whatIsNoFileStays() throws IOException {
    Path socket = folder.resolve("socket");
    try (ServerSocketChannel open = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
      open.bind(UnixDomainSocketAddress.of(socket));
      for (Path other : List.of(socket, Files.createDirectory(folder.resolve("folder")))) {
        Tandem.Result result = run(("synth " + SMALL + " -o " + other).split(" "));
        assertEquals(1, result.code(), result.err());
        assertEquals(
            "tandem: " + other + ": there is something that is no file: give another name\n",
            result.err());
        assertTrue(Files.exists(other) && !Files.isRegularFile(other), other.toString());
      }
    }
  }

  @Test
  void sizesAreThoseAskedFor() {
    Path file =
        synth(
            "--layers 3 --width 96 --heads 6 --kv-heads 3 --head-size 10 --feed-forward 160"
                + " --vocabulary 400 --context 77 --untied --type F32");
    JsonNode json = ok("inspect", "--json", "-m", file.toString()).json();
    JsonNode metadata = json.get("metadata");
    assertEquals(3, metadata.get("llama.block_count").intValue());
    assertEquals(96, metadata.get("llama.embedding_length").intValue());
    assertEquals(6, metadata.get("llama.attention.head_count").intValue());
    assertEquals(3, metadata.get("llama.attention.head_count_kv").intValue());
    assertEquals(10, metadata.get("llama.attention.key_length").intValue());
    assertEquals(160, metadata.get("llama.feed_forward_length").intValue());
    assertEquals(77, metadata.get("llama.context_length").intValue());
    assertEquals(400, metadata.get("tokenizer.ggml.tokens").get("length").intValue());
    assertEquals(
        2 * 400 * 96 + 96 + 3 * (2 * 96 + 2 * 96 * 60 + 2 * 96 * 30 + 3 * 96 * 160),
        json.get("parameters").intValue());
  }

  static List<TensorType> types() {
    return BlockCodec.supported();
  }

  @ParameterizedTest
  @MethodSource("types")
  void everyTypeCanBeMade(TensorType type) {
    Path file = synth(SMALL + " --type " + type.name().toLowerCase(java.util.Locale.ROOT));
    assertEquals(type, GgufFile.open(file).tensor("blk.0.attn_q.weight").type());
    boolean runs =
        List.of("F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q4_K", "Q6_K").contains(type.name());
    assertEquals(runs ? 0 : 1, run("generate", "ba", "-n", "3", "-m", file.toString()).code());
  }

  @Test
  void embeddingAndHeadCanHaveOtherTypes() {
    GgufFile file =
        GgufFile.open(
            synth(SMALL + " --type Q4_0 --embedding-type Q8_0 --output-type F16 --untied"));
    assertEquals(TensorType.Q8_0, file.tensor("token_embd.weight").type());
    assertEquals(TensorType.F16, file.tensor("output.weight").type());
    assertEquals(TensorType.Q4_0, file.tensor("blk.0.ffn_up.weight").type());
  }

  @Test
  void rowsThatDoNotFitTheFormatAreToldOnce() {
    Path file = folder.resolve("x.gguf");
    Tandem.Result result =
        ok(
            "synth",
            "-o",
            file.toString(),
            "--type",
            "Q4_K",
            "--width",
            "96",
            "--layers",
            "1",
            "--vocabulary",
            "300");
    assertTrue(
        result.err().contains(" matrices are Q8_0: their rows are no whole number of blocks"),
        result.err());
    assertEquals(2, result.err().lines().count(), result.err());
  }

  @Test
  void sameSeedGivesTheSameFile() throws IOException {
    byte[] first = Files.readAllBytes(synth(SMALL + " --seed 3"));
    Path file = synth(SMALL + " --seed 3");
    assertEquals(-1, java.util.Arrays.mismatch(first, Files.readAllBytes(file)));
    assertNotEquals(
        -1, java.util.Arrays.mismatch(first, Files.readAllBytes(synth(SMALL + " --seed 4"))));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--shape gpt-5         | the shape gpt-5 is unknown; known: llama-3.2-1b, .*",
        "--layers 0            | layers is 0, but must be positive",
        "--width -4            | width is -4, but must be positive",
        "--heads 7 --kv-heads 2 | 7 heads cannot be shared by 2 key and value heads; use a divisor",
        "--head-size 33        | a head of 33 elements cannot be rotated in pairs; use an even"
            + " size",
        "--vocabulary 258      | a vocabulary of 258 tokens is too small; at least 259 are needed",
        "--type I8             | type I8 cannot be decoded; supported: F32, .*",
        "--output-type F64 --untied | type F64 cannot be decoded; supported: F32, .*",
        "--type Q9             | --type 'Q9' is not possible: F32, .*",
        "--heads 100000 --kv-heads 100000 --head-size 100000 | .*too large.*",
        "--layers many         | Invalid value for option '--layers': 'many' is no whole number.*",
      })
  void impossibleModelsAreToldInALine(String options, String message) throws IOException {
    Path file = folder.resolve("never.gguf");
    Tandem.Result result = run(("synth -o " + file + " " + options.strip()).split(" "));
    assertEquals(2, result.code(), result.err());
    String[] lines = result.err().split("\n");
    assertTrue(lines[0].matches("tandem: " + message), lines[0]);
    assertEquals("Try 'tandem synth --help'.", lines[1]);
    assertEquals(2, lines.length, result.err());
    try (Stream<Path> files = Files.list(folder)) {
      assertEquals(0, files.count(), "nothing is left behind");
    }
  }
}
