package dev.tandem.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import java.util.Optional;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a mistyped word might mean. */
class WordsTest {

  private static final List<String> COMMANDS =
      List.of("generate", "inspect", "tokenize", "logits", "bench");
  private static final List<String> OPTIONS =
      List.of("--temp", "--top-k", "--threads", "--seed", "--model", "--no-mmap", "--no-repack");

  @ParameterizedTest
  @CsvSource({
    "genrate, generate",
    "gen, generate",
    "Generate, generate",
    "tokenise, tokenize",
    "logit, logits",
    "benchmark, bench",
    "serve,",
    "run,",
    "x,",
    "help,",
  })
  void commands(String word, String meant) {
    assertEquals(Optional.ofNullable(meant), Words.nearest(word, COMMANDS));
  }

  @ParameterizedTest
  @CsvSource({
    "--tmp, --temp",
    "--temperature, --temp",
    "--thread, --threads",
    "--topk, --top-k",
    "--nommap, --no-mmap",
    "--sed, --seed",
    "--gpu-layers,",
    "--mirostat,",
  })
  void options(String word, String meant) {
    assertEquals(Optional.ofNullable(meant), Words.nearest(word, OPTIONS));
  }
}
