package dev.tandem.cli;

import java.util.Optional;

/** Where the lines of a chat come from. */
interface ChatInput extends AutoCloseable {

  /** Ctrl-C was pressed where a line was to be typed. */
  final class InterruptedByUser extends RuntimeException {
    private static final long serialVersionUID = 1;
  }

  /**
   * The next line: several, if all but the last end in a backslash, or if they were pasted.
   *
   * @return empty at the end
   * @throws InterruptedByUser if Ctrl-C was pressed instead
   */
  Optional<String> next();

  @Override
  void close();

  /** Whether a line goes on in the next one: one backslash ends it, two are two. */
  static boolean isContinued(String line) {
    int backslashes = 0;
    while (backslashes < line.length() && line.charAt(line.length() - 1 - backslashes) == '\\') {
      backslashes++;
    }
    return backslashes % 2 == 1;
  }
}
