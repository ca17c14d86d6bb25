package dev.tandem.engine;

import dev.tandem.engine.sample.SamplingOptions;

/**
 * What to generate.
 *
 * @param maxTokens most tokens to generate; {@link #UNLIMITED} = until the model ends its text or
 *     the context is full
 * @param sampling how tokens are drawn
 * @param ignoreEnd go on when the model ends its text
 */
public record GenerationOptions(int maxTokens, SamplingOptions sampling, boolean ignoreEnd) {

  public static final int UNLIMITED = Integer.MAX_VALUE;

  public GenerationOptions {
    if (maxTokens < 0) {
      throw new IllegalArgumentException("tokens to generate: " + maxTokens + " is negative");
    }
  }
}
