package dev.tandem.engine;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.engine.kv.KvSequence;
import dev.tandem.model.Model;
import dev.tandem.model.ModelShape;
import dev.tandem.model.SyntheticModel;
import dev.tandem.model.format.TensorType;
import dev.tandem.runtime.AbortFlag;
import dev.tandem.runtime.DeviceOptions;
import dev.tandem.runtime.RuntimeFailure;
import java.nio.file.Path;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A run that takes long ends soon after somebody asks it to, and leaves nothing behind. */
class AbortTest {
  private static final int PROMPT = 2048;
  private static final ModelShape SHAPE =
      new ModelShape("long", 6, 512, 8, 4, 64, 1536, 300, 4096, 10_000, true, 1e-5f);

  /** The design asks for 50 ms; the rest is for a machine that does other things as well. */
  private static final long MOST_MILLIS = 250;

  @TempDir private Path folder;

  static Iterable<String> instructionSets() {
    return Runs.instructionSets();
  }

  @ParameterizedTest
  @MethodSource("instructionSets")
  void fromAnotherThread(String instructionSet) throws Exception {
    boolean slow = instructionSet.equals("scalar");
    Path file = folder.resolve("long.gguf");
    SyntheticModel.write(file, SHAPE, SyntheticModel.Options.of(TensorType.Q8_0));
    int[] tokens = new Random(3).ints(PROMPT, 0, SHAPE.vocabulary()).toArray();
    EngineOptions options =
        EngineOptions.of(DeviceOptions.cpu(2).withInstructionSet(instructionSet))
            .withKvTokens(PROMPT)
            .withStep(PROMPT, 1);
    try (Engine engine = Runs.load(Model.open(file), options);
        AbortFlag flag = new AbortFlag()) {
      KvSequence sequence = new KvSequence();
      int past = 10;
      step(engine, sequence, tokens, past, flag);
      int length = slow ? 200 : PROMPT;
      double[] expected = wholeRun(engine, tokens, past, length, flag);
      long longest = 0;
      for (int delay : new int[] {2, 20, 60}) {
        engine.begin();
        engine.add(sequence, tokens, past, PROMPT - past, Engine.Outputs.LAST);
        CompletableFuture<Long> asked =
            CompletableFuture.supplyAsync(
                () -> {
                  flag.set();
                  return System.nanoTime();
                },
                CompletableFuture.delayedExecutor(delay, TimeUnit.MILLISECONDS));
        RuntimeFailure e = assertThrows(RuntimeFailure.class, () -> engine.run(flag));
        long millis = (System.nanoTime() - asked.get()) / 1_000_000;
        assertEquals(RuntimeFailure.Status.ABORTED, e.status());
        assertEquals(past, sequence.length());
        longest = Math.max(longest, millis);
        flag.clear();
      }
      System.out.printf("aborted within %d ms, %s%n", longest, instructionSet);
      assertTrue(longest <= MOST_MILLIS, longest + " ms");
      // The same sequence goes on to the same bits as one that was never disturbed.
      engine.begin();
      engine.add(sequence, tokens, past, length - past, Engine.Outputs.LAST);
      engine.run(flag);
      assertArrayEquals(expected, Runs.row(engine, 0));
      engine.cache().release(sequence);
      assertEquals(engine.cache().blocks(), engine.cache().freeBlocks());
    }
  }

  private static double[] wholeRun(
      Engine engine, int[] tokens, int past, int length, AbortFlag flag) {
    try (Engine other =
        Runs.load(
            engine.model(),
            EngineOptions.of(
                    DeviceOptions.cpu(2).withInstructionSet(engine.device().instructionSet()))
                .withKvTokens(PROMPT)
                .withStep(PROMPT, 1))) {
      KvSequence sequence = new KvSequence();
      step(other, sequence, tokens, past, flag);
      step(other, sequence, tokens, length - past, flag);
      return Runs.row(other, 0);
    }
  }

  private static void step(
      Engine engine, KvSequence sequence, int[] tokens, int count, AbortFlag flag) {
    engine.begin();
    engine.add(sequence, tokens, sequence.length(), count, Engine.Outputs.LAST);
    engine.run(flag);
  }
}
