package dev.tandem.engine;

import dev.tandem.engine.program.StepBlock;
import dev.tandem.engine.sample.SamplingOptions;
import dev.tandem.text.StopStrings;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * What to generate.
 *
 * @param maxTokens most tokens to generate; {@link #UNLIMITED} = until the model ends its text or
 *     the context is full: a text has as many tokens as that at most, what is generated included
 * @param sampling how tokens are drawn
 * @param ignoreEnd go on when the model ends its text
 * @param stop strings before which the text ends
 * @param logProbabilities {@link #NONE} = do not tell; else tell how likely each token was, and the
 *     so many likeliest ones
 */
public record GenerationOptions(
    int maxTokens,
    SamplingOptions sampling,
    boolean ignoreEnd,
    List<String> stop,
    int logProbabilities) {

  /**
   * Until the model ends its text or the context is full. Such a generation reserves all of the
   * cache that a context can take: by default others wait until it ends.
   */
  public static final int UNLIMITED = Integer.MAX_VALUE;

  /** No log-probabilities. */
  public static final int NONE = -1;

  public GenerationOptions {
    if (maxTokens < 0) {
      throw new IllegalArgumentException("tokens to generate: " + maxTokens + " is negative");
    }
    stop = List.copyOf(stop);
    if (stop.size() > StopStrings.MOST) {
      throw new IllegalArgumentException(
          "stop strings: %d are too many; up to %d are possible"
              .formatted(stop.size(), StopStrings.MOST));
    }
    if (logProbabilities < NONE || logProbabilities > StepBlock.CANDIDATES) {
      throw new IllegalArgumentException(
          "log-probabilities: %d are not possible; 0 to %d are"
              .formatted(logProbabilities, StepBlock.CANDIDATES));
    }
    for (String string : stop) {
      if (!StandardCharsets.UTF_8.newEncoder().canEncode(string)) {
        throw new IllegalArgumentException("stop strings: one has half a character (a surrogate)");
      }
    }
    if (stop.contains("")) {
      throw new IllegalArgumentException("stop strings: one is empty");
    }
  }

  /** Until the model ends its text, or as many tokens. */
  public static GenerationOptions of(int maxTokens, SamplingOptions sampling) {
    return new GenerationOptions(maxTokens, sampling, false, List.of(), NONE);
  }

  public GenerationOptions ignoringEnd() {
    return new GenerationOptions(maxTokens, sampling, true, stop, logProbabilities);
  }

  public GenerationOptions stoppingAt(String... strings) {
    return new GenerationOptions(
        maxTokens, sampling, ignoreEnd, List.of(strings), logProbabilities);
  }

  public GenerationOptions withLogProbabilities(int likeliest) {
    return new GenerationOptions(maxTokens, sampling, ignoreEnd, stop, likeliest);
  }
}
