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
 * A text in the making: its place in the KV cache, and the generation that goes on in it. One
 * generation at a time; {@link #cancel} may come from any thread.
 */
public final class Session implements AutoCloseable {

  private final Engine engine;
  private final Tokenizer tokenizer;
  private final Vocabulary vocabulary;
  private final KvSequence sequence = new KvSequence();
  private final AbortFlag abort = new AbortFlag();
  private final int[] next = new int[1];
  private volatile boolean cancelled;

  Session(TandemModel model) {
    engine = model.engine();
    tokenizer = model.tokenizer();
    vocabulary = tokenizer.vocabulary();
  }

  /** Tokens in the context. */
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
   */
  public Generation generate(int[] prompt, GenerationOptions options, GenerationListener listener) {
    if (prompt.length == 0) {
      throw new EngineException("the prompt is empty: at least one token is needed");
    }
    if (prompt.length > capacity() - length()) {
      throw new EngineException(
          "the prompt has %d tokens, and the context has room for %d (%d, %d in use); choose a larger context (-c) or a shorter prompt"
              .formatted(prompt.length, capacity() - length(), capacity(), length()));
    }
    Run run = new Run(prompt, options, listener);
    try {
      run.readPrompt();
      run.decode();
    } catch (RuntimeFailure e) {
      if (e.status() != RuntimeFailure.Status.ABORTED) {
        throw e;
      }
      run.reason = Generation.Reason.CANCELLED;
    }
    run.text.finish();
    return run.result();
  }

  /** Ends the generation that goes on, within a chunk of work; without one, does nothing. */
  public void cancel() {
    cancelled = true;
    abort.set();
  }

  /** Forgets the context. */
  public void reset() {
    synchronized (engine) {
      engine.cache().release(sequence);
    }
  }

  @Override
  public void close() {
    cancel();
    reset();
    abort.close();
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
    private Generation.Reason reason = Generation.Reason.LENGTH;

    Run(int[] prompt, GenerationOptions options, GenerationListener listener) {
      this.prompt = prompt;
      this.options = options;
      this.listener = listener;
      this.sampler = new Sampler(options.sampling());
      this.text = new TextStream(tokenizer, false, listener::text);
      if (isKnown(prompt[prompt.length - 1])) {
        text.follow(prompt[prompt.length - 1]);
      }
      cancelled = false;
      abort.clear();
    }

    void readPrompt() {
      int most = engine.step().capacity().tokens();
      while (read < prompt.length) {
        int count = Math.min(most, prompt.length - read);
        boolean last = read + count == prompt.length;
        next[0] = step(prompt, read, count, last ? Engine.Outputs.LAST : Engine.Outputs.NONE);
        read += count;
        listener.prompt(read, prompt.length);
      }
      first = System.nanoTime();
    }

    void decode() {
      while (generated < options.maxTokens()) {
        if (!options.ignoreEnd() && isEnd(next[0])) {
          reason = Generation.Reason.STOP;
          return;
        }
        announce(next[0]);
        if (generated == options.maxTokens() || length() == capacity()) {
          return;
        }
        if (cancelled) {
          reason = Generation.Reason.CANCELLED;
          return;
        }
        next[0] = step(next, 0, 1, Engine.Outputs.LAST);
      }
    }

    /** Runs a step; returns the sampled token, if there is an output. */
    private int step(int[] tokens, int from, int count, Engine.Outputs outputs) {
      synchronized (engine) {
        engine.begin();
        int output = engine.add(sequence, tokens, from, count, outputs);
        engine.run(abort);
        return outputs == Engine.Outputs.NONE ? -1 : sampler.sample(engine.step(), output);
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
      listener.token(id);
      if (isKnown(id)) {
        text.print(id);
      }
    }

    Generation result() {
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
