package dev.tandem.model.family;

import dev.tandem.model.gguf.GgufFile;
import dev.tandem.model.graph.OperatorGraph;

/**
 * A family of models: how the metadata and tensors of a file become operators. A family is one
 * small file that reads like the model's diagram; families differ in data, never by device, format
 * or phase.
 */
public interface Family {

  /** The value of {@code general.architecture} that this family reads. */
  String architecture();

  /**
   * The graph of a model.
   *
   * @throws dev.tandem.model.gguf.ModelFormatException where the file lacks something or asks for
   *     what this family does not do
   */
  OperatorGraph graph(GgufFile file);
}
