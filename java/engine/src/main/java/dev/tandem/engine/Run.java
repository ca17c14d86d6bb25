package dev.tandem.engine;

import dev.tandem.engine.program.StepBlock;
import dev.tandem.engine.sample.Sampler;
import dev.tandem.engine.schedule.Context;
import dev.tandem.engine.schedule.Request;
import dev.tandem.text.StopStrings;
import dev.tandem.text.TextStream;
import dev.tandem.text.Tokenizer;
import dev.tandem.text.Vocabulary;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * One generation under way, as the engine's thread sees it: takes the tokens that were read and
 * sampled, turns them into text, and decides when it ends.
 */
final class Run extends Request {

  private static final int UNKNOWN = -1;

  private final TokenChannel channel;
  private final boolean only;
  private final Consumer<Run> ending;
  private final GenerationOptions options;
  private final int keep;
  private final int[] prompt;
  private final Vocabulary vocabulary;
  private final Sampler sampler;
  private final StopStrings stops;
  private final TextStream text;
  private TokenChannel.Event event; // being filled in
  private int generated;
  private long beganNanos;
  private long firstNanos;
  private boolean ended;

  // Tokens that were in the cache when it began to run; written before the first event.
  private int cachedBefore = UNKNOWN;
  private volatile boolean cancelled; // by other threads
  private volatile boolean stoppable;

  /**
   * A generation of what follows the first {@code keep} tokens of a context and a prompt.
   *
   * @param only nothing follows it in its context, which is given back with its end
   * @param engine is only asked for its sizes
   * @param ending called on the engine's thread, before its end is told
   */
  Run(
      Context context,
      int keep,
      int[] prompt,
      GenerationOptions options,
      int priority,
      boolean only,
      Engine engine,
      Tokenizer tokenizer,
      TokenChannel channel,
      Consumer<Run> ending) {
    // What follows it in the context may have to be read again: all of a text has its place there.
    super(context, Math.min(options.maxTokens(), room(engine, keep, prompt)), priority);
    this.channel = channel;
    this.only = only;
    this.ending = ending;
    this.options = options;
    this.keep = keep;
    this.prompt = prompt;
    vocabulary = tokenizer.vocabulary();
    sampler = new Sampler(options.sampling(), engine.vocabulary());
    stops = new StopStrings(options.stop(), this::append);
    text = new TextStream(tokenizer, false, stops);
    int last = prompt[prompt.length - 1];
    if (isKnown(last)) {
      text.follow(last);
    }
  }

  /** Tokens that the context can take behind a prompt. */
  private static int room(Engine engine, int keep, int[] prompt) {
    return engine.kvTokens() - keep - prompt.length;
  }

  /** Tokens of the context that stay, before the prompt. */
  int keep() {
    return keep;
  }

  /** Whether nothing follows it in its context. */
  boolean isOnly() {
    return only;
  }

  int[] prompt() {
    return prompt;
  }

  Sampler sampler() {
    return sampler;
  }

  @Override
  protected boolean isReady() {
    return channel.hasRoom();
  }

  // ---- from any thread ----

  /** Asks for its end. */
  void cancel() {
    cancelled = true;
  }

  boolean isCancelled() {
    return cancelled;
  }

  /** Whether the step that runs now may be stopped for it. */
  boolean isStoppable() {
    return stoppable;
  }

  /** Tokens that were in the cache when it began to run; known with the first event. */
  int cachedBefore() {
    return Math.max(0, cachedBefore);
  }

  // ---- the engine's thread ----

  void setStoppable(boolean now) {
    stoppable = now;
  }

  boolean hasEnded() {
    return ended;
  }

  /** The context has all tokens that are to be read: it begins. */
  void begin() {
    int size = context().ids().size();
    int looked = options.sampling().penalties().lastTokens();
    for (int i = Math.max(0, size - looked); i < size; i++) {
      sampler.accept(context().ids().get(i));
    }
  }

  /** It is in the step that runs next. */
  void stepBegins() {
    if (beganNanos == 0) {
      beganNanos = System.nanoTime();
    }
  }

  /** So many more tokens of what was pending have been read; others are still to come. */
  void readPrompt(int count) {
    if (firstNanos != 0) {
      return; // reads again what was taken away
    }
    int length = context().sequence().length();
    if (cachedBefore == UNKNOWN) {
      cachedBefore = length - count;
    }
    channel.next(TokenChannel.Kind.PROMPT, length);
    channel.publish();
  }

  /**
   * The last of what was pending was read, and a token sampled.
   *
   * @param output in the step that has run
   */
  void sampled(int id, int count, StepBlock step, int output) {
    if (firstNanos == 0) {
      readPrompt(count);
      firstNanos = System.nanoTime();
    }
    if (generated == mostTokens()) {
      end(Generation.Reason.LENGTH);
    } else if (!options.ignoreEnd() && isKnown(id) && vocabulary.isEndOfGeneration(id)) {
      end(Generation.Reason.STOP);
    } else {
      accept(id, step, output);
    }
  }

  private void accept(int id, StepBlock step, int output) {
    generated++;
    context().ids().add(id);
    sampler.accept(id);
    event = channel.next(TokenChannel.Kind.TOKEN, id);
    if (options.logProbabilities() != GenerationOptions.NONE) {
      event.probabilities =
          Optional.of(sampler.probabilities(step, output, options.logProbabilities()));
    }
    if (isKnown(id)) {
      text.print(id);
    }
    channel.publish();
    if (stops.found().isPresent()) {
      end(Generation.Reason.STOP);
    } else if (generated == mostTokens()) {
      end(Generation.Reason.LENGTH);
    }
  }

  void end(Generation.Reason reason) {
    event = channel.next(TokenChannel.Kind.END, 0);
    text.finish();
    boolean stopped = stops.found().isPresent(); // the end may complete a stop string
    stops.finish();
    long now = System.nanoTime();
    event.result =
        Optional.of(
            new TokenChannel.Result(
                stopped ? Generation.Reason.STOP : reason,
                stops.found(),
                generated,
                beganNanos == 0 ? now : beganNanos,
                firstNanos == 0 ? now : firstNanos,
                now));
    publishEnd();
  }

  /** Ends it by a failure, unless it has ended. */
  void fail(RuntimeException failure) {
    if (ended) {
      return;
    }
    event = channel.next(TokenChannel.Kind.END, 0);
    event.failure = Optional.of(failure);
    publishEnd();
  }

  /** Nothing fails from here on: who is no longer known as under way must have been told. */
  private void publishEnd() {
    try {
      ending.accept(this);
    } finally {
      ended = true;
      channel.publish();
    }
  }

  private void append(byte[] utf8, int offset, int length) {
    event.append(utf8, offset, length);
  }

  /** A model may have more rows of logits than its vocabulary has tokens; those print nothing. */
  private boolean isKnown(int id) {
    return id >= 0 && id < vocabulary.size();
  }
}
