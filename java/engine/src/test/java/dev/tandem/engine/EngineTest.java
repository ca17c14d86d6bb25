package dev.tandem.engine;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.engine.kv.KvSequence;
import dev.tandem.engine.program.StepBlock;
import dev.tandem.engine.program.StepCapacity;
import dev.tandem.engine.program.WeightStore;
import dev.tandem.model.Model;
import dev.tandem.model.ModelShape;
import dev.tandem.model.SyntheticModel;
import dev.tandem.model.format.TensorType;
import dev.tandem.runtime.AbortFlag;
import dev.tandem.runtime.DeviceOptions;
import dev.tandem.runtime.RuntimeFailure;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What an engine does when it is asked for what it cannot do, and that it goes on afterwards. */
class EngineTest {
  private static final int VOCABULARY = 300;
  private static final ModelShape SHAPE =
      new ModelShape("small", 2, 64, 4, 2, 16, 96, VOCABULARY, 512, 10_000, true, 1e-5f);

  /** 4 blocks of 16 positions; 40 tokens and 8 outputs a step. */
  private static final EngineOptions OPTIONS =
      EngineOptions.of(DeviceOptions.cpu(2)).withKvTokens(64).withStep(40, 8);

  private static final int[] TOKENS = new Random(5).ints(200, 0, VOCABULARY).toArray();

  @TempDir private static Path folder;

  private static Path file;
  private static Engine engine;
  private static AbortFlag flag;

  @BeforeAll
  static void load() {
    file = folder.resolve("small.gguf");
    SyntheticModel.write(file, SHAPE, SyntheticModel.Options.of(TensorType.F16));
    engine = Runs.load(Model.open(file), OPTIONS);
    flag = new AbortFlag();
  }

  @AfterAll
  static void close() {
    flag.close();
    engine.close();
  }

  /** Whatever a test has done: the engine computes as before, and no block is lost. */
  @AfterEach
  void stillWorks() {
    double[] row = Runs.logits(engine, new int[] {1, 2, 3}, 3)[2];
    try (Engine fresh = Runs.load(Model.open(file), OPTIONS)) {
      assertArrayEquals(Runs.logits(fresh, new int[] {1, 2, 3}, 1)[2], row);
    }
    assertEquals(4, engine.cache().freeBlocks());
  }

  @Test
  void candidatesAreTheBestOfTheRow() {
    KvSequence sequence = new KvSequence();
    engine.begin();
    int first = engine.add(sequence, TOKENS, 0, 8, Engine.Outputs.ALL);
    assertEquals(0, first);
    engine.run(flag);
    StepBlock step = engine.step();
    for (int output = 0; output < 8; output++) {
      double[] row = Runs.row(engine, output);
      int[] byLogit =
          IntStream.range(0, row.length)
              .boxed()
              .sorted((a, b) -> Double.compare(row[b], row[a])) // stable: of equal ones the lower
              .mapToInt(i -> i)
              .toArray();
      assertEquals(StepBlock.CANDIDATES, step.candidates(output));
      for (int i = 0; i < StepBlock.CANDIDATES; i++) {
        assertEquals(byLogit[i], step.candidateId(output, i));
        assertEquals((float) row[byLogit[i]], step.candidateLogit(output, i));
      }
      double logSum = Math.log(Arrays.stream(row).map(Math::exp).sum());
      assertEquals(logSum, step.logSum(output), 1e-5);
    }
    engine.cache().release(sequence);
  }

  @Test
  void outputsWhereTheyAreAskedFor() {
    KvSequence a = new KvSequence();
    KvSequence b = new KvSequence();
    KvSequence c = new KvSequence();
    engine.begin();
    assertEquals(0, engine.add(a, TOKENS, 0, 5, Engine.Outputs.NONE));
    assertEquals(0, engine.add(b, TOKENS, 5, 5, Engine.Outputs.LAST));
    assertEquals(1, engine.add(c, TOKENS, 10, 5, Engine.Outputs.ALL));
    assertEquals(6, engine.step().outputs());
    assertEquals(15, engine.step().tokens());
    engine.run(flag);
    double[][] expectedB = alone(5, 5);
    double[][] expectedC = alone(10, 5);
    engine.begin();
    engine.cache().release(a);
    engine.cache().release(b);
    engine.cache().release(c);
    engine.add(b, TOKENS, 5, 5, Engine.Outputs.LAST);
    engine.add(c, TOKENS, 10, 5, Engine.Outputs.ALL);
    engine.run(flag);
    assertArrayEquals(expectedB[4], Runs.row(engine, 0));
    for (int i = 0; i < 5; i++) {
      assertArrayEquals(expectedC[i], Runs.row(engine, 1 + i));
    }
    engine.cache().release(b);
    engine.cache().release(c);
  }

  /** The logits of a part of the tokens, as a sequence of their own. */
  private static double[][] alone(int from, int count) {
    try (Engine other = Runs.load(Model.open(file), OPTIONS)) {
      return Runs.logits(other, Arrays.copyOfRange(TOKENS, from, from + count));
    }
  }

