package dev.tandem.model.gguf;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is written is read again, exactly: random metadata and tensors, by seed. */
class GgufRoundTripTest {
  @ParameterizedTest(name = "seed {0}")
  @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16})
  void oneFile(long seed, @TempDir Path folder) {
    RandomGguf random = RandomGguf.of(seed, 40, 12);
    Path path = folder.resolve("model.gguf");
    random.writer().write(path);
    GgufFile file = GgufFile.open(path);

    assertEquals(List.of(path), file.parts());
    assertEquals(3, file.version());
    assertEquals(path.toFile().length(), file.bytes());
    assertEquals(
        random.metadata().getOrDefault("general.alignment", GgufValue.uint32(32)),
        GgufValue.uint32(file.alignment()));
    assertSame(random, file);

    // The bytes themselves: the same model is the same file.
    byte[] again = MemoryChannel.written(random.writer());
    assertEquals(file.bytes(), again.length);
    again[4] = 2; // Version 2 has the same layout.
    assertEquals(2, MemoryChannel.open(again).version());
    assertEquals(random.metadata(), MemoryChannel.open(again).metadata().asMap());
  }

  @ParameterizedTest(name = "seed {0}")
  @ValueSource(longs = {1, 2, 3, 4, 5, 6})
  void splitFiles(long seed, @TempDir Path folder) {
    RandomGguf random = RandomGguf.of(seed, 20, 9);
    int count = 1 + new Random(seed).nextInt(12); // Some have more files than tensors.
    List<Path> paths = random.writer().writeSplit(folder, "model", count);
    assertEquals(count, paths.size());
    for (Path path : paths) {
      GgufFile file = GgufFile.open(path);
      assertEquals(paths, file.parts());
      assertSame(random, file);
    }
  }

  @ParameterizedTest(name = "seed {0}")
  @ValueSource(longs = {1, 2, 3, 4, 5, 6})
  void anOutlineIsTheModelButForItsBytes(long seed, @TempDir Path folder) {
    RandomGguf random = RandomGguf.of(seed, 20, 9);
    Path whole = folder.resolve("whole.gguf");
    Path outline = folder.resolve("outline.gguf");
    random.writer().write(whole);
    random.writer().writeOutline(outline);
    assertEquals(GgufFile.open(whole).tensors(), GgufFile.open(outline).tensors());
    assertEquals(
        GgufFile.open(whole).metadata().asMap(), GgufFile.open(outline).metadata().asMap());
    assertEquals(whole.toFile().length(), outline.toFile().length());
  }

  private static void assertSame(RandomGguf random, GgufFile file) {
    Map<String, GgufValue> expected = random.metadata();
    Map<String, GgufValue> found = new LinkedHashMap<>(file.metadata().asMap());
    found.keySet().removeAll(GgufWriter.SPLIT_KEYS);
    assertEquals(List.copyOf(expected.keySet()), List.copyOf(found.keySet()));
    assertEquals(expected, found);
    assertEquals(List.copyOf(random.tensors().keySet()), List.copyOf(file.tensors().keySet()));
    long bytes = 0;
    for (TensorInfo tensor : file.tensors().values()) {
      RandomGguf.Shape shape = random.tensors().get(tensor.name());
      byte[] content = random.bytes().get(tensor.name());
      assertEquals(shape.type(), tensor.type());
      assertEquals(shape.extents(), tensor.shape());
      assertEquals(tensor.elements(), tensor.columns() * tensor.rows() * tensor.matrices());
      assertArrayEquals(content, file.read(tensor), tensor.name());
      assertRowsAndRanges(file, tensor, content);
      bytes += tensor.bytes();
    }
    assertEquals(bytes, file.tensorBytes());
  }

  private static void assertRowsAndRanges(GgufFile file, TensorInfo tensor, byte[] content) {
    int rowBytes = (int) tensor.rowBytes();
    int rows = content.length / rowBytes;
    byte[] last = file.readRows(tensor, rows - 1, 1);
    assertEquals(ByteBuffer.wrap(content, (rows - 1) * rowBytes, rowBytes), ByteBuffer.wrap(last));
    ByteBuffer inner = ByteBuffer.allocate(content.length / 2);
    file.read(tensor, 1, inner);
    assertEquals(ByteBuffer.wrap(content, 1, content.length / 2), inner.flip());
  }
}
