package dev.tandem.engine.calibrate;

import dev.tandem.engine.program.StepBlock;
import dev.tandem.model.format.RandomBits;
import dev.tandem.model.format.RandomBlocks;
import dev.tandem.model.format.TensorType;
import dev.tandem.runtime.AbortFlag;
import dev.tandem.runtime.Device;
import dev.tandem.runtime.DeviceBuffer;
import dev.tandem.runtime.ElementType;
import dev.tandem.runtime.Layout;
import dev.tandem.runtime.Program;
import dev.tandem.runtime.ProgramWriter;
import dev.tandem.runtime.ProgramWriter.CachedTokens;
import dev.tandem.runtime.ProgramWriter.Tensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.SplittableRandom;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;

/**
 * Kernels ready to be timed, each as a program of its own: so many calls that the start of a
 * program does not count, on random data. Weights and KV cache of one call after another are
 * others, as many as a model of that size has, so that they come from memory where the model's
 * would. Matmuls are timed one by one, also those of one input, which a model's program may run as
 * one.
 */
public final class KernelRig implements AutoCloseable {

  /** Larger than the caches of any socket that we know. */
  private static final long BEYOND_CACHES = 512L << 20;

  private static final double RUN_SECONDS = 8e-3;
  private static final double CALL_SECONDS = 1e-6; // what a call takes that has nothing to do
  private static final int MOST_CALLS = 1000;
  private static final double MOST_GROWTH = 50; // of calls from one trial to the next
  private static final int CHUNK_BYTES = 1 << 20;

  private final Device device;
  private final MachineLimits limits;
  private final long rotation;
  private final boolean cached;
  private final AbortFlag flag = new AbortFlag();
  private final List<Runnable> owned = new ArrayList<>(List.of(flag::close));
  private final List<Runnable> ofLast = new ArrayList<>(); // taken for the kernel prepared last
  private final Map<Matrices, WeightArena> arenas = new HashMap<>();
  private final Map<Pool, CachePool> pools = new HashMap<>();
  private final Map<Kernel, DeviceBuffer> encoded = new HashMap<>();
  private final DeviceBuffer left;
  private final DeviceBuffer right;
  private final DeviceBuffer out;

  private record Matrices(ElementType type, int columns) {}

  private record Pool(int kvHeads, int headSize, StepShape step) {}

  /** A cache with the same positions in several layers, one behind the other in each block. */
  private record CachePool(DeviceBuffer buffer, int blocks, long layerBytes, int layers) {}

  /**
   * Takes the memory for some kernels.
   *
   * @param kernels all that will be {@link #prepare prepared}
   * @param modelBytes what a step of the model reads: a kernel reads so much, if that is less than
   *     what no cache holds, before it reads the same again
   * @throws dev.tandem.runtime.RuntimeFailure beyond the device's memory limit
   */
  public KernelRig(Device device, MachineLimits limits, List<Kernel> kernels, long modelBytes) {
    this.device = device;
    this.limits = limits;
    this.rotation = Math.min(modelBytes, BEYOND_CACHES);
    this.cached = modelBytes < BEYOND_CACHES;
    long most = kernels.stream().mapToLong(KernelRig::mostFloats).max().orElse(1);
    try {
      left = shared(device.allocate(Float.BYTES * most));
      right = shared(device.allocate(Float.BYTES * most));
      out = shared(device.allocate(Float.BYTES * most));
      RandomBlocks floats = new RandomBlocks(TensorType.F32, 1, new RandomBits(1));
      fill(left, floats);
      fill(right, floats);
      Map<Matrices, Long> largest = new HashMap<>();
      for (Kernel kernel : kernels) {
        switch (kernel) {
          case Kernel.MatMul k ->
              largest.merge(
                  new Matrices(k.type(), k.width()),
                  WeightArena.stride(k.type(), k.outputs(), k.width()),
                  Math::max);
          case Kernel.Embedding k ->
              largest.merge(
                  new Matrices(k.type(), k.width()),
                  WeightArena.stride(k.type(), k.vocabulary(), k.width()),
                  Math::max);
          default -> {}
        }
      }
      largest.forEach((matrices, bytes) -> {
        long size = Math.max(bytes, rotation);
        WeightArena arena = new WeightArena(device, matrices.type(), matrices.columns(), size);
        owned.add(arena::close);
        arenas.put(matrices, arena);
      });
    } catch (RuntimeException e) {
      close();
      throw e;
    }
  }

  /** Bytes of the weights. */
  public long weightBytes() {
    return arenas.values().stream().mapToLong(WeightArena::bytes).sum();
  }

  /** A kernel that can be timed. */
  public final class Prepared {
    private final Kernel kernel;
    private final Program program;
    private final int calls;