  @Test
  void kvCacheIsFull() {
    KvSequence first = new KvSequence();
    KvSequence second = new KvSequence();
    step(first, 0, 40, Engine.Outputs.LAST);
    engine.begin();
    EngineException e =
        assertThrows(
            EngineException.class, () -> engine.add(second, TOKENS, 0, 17, Engine.Outputs.LAST));
    assertEquals("the KV cache is full: 1 of 4 blocks are free, 2 more are needed", e.getMessage());
    assertEquals(0, engine.step().tokens());
    assertEquals(0, second.length());
    // What fits can still be added, to the same step.
    engine.add(second, TOKENS, 0, 16, Engine.Outputs.LAST);
    engine.run(flag);
    assertEquals(16, second.length());
    step(first, 40, 8, Engine.Outputs.NONE); // its third block
    engine.begin();
    assertThrows(
        EngineException.class, () -> engine.add(first, TOKENS, 48, 1, Engine.Outputs.LAST));
    engine.cache().release(first);
    step(second, 16, 1, Engine.Outputs.LAST);
    engine.cache().release(second);
  }

  /** More than the whole cache holds is the cache's matter, not the step's. */
  @Test
  void sequenceLongerThanTheCache() {
    KvSequence sequence = new KvSequence();
    step(sequence, 0, 40, Engine.Outputs.NONE);
    engine.begin();
    assertThrows(
        EngineException.class, () -> engine.add(sequence, TOKENS, 40, 25, Engine.Outputs.NONE));
    engine.cache().release(sequence);
  }

  /** 50 positions take 4 blocks, in which there would be room for 64. */
  @Test
  void sequenceLongerThanTheContextThatWasAskedFor() {
    try (Engine other = Runs.load(Model.open(file), OPTIONS.withKvTokens(50))) {
      assertEquals(50, other.kvTokens());
      assertEquals(4, other.cache().blocks());
      KvSequence sequence = new KvSequence();
      other.begin();
      other.add(sequence, TOKENS, 0, 40, Engine.Outputs.NONE);
      other.run(flag);
      other.begin();
      EngineException e =
          assertThrows(
              EngineException.class,
              () -> other.add(sequence, TOKENS, 40, 11, Engine.Outputs.LAST));
      assertEquals(
          "the context is full: it has 50 tokens; 40 are in use, 11 more do not fit",
          e.getMessage());
      other.add(sequence, TOKENS, 40, 10, Engine.Outputs.LAST);
      other.run(flag);
      assertEquals(50, sequence.length());
      // The blocks are there for all: another sequence finds no more of them.
      assertEquals(0, other.cache().freeBlocks());
    }
  }

  @Test
  void stepIsFull() {
    KvSequence first = new KvSequence();
    KvSequence second = new KvSequence();
    engine.begin();
    engine.add(first, TOKENS, 0, 30, Engine.Outputs.LAST);
    IllegalStateException e =
        assertThrows(
            IllegalStateException.class,
            () -> engine.add(second, TOKENS, 0, 11, Engine.Outputs.LAST));
    assertEquals("the step is full: at most 40 tokens", e.getMessage());
    e =
        assertThrows(
            IllegalStateException.class,
            () -> engine.add(second, TOKENS, 0, 8, Engine.Outputs.ALL));
    assertEquals("the step is full: at most 8 outputs", e.getMessage());
    // Nothing of them is in the step: it is the one that it was.
    assertEquals(30, engine.step().tokens());
    assertEquals(1, engine.step().outputs());
    engine.run(flag);
    assertEquals(30, first.length());
    assertEquals(0, second.length());
    engine.cache().release(first);
    engine.cache().release(second);
  }

  @Test
  void sameSequenceTwice() {
    KvSequence sequence = new KvSequence();
    engine.begin();
    engine.add(sequence, TOKENS, 0, 3, Engine.Outputs.NONE);
    assertThrows(
        IllegalArgumentException.class,
        () -> engine.add(sequence, TOKENS, 3, 3, Engine.Outputs.LAST));
    engine.run(flag);
    assertEquals(3, sequence.length());
    engine.cache().release(sequence);
  }

  @Test
  void rangesOutsideTheTokens() {
    KvSequence sequence = new KvSequence();
    engine.begin();
    for (int[] range : new int[][] {{-1, 2}, {199, 2}, {0, -1}, {201, 0}}) {
      assertThrows(
          IndexOutOfBoundsException.class,
          () -> engine.add(sequence, TOKENS, range[0], range[1], Engine.Outputs.LAST));
    }
    assertEquals(0, engine.step().tokens());
    engine.cache().release(sequence);
  }

  @Test
  void emptySteps() {
    KvSequence sequence = new KvSequence();
    engine.begin();
    engine.run(flag);
    engine.begin();
    engine.add(sequence, TOKENS, 0, 0, Engine.Outputs.ALL);
    engine.run(flag);
    assertEquals(0, sequence.length());
    engine.cache().release(sequence);
  }

