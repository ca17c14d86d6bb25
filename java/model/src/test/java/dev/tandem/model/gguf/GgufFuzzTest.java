package dev.tandem.model.gguf;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.code_intelligence.jazzer.junit.FuzzTest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * Whatever the bytes of a file are, opening it gives a model or a {@link ModelFormatException}.
 *
 * <p>Ordinary test runs replay the committed seeds (see {@link FuzzSeeds}). With {@code
 * JAZZER_FUZZ=1} in the environment Jazzer searches for inputs of its own, for as long as {@code
 * maxDuration}, or {@code JAZZER_MAX_DURATION} in the environment, says.
 */
class GgufFuzzTest {
  @FuzzTest(maxDuration = "5m")
  void opensOrRefuses(byte[] content) {
    GgufFile file;
    try {
      file = MemoryChannel.open(content);
    } catch (ModelFormatException e) {
      assertEquals(MemoryChannel.NAME, e.file());
      assertTrue(e.offset() <= content.length, e.getMessage());
      return;
    }
    long end = 0;
    for (TensorInfo tensor : file.tensors().values()) {
      assertTrue(tensor.offset() >= 0 && tensor.bytes() > 0, tensor.toString());
      assertTrue(tensor.offset() <= content.length - tensor.bytes(), tensor.toString());
      assertEquals(0, tensor.offset() % file.alignment(), tensor.toString());
      assertEquals(tensor.bytes(), tensor.rowBytes() * tensor.rows() * tensor.matrices());
      end += tensor.bytes();
    }
    assertTrue(end <= content.length, "tensors do not overlap");

    Map<String, GgufValue> values = new LinkedHashMap<>(file.metadata().asMap());
    values.keySet().removeAll(GgufWriter.SPLIT_KEYS); // The writer sets these itself.
    GgufWriter copy = new GgufWriter().putAll(values);
    GgufFile again = MemoryChannel.open(MemoryChannel.written(copy));
    assertEquals(values, again.metadata().asMap());
  }

  @Test
  void seedsAreThoseThatTheCodeMakes() throws IOException {
    try (Stream<Path> files = Files.list(FuzzSeeds.FOLDER)) {
      List<String> found = files.map(file -> file.getFileName().toString()).toList();
      assertTrue(found.containsAll(FuzzSeeds.all().keySet()), found.toString());
    }
    for (Map.Entry<String, byte[]> seed : FuzzSeeds.all().entrySet()) {
      Path file = FuzzSeeds.FOLDER.resolve(seed.getKey());
      assertArrayEquals(seed.getValue(), Files.readAllBytes(file), file.toString());
    }
  }
}
