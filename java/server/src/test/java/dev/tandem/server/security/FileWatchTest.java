package dev.tandem.server.security;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import dev.tandem.server.Await;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Files that change, go away, or are pipes. */
class FileWatchTest {

  private static final Duration OFTEN = Duration.ofMillis(5);

  private final ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor();
  private final AtomicInteger changes = new AtomicInteger();
  @TempDir private Path folder;

  @AfterEach
  void stop() {
    timer.shutdownNow();
  }

  @Test
  void aFileThatGoesAndComesIsTold() throws Exception {
    Path file = Files.writeString(folder.resolve("file"), "a");
    FileWatch.start(List.of(file), OFTEN, timer, changes::incrementAndGet);
    Files.delete(file);
    Await.until(() -> changes.get() == 1);
    Files.writeString(file, "b");
    Await.until(() -> changes.get() >= 2); // perhaps it was seen empty
  }

  @Test
  void aFailureDoesNotEndTheWatch() throws Exception {
    Path file = Files.writeString(folder.resolve("file"), "a");
    FileWatch.start(
        List.of(file),
        OFTEN,
        timer,
        () -> {
          changes.incrementAndGet();
          throw new IllegalStateException("a defect");
        });
    Files.delete(file);
    Await.until(() -> changes.get() == 1);
    Files.writeString(file, "b");
    Await.until(() -> changes.get() >= 2);
  }

  /** As in {@code --token-file <(command)}: nobody writes any more. */
  @Test
  void aPipeIsNotWaitedFor() throws Exception {
    Path pipe = folder.resolve("pipe");
    assertEquals(0, new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor());
    assertTimeoutPreemptively(
        Duration.ofSeconds(20),
        () -> FileWatch.start(List.of(pipe), OFTEN, timer, changes::incrementAndGet));
    Await.pause();
    assertEquals(0, changes.get());
  }
}
