package dev.tandem.engine;

import dev.tandem.engine.kv.KvCache;
import dev.tandem.engine.kv.KvSequence;
import dev.tandem.engine.machine.HostResources;
import dev.tandem.engine.program.CompiledModel;
import dev.tandem.engine.program.ProgramCompiler;
import dev.tandem.engine.program.StepBlock;
import dev.tandem.engine.program.StepCapacity;
import dev.tandem.engine.program.WeightStore;
import dev.tandem.engine.sample.Sampler;
import dev.tandem.engine.sample.SamplingOptions;
import dev.tandem.model.Model;
import dev.tandem.model.graph.OperatorGraph;
import dev.tandem.runtime.AbortFlag;
import dev.tandem.runtime.Device;
import dev.tandem.runtime.RuntimeFailure;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Objects;
import java.util.OptionalLong;
import java.util.function.IntFunction;
import java.util.function.IntPredicate;

/**
 * A loaded model that runs steps. A step takes tokens of one or many sequences, writes their keys
 * and values to the cache, and gives logits where they are asked for. The hot path, {@link #begin},
 * {@link #add}, {@link #run} and reading the {@link StepBlock}, allocates nothing.
 *
 * <p>Not safe for use from several threads; only the flag given to {@link #run} may be set by
 * others.
 */
public final class Engine implements AutoCloseable {

  /** Which tokens of an {@link #add} get logits. */
  public enum Outputs {
    NONE,
    LAST,
    ALL
  }

  // Below this a context is of no use; a model that leaves less room is refused.
  private static final int LEAST_KV_TOKENS = 256;
  private static final int MOST_KV_TOKENS = 1 << 28;

  private final Model model;
  private final Device device;
  private final WeightStore weights;
  private final CompiledModel compiled;
  private final StepBlock step;
  private final KvCache cache;
  private final int kvTokens;
  private final MemoryNeed memory;
  private final long readyNanos = System.nanoTime(); // but for the weights

  // The sequences of the step being put together, and how far each goes.
  private KvSequence[] pending = new KvSequence[8];
  private int[] pendingTokens = new int[8];
  private int pendingCount;
  private boolean closed;

  private Engine(
      Model model,
      Device device,
      WeightStore weights,
      CompiledModel compiled,
      StepBlock step,
      KvCache cache,
      int kvTokens,
      MemoryNeed memory) {
    this.model = model;
    this.device = device;
    this.weights = weights;
    this.compiled = compiled;
    this.step = step;
    this.cache = cache;
    this.kvTokens = kvTokens;
    this.memory = memory;
  }

  /**
   * Begins to load a model. Steps can run at once: they wait for the weights that they need, layer
   * by layer. What goes wrong with the file from here on fails them, and {@link #awaitLoaded}.
   *
   * @param progress hears from the threads that load, until {@link #close} returns
   * @throws EngineException if it does not fit
   * @throws RuntimeFailure if the device or the file fails
   */
  public static Engine load(Model model, EngineOptions options, WeightStore.Progress progress) {
    return load(model, options, HostResources.ofThisMachine().availableMemory(), progress);
  }

  /**
   * @param available bytes that may be allocated; empty = unknown, then nothing is refused
   */
  static Engine load(
      Model model, EngineOptions options, OptionalLong available, WeightStore.Progress progress) {
    OperatorGraph graph = model.graph();
    WeightStore weights =
        new WeightStore(model.file(), graph, options.weights(), options.fastF16());
    Device device = Device.open(options.device());
    try {
      MemoryNeed memory = memoryNeed(model, options, within(available, device), device, weights);
      int blocks = Math.toIntExact(memory.kv() / ProgramCompiler.kvBlockBytes(graph));
      StepCapacity capacity = stepCapacity(options, blocks);
      ProgramCompiler compiler = new ProgramCompiler(device, graph, weights, capacity, blocks);
      weights.load(device, progress);
      StepBlock step = new StepBlock(device, capacity);
      try {
        CompiledModel compiled = compiler.compile(model.file(), step);
        KvCache cache = new KvCache(blocks);
        int tokens = Math.min(wantedTokens(model, options), blocks * KvCache.BLOCK_TOKENS);
        return new Engine(model, device, weights, compiled, step, cache, tokens, memory);
      } catch (RuntimeException | Error e) {
        step.close();
        throw e;
      }
    } catch (RuntimeException | Error e) {
      weights.close();
      device.close();
      throw e;
    }
  }

  /**
   * What a model would take of memory with these options; nothing is loaded.
   *
   * @throws EngineException if the context is not possible at all
   */
  public static MemoryNeed memoryNeed(Model model, EngineOptions options) {
    try (Device device = Device.open(options.device());
        WeightStore weights =
            new WeightStore(model.file(), model.graph(), options.weights(), options.fastF16())) {
      return memoryNeed(model, options, OptionalLong.empty(), device, weights);
    }
  }

