package dev.tandem.engine;

import dev.tandem.model.format.TensorType;
import dev.tandem.runtime.ElementType;
import java.util.Arrays;
import java.util.List;

/** The formats of weights that the engine computes with. */
final class Formats {

  static final List<TensorType> COMPUTED_WITH =
      Arrays.stream(TensorType.values())
          .filter(type -> ElementType.ofWeight(type.id()).isPresent())
          .toList();

  private Formats() {}
}
