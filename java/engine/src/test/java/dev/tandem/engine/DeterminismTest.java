package dev.tandem.engine;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.tandem.engine.kv.KvSequence;
import dev.tandem.engine.program.WeightStore;
import dev.tandem.model.Model;
import dev.tandem.model.ModelShape;
import dev.tandem.model.SyntheticModel;
import dev.tandem.model.SyntheticModel.Biases;
import dev.tandem.model.format.TensorType;
import dev.tandem.runtime.AbortFlag;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * A token's result does not depend on company: its logits are bit by bit those of a run that reads
 * one token at a time, alone, on one thread, however the sequence is split into steps, whoever
 * shares them, wherever its blocks lie, on any number of threads and however the weights are kept.
 */
class DeterminismTest {
  private static final int STEP = 64;

  /** Rows that leave a rest in every tile; one sequence that attends over two pieces of 256. */
  private static final ModelShape SHAPE =
      new ModelShape("company", 2, 256, 4, 2, 64, 256, 300, 4096, 10_000, false, 1e-5f);

  private static final int[] LENGTHS = {275, 50, 33};

  @TempDir private static Path folder;

  static Stream<Arguments> combinations() {
    return Runs.instructionSets().stream()
        .flatMap(
            set -> Formats.COMPUTED_WITH.stream().map(format -> Arguments.arguments(set, format)));
  }

  @ParameterizedTest
  @MethodSource("combinations")
  void logitsDoNotDependOnCompany(String instructionSet, TensorType format) {
    Model model = model(format);
    int[][] tokens = new int[LENGTHS.length][];
    Random random = new Random(format.id());
    for (int s = 0; s < LENGTHS.length; s++) {
      tokens[s] = random.ints(LENGTHS[s], 0, SHAPE.vocabulary()).toArray();
    }
    double[][][] alone = new double[LENGTHS.length][][];
    try (Engine engine = Runs.load(model, options(1, instructionSet, WeightStore.Mode.TILES))) {
      for (int s = 0; s < LENGTHS.length; s++) {
        alone[s] = Runs.logits(engine, tokens[s], 1);
      }
    }
    int seeds = Runs.LONG ? 40 : instructionSet.equals("scalar") ? 1 : 6; // scalar is slow
    for (long seed = format.id(); seed < format.id() + seeds; seed++) {
      new Company(instructionSet, format, seed).check(model, tokens, alone);
    }
  }

  private static Model model(TensorType format) {
    Path file = folder.resolve(format + ".gguf");
    if (!file.toFile().exists()) {
      SyntheticModel.write(
          file, SHAPE, SyntheticModel.Options.of(format).withBiases(Biases.ALL).withRopeFactors());
    }
    return Model.open(file);
  }

  private static EngineOptions options(int threads, String set, WeightStore.Mode mode) {
    return Runs.options(threads, set).withStep(STEP, STEP).withWeights(mode);
  }

  /** One way to read the sequences, drawn by a seed. */
  private static final class Company {
    private final Random random;
    private final int threads;
    private final WeightStore.Mode mode;
    private final String instructionSet;
    private final String what;

    Company(String instructionSet, TensorType format, long seed) {
      random = new Random(seed);
      threads = 1 + (int) (seed % 3);
      mode = WeightStore.Mode.values()[random.nextInt(3)];
      this.instructionSet = instructionSet;
      what =
          "%s %s, seed %d: %d threads, %s".formatted(instructionSet, format, seed, threads, mode);
    }

    void check(Model model, int[][] tokens, double[][][] alone) {
      try (Engine engine = Runs.load(model, options(threads, instructionSet, mode));
          AbortFlag flag = new AbortFlag()) {
        List<KvSequence> others = scatterBlocks(engine);
        KvSequence[] sequences =
            Stream.generate(KvSequence::new).limit(tokens.length).toArray(KvSequence[]::new);
        int[] read = new int[tokens.length];
        while (!allRead(tokens, read)) {
          runStep(engine, flag, sequences, tokens, read, alone);
          for (int s = 0; s < sequences.length; s++) {
            assertEquals(read[s], sequences[s].length(), what);
          }
          if (!others.isEmpty() && random.nextInt(3) == 0) {
            engine.cache().truncate(others.removeLast(), 0);
          }
        }
      }
    }

    /** Takes blocks for others and gives some back, so that ours lie anywhere. */
    private List<KvSequence> scatterBlocks(Engine engine) {
      List<KvSequence> others = new ArrayList<>();
      for (int i = 0; i < 12; i++) {
        KvSequence other = new KvSequence();
        engine.cache().reserve(other, 16 * (1 + random.nextInt(3)));
        others.add(other);
      }
      Collections.shuffle(others, random);
      for (int i = 0; i < 6; i++) {
        engine.cache().release(others.removeLast());
      }
      return others;
    }

    private void runStep(
        Engine engine,
        AbortFlag flag,
        KvSequence[] sequences,
        int[][] tokens,
        int[] read,
        double[][][] alone) {
      List<Integer> order = new ArrayList<>(List.of(0, 1, 2));
      Collections.shuffle(order, random);
      int room = STEP;
      int[] firstOutputs = new int[tokens.length];
      int[] counts = new int[tokens.length];
      engine.begin();
      for (int s : order) {
        int left = Math.min(room, tokens[s].length - read[s]);
        int most = random.nextBoolean() ? 3 : STEP;
        counts[s] = Math.min(left, random.nextInt(most + 1));
        if (counts[s] > 0) {
          firstOutputs[s] =
              engine.add(sequences[s], tokens[s], read[s], counts[s], Engine.Outputs.ALL);
          room -= counts[s];
        }
      }
      engine.run(flag);
      for (int s : order) {
        for (int i = 0; i < counts[s]; i++) {
          int position = read[s] + i;
          assertArrayEquals(
              alone[s][position],
              Runs.row(engine, firstOutputs[s] + i),
              () -> what + ": sequence " + s + ", token " + position);
        }
        read[s] += counts[s];
      }
    }

    private static boolean allRead(int[][] tokens, int[] read) {
      for (int s = 0; s < tokens.length; s++) {
        if (read[s] < tokens[s].length) {
          return false;
        }
      }
      return true;
    }
  }
}