    private Prepared(Kernel kernel, Program program, int calls) {
      this.kernel = kernel;
      this.program = program;
      this.calls = calls;
    }

    public Kernel kernel() {
      return kernel;
    }

    /** Runs it for some milliseconds; seconds per call. */
    public double seconds() {
      if (cached) {
        program.run(flag); // what the caches can hold of the model, they hold
      }
      long start = System.nanoTime();
      program.run(flag);
      return (System.nanoTime() - start) * 1e-9 / calls;
    }
  }

  /** Makes a kernel ready. */
  public Prepared prepare(Kernel kernel) {
    OptionalDouble memory = limits.memory();
    OptionalDouble arithmetic = limits.arithmetic(kernel.arithmetic());
    if (memory.isEmpty() || arithmetic.isEmpty()) {
      return prepareByTrial(kernel);
    }
    double guess =
        CALL_SECONDS
            + kernel.bytes() / memory.getAsDouble()
            + kernel.operations() / arithmetic.getAsDouble();
    int calls = (int) Math.clamp(RUN_SECONDS / guess, 1, MOST_CALLS);
    return kept(prepare(kernel, calls, calls));
  }

  /**
   * Where nobody can guess how long it takes: with ever more calls, until a run takes so long that
   * what it costs to begin and to end one is little beside it.
   */
  private Prepared prepareByTrial(Kernel kernel) {
    int calls = 1;
    for (; ; ) {
      Prepared prepared = prepare(kernel, calls, MOST_CALLS);
      prepared.seconds(); // brings to the device what the first run does
      double seconds = prepared.seconds() * calls;
      if (seconds >= RUN_SECONDS / 2 || calls == MOST_CALLS) {
        return kept(prepared);
      }
      double wanted = calls * Math.min(RUN_SECONDS / seconds, MOST_GROWTH);
      calls = (int) Math.clamp(wanted, calls + 1, MOST_CALLS);
      close(ofLast);
    }
  }

  private Prepared kept(Prepared last) {
    owned.addAll(ofLast);
    ofLast.clear();
    return last;
  }

  /**
   * @param mostCalls that this kernel may come to be prepared with
   */
  private Prepared prepare(Kernel kernel, int calls, int mostCalls) {
    try (ProgramWriter program = device.newProgram()) {
      program.extent(ints(program, kernel.rows()));
      IntConsumer call = emitter(program, kernel, calls, mostCalls);
      for (int i = 0; i < calls; i++) {
        call.accept(i);
      }
      Program ready = program.finish();
      ofLast.add(ready::close);
      return new Prepared(kernel, ready, calls);
    }
  }

