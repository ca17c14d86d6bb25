package dev.tandem.cli.load;

import dev.tandem.engine.Generation;
import dev.tandem.engine.GenerationListener;
import dev.tandem.engine.GenerationOptions;
import dev.tandem.engine.sample.SamplingOptions;
import dev.tandem.server.request.Backend;
import dev.tandem.server.request.BackendLoad;
import dev.tandem.server.request.ModelCard;
import dev.tandem.text.Tokenizer;
import dev.tandem.text.chat.ChatTemplate;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Optional;

/**
 * Answers at once, as many tokens as are asked for, all alike: what is measured then is the server
 * around it.
 */
final class InstantBackend implements Backend {

  private static final byte[] TEXT = " token".getBytes(StandardCharsets.UTF_8);
  private static final int CONTEXT = 1 << 20;

  private final Tokenizer tokenizer;

  /**
   * @param tokenizer of any model
   */
  InstantBackend(Tokenizer tokenizer) {
    this.tokenizer = tokenizer;
  }

  @Override
  public ModelCard card() {
    return new ModelCard(
        "instant",
        "none",
        "none",
        0,
        CONTEXT,
        tokenizer.vocabulary().size(),
        false,
        "nowhere",
        SamplingOptions.greedy(),
        0);
  }

  @Override
  public Tokenizer tokenizer() {
    return tokenizer;
  }

  @Override
  public ChatTemplate chatTemplate() {
    return ChatTemplate.plain();
  }

  @Override
  public Generation generate(
      int[] prompt, GenerationOptions options, int priority, GenerationListener listener) {
    long started = System.nanoTime();
    int generated = 0;
    long first = started;
    while (generated < options.maxTokens() && !Thread.currentThread().isInterrupted()) {
      if (generated++ == 0) {
        first = System.nanoTime();
      }
      listener.token(0);
      listener.text(TEXT, 0, TEXT.length);
      listener.tokenComplete();
    }
    return new Generation(
        generated == options.maxTokens() ? Generation.Reason.LENGTH : Generation.Reason.CANCELLED,
        Optional.empty(),
        0,
        prompt.length,
        generated,
        Duration.ZERO,
        Duration.ofNanos(first - started),
        Duration.ofNanos(System.nanoTime() - first));
  }

  @Override
  public BackendLoad load() {
    return new BackendLoad(0, 0, 0, CONTEXT, 0);
  }

  @Override
  public void close() {}
}
