package dev.tandem.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Where the built-in model is looked for: beside the code, and nowhere else. */
class ModelOptionsTest {

  @TempDir Path folder;

  private Path file(String path) throws IOException {
    Path file = folder.resolve(path);
    Files.createDirectories(file.getParent());
    return Files.writeString(file, "");
  }

  @Test
  void inADistribution() throws IOException {
    Path model = file("dist/models/stories.gguf");
    assertEquals(model, ModelOptions.builtIn(file("dist/lib/tandem-cli.jar")));
  }

  @Test
  void inTheSources() throws IOException {
    Path model = file("cli/src/main/dist/models/stories.gguf");
    Path classes = Files.createDirectories(folder.resolve("cli/target/classes"));
    assertEquals(model, ModelOptions.builtIn(classes));
  }

  @Test
  void aMissingOneIsToldAndNotLookedForElsewhere() throws IOException {
    file("models/stories.gguf");
    Path jar = file("dist/lib/tandem-cli.jar");
    Failure failure = assertThrows(Failure.class, () -> ModelOptions.builtIn(jar));
    assertTrue(
        failure.getMessage().endsWith("is missing: name a model with -m"), failure.getMessage());
  }
}
