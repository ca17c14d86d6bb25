package dev.tandem.model.format;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import dev.tandem.model.TestData;
import dev.tandem.model.gguf.GgufFile;
import dev.tandem.model.gguf.TensorInfo;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.stream.Stream;
import java.util.zip.CRC32;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class BlockCodecTest {
  private static final int BLOCKS = 500;

  /**
   * Checksums of what llama.cpp's Python package {@code gguf} (0.19.0) decodes from the same random
   * bytes: every bit of every value is right, those of odd scales (subnormal, infinite) included.
   */
  static Stream<Arguments> checksums() {
    return Stream.of(
        arguments(TensorType.F32, 0x8B197DB6),
        arguments(TensorType.F16, 0x4E9CE85B),
        arguments(TensorType.Q4_0, 0x9D456845),
        arguments(TensorType.Q4_1, 0x4D1621E7),
        arguments(TensorType.Q5_0, 0x566602C1),
        arguments(TensorType.Q5_1, 0x49D43000),
        arguments(TensorType.Q8_0, 0xCEFE7600),
        arguments(TensorType.Q2_K, 0x7E822575),
        arguments(TensorType.Q3_K, 0x1780A648),
        arguments(TensorType.Q4_K, 0x8D00DD98),
        arguments(TensorType.Q5_K, 0x7E751228),
        arguments(TensorType.Q6_K, 0x54A236F8),
        arguments(TensorType.IQ4_NL, 0x14BF59A0),
        arguments(TensorType.IQ4_XS, 0x13C915DD),
        arguments(TensorType.BF16, 0x6B43C8E3),
        arguments(TensorType.MXFP4, 0x7EBBB323));
  }

  @ParameterizedTest
  @MethodSource("checksums")
  void decodesRandomBytesAsGgmlDoes(TensorType type, int checksum) {
    byte[] bytes = new byte[BLOCKS * type.blockBytes()];
    new Random(type.id()).nextBytes(bytes);
    float[] values = BlockCodec.of(type).decode(bytes);
    byte[] bits = new byte[values.length * Float.BYTES];
    for (int i = 0; i < values.length; i++) {
      LittleEndian.putInt(bits, i * Float.BYTES, Float.floatToIntBits(values[i])); // One NaN.
    }
    CRC32 crc = new CRC32();
    crc.update(bits);
    assertEquals(checksum, (int) crc.getValue());
  }

  @Test
  void coversEveryFormat() {
    Set<TensorType> integers =
        EnumSet.of(TensorType.I8, TensorType.I16, TensorType.I32, TensorType.I64, TensorType.F64);
    assertEquals(
        EnumSet.complementOf(EnumSet.copyOf(integers)), Set.copyOf(BlockCodec.supported()));
    assertEquals(BlockCodec.supported(), checksums().map(arguments -> arguments.get()[0]).toList());
    IllegalArgumentException e =
        assertThrows(IllegalArgumentException.class, () -> BlockCodec.of(TensorType.I16));
    assertTrue(e.getMessage().contains("I16 cannot be decoded; supported: F32, F16, Q4_0"));
  }

  @Test
  void halfPrecision() {
    BlockCodec codec = BlockCodec.of(TensorType.F16);
    byte[] bits = bytes(0x00, 0x3C, 0x01, 0x00, 0xFF, 0x03, 0x00, 0x7C, 0x00, 0xFC, 0x00, 0x80);
    float[] expected = {
      1, 0x1p-24f, 0x3FFp-24f, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, -0f
    };
    assertArrayEquals(expected, codec.decode(bits));
    assertArrayEquals(bits, codec.encode(expected));
    assertTrue(Float.isNaN(codec.decode(bytes(0x01, 0x7E))[0]));
    for (int half = 0; half < 1 << 16; half++) {
      byte[] one = bytes(half, half >> 8);
      float value = codec.decode(one)[0];
      if (!Float.isNaN(value)) {
        assertArrayEquals(one, codec.encode(new float[] {value}));
      }
    }
  }

  @Test
  void brainFloat() {
    BlockCodec codec = BlockCodec.of(TensorType.BF16);
    assertArrayEquals(new float[] {1, -2.5f}, codec.decode(bytes(0x80, 0x3F, 0x20, 0xC0)));
    // Ties go to the even neighbour, a carry may reach the exponent, and a NaN stays one.
    float[] values = {
      Float.intBitsToFloat(0x3F80_8000),
      Float.intBitsToFloat(0x3F81_8000),
      Float.intBitsToFloat(0x3FFF_8000),
      Float.intBitsToFloat(0x7F80_0001),
      Float.MAX_VALUE
    };
    assertArrayEquals(
        bytes(0x80, 0x3F, 0x82, 0x3F, 0x00, 0x40, 0xC0, 0x7F, 0x80, 0x7F), codec.encode(values));
  }

  @Test
  void q4Blocks() {
    byte[] block = new byte[18];
    LittleEndian.putHalf(block, 0, 0.5f);
    block[2] = (byte) 0xF0; // value 0 is code 0, value 16 is code 15
    block[17] = (byte) 0x98; // value 15 is code 8, value 31 is code 9
    float[] q4 = BlockCodec.of(TensorType.Q4_0).decode(block);
    assertEquals(-4, q4[0]);
    assertEquals(3.5f, q4[16]);
    assertEquals(0, q4[15]);
    assertEquals(0.5f, q4[31]);

    byte[] ranged = new byte[20];
    LittleEndian.putHalf(ranged, 0, 0.5f);
    LittleEndian.putHalf(ranged, 2, -3);
    ranged[4] = (byte) 0xF0;
    float[] q41 = BlockCodec.of(TensorType.Q4_1).decode(ranged);
    assertEquals(-3, q41[0]);
    assertEquals(4.5f, q41[16]);

    float[] iq4 = BlockCodec.of(TensorType.IQ4_NL).decode(block);
    assertEquals(-63.5f, iq4[0]);
    assertEquals(56.5f, iq4[16]);
    assertEquals(6.5f, iq4[31]);
  }

  @Test
  void q5Blocks() {
    byte[] block = new byte[22];
    LittleEndian.putHalf(block, 0, 2);
    LittleEndian.putInt(block, 2, 1 | 1 << 31);
    block[6] = 0x03; // value 0: 3 + 16
    block[21] = (byte) 0xF0; // value 31: 15 + 16
    float[] q5 = BlockCodec.of(TensorType.Q5_0).decode(block);
    assertEquals(6, q5[0]);
    assertEquals(-32, q5[1]);
    assertEquals(30, q5[31]);

    byte[] ranged = new byte[24];
    LittleEndian.putHalf(ranged, 0, 2);
    LittleEndian.putHalf(ranged, 2, 1);
    LittleEndian.putInt(ranged, 4, 1 << 16);
    ranged[8] = 0x50; // value 16: 5 + 16
    assertEquals(43, BlockCodec.of(TensorType.Q5_1).decode(ranged)[16]);
  }

  @Test
  void q8Blocks() {
    byte[] block = new byte[34];
    LittleEndian.putHalf(block, 0, 0.25f);
    block[2] = -128;
    block[33] = 127;
    float[] values = BlockCodec.of(TensorType.Q8_0).decode(block);
    assertEquals(-32, values[0]);
    assertEquals(31.75f, values[31]);
  }

  @Test
  void microscalingBlocks() {
    byte[] block = new byte[17];
    block[0] = (byte) 129; // a scale of 4
    block[1] = (byte) 0xF7; // the largest and the smallest value
    block[2] = 0x01;
    float[] values = BlockCodec.of(TensorType.MXFP4).decode(block);
    assertEquals(24, values[0]);
    assertEquals(-24, values[16]);
    assertEquals(2, values[1]);
    block[0] = 0; // 2^-127, below the normal numbers
    assertEquals(0x1p-128f, BlockCodec.of(TensorType.MXFP4).decode(block)[1]);
  }

  @Test
  void q4kBlocks() {
    byte[] block = new byte[144];
    LittleEndian.putHalf(block, 0, 0.5f);
    LittleEndian.putHalf(block, 2, 0.25f);
    SixBits.put(block, 4, 0, 63, 2);
    SixBits.put(block, 4, 7, 45, 50);
    assertEquals(63, SixBits.scale(block, 4, 0));
    assertEquals(45, SixBits.scale(block, 4, 7));
    assertEquals(50, SixBits.minimum(block, 4, 7));
    assertEquals(0, SixBits.minimum(block, 4, 6));
    block[16] = 0x0F;
    block[143] = 0x30;
    float[] values = BlockCodec.of(TensorType.Q4_K).decode(block);
    assertEquals(0.5f * 63 * 15 - 0.25f * 2, values[0]);
    assertEquals(-0.5f, values[1]);
    assertEquals(0.5f * 45 * 3 - 0.25f * 50, values[255]);
  }

  @Test
  void q6kBlocks() {
    byte[] block = new byte[210];
    LittleEndian.putHalf(block, 208, 0.5f);
    block[192] = -3; // values 0 to 15
    block[207] = 7; // values 240 to 255
    block[0] = 0x05;
    block[128] = 0x02; // value 0: 5 + 2 * 16
    block[127] = (byte) 0xA0;
    block[191] = (byte) 0xC0; // value 255: 10 + 3 * 16
    float[] values = BlockCodec.of(TensorType.Q6_K).decode(block);
    assertEquals(0.5f * -3 * 5, values[0]);
    assertEquals(0.5f * 7 * 26, values[255]);
    assertEquals(0.5f * -3 * -32, values[1]);
    assertEquals(-0f, values[100]); // -32 times a scale of zero
  }

  /**
   * Root mean square error of encoding normally distributed values, relative to theirs: what the
   * number of codes allows. A wrong bit anywhere shows at once.
   */
  static Stream<Arguments> encodingErrors() {
    return Stream.of(
        arguments(TensorType.F32, 0.0),
        arguments(TensorType.F16, 0.00022),
        arguments(TensorType.BF16, 0.0017),
        arguments(TensorType.Q8_0, 0.0054),
        arguments(TensorType.Q6_K, 0.020),
        arguments(TensorType.Q5_K, 0.039),
        arguments(TensorType.Q5_1, 0.039),
        arguments(TensorType.Q5_0, 0.044),
        arguments(TensorType.Q4_K, 0.080),
        arguments(TensorType.Q4_1, 0.080),
        arguments(TensorType.Q4_0, 0.088),
        arguments(TensorType.IQ4_NL, 0.082),
        arguments(TensorType.IQ4_XS, 0.082),
        arguments(TensorType.MXFP4, 0.118),
        arguments(TensorType.Q3_K, 0.160),
        arguments(TensorType.Q2_K, 0.340));
  }

  @ParameterizedTest
  @MethodSource("encodingErrors")
  void encodes(TensorType type, double error) {
    BlockCodec codec = BlockCodec.of(type);
    Random random = new Random(5);
    float[] values = new float[256 * 200];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (random.nextGaussian() * 0.02);
    }
    byte[] blocks = codec.encode(values);
    assertEquals(type.rowBytes(values.length), blocks.length);
    double found = relativeError(values, codec.decode(blocks));
    assertTrue(found <= error && found >= error * 0.9, type + ": " + found);
    // A decoded block is represented exactly, so that encoding it again keeps nearly every bit.
    double again =
        relativeError(codec.decode(blocks), codec.decode(codec.encode(codec.decode(blocks))));
    assertTrue(again <= found, type + ": " + again);
  }

  @ParameterizedTest
  @MethodSource("encodingErrors")
  void encodesWhatIsUnusual(TensorType type) {
    BlockCodec codec = BlockCodec.of(type);
    assertArrayEquals(new float[256], codec.decode(codec.encode(new float[256])), 0f);
    for (float value : new float[] {1, -1, 1e-30f, -1e-30f}) {
      float[] same = new float[256];
      Arrays.fill(same, value);
      for (float decoded : codec.decode(codec.encode(same))) {
        assertEquals(value, decoded, Math.max(Math.abs(value) * 0.34f, 1e-7f));
      }
    }
  }

  @ParameterizedTest
  @MethodSource("encodingErrors")
  void decodesToDoublesAndAtOffsets(TensorType type) {
    BlockCodec codec = BlockCodec.of(type);
    int elements = 2 * type.blockElements();
    byte[] blocks = new byte[3 + 2 * type.blockBytes()];
    float[] values = new float[5 + elements];
    for (int i = 0; i < values.length; i++) {
      values[i] = (i * 7 % 32 - 16) / 16f;
    }
    codec.encode(values, 5, blocks, 3, elements);
    float[] singles = new float[5 + elements];
    double[] doubles = new double[4 + elements];
    codec.decode(blocks, 3, singles, 5, elements);
    codec.decode(blocks, 3, doubles, 4, elements);
    for (int i = 0; i < elements; i++) {
      assertEquals(singles[5 + i], doubles[4 + i]);
    }
    assertArrayEquals(
        codec.decode(Arrays.copyOfRange(blocks, 3, blocks.length)),
        Arrays.copyOfRange(singles, 5, singles.length));
  }

  @Test
  void refusesHalfABlock() {
    BlockCodec codec = BlockCodec.of(TensorType.Q4_K);
    assertThrows(IllegalArgumentException.class, () -> codec.decode(new byte[143]));
    assertThrows(IllegalArgumentException.class, () -> codec.encode(new float[128]));
  }

  /**
   * The relative error of llama.cpp's own quantisation of one model: decoded here, the same weights
   * must come out, neither farther from the originals nor closer.
   */
  static Stream<Arguments> quantisedModels() {
    return Stream.of(
        arguments("f16", TensorType.F16, 0.00021, 0.00021),
        arguments("bf16", TensorType.BF16, 0.00165, 0.00167),
        arguments("q8_0", TensorType.Q8_0, 0.00530, 0.00539),
        arguments("q6_k", TensorType.Q6_K, 0.01761, 0.01787),
        arguments("q5_k_m", TensorType.Q5_K, 0.03588, 0.03641),
        arguments("q5_1", TensorType.Q5_1, 0.03766, 0.03808),
        arguments("q5_0", TensorType.Q5_0, 0.04239, 0.04299),
        arguments("q4_k_m", TensorType.Q4_K, 0.07100, 0.07180),
        arguments("q4_1", TensorType.Q4_1, 0.07788, 0.07867),
        arguments("q4_0", TensorType.Q4_0, 0.08550, 0.08648),
        arguments("iq4_nl", TensorType.IQ4_NL, 0.07573, 0.07672),
        arguments("iq4_xs", TensorType.IQ4_XS, 0.07631, 0.07725),
        arguments("q3_k_m", TensorType.Q3_K, 0.15024, 0.15125),
        arguments("q2_k", TensorType.Q2_K, 0.29497, 0.29910));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("quantisedModels")
  void decodesARealQuantisation(String name, TensorType type, double least, double most) {
    GgufFile exact = GgufFile.open(TestData.path("golden/llama-untied-f32.gguf"));
    GgufFile quantised = GgufFile.open(TestData.path("golden/llama-untied-" + name + ".gguf"));
    List<TensorInfo> tensors =
        quantised.tensors().values().stream().filter(t -> t.type() == type).toList();
    assertTrue(tensors.size() >= 9, tensors.toString());
    for (TensorInfo tensor : tensors) {
      float[] expected =
          BlockCodec.of(TensorType.F32).decode(exact.read(exact.tensor(tensor.name())));
      double error = relativeError(expected, BlockCodec.of(type).decode(quantised.read(tensor)));
      assertTrue(error > least * 0.97 && error < most * 1.03, tensor.name() + ": " + error);
    }
  }

  private static double relativeError(float[] expected, float[] found) {
    assertEquals(expected.length, found.length);
    double error = 0;
    double square = 0;
    for (int i = 0; i < expected.length; i++) {
      error += Math.pow((double) found[i] - expected[i], 2);
      square += Math.pow(expected[i], 2);
    }
    return Math.sqrt(error / square);
  }

  private static byte[] bytes(int... values) {
    byte[] bytes = new byte[values.length];
    for (int i = 0; i < values.length; i++) {
      bytes[i] = (byte) values[i];
    }
    return bytes;
  }
}
