package dev.tandem.model.gguf;

import dev.tandem.model.format.LittleEndian;
import java.util.Arrays;
import java.util.Collection;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * A metadata value, with the type that the file gives it, so that it can be written again exactly.
 *
 * <p>Arrays are shared, not copied: whoever gets one must not change it. Arrays of arrays are not
 * supported.
 */
public sealed interface GgufValue {
  /** The type of the value; {@link GgufType#ARRAY} for every array. */
  GgufType type();

  /**
   * A whole number of 8 to 64 bits.
   *
   * @param type one of the integer types
   * @param value the number; for {@code uint64} its 64 bits, so that 2^63 and more are negative
   *     here
   */
  record IntValue(GgufType type, long value) implements GgufValue {
    public IntValue {
      if (!type.isInteger() || !type.holds(value)) {
        throw new IllegalArgumentException(value + " does not fit the type " + type);
      }
    }

    @Override
    public String toString() {
      return type == GgufType.UINT64 ? Long.toUnsignedString(value) : Long.toString(value);
    }
  }

  /** A number in single precision. */
  record Float32Value(float value) implements GgufValue {
    @Override
    public GgufType type() {
      return GgufType.FLOAT32;
    }

    @Override
    public String toString() {
      return Float.toString(value);
    }
  }

  /** A number in double precision. */
  record Float64Value(double value) implements GgufValue {
    @Override
    public GgufType type() {
      return GgufType.FLOAT64;
    }

    @Override
    public String toString() {
      return Double.toString(value);
    }
  }

  /** Yes or no. */
  record BoolValue(boolean value) implements GgufValue {
    @Override
    public GgufType type() {
      return GgufType.BOOL;
    }

    @Override
    public String toString() {
      return Boolean.toString(value);
    }
  }

  /** A text. */
  record TextValue(String value) implements GgufValue {
    @Override
    public GgufType type() {
      return GgufType.STRING;
    }

    @Override
    public String toString() {
      return value;
    }
  }

  /** A list of values of one type. */
  sealed interface ArrayValue extends GgufValue {
    @Override
    default GgufType type() {
      return GgufType.ARRAY;
    }

    /** The type of every element. */
    GgufType elementType();

    /** The number of elements. */
    int size();
  }

  /**
   * Whole numbers of one type, kept as compactly as the file has them.
   *
   * @param elementType one of the integer types
   * @param littleEndian the numbers one after the other, {@code elementType.bytes()} each
   */
  record IntArray(GgufType elementType, byte[] littleEndian) implements ArrayValue {
    public IntArray {
      if (!elementType.isInteger() || littleEndian.length % elementType.bytes() != 0) {
        throw new IllegalArgumentException(
            littleEndian.length + " bytes are not a list of numbers of the type " + elementType);
      }
    }

    /** The array of these numbers; see {@link IntValue} for {@code uint64}. */
    public static IntArray of(GgufType elementType, long... values) {
      int width = elementType.bytes();
      byte[] bytes = new byte[values.length * width];
      for (int i = 0; i < values.length; i++) {
        long value = new IntValue(elementType, values[i]).value();
        for (int b = 0; b < width; b++) {
          bytes[i * width + b] = (byte) (value >>> 8 * b);
        }
      }
      return new IntArray(elementType, bytes);
    }

    @Override
    public int size() {
      return littleEndian.length / elementType.bytes();
    }

    /** Number {@code index}; see {@link IntValue} for {@code uint64}. */
    public long get(int index) {
      int at = index * elementType.bytes();
      return switch (elementType) {
        case UINT8 -> littleEndian[at] & 0xFF;
        case INT8 -> littleEndian[at];
        case UINT16 -> LittleEndian.getShort(littleEndian, at) & 0xFFFF;
        case INT16 -> LittleEndian.getShort(littleEndian, at);
        case UINT32 -> LittleEndian.getInt(littleEndian, at) & 0xFFFF_FFFFL;
        case INT32 -> LittleEndian.getInt(littleEndian, at);
        case UINT64, INT64 -> LittleEndian.getLong(littleEndian, at);
        case FLOAT32, FLOAT64, BOOL, STRING, ARRAY -> throw new AssertionError(elementType);
      };
    }

