package dev.tandem.text;

import java.util.Arrays;

/** Which two tokens merge into which third, and how early. */
final class MergeTable {
  private static final long EMPTY = -1;

  private final long[] pairs;
  private final long[] merges;
  private final int shift;

  /** An empty table with room for so many merges. */
  MergeTable(int size) {
    int bits = 64 - Long.numberOfLeadingZeros(Math.max(1L, 3L * size / 2));
    pairs = new long[1 << bits];
    merges = new long[1 << bits];
    shift = 64 - bits;
    Arrays.fill(pairs, EMPTY);
  }

  /** Adds a merge; of two for the same pair the first stays. */
  void add(int left, int right, int rank, int merged) {
    long pair = pair(left, right);
    int slot = slot(pair);
    if (pairs[slot] == EMPTY) {
      pairs[slot] = pair;
      merges[slot] = MergeLoop.merge(rank, merged);
    }
  }

  /** The merge of two tokens (-1 for none), or {@link MergeLoop#NO_MERGE}. */
  long find(int left, int right) {
    if (left < 0 || right < 0) {
      return MergeLoop.NO_MERGE;
    }
    int slot = slot(pair(left, right));
    return pairs[slot] == EMPTY ? MergeLoop.NO_MERGE : merges[slot];
  }

  private static long pair(int left, int right) {
    return (long) left << 32 | right;
  }

  private int slot(long pair) {
    int slot = (int) ((pair ^ pair >>> 29) * 0x9E3779B97F4A7C15L >>> shift);
    while (pairs[slot] != EMPTY && pairs[slot] != pair) {
      slot = slot + 1 & pairs.length - 1;
    }
    return slot;
  }
}
