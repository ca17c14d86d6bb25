package dev.tandem.model.format;

import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * How the elements of a tensor are stored, with the identifier that GGUF gives it.
 *
 * <p>A row of {@code n} elements is {@code n / blockElements} blocks of {@code blockBytes} bytes.
 * The layouts of the blocks are those of GGML; {@link BlockCodec} decodes them.
 */
public enum TensorType {
  F32(0, 1, 4),
  F16(1, 1, 2),
  Q4_0(2, 32, 18),
  Q4_1(3, 32, 20),
  Q5_0(6, 32, 22),
  Q5_1(7, 32, 24),
  Q8_0(8, 32, 34),
  Q2_K(10, 256, 84),
  Q3_K(11, 256, 110),
  Q4_K(12, 256, 144),
  Q5_K(13, 256, 176),
  Q6_K(14, 256, 210),
  IQ4_NL(20, 32, 18),
  IQ4_XS(23, 256, 136),
  I8(24, 1, 1),
  I16(25, 1, 2),
  I32(26, 1, 4),
  I64(27, 1, 8),
  F64(28, 1, 8),
  BF16(30, 1, 2),
  MXFP4(39, 32, 17);

  private static final TensorType[] BY_ID = byId();

  /** Types that GGML defines and this project does not read; their names are for messages. */
  private static final Map<Integer, String> OTHERS =
      Map.ofEntries(
          Map.entry(9, "Q8_1"),
          Map.entry(15, "Q8_K"),
          Map.entry(16, "IQ2_XXS"),
          Map.entry(17, "IQ2_XS"),
          Map.entry(18, "IQ3_XXS"),
          Map.entry(19, "IQ1_S"),
          Map.entry(21, "IQ3_S"),
          Map.entry(22, "IQ2_S"),
          Map.entry(29, "IQ1_M"),
          Map.entry(34, "TQ1_0"),
          Map.entry(35, "TQ2_0"),
          Map.entry(40, "NVFP4"),
          Map.entry(41, "Q1_0"));

  private final int id;
  private final int blockElements;
  private final int blockBytes;

  TensorType(int id, int blockElements, int blockBytes) {
    this.id = id;
    this.blockElements = blockElements;
    this.blockBytes = blockBytes;
  }

  /** The type with this GGUF identifier, or empty if this project does not know it. */
  public static Optional<TensorType> ofId(int id) {
    return id < 0 || id >= BY_ID.length ? Optional.empty() : Optional.ofNullable(BY_ID[id]);
  }

  /**
   * What an identifier stands for, known to this project or not, for messages: {@code 19 (IQ1_S)}.
   */
  public static String describe(int id) {
    String name = ofId(id).map(Enum::name).orElse(OTHERS.getOrDefault(id, "unknown"));
    return Integer.toUnsignedString(id) + " (" + name + ")";
  }

  /** All names, for messages: {@code F32, F16, Q4_0, ...}. */
  public static String names() {
    return Arrays.stream(values()).map(Enum::name).collect(Collectors.joining(", "));
  }

  /** GGUF's identifier. */
  public int id() {
    return id;
  }

  /** Elements of one block; a row's length is a multiple of it. */
  public int blockElements() {
    return blockElements;
  }

  /** Bytes of one block. */
  public int blockBytes() {
    return blockBytes;
  }

  /**
   * Bytes of a row of {@code elements}.
   *
   * @throws IllegalArgumentException if it is not a whole number of blocks
   * @throws ArithmeticException if the bytes exceed 64 bits
   */
  public long rowBytes(long elements) {
    if (elements < 0 || elements % blockElements != 0) {
      throw new IllegalArgumentException(
          name()
              + ": a row of "
              + elements
              + " elements is not a whole number of blocks of "
              + blockElements);
    }
    return Math.multiplyExact(elements / blockElements, (long) blockBytes);
  }

  private static TensorType[] byId() {
    int largest = Arrays.stream(values()).mapToInt(TensorType::id).max().orElse(0);
    TensorType[] types = new TensorType[largest + 1];
    for (TensorType type : values()) {
      types[type.id] = type;
    }
    return types;
  }
}
