package dev.tandem.server.http;

import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.regex.Pattern;

/** Names of requests. */
final class RequestIds {

  // Nothing that could break a line of a log, or a header.
  private static final Pattern SANE = Pattern.compile("[A-Za-z0-9._-]{1,64}");

  private RequestIds() {}

  /** The client's own name, if it gave one that can be used; else a new one. */
  static String of(List<String> given) {
    return given.size() == 1 && SANE.matcher(given.getFirst()).matches()
        ? given.getFirst()
        : "req-%016x".formatted(ThreadLocalRandom.current().nextLong());
  }
}