  /**
   * What a model can take of memory with these options: what the device has left, or else this
   * machine.
   *
   * @return empty where nobody tells
   */
  public static OptionalLong availableMemory(EngineOptions options) {
    try (Device device = Device.open(options.device())) {
      return within(HostResources.ofThisMachine().availableMemory(), device);
    }
  }

  /** What may be allocated: what the machine has left, within the device's own limit. */
  private static OptionalLong within(OptionalLong available, Device device) {
    OptionalLong limit = device.memoryLimit();
    if (limit.isEmpty()) {
      return available;
    }
    return device.takesHostMemory() && available.isPresent()
        ? OptionalLong.of(Math.min(limit.getAsLong(), available.getAsLong()))
        : limit;
  }

  private static StepCapacity stepCapacity(EngineOptions options, int blocks) {
    return new StepCapacity(
        options.stepTokens(), options.stepOutputs(), blocks, SamplingOptions.MOST_ADJUSTMENTS);
  }

  /** The context that was asked for, or else what the model was trained for, within reason. */
  private static int wantedTokens(Model model, EngineOptions options) {
    int trained = model.graph().hyperparameters().trainedContext();
    return options.kvTokens().orElse(Math.min(trained, EngineOptions.DEFAULT_KV_TOKENS));
  }

  /** Chooses the size of the KV cache, so that everything fits; nothing is allocated yet. */
  private static MemoryNeed memoryNeed(
      Model model,
      EngineOptions options,
      OptionalLong available,
      Device device,
      WeightStore weights) {
    int wanted = wantedTokens(model, options);
    if (wanted < 1 || wanted > MOST_KV_TOKENS) {
      throw new EngineException(
          "context: %d tokens are not possible; 1 to %d are".formatted(wanted, MOST_KV_TOKENS));
    }
    int blocks = KvCache.blocksFor(wanted);
    StepCapacity one = stepCapacity(options, 1);
    long work = new ProgramCompiler(device, model.graph(), weights, one, 1).workBytes();
    IntFunction<MemoryNeed> needOf =
        count ->
            new MemoryNeed(
                weights.bytes(),
                count * ProgramCompiler.kvBlockBytes(model.graph()),
                work + StepBlock.bytes(stepCapacity(options, count)));
    MemoryNeed need = needOf.apply(blocks);
    if (available.isEmpty() || need.total() <= available.getAsLong()) {
      return need;
    }
    int fitting =
        mostThatFit(blocks, count -> needOf.apply(count).total() <= available.getAsLong());
    int trained = model.graph().hyperparameters().trainedContext();
    int least = KvCache.blocksFor(Math.min(trained, LEAST_KV_TOKENS));
    if (options.kvTokens().isEmpty() && fitting >= least) {
      return needOf.apply(fitting);
    }
    throw new EngineException(
        "%s needs %s of memory, and %s are available%s; %s"
            .formatted(
                model.name(),
                need,
                MemoryNeed.text(available.getAsLong()),
                device.hasOwnMemory() ? " on " + device.name() : "",
                fitting >= least
                    ? "choose a context of at most "
                        + fitting * KvCache.BLOCK_TOKENS
                        + " tokens (-c)"
                    : device.hasOwnMemory()
                        ? "allow more of it (--gpu-memory), choose a smaller context (-c) or"
                            + " quantisation, or compute on the CPU (--device cpu)"
                        : "free memory, choose a smaller quantisation, or keep the weights in the"
                            + " mapped file (--no-repack)"));
  }

  /** The largest number below {@code tooMany} that fits, 0 if none does. */
  private static int mostThatFit(int tooMany, IntPredicate fits) {
    int most = 0;
    int low = 1;
    int high = tooMany - 1;
    while (low <= high) {
      int middle = low + (high - low) / 2;
      if (fits.test(middle)) {
        most = middle;
        low = middle + 1;
      } else {
        high = middle - 1;
      }
    }
    return most;
  }

  public Model model() {
    return model;
  }

  public Device device() {
    return device;
  }

  /**
   * Waits until all weights are loaded.
   *
   * @throws RuntimeFailure if they cannot be
   */
  public void awaitLoaded() {
    weights.loading().await();
  }

  /** Whether all weights are loaded, so that steps wait for nothing. */
  public boolean isLoaded() {
    return weights.loading().isLoaded();
  }

  /** {@link System#nanoTime} when all was loaded and ready; now, if it is not. */
  public long loadedNanos() {
    long weightsEnded = weights.loading().endedNanos();
    return weightsEnded - readyNanos > 0 ? weightsEnded : readyNanos;
  }

