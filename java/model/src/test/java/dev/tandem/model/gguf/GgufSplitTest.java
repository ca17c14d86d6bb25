package dev.tandem.model.gguf;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.model.format.TensorType;
import dev.tandem.model.gguf.GgufValue.IntValue;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GgufSplitTest {
  @TempDir private Path folder;
  private List<Path> parts;

  @BeforeEach
  void write() {
    GgufWriter writer = new GgufWriter().put("general.architecture", GgufValue.text("llama"));
    for (String name : List.of("a", "b", "c", "d")) {
      writer.tensor(name, TensorType.F32, List.of(8L), new byte[32]);
    }
    parts = writer.writeSplit(folder, "model", 3);
  }

  @Test
  void namesAndContents() {
    assertEquals(
        List.of(
            folder.resolve("model-00001-of-00003.gguf"),
            folder.resolve("model-00002-of-00003.gguf"),
            folder.resolve("model-00003-of-00003.gguf")),
        parts);
    GgufFile file = GgufFile.open(parts.get(1));
    assertEquals("llama", file.metadata().string("general.architecture"));
    assertEquals(parts.getFirst(), file.metadata().file());
    assertEquals(2, file.tensor("d").part());
    assertEquals(128, file.tensorBytes());
  }

  @Test
  void aMissingPartIsNamed() throws IOException {
    Files.delete(parts.get(1));
    for (Path given : List.of(parts.get(0), parts.get(2))) {
      ModelFormatException e = assertThrows(ModelFormatException.class, () -> GgufFile.open(given));
      assertEquals(parts.get(1), e.file());
      assertEquals("part 2 of 3", e.field());
      assertTrue(e.getMessage().contains("the file is missing"), e.getMessage());
    }
  }

  @Test
  void aRenamedPartIsRefused() throws IOException {
    Path renamed = Files.move(parts.get(0), folder.resolve("first.gguf"));
    ModelFormatException e = assertThrows(ModelFormatException.class, () -> GgufFile.open(renamed));
    assertTrue(e.getMessage().contains("name-00001-of-00003.gguf"), e.getMessage());
  }

  @Test
  void partsInTheWrongOrderAreRefused() throws IOException {
    Files.copy(parts.get(2), parts.get(1), StandardCopyOption.REPLACE_EXISTING);
    ModelFormatException e =
        assertThrows(ModelFormatException.class, () -> GgufFile.open(parts.get(0)));
    assertEquals(parts.get(1), e.file());
    assertEquals("split.no", e.field());
    assertTrue(e.getMessage().contains("is 2, but must be 1"), e.getMessage());
  }

  @Test
  void aPartThatIsNoModelIsRefused() throws IOException {
    Files.writeString(parts.get(2), "PK\3\4 and so on");
    ModelFormatException e =
        assertThrows(ModelFormatException.class, () -> GgufFile.open(parts.get(0)));
    assertEquals(parts.get(2), e.file());
  }

  @Test
  void aWrongTotalIsRefused() throws IOException {
    rewrite(0, 5, "a");
    ModelFormatException e =
        assertThrows(ModelFormatException.class, () -> GgufFile.open(parts.get(0)));
    assertEquals("split.tensors.count", e.field());
    assertTrue(e.getMessage().contains("is 5, but must be 4"), e.getMessage());
  }

  @Test
  void aTensorInTwoPartsIsRefused() throws IOException {
    rewrite(1, 4, "a");
    ModelFormatException e =
        assertThrows(ModelFormatException.class, () -> GgufFile.open(parts.get(0)));
    assertEquals(parts.get(1), e.file());
    assertEquals("tensor a", e.field());
    assertTrue(e.getMessage().contains("same name in " + parts.get(0)), e.getMessage());
  }

  @Test
  void aModelOfOnePartNeedsNoOthers() throws IOException {
    byte[] bytes = header(0, 1, 1, "a");
    Path path = Files.write(folder.resolve("one.gguf"), bytes);
    assertEquals(List.of(path), GgufFile.open(path).parts());
  }

  private void rewrite(int part, int total, String tensor) throws IOException {
    Files.write(parts.get(part), header(part, parts.size(), total, tensor));
  }

  private static byte[] header(int part, int count, int total, String tensor) {
    RawGguf raw = RawGguf.of(1, 3);
    Map<String, Integer> keys =
        Map.of("split.no", part, "split.count", count, "split.tensors.count", total);
    keys.forEach((key, value) -> raw.text(key).u32(4).u32(value));
    return raw.tensor(tensor, TensorType.F32.id(), 0, 8).data(32, 32).bytes();
  }

  @Test
  void keysOfASplitAreNotCopied() {
    GgufFile file = GgufFile.open(parts.get(0));
    assertEquals(
        new IntValue(GgufType.UINT16, 3), file.metadata().get("split.count").orElseThrow());
    Path merged = folder.resolve("merged.gguf");
    new GgufWriter().putAll(file.metadata().asMap()).write(merged);
    assertEquals(List.of(merged), GgufFile.open(merged).parts());
  }
}
