package dev.tandem.model;

import static org.junit.jupiter.api.Assumptions.abort;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/**
 * The models with known answers, which are too large for this repository: {@code
 * $TANDEM_TEST_DATA}, or {@code ../shared/data} seen from the repository's root. A test that asks
 * for one is skipped, with a message, where it is absent.
 */
public final class TestData {
  private TestData() {}

  /** A file or folder of the test data; skips the running test where it is absent. */
  public static Path path(String name) {
    Path path = root().resolve(name).normalize();
    if (!Files.exists(path)) {
      abort(path + " is absent; set TANDEM_TEST_DATA to the folder that has " + name);
    }
    return path;
  }

  /** All GGUF files in a folder of the test data and below it, in order of their names. */
  public static List<Path> models(String folder) {
    try (Stream<Path> files = Files.walk(path(folder))) {
      return files.filter(file -> file.toString().endsWith(".gguf")).sorted().toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Path root() {
    String configured = System.getenv("TANDEM_TEST_DATA");
    if (configured != null && !configured.isBlank()) {
      return Path.of(configured);
    }
    Path folder = Path.of("").toAbsolutePath();
    while (folder.getParent() != null && !Files.exists(folder.resolve("LICENSE"))) {
      folder = folder.getParent();
    }
    return folder.resolve("../shared/data");
  }
}
