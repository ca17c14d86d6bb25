package dev.tandem.model.gguf;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import dev.tandem.model.format.TensorType;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Everything that can be wrong with a file is refused with its name, the place and the reason. */
class GgufErrorsTest {
  private static final int F32 = TensorType.F32.id();
  private static final int FIRST_PAIR = 24;

  static Stream<Arguments> broken() {
    RawGguf twoTensors = RawGguf.of(2, 0).tensor("a", F32, 0, 8);
    return Stream.of(
        arguments(new RawGguf(), 0, "magic", "empty"),
        arguments(new RawGguf().ascii("GG"), 0, "magic", "not a GGUF file"),
        arguments(new RawGguf().ascii("GGUF").u32(1), 4, "version", "1 is not supported"),
        arguments(new RawGguf().ascii("GGUF").u32(4), 4, "version", "supported: 2, 3"),
        arguments(new RawGguf().ascii("GGUF").u32(3 << 24), 4, "version", "big-endian"),
        arguments(RawGguf.of(-1, 0), 8, "tensor count", "18446744073709551615 tensors are absurd"),
        arguments(RawGguf.of(1L << 40, 0), 8, "tensor count", "absurd"),
        arguments(RawGguf.of(1000, 0), 8, "tensor count", "truncated"),
        arguments(RawGguf.of(0, 1L << 62), 16, "metadata count", "absurd"),
        arguments(RawGguf.of(0, 60_000), 16, "metadata count", "truncated"),
        arguments(
            RawGguf.of(0, 1).u64(1L << 60).data(1, 16), FIRST_PAIR, "key 0", "length of 1152921"),
        arguments(RawGguf.of(0, 1).u64(50).data(1, 16), FIRST_PAIR, "key 0", "truncated"),
        arguments(
            RawGguf.of(0, 1).u64(2).raw(0xC3, 0x28).u32(4).u32(1), FIRST_PAIR, "key 0", "UTF-8"),
        arguments(RawGguf.of(0, 2).pair("a", 1).pair("a", 2), 41, "key 1", "key a appears twice"),
        arguments(RawGguf.of(0, 1).text("a").u32(13).u32(1), 33, "a", "value type 13 is unknown"),
        arguments(RawGguf.of(0, 1).text("a").u32(-1).u32(1), 33, "a", "uint8 (0), int8 (1)"),
        arguments(RawGguf.of(0, 1).text("a").u32(7).raw(2), 33, "a", "a bool is 0 or 1, not 2"),
        arguments(
            RawGguf.of(0, 1).text("a").u32(8).u64(2).raw(0xFF, 0xFE), 33, "a", "not valid UTF-8"),
        arguments(
            RawGguf.of(0, 1).text("a").u32(8).u64(1L << 40), 33, "a", "length of 1099511627776"),
        arguments(
            RawGguf.of(0, 1).text("a").u32(9).u32(9).u64(0), 33, "a", "array of arrays is not"),
        arguments(RawGguf.of(0, 1).text("a").u32(9).u32(4).u64(1L << 61), 33, "a", "absurd"),
        arguments(RawGguf.of(0, 1).text("a").u32(9).u32(4).u64(1 << 20), 33, "a", "truncated"),
        arguments(RawGguf.of(0, 1).text("a").u32(9).u32(8).u64(1 << 20), 33, "a", "truncated"),
        arguments(
            RawGguf.of(0, 1).text("a").u32(9).u32(8).u64(2).text("b").u64(1L << 40),
            58,
            "a[1]",
            "absurd"),
        arguments(
            RawGguf.of(0, 1).text("a").u32(9).u32(7).u64(2).raw(1, 3), 33, "a", "a bool is 0 or 1"),
        alignment(RawGguf.of(0, 1).pair("general.alignment", 33), "not 33 (uint32)"),
        alignment(RawGguf.of(0, 1).pair("general.alignment", 0), "a power of two"),
        alignment(RawGguf.of(0, 1).pair("general.alignment", 1 << 23), "at most 4194304"),
        alignment(RawGguf.of(0, 1).text("general.alignment").u32(8).text("32"), "not 32 (string)"),
        arguments(
            RawGguf.of(1, 0).u64(2).raw(0xC3, 0x28).data(1, 40),
            FIRST_PAIR,
            "tensor 0: name",
            "UTF-8"),
        arguments(
            RawGguf.of(1, 0).tensor("a", F32, 0), 33, "tensor a: number of dimensions", "1 to 4"),
        arguments(
            RawGguf.of(1, 0).tensor("a", F32, 0, 1, 1, 1, 1, 1),
            33,
            "tensor a: number of dimensions",
            "5 is not supported"),
        arguments(
            RawGguf.of(1, 0).tensor("a", F32, 0, 8, 0),
            45,
            "tensor a: dimension 1",
            "not a positive"),
        arguments(
            RawGguf.of(1, 0).tensor("a", F32, 0, -8), 37, "tensor a: dimension 0", "-8 is not"),
        arguments(
            RawGguf.of(1, 0).tensor("a", 19, 0, 8), 45, "tensor a: type", "19 (IQ1_S) is not supp"),
        arguments(
            RawGguf.of(1, 0).tensor("a", 77, 0, 8),
            45,
            "tensor a: type",
            "supported: F32, F16, Q4"),
        arguments(RawGguf.of(1, 0).tensor("a", -1, 0, 8), 45, "tensor a: type", "4294967295 (unkn"),
        arguments(
            RawGguf.of(1, 0).tensor("a", TensorType.Q4_K.id(), 0, 128).data(32, 144),
            FIRST_PAIR,
            "tensor a: shape",
            "row of 128 elements is not a whole number of Q4_K blocks of 256"),
        arguments(
            RawGguf.of(1, 0).tensor("a", F32, 0, 1L << 40, 1L << 40),
            FIRST_PAIR,
            "tensor a: shape",
            "overflows"),
        arguments(
            RawGguf.of(1, 0).tensor("a", F32, 0, 1L << 62), FIRST_PAIR, "tensor a: shape", "overf"),
        arguments(
            RawGguf.of(1, 0).tensor("a", F32, 0, 8).data(32, 31),
            49,
            "tensor a: offset",
            "32 byte"),
        arguments(RawGguf.of(1, 0).tensor("a", F32, 0, 8), 49, "tensor a: offset", "truncated"),
        arguments(
            RawGguf.of(1, 0).tensor("a", F32, 1L << 62, 8).data(32, 64),
            49,
            "tensor a: offset",
            "beyond the end of the file"),
        arguments(
            RawGguf.of(1, 0).tensor("a", F32, -32, 8).data(32, 64),
            49,
            "tensor a: offset",
            "18446744073709551584"),
        arguments(
            RawGguf.of(1, 0).tensor("a", F32, 16, 8).data(32, 64),
            49,
            "tensor a: offset",
            "16 is not a multiple of the alignment 32"),
        arguments(
            RawGguf.of(1, 1).pair("general.alignment", 128).tensor("a", F32, 32, 8).data(128, 128),
            82,
            "tensor a: offset",
            "not a multiple of the alignment 128"),
        arguments(
            twoTensors.tensor("a", F32, 32, 8).data(32, 64),
            57,
            "tensor a: name",
            "another tensor has the same name"),
        arguments(
            RawGguf.of(2, 0).tensor("a", F32, 0, 16).tensor("b", F32, 32, 8).data(32, 96),
            128,
            "tensor b",
            "overlaps tensor a, whose 64 bytes begin at 96"));
  }

