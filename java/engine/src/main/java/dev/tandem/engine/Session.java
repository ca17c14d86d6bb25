package dev.tandem.engine;

import dev.tandem.engine.schedule.Context;
import dev.tandem.runtime.RuntimeFailure;
import dev.tandem.text.TextSpan;
import dev.tandem.text.chat.ChatMessage;
import dev.tandem.text.chat.ChatOptions;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.LocalDateTime;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;

/**
 * A text in the making: its place in the KV cache, and the generation that goes on in it. Each
 * generation continues the text of those before it.
 *
 * <p>Safe for use from many threads, virtual ones included: sessions run at the same time, and
 * their steps are put together; generations of one session follow one another. Listeners are called
 * on the thread that called; one that is slow makes its own generation wait and nobody else's.
 * {@link #cancel}, or interrupting the thread, ends the generation that goes on; {@link #close}
 * waits for its end. A session that rests, or whose listener does not keep up, may lose its place
 * in the cache to one that needs it; its text is then read again, to the same bits.
 */
public final class Session implements AutoCloseable {

  private final TandemModel model;
  private final EngineLoop loop;
  private final int priority;
  private final boolean once;
  private final Context context = new Context();
  private final ReentrantLock turn = new ReentrantLock(true);
  // Tokens of the context that the text has: what was generated but not heard is not part of it.
  private volatile int textTokens; // written by who has the turn
  private volatile Optional<Run> current = Optional.empty();
  private volatile boolean closed;

  /**
   * @param priority of its generations: higher goes first among those that wait
   * @param once only one will come: at its end it gives back the context, and nobody needs to close
   *     the session
   */
  Session(TandemModel model, EngineLoop loop, int priority, boolean once) {
    this.model = model;
    this.loop = loop;
    this.priority = priority;
    this.once = once;
  }

  /**
   * Tokens of the text that are in the cache. The last one that was generated joins them when the
   * text goes on.
   */
  public int length() {
    return Math.min(textTokens, context.cached());
  }

  /** Tokens that the context can hold. */
  public int capacity() {
    return model.engine().kvTokens();
  }

  /**
   * Continues the text by a prompt, and generates what follows. Names of special tokens in it are
   * plain text; at the beginning of the text goes what the model wants there (BOS).
   *
   * @param text takes the generated text, piece by piece, as it comes
   */
  public Generation generate(String prompt, GenerationOptions options, Consumer<String> text) {
    long started = System.nanoTime();
    requireNoListener();
    turn.lock();
    try {
      int[] begin = textTokens == 0 ? model.tokenizer().beginTokens() : new int[0];
      int[] ids = joined(begin, model.tokenizer().encode(prompt, false));
      return generate(textTokens, ids, options, of(text), started);
    } finally {
      turn.unlock();
    }
  }

  /**
   * Answers a conversation, as the model's template writes it. Of what was said before, what is in
   * the cache is not read again: a conversation goes on by calling this again with the answer and
   * the next message at its end.
   *
   * @param messages the whole conversation; special tokens in them are plain text
   * @param text takes the answer, piece by piece, as it comes
   * @throws dev.tandem.text.chat.ChatTemplateException if the template refuses the conversation
   */
  public Generation chat(
      List<ChatMessage> messages, GenerationOptions options, Consumer<String> text) {
    model.warnOfBaseModel();
    List<TextSpan> prompt =
        model.chatTemplate().render(messages, ChatOptions.at(LocalDateTime.now()));
    return generateAfter(model.tokenizer().encodeChat(prompt), options, of(text));
  }

