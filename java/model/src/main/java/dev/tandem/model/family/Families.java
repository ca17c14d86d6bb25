package dev.tandem.model.family;

import dev.tandem.model.gguf.GgufFile;
import java.util.List;
import java.util.stream.Collectors;

/** The families that this project knows. */
public final class Families {

  private static final List<Family> ALL = List.of(new LlamaFamily());

  private Families() {}

  /**
   * The family of a file.
   *
   * @throws dev.tandem.model.gguf.ModelFormatException naming the architecture and the supported
   *     ones
   */
  public static Family of(GgufFile file) {
    String architecture = file.metadata().string("general.architecture");
    return ALL.stream()
        .filter(family -> family.architecture().equals(architecture))
        .findFirst()
        .orElseThrow(() ->
            file.metadata()
                .problem(
                    "general.architecture",
                    "'%s' is not supported; supported: %s".formatted(architecture, names())));
  }

  /** All architectures, for messages. */
  public static String names() {
    return ALL.stream().map(Family::architecture).collect(Collectors.joining(", "));
  }
}