  /** Appends the call of a number. */
  private IntConsumer emitter(ProgramWriter program, Kernel kernel, int calls, int mostCalls) {
    int rows = kernel.rows();
    switch (kernel) {
      case Kernel.Embedding k -> {
        Tensor table =
            arenas.get(new Matrices(k.type(), k.width())).next(program, k.layout(), k.vocabulary());
        Tensor[] ids = new Tensor[calls];
        SplittableRandom random = new SplittableRandom(1);
        for (int i = 0; i < calls; i++) {
          ids[i] = ints(program, random.ints(rows, 0, k.vocabulary()).toArray());
        }
        Tensor to = f32(program, out, rows, k.width());
        return i -> program.embedding(table, ids[i], to);
      }
      case Kernel.Norm k -> {
        Tensor x = f32(program, left, rows, k.width());
        Tensor weight = f32(program, right, 1, k.width());
        Tensor to = f32(program, out, rows, k.width());
        return i -> program.rmsNorm(x, weight, to, k.epsilon());
      }
      case Kernel.Encode k -> {
        Tensor x = f32(program, left, rows, k.width());
        Tensor to = encodedTensor(program, k);
        return i -> program.encode(x, to);
      }
      case Kernel.MatMul k -> {
        WeightArena arena = arenas.get(new Matrices(k.type(), k.width()));
        Tensor[] weights = new Tensor[(int) Math.min(calls, arena.matrices(k.outputs()))];
        for (int i = 0; i < weights.length; i++) {
          weights[i] = arena.next(program, Layout.TILES, k.outputs());
        }
        Tensor x =
            k.input() == ElementType.F32
                ? f32(program, left, rows, k.width())
                : encodedInput(program, new Kernel.Encode(k.input(), k.width(), rows));
        Tensor to = f32(program, out, rows, k.outputs());
        if (k.bias()) {
          Tensor bias = f32(program, right, 1, k.outputs());
          return i -> program.matMul(weights[i % weights.length], x, bias, to);
        }
        return i -> program.matMul(weights[i % weights.length], x, to);
      }
      case Kernel.RopeAngles k -> {
        Tensor positions = ints(program, IntStream.range(0, rows).toArray());
        double[] values = new double[k.rotation().dimensions() / 2];
        Arrays.fill(values, 0.5);
        Tensor to = f32(program, out, rows, k.rotation().dimensions());
        Tensor frequencies = doubles(program, values);
        return i -> program.ropeAngles(positions, frequencies, to);
      }
      case Kernel.Rope k -> {
        // In place, with cosines and sines that are none: between -1 and 1 is near enough.
        Tensor x = f32(program, out, rows, k.width());
        Tensor angles = f32(program, left, rows, k.rotation().dimensions());
        ProgramWriter.RopeLayout layout =
            ProgramWriter.RopeLayout.valueOf(k.rotation().layout().name());
        return i -> program.rope(x, angles, k.headSize(), layout);
      }
      case Kernel.StoreKv k -> {
        CachePool pool = pool(new Pool(k.kvHeads(), k.headSize(), k.step()), mostCalls);
        Tensor keys = f32(program, left, rows, k.kvHeads() * k.headSize());
        Tensor values = f32(program, right, rows, k.kvHeads() * k.headSize());
        CachedTokens tokens = tokens(program, k.step(), pool);
        return i ->
            program.storeKv(
                keys, values, tokens, i % pool.layers() * pool.layerBytes(), k.headSize());
      }
      case Kernel.Attention k -> {
        CachePool pool = pool(new Pool(k.kvHeads(), k.headSize(), k.step()), mostCalls);
        Tensor query = f32(program, left, rows, k.heads() * k.headSize());
        Tensor to = f32(program, out, rows, k.heads() * k.headSize());
        CachedTokens tokens = tokens(program, k.step(), pool);
        return i ->
            program.attention(
                query,
                tokens,
                to,
                i % pool.layers() * pool.layerBytes(),
                k.headSize(),
                k.kvHeads(),
                k.scale());
      }
      case Kernel.Gated k -> {
        Tensor x = f32(program, left, rows, k.width());
        Tensor y = f32(program, right, rows, k.width());
        Tensor to = f32(program, out, rows, k.width());
        return i -> program.silu(x, y, to);
      }
      case Kernel.Add k -> {
        Tensor x = f32(program, left, rows, k.width());
        Tensor y = f32(program, right, rows, k.width());
        Tensor to = f32(program, out, rows, k.width());
        return i -> program.add(x, y, to);
      }
      case Kernel.Gather k -> {
        Tensor x = f32(program, left, k.of(), k.width());
        Tensor to = f32(program, out, rows, k.width());
        Tensor picked =
            ints(program, IntStream.rangeClosed(1, rows).map(i -> k.of() * i / rows - 1).toArray());
        return i -> program.gather(x, picked, to);
      }
      case Kernel.Select k -> {
        Tensor logits = f32(program, left, rows, k.vocabulary());
        DeviceBuffer results =
            own(device.allocateShared(2L * Float.BYTES * rows * (1 + candidates())));
        long ids = (long) Float.BYTES * rows * candidates();
        Tensor best = program.tensor(results, 0, ElementType.I32, Layout.PLAIN, rows, candidates());
        Tensor values =
            program.tensor(results, ids, ElementType.F32, Layout.PLAIN, rows, candidates());
        Tensor sums = program.tensor(results, 2 * ids, ElementType.F32, Layout.PLAIN, rows, 1);
        return i -> program.select(logits, best, values, sums);
      }
    }
  }

  private static int candidates() {
    return StepBlock.CANDIDATES;
  }

  /** Floats of the largest array in fp32 that a kernel reads or writes. */
  private static long mostFloats(Kernel kernel) {
    long width =
        switch (kernel) {
          case Kernel.Embedding k -> k.width();
          case Kernel.Norm k -> k.width();
          case Kernel.Encode k -> k.width();
          case Kernel.MatMul k -> Math.max(k.outputs(), k.width());
          case Kernel.RopeAngles k -> k.rotation().dimensions();
          case Kernel.Rope k -> Math.max(k.width(), k.rotation().dimensions());
          case Kernel.StoreKv k -> (long) k.kvHeads() * k.headSize();
          case Kernel.Attention k -> (long) k.heads() * k.headSize();
          case Kernel.Gated k -> k.width();
          case Kernel.Add k -> k.width();
          case Kernel.Gather k -> (long) k.width() * Math.ceilDiv(k.of(), k.rows());
          case Kernel.Select k -> k.vocabulary();
        };
    return width * kernel.rows();
  }

  // ---- operands ----

  private static Tensor f32(ProgramWriter program, DeviceBuffer buffer, int rows, int columns) {
    return program.tensor(buffer, 0, ElementType.F32, Layout.PLAIN, rows, columns);
  }

