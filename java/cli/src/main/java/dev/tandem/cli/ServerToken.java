package dev.tandem.cli;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/**
 * What a server knows its user by. Never an argument: those are for all users of a machine to see.
 */
final class ServerToken {

  private static final String VARIABLE = "TANDEM_TOKEN";
  private static final int MOST_BYTES = 4096;

  private ServerToken() {}

  /** What the file has, or else the variable; no error shows any of it. */
  static Optional<String> of(Optional<Path> file) {
    return of(file, Optional.ofNullable(System.getenv(VARIABLE)));
  }

  /** The same with another variable's value. */
  static Optional<String> of(Optional<Path> file, Optional<String> variable) {
    return file.isPresent()
        ? Optional.of(check(file.get().toString(), read(file.get())))
        : variable
            .filter(text -> !text.isBlank())
            .map(text -> check("the variable " + VARIABLE, text));
  }

  private static String read(Path file) {
    try (InputStream in = Files.newInputStream(file)) {
      byte[] bytes = in.readNBytes(MOST_BYTES + 1);
      if (bytes.length > MOST_BYTES) {
        throw new Failure(
            "%s: more than %d bytes: one line is wanted, with the token"
                .formatted(file, MOST_BYTES));
      }
      return new String(bytes, StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw Failure.of(file, e);
    }
  }

  /** Servers take no others, since HTTP could not carry them. */
  private static String check(String place, String text) {
    String token = text.strip();
    if (token.isEmpty() || !token.chars().allMatch(c -> c > ' ' && c < 0x7f)) {
      throw new Failure(
          place + ": one line is wanted, with the token alone: ASCII characters without spaces");
    }
    return token;
  }
}
