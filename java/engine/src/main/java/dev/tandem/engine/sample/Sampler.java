package dev.tandem.engine.sample;

import dev.tandem.engine.program.StepBlock;
import dev.tandem.engine.sample.TokenProbabilities.TokenProbability;
import dev.tandem.runtime.PickSetting;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Chooses the tokens of one generation. It is told of all tokens, prompt and generated ones ({@link
 * #accept}), writes penalties and biases into a step before that runs ({@link #adjust}), and draws
 * from the step's results ({@link #sample}). The same options and the same logits give the same
 * tokens. Nothing but {@link #probabilities} allocates.
 */
public final class Sampler {

  /** Returned by {@link #sample} where the candidates do not suffice. */
  public static final int PENDING = -1;

  // Colder than one over this takes the best all the same, hotter than this any token that is not
  // banned; and nothing in between overflows.
  private static final double HOTTEST = 1e20;

  private final SamplingOptions options;
  private final int vocabulary;
  private final double inverseTemperature;
  private final int[] biasedIds;
  private final float[] biases;
  private final RecentTokens recent;
  private final float repeat;
  private final RandomNumbers random;
  private final Shortlist shortlist;

  private int pick; // the draw that is pending
  private double uniform; // the number of the last draw
  private boolean again; // it is the next draw's too
  private int chosenId;
  private float chosenLogit;

  /**
   * @param vocabulary elements of a row of logits
   * @throws IllegalArgumentException if the options do not fit to it
   */
  public Sampler(SamplingOptions options, int vocabulary) {
    options.requireFitting(vocabulary);
    this.options = options;
    this.vocabulary = vocabulary;
    inverseTemperature = 1 / Math.clamp(options.temperature(), 1 / HOTTEST, HOTTEST);
    Map<Integer, Float> bias = options.logitBias();
    biasedIds = bias.keySet().stream().mapToInt(Integer::intValue).sorted().toArray();
    biases = new float[biasedIds.length];
    for (int i = 0; i < biases.length; i++) {
      biases[i] = bias.get(biasedIds[i]);
    }
    Penalties penalties = options.penalties();
    recent = new RecentTokens(penalties.areOn() ? penalties.lastTokens() : 0);
    repeat = (float) penalties.repeat();
    random = new RandomNumbers(options.seed());
    shortlist = new Shortlist(options, inverseTemperature, vocabulary);
  }

  /** A token follows the text so far: one of the prompt, or one that was generated. */
  public void accept(int token) {
    if (token >= 0 && token < vocabulary) { // others have no logit to change
      recent.add(token);
    }
  }

  /** These tokens follow the text so far. */
  public void accept(int[] tokens) {
    int looked = options.penalties().lastTokens();
    for (int i = Math.max(0, tokens.length - looked); i < tokens.length; i++) {
      accept(tokens[i]);
    }
  }

  /** Writes biases and penalties into a step that has yet to run, for an output of it. */
  public void adjust(StepBlock step, int output) {
    for (int i = 0; i < biases.length; i++) {
      step.adjust(output, biasedIds[i], 1, biases[i]);
    }
    Penalties penalties = options.penalties();
    for (int i = 0; i < recent.distinct(); i++) {
      double lost = penalties.presence() + recent.count(i) * penalties.frequency();
      step.adjust(output, recent.id(i), repeat, (float) -lost);
    }
  }

  /**
   * The next token for an output of the step that has run; {@link #PENDING} if it has to be drawn
   * from the whole row of logits. The draw is in the step block then; {@code Engine.pick} makes it,
   * together with those of other outputs, and {@link #picked} tells the token.
   */
  public int sample(StepBlock step, int output) {
    int place = 0;
    if (options.temperature() > 0) {
      uniform = again ? uniform : random.next();
      again = false;
      place = shortlist.draw(step, output, uniform);
      if (place == Shortlist.TOO_SHORT) {
        askForPick(step, output);
        return PENDING;
      }
    }
    chosenId = step.candidateId(output, place);
    chosenLogit = step.candidateLogit(output, place);
    return chosenId;
  }

  /** What was drawn last is lost: the next {@link #sample} makes the same draw. */
  public void drawAgain() {
    again = true;
  }

  private void askForPick(StepBlock step, int output) {
    pick = step.addPick(output);
    step.setPick(pick, PickSetting.TOP_K, options.topK());
    step.setPick(pick, PickSetting.TYPICAL, options.typical());
    step.setPick(pick, PickSetting.TOP_P, options.topP());
    step.setPick(pick, PickSetting.MIN_P, options.minP());
    step.setPick(pick, PickSetting.INVERSE_TEMPERATURE, inverseTemperature);
    step.setPick(pick, PickSetting.UNIFORM, uniform);
  }

  /** The token that was pending. */
  public int picked(StepBlock step) {
    chosenId = step.pickedId(pick);
    chosenLogit = step.pickedLogit(pick);
    return chosenId;
  }

  /**
   * How likely the token was that was chosen last.
   *
   * @param output the one that it was chosen for; its step is the last one still
   * @param top how many of the likeliest to list, up to {@link StepBlock#CANDIDATES}
   */
  public TokenProbabilities probabilities(StepBlock step, int output, int top) {
    double logSum = step.logSum(output);
    List<TokenProbability> best = new ArrayList<>(top);
    for (int i = 0; i < Math.min(top, step.candidates(output)); i++) {
      best.add(probability(step.candidateId(output, i), step.candidateLogit(output, i), logSum));
    }
    return new TokenProbabilities(probability(chosenId, chosenLogit, logSum), best);
  }

  /** The sum is rounded to a float: it may be a little less than its largest part. */
  private static TokenProbability probability(int id, float logit, double logSum) {
    return new TokenProbability(id, Math.min(0, logit - logSum));
  }
}