  /**
   * Makes the text another one, and generates what follows it. What both begin with is not read
   * again.
   *
   * @param text token ids of the whole text, BOS included where the model wants it; at least one
   * @throws EngineException if the text does not fit into the context
   * @throws RuntimeFailure if the device fails, or the logits are not finite
   * @throws IllegalStateException if the session or its model is closed, or if a listener of this
   *     session calls
   */
  public Generation generateAfter(
      int[] text, GenerationOptions options, GenerationListener listener) {
    long started = System.nanoTime();
    requireNoListener();
    turn.lock();
    try {
      int common = 0;
      int most = Math.min(textTokens, text.length - 1); // the last is read to know what follows
      while (common < most && context.ids().get(common) == text[common]) {
        common++;
      }
      int[] rest = Arrays.copyOfRange(text, common, text.length);
      return generate(common, rest, options, listener, started);
    } finally {
      turn.unlock();
    }
  }

  /**
   * Continues the text by a prompt, and generates what follows.
   *
   * @param prompt token ids, BOS included where the model wants it; at least one
   * @throws EngineException if the prompt does not fit into the context
   * @throws RuntimeFailure if the device fails, or the logits are not finite
   * @throws IllegalStateException if the session or its model is closed, or if a listener of this
   *     session calls
   */
  public Generation generate(int[] prompt, GenerationOptions options, GenerationListener listener) {
    long started = System.nanoTime();
    requireNoListener();
    turn.lock();
    try {
      return generate(textTokens, prompt.clone(), options, listener, started);
    } finally {
      turn.unlock();
    }
  }

  private void requireNoListener() {
    if (current.isPresent() && turn.isHeldByCurrentThread()) {
      throw new IllegalStateException(
          "a listener cannot use the session that it listens to, but to cancel or close it");
    }
  }

  /**
   * Keeps the first tokens of the text, reads a prompt after them, and generates what follows. The
   * caller has the turn.
   */
  private Generation generate(
      int keep,
      int[] prompt,
      GenerationOptions options,
      GenerationListener listener,
      long started) {
    try {
      requireFitting(keep, prompt, options);
      TokenChannel channel = new TokenChannel(loop::call);
      Run run =
          new Run(
              context,
              keep,
              prompt,
              options,
              priority,
              once,
              model.engine(),
              model.tokenizer(),
              channel,
              loop::ending);
      current = Optional.of(run);
      if (closed) { // after telling what is to be cancelled: close() says so and then cancels
        throw new IllegalStateException("the session is closed");
      }
      return new Hearing(run, channel, listener, keep + prompt.length, started).hear();
    } finally {
      current = Optional.empty();
      if (closed) {
        forget(); // for a listener, which could not wait for the end
      }
    }
  }

  /** With room for a token that follows, if any is wanted. */
  private void requireFitting(int keep, int[] prompt, GenerationOptions options) {
    if (prompt.length == 0) {
      throw new EngineException("the prompt is empty: at least one token is needed");
    }
    int answer = Math.min(1, options.maxTokens());
    int room = Math.max(0, capacity() - keep - answer);
    if (prompt.length > room) {
      throw new EngineException(
          "the prompt has %d tokens, and the context has room for %d (%d, %d in use, %d for what follows); choose a larger context (-c) or a shorter prompt"
              .formatted(prompt.length, room, capacity(), keep, answer));
    }
  }

  private static int[] joined(int[] first, int[] second) {
    int[] all = new int[first.length + second.length];
    System.arraycopy(first, 0, all, 0, first.length);
    System.arraycopy(second, 0, all, first.length, second.length);
    return all;
  }

  private static GenerationListener of(Consumer<String> text) {
    return new GenerationListener() {
      @Override
      public void text(byte[] utf8, int offset, int length) {
        text.accept(new String(utf8, offset, length, StandardCharsets.UTF_8));
      }
    };
  }

  /**
   * Ends the generation that goes on; without one, does nothing. The step that it is in is stopped
   * within a chunk of work, unless the step before was stopped for somebody; one that waits ends
   * after the step of those who run.
   */
  public void cancel() {
    current.ifPresent(loop::cancel);
  }

  /**
   * Forgets the text, after the generation that goes on.
   *
   * @throws IllegalStateException if a listener of this session calls
   */
  public void reset() {
    requireNoListener();
    forget();
  }

