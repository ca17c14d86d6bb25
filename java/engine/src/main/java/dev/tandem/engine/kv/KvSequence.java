package dev.tandem.engine.kv;

/** A sequence's place in the KV cache: its blocks, in the order of its positions. */
public final class KvSequence {

  int[] blocks = new int[4];
  int blockCount;
  int length;

  /** Positions that are in the cache. */
  public int length() {
    return length;
  }

  /** Blocks that belong to it, with room for {@link #length()} positions or more. */
  public int blockCount() {
    return blockCount;
  }

  /** The block with positions {@code 16 * index} and following. */
  public int block(int index) {
    if (index >= blockCount) {
      throw new IndexOutOfBoundsException("block %d of %d".formatted(index, blockCount));
    }
    return blocks[index];
  }

  /** {@code count} more positions have been written. */
  public void advance(int count) {
    if (KvCache.blocksFor(length + count) > blockCount) {
      throw new IllegalStateException(
          "%d positions in %d blocks".formatted(length + count, blockCount));
    }
    length += count;
  }
}
