package dev.tandem.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.engine.kv.KvSequence;
import dev.tandem.model.Model;
import dev.tandem.model.TestData;
import dev.tandem.model.format.TensorType;
import dev.tandem.runtime.AbortFlag;
import dev.tandem.text.Tokenizer;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Small models that tell stories, against llama.cpp. */
class StoriesTest {
  private static final String STORIES = "models/stories.gguf";

  @TempDir private Path folder;

  static Iterable<String> instructionSets() {
    return Runs.instructionSets();
  }

  @ParameterizedTest
  @MethodSource("instructionSets")
  void continuesAsInFullPrecision(String instructionSet) {
    assertContinuations(TestData.path(STORIES), instructionSet, 0.05);
  }

  @ParameterizedTest
  @MethodSource("instructionSets")
  void continuesQuantized(String instructionSet) {
    Path file = new ModelCopy(TestData.path(STORIES)).quantized(TensorType.Q8_0).write(path());
    assertContinuations(file, instructionSet, 0.5);
  }

  private static void assertContinuations(Path file, String instructionSet, double margin) {
    List<Answer> answers = Answer.read("models/stories.answers.json");
    if (!Runs.LONG && instructionSet.equals("scalar")) {
      answers = answers.subList(0, 1); // slow
    }
    Answer.Score score = new Answer.Score(0, 0);
    try (Engine engine = Runs.load(Model.open(file), Runs.options(2, instructionSet))) {
      for (Answer answer : answers) {
        score = score.plus(answer.score(answer.teacherForced(engine), margin));
      }
    }
    assertTrue(score.asked() > 50 * answers.size(), score::toString);
    assertEquals(score.asked(), score.same(), score::toString);
  }

  /** Where our greedy text leaves the expected one, the two tokens were all but equal. */
  @ParameterizedTest
  @MethodSource("instructionSets")
  void greedyTextOfStories260K(String instructionSet) throws IOException {
    Model model = Model.open(TestData.path("models/stories260K.gguf"));
    String expected = Files.readString(TestData.path("models/stories260K.expected.txt"));
    Tokenizer tokenizer = Tokenizer.of(model.file().metadata());
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    String text = "";
    try (Engine engine = Runs.load(model, Runs.options(2, instructionSet));
        AbortFlag flag = new AbortFlag()) {
      KvSequence sequence = new KvSequence();
      int[] token = tokenizer.beginTokens();
      assertEquals(1, token.length);
      for (int i = 0; i < 200; i++) {
        engine.begin();
        engine.add(sequence, token, 0, 1, Engine.Outputs.LAST);
        engine.run(flag);
        double lead = engine.step().candidateLogit(0, 0) - engine.step().candidateLogit(0, 1);
        token[0] = engine.step().candidateId(0, 0);
        bytes.writeBytes(tokenizer.vocabulary().bytes(token[0]));
        text = bytes.toString(StandardCharsets.UTF_8).strip();
        if (!expected.startsWith(text)) {
          assertTrue(lead < 0.02, "token " + i + " leads by " + lead + ": " + text);
          return;
        }
      }
    }
    assertEquals(expected.strip(), text);
  }

  private Path path() {
    return folder.resolve("model.gguf");
  }
}
