package dev.tandem.cli;

import dev.tandem.engine.TandemModel;
import dev.tandem.engine.sample.Penalties;
import dev.tandem.engine.sample.SamplingOptions;
import dev.tandem.model.Model;
import dev.tandem.text.Vocabulary;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Supplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import picocli.CommandLine.Option;

/** How tokens are drawn: options of all commands that generate text. */
final class SamplingArguments {

  /** Seeds that nobody chose are short enough to be typed again. */
  private static final int OWN_SEEDS = 1 << 30;

  private static final Pattern BIAS = Pattern.compile("(\\d{1,9})([+-])(inf|\\d+\\.?\\d*|\\.\\d+)");

  @Option(
      names = "--temp",
      paramLabel = "T",
      description = "Temperature: 0 always takes the likeliest token. Default: ${DEFAULT-VALUE}.",
      defaultValue = "0.8")
  private double temperature;

  @Option(
      names = "--top-k",
      paramLabel = "K",
      description = "Draw from the K likeliest tokens; 0 = all. Default: ${DEFAULT-VALUE}.",
      defaultValue = "40")
  private int topK;

  @Option(
      names = "--top-p",
      paramLabel = "P",
      description =
          "Draw from the likeliest tokens that have the probability P together; 1 = all. Default:"
              + " ${DEFAULT-VALUE}.",
      defaultValue = "0.95")
  private double topP;

  @Option(
      names = "--min-p",
      paramLabel = "P",
      description =
          "Draw from tokens at least P times as likely as the likeliest; 0 = all. Default:"
              + " ${DEFAULT-VALUE}.",
      defaultValue = "0.05")
  private double minP;

  @Option(
      names = "--typical",
      paramLabel = "P",
      description =
          "Draw from the tokens whose surprise is the most typical, that have the probability P"
              + " together; 1 = all. Default: ${DEFAULT-VALUE}.",
      defaultValue = "1")
  private double typical;

  @Option(
      names = "--repeat-penalty",
      paramLabel = "X",
      description =
          "Divide positive logits of recent tokens by X and multiply others; 1 = off. Default:"
              + " ${DEFAULT-VALUE}.",
      defaultValue = "1")
  private double repeat;

  @Option(
      names = "--presence-penalty",
      paramLabel = "X",
      description = "Take X off the logits of recent tokens. Default: ${DEFAULT-VALUE}.",
      defaultValue = "0")
  private double presence;

  @Option(
      names = "--frequency-penalty",
      paramLabel = "X",
      description =
          "Take X off the logits of recent tokens for every time that they occur. Default:"
              + " ${DEFAULT-VALUE}.",
      defaultValue = "0")
  private double frequency;

  @Option(
      names = "--repeat-last-n",
      paramLabel = "N",
      description =
          "Recent are the last N tokens, the prompt's included. Default: ${DEFAULT-VALUE}.",
      defaultValue = "64")
  private int lastTokens;

  @Option(
      names = {"-l", "--logit-bias"},
      paramLabel = "ID+X",
      description =
          "Add X to a token's logit, or take it off (ID-X); ID-inf bans the token. May be"
              + " repeated; 'tandem tokenize' tells ids.")
  private List<String> biases = new ArrayList<>();

  @Option(
      names = {"-s", "--seed"},
      paramLabel = "N",
      description = "The same seed gives the same text. Default: another one each time.")
  private Optional<Long> seed = Optional.empty();

  @Option(names = "--ignore-eos", description = "Never end the text: tokens that would are banned.")
  private boolean ignoreEos;

  /** Whether the text is to go on for ever. */
  boolean ignoreEos() {
    return ignoreEos;
  }

  /** What was typed, with a seed of its own if none was. */
  SamplingOptions options() {
    require(
        temperature >= 0 && Double.isFinite(temperature),
        "--temp",
        temperature,
        "from 0 on; 0 always takes the likeliest token");
    require(topK >= 0, "--top-k", topK, "from 0 on; 0 draws from all tokens");
    requireProbability("--top-p", topP, 1);
    requireProbability("--min-p", minP, 0);
    requireProbability("--typical", typical, 1);
    require(
        repeat >= 0.01 && repeat <= 100,
        "--repeat-penalty",
        repeat,
        "from 0.01 to 100; 1 changes nothing");
    requirePenalty("--presence-penalty", presence);
    requirePenalty("--frequency-penalty", frequency);
    require(
        lastTokens >= 0 && lastTokens <= SamplingOptions.MOST_ADJUSTMENTS,
        "--repeat-last-n",
        lastTokens,
        "from 0 to " + SamplingOptions.MOST_ADJUSTMENTS + " tokens");
    long number = seed.orElseGet(() -> (long) ThreadLocalRandom.current().nextInt(OWN_SEEDS));
    Map<Integer, Float> bias = bias();
    return usable(() ->
        new SamplingOptions(
            temperature,
            topK,
            typical,
            topP,
            minP,
            new Penalties(lastTokens, repeat, presence, frequency),
            bias,
            number));
  }

  /** Checks what was typed against a model that has been opened. */
  static void check(SamplingOptions options, Model model) {
    int rows = model.graph().hyperparameters().vocabulary();
    for (int id : options.logitBias().keySet()) {
      require(id < rows, "--logit-bias", "of token " + id, "ids go from 0 to " + (rows - 1));
    }
    usable(() -> {
      options.requireFitting(rows);
      return options;
    });
  }

  /** What was typed, for a model that has been loaded: {@code --ignore-eos} bans its tokens. */
  SamplingOptions of(SamplingOptions options, TandemModel model) {
    if (!ignoreEos) {
      return options;
    }
    Vocabulary vocabulary = model.tokenizer().vocabulary();
    int[] ends =
        IntStream.range(0, vocabulary.size()).filter(vocabulary::isEndOfGeneration).toArray();
    SamplingOptions endless = usable(() -> options.withBanned(ends));
    check(endless, model.model());
    return endless;
  }

  private Map<Integer, Float> bias() {
    Map<Integer, Float> all = new HashMap<>();
    for (String word : biases) {
      Matcher parts = BIAS.matcher(word);
      if (!parts.matches()) {
        throw Failure.value(
            "--logit-bias",
            "'" + Printable.line(word, 40) + "'",
            "a token's id, + or -, and a number or inf: 1234-5");
      }
      float size =
          parts.group(3).equals("inf") ? Float.POSITIVE_INFINITY : Float.parseFloat(parts.group(3));
      int id = Integer.parseInt(parts.group(1));
      if (all.put(id, parts.group(2).equals("-") ? -size : size) != null) {
        throw Failure.usage("--logit-bias names token " + id + " twice: leave one out");
      }
    }
    return all;
  }

  private static void require(boolean holds, String option, Object value, String allowed) {
    if (!holds) {
      throw Failure.value(option, value, allowed);
    }
  }

  private static void requireProbability(String option, double value, int off) {
    require(
        value >= 0 && value <= 1, option, value, "from 0 to 1; " + off + " draws from all tokens");
  }

  private static void requirePenalty(String option, double value) {
    require(Math.abs(value) <= 100, option, value, "from -100 to 100; 0 changes nothing");
  }

  /** What the engine refuses was typed here. */
  private static SamplingOptions usable(Supplier<SamplingOptions> options) {
    try {
      return options.get();
    } catch (IllegalArgumentException e) {
      throw Failure.usage(e.getMessage());
    }
  }
}
