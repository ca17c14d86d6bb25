package dev.tandem.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import dev.tandem.engine.kv.KvSequence;
import dev.tandem.engine.sample.Penalties;
import dev.tandem.engine.sample.Sampler;
import dev.tandem.engine.sample.SamplingOptions;
import dev.tandem.model.Model;
import dev.tandem.model.ModelShape;
import dev.tandem.model.SyntheticModel;
import dev.tandem.model.format.TensorType;
import dev.tandem.runtime.AbortFlag;
import dev.tandem.runtime.DeviceOptions;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Decoding allocates nothing on the Java heap. */
class AllocationTest {
  private static final int STEPS = 1000;
  private static final int ROUNDS = 10;
  private static final ModelShape SHAPE =
      new ModelShape("tiny", 1, 64, 4, 2, 16, 64, 300, 8192, 10_000, true, 1e-5f);

  @TempDir private Path folder;

  static Stream<SamplingOptions> samplings() {
    SamplingOptions usual = SamplingOptions.seeded(1);
    return Stream.of(
        SamplingOptions.greedy(),
        usual,
        SamplingOptions.plain(1), // drawn from the whole row
        SamplingOptions.plain(1).withTopP(0.999), // and filtered there
        usual.withTypical(0.9),
        usual
            .withPenalties(new Penalties(64, 1.1, 0.2, 0.1))
            .withLogitBias(Map.of(5, 1f, 6, Float.NEGATIVE_INFINITY)));
  }

  @ParameterizedTest
  @MethodSource("samplings")
  void decodeSteps(SamplingOptions sampling) {
    Path file = folder.resolve("tiny.gguf");
    SyntheticModel.write(file, SHAPE, SyntheticModel.Options.of(TensorType.Q8_0));
    EngineOptions options =
        EngineOptions.of(DeviceOptions.cpu(1)).withKvTokens(3 * STEPS).withStep(2, 2);
    try (Engine engine = Runs.load(Model.open(file), options);
        AbortFlag flag = new AbortFlag()) {
      KvSequence[] sequences = {new KvSequence(), new KvSequence()};
      Sampler sampler = new Sampler(sampling, engine.vocabulary());
      int[] tokens = {5, 6};
      ThreadMXBean thread = (ThreadMXBean) ManagementFactory.getThreadMXBean();
      // A step that allocated would do so in every round. What the machine does once (loading a
      // class, replacing compiled code) can fall into any round, not into all.
      long least = Long.MAX_VALUE;
      for (int round = 0; round < ROUNDS && least > 0; round++) {
        for (KvSequence sequence : sequences) {
          // A list of blocks is copied each time its length doubles; here it is long from the
          // start.
          engine.cache().release(sequence);
          engine.cache().reserve(sequence, STEPS);
        }
        long before = thread.getCurrentThreadAllocatedBytes();
        decode(engine, flag, sequences, sampler, tokens);
        least = Math.min(least, thread.getCurrentThreadAllocatedBytes() - before);
      }
      assertEquals(0, least, "bytes in " + STEPS + " steps");
    }
  }

  /** A generation, seen from both threads: what its tokens cost beside what the whole costs. */
  @Test
  void generatedTokens() {
    Path file = folder.resolve("tiny.gguf");
    SyntheticModel.write(file, SHAPE, SyntheticModel.Options.of(TensorType.Q8_0));
    EngineOptions options = EngineOptions.of(DeviceOptions.cpu(1)).withKvTokens(4 * STEPS);
    try (TandemModel model = TandemModel.open(file, options);
        Session session = model.newSession()) {
      long least = Long.MAX_VALUE;
      for (int round = 0; round < ROUNDS && least > 0; round++) {
        long few = generate(session, STEPS);
        long many = generate(session, 2 * STEPS);
        // The lists of tokens and of blocks grow by doubling, and are there from then on.
        least = round == 0 ? least : Math.min(least, Math.max(0, many - few));
      }
      assertTrue(least < STEPS, least + " bytes in " + STEPS + " tokens");
    }
  }

  private static long generate(Session session, int tokens) {
    session.reset();
    GenerationOptions options =
        GenerationOptions.of(tokens, SamplingOptions.seeded(1)).ignoringEnd();
    long before = allocated();
    session.generate(new int[] {5, 6}, options, new GenerationListener() {});
    return allocated() - before;
  }

  /** Bytes that this thread and the engine's have allocated so far. */
  private static long allocated() {
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    long bytes = threads.getCurrentThreadAllocatedBytes();
    for (Thread thread : Thread.getAllStackTraces().keySet()) {
      if (thread.getName().equals("tandem-engine")) {
        bytes += threads.getThreadAllocatedBytes(thread.threadId());
      }
    }
    return bytes;
  }

  private static void decode(
      Engine engine, AbortFlag flag, KvSequence[] sequences, Sampler sampler, int[] tokens) {
    for (int i = 0; i < STEPS; i++) {
      engine.begin();
      for (int s = 0; s < sequences.length; s++) {
        int output = engine.add(sequences[s], tokens, s, 1, Engine.Outputs.LAST);
        sampler.adjust(engine.step(), output);
      }
      engine.run(flag);
      for (int s = 0; s < sequences.length; s++) {
        tokens[s] = engine.sample(sampler, s, flag);
        sampler.accept(tokens[s]);
      }
    }
  }
}
