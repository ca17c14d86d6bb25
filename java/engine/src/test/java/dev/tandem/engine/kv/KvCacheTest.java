package dev.tandem.engine.kv;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class KvCacheTest {

  @Test
  void blocksForTokens() {
    assertEquals(0, KvCache.blocksFor(0));
    assertEquals(1, KvCache.blocksFor(1));
    assertEquals(1, KvCache.blocksFor(16));
    assertEquals(2, KvCache.blocksFor(17));
    assertEquals(1 << 27, KvCache.blocksFor(Integer.MAX_VALUE));
  }

  /** Any order of taking and giving back: every block has one owner, or is free. */
  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
  void everyBlockHasOneOwner(long seed) {
    Random random = new Random(seed);
    int blocks = 1 + random.nextInt(60);
    KvCache cache = new KvCache(blocks);
    List<KvSequence> sequences = new ArrayList<>();
    for (int i = 0; i < 7; i++) {
      sequences.add(new KvSequence());
    }
    for (int round = 0; round < 3000; round++) {
      KvSequence sequence = sequences.get(random.nextInt(sequences.size()));
      int before = sequence.blockCount();
      int free = cache.freeBlocks();
      switch (random.nextInt(5)) {
        case 0, 1 -> {
          int wanted = sequence.length() + random.nextInt(100);
          boolean taken = cache.reserve(sequence, wanted);
          int missing = KvCache.blocksFor(wanted) - before;
          assertEquals(missing <= free, taken, "seed " + seed);
          assertEquals(before + (taken ? Math.max(0, missing) : 0), sequence.blockCount());
        }
        case 2 -> {
          int room = 16 * sequence.blockCount() - sequence.length();
          sequence.advance(random.nextInt(room + 1));
        }
        case 3 -> {
          int length = random.nextInt(sequence.length() + 1);
          cache.truncate(sequence, length);
          assertEquals(length, sequence.length());
          assertEquals(Math.min(before, KvCache.blocksFor(length)), sequence.blockCount());
        }
        default -> {
          cache.release(sequence);
          assertEquals(0, sequence.length());
          assertEquals(0, sequence.blockCount());
        }
      }
      assertOwners(cache, sequences, "seed " + seed + ", round " + round);
    }
    sequences.forEach(cache::release);
    assertEquals(blocks, cache.freeBlocks());
  }

  private static void assertOwners(KvCache cache, List<KvSequence> sequences, String what) {
    Set<Integer> owned = new HashSet<>();
    for (KvSequence sequence : sequences) {
      assertTrue(KvCache.blocksFor(sequence.length()) <= sequence.blockCount(), what);
      for (int i = 0; i < sequence.blockCount(); i++) {
        assertTrue(owned.add(sequence.block(i)), what + ": a block with two owners");
        assertTrue(sequence.block(i) >= 0 && sequence.block(i) < cache.blocks(), what);
      }
    }
    assertEquals(cache.blocks(), owned.size() + cache.freeBlocks(), what);
  }

  @Test
  void exhausted() {
    KvCache cache = new KvCache(4);
    KvSequence a = new KvSequence();
    KvSequence b = new KvSequence();
    assertTrue(cache.reserve(a, 33));
    assertEquals(1, cache.freeBlocks());
    assertEquals(false, cache.reserve(b, 17));
    assertEquals(0, b.blockCount(), "nothing is taken");
    assertTrue(cache.reserve(b, 16));
    assertEquals(0, cache.freeBlocks());
    assertTrue(cache.reserve(a, 48), "there is room already");
    assertEquals(false, cache.reserve(a, 49));
    cache.release(b);
    assertTrue(cache.reserve(a, 49));
  }

  /** A small load touches little memory: the lowest numbers come first. */
  @Test
  void lowestNumbersFirst() {
    KvCache cache = new KvCache(100);
    KvSequence a = new KvSequence();
    cache.reserve(a, 40);
    assertEquals(List.of(0, 1, 2), List.of(a.block(0), a.block(1), a.block(2)));
  }

  @Test
  void refusesWhatCannotBe() {
    KvCache cache = new KvCache(2);
    KvSequence sequence = new KvSequence();
    assertThrows(IllegalStateException.class, () -> sequence.advance(1));
    cache.reserve(sequence, 16);
    sequence.advance(10);
    assertThrows(IllegalStateException.class, () -> sequence.advance(7));
    assertThrows(IllegalArgumentException.class, () -> cache.truncate(sequence, 11));
    assertThrows(IllegalArgumentException.class, () -> cache.truncate(sequence, -1));
    assertThrows(IndexOutOfBoundsException.class, () -> sequence.block(1));
    assertThrows(IndexOutOfBoundsException.class, () -> sequence.block(-1));
    assertEquals(10, sequence.length());
  }
}