  private static Arguments alignment(RawGguf raw, String problem) {
    return arguments(raw, 49, "general.alignment", problem);
  }

  @ParameterizedTest(name = "{2}: {3}")
  @MethodSource("broken")
  void refuses(RawGguf raw, long offset, String field, String problem) {
    ModelFormatException e =
        assertThrows(ModelFormatException.class, () -> MemoryChannel.open(raw.bytes()));
    assertEquals(MemoryChannel.NAME, e.file());
    assertEquals(field, e.field(), e.getMessage());
    assertEquals(offset, e.offset(), e.getMessage());
    assertTrue(e.getMessage().contains(problem), e.getMessage());
    assertTrue(
        e.getMessage().startsWith("memory.gguf: " + field + " at byte " + offset + ": "),
        e.getMessage());
  }

  static Stream<Arguments> otherKinds() {
    return Stream.of(
        arguments("lmgg", "GGML"),
        arguments("tjgg", "GGJT"),
        arguments("PK\3\4....", "zip archive, such as a PyTorch checkpoint"),
        arguments("\u0080\2}q", "pickle"),
        arguments("\u0040\0\0\0\0\0\0\0{\"__metadata__\"", "safetensors"),
        arguments("\u001f\u008b\b", "gzip"),
        arguments("version https://git-lfs.github.com/spec/v1", "git lfs pull"),
        arguments("<!DOCTYPE html>", "download went wrong"),
        arguments("{\"error\"", "JSON"),
        arguments("MZ\u0090\0\3\0\0\0\4\0\0\0\u00ff\u00ff\0\0", "unknown kind of file"));
  }

  @ParameterizedTest(name = "{1}")
  @MethodSource("otherKinds")
  void saysWhatAFileLooksLike(String content, String kind) {
    byte[] bytes = content.getBytes(StandardCharsets.ISO_8859_1);
    ModelFormatException e =
        assertThrows(ModelFormatException.class, () -> MemoryChannel.open(bytes));
    assertEquals("magic", e.field());
    assertTrue(e.getMessage().contains(kind), e.getMessage());
  }

  @Test
  void refusesWhatIsNotAFile(@TempDir Path folder) throws IOException {
    ModelFormatException directory =
        assertThrows(ModelFormatException.class, () -> GgufFile.open(folder));
    assertTrue(directory.getMessage().contains("is a directory"), directory.getMessage());

    Path absent = folder.resolve("absent.gguf");
    UncheckedIOException missing =
        assertThrows(UncheckedIOException.class, () -> GgufFile.open(absent));
    assertEquals(absent + ": no such file", missing.getMessage());
    assertTrue(missing.getCause() instanceof NoSuchFileException);

    Path empty = Files.createFile(folder.resolve("empty.gguf"));
    ModelFormatException nothing =
        assertThrows(ModelFormatException.class, () -> GgufFile.open(empty));
    assertEquals(empty + ": magic at byte 0: the file is empty", nothing.getMessage());
  }

  @Test
  void namesAMissingTensor() {
    GgufFile file = MemoryChannel.open(RawGguf.of(0, 0).bytes());
    assertTrue(file.find("output.weight").isEmpty());
    ModelFormatException e =
        assertThrows(ModelFormatException.class, () -> file.tensor("output.weight"));
    assertEquals("memory.gguf: tensor output.weight: the tensor is missing", e.getMessage());
  }
}
