package dev.tandem.engine;

import dev.tandem.engine.program.WeightStore;
import dev.tandem.model.Model;
import dev.tandem.runtime.RuntimeFailure;
import dev.tandem.text.Tokenizer;
import dev.tandem.text.chat.ChatTemplate;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.LoggerFactory;

/**
 * A model, ready or about to be. Sessions share it: each has its own place in the KV cache, and
 * what they ask for at the same time is computed together, as far as the cache has room for all
 * that each may come to need ({@link GenerationOptions#maxTokens}); who does not fit waits. Safe
 * for use from many threads.
 */
public final class TandemModel implements AutoCloseable {

  private final Model model;
  private final Tokenizer tokenizer;
  private final ChatTemplate chatTemplate;
  private final CurrentEngine engine;
  private final EngineLoop loop;
  private final AtomicBoolean warned = new AtomicBoolean();

  private TandemModel(
      Model model,
      CurrentEngine engine,
      EngineLoop loop,
      Tokenizer tokenizer,
      ChatTemplate chatTemplate) {
    this.model = model;
    this.engine = engine;
    this.loop = loop;
    this.tokenizer = tokenizer;
    this.chatTemplate = chatTemplate;
  }

  /**
   * Opens a model file and begins to load it. Generations can begin at once: they wait for the
   * weights, layer by layer, and fail if those cannot be loaded; {@link #awaitLoaded} waits for
   * all.
   *
   * @throws dev.tandem.model.gguf.ModelFormatException if the file is no such model
   * @throws EngineException if it does not fit into memory
   * @throws RuntimeFailure if the device or the file fails
   */
  public static TandemModel open(Path file, EngineOptions options) {
    return load(Model.open(file), options, (loaded, total) -> {});
  }

  /**
   * Begins to load a model that was opened before.
   *
   * @param progress hears how far it is, from the threads that load
   */
  public static TandemModel load(
      Model model, EngineOptions options, WeightStore.Progress progress) {
    Tokenizer tokenizer = Tokenizer.of(model.file().metadata());
    int vocabulary = model.graph().hyperparameters().vocabulary();
    if (tokenizer.vocabulary().size() > vocabulary) {
      throw model
          .file()
          .metadata()
          .problem(
              "tokenizer.ggml.tokens",
              "has %d tokens, the token embedding only %d rows"
                  .formatted(tokenizer.vocabulary().size(), vocabulary));
    }
    ChatTemplate chatTemplate =
        ChatTemplate.of(model.file().metadata()).orElseGet(ChatTemplate::plain);
    CurrentEngine engine = CurrentEngine.load(model, options, progress);
    try {
      return new TandemModel(model, engine, new EngineLoop(engine), tokenizer, chatTemplate);
    } catch (RuntimeException | Error e) {
      engine.get().close();
      throw e;
    }
  }

  /**
   * Waits until the whole model is loaded.
   *
   * @throws RuntimeFailure if the file cannot be read, or has become shorter
   */
  public void awaitLoaded() {
    loop.awaitLoaded();
  }

  public Model model() {
    return model;
  }

  public Tokenizer tokenizer() {
    return tokenizer;
  }

  /**
   * Makes prompts of conversations: the model's own template, or where it has none, one that joins
   * the contents.
   */
  public ChatTemplate chatTemplate() {
    return chatTemplate;
  }

  /**
   * The engine, to ask what it is made of; its steps belong to the sessions. Another one if the
   * device was lost meanwhile: see {@link OnDeviceLoss}.
   */
  public Engine engine() {
    return engine.get();
  }

  /** Why the model is no longer on the device that it was opened for, if it is not. */
  public Optional<String> deviceLoss() {
    return engine.loss();
  }

  /** Tells the log, once, that conversations are nothing that this model was trained for. */
  void warnOfBaseModel() {
    if (chatTemplate.isBaseModel() && warned.compareAndSet(false, true)) {
      LoggerFactory.getLogger(TandemModel.class)
          .warn(
              "{} has no chat template: messages are joined by line feeds, without roles",
              model().name());
    }
  }

  /** Tells the log that a model leaves its device. */
  static void warnOfLoss(Model model, RuntimeFailure loss) {
    LoggerFactory.getLogger(TandemModel.class)
        .warn("{}: {}: goes on with the CPU", model.name(), loss.getMessage());
  }

  /** A new session with nothing in its context. */
  public Session newSession() {
    return newSession(0);
  }

  /**
   * A new session with nothing in its context.
   *
   * @param priority of its generations: of those who wait for room, the highest goes first; others
   *     have 0
   */
  public Session newSession(int priority) {
    return new Session(this, loop, priority, false);
  }

  /**
   * Generates what follows a text, without a session: when this returns or throws, nothing is left
   * of it in the cache. Interrupting the thread ends it. Else like {@link Session#generate(int[],
   * GenerationOptions, GenerationListener)}.
   *
   * @param text token ids, BOS included where the model wants it; at least one
   * @param priority of those who wait for room, the highest goes first; others have 0
   * @throws EngineException if the text does not fit into the context
   * @throws RuntimeFailure if the device fails, or the logits are not finite
   * @throws IllegalStateException if the model is closed, or its engine has stopped
   */
  public Generation generate(
      int[] text, GenerationOptions options, int priority, GenerationListener listener) {
    return new Session(this, loop, priority, true).generate(text, options, listener);
  }

  /** How busy it is; for any thread, at any time, also once it is closed. */
  public EngineLoad load() {
    return loop.load();
  }

  /** What has stopped the engine, if a defect or a want of memory did: it generates no more. */
  public Optional<Throwable> defect() {
    return loop.defect();
  }

  /** Ends all generations, and gives back all memory. */
  @Override
  public void close() {
    loop.close();
    synchronized (this) {
      engine.get().close();
    }
  }
}
