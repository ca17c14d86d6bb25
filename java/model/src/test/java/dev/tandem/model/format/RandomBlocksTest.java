package dev.tandem.model.format;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class RandomBlocksTest {
  private static final int ELEMENTS = 1 << 20;

  static Stream<TensorType> types() {
    return BlockCodec.supported().stream();
  }

  @ParameterizedTest
  @MethodSource("types")
  void haveTheWantedMeanAndDeviation(TensorType type) {
    for (double deviation : List.of(1.0, 0.0156, 0.006)) {
      float[] values = BlockCodec.of(type).decode(blocks(type, deviation, 3));
      double sum = 0;
      double squares = 0;
      float most = 0;
      for (float value : values) {
        assertTrue(Float.isFinite(value), type.toString());
        sum += value;
        squares += (double) value * value;
        most = Math.max(most, Math.abs(value));
      }
      double mean = sum / values.length;
      double found = Math.sqrt(squares / values.length - mean * mean);
      String message = type + ": mean " + mean + ", deviation " + found + " for " + deviation;
      // The mean of as many independent values strays by a thousandth; blocks share their scales.
      assertTrue(Math.abs(mean) < 0.01 * deviation, message);
      assertEquals(deviation, found, 0.02 * deviation, message);
      assertTrue(most < 6 * deviation, message);
    }
  }

  @ParameterizedTest
  @MethodSource("types")
  void useEveryCode(TensorType type) {
    float[] values = BlockCodec.of(type).decode(blocks(type, 1, 4));
    float[] first = Arrays.copyOf(values, Math.max(type.blockElements(), 32));
    long different = Stream.of(first).mapToLong(f -> distinct(f)).sum();
    assertTrue(different >= Math.min(8, first.length / 4), type + ": " + different);
    assertTrue(distinct(Arrays.copyOf(values, 4096)) >= 14, type.toString());
  }

  @ParameterizedTest
  @MethodSource("types")
  void areReproducible(TensorType type) {
    assertArrayEquals(blocks(type, 0.1, 7), blocks(type, 0.1, 7));
    assertFalse(Arrays.equals(blocks(type, 0.1, 7), blocks(type, 0.1, 8)));
  }

  @Test
  void neverHoldTheByteThatHasNoNegative() {
    byte[] blocks = blocks(TensorType.Q8_0, 0.1, 9);
    for (int i = 0; i < blocks.length; i++) {
      assertTrue(i % 34 < 2 || blocks[i] != -128);
    }
  }

  @Test
  void refuseWhatTheyCannotMake() {
    RandomBits random = new RandomBits(1);
    assertThrows(IllegalArgumentException.class, () -> new RandomBlocks(TensorType.I32, 1, random));
    assertThrows(IllegalArgumentException.class, () -> new RandomBlocks(TensorType.F32, 0, random));
    RandomBlocks blocks = new RandomBlocks(TensorType.Q4_0, 1, random);
    assertThrows(IllegalArgumentException.class, () -> blocks.fill(new byte[20], 0, 20));
  }

  /** The generator's first numbers, fixed: models must be the same on every machine. */
  @Test
  void randomBitsAreFixed() {
    RandomBits random = new RandomBits(1);
    assertEquals(
        List.of(6791897765849424158L, -1041056189838986770L),
        List.of(random.next(), random.next()));
    RandomBits named = new RandomBits(1, "token_embd.weight");
    assertEquals(2392326109239052404L, named.next());
    for (int i = 0; i < 1000; i++) {
      int below = random.below(7);
      assertTrue(below >= 0 && below < 7);
      float symmetric = random.symmetric();
      assertTrue(symmetric >= -1 && symmetric < 1);
    }
  }

  private static byte[] blocks(TensorType type, double deviation, long seed) {
    byte[] blocks = new byte[(int) type.rowBytes(ELEMENTS)];
    RandomBlocks random = new RandomBlocks(type, deviation, new RandomBits(seed));
    int half = blocks.length / type.blockBytes() / 2 * type.blockBytes();
    random.fill(blocks, 0, half);
    random.fill(blocks, half, blocks.length - half);
    return blocks;
  }

  private static long distinct(float[] values) {
    int[] bits = new int[values.length];
    for (int i = 0; i < bits.length; i++) {
      bits[i] = Float.floatToIntBits(values[i]);
    }
    return Arrays.stream(bits).distinct().count();
  }
}
