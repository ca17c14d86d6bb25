package dev.tandem.engine;

import java.time.Duration;

/**
 * How a generation went.
 *
 * @param reason why it ended
 * @param promptTokens tokens read before the first was sampled, those that were in the cache
 *     already not counted
 * @param generatedTokens tokens announced to the listener
 * @param firstToken from the call to the first sampled token: reading the prompt
 * @param decode time to generate, from the first sampled token on
 */
public record Generation(
    Reason reason, int promptTokens, int generatedTokens, Duration firstToken, Duration decode) {

  /** Why a generation ended. */
  public enum Reason {
    /** The model ended its text. */
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
