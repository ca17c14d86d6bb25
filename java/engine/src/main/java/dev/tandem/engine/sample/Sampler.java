package dev.tandem.engine.sample;

import dev.tandem.engine.program.StepBlock;
import java.util.SplittableRandom;

/**
 * Draws the next token from the candidates of a step. Greedy with temperature 0; otherwise from the
 * {@code topK} best, with probabilities proportional to {@code exp(logit / temperature)}. The same
 * seed and the same logits give the same tokens. Allocates nothing when it draws.
 */
public final class Sampler {

  private final double temperature;
  private final int topK;
  private final SplittableRandom random;
  private final double[] weights = new double[StepBlock.CANDIDATES];

  public Sampler(SamplingOptions options) {
    temperature = options.temperature();
    topK = options.topK();
    random = new SplittableRandom(options.seed());
  }

  /** The next token for an output of the step that has run. */
  public int sample(StepBlock step, int output) {
    if (temperature == 0) {
      return step.candidateId(output, 0);
    }
    int count = Math.min(topK, step.candidates(output));
    float best = step.candidateLogit(output, 0);
    double sum = 0;
    for (int i = 0; i < count; i++) {
      weights[i] = Math.exp((step.candidateLogit(output, i) - best) / temperature);
      sum += weights[i];
    }
    double left = random.nextDouble() * sum;
    for (int i = 0; i < count - 1; i++) {
      left -= weights[i];
      if (left < 0) {
        return step.candidateId(output, i);
      }
    }
    return step.candidateId(output, count - 1);
  }
}
