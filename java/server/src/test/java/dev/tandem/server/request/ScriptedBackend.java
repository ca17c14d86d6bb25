package dev.tandem.server.request;

import dev.tandem.engine.Generation;
import dev.tandem.engine.GenerationListener;
import dev.tandem.engine.GenerationOptions;
import dev.tandem.engine.sample.SamplingOptions;
import dev.tandem.engine.sample.TokenProbabilities;
import dev.tandem.engine.sample.TokenProbabilities.TokenProbability;
import dev.tandem.model.ModelShape;
import dev.tandem.model.SyntheticModel;
import dev.tandem.model.format.TensorType;
import dev.tandem.model.gguf.GgufFile;
import dev.tandem.text.StopStrings;
import dev.tandem.text.TextStream;
import dev.tandem.text.Tokenizer;
import dev.tandem.text.chat.ChatTemplate;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;

/**
 * A backend without a model: answers at once with what it was told to say, token by token, and like
 * the engine ends at an interrupt, at stop strings, at the most tokens asked for, or when a
 * listener throws. Its vocabulary has 1000 tokens: specials, bytes, letters, made-up words.
 */
public final class ScriptedBackend implements Backend {

  /** What was asked for. */
  public record Asked(List<Integer> prompt, GenerationOptions options, int priority) {}

  public static final int VOCABULARY = 1000;

  private static final Tokenizer TOKENIZER = makeTokenizer();
  private static final ChatTemplate TEMPLATE =
      ChatTemplate.of(
          "{% for m in messages %}[{{ m.role }}]{{ m.content }}\n{% endfor %}[assistant]", "", "");

  private final int[] answer;
  private final boolean endless;
  private final List<Asked> asked = new CopyOnWriteArrayList<>();
  private final AtomicInteger running = new AtomicInteger();
  private volatile int context = 4096;
  private volatile Optional<Semaphore> pace = Optional.empty();
  private volatile int failsAfter = Integer.MAX_VALUE;
  private volatile Throwable failure = new IllegalStateException("never");
  private volatile Optional<String> stopped = Optional.empty();
  private volatile boolean remembers = true;
  private volatile boolean closed;

  private ScriptedBackend(String text, boolean endless) {
    answer = TOKENIZER.encode(text, false);
    this.endless = endless;
  }

  private static Tokenizer makeTokenizer() {
    try {
      Path file = Files.createTempFile("scripted", ".gguf");
      file.toFile().deleteOnExit();
      ModelShape shape =
          new ModelShape("scripted", 1, 32, 1, 1, 32, 32, VOCABULARY, 64, 10_000, true, 1e-5f);
      SyntheticModel.write(file, shape, SyntheticModel.Options.of(TensorType.F32));
      return Tokenizer.of(GgufFile.open(file).metadata());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Says this, and ends. */
  public static ScriptedBackend saying(String text) {
    return new ScriptedBackend(text, false);
  }

  /** Says "ab ab ab" until the most tokens are there. */
  public static ScriptedBackend endless() {
    return new ScriptedBackend("ab ", true);
  }

  /** Takes a permit before each token, so that a test decides how far it goes. */
  public ScriptedBackend paced(Semaphore permits) {
    pace = Optional.of(permits);
    return this;
  }

  /** Throws this instead of the token after so many. */
  public ScriptedBackend failingAfter(int tokens, Throwable thrown) {
    failsAfter = tokens;
    failure = thrown;
    return this;
  }

  /** Says of itself that it has stopped for good. */
  public ScriptedBackend stopped(String why) {
    stopped = Optional.of(why);
    return this;
  }

  /** Has room for so many tokens; 4096 else. */
  public ScriptedBackend withContext(int tokens) {
    context = tokens;
    return this;
  }

  /** Does not keep what it was asked for: there will be much of it. */
  public ScriptedBackend forgetful() {
    remembers = false;
    return this;
  }

  /** What was asked for, the oldest first. */
  public List<Asked> asked() {
    return asked;
  }

  /** Generations under way. */
  public int running() {
    return running.get();
  }

  public boolean isClosed() {
    return closed;
  }

  @Override
  public ModelCard card() {
    return new ModelCard(
        "scripted",
        "llama",
        "F32",
        12_345,
        context,
        VOCABULARY,
        true,
        "nowhere",
        SamplingOptions.seeded(0),
        1_700_000_000);
  }

  @Override
  public Tokenizer tokenizer() {
    return TOKENIZER;
  }

  @Override
  public ChatTemplate chatTemplate() {
    return TEMPLATE;
  }

  @Override
  public BackendLoad load() {
    int now = running.get();
    return new BackendLoad(now, 0, now, 1L << 16, 16L * now);
  }

  @Override
  public Optional<String> failure() {
    return stopped;
  }

  @Override
  public void close() {
    closed = true;
  }

  @Override
  public Generation generate(
      int[] prompt, GenerationOptions options, int priority, GenerationListener listener) {
    running.incrementAndGet();
    try {
      if (remembers) {
        asked.add(new Asked(Arrays.stream(prompt).boxed().toList(), options, priority));
      }
      return say(prompt, options, listener);
    } finally {
      running.decrementAndGet();
    }
  }

  private Generation say(int[] prompt, GenerationOptions options, GenerationListener listener) {
    long began = System.nanoTime();
    long first = began;
    StopStrings stops = new StopStrings(options.stop(), listener::text);
    TextStream text = new TextStream(TOKENIZER, false, stops);
    text.follow(prompt[prompt.length - 1]);
    int most = endless ? options.maxTokens() : Math.min(options.maxTokens(), answer.length);
    Generation.Reason reason =
        most == options.maxTokens() ? Generation.Reason.LENGTH : Generation.Reason.STOP;
    listener.prompt(prompt.length, prompt.length);
    int generated = 0;
    while (generated < most) {
      if (generated == failsAfter) {
        ScriptedBackend.<RuntimeException>fail(failure);
      }
      if (!mayGoOn()) {
        reason = Generation.Reason.CANCELLED;
        break;
      }
      int id = answer[generated % answer.length];
      generated++;
      first = generated == 1 ? System.nanoTime() : first;
      listener.token(id);
      if (options.logProbabilities() != GenerationOptions.NONE) {
        listener.probabilities(probabilities(id, options.logProbabilities()));
      }
      text.print(id);
      listener.tokenComplete();
      if (stops.found().isPresent()) {
        reason = Generation.Reason.STOP;
        break;
      }
    }
    text.finish();
    stops.finish();
    return new Generation(
        reason,
        stops.found(),
        0,
        prompt.length,
        generated,
        Duration.ZERO,
        Duration.ofNanos(first - began),
        Duration.ofNanos(System.nanoTime() - first));
  }

  /** Waits for its turn; false if it was interrupted, as it stays. */
  private boolean mayGoOn() {
    if (Thread.currentThread().isInterrupted()) {
      return false;
    }
    try {
      if (pace.isPresent()) {
        pace.get().acquire();
      }
      return true;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  private static TokenProbabilities probabilities(int id, int likeliest) {
    List<TokenProbability> top =
        IntStream.range(0, likeliest)
            .mapToObj(i -> new TokenProbability((id + i) % VOCABULARY, -0.5 - i))
            .toList();
    return new TokenProbabilities(new TokenProbability(id, -0.5), top);
  }

  @SuppressWarnings("unchecked")
  private static <T extends Throwable> void fail(Throwable thrown) throws T {
    throw (T) thrown;
  }
}
