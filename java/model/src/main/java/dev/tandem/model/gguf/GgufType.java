package dev.tandem.model.gguf;

import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;

/** The type of a metadata value, with the identifier that GGUF gives it. */
public enum GgufType {
  UINT8(0, 1),
  INT8(1, 1),
  UINT16(2, 2),
  INT16(3, 2),
  UINT32(4, 4),
  INT32(5, 4),
  FLOAT32(6, 4),
  BOOL(7, 1),
  STRING(8, 0),
  ARRAY(9, 0),
  UINT64(10, 8),
  INT64(11, 8),
  FLOAT64(12, 8);

  private static final GgufType[] BY_ID = values();

  private final int id;
  private final int bytes;

  GgufType(int id, int bytes) {
    this.id = id;
    this.bytes = bytes;
  }

  /** The type with this identifier, or empty if GGUF defines none. */
  public static Optional<GgufType> ofId(int id) {
    return id < 0 || id >= BY_ID.length ? Optional.empty() : Optional.of(BY_ID[id]);
  }

  /** All types with their identifiers, for messages: {@code uint8 (0), int8 (1), ...}. */
  public static String names() {
    return Arrays.stream(BY_ID).map(t -> t + " (" + t.id + ")").collect(Collectors.joining(", "));
  }

  /** GGUF's identifier. */
  public int id() {
    return id;
  }

  /** Bytes of one value; 0 for strings and arrays, whose size varies. */
  public int bytes() {
    return bytes;
  }

  /** Whether values are whole numbers. */
  public boolean isInteger() {
    return switch (this) {
      case UINT8, INT8, UINT16, INT16, UINT32, INT32, UINT64, INT64 -> true;
      case FLOAT32, FLOAT64, BOOL, STRING, ARRAY -> false;
    };
  }

  /**
   * Whether a whole number fits this integer type. A {@link #UINT64} holds any 64 bits: there, a
   * negative {@code long} stands for a value of 2^63 or more.
   */
  boolean holds(long value) {
    return switch (this) {
      case UINT8, UINT16, UINT32 -> value >>> (8 * bytes) == 0;
      case INT8 -> value == (byte) value;
      case INT16 -> value == (short) value;
      case INT32 -> value == (int) value;
      case UINT64, INT64 -> true;
      case FLOAT32, FLOAT64, BOOL, STRING, ARRAY -> false;
    };
  }

  /** The name as GGUF's specification writes it: {@code uint32}. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
