package dev.tandem.engine.program;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ScratchPlanTest {

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5})
  void whatIsInUseDoesNotOverlap(long seed) {
    Random random = new Random(seed);
    ScratchPlan plan = new ScratchPlan();
    List<ScratchPlan.Place> used = new ArrayList<>();
    long largestEnd = 0;
    for (int round = 0; round < 2000; round++) {
      if (used.size() < 12 && random.nextBoolean()) {
        long bytes = 1 + random.nextInt(5000);
        ScratchPlan.Place place = plan.take(bytes);
        assertTrue(place.bytes() >= bytes);
        assertEquals(0, place.offset() % 64);
        for (ScratchPlan.Place other : used) {
          assertTrue(
              place.end() <= other.offset() || other.end() <= place.offset(),
              "seed " + seed + ": " + place + " and " + other);
        }
        used.add(place);
        largestEnd = Math.max(largestEnd, place.end());
      } else if (!used.isEmpty()) {
        plan.give(used.remove(random.nextInt(used.size())));
      }
      assertEquals(largestEnd, plan.peak(), "seed " + seed);
    }
  }

  @Test
  void roomIsUsedAgain() {
    ScratchPlan plan = new ScratchPlan();
    ScratchPlan.Place a = plan.take(100);
    ScratchPlan.Place b = plan.take(64);
    assertEquals(128, b.offset());
    plan.give(a);
    assertEquals(0, plan.take(128).offset());
    assertEquals(192, plan.take(1).offset());
    assertEquals(256, plan.peak());
    assertThrows(IllegalStateException.class, () -> plan.give(new ScratchPlan.Place(0, 64)));
  }
}
