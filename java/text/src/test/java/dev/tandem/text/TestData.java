package dev.tandem.text;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.tandem.model.gguf.GgufFile;
import dev.tandem.model.gguf.GgufMetadata;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/** The test data that is not part of the project; without it a test is skipped. */
public final class TestData {
  private static final String SEPARATOR = "\n__ggml_vocab_test__\n";

  private TestData() {}

  /** {@code $TANDEM_TEST_DATA}, or {@code ../shared/data} beside the repository. */
  private static Optional<Path> folder() {
    String named = System.getenv("TANDEM_TEST_DATA");
    if (named != null) {
      return Optional.of(Path.of(named)).filter(Files::isDirectory);
    }
    return Stream.iterate(Path.of("").toAbsolutePath(), path -> path != null, Path::getParent)
        .map(path -> path.resolve("shared/data"))
        .filter(Files::isDirectory)
        .findFirst();
  }

  /** A file of the test data, if it is there. */
  public static Optional<Path> find(String name) {
    return folder().map(path -> path.resolve(name)).filter(Files::exists);
  }

  /** A file of the test data; skips the test if it is not there. */
  public static Path file(String name) {
    Optional<Path> file = find(name);
    assumeTrue(
        file.isPresent(), "skipped: no " + name + " in $TANDEM_TEST_DATA or in ../shared/data");
    return file.get();
  }

  /** All vocabularies for which there are vectors. */
  public static List<String> vocabularies() {
    return List.of(
        "deepseek-coder",
        "deepseek-llm",
        "falcon",
        "gemma-4",
        "gpt-2",
        "llama-bpe",
        "llama-spm",
        "mpt",
        "phi-3",
        "qwen2",
        "qwen35",
        "smollm",
        "starcoder");
  }

  /** One name for each set of rules that a pre-tokenizer can follow. */
  static Collection<String> preTokenizers() {
    Map<PreTokenizerRules, String> names = new LinkedHashMap<>();
    for (String name : PreTokenizerRules.names()) {
      names.putIfAbsent(PreTokenizerRules.named(name).orElseThrow(), name);
    }
    return names.values();
  }

  /** The metadata of a vocabulary. */
  public static GgufMetadata vocabulary(String name) {
    Path file =
        name.equals("smollm")
            ? file("models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")
            : file("vocab/" + name + ".gguf");
    return GgufFile.open(file).metadata();
  }

  /** A text and the tokens that are expected for it. */
  record Vector(String text, int[] ids) {}

  /** The vectors of a vocabulary. */
  static List<Vector> vectors(String name) {
    try {
      String[] texts = Files.readString(file("vocab/" + name + ".inp")).split(SEPARATOR, -1);
      List<String> lines = Files.readAllLines(file("vocab/" + name + ".out"));
      return Stream.iterate(0, i -> i < lines.size(), i -> i + 1)
          .map(i -> new Vector(texts[i], ids(lines.get(i))))
          .toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static int[] ids(String line) {
    return Arrays.stream(line.strip().split(" "))
        .filter(id -> !id.isEmpty())
        .mapToInt(Integer::parseInt)
        .toArray();
  }
}
