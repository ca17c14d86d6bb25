package dev.tandem.engine.sample;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RecentTokensTest {

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2, 7, 64})
  void countsAsCountingAnewDoes(int window) {
    Random random = new Random(window);
    RecentTokens recent = new RecentTokens(window);
    List<Integer> text = new ArrayList<>();
    for (int i = 0; i < 500; i++) {
      int token = random.nextInt(1 + random.nextInt(40));
      text.add(token);
      recent.add(token);
      Map<Integer, Integer> expected = new HashMap<>();
      text.subList(Math.max(0, text.size() - window), text.size())
          .forEach(id -> expected.merge(id, 1, Integer::sum));
      assertEquals(expected, counts(recent), "seed " + window + ", token " + i);
    }
  }

  private static Map<Integer, Integer> counts(RecentTokens recent) {
    Map<Integer, Integer> counts = new HashMap<>();
    for (int i = 0; i < recent.distinct(); i++) {
      assertTrue(counts.put(recent.id(i), recent.count(i)) == null, "twice");
    }
    return counts;
  }
}