  @ParameterizedTest
  @ValueSource(ints = {-1, VOCABULARY, Integer.MAX_VALUE, Integer.MIN_VALUE})
  void unknownToken(int id) {
    KvSequence sequence = new KvSequence();
    step(sequence, 0, 5, Engine.Outputs.LAST);
    engine.begin();
    engine.add(sequence, new int[] {7, id, 8}, 0, 3, Engine.Outputs.LAST);
    RuntimeFailure e = assertThrows(RuntimeFailure.class, () -> engine.run(flag));
    assertEquals(RuntimeFailure.Status.INVALID_ARGUMENT, e.status());
    assertTrue(e.getMessage().contains(String.valueOf(id)), e.getMessage());
    assertEquals(5, sequence.length());
    // The sequence goes on as if nothing had been.
    double[] after = step(sequence, 5, 3, Engine.Outputs.LAST);
    assertArrayEquals(alone(0, 8)[7], after);
    engine.cache().release(sequence);
  }

  @Test
  void anAbortedRunLeavesNothing() {
    KvSequence sequence = new KvSequence();
    step(sequence, 0, 5, Engine.Outputs.LAST);
    flag.set();
    engine.begin();
    engine.add(sequence, TOKENS, 5, 3, Engine.Outputs.LAST);
    RuntimeFailure e = assertThrows(RuntimeFailure.class, () -> engine.run(flag));
    assertEquals(RuntimeFailure.Status.ABORTED, e.status());
    assertEquals(5, sequence.length());
    flag.clear();
    engine.run(flag); // the same step once more
    assertEquals(8, sequence.length());
    assertArrayEquals(alone(0, 8)[7], Runs.row(engine, 0));
    engine.cache().release(sequence);
  }

  @Test
  void logitsOfAnOutputThatCannotBe() {
    ByteBuffer row = ByteBuffer.allocateDirect(4 * VOCABULARY);
    assertThrows(RuntimeFailure.class, () -> engine.readLogits(8, row));
    assertThrows(RuntimeFailure.class, () -> engine.readLogits(-1, row));
    assertThrows(
        IllegalArgumentException.class,
        () -> engine.readLogits(0, ByteBuffer.allocateDirect(4 * VOCABULARY - 1)));
    assertThrows(
        IllegalArgumentException.class,
        () -> engine.readLogits(0, ByteBuffer.allocate(4 * VOCABULARY)));
  }

  @ParameterizedTest
  @ValueSource(ints = {0, -1, StepCapacity.MOST_TOKENS + 1})
  void stepsThatCannotBe(int tokens) {
    EngineOptions options = OPTIONS.withStep(tokens, 1);
    assertThrows(IllegalArgumentException.class, () -> Runs.load(Model.open(file), options));
  }

  /** Found out when the program is compiled, after the weights were loaded. */
  @Test
  void headsThatNoKernelComputes() {
    ModelShape huge =
        new ModelShape("huge heads", 1, 64, 1, 1, 1026, 64, VOCABULARY, 64, 10_000, true, 1e-5f);
    Path hugeFile = folder.resolve("huge.gguf");
    SyntheticModel.write(hugeFile, huge, SyntheticModel.Options.of(TensorType.F16));
    Model model = Model.open(hugeFile);
    RuntimeFailure e = assertThrows(RuntimeFailure.class, () -> Runs.load(model, OPTIONS));
    assertTrue(e.getMessage().contains("head size 1026"), e.getMessage());
  }

  @Test
  void closedTwiceAndUsedAfterwards() {
    for (WeightStore.Mode mode : WeightStore.Mode.values()) {
      Engine other = Runs.load(Model.open(file), OPTIONS, mode);
      KvSequence sequence = new KvSequence();
      other.begin();
      other.add(sequence, TOKENS, 0, 3, Engine.Outputs.LAST);
      StepBlock step = other.step();
      other.close();
      other.close();
      assertThrows(IllegalStateException.class, other::begin);
      assertThrows(
          IllegalStateException.class,
          () -> other.add(new KvSequence(), TOKENS, 0, 1, Engine.Outputs.LAST));
      assertThrows(IllegalStateException.class, () -> other.run(flag));
      assertThrows(
          IllegalStateException.class, () -> other.readLogits(0, ByteBuffer.allocateDirect(1200)));
      // Its memory is gone; whoever kept the step block gets an exception, not another's bytes.
      assertThrows(IndexOutOfBoundsException.class, () -> step.candidateId(0, 0));
      assertThrows(IndexOutOfBoundsException.class, step::seal);
    }
  }

  private double[] step(KvSequence sequence, int from, int count, Engine.Outputs outputs) {
    engine.begin();
    engine.add(sequence, TOKENS, from, count, outputs);
    engine.run(flag);
    return outputs == Engine.Outputs.NONE ? new double[0] : Runs.row(engine, 0);
  }
}