  /** What this engine takes of the device's memory. */
  public MemoryNeed memory() {
    return memory;
  }

  /** The bookkeeping of the KV cache. */
  public KvCache cache() {
    return cache;
  }

  /**
   * Positions that a sequence can have: what was asked for, although the KV cache is made of whole
   * blocks and may have room for a few more.
   */
  public int kvTokens() {
    return kvTokens;
  }

  /** The step being put together, and after {@link #run} its results. */
  public StepBlock step() {
    return step;
  }

  /** Starts putting together a new step. */
  public void begin() {
    requireOpen();
    step.clear();
    pendingCount = 0;
  }

  /**
   * Adds the next tokens of a sequence to the step. If it throws, nothing is added.
   *
   * @param sequence not yet in this step
   * @param tokens holds the ids at {@code [from, from + count)}
   * @return the row of the first output in the step block's results (none: what it would be)
   * @throws EngineException if the sequence would become longer than {@link #kvTokens}, or the KV
   *     cache is full of others
   * @throws IllegalStateException if the step is full
   */
  public int add(KvSequence sequence, int[] tokens, int from, int count, Outputs outputs) {
    requireOpen();
    Objects.checkFromIndexSize(from, count, tokens.length);
    for (int i = 0; i < pendingCount; i++) {
      if (pending[i] == sequence) {
        throw new IllegalArgumentException("the sequence is in this step already");
      }
    }
    int outputCount =
        switch (outputs) {
          case NONE -> 0;
          case LAST -> Math.min(count, 1);
          case ALL -> count;
        };
    int length = sequence.length();
    step.requireRoom(count, outputCount, 0);
    if (count > kvTokens - length) {
      throw new EngineException(
          "the context is full: it has %d tokens; %d are in use, %d more do not fit"
              .formatted(kvTokens, length, count));
    }
    if (!cache.reserve(sequence, length + count)) {
      throw new EngineException(
          "the KV cache is full: %d of %d blocks are free, %d more are needed"
              .formatted(
                  cache.freeBlocks(),
                  cache.blocks(),
                  KvCache.blocksFor(length + count) - sequence.blockCount()));
    }
    int table = step.addTable(sequence);
    int firstOutput = step.outputs();
    for (int i = 0; i < count; i++) {
      int row = step.addToken(tokens[from + i], length + i, table);
      if (i >= count - outputCount) {
        step.addOutput(row);
      }
    }
    if (pendingCount == pending.length) {
      pending = Arrays.copyOf(pending, 2 * pendingCount);
      pendingTokens = Arrays.copyOf(pendingTokens, 2 * pendingCount);
    }
    pending[pendingCount] = sequence;
    pendingTokens[pendingCount++] = count;
    return firstOutput;
  }

  /**
   * Runs the step. Afterwards its sequences are longer by their tokens; if it throws, they are as
   * before.
   */
  public void run(AbortFlag flag) {
    requireOpen();
    step.seal();
    try {
      compiled.run(flag);
    } catch (RuntimeFailure e) {
      if (e.status() == RuntimeFailure.Status.INTERRUPTED) {
        awaitLoaded(); // throws what went wrong
      }
      throw e;
    }
    for (int i = 0; i < pendingCount; i++) {
      pending[i].advance(pendingTokens[i]);
    }
    pendingCount = 0;
  }

  /**
   * Makes the draws from whole rows of logits that samplers asked for since the step ran. One that
   * was aborted can be repeated.
   */
  public void pick(AbortFlag flag) {
    requireOpen();
    step.seal();
    compiled.pick(flag);
  }

  /**
   * The next token for an output of the step that has run, by candidates or by a {@link #pick}. For
   * several outputs {@link Sampler#sample} each, and make their draws at once.
   */
  public int sample(Sampler sampler, int output, AbortFlag flag) {
    int token = sampler.sample(step, output);
    if (token != Sampler.PENDING) {
      return token;
    }
    pick(flag);
    return sampler.picked(step);
  }

  private void requireOpen() {
    if (closed) {
      throw new IllegalStateException(model.name() + " is closed");
    }
  }

  /** Elements of a row of logits. */
  public int vocabulary() {
    return compiled.vocabulary();
  }

  /**
   * Copies an output's logits of the last step into a direct buffer: float32, native order. They
   * are the model's, but for the tokens that a {@link Sampler} gave penalties or biases.
   */
  public void readLogits(int output, ByteBuffer destination) {
    requireOpen();
    compiled.readLogits(output, destination);
  }

  /** Gives back all memory. Closing twice does nothing; any other use afterwards is an error. */
  @Override
  public void close() {
    closed = true;
    compiled.close();
    step.close();
    weights.close();
    device.close();
  }
}
