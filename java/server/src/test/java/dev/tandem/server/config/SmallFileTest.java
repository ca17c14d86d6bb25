package dev.tandem.server.config;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** Names that lead to pipes; {@link ConfigurationTest} has those of other things. */
@Timeout(60)
@DisabledOnOs(OS.WINDOWS)
final class SmallFileTest {

  private static final Duration SHORT = Duration.ofMillis(200);
  private static final Duration LONG = Duration.ofSeconds(50);
  private static final byte[] TEXT = "port: 1\n".getBytes(StandardCharsets.UTF_8);

  @TempDir private Path folder;

  private Path pipe() throws IOException, InterruptedException {
    Path pipe = folder.resolve("pipe");
    assertEquals(0, new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor());
    return pipe;
  }

  private static String refused(Path file) {
    IOException e = assertThrows(IOException.class, () -> SmallFile.bytes(file, SHORT));
    return SmallFile.problem(file, "--config", e);
  }

  @Test
  void aPipeThatNobodyWritesToIsNotWaitedForForEver() throws Exception {
    Path pipe = pipe();
    String refusal = refused(pipe);
    assertTrue(
        refusal.startsWith(
            pipe + ": is no regular file, and its end did not come within 200ms: let a program"),
        refusal);
    assertTrue(refusal.endsWith("(--config)"), refusal);
    Files.newOutputStream(pipe).close(); // lets the thread go that waits for a writer
  }

  @Test
  void norIsOneWhoseWriterSaysNothing() throws Exception {
    Path pipe = pipe();
    CompletableFuture<OutputStream> writer = opened(pipe);
    assertTrue(refused(pipe).contains("did not come within 200ms"));
    writer.join().close();
  }

  @Test
  void aPipeThatIsWrittenToIsRead() throws Exception {
    Path pipe = pipe();
    CompletableFuture<Void> writer =
        opened(pipe)
            .thenAccept(out -> {
              try (out) {
                Thread.sleep(100);
                out.write(TEXT);
              } catch (IOException | InterruptedException e) {
                throw new IllegalStateException(e);
              }
            });
    assertArrayEquals(TEXT, SmallFile.bytes(pipe, LONG));
    writer.join();
  }

  @Test
  void anEndlessPipeIsTooLarge() throws Exception {
    Path pipe = pipe();
    Process writer = new ProcessBuilder("sh", "-c", "yes >'" + pipe + "'").start();
    IOException e = assertThrows(IOException.class, () -> SmallFile.bytes(pipe, LONG));
    assertEquals(
        pipe + ": has more than 1MiB (--token-file)", SmallFile.problem(pipe, "--token-file", e));
    writer.waitFor(); // it has nobody to write to any more
  }

  private static CompletableFuture<OutputStream> opened(Path pipe) {
    return CompletableFuture.supplyAsync(() -> {
      try {
        return Files.newOutputStream(pipe); // when somebody reads
      } catch (IOException e) {
        throw new IllegalStateException(e);
      }
    });
  }
}
