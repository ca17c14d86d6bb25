package dev.tandem.cli.load;

import java.util.Optional;

/**
 * How one request went, as its client saw it ({@link System#nanoTime}).
 *
 * @param sent when it was
 * @param first when its first token came; the end, if none came
 * @param ended when its end came
 * @param tokens that came
 * @param error why it failed
 */
public record Sample(long sent, long first, long ended, int tokens, Optional<String> error) {

  double firstSeconds() {
    return (first - sent) / 1e9;
  }

  double totalSeconds() {
    return (ended - sent) / 1e9;
  }

  /** Mean time of a token after the first. */
  double perTokenSeconds() {
    return (ended - first) / 1e9 / (tokens - 1);
  }
}
