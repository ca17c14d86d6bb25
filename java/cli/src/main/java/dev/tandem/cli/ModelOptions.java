package dev.tandem.cli;

import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import picocli.CommandLine.Option;

/** Which model. */
final class ModelOptions {

  @Option(
      names = {"-m", "--model"},
      paramLabel = "FILE",
      description = "GGUF model (of a split one, any part). Default: the built-in story model.")
  private Optional<Path> file = Optional.empty();

  /** The file, the built-in model if none was named. */
  Path file() {
    return file.orElseGet(BuiltInModel::file);
  }

  /** The story model that comes with the product: beside the jars, or in the sources. */
  static final class BuiltInModel {
    private static final String NAME = "models/stories.gguf";

    private BuiltInModel() {}

    static Path file() {
      Path code = codeLocation();
      for (Path folder = code.getParent(); folder != null; folder = folder.getParent()) {
        for (String place : new String[] {NAME, "src/main/dist/" + NAME}) {
          if (Files.isRegularFile(folder.resolve(place))) {
            return folder.resolve(place);
          }
        }
      }
      throw new Main.FailureException(
          "the built-in model (%s) is not beside %s; name a model with -m".formatted(NAME, code));
    }

    private static Path codeLocation() {
      try {
        return Path.of(Main.class.getProtectionDomain().getCodeSource().getLocation().toURI());
      } catch (URISyntaxException e) {
        throw new IllegalStateException(e);
      }
    }
  }
}
