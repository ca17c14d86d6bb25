package dev.tandem.cli;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/**
 * A command cannot do what it was asked for. The message, one line, names the thing, the value and
 * the remedy.
 */
final class Failure extends RuntimeException {

  private static final long serialVersionUID = 1;

  private final boolean usage;

  private Failure(String message, boolean usage) {
    super(message);
    this.usage = usage;
  }

  /** Something went wrong that can happen to anybody. */
  Failure(String message) {
    this(message, false);
  }

  /** The command was typed wrongly. */
  static Failure usage(String message) {
    return new Failure(message, true);
  }

  /**
   * An option has a value that it cannot have.
   *
   * @param allowed what it can have: "at least 1"
   */
  static Failure value(String option, Object value, String allowed) {
    return usage("%s %s is not possible: %s".formatted(option, value, allowed));
  }

  /** A file cannot be read or written. */
  static Failure of(Path file, IOException cause) {
    return new Failure(file + ": " + reason(file, cause));
  }

  /** Whether the command was typed wrongly; else it failed. */
  boolean isUsage() {
    return usage;
  }

  private static String reason(Path file, IOException cause) {
    return switch (cause) {
      case NoSuchFileException e -> missing(file);
      case AccessDeniedException e -> "permission denied";
      case FileSystemException e when e.getReason() != null -> e.getReason();
      default -> String.valueOf(cause.getMessage());
    };
  }

  /** The file itself, or the folder in which it was to be made. */
  private static String missing(Path file) {
    Path folder = file.toAbsolutePath().getParent();
    return folder == null || folder.toFile().isDirectory()
        ? "no such file"
        : "there is no folder " + folder;
  }
}
