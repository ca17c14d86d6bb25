package dev.tandem.model;

import dev.tandem.model.family.Families;
import dev.tandem.model.gguf.GgufFile;
import dev.tandem.model.graph.OperatorGraph;
import java.nio.file.Path;

/**
 * A model file and what it computes.
 *
 * @param file metadata and tensor directory
 * @param graph its operators
 */
public record Model(GgufFile file, OperatorGraph graph) {

  /**
   * Opens a model file; reads its header only.
   *
   * @throws dev.tandem.model.gguf.ModelFormatException naming file, offset and field of what is
   *     wrong
   */
  public static Model open(Path path) {
    GgufFile file = GgufFile.open(path);
    return new Model(file, Families.of(file).graph(file));
  }

  /** {@code general.name}, or the file's name. */
  public String name() {
    return file.metadata()
        .findString("general.name")
        .orElseGet(() -> file.parts().getFirst().getFileName().toString());
  }
}
