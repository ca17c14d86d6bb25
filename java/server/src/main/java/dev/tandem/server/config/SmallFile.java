package dev.tandem.server.config;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.function.Function;

/**
 * Reads files that people write: settings, tokens, certificates. Whatever the name leads to, no
 * more than {@link #MOST_BYTES} of it are ever in memory; pipes can be read as well.
 */
public final class SmallFile {

  /** Thousands of lines: what is larger is something else. */
  public static final int MOST_BYTES = 1 << 20;

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
   * @throws IOException if it cannot be read, or is too large
   */
  public static byte[] bytes(Path file) throws IOException {
    try (InputStream in = Files.newInputStream(file)) {
      byte[] bytes = in.readNBytes(MOST_BYTES + 1);
      if (bytes.length > MOST_BYTES) {
        throw new FileSystemException(
            file.toString(), null, "has more than " + Quantity.size(MOST_BYTES));
      }
      return bytes;
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
