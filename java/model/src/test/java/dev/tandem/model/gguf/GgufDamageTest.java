package dev.tandem.model.gguf;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import com.sun.management.ThreadMXBean;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Files that were good once: cut off, with bits flipped, or changed behind our back. */
class GgufDamageTest {
  /** What opening may allocate for each byte of the file, and besides. */
  private static final long ALLOCATED_PER_BYTE = 64;

  private static final long ALLOCATED_BESIDES = 64 << 10;

  @Test
  void everyTruncationIsRefused() {
    byte[] whole = MemoryChannel.written(RandomGguf.of(7, 20, 5).writer());
    GgufFile file = MemoryChannel.open(whole);
    long end =
        file.tensors().values().stream().mapToLong(t -> t.offset() + t.bytes()).max().orElseThrow();
    for (int length = 0; length < end; length++) {
      byte[] cut = Arrays.copyOf(whole, length);
      ModelFormatException e =
          assertThrows(
              ModelFormatException.class, () -> MemoryChannel.open(cut), "cut to " + length);
      assertTrue(e.offset() >= 0 && e.offset() <= length, e.getMessage());
    }
    // What is left is padding, which nothing needs.
    MemoryChannel.open(Arrays.copyOf(whole, (int) end));
  }

  @ParameterizedTest(name = "seed {0}")
  @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
  void flippedBytesGiveAModelOrAnError(long seed) {
    byte[] whole = MemoryChannel.written(RandomGguf.of(seed, 15, 6).writer());
    Random random = new Random(seed);
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    for (int round = 0; round < 5000; round++) {
      byte[] damaged = whole.clone();
      for (int flips = 1 + random.nextInt(4); flips > 0; flips--) {
        int at = random.nextInt(damaged.length);
        // Often 0 or 0xFF, for those make the most extreme numbers.
        damaged[at] = (byte) (random.nextBoolean() ? random.nextInt() : -random.nextInt(2));
      }
      long before = threads.getCurrentThreadAllocatedBytes();
      try {
        MemoryChannel.open(damaged);
      } catch (ModelFormatException e) {
        assertEquals(MemoryChannel.NAME, e.file());
      } catch (RuntimeException e) {
        fail("seed " + seed + ", round " + round, e);
      }
      long allocated = threads.getCurrentThreadAllocatedBytes() - before;
      assertTrue(
          allocated <= ALLOCATED_BESIDES + ALLOCATED_PER_BYTE * whole.length,
          "seed " + seed + ", round " + round + ": " + allocated + " bytes allocated");
    }
  }

  /** A large file must not be an excuse for large arrays: the header has a limit of its own. */
  @Test
  void aCountThatALargeFileCouldHoldIsStillLimited(@TempDir Path folder) throws IOException {
    byte[] header =
        RawGguf.of(0, 1).text("a").u32(GgufType.ARRAY.id()).u32(8).u64(200_000_000).bytes();
    Path path = folder.resolve("sparse.gguf");
    try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
      file.write(header);
      file.setLength(8L << 30);
    }
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    long before = threads.getCurrentThreadAllocatedBytes();
    ModelFormatException e = assertThrows(ModelFormatException.class, () -> GgufFile.open(path));
    assertTrue(e.getMessage().contains("larger than the limit"), e.getMessage());
    long allocated = threads.getCurrentThreadAllocatedBytes() - before;
    assertTrue(allocated < 4 << 20, allocated + " bytes allocated");
  }

  @Test
  void aFileThatShrinksAfterwardsIsNoticed(@TempDir Path folder) throws IOException {
    Path path = folder.resolve("model.gguf");
    RandomGguf.of(3, 4, 3).writer().write(path);
    GgufFile file = GgufFile.open(path);
    TensorInfo last = file.tensors().values().stream().reduce((a, b) -> b).orElseThrow();
    Files.write(path, Arrays.copyOf(Files.readAllBytes(path), (int) last.offset() + 1));
    ModelFormatException e = assertThrows(ModelFormatException.class, () -> file.read(last));
    assertEquals("tensor " + last.name(), e.field());
    assertEquals(last.offset() + 1, e.offset());
    assertTrue(e.getMessage().contains("shorter since it was opened"), e.getMessage());
  }
}
