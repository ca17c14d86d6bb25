package dev.tandem.server.security;

import dev.tandem.server.request.Caller;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Some tokens and whose they are. What is kept of a token is its digest; a token is compared with
 * all of them, whether or not one was found, so that the time tells nothing.
 */
final class Tokens {

  private static final String DEFAULT_TENANT = "default";
  private static final int SHORT = 16;

  private record Entry(byte[] digest, Caller caller) {}

  private final List<Entry> entries = new ArrayList<>();
  private int shortOnes;

  private Tokens() {}

  /**
   * Reads lines of {@code TOKEN [TENANT [PRIORITY]]}; those that begin with # and empty ones do not
   * count.
   *
   * @param source what to call the lines in errors, which do not show them
   * @throws SecurityFileException if a line is something else
   */
  static Tokens parse(String source, Iterable<String> lines) {
    Tokens tokens = new Tokens();
    int number = 0;
    for (String line : lines) {
      number++;
      String stripped = line.strip();
      if (!stripped.isEmpty() && !stripped.startsWith("#")) {
        tokens.add(source + ", line " + number, stripped.split("\\s+"));
      }
    }
    if (tokens.entries.isEmpty()) {
      throw new SecurityFileException(
          source + ": no token is there: nobody could ask; add a line 'TOKEN [TENANT [PRIORITY]]'");
    }
    return tokens;
  }

  private void add(String place, String[] words) {
    if (words.length > 3) {
      throw new SecurityFileException(
          place
              + ": has %d words; 'TOKEN [TENANT [PRIORITY]]' is expected".formatted(words.length));
    }
    if (!words[0].chars().allMatch(c -> c > ' ' && c < 0x7f)) {
      throw new SecurityFileException(
          place + ": the token has characters that HTTP cannot carry: use ASCII ones");
    }
    byte[] digest = digest(words[0]);
    for (Entry entry : entries) {
      if (MessageDigest.isEqual(entry.digest, digest)) {
        throw new SecurityFileException(place + ": the token stands in an earlier line already");
      }
    }
    String tenant = words.length > 1 ? words[1] : DEFAULT_TENANT;
    entries.add(new Entry(digest, new Caller(tenant, "", priority(place, words))));
    shortOnes += words[0].length() < SHORT ? 1 : 0;
  }

  private static int priority(String place, String[] words) {
    if (words.length < 3) {
      return 0;
    }
    try {
      return Integer.parseInt(words[2]);
    } catch (NumberFormatException e) {
      throw new SecurityFileException(
          place + ": the priority is no whole number: 'TOKEN [TENANT [PRIORITY]]' is expected");
    }
  }

  /** Whose token it is. */
  Optional<Caller> caller(String token) {
    byte[] digest = digest(token);
    Optional<Caller> found = Optional.empty();
    for (Entry entry : entries) {
      if (MessageDigest.isEqual(entry.digest, digest)) {
        found = Optional.of(entry.caller);
      }
    }
    return found;
  }

  int size() {
    return entries.size();
  }

  /** How many could be guessed. */
  int shortOnes() {
    return shortOnes;
  }

  private static byte[] digest(String token) {
    try {
      return MessageDigest.getInstance("SHA-256").digest(token.getBytes(StandardCharsets.UTF_8));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e); // every JDK has it
    }
  }
}
