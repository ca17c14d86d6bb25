package dev.tandem.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.engine.kv.KvSequence;
import dev.tandem.model.Model;
import dev.tandem.model.TestData;
import dev.tandem.reference.Agreement;
import dev.tandem.reference.Npy;
import dev.tandem.runtime.AbortFlag;
import dev.tandem.runtime.DeviceOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A real assistant of 135 million parameters, against llama.cpp; its README states the bounds. */
class SmolLm2Test {
  private static final String FOLDER = "models/smollm2/";
  private static final int[] POSITIONS = {0, 1, 7, 15, 16, 17, 63, 255, 511, 512, 1023, 1400};

  /**
   * The README allows 4e-3; the rests of the coarsest blocks (docs/numerics.md) take us to 2e-4,
   * and without them the row at position 63, whose attention is all but undecided, alone exceeds
   * what is allowed.
   */
  private static final double MOST_ERROR = 5e-4;

  /** The best one; all in long runs. */
  static Stream<String> instructionSets() {
    List<String> sets = Runs.instructionSets();
    return Runs.LONG ? sets.stream() : Stream.of(sets.getLast());
  }

  @ParameterizedTest
  @MethodSource("instructionSets")
  void rowsOfLogits(String instructionSet) throws IOException {
    int[] tokens =
        Arrays.stream(Files.readString(TestData.path(FOLDER + "rows.tokens")).strip().split(","))
            .mapToInt(Integer::parseInt)
            .toArray();
    double[][] reference = Npy.read(TestData.path(FOLDER + "rows.npy"));
    double[][] ours = new double[POSITIONS.length][];
    try (Engine engine = load(instructionSet);
        AbortFlag flag = new AbortFlag()) {
      KvSequence sequence = new KvSequence();
      for (int i = 0; i < POSITIONS.length; i++) {
        int length = sequence.length();
        engine.begin();
        engine.add(sequence, tokens, length, POSITIONS[i] + 1 - length, Engine.Outputs.LAST);
        engine.run(flag);
        ours[i] = Runs.row(engine, 0);
      }
    }
    Agreement rows = Agreement.of(ours, reference, 1.5);
    System.out.printf("SmolLM2 rows, %s: %s%n", instructionSet, rows);
    assertEquals(0, rows.wrongRows(), rows::toString);
    assertTrue(rows.error() <= MOST_ERROR, rows::toString);
  }

  @ParameterizedTest
  @MethodSource("instructionSets")
  void answers(String instructionSet) {
    List<Answer> answers = Answer.read(FOLDER + "answers.json");
    Answer.Score clear = new Answer.Score(0, 0);
    Answer.Score likely = new Answer.Score(0, 0);
    try (Engine engine = load(instructionSet)) {
      for (Answer answer : answers) {
        int[] choices = answer.teacherForced(engine);
        clear = clear.plus(answer.score(choices, 1.5));
        likely = likely.plus(answer.score(choices, 0.5));
      }
    }
    System.out.printf("SmolLM2 answers, %s: %s, %s%n", instructionSet, clear, likely);
    assertEquals(clear.asked(), clear.same());
    assertTrue(likely.same() >= 0.99 * likely.asked(), likely::toString);
  }

  private static Engine load(String instructionSet) {
    Model model = Model.open(TestData.path(FOLDER + "SmolLM2-135M-Instruct.Q4_1.gguf"));
    DeviceOptions device = DeviceOptions.cpu(2).withInstructionSet(instructionSet);
    return Runs.load(model, EngineOptions.of(device).withKvTokens(2048).withStep(512, 32));
  }
}
