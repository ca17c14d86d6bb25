package dev.tandem.runtime;

import java.util.Arrays;
import java.util.Optional;
import java.util.stream.Collectors;

/** The element types that devices compute with; those of weights have GGUF's identifiers. */
public enum ElementType {
  F32(Native.TD_F32),
  F16(Native.TD_F16),
  BF16(Native.TD_BF16),
  Q8_0(Native.TD_Q8_0),
  Q4_0(Native.TD_Q4_0),
  Q4_1(Native.TD_Q4_1),
  Q4_K(Native.TD_Q4_K),
  Q6_K(Native.TD_Q6_K),
  I32(Native.TD_I32),
  F64(Native.TD_F64),
  /** Activations as int8 with a scale per 32. */
  ACT8(Native.TD_ACT8),
  /** Activations as bf16. */
  ACTBF16(Native.TD_ACTBF16);

  private final int code;

  ElementType(int code) {
    this.code = code;
  }

  /** Identifier in tandem.h; for weights also in GGUF. */
  public int code() {
    return code;
  }

  /** Whether weights can have this type. */
  public boolean isWeight() {
    return ordinal() <= Q6_K.ordinal();
  }

  /** The weight type with GGUF's identifier, or empty if devices do not compute with it. */
  public static Optional<ElementType> ofWeight(int ggufId) {
    return Arrays.stream(values()).filter(t -> t.isWeight() && t.code == ggufId).findFirst();
  }

  /** The names of all weight types, for messages. */
  public static String weightNames() {
    return Arrays.stream(values())
        .filter(ElementType::isWeight)
        .map(Enum::name)
        .collect(Collectors.joining(", "));
  }

  static ElementType of(int code) {
    return Arrays.stream(values()).filter(t -> t.code == code).findFirst().orElseThrow();
  }

  /**
   * Bytes of a tensor of this type.
   *
   * @throws RuntimeFailure if the type has no such layout or a row is no whole number of blocks
   */
  public long bytes(Layout layout, long rows, long columns) {
    return Calls.check(Native.td_tensor_bytes(code, layout.code(), rows, columns));
  }
}
