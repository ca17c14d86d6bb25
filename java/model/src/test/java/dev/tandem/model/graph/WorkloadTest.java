package dev.tandem.model.graph;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class WorkloadTest {
  /** Counts the pairs one by one. */
  @Test
  void attendedIsTheNumberOfPairs() {
    long seed = 20261121;
    SplittableRandom random = new SplittableRandom(seed);
    for (int round = 0; round < 1000; round++) {
      int sequences = random.nextInt(1, 9);
      int each = random.nextInt(1, 40);
      int past = random.nextInt(0, 300);
      long pairs = 0;
      for (int s = 0; s < sequences; s++) {
        for (int position = past; position < past + each; position++) {
          pairs += position + 1;
        }
      }
      Workload workload =
          new Workload(sequences * each, sequences, (long) sequences * (past + each), 1);
      assertEquals(pairs, workload.attended(), 1e-9 * pairs, "seed " + seed + ": " + workload);
    }
  }

  @Test
  void wellKnownWorkloads() {
    assertEquals(new Workload(512, 1, 600, 1), Workload.prefill(512, 88));
    assertEquals(new Workload(4, 4, 400, 4), Workload.decode(4, 100));
    assertEquals(512 * 88 + 512 * 513 / 2.0, Workload.prefill(512, 88).attended());
    assertEquals(400, Workload.decode(4, 100).attended());
  }

  @Test
  void nothingToDo() {
    assertEquals(0, new Workload(0, 0, 0, 0).attended());
  }

  @ParameterizedTest
  @CsvSource({
    "-1, 1, 1, 0",
    "1, -1, 1, 0",
    "1, 1, 1, -1",
    "2, 3, 9, 0", // more sequences than tokens
    "2, 0, 9, 0", // tokens of no sequence
    "5, 1, 4, 0", // a context shorter than what was added to it
    "5, 1, 9, 6" // more outputs than tokens
  })
  void refusesWhatCannotBe(int tokens, int sequences, long contexts, int outputs) {
    assertThrows(
        IllegalArgumentException.class, () -> new Workload(tokens, sequences, contexts, outputs));
  }
}
