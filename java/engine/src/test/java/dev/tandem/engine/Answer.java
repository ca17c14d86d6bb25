package dev.tandem.engine;

import static org.junit.jupiter.api.Assertions.assertFalse;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.tandem.engine.kv.KvSequence;
import dev.tandem.model.TestData;
import dev.tandem.runtime.AbortFlag;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * A prompt and llama.cpp's greedy continuation of it.
 *
 * @param prompt token ids
 * @param continuation the ids that it chose
 * @param margins by how much each of them led
 */
record Answer(String text, int[] prompt, int[] continuation, double[] margins) {

  /** How many of the choices are ours too, and how many we were asked for. */
  record Score(int same, int asked) {
    Score plus(Score other) {
      return new Score(same + other.same, asked + other.asked);
    }
  }

  /** The answers in a JSON file of the test data; skips the running test where it is absent. */
  static List<Answer> read(String file) {
    List<Answer> answers = new ArrayList<>();
    try {
      for (JsonNode node : new ObjectMapper().readTree(TestData.path(file).toFile())) {
        answers.add(
            new Answer(
                node.get("prompt").asText(),
                ids(node.get("prompt_ids")),
                ids(node.get("greedy_ids")),
                IntStream.range(0, node.get("margins").size())
                    .mapToDouble(i -> node.get("margins").get(i).asDouble())
                    .toArray()));
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    assertFalse(answers.isEmpty());
    return answers;
  }

  private static int[] ids(JsonNode array) {
    return IntStream.range(0, array.size()).map(i -> array.get(i).asInt()).toArray();
  }

  /** Our choices where the sequence goes on as the answer does. */
  int[] teacherForced(Engine engine) {
    int[] tokens = Arrays.copyOf(prompt, prompt.length + continuation.length);
    System.arraycopy(continuation, 0, tokens, prompt.length, continuation.length);
    int[] choices = new int[continuation.length];
    KvSequence sequence = new KvSequence();
    try (AbortFlag flag = new AbortFlag()) {
      int capacity = engine.step().capacity().outputs();
      int read = 0;
      while (read < tokens.length - 1) {
        // Up to the prompt's last token nobody asks for logits.
        boolean asked = read >= prompt.length - 1;
        int end = asked ? tokens.length - 1 : prompt.length - 1;
        int most = asked ? capacity : engine.step().capacity().tokens();
        int count = Math.min(end - read, most);
        engine.begin();
        engine.add(sequence, tokens, read, count, asked ? Engine.Outputs.ALL : Engine.Outputs.NONE);
        engine.run(flag);
        for (int i = 0; asked && i < count; i++) {
          choices[read + i - (prompt.length - 1)] = engine.step().candidateId(i, 0);
        }
        read += count;
      }
    } finally {
      engine.cache().release(sequence);
    }
    return choices;
  }

  /** Compares choices with the answer's wherever it leads by a margin. */
  Score score(int[] choices, double margin) {
    int same = 0;
    int asked = 0;
    for (int i = 0; i < continuation.length; i++) {
      if (margins[i] >= margin) {
        asked++;
        same += choices[i] == continuation[i] ? 1 : 0;
      }
    }
    return new Score(same, asked);
  }
}
