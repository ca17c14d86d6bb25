package dev.tandem.model.gguf;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.model.format.TensorType;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GgufWriterTest {
  @TempDir private Path folder;

  /** The bytes, compared with a file put together by hand. */
  @Test
  void layout() {
    byte[] data = {1, 2, 3, 4};
    byte[] written =
        MemoryChannel.written(
            new GgufWriter()
                .put("n", GgufValue.uint32(7))
                .tensor("a", TensorType.F32, List.of(1L), data)
                .tensor("b", TensorType.F16, List.of(1L, 2L), data));
    byte[] expected =
        RawGguf.of(2, 1)
            .pair("n", 7)
            .tensor("a", 0, 0, 1)
            .tensor("b", 1, 32, 1, 2)
            .data(32, 0)
            .raw(1, 2, 3, 4)
            .data(32, 0)
            .raw(1, 2, 3, 4)
            .data(32, 0)
            .bytes();
    assertArrayEquals(expected, written);
  }

  @Test
  void replacesAFileOnlyWhenTheNewOneIsWhole() throws IOException {
    Path path = folder.resolve("model.gguf");
    Files.writeString(path, "the old one");
    GgufWriter tooFew =
        new GgufWriter()
            .tensor("a", TensorType.F32, List.of(2L), out -> out.write(ByteBuffer.allocate(7)));
    IllegalStateException few = assertThrows(IllegalStateException.class, () -> tooFew.write(path));
    assertEquals("tensor a: its source delivered 7 bytes of 8", few.getMessage());

    GgufWriter tooMany = new GgufWriter().tensor("a", TensorType.F32, List.of(2L), new byte[9]);
    IllegalStateException many =
        assertThrows(IllegalStateException.class, () -> tooMany.write(path));
    assertEquals("tensor a: its source delivers more than 8 bytes", many.getMessage());

    GgufWriter failing =
        new GgufWriter()
            .tensor(
                "a",
                TensorType.F32,
                List.of(2L),
                out -> {
                  throw new IOException("the source is dry");
                });
    UncheckedIOException failed =
        assertThrows(UncheckedIOException.class, () -> failing.write(path));
    assertTrue(failed.getMessage().contains("the source is dry"), failed.getMessage());
    assertTrue(failed.getMessage().contains(path.toString()), failed.getMessage());

    assertEquals("the old one", Files.readString(path));
    assertEquals(List.of(path), files());

    new GgufWriter().tensor("a", TensorType.F32, List.of(2L), new byte[8]).write(path);
    assertEquals(1, GgufFile.open(path).tensors().size());
    assertEquals(List.of(path), files());
  }

  @Test
  void saysWhereItCannotWrite() {
    Path path = folder.resolve("absent").resolve("model.gguf");
    UncheckedIOException e =
        assertThrows(UncheckedIOException.class, () -> new GgufWriter().write(path));
    assertTrue(e.getMessage().startsWith(path + ": cannot be written"), e.getMessage());
  }

  @Test
  void refusesWhatCannotBe() {
    GgufWriter writer = new GgufWriter().put("a", GgufValue.bool(true));
    assertThrows(IllegalArgumentException.class, () -> writer.put("a", GgufValue.bool(true)));
    assertThrows(
        IllegalArgumentException.class,
        () -> writer.put("general.alignment", GgufValue.uint32(48)));
    assertThrows(
        IllegalArgumentException.class,
        () -> writer.put("general.alignment", GgufValue.text("32")));
    refuses(writer, TensorType.F32, List.of());
    refuses(writer, TensorType.F32, List.of(1L, 1L, 1L, 1L, 1L));
    refuses(writer, TensorType.F32, List.of(4L, 0L));
    refuses(writer, TensorType.Q4_0, List.of(33L));
    writer.tensor("t", TensorType.F32, List.of(1L), new byte[4]);
    refuses(writer, TensorType.F32, List.of(1L));
  }

  private static void refuses(GgufWriter writer, TensorType type, List<Long> shape) {
    assertThrows(
        IllegalArgumentException.class, () -> writer.tensor("t", type, shape, new byte[4]));
  }

  private List<Path> files() throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.toList();
    }
  }
}