  /** Where a model's step has them: what varies is shared by host and device. */
  private Tensor ints(ProgramWriter program, int... values) {
    ByteBuffer bytes = direct(Integer.BYTES * values.length);
    bytes.asIntBuffer().put(values);
    DeviceBuffer buffer = own(device.allocateShared(bytes.capacity()));
    buffer.write(0, bytes);
    return program.tensor(buffer, 0, ElementType.I32, Layout.PLAIN, values.length, 1);
  }

  private Tensor doubles(ProgramWriter program, double[] row) {
    ByteBuffer bytes = direct(Double.BYTES * row.length);
    bytes.asDoubleBuffer().put(row);
    return program.tensor(written(bytes), 0, ElementType.F64, Layout.PLAIN, 1, row.length);
  }

  private DeviceBuffer written(ByteBuffer bytes) {
    DeviceBuffer buffer = own(device.allocate(bytes.capacity()));
    buffer.write(0, bytes);
    return buffer;
  }

  private Tensor encodedTensor(ProgramWriter program, Kernel.Encode kernel) {
    long bytes = kernel.to().bytes(Layout.PLAIN, kernel.rows(), kernel.width());
    DeviceBuffer buffer = encoded.computeIfAbsent(kernel, k -> shared(device.allocate(bytes)));
    return program.tensor(buffer, 0, kernel.to(), Layout.PLAIN, kernel.rows(), kernel.width());
  }

  /** What is encoded holds indices, so it has to be what the kernel wrote. */
  private Tensor encodedInput(ProgramWriter program, Kernel.Encode kernel) {
    try (ProgramWriter encoding = device.newProgram()) {
      encoding.extent(ints(encoding, kernel.rows()));
      encoding.encode(
          f32(encoding, left, kernel.rows(), kernel.width()), encodedTensor(encoding, kernel));
      try (Program once = encoding.finish()) {
        once.run(flag);
      }
    }
    return encodedTensor(program, kernel);
  }

  private CachePool pool(Pool key, int calls) {
    return pools.computeIfAbsent(
        key,
        k -> {
          Kernel.Attention one =
              new Kernel.Attention(k.kvHeads(), k.kvHeads(), k.headSize(), 1, k.step());
          int layers = Math.clamp(Math.ceilDiv(rotation, one.poolBytes()), 1, calls);
          DeviceBuffer buffer = shared(device.allocate(layers * one.poolBytes()));
          fill(buffer, new RandomBlocks(TensorType.F16, 1, new RandomBits(1)));
          return new CachePool(buffer, one.blocks(), one.poolBytes() / one.blocks(), layers);
        });
  }

  /** The last tokens of sequences of equal length, whose blocks follow one another. */
  private CachedTokens tokens(ProgramWriter program, StepShape step, CachePool pool) {
    int each = step.tokensEach();
    int blocksEach = pool.blocks() / step.sequences();
    IntStream tokens = IntStream.range(0, step.tokens());
    int[] positions = tokens.map(i -> step.depth() + i % each).toArray();
    int[] tables = IntStream.range(0, step.tokens()).map(i -> i / each * blocksEach).toArray();
    return new CachedTokens(
        ints(program, positions),
        ints(program, tables),
        ints(program, IntStream.range(0, pool.blocks()).toArray()),
        program.tensor(
            pool.buffer(),
            0,
            ElementType.F16,
            Layout.PLAIN,
            pool.blocks(),
            pool.layers() * pool.layerBytes() / Short.BYTES));
  }

  private static ByteBuffer direct(int bytes) {
    return ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder());
  }

  private static void fill(DeviceBuffer buffer, RandomBlocks blocks) {
    byte[] chunk = new byte[CHUNK_BYTES];
    blocks.fill(chunk, 0, chunk.length);
    ByteBuffer bytes = direct(CHUNK_BYTES).put(chunk);
    for (long at = 0; at < buffer.bytes(); at += CHUNK_BYTES) {
      buffer.write(at, bytes.rewind().limit((int) Math.min(CHUNK_BYTES, buffer.bytes() - at)));
    }
  }

  /** For one prepared kernel alone. */
  private DeviceBuffer own(DeviceBuffer buffer) {
    ofLast.add(buffer::close);
    return buffer;
  }

  /** For all kernels. */
  private DeviceBuffer shared(DeviceBuffer buffer) {
    owned.add(buffer::close);
    return buffer;
  }

  private static void close(List<Runnable> taken) {
    taken.reversed().forEach(Runnable::run);
    taken.clear();
  }

  @Override
  public void close() {
    close(ofLast);
    close(owned);
  }
}
