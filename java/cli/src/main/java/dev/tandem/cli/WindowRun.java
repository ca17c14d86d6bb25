package dev.tandem.cli;

import dev.tandem.engine.Engine;
import dev.tandem.engine.EngineOptions;
import dev.tandem.engine.kv.KvCache;
import dev.tandem.engine.kv.KvSequence;
import dev.tandem.engine.program.WeightStore;
import dev.tandem.engine.score.TokenDistribution;
import dev.tandem.model.Model;
import dev.tandem.runtime.AbortFlag;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;

/**
 * Measures models by the windows of a text. All models go through a text together, step by step, so
 * that no logits need to be kept beyond a step. Results do not depend on how many windows a step
 * has, nor on the number of threads.
 */
final class WindowRun implements AutoCloseable {

  // Rows of logits that one step of a model computes take no more than this.
  private static final long MOST_LOGITS_BYTES = 256L << 20;

  private final TextWindows windows;
  private final Shape shape;
  private final List<Engine> engines = new ArrayList<>();
  private final BlockingQueue<Rows> idle;
  private final ExecutorService threads;

  /**
   * What a step is made of.
   *
   * @param windows that go through the steps together, each as its own sequence
   * @param tokens of a step, all windows together
   * @param outputs rows of logits of a step, all windows together
   */
  record Shape(int windows, int tokens, int outputs) {

    /** As many windows at once as halves of them fit into a step. */
    static Shape of(TextWindows windows, int batch, int vocabulary) {
      long rows = Math.clamp(MOST_LOGITS_BYTES / (4L * vocabulary), 1, batch);
      long together = Math.min(windows.count(), batch / windows.firstScored());
      int count = (int) Math.clamp(together, 1, rows);
      int tokens = (int) Math.min(batch, (long) count * windows.firstScored());
      int outputs = (int) Math.min(rows, Math.min(tokens, (long) count * windows.scored()));
      return new Shape(count, tokens, outputs);
    }

    EngineOptions options(EngineOptions options, TextWindows text) {
      int blocks = windows * KvCache.blocksFor(text.read());
      return options.withStep(tokens, outputs).withKvTokens(blocks * KvCache.BLOCK_TOKENS);
    }
  }

  /** Hears how far a run is. */
  interface Progress {
    /** So many of all tokens are read. */
    void read(long tokens, long total);

    /** Another window has been measured to its end. */
    void windowDone();
  }

  /**
   * Loads the models.
   *
   * @param models of equally large vocabularies
   * @param options their device, how their weights are kept, and the most tokens of a step
   * @throws dev.tandem.engine.EngineException if they do not fit into memory
   */
  WindowRun(
      List<Model> models,
      TextWindows windows,
      EngineOptions options,
      WeightStore.Progress progress) {
    this.windows = windows;
    shape = Shape.of(windows, options.stepTokens(), models.getFirst().graph().logits().width());
    try {
      for (Model model : models) {
        engines.add(Engine.load(model, shape.options(options, windows), progress));
        engines.getLast().awaitLoaded();
      }
    } catch (RuntimeException | Error e) {
      engines.forEach(Engine::close);
      throw e;
    }
    int count = engines.getFirst().device().threads();
    threads = Executors.newFixedThreadPool(count);
    idle = new ArrayBlockingQueue<>(count);
    Stream.generate(() -> new Rows(engines)).limit(count).forEach(idle::add);
  }

  /** In the order of the models. */
  List<Engine> engines() {
    return engines;
  }

  /**
   * Measures all windows.
   *
   * @throws dev.tandem.runtime.RuntimeFailure if the flag is set, or a device fails
   */
  <T> void run(Measure<T> measure, AbortFlag flag, Progress progress) {
    for (int first = 0; first < windows.count(); first += shape.windows()) {
      int count = Math.min(shape.windows(), windows.count() - first);
      for (List<T> window : measured(first, count, measure, flag, progress)) {
        window.forEach(measure::add);
        progress.windowDone();
      }
    }
  }

