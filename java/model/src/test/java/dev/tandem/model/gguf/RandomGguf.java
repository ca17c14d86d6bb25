package dev.tandem.model.gguf;

import dev.tandem.model.format.TensorType;
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
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;

/**
 * Random metadata and tensors, the same for the same seed.
 *
 * @param metadata every type of value, in random order
 * @param tensors shapes by name
 * @param bytes the tensors' contents by name
 */
record RandomGguf(
    Map<String, GgufValue> metadata, Map<String, Shape> tensors, Map<String, byte[]> bytes) {
  /** What a tensor is declared to be. */
  record Shape(TensorType type, List<Long> extents) {}

  static RandomGguf of(long seed, int pairs, int tensorCount) {
    Random random = new Random(seed);
    Map<String, GgufValue> metadata = new LinkedHashMap<>();
    if (random.nextBoolean()) {
      metadata.put("general.alignment", GgufValue.uint32(1L << random.nextInt(10)));
    }
    for (int i = 0; i < pairs; i++) {
      metadata.put("key." + i + "." + text(random, 8), value(random));
    }
    Map<String, Shape> tensors = new LinkedHashMap<>();
    Map<String, byte[]> bytes = new LinkedHashMap<>();
    for (int i = 0; i < tensorCount; i++) {
      String name = "tensor." + i + "." + text(random, 8);
      TensorType type = TensorType.values()[random.nextInt(TensorType.values().length)];
      List<Long> extents = new ArrayList<>();
      extents.add((long) type.blockElements() * (1 + random.nextInt(3)));
      for (int d = random.nextInt(4); d > 0; d--) {
        extents.add(1L + random.nextInt(3));
      }
      long elements = extents.stream().reduce(1L, (a, b) -> a * b);
      byte[] content = new byte[(int) type.rowBytes(elements)];
      random.nextBytes(content);
      tensors.put(name, new Shape(type, extents));
      bytes.put(name, content);
    }
    return new RandomGguf(metadata, tensors, bytes);
  }

  GgufWriter writer() {
    GgufWriter writer = new GgufWriter().putAll(metadata);
    tensors.forEach(
        (name, shape) -> writer.tensor(name, shape.type(), shape.extents(), bytes.get(name)));
    return writer;
  }

  private static GgufValue value(Random random) {
    GgufType type = GgufType.values()[random.nextInt(GgufType.values().length)];
    return switch (type) {
      case FLOAT32 -> new Float32Value(Float.intBitsToFloat(random.nextInt()));
      case FLOAT64 -> new Float64Value(Double.longBitsToDouble(random.nextLong()));
      case BOOL -> new BoolValue(random.nextBoolean());
      case STRING -> new TextValue(text(random, 40));
      case ARRAY -> array(random, random.nextInt(20));
      default -> new IntValue(type, integer(type, random));
    };
  }

  private static GgufValue array(Random random, int size) {
    GgufType type = GgufType.values()[random.nextInt(GgufType.values().length)];
    return switch (type) {
      case FLOAT32 -> {
        float[] values = new float[size];
        for (int i = 0; i < size; i++) {
          values[i] = Float.intBitsToFloat(random.nextInt());
        }
        yield new Float32Array(values);
      }
      case FLOAT64 -> new Float64Array(random.doubles(size, -1e300, 1e300).toArray());
      case BOOL -> {
        boolean[] values = new boolean[size];
        for (int i = 0; i < size; i++) {
          values[i] = random.nextBoolean();
        }
        yield new BoolArray(values);
      }
      case STRING, ARRAY ->
          new TextArray(
              StringTable.of(IntStream.range(0, size).mapToObj(i -> text(random, 12)).toList()));
      default -> {
        long[] values = new long[size];
        for (int i = 0; i < size; i++) {
          values[i] = integer(type, random);
        }
        yield IntArray.of(type, values);
      }
    };
  }

  private static long integer(GgufType type, Random random) {
    long bits = random.nextLong();
    return switch (type) {
      case UINT8 -> bits & 0xFF;
      case INT8 -> (byte) bits;
      case UINT16 -> bits & 0xFFFF;
      case INT16 -> (short) bits;
      case UINT32 -> bits & 0xFFFF_FFFFL;
      case INT32 -> (int) bits;
      default -> bits;
    };
  }

  /** Up to {@code longest} characters of one to four bytes each. */
  private static String text(Random random, int longest) {
    int[] firsts = {' ', 0xA1, 0x4E00, 0x1F600};
    StringBuilder text = new StringBuilder();
    for (int i = random.nextInt(longest + 1); i > 0; i--) {
      text.appendCodePoint(firsts[random.nextInt(firsts.length)] + random.nextInt(64));
    }
    return text.toString();
  }
}
