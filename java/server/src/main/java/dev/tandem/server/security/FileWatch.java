package dev.tandem.server.security;

import dev.tandem.server.config.SmallFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Calls when the content of files has changed. Times and inodes tell too little: a secret of
 * Kubernetes changes through a link two folders up, and an editor may write the same again.
 */
public final class FileWatch {

  private static final Logger log = LoggerFactory.getLogger(FileWatch.class);

  private final List<Path> files;
  private final Runnable changed;
  private byte[] seen; // only used by the thread that looks

  private FileWatch(List<Path> files, Runnable changed) {
    this.files = files;
    this.changed = changed;
    this.seen = content();
  }

  /**
   * Looks from now on.
   *
   * @param interval between looks
   * @param timer whose thread looks and calls; shutting it down ends this
   */
  public static void start(
      List<Path> files, Duration interval, ScheduledExecutorService timer, Runnable changed) {
    FileWatch watch = new FileWatch(files, changed);
    timer.scheduleWithFixedDelay(
        watch::look, interval.toMillis(), interval.toMillis(), TimeUnit.MILLISECONDS);
  }

  private void look() {
    try {
      byte[] now = content();
      if (!MessageDigest.isEqual(now, seen)) {
        seen = now;
        changed.run();
      }
    } catch (RuntimeException e) { // thrown further, it would end the timer's task
      log.error("{}: what has changed could not be taken over", files, e);
    }
  }

  /**
   * A digest of all files; of one that cannot be read, that this is so. A pipe gives its text once,
   * and who opens it again waits for ever.
   */
  private byte[] content() {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      for (Path file : files) {
        try {
          byte[] bytes = Files.isRegularFile(file) ? SmallFile.bytes(file) : new byte[0];
          digest.update((byte) 1);
          digest.update(MessageDigest.getInstance("SHA-256").digest(bytes));
        } catch (IOException e) {
          digest.update((byte) 0);
        }
      }
      return digest.digest();
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e); // every JDK has it
    }
  }
}
