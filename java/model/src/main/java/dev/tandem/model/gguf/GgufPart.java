package dev.tandem.model.gguf;

import dev.tandem.model.format.LittleEndian;
import dev.tandem.model.format.TensorType;
import dev.tandem.model.gguf.GgufValue.ArrayValue;
import dev.tandem.model.gguf.GgufValue.BoolArray;
import dev.tandem.model.gguf.GgufValue.BoolValue;
import dev.tandem.model.gguf.GgufValue.Float32Array;
import dev.tandem.model.gguf.GgufValue.Float32Value;
import dev.tandem.model.gguf.GgufValue.Float64Array;
import dev.tandem.model.gguf.GgufValue.Float64Value;
import dev.tandem.model.gguf.GgufValue.IntArray;
import dev.tandem.model.gguf.GgufValue.IntValue;
import dev.tandem.model.gguf.GgufValue.TextArray;
import dev.tandem.model.gguf.GgufValue.TextValue;
import java.io.IOException;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The parsed header of one file. The layout, all numbers little-endian:
 *
 * <pre>
 *  "GGUF"  version:u32  tensors:u64  pairs:u64
 *  pairs x    { key:text  type:u32  value }            text  = length:u64 bytes
 *  tensors x  { name:text  dimensions:u32  size:u64 x dimensions  type:u32  offset:u64 }
 *  padding to the alignment
 *  data: every tensor at its offset from here, aligned
 * </pre>
 *
 * @param file the file
 * @param size its bytes
 * @param version GGUF's version: 2 or 3
 * @param alignment what the data and every tensor in it are aligned to, in bytes
 * @param metadata the pairs
 * @param tensors the tensors in the file's order, by name, with absolute offsets
 */