  /** Measures some windows: the tokens of each, in their order. */
  private <T> List<List<T>> measured(
      int first, int count, Measure<T> measure, AbortFlag flag, Progress progress) {
    List<Sequences> sequences =
        engines.stream().map(engine -> new Sequences(engine, first, count)).toList();
    List<List<T>> measured =
        Stream.generate(() -> (List<T>) new ArrayList<T>()).limit(count).toList();
    try {
      for (int at = 0; at < windows.read(); ) {
        boolean scored = at >= windows.firstScored();
        int most = Math.max(1, (scored ? shape.outputs() : shape.tokens()) / count);
        int end = scored ? windows.read() : windows.firstScored();
        int step = Math.min(most, end - at);
        for (Sequences each : sequences) {
          each.step(at, step, scored ? Engine.Outputs.ALL : Engine.Outputs.NONE, flag);
        }
        if (scored) {
          add(measured, first, at, step, measure);
        }
        at += step;
        progress.read(
            (long) first * windows.read() + (long) count * at,
            (long) windows.count() * windows.read());
      }
    } finally {
      sequences.forEach(Sequences::release);
    }
    return measured;
  }

  /** Measures the outputs of a step: those of the first window, then those of the second ... */
  private <T> void add(List<List<T>> measured, int first, int at, int step, Measure<T> measure) {
    List<Callable<T>> tasks = new ArrayList<>();
    for (int window = 0; window < measured.size(); window++) {
      for (int i = 0; i < step; i++) {
        int output = window * step + i;
        int token = windows.successor(first + window, at + i);
        tasks.add(() -> measured(output, token, measure));
      }
    }
    try {
      int output = 0;
      for (Future<T> token : threads.invokeAll(tasks)) {
        measured.get(output++ / step).add(token.get());
      }
    } catch (ExecutionException e) {
      throw new IllegalStateException(e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new Failure("the measurement was interrupted");
    }
  }

  private <T> T measured(int output, int token, Measure<T> measure) throws InterruptedException {
    Rows rows = idle.take();
    try {
      return measure.of(rows.read(output), token);
    } finally {
      idle.add(rows);
    }
  }

  @Override
  public void close() {
    threads.shutdownNow();
    engines.forEach(Engine::close);
  }

  /** Windows on their way through one engine. */
  private final class Sequences {
    private final Engine engine;
    private final List<int[]> tokens = new ArrayList<>();
    private final List<KvSequence> sequences = new ArrayList<>();

    Sequences(Engine engine, int first, int count) {
      this.engine = engine;
      for (int i = 0; i < count; i++) {
        tokens.add(windows.tokens(first + i));
        sequences.add(new KvSequence());
      }
    }

    void step(int at, int count, Engine.Outputs outputs, AbortFlag flag) {
      engine.begin();
      for (int i = 0; i < sequences.size(); i++) {
        engine.add(sequences.get(i), tokens.get(i), at, count, outputs);
      }
      engine.run(flag);
    }

    void release() {
      sequences.forEach(engine.cache()::release);
    }
  }

  /** Room for a row of logits of every engine. */
  private static final class Rows {
    private final List<Engine> engines;
    private final List<float[]> rows;
    private final ByteBuffer bytes;

    Rows(List<Engine> engines) {
      this.engines = engines;
      rows = engines.stream().map(engine -> new float[engine.vocabulary()]).toList();
      bytes = ByteBuffer.allocateDirect(4 * rows.getFirst().length).order(ByteOrder.nativeOrder());
    }

    /** The distributions of an output; they are valid until the next call. */
    List<TokenDistribution> read(int output) {
      for (int i = 0; i < rows.size(); i++) {
        Engine engine = engines.get(i);
        synchronized (engine) { // which is not for several threads
          engine.readLogits(output, bytes.clear());
        }
        bytes.asFloatBuffer().get(rows.get(i));
      }
      return rows.stream().map(TokenDistribution::of).toList();
    }
  }
}
