package dev.tandem.cli;

import dev.tandem.model.ModelShape;
import dev.tandem.model.SyntheticModel;
import dev.tandem.model.format.TensorType;
import java.nio.file.Path;

/** Models of random weights for tests. */
final class Models {

  private Models() {}

  /** The smallest shape that has more than one of everything. */
  static ModelShape tiny(String name) {
    return new ModelShape(name, 2, 64, 4, 2, 16, 96, 512, 128, 10_000, true, 1e-5f);
  }

  /** Writes a tiny model and returns its file. */
  static Path tiny(Path folder, TensorType type) {
    Path file = folder.resolve("tiny-" + type + ".gguf");
    ModelShape shape = tiny("tiny " + type);
    if (shape.width() % type.blockElements() != 0) {
      shape = new ModelShape("tiny " + type, 1, 256, 4, 2, 64, 256, 512, 128, 10_000, true, 1e-5f);
    }
    return SyntheticModel.write(file, shape, SyntheticModel.Options.of(type)).file();
  }
}