record GgufPart(
    Path file,
    long size,
    int version,
    int alignment,
    GgufMetadata metadata,
    Map<String, TensorInfo> tensors) {
  static final String ALIGNMENT_KEY = "general.alignment";
  static final int DEFAULT_ALIGNMENT = 32;
  static final int MOST_DIMENSIONS = 4;

  /** Beyond the pages of any machine; a file pads every tensor to it. */
  static final int LARGEST_ALIGNMENT = 1 << 22;

  static final String ALIGNMENT_RULE =
      "the alignment must be a uint32, a power of two of at most " + LARGEST_ALIGNMENT;

  private static final int MAGIC = 0x46554747; // "GGUF"
  private static final int MOST_PAIRS = 1 << 16;
  private static final int MOST_TENSORS = 1 << 18;
  private static final int LONGEST_NAME = 65_535;
  private static final int LONGEST_TEXT = 64 << 20;
  private static final int LEAST_PAIR_BYTES = 8 + 4 + 1;
  private static final int LEAST_TENSOR_BYTES = 8 + 4 + 8 + 4 + 8;

  /**
   * Parses the header of a file.
   *
   * @param channel stands at byte 0 of a file of {@code size} bytes
   * @param index the part that the file is, for {@link TensorInfo#part}
   */
  static GgufPart parse(Path file, SeekableByteChannel channel, long size, int index)
      throws IOException {
    HeaderReader in = new HeaderReader(file, channel, size);
    int version = preamble(in);
    in.at("tensor count");
    int tensorCount = in.count("tensors", LEAST_TENSOR_BYTES, MOST_TENSORS);
    in.at("metadata count");
    int pairCount = in.count("metadata pairs", LEAST_PAIR_BYTES, MOST_PAIRS);

    Map<String, GgufValue> pairs = new LinkedHashMap<>();
    int alignment = DEFAULT_ALIGNMENT;
    for (int i = 0; i < pairCount; i++) {
      in.at("key " + i);
      String key = in.text(LONGEST_NAME);
      if (pairs.containsKey(key)) {
        throw in.problem("the key " + key + " appears twice");
      }
      in.at(key);
      GgufValue value = value(in);
      pairs.put(key, value);
      if (key.equals(ALIGNMENT_KEY)) {
        alignment = alignment(in, value);
      }
    }

    List<Entry> entries = new ArrayList<>(tensorCount);
    for (int i = 0; i < tensorCount; i++) {
      entries.add(entry(in, i));
    }
    long dataStart = Math.ceilDiv(in.position(), (long) alignment) * alignment;
    Map<String, TensorInfo> tensors = new LinkedHashMap<>();
    for (Entry entry : entries) {
      TensorInfo tensor = entry.locate(file, index, dataStart, size, alignment);
      if (tensors.put(tensor.name(), tensor) != null) {
        throw entry.problem(file, "name", entry.start, "another tensor has the same name");
      }
    }
    checkOverlaps(file, tensors);
    GgufMetadata metadata = new GgufMetadata(file, pairs);
    return new GgufPart(file, size, version, alignment, metadata, tensors);
  }

  private static int preamble(HeaderReader in) throws IOException {
    in.at("magic");
    if (in.remaining() == 0) {
      throw in.problem("the file is empty");
    }
    byte[] head = in.peek(FileKind.BYTES);
    if (head.length < Integer.BYTES || LittleEndian.getInt(head, 0) != MAGIC) {
      throw in.problem("this is not a GGUF file; it looks like " + FileKind.describe(head));
    }
    in.u32();
    in.at("version");
    int version = in.u32();
    if (version != 0 && (version & 0xFFFF) == 0) {
      throw in.problem("the file is big-endian; convert it to little-endian");
    }
    if (version < 2 || version > 3) {
      throw in.problem(Integer.toUnsignedString(version) + " is not supported; supported: 2, 3");
    }
    return version;
  }

  private static int alignment(HeaderReader in, GgufValue value) {
    if (!isAlignment(value)) {
      throw in.problem(ALIGNMENT_RULE + ", not " + value + " (" + value.kind() + ")");
    }
    return (int) ((IntValue) value).value();
  }

  /** Whether a value of {@link #ALIGNMENT_KEY} is as {@link #ALIGNMENT_RULE} says. */
  static boolean isAlignment(GgufValue value) {
    return value instanceof IntValue number
        && number.type() == GgufType.UINT32
        && number.value() <= LARGEST_ALIGNMENT
        && Long.bitCount(number.value()) == 1;
  }

  private static GgufType type(HeaderReader in) throws IOException {
    int id = in.u32();
    return GgufType.ofId(id)
        .orElseThrow(() ->
            in.problem(
                "the value type "
                    + Integer.toUnsignedString(id)
                    + " is unknown; known: "
                    + GgufType.names()));
  }

  private static GgufValue value(HeaderReader in) throws IOException {
    GgufType type = type(in);
    return switch (type) {
      case UINT8, INT8, UINT16, INT16, UINT32, INT32, UINT64, INT64 ->
          new IntValue(type, new IntArray(type, in.bytes(type.bytes())).get(0));
      case FLOAT32 -> new Float32Value(Float.intBitsToFloat(in.u32()));
      case FLOAT64 -> new Float64Value(Double.longBitsToDouble(in.u64()));
      case BOOL -> new BoolValue(bool(in, in.u8()));
      case STRING -> new TextValue(in.text(LONGEST_TEXT));
      case ARRAY -> array(in);
    };
  }

  private static ArrayValue array(HeaderReader in) throws IOException {
    GgufType type = type(in);
    if (type == GgufType.ARRAY) {
      throw in.problem("an array of arrays is not supported");
    }
    int least = type == GgufType.STRING ? Long.BYTES : type.bytes();
    int count = in.count("elements", least, Integer.MAX_VALUE / Long.BYTES);
    if (type == GgufType.STRING) {
      return new TextArray(in.texts(count));
    }
    byte[] bytes = in.bytes(count * least);
    return switch (type) {
      case FLOAT32 -> {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
          values[i] = Float.intBitsToFloat(LittleEndian.getInt(bytes, i * Float.BYTES));
        }
        yield new Float32Array(values);
      }
      case FLOAT64 -> {
        double[] values = new double[count];
        for (int i = 0; i < count; i++) {
          values[i] = Double.longBitsToDouble(LittleEndian.getLong(bytes, i * Double.BYTES));
        }
        yield new Float64Array(values);
      }
      case BOOL -> {
        boolean[] values = new boolean[count];
        for (int i = 0; i < count; i++) {
          values[i] = bool(in, bytes[i]);
        }
        yield new BoolArray(values);
      }
      default -> new IntArray(type, bytes);
    };
  }

  private static boolean bool(HeaderReader in, byte value) {
    if (value != 0 && value != 1) {
      throw in.problem("a bool is 0 or 1, not " + value);
    }
    return value == 1;
  }

  private static Entry entry(HeaderReader in, int index) throws IOException {
    long start = in.position();
    in.at("tensor " + index + ": name");
    String name = in.text(LONGEST_NAME);
    in.at("tensor " + name + ": number of dimensions");
    int dimensions = in.u32();
    if (dimensions < 1 || dimensions > MOST_DIMENSIONS) {
      throw in.problem(
          Integer.toUnsignedString(dimensions) + " is not supported; supported: 1 to 4");
    }
    List<Long> shape = new ArrayList<>(dimensions);
    for (int d = 0; d < dimensions; d++) {
      in.at("tensor " + name + ": dimension " + d);
      long extent = in.u64();
      if (extent <= 0) {
        throw in.problem(extent + " is not a positive size");
      }
      shape.add(extent);
    }
    in.at("tensor " + name + ": type");
    int id = in.u32();
    TensorType type =
        TensorType.ofId(id)
            .orElseThrow(() ->
                in.problem(
                    TensorType.describe(id)
                        + " is not supported; supported: "
                        + TensorType.names()));
    in.at("tensor " + name + ": offset");
    long offsetAt = in.position();
    return new Entry(name, type, shape, in.u64(), start, offsetAt);
  }

  /** Sorted by place, every tensor must end before the next begins. */
  private static void checkOverlaps(Path file, Map<String, TensorInfo> tensors) {
    List<TensorInfo> sorted =
        tensors.values().stream().sorted((a, b) -> Long.compare(a.offset(), b.offset())).toList();
    for (int i = 1; i < sorted.size(); i++) {
      TensorInfo before = sorted.get(i - 1);
      TensorInfo tensor = sorted.get(i);
      if (before.offset() + before.bytes() > tensor.offset()) {
        throw new ModelFormatException(
            file,
            tensor.offset(),
            "tensor " + tensor.name(),
            "overlaps tensor "
                + before.name()
                + ", whose "
                + before.bytes()
                + " bytes begin at "
                + before.offset());
      }
    }
  }

  /**
   * An entry of the tensor directory as it is written there.
   *
   * @param offset from the beginning of the data
   * @param start the byte at which the entry begins
   * @param offsetAt the byte at which its offset is written
   */
  private record Entry(
      String name, TensorType type, List<Long> shape, long offset, long start, long offsetAt) {
    TensorInfo locate(Path file, int part, long dataStart, long fileSize, int alignment) {
      long bytes = bytes(file);
      long available = fileSize - dataStart;
      if (offset < 0 || offset > available || bytes > available - offset) {
        throw problem(
            file,
            "offset",
            offsetAt,
            bytes
                + " bytes at "
                + Long.toUnsignedString(offset)
                + " of the data, which begins at byte "
                + dataStart
                + ", lie beyond the end of the file at byte "
                + fileSize
                + ": it is truncated or damaged");
      }
      if (offset % alignment != 0) {
        throw problem(
            file, "offset", offsetAt, offset + " is not a multiple of the alignment " + alignment);
      }
      return new TensorInfo(name, type, shape, part, dataStart + offset, bytes);
    }

    private long bytes(Path file) {
      if (shape.get(0) % type.blockElements() != 0) {
        throw problem(
            file,
            "shape",
            start,
            "a row of "
                + shape.get(0)
                + " elements is not a whole number of "
                + type
                + " blocks of "
                + type.blockElements());
      }
      try {
        long elements = shape.stream().reduce(1L, Math::multiplyExact);
        return type.rowBytes(elements);
      } catch (ArithmeticException e) {
        throw problem(file, "shape", start, shape + " is absurd: its size overflows 64 bits");
      }
    }

    ModelFormatException problem(Path file, String field, long at, String problem) {
      return new ModelFormatException(file, at, "tensor " + name + ": " + field, problem);
    }
  }
}
