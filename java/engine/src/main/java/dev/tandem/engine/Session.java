package dev.tandem.engine;

import dev.tandem.engine.kv.KvSequence;
import dev.tandem.engine.sample.Sampler;
import dev.tandem.runtime.AbortFlag;
import dev.tandem.runtime.RuntimeFailure;
import dev.tandem.text.TextStream;
import dev.tandem.text.Tokenizer;
import dev.tandem.text.Vocabulary;
import java.time.Duration;

/**
 * A text in the making: its place in the KV cache, and the generation that goes on in it. Each
 * generation continues the text of those before it. Safe for use from many threads: generations of
 * one session follow one another, {@link #cancel} ends the one that goes on, and {@link #reset} and
 * {@link #close} wait for its end.
 */
public final class Session implements AutoCloseable {

  private final Engine engine;
  private final Tokenizer tokenizer;
  private final Vocabulary vocabulary;
  private final KvSequence sequence = new KvSequence();
  private final AbortFlag abort = new AbortFlag();
  private final int[] next = new int[1];
  // The token announced last belongs to the text, but no step has read it yet.
  private boolean nextIsUnread;
  private volatile boolean cancelled;
  private volatile boolean closed;

  Session(TandemModel model) {
    engine = model.engine();
    tokenizer = model.tokenizer();
    vocabulary = tokenizer.vocabulary();
  }

  /** Tokens in the context. The last one that was generated joins them when the text goes on. */
  public int length() {
    return sequence.length();
  }

  /** Tokens that the context can hold. */
  public int capacity() {
    return engine.kvTokens();
  }

  /**
   * Reads a prompt and generates what follows.
   *
   * @param prompt token ids, BOS included where the model wants it; at least one
   * @throws EngineException if the prompt does not fit into the context
   * @throws RuntimeFailure if the device fails, or the logits are not finite
   * @throws IllegalStateException if the session or its model is closed
   */
  public synchronized Generation generate(
      int[] prompt, GenerationOptions options, GenerationListener listener) {
    cancelled = false;
    abort.clear();
    if (closed) { // after clearing: close() sets it and then cancels
      throw new IllegalStateException("the session is closed");
    }
    if (prompt.length == 0) {
      throw new EngineException("the prompt is empty: at least one token is needed");
    }
    int used = length() + (nextIsUnread ? 1 : 0);
    int room = Math.max(0, capacity() - used);
    if (prompt.length > room) {
      throw new EngineException(
          "the prompt has %d tokens, and the context has room for %d (%d, %d in use); choose a larger context (-c) or a shorter prompt"
              .formatted(prompt.length, room, capacity(), used));
    }
    Run run = new Run(nextIsUnread ? joined(next[0], prompt) : prompt, options, listener);
    Generation.Reason reason;
    try {
      reason = run.run();
    } catch (RuntimeFailure e) {
      if (e.status() != RuntimeFailure.Status.ABORTED) {
        throw e;
      }
      reason = Generation.Reason.CANCELLED;
    }
    run.text.finish();
    return run.result(reason);
  }

  private static int[] joined(int first, int[] others) {
    int[] all = new int[1 + others.length];
    all[0] = first;
    System.arraycopy(others, 0, all, 1, others.length);
    return all;
  }

  /** Ends the generation that goes on, within a chunk of work; without one, does nothing. */
  public void cancel() {
    cancelled = true;
    abort.set();
  }

  /** Forgets the context. */
  public synchronized void reset() {
    nextIsUnread = false;
    synchronized (engine) {
      engine.cache().release(sequence);
    }
  }

  /** Cancels the generation that goes on and gives back the context. */
  @Override
  public void close() {
    closed = true;
    cancel();
    synchronized (this) {
      reset();
      abort.close();
    }
  }

  /** One generation. */
  private final class Run {
    private final int[] prompt;
    private final GenerationOptions options;
    private final GenerationListener listener;
    private final Sampler sampler;
    private final TextStream text;
    private final long started = System.nanoTime();
    private long first;
    private int read;
    private int generated;

    Run(int[] prompt, GenerationOptions options, GenerationListener listener) {
      this.prompt = prompt;
      this.options = options;
      this.listener = listener;
      this.sampler = new Sampler(options.sampling(), engine.vocabulary());
      sampler.accept(prompt);
      this.text = new TextStream(tokenizer, false, listener::text);
      if (isKnown(prompt[prompt.length - 1])) {
        text.follow(prompt[prompt.length - 1]);
      }
    }

    Generation.Reason run() {
      int most = engine.step().capacity().tokens();
      while (read < prompt.length) {
        if (cancelled) {
          return Generation.Reason.CANCELLED;
        }
        int count = Math.min(most, prompt.length - read);
        boolean last = read + count == prompt.length;
        next[0] = step(prompt, read, count, last ? Engine.Outputs.LAST : Engine.Outputs.NONE);
        read += count;
        listener.prompt(read, prompt.length);
      }
      first = System.nanoTime();
      return decode();
    }

    private Generation.Reason decode() {
      while (generated < options.maxTokens()) {
        if (!options.ignoreEnd() && isEnd(next[0])) {
          return Generation.Reason.STOP;
        }
        announce(next[0]);
        if (generated == options.maxTokens() || length() == capacity()) {
          return Generation.Reason.LENGTH;
        }
        if (cancelled) {
          return Generation.Reason.CANCELLED;
        }
        next[0] = step(next, 0, 1, Engine.Outputs.LAST);
      }
      return Generation.Reason.LENGTH;
    }

    /** Runs a step; returns the sampled token, if there is an output. */
    private int step(int[] tokens, int from, int count, Engine.Outputs outputs) {
      synchronized (engine) {
        engine.begin();
        int output = engine.add(sequence, tokens, from, count, outputs);
        boolean drawn = outputs != Engine.Outputs.NONE;
        if (drawn) {
          sampler.adjust(engine.step(), output);
        }
        engine.run(abort);
        nextIsUnread = false;
        return drawn ? engine.sample(sampler, output, abort) : -1;
      }
    }

    private boolean isEnd(int id) {
      return isKnown(id) && vocabulary.isEndOfGeneration(id);
    }

    /** A model may have more rows of logits than its vocabulary has tokens; those print nothing. */
    private boolean isKnown(int id) {
      return id >= 0 && id < vocabulary.size();
    }

    private void announce(int id) {
      generated++;
      nextIsUnread = true;
      sampler.accept(id);
      listener.token(id);
      if (isKnown(id)) {
        text.print(id);
      }
    }

    Generation result(Generation.Reason reason) {
      long end = System.nanoTime();
      long firstAt = first == 0 ? end : first;
      return new Generation(
          reason,
          read,
          generated,
          Duration.ofNanos(firstAt - started),
          Duration.ofNanos(end - firstAt));
    }
  }
}
