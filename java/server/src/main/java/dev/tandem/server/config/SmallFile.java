package dev.tandem.server.config;

import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Function;

/**
 * Reads files that people write: settings, tokens, certificates. Whatever the name leads to, no
 * more than {@link #MOST_BYTES} of it are ever in memory. Pipes can be read as well, {@code
 * /dev/stdin} and a shell's {@code <(...)} among them; one that nobody writes to is not waited for
 * for ever.
 */
public final class SmallFile {

  /** Thousands of lines: what is larger is something else. */
  public static final int MOST_BYTES = 1 << 20;

  // What writes into a pipe may have to ask a vault, or a person, first.
  private static final Duration PATIENCE = Duration.ofSeconds(30);

  private SmallFile() {}

  /**
   * All of it.
   *
   * @param setting that names the file: "--config"
   * @param failure made of a message that names file, reason and setting; thrown
   */
  public static byte[] bytes(
      Path file, String setting, Function<String, ? extends RuntimeException> failure) {
    try {
      return bytes(file);
    } catch (IOException e) {
      throw failure.apply(problem(file, setting, e));
    }
  }

  /** The same as text, which is in UTF-8. */
  public static String text(
      Path file, String setting, Function<String, ? extends RuntimeException> failure) {
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes(file))).toString();
    } catch (IOException e) {
      throw failure.apply(problem(file, setting, e));
    }
  }

  /**
   * All of it.
   *
   * @throws IOException if it cannot be read, is too large, or has no end in time
   */
  public static byte[] bytes(Path file) throws IOException {
    return bytes(file, PATIENCE);
  }

  /**
   * The same.
   *
   * @param patience until the end of what is no regular file must have come
   */
  static byte[] bytes(Path file, Duration patience) throws IOException {
    return Files.exists(file) && !Files.isRegularFile(file) ? inTime(file, patience) : allOf(file);
  }

  private static byte[] allOf(Path file) throws IOException {
    try (InputStream in = Files.newInputStream(file)) {
      byte[] bytes = in.readNBytes(MOST_BYTES + 1);
      if (bytes.length > MOST_BYTES) {
        throw new FileSystemException(
            file.toString(), null, "has more than " + Quantity.size(MOST_BYTES));
      }
      return bytes;
    }
  }

  /** On a thread of its own: to open a pipe that nobody has opened to write waits in the system. */
  private static byte[] inTime(Path file, Duration patience) throws IOException {
    FutureTask<byte[]> reading = new FutureTask<>(() -> allOf(file));
    Thread.ofPlatform().daemon().name("tandem-read").start(reading);
    try {
      return reading.get(patience.toNanos(), TimeUnit.NANOSECONDS);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof IOException failure) {
        throw failure;
      }
      throw new IllegalStateException(e.getCause()); // nothing else can go wrong with reading
    } catch (TimeoutException e) {
      throw new FileSystemException(
          file.toString(),
          null,
          "is no regular file, and its end did not come within %s: let a program write into it and"
                  .formatted(Quantity.duration(patience))
              + " close it, or name a file");
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("interrupted");
    } finally {
      reading.cancel(true); // ends a read; what waits for its writer is left to the process's end
    }
  }

  /** What is wrong with a file, for people. */
  public static String problem(Path file, String setting, IOException cause) {
    String reason =
        switch (cause) {
          case NoSuchFileException e -> "no such file";
          case AccessDeniedException e -> "permission denied";
          case CharacterCodingException e -> "is no text in UTF-8";
          case FileSystemException e when e.getReason() != null -> e.getReason();
          default -> String.valueOf(cause.getMessage());
        };
    return "%s: %s (%s)".formatted(file, reason, setting);
  }
}
