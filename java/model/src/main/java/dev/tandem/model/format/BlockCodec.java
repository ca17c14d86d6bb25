package dev.tandem.model.format;

import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Decodes and encodes the blocks of one {@link TensorType}.
 *
 * <p>Decoding follows GGML's definition of the format, with its order of single-precision
 * operations, so that the values are bit for bit those that GGML computes. Encoding is plain: every
 * value to the nearest code, the scale from the largest magnitude or from minimum and maximum of a
 * (sub-)block; it does not search for better scales as GGML's quantisers do.
 */
public abstract sealed class BlockCodec permits PlainCodec, LegacyCodec, SuperCodec, CodebookCodec {
  private static final Map<TensorType, BlockCodec> CODECS = codecs();

  private final TensorType type;

  BlockCodec(TensorType type) {
    this.type = type;
  }

  /**
   * The codec of a type.
   *
   * @throws IllegalArgumentException if there is none; the message lists those that there are
   */
  public static BlockCodec of(TensorType type) {
    BlockCodec codec = CODECS.get(type);
    if (codec == null) {
      throw new IllegalArgumentException(
          "type "
              + type
              + " cannot be decoded; supported: "
              + supported().stream().map(Enum::name).collect(Collectors.joining(", ")));
    }
    return codec;
  }

  /** The types that have a codec. */
  public static List<TensorType> supported() {
    return Arrays.stream(TensorType.values()).filter(CODECS::containsKey).toList();
  }

  /** The type whose blocks these are. */
  public final TensorType type() {
    return type;
  }

  /**
   * Decodes whole blocks.
   *
   * @param blocks has the first block at {@code from}
   * @param values receives {@code elements} values from {@code at} on
   * @throws IllegalArgumentException if {@code elements} is not a whole number of blocks
   */
  public final void decode(byte[] blocks, int from, float[] values, int at, int elements) {
    int count = blocks(elements);
    for (int b = 0; b < count; b++) {
      decodeBlock(blocks, from + b * type.blockBytes(), values, at + b * type.blockElements());
    }
  }

  /** Decodes whole blocks; the values are those in single precision, widened. */
  public final void decode(byte[] blocks, int from, double[] values, int at, int elements) {
    int count = blocks(elements);
    float[] block = new float[type.blockElements()];
    for (int b = 0; b < count; b++) {
      decodeBlock(blocks, from + b * type.blockBytes(), block, 0);
      for (int i = 0; i < block.length; i++) {
        values[at + b * block.length + i] = block[i];
      }
    }
  }

  /**
   * Decodes all blocks of an array.
   *
   * @throws IllegalArgumentException if its length is not a whole number of blocks
   */
  public final float[] decode(byte[] blocks) {
    if (blocks.length % type.blockBytes() != 0) {
      throw new IllegalArgumentException(
          blocks.length
              + " bytes are not a whole number of "
              + type
              + " blocks of "
              + type.blockBytes());
    }
    int elements = Math.multiplyExact(blocks.length / type.blockBytes(), type.blockElements());
    float[] values = new float[elements];
    decode(blocks, 0, values, 0, elements);
    return values;
  }

  /**
   * Encodes finite values as whole blocks.
   *
   * @param values has {@code elements} values from {@code from} on
   * @param blocks receives the first block at {@code at}
   * @throws IllegalArgumentException if {@code elements} is not a whole number of blocks
   */
  public final void encode(float[] values, int from, byte[] blocks, int at, int elements) {
    int count = blocks(elements);
    for (int b = 0; b < count; b++) {
      encodeBlock(values, from + b * type.blockElements(), blocks, at + b * type.blockBytes());
    }
  }

  /** Encodes all values of an array; see {@link #encode(float[], int, byte[], int, int)}. */
  public final byte[] encode(float[] values) {
    byte[] blocks = new byte[Math.toIntExact(type.rowBytes(values.length))];
    encode(values, 0, blocks, 0, values.length);
    return blocks;
  }

  abstract void decodeBlock(byte[] block, int from, float[] values, int at);

  abstract void encodeBlock(float[] values, int from, byte[] block, int at);

  /** The code nearest to {@code value}, within bounds. */
  static int nearest(float value, int least, int largest) {
    return Math.clamp(Math.round(value), least, largest);
  }

  /** The value of the largest magnitude, with its sign. */
  static float largest(float[] values, int from, int count) {
    float largest = 0;
    for (int i = from; i < from + count; i++) {
      if (Math.abs(values[i]) > Math.abs(largest)) {
        largest = values[i];
      }
    }
    return largest;
  }

  /** 1 / value, or 0 where that would not be a finite number: a block of zeros has scale 0. */
  static float inverse(float value) {
    float inverse = 1 / value;
    return Float.isFinite(inverse) ? inverse : 0;
  }

  private int blocks(int elements) {
    return Math.toIntExact(type.rowBytes(elements) / type.blockBytes());
  }

  private static Map<TensorType, BlockCodec> codecs() {
    return Stream.of(PlainCodec.all(), LegacyCodec.all(), SuperCodec.all(), CodebookCodec.all())
        .flatMap(List::stream)
        .collect(
            Collectors.toMap(
                BlockCodec::type,
                codec -> codec,
                (a, b) -> a,
                () -> new EnumMap<>(TensorType.class)));
  }
}
