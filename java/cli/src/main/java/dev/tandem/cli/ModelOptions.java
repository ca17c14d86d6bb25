package dev.tandem.cli;

import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import picocli.CommandLine.Option;

/** Which model. */
final class ModelOptions {

  /** The story model, in the distribution and in the sources. */
  private static final String BUILT_IN = "models/stories.gguf";

  @Option(
      names = {"-m", "--model"},
      paramLabel = "FILE",
      description = "GGUF model (of a split one, any part). Default: the built-in story model.")
  private Optional<Path> file = Optional.empty();

  /** The file, the built-in model if none was named. */
  Path file() {
    return file(file);
  }

  /** This file, or the built-in model. */
  static Path file(Optional<Path> named) {
    return named.orElseGet(() -> builtIn(code()));
  }

  /**
   * The story model that comes with the product.
   *
   * @param code lib/tandem-cli.jar of a distribution, or target/classes in the sources
   */
  static Path builtIn(Path code) {
    Path place =
        Files.isDirectory(code)
            ? code.resolve("../../src/main/dist").resolve(BUILT_IN)
            : code.resolveSibling("..").resolve(BUILT_IN);
    Path model = place.normalize();
    if (!Files.isRegularFile(model)) {
      throw new Failure("the built-in model, " + model + ", is missing: name a model with -m");
    }
    return model;
  }

  private static Path code() {
    try {
      return Path.of(Main.class.getProtectionDomain().getCodeSource().getLocation().toURI());
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }
}