    @Override
    public boolean equals(Object other) {
      return other instanceof IntArray array
          && elementType == array.elementType
          && Arrays.equals(littleEndian, array.littleEndian);
    }

    @Override
    public int hashCode() {
      return 31 * elementType.hashCode() + Arrays.hashCode(littleEndian);
    }

    @Override
    public String toString() {
      return beginning(this, i -> new IntValue(elementType, get(i)).toString());
    }
  }

  /** Numbers in single precision. */
  record Float32Array(float[] values) implements ArrayValue {
    @Override
    public GgufType elementType() {
      return GgufType.FLOAT32;
    }

    @Override
    public int size() {
      return values.length;
    }

    @Override
    public boolean equals(Object other) {
      return other instanceof Float32Array array && Arrays.equals(values, array.values);
    }

    @Override
    public int hashCode() {
      return Arrays.hashCode(values);
    }

    @Override
    public String toString() {
      return beginning(this, i -> Float.toString(values[i]));
    }
  }

  /** Numbers in double precision. */
  record Float64Array(double[] values) implements ArrayValue {
    @Override
    public GgufType elementType() {
      return GgufType.FLOAT64;
    }

    @Override
    public int size() {
      return values.length;
    }

    @Override
    public boolean equals(Object other) {
      return other instanceof Float64Array array && Arrays.equals(values, array.values);
    }

    @Override
    public int hashCode() {
      return Arrays.hashCode(values);
    }

    @Override
    public String toString() {
      return beginning(this, i -> Double.toString(values[i]));
    }
  }

  /** A list of yes or no. */
  record BoolArray(boolean[] values) implements ArrayValue {
    @Override
    public GgufType elementType() {
      return GgufType.BOOL;
    }

    @Override
    public int size() {
      return values.length;
    }

    @Override
    public boolean equals(Object other) {
      return other instanceof BoolArray array && Arrays.equals(values, array.values);
    }

    @Override
    public int hashCode() {
      return Arrays.hashCode(values);
    }

    @Override
    public String toString() {
      return beginning(this, i -> Boolean.toString(values[i]));
    }
  }

  /** Texts, or pieces of text that need not be whole characters. */
  record TextArray(StringTable values) implements ArrayValue {
    @Override
    public GgufType elementType() {
      return GgufType.STRING;
    }

    @Override
    public int size() {
      return values.size();
    }

    @Override
    public String toString() {
      return beginning(this, values::string);
    }
  }

  /** A {@code uint32}, the type that GGUF uses for sizes and counts. */
  static GgufValue uint32(long value) {
    return new IntValue(GgufType.UINT32, value);
  }

  /** A {@code float32}. */
  static GgufValue float32(float value) {
    return new Float32Value(value);
  }

  /** A {@code bool}. */
  static GgufValue bool(boolean value) {
    return new BoolValue(value);
  }

  /** A {@code string}. */
  static GgufValue text(String value) {
    return new TextValue(value);
  }

  /** An array of {@code string}. */
  static GgufValue texts(Collection<String> values) {
    return new TextArray(StringTable.of(values));
  }

  /** An array of {@code int32}. */
  static GgufValue int32s(int... values) {
    return IntArray.of(GgufType.INT32, Arrays.stream(values).asLongStream().toArray());
  }

  /** An array of {@code float32}. */
  static GgufValue float32s(float... values) {
    return new Float32Array(values);
  }

  /** What the value is, for messages: {@code uint32}, {@code array of string}. */
  default String kind() {
    return this instanceof ArrayValue array ? "array of " + array.elementType() : type().toString();
  }

  private static String beginning(
      ArrayValue array, java.util.function.IntFunction<String> element) {
    int shown = Math.min(array.size(), 8);
    return IntStream.range(0, shown)
        .mapToObj(element)
        .collect(Collectors.joining(", ", "[", shown < array.size() ? ", ...]" : "]"));
  }
}
