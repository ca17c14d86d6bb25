package dev.tandem.model;

import java.util.List;
import java.util.stream.Collectors;

/**
 * The sizes that make a model of the Llama family.
 *
 * @param name what to call it
 * @param layers transformer layers
 * @param width elements of the residual stream
 * @param heads query heads of a layer
 * @param kvHeads key and value heads of a layer; divides {@code heads}
 * @param headSize elements of a head, even
 * @param feedForward elements of the gated activation
 * @param vocabulary tokens
 * @param context tokens of the longest sequence it is trained for
 * @param ropeBase the base of the rotary embedding's frequencies
 * @param tiedEmbeddings whether the output head is the embedding matrix
 * @param normEpsilon what RMSNorm adds to the mean square
 */
public record ModelShape(
    String name,
    int layers,
    int width,
    int heads,
    int kvHeads,
    int headSize,
    int feedForward,
    int vocabulary,
    int context,
    float ropeBase,
    boolean tiedEmbeddings,
    float normEpsilon) {
  private static final List<ModelShape> KNOWN =
      List.of(
          new ModelShape(
              "llama-3.2-1b", 16, 2048, 32, 8, 64, 8192, 128_256, 131_072, 500_000, true, 1e-5f),
          new ModelShape(
              "llama-3-8b", 32, 4096, 32, 8, 128, 14_336, 128_256, 8192, 500_000, false, 1e-5f),
          new ModelShape(
              "smollm2-135m", 30, 576, 9, 3, 64, 1536, 49_152, 8192, 100_000, true, 1e-5f),
          new ModelShape(
              "tinyllama-1.1b", 22, 2048, 32, 4, 64, 5632, 32_000, 2048, 10_000, false, 1e-5f),
          new ModelShape("stories", 4, 256, 8, 4, 32, 768, 1376, 256, 10_000, true, 1e-5f));

  public ModelShape {
    positive("layers", layers);
    positive("width", width);
    positive("heads", heads);
    positive("kvHeads", kvHeads);
    positive("headSize", headSize);
    positive("feedForward", feedForward);
    positive("vocabulary", vocabulary);
    positive("context", context);
    if (heads % kvHeads != 0) {
      throw new IllegalArgumentException(
          heads + " heads cannot be shared by " + kvHeads + " key and value heads; use a divisor");
    }
    if (headSize % 2 != 0) {
      throw new IllegalArgumentException(
          "a head of " + headSize + " elements cannot be rotated in pairs; use an even size");
    }
  }

  /** The shapes of well-known models. */
  public static List<ModelShape> known() {
    return KNOWN;
  }

  /** The names of {@link #known}, for messages: {@code llama-3.2-1b, llama-3-8b, ...}. */
  public static String names() {
    return KNOWN.stream().map(ModelShape::name).collect(Collectors.joining(", "));
  }

  /**
   * The well-known shape of this name.
   *
   * @throws IllegalArgumentException if there is none; the message lists those that there are
   */
  public static ModelShape named(String name) {
    return KNOWN.stream()
        .filter(shape -> shape.name.equalsIgnoreCase(name))
        .findFirst()
        .orElseThrow(() ->
            new IllegalArgumentException("the shape " + name + " is unknown; known: " + names()));
  }

  /** This shape with an output head of its own, or without. */
  public ModelShape withTiedEmbeddings(boolean tied) {
    return new ModelShape(
        name,
        layers,
        width,
        heads,
        kvHeads,
        headSize,
        feedForward,
        vocabulary,
        context,
        ropeBase,
        tied,
        normEpsilon);
  }

  /** Elements of all query heads together. */
  public int queryWidth() {
    return heads * headSize;
  }

  /** Elements of all key heads together, and of all value heads. */
  public int kvWidth() {
    return kvHeads * headSize;
  }

  private static void positive(String what, int size) {
    if (size <= 0) {
      throw new IllegalArgumentException(what + " is " + size + ", but must be positive");
    }
  }
}
