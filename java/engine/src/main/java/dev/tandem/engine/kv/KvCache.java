package dev.tandem.engine.kv;

import java.util.Arrays;

/**
 * The bookkeeping of the paged KV cache: which block belongs to which sequence. A block holds
 * {@link #BLOCK_TOKENS} positions of one sequence; blocks are taken as a sequence grows. Not safe
 * for use from several threads.
 */
public final class KvCache {

  /** Positions in a block. */
  public static final int BLOCK_TOKENS = 16;

  // A stack; the lowest numbers come first, so that a small load touches little memory.
  private final int[] free;
  private int freeCount;

  /** A cache of so many blocks, all free. */
  public KvCache(int blocks) {
    free = new int[blocks];
    freeCount = blocks;
    for (int i = 0; i < blocks; i++) {
      free[i] = blocks - 1 - i;
    }
  }

  /** Blocks that {@code tokens} positions take. */
  public static int blocksFor(int tokens) {
    return Math.ceilDiv(tokens, BLOCK_TOKENS);
  }

  /** All blocks. */
  public int blocks() {
    return free.length;
  }

  /** Blocks that no sequence has. */
  public int freeBlocks() {
    return freeCount;
  }

  /**
   * Takes blocks until the sequence has room for {@code length} positions.
   *
   * @return false, and nothing is taken, if there are too few
   */
  public boolean reserve(KvSequence sequence, int length) {
    int wanted = blocksFor(length) - sequence.blockCount;
    if (wanted > freeCount) {
      return false;
    }
    if (wanted > 0) {
      int needed = sequence.blockCount + wanted;
      if (needed > sequence.blocks.length) {
        sequence.blocks = Arrays.copyOf(sequence.blocks, Math.max(needed, 2 * sequence.blockCount));
      }
      for (int i = 0; i < wanted; i++) {
        sequence.blocks[sequence.blockCount++] = free[--freeCount];
      }
    }
    return true;
  }

  /** Forgets all positions from {@code length} on and gives back the blocks that this frees. */
  public void truncate(KvSequence sequence, int length) {
    if (length < 0 || length > sequence.length) {
      throw new IllegalArgumentException(
          "truncate to %d of a sequence of length %d".formatted(length, sequence.length));
    }
    int kept = blocksFor(length);
    while (sequence.blockCount > kept) {
      free[freeCount++] = sequence.blocks[--sequence.blockCount];
    }
    sequence.length = length;
  }

  /** Gives back everything. */
  public void release(KvSequence sequence) {
    truncate(sequence, 0);
  }
}
