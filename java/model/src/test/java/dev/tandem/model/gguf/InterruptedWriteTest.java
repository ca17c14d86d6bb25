package dev.tandem.model.gguf;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.model.format.TensorType;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A process that is told to end while it writes a model leaves nothing behind. */
class InterruptedWriteTest {
  private static final long SECONDS = 60;

  @TempDir private Path folder;

  @Test
  void leavesNothingBehind() throws IOException, InterruptedException {
    Path old = Files.writeString(folder.resolve("model-00001-of-00002.gguf"), "the old one");
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                Writing.class.getName(),
                folder.toString())
            .redirectErrorStream(true)
            .start();
    try {
      assertEquals('!', process.getInputStream().read(), "it is writing the second part");
      assertEquals(3, files(), "the old one and two temporary ones");
    } finally {
      process.destroy();
    }
    assertTrue(process.waitFor(SECONDS, TimeUnit.SECONDS));
    assertEquals(1, files());
    assertEquals("the old one", Files.readString(old));
  }

  private long files() throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.count();
    }
  }

  /** Writes a model in two parts, whose second never ends. */
  static final class Writing {
    private Writing() {}

    public static void main(String[] arguments) {
      new GgufWriter()
          .tensor("a", TensorType.F32, List.of(1L), new byte[4])
          .tensor(
              "b",
              TensorType.F32,
              List.of(2L),
              out -> {
                out.write(ByteBuffer.allocate(4));
                System.out.print("!");
                System.out.flush();
                sleep();
              })
          .writeSplit(Path.of(arguments[0]), "model", 2);
    }

    private static void sleep() {
      try {
        TimeUnit.SECONDS.sleep(SECONDS);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
