package dev.tandem.cli;

import dev.tandem.engine.sample.Penalties;
import dev.tandem.engine.sample.SamplingOptions;
import dev.tandem.protocol.v1.Sampling;

/** How tokens are drawn, as a server is told: all of it, so that its defaults change nothing. */
final class RemoteSampling {

  private RemoteSampling() {}

  static Sampling of(SamplingOptions options) {
    Penalties penalties = options.penalties();
    return Sampling.newBuilder()
        .setTemperature(options.temperature())
        .setTopK(options.topK())
        .setTypical(options.typical())
        .setTopP(options.topP())
        .setMinP(options.minP())
        .setRepeatPenalty(penalties.repeat())
        .setPresencePenalty(penalties.presence())
        .setFrequencyPenalty(penalties.frequency())
        .setPenaltyTokens(penalties.lastTokens())
        .setSeed(options.seed())
        .putAllLogitBias(options.logitBias())
        .build();
  }
}
