package dev.tandem.model.graph;

import dev.tandem.model.gguf.GgufMetadata;
import dev.tandem.model.gguf.ModelFormatException;

/**
 * The sizes of a transformer, as GGUF's metadata name them.
 *
 * @param architecture {@code general.architecture}
 * @param layers transformer blocks
 * @param width elements of the residual stream
 * @param heads query heads
 * @param kvHeads key and value heads; divides {@code heads}
 * @param headSize elements of a head
 * @param feedForward elements between up and down projection
 * @param vocabulary rows of the token embedding
 * @param trainedContext positions that the model was trained for
 */
public record Hyperparameters(
    String architecture,
    int layers,
    int width,
    int heads,
    int kvHeads,
    int headSize,
    int feedForward,
    int vocabulary,
    int trainedContext) {

  private static final int MOST_LAYERS = 1_000;
  private static final int MOST_WIDTH = 1 << 20;
  private static final int MOST_CONTEXT = 1 << 28;

  /**
   * Reads them.
   *
   * @param vocabulary rows of the token embedding, which the metadata do not always tell
   * @throws ModelFormatException where one is missing or absurd
   */
  public static Hyperparameters read(GgufMetadata metadata, int vocabulary) {
    String architecture = metadata.string("general.architecture");
    Reader reader = new Reader(metadata, architecture);
    int layers = reader.required("block_count", MOST_LAYERS);
    int width = reader.required("embedding_length", MOST_WIDTH);
    int heads = reader.required("attention.head_count", MOST_WIDTH);
    int kvHeads = reader.optional("attention.head_count_kv", MOST_WIDTH, heads);
    if (heads % kvHeads != 0) {
      throw reader.problem(
          "attention.head_count_kv", kvHeads + " does not divide the " + heads + " heads");
    }
    int headSize = reader.optional("attention.key_length", MOST_WIDTH, Math.max(1, width / heads));
    int valueSize = reader.optional("attention.value_length", MOST_WIDTH, headSize);
    if (valueSize != headSize) {
      throw reader.problem(
          "attention.value_length",
          "is %d, keys have %d elements; they must be equal".formatted(valueSize, headSize));
    }
    if ((long) heads * headSize > MOST_WIDTH) {
      throw reader.problem(
          "attention.key_length",
          "%d heads of %d elements are more than %d elements"
              .formatted(heads, headSize, MOST_WIDTH));
    }
    return new Hyperparameters(
        architecture,
        layers,
        width,
        heads,
        kvHeads,
        headSize,
        reader.required("feed_forward_length", MOST_WIDTH),
        vocabulary,
        reader.required("context_length", MOST_CONTEXT));
  }

  private record Reader(GgufMetadata metadata, String architecture) {

    int required(String key, int most) {
      return checked(key, metadata.integer(architecture + "." + key), most);
    }

    int optional(String key, int most, int otherwise) {
      return metadata.contains(architecture + "." + key) ? required(key, most) : otherwise;
    }

    int checked(String key, long value, int most) {
      if (value < 1 || value > most) {
        throw problem(key, value + " is not between 1 and " + most);
      }
      return (int) value;
    }

    ModelFormatException problem(String key, String problem) {
      return metadata.problem(architecture + "." + key, problem);
    }
  }
}