  private void forget() {
    turn.lock();
    try {
      textTokens = 0;
      loop.forget(context);
    } finally {
      turn.unlock();
    }
  }

  /**
   * Cancels the generation that goes on, waits for its end, and gives back the context. Called by a
   * listener of that generation, it happens after the listener has returned. A listener that closes
   * another session waits for that one's listener: two must not do so with each other.
   */
  @Override
  public void close() {
    closed = true;
    cancel();
    if (current.isEmpty() || !turn.isHeldByCurrentThread()) {
      forget();
    }
  }

  /** Throws what a listener threw, whatever it is. */
  @SuppressWarnings("unchecked")
  private static <T extends Throwable> T asItIs(Throwable thrown) throws T {
    throw (T) thrown;
  }

  /** Passes on what a generation tells, on the thread that asked for it. */
  private final class Hearing {
    private final Run run;
    private final TokenChannel channel;
    private final GenerationListener listener;
    private final int promptEnd; // tokens of the text with the prompt
    private final long started;
    private long heardNanos; // when the last token was
    private int position; // tokens in the cache while the prompt is read, as heard
    private int generated;
    private boolean interrupted;
    private Optional<Throwable> thrown = Optional.empty();

    Hearing(
        Run run, TokenChannel channel, GenerationListener listener, int promptEnd, long started) {
      this.run = run;
      this.channel = channel;
      this.listener = listener;
      this.promptEnd = promptEnd;
      this.started = started;
    }

    Generation hear() {
      loop.submit(run);
      for (; ; ) {
        TokenChannel.Event event = channel.await();
        if (event == null) { // interrupted: end it, and come back for the end
          interrupted = Thread.interrupted();
          loop.cancel(run);
        } else if (event.kind == TokenChannel.Kind.END) {
          return end(event);
        } else {
          if (!run.isCancelled()) {
            pass(event);
          }
          channel.release();
        }
      }
    }

    private void pass(TokenChannel.Event event) {
      try {
        if (event.kind == TokenChannel.Kind.PROMPT) {
          position = event.value;
          int before = Math.min(position, run.cachedBefore()); // it may have been taken away since
          listener.prompt(position - before, promptEnd - before);
        } else {
          generated++;
          heardNanos = System.nanoTime();
          listener.token(event.value);
          if (event.probabilities.isPresent()) { // no method reference: that would allocate
            listener.probabilities(event.probabilities.get());
          }
          passText(event);
          listener.tokenComplete();
        }
      } catch (Throwable e) { // checked ones too: not all languages declare them
        thrown = Optional.of(e);
        loop.cancel(run);
      }
      if (Thread.currentThread().isInterrupted()) {
        loop.cancel(run);
      }
    }

    private void passText(TokenChannel.Event event) {
      if (event.textLength > 0) {
        listener.text(event.text, 0, event.textLength);
      }
    }

    private Generation end(TokenChannel.Event event) {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
      textTokens = Math.max(run.keep(), position) + generated;
      if (thrown.isPresent()) {
        throw Session.<RuntimeException>asItIs(thrown.get());
      }
      if (event.failure.isPresent()) {
        throw event.failure.get();
      }
      TokenChannel.Result result = event.result.orElseThrow();
      boolean heardAll = generated == result.generated();
      if (heardAll) {
        passText(event);
      }
      return new Generation(
          heardAll ? result.reason() : Generation.Reason.CANCELLED,
          heardAll ? result.stop() : Optional.empty(),
          run.cachedBefore(),
          Math.max(0, position - run.cachedBefore()),
          generated,
          Duration.ofNanos(result.beganNanos() - started),
          Duration.ofNanos(result.firstNanos() - started),
          Duration.ofNanos(
              Math.max(0, (heardAll ? result.endNanos() : heardNanos) - result.firstNanos())));
    }
  }
}
