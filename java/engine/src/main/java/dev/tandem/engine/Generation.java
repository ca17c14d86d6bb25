package dev.tandem.engine;

import java.time.Duration;
import java.util.Optional;

/**
 * How a generation went.
 *
 * @param reason why it ended
 * @param stop the stop string that ended it
 * @param cachedTokens tokens of the context that were in the cache already
 * @param promptTokens tokens read before the first was sampled, those in the cache not counted
 * @param generatedTokens tokens announced to the listener
 * @param queued from the call until its first step began: waiting for room, and for the step that
 *     ran meanwhile
 * @param firstToken from the call to the first sampled token: waiting, and reading the prompt
 * @param decode time to generate, from the first sampled token on
 */
public record Generation(
    Reason reason,
    Optional<String> stop,
    int cachedTokens,
    int promptTokens,
    int generatedTokens,
    Duration queued,
    Duration firstToken,
    Duration decode) {

  /** Why a generation ended. */
  public enum Reason {
    /** The model ended its text, or a stop string did. */
    STOP,
    /** As many tokens as asked for, or the context is full. */
    LENGTH,
    /** It was cancelled. */
    CANCELLED
  }

  /** Prompt tokens per second. */
  public double promptSpeed() {
    return speed(promptTokens, firstToken);
  }

  /** Generated tokens per second; the first comes out of the prompt and does not count. */
  public double decodeSpeed() {
    return speed(generatedTokens - 1, decode);
  }

  private static double speed(int tokens, Duration time) {
    return tokens <= 0 || time.isZero() ? 0 : tokens / (time.toNanos() / 1e9);
  }
}
